internal import GoFormats

/// The rule at the end of a zone file, for example `CET-1CEST,M3.5.0,M10.5.0/3`.
///
/// Source: POSIX `TZ`, with RFC 9636's hours from −167 to 167.
struct PosixZoneRule: Sendable, Hashable {
    struct Change: Sendable, Hashable {
        enum Day: Sendable, Hashable {
            /// 1 … 365, February 29 never counted.
            case julian(Int)
            /// 0 … 365
            case ordinal(Int)
            /// Month 1 … 12, week 1 … 5 (5 is the last), day 0 (Sunday) … 6.
            case month(Int, week: Int, day: Int)
        }
        let day: Day
        /// Seconds after midnight, local time.
        let time: Int
    }

    let standardName: String
    let standardOffset: Int
    let daylight: (name: String, offset: Int, start: Change, end: Change)?

    static func == (left: PosixZoneRule, right: PosixZoneRule) -> Bool {
        left.standardName == right.standardName && left.standardOffset == right.standardOffset
            && left.daylight?.name == right.daylight?.name && left.daylight?.offset == right.daylight?.offset
            && left.daylight?.start == right.daylight?.start && left.daylight?.end == right.daylight?.end
    }
    func hash(into hasher: inout Hasher) {
        hasher.combine(standardName)
        hasher.combine(standardOffset)
    }

    init?(_ text: ArraySlice<UInt8>) {
        var scanner = Scanner(rest: text)
        guard let name = scanner.name(), let offset = scanner.offset() else { return nil }
        standardName = name
        standardOffset = -offset
        guard let daylightName = scanner.name() else {
            daylight = nil
            if !scanner.rest.isEmpty { return nil }
            return
        }
        var daylightOffset = standardOffset + 3600
        if let first = scanner.rest.first, first != UInt8(ascii: ",") {
            guard let own = scanner.offset() else { return nil }
            daylightOffset = -own
        }
        guard scanner.accept(","), let start = scanner.change(), scanner.accept(","), let end = scanner.change() else {
            return nil
        }
        daylight = (daylightName, daylightOffset, start, end)
    }

    func offset(at seconds: Int64) -> (name: String, seconds: Int) {
        guard let daylight else { return (standardName, standardOffset) }
        let days = Int64((Double(seconds) / 86_400).rounded(.down))
        let year = CivilDate(daysSinceEpoch: days).year
        guard let newYear = CivilDate(year: year, month: 1, day: 1) else { return (standardName, standardOffset) }
        let yearStart = newYear.daysSinceEpoch * 86_400
        let start = yearStart + Int64(Self.seconds(daylight.start, year: year) - standardOffset)
        let end = yearStart + Int64(Self.seconds(daylight.end, year: year) - daylight.offset)
        let isDaylight =
            start < end ? seconds >= start && seconds < end : seconds >= start || seconds < end
        return isDaylight ? (daylight.name, daylight.offset) : (standardName, standardOffset)
    }

    /// Seconds from the start of the year, local time.
    private static func seconds(_ change: Change, year: Int) -> Int {
        func dayOfYear(_ month: Int, _ day: Int) -> Int {
            guard let date = CivilDate(year: year, month: month, day: day),
                let newYear = CivilDate(year: year, month: 1, day: 1)
            else { return 0 }
            return Int(date.daysSinceEpoch - newYear.daysSinceEpoch)
        }
        let isLeap = CivilDate.days(inMonth: 2, year: year) == 29
        let day: Int
        switch change.day {
        case .julian(let number): day = number - 1 + (isLeap && number >= 60 ? 1 : 0)
        case .ordinal(let number): day = number
        case .month(let month, let week, let weekday):
            let first = CivilDate(year: year, month: month, day: 1)?.daysSinceEpoch ?? 0
            // 1970-01-01 was a Thursday.
            let firstWeekday = Int(((first % 7) + 7 + 4) % 7)
            var number = 1 + (weekday - firstWeekday + 7) % 7 + (week - 1) * 7
            while number > CivilDate.days(inMonth: month, year: year) { number -= 7 }
            day = dayOfYear(month, number)
        }
        return day * 86_400 + change.time
    }

    private struct Scanner {
        var rest: ArraySlice<UInt8>

        mutating func accept(_ character: StaticString) -> Bool {
            guard let first = rest.first, character.withUTF8Buffer({ $0.first == first }) else { return false }
            rest = rest.dropFirst()
            return true
        }

        mutating func name() -> String? {
            if accept("<") {
                let name = rest.prefix { $0 != UInt8(ascii: ">") }
                rest = rest.dropFirst(name.count)
                return accept(">") ? String(decoding: name, as: UTF8.self) : nil
            }
            let name = rest.prefix { !"0123456789,+-".utf8.contains($0) }
            rest = rest.dropFirst(name.count)
            return name.count < 3 ? nil : String(decoding: name, as: UTF8.self)
        }

        mutating func number(_ range: ClosedRange<Int>) -> Int? {
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            guard digits.count <= 6, let value = Int(String(decoding: digits, as: UTF8.self)), range.contains(value)
            else { return nil }
            rest = rest.dropFirst(digits.count)
            return value
        }

        mutating func offset() -> Int? {
            var sign = 1
            if accept("-") { sign = -1 } else { _ = accept("+") }
            guard let hours = number(0...167) else { return nil }
            var seconds = hours * 3600
            if accept(":") {
                guard let minutes = number(0...59) else { return nil }
                seconds += minutes * 60
                if accept(":") {
                    guard let rest = number(0...59) else { return nil }
                    seconds += rest
                }
            }
            return sign * seconds
        }

        mutating func change() -> Change? {
            let day: Change.Day
            if accept("J") {
                guard let number = number(1...365) else { return nil }
                day = .julian(number)
            } else if accept("M") {
                guard let month = number(1...12), accept("."), let week = number(1...5), accept("."),
                    let weekday = number(0...6)
                else { return nil }
                day = .month(month, week: week, day: weekday)
            } else {
                guard let number = number(0...365) else { return nil }
                day = .ordinal(number)
            }
            guard accept("/") else { return Change(day: day, time: 7200) }
            guard let time = offset() else { return nil }
            return Change(day: day, time: time)
        }
    }
}
