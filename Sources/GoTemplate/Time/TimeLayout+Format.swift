internal import GoFormats

/// Writing times.
extension TimeLayout {
    static func format(_ time: GoTime, _ layout: String) -> String {
        String(decoding: format(time, Array(layout.utf8)), as: UTF8.self)
    }

    static func format(_ time: GoTime, _ layout: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        let parts = ClockParts(time)
        var rest = layout[...]
        while true {
            let (prefix, element, after) = next(rest)
            out += prefix
            guard let element else { return out }
            write(element, parts, to: &out)
            rest = after
        }
    }

    private static func padded(_ value: Int, _ width: Int, with fill: Character = "0") -> [UInt8] {
        let digits = String(value.magnitude)
        let padding = String(repeating: fill, count: max(0, width - digits.utf8.count))
        return Array(((value < 0 ? "-" : "") + padding + digits).utf8)
    }

    private static func write(_ element: Element, _ parts: ClockParts, to out: inout [UInt8]) {
        let hour12 = parts.hour % 12 == 0 ? 12 : parts.hour % 12
        switch element {
        case .year: out += padded(max(0, parts.date.year) % 100, 2)
        case .longYear: out += padded(parts.date.year, 4)
        case .month: out += months[parts.date.month - 1].utf8.prefix(3)
        case .longMonth: out += months[parts.date.month - 1].utf8
        case .numberMonth: out += padded(parts.date.month, 0)
        case .zeroMonth: out += padded(parts.date.month, 2)
        case .weekday: out += weekdays[parts.weekday].utf8.prefix(3)
        case .longWeekday: out += weekdays[parts.weekday].utf8
        case .day: out += padded(parts.date.day, 0)
        case .underDay: out += padded(parts.date.day, 2, with: " ")
        case .zeroDay: out += padded(parts.date.day, 2)
        case .underYearDay: out += padded(parts.yearDay, 3, with: " ")
        case .zeroYearDay: out += padded(parts.yearDay, 3)
        case .hour: out += padded(parts.hour, 2)
        case .hour12: out += padded(hour12, 0)
        case .zeroHour12: out += padded(hour12, 2)
        case .minute: out += padded(parts.minute, 0)
        case .zeroMinute: out += padded(parts.minute, 2)
        case .second: out += padded(parts.second, 0)
        case .zeroSecond: out += padded(parts.second, 2)
        case .upperPM: out += (parts.hour >= 12 ? "PM" : "AM").utf8
        case .lowerPM: out += (parts.hour >= 12 ? "pm" : "am").utf8
        case .isoZone(let form):
            if parts.offset == 0 { out.append(UInt8(ascii: "Z")) } else { out += zone(parts.offset, form) }
        case .numberZone(let form): out += zone(parts.offset, form)
        case .zoneName: out += parts.zoneName.isEmpty ? zone(parts.offset, .plain) : Array(parts.zoneName.utf8)
        case .zeroFraction(let digits, let separator):
            out += [separator] + nanoseconds(parts.nanoseconds, digits: digits)
        case .fraction(let digits, let separator):
            var text = nanoseconds(parts.nanoseconds, digits: digits)
            while text.last == 0x30 { text.removeLast() }
            if !text.isEmpty { out += [separator] + text }
        }
    }

    private static func nanoseconds(_ value: Int, digits: Int) -> [UInt8] {
        let all = padded(value, 9)
        return digits <= 9 ? Array(all.prefix(digits)) : all
    }

    private static func zone(_ offset: Int, _ form: ZoneForm) -> [UInt8] {
        // Minutes are cut toward 0, as in Go.
        let minutes = (offset / 60).magnitude
        var out = [offset / 60 < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+")]
        if offset < 0 && (form == .seconds || form == .colonSeconds) { out[0] = UInt8(ascii: "-") }
        out += padded(Int(minutes / 60), 2)
        if form == .hours { return out }
        if form == .colon || form == .colonSeconds { out.append(UInt8(ascii: ":")) }
        out += padded(Int(minutes % 60), 2)
        if form == .seconds || form == .colonSeconds {
            if form == .colonSeconds { out.append(UInt8(ascii: ":")) }
            out += padded(Int(offset.magnitude % 60), 2)
        }
        return out
    }
}

/// A time as the clock and calendar of its zone show it.
struct ClockParts {
    let date: CivilDate
    let hour, minute, second, nanoseconds: Int
    /// 0 is Sunday.
    let weekday: Int
    /// 1 … 366
    let yearDay: Int
    let zoneName: String
    let offset: Int

    init(_ time: GoTime) {
        let (name, offset) = time.offset
        let local = time.seconds &+ Int64(offset)
        let secondOfDay = Int(((local % 86_400) + 86_400) % 86_400)
        let days = (local &- Int64(secondOfDay)) / 86_400
        date = CivilDate(daysSinceEpoch: days)
        hour = secondOfDay / 3600
        minute = secondOfDay / 60 % 60
        second = secondOfDay % 60
        nanoseconds = Int(time.nanoseconds)
        // 1970-01-01 was a Thursday.
        weekday = Int(((days % 7) + 7 + 4) % 7)
        let newYear = CivilDate(year: date.year, month: 1, day: 1)?.daysSinceEpoch ?? days
        yearDay = Int(days - newYear) + 1
        zoneName = name
        self.offset = offset
    }
}
