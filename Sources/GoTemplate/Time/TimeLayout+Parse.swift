internal import GoFormats

/// Reading times.
extension TimeLayout {
    /// The time a text stands for; nil when it does not fit the layout.
    ///
    /// - Parameter local: the zone of a text that names none.
    static func parse(_ layout: [UInt8], _ text: [UInt8], local: GoZone) -> GoTime? {
        var reader = TimeReader(rest: text[...])
        var layout = layout[...]
        while true {
            let (prefix, element, after) = next(layout)
            guard reader.skip(prefix) else { return nil }
            guard let element else {
                guard reader.rest.isEmpty else { return nil }
                return reader.time(local: local)
            }
            layout = after
            guard reader.read(element, layoutAfter: after) else { return nil }
        }
    }
}

/// The fields of a time, as they are read.
///
/// Source: Go `time/format.go`, `parse`.
struct TimeReader {
    var rest: ArraySlice<UInt8>
    private var year = 0
    private var month = -1
    private var day = -1
    private var yearDay = -1
    private var hour = 0
    private var minute = 0
    private var second = 0
    private var nanoseconds = 0
    private var isPM: Bool?
    private var isUTC = false
    private var zoneOffset: Int?
    private var zoneName = ""

    init(rest: ArraySlice<UInt8>) { self.rest = rest }

    private static func isDigit(_ byte: UInt8?) -> Bool { byte.map { (0x30...0x39).contains($0) } ?? false }
    private func byte(_ offset: Int) -> UInt8? {
        offset < rest.count ? rest[rest.startIndex + offset] : nil
    }
    private func starts(_ text: String) -> Bool { rest.starts(with: text.utf8) }

    /// Literal text. A run of spaces stands for any run of spaces, even none at the end.
    mutating func skip(_ given: ArraySlice<UInt8>) -> Bool {
        var prefix = given
        while let first = prefix.first {
            if first == 0x20 {
                if let next = rest.first, next != 0x20 { return false }
                prefix = prefix.drop { $0 == 0x20 }
                rest = rest.drop { $0 == 0x20 }
                continue
            }
            guard rest.first == first else { return false }
            prefix = prefix.dropFirst()
            rest = rest.dropFirst()
        }
        return true
    }

    mutating func read(_ element: TimeLayout.Element, layoutAfter: ArraySlice<UInt8>) -> Bool {
        switch element {
        case .year:
            guard let value = fixed(2) else { return false }
            year = value >= 69 ? value + 1900 : value + 2000
        case .longYear:
            guard let value = fixed(4) else { return false }
            year = value
        case .month, .longMonth:
            guard let value = name(TimeLayout.months, short: element == .month) else { return false }
            month = value + 1
        case .numberMonth, .zeroMonth: return number(\.month, 1...12, fixed: element == .zeroMonth)
        case .weekday, .longWeekday: return name(TimeLayout.weekdays, short: element == .weekday) != nil
        case .day, .underDay, .zeroDay:
            if element == .underDay && rest.first == 0x20 { rest = rest.dropFirst() }
            return number(\.day, 0...99, fixed: element == .zeroDay)
        case .underYearDay, .zeroYearDay: return readYearDay(padded: element == .underYearDay)
        case .hour: return number(\.hour, 0...23, fixed: false)
        case .hour12, .zeroHour12: return number(\.hour, 0...12, fixed: element == .zeroHour12)
        case .minute, .zeroMinute: return number(\.minute, 0...59, fixed: element == .zeroMinute)
        case .second, .zeroSecond:
            guard number(\.second, 0...59, fixed: element == .zeroSecond) else { return false }
            return unannouncedFraction(layoutAfter)
        case .upperPM: return half("PM", "AM")
        case .lowerPM: return half("pm", "am")
        case .isoZone(let form):
            if rest.first == UInt8(ascii: "Z") {
                rest = rest.dropFirst()
                isUTC = true
                return true
            }
            return offset(form)
        case .numberZone(let form): return offset(form)
        case .zoneName: return readZoneName()
        case .zeroFraction(let digits, _): return fraction(1 + digits)
        case .fraction:
            guard isSeparator(byte(0)), Self.isDigit(byte(1)) else { return true }
            return fraction(1 + rest.dropFirst().prefix { Self.isDigit($0) }.count)
        }
        return true
    }

    // MARK: - Pieces

    private mutating func fixed(_ count: Int) -> Int? {
        let digits = rest.prefix(count)
        guard digits.count == count else { return nil }
        // A two-digit year may have a sign, as Go reads it with atoi.
        guard digits.allSatisfy({ Self.isDigit($0) }), let value = Int(String(decoding: digits, as: UTF8.self)) else {
            return nil
        }
        rest = rest.dropFirst(count)
        return value
    }

    private mutating func number(_ field: WritableKeyPath<TimeReader, Int>, _ range: ClosedRange<Int>, fixed: Bool)
        -> Bool
    {
        guard let first = byte(0), Self.isDigit(first) else { return false }
        var value = Int(first - 0x30)
        var count = 1
        if let second = byte(1), Self.isDigit(second) {
            value = value * 10 + Int(second - 0x30)
            count = 2
        } else if fixed {
            return false
        }
        rest = rest.dropFirst(count)
        self[keyPath: field] = value
        return range.contains(value)
    }

    private mutating func name(_ names: [String], short: Bool) -> Int? {
        for (index, full) in names.enumerated() {
            let name = Array(short ? full.utf8.prefix(3) : full.utf8[...])
            let candidate = rest.prefix(name.count)
            guard candidate.count == name.count, zip(candidate, name).allSatisfy({ $0 | 0x20 == $1 | 0x20 }) else {
                continue
            }
            rest = rest.dropFirst(name.count)
            return index
        }
        return nil
    }

    private mutating func readYearDay(padded: Bool) -> Bool {
        if padded {
            for _ in 0..<2 where rest.first == 0x20 { rest = rest.dropFirst() }
        }
        let digits = rest.prefix(3).prefix { Self.isDigit($0) }
        guard !digits.isEmpty, padded || digits.count == 3, let value = Int(String(decoding: digits, as: UTF8.self))
        else { return false }
        rest = rest.dropFirst(digits.count)
        yearDay = value
        return true
    }

    private mutating func half(_ second: String, _ first: String) -> Bool {
        guard starts(second) || starts(first) else { return false }
        isPM = starts(second)
        rest = rest.dropFirst(2)
        return true
    }

    private func isSeparator(_ byte: UInt8?) -> Bool { byte == UInt8(ascii: ".") || byte == UInt8(ascii: ",") }

    /// A fraction the layout does not mention is taken with the seconds.
    private mutating func unannouncedFraction(_ layoutAfter: ArraySlice<UInt8>) -> Bool {
        guard isSeparator(byte(0)), Self.isDigit(byte(1)) else { return true }
        switch TimeLayout.next(layoutAfter).1 {
        case .zeroFraction, .fraction: return true
        default: return fraction(1 + rest.dropFirst().prefix { Self.isDigit($0) }.count)
        }
    }

    /// Separator and digits; digits beyond nanoseconds are dropped.
    private mutating func fraction(_ count: Int) -> Bool {
        let text = rest.prefix(count)
        guard text.count == count, isSeparator(text.first) else { return false }
        let digits = text.dropFirst()
        guard digits.allSatisfy({ Self.isDigit($0) }) else { return false }
        var value = 0
        for index in 0..<9 {
            let digit = index < digits.count ? Int(digits[digits.startIndex + index] - 0x30) : 0
            value = value * 10 + digit
        }
        nanoseconds = value
        rest = rest.dropFirst(count)
        return true
    }

    private mutating func offset(_ form: TimeLayout.ZoneForm) -> Bool {
        let (length, minuteAt, secondAt): (Int, Int?, Int?) =
            switch form {
            case .hours: (3, nil, nil)
            case .plain: (5, 3, nil)
            case .colon: (6, 4, nil)
            case .seconds: (7, 3, 5)
            case .colonSeconds: (9, 4, 7)
            }
        guard rest.count >= length else { return false }
        if form == .colon || form == .colonSeconds, byte(3) != UInt8(ascii: ":") { return false }
        if form == .colonSeconds, byte(6) != UInt8(ascii: ":") { return false }
        func two(_ at: Int?) -> Int? {
            guard let at else { return 0 }
            guard let first = byte(at), let second = byte(at + 1), Self.isDigit(first), Self.isDigit(second) else {
                return nil
            }
            return Int(first - 0x30) * 10 + Int(second - 0x30)
        }
        guard let hours = two(1), let minutes = two(minuteAt), let seconds = two(secondAt), hours <= 24, minutes <= 60,
            seconds <= 60, let sign = rest.first, sign == 0x2b || sign == 0x2d
        else { return false }
        let value = (hours * 60 + minutes) * 60 + seconds
        zoneOffset = sign == 0x2d ? -value : value
        rest = rest.dropFirst(length)
        return true
    }

    private mutating func readZoneName() -> Bool {
        if starts("UTC") {
            isUTC = true
            rest = rest.dropFirst(3)
            return true
        }
        guard let length = zoneNameLength() else { return false }
        zoneName = String(decoding: rest.prefix(length), as: UTF8.self)
        rest = rest.dropFirst(length)
        return true
    }

    private func zoneNameLength() -> Int? {
        guard rest.count >= 3 else { return nil }
        if starts("ChST") || starts("MeST") { return 4 }
        if starts("GMT") { return 3 + signedOffsetLength(rest.dropFirst(3)) }
        if rest.first == 0x2b || rest.first == 0x2d {
            let length = signedOffsetLength(rest)
            return length > 0 ? length : nil
        }
        switch rest.prefix(6).prefix(while: { (0x41...0x5a).contains($0) }).count {
        case 3: return 3
        case 4: return byte(3) == UInt8(ascii: "T") || starts("WITA") ? 4 : nil
        case 5: return byte(4) == UInt8(ascii: "T") ? 5 : nil
        default: return nil
        }
    }

    private func signedOffsetLength(_ text: ArraySlice<UInt8>) -> Int {
        guard let sign = text.first, sign == 0x2b || sign == 0x2d else { return 0 }
        let digits = text.dropFirst().prefix { Self.isDigit($0) }
        guard let value = Int(String(decoding: digits, as: UTF8.self)), value <= 23 else { return 0 }
        return 1 + digits.count
    }

    // MARK: - Putting it together

    func time(local: GoZone) -> GoTime? {
        var reader = self
        if isPM == true && hour < 12 { reader.hour += 12 }
        if isPM == false && hour == 12 { reader.hour = 0 }
        guard reader.settleDay(), let date = CivilDate(year: year, month: reader.month, day: reader.day) else {
            return nil
        }
        let clock = Int64(reader.hour * 3600 + minute * 60 + second)
        let seconds = date.daysSinceEpoch * 86_400 + clock
        func made(_ seconds: Int64, _ zone: GoZone) -> GoTime {
            GoTime(seconds: seconds, nanoseconds: Int32(nanoseconds), zone: zone)
        }
        if isUTC { return made(seconds, .utc) }
        if let zoneOffset {
            let instant = seconds - Int64(zoneOffset)
            let (name, offset) = local.offset(at: instant)
            if offset == zoneOffset && (zoneName.isEmpty || name == zoneName) { return made(instant, local) }
            return made(instant, .fixed(name: zoneName, offset: zoneOffset))
        }
        if !zoneName.isEmpty {
            if let offset = local.offset(abbreviation: zoneName, near: seconds) {
                return made(seconds - Int64(offset), local)
            }
            // A name says nothing about the offset, except GMT+3 and the like. The instant stays, as in Go.
            let hours = zoneName.hasPrefix("GMT") ? Int(zoneName.dropFirst(3)) ?? 0 : 0
            return made(seconds, .fixed(name: zoneName, offset: hours * 3600))
        }
        return made(seconds - Int64(Self.offset(of: local, atLocal: seconds)), local)
    }

    /// The offset in force when the clocks of a zone show a time.
    private static func offset(of zone: GoZone, atLocal seconds: Int64) -> Int {
        let first = zone.offset(at: seconds).seconds
        if first == 0 { return 0 }
        return zone.offset(at: seconds - Int64(first)).seconds
    }

    /// Month and day from the day of the year, or their defaults; false when they contradict each other.
    private mutating func settleDay() -> Bool {
        guard yearDay >= 0 else {
            if month < 0 { month = 1 }
            if day < 0 { day = 1 }
            return true
        }
        guard yearDay >= 1, let newYear = CivilDate(year: year, month: 1, day: 1) else { return false }
        let date = CivilDate(daysSinceEpoch: newYear.daysSinceEpoch + Int64(yearDay - 1))
        guard date.year == year, month < 0 || month == date.month, day < 0 || day == date.day else { return false }
        (month, day) = (date.month, date.day)
        return true
    }
}
