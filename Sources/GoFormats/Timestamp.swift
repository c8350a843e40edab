#if canImport(Glibc)
    import Glibc
#endif

/// An instant with nanoseconds, in UTC. Covers the years 1 to 9999, as RFC 3339 does.
public struct Timestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Seconds since 1970-01-01T00:00:00Z; negative before.
    public let seconds: Int64
    /// 0 … 999,999,999, counted forward from `seconds`.
    public let nanoseconds: Int32

    /// - Parameter nanoseconds: carried into the seconds when outside 0 … 999,999,999.
    public init(seconds: Int64, nanoseconds: Int64 = 0) {
        let (carry, rest) = nanoseconds.flooredDivision(by: 1_000_000_000)
        self.seconds = seconds &+ carry
        self.nanoseconds = Int32(rest)
    }

    /// Nanoseconds since 1970, as kopia's UTCTimestamp counts; covers 1677 to 2262.
    public init(unixNanoseconds: Int64) {
        self.init(seconds: 0, nanoseconds: unixNanoseconds)
    }

    /// Nil outside the years 1677 to 2262.
    public var unixNanoseconds: Int64? {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow {
            // The first second of the range overflows only before its nanoseconds are added.
            let (next, over) = (seconds &+ 1).multipliedReportingOverflow(by: 1_000_000_000)
            if over { return nil }
            let (sum, sumOver) = next.addingReportingOverflow(Int64(nanoseconds) - 1_000_000_000)
            return sumOver ? nil : sum
        }
        let (sum, sumOver) = product.addingReportingOverflow(Int64(nanoseconds))
        return sumOver ? nil : sum
    }

    /// The wall clock. Code that must be tested takes a `@Sendable () -> Timestamp` instead of calling this.
    public static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
    }

    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }

    public func adding(seconds delta: Int64) -> Timestamp {
        Timestamp(seconds: seconds &+ delta, nanoseconds: Int64(nanoseconds))
    }

    /// Seconds from `earlier` to this instant.
    public func secondsSince(_ earlier: Timestamp) -> Double {
        Double(seconds &- earlier.seconds) + Double(nanoseconds - earlier.nanoseconds) / 1e9
    }

    /// Go's RFC3339Nano in UTC: `2026-01-02T03:04:05.123456789Z`, trailing zeros of the fraction dropped.
    public var description: String {
        let (days, secondOfDay) = seconds.flooredDivision(by: 86_400)
        let date = CivilDate(daysSinceEpoch: days)
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        var text = "\(date.paddedYear)-\(two(Int64(date.month)))-\(two(Int64(date.day)))"
        text += "T\(two(secondOfDay / 3600)):\(two(secondOfDay / 60 % 60)):\(two(secondOfDay % 60))"
        if nanoseconds > 0 {
            var fraction = String(nanoseconds)
            fraction = String(repeating: "0", count: 9 - fraction.count) + fraction
            while fraction.last == "0" { fraction.removeLast() }
            text += "." + fraction
        }
        return text + "Z"
    }

    /// Reads RFC 3339 with any offset and any number of fraction digits (beyond nine they are dropped). Nil when the
    /// text is anything else.
    public init?(rfc3339 text: String) {
        let bytes = Array(text.utf8)
        var position = 0
        func digits(_ count: Int) -> Int64? {
            guard position + count <= bytes.count else { return nil }
            var value: Int64 = 0
            for _ in 0..<count {
                let byte = bytes[position]
                guard byte >= 0x30, byte <= 0x39 else { return nil }
                value = value * 10 + Int64(byte - 0x30)
                position += 1
            }
            return value
        }
        func take(_ allowed: String) -> UInt8? {
            guard position < bytes.count, allowed.utf8.contains(bytes[position]) else { return nil }
            position += 1
            return bytes[position - 1]
        }
        guard let year = digits(4), take("-") != nil, let month = digits(2), take("-") != nil, let day = digits(2),
            take("Tt ") != nil, let hour = digits(2), take(":") != nil, let minute = digits(2), take(":") != nil,
            let second = digits(2), hour < 24, minute < 60, second < 60, year >= 1,
            let date = CivilDate(year: Int(year), month: Int(month), day: Int(day))
        else { return nil }
        var nanoseconds: Int64 = 0
        if take(".") != nil {
            var scale: Int64 = 100_000_000
            var count = 0
            while let digit = digits(1) {
                nanoseconds += digit * scale
                scale /= 10
                count += 1
            }
            guard count > 0 else { return nil }
        }
        var offset: Int64 = 0
        if take("Zz") == nil {
            guard let sign = take("+-"), let hours = digits(2), take(":") != nil, let minutes = digits(2), hours < 24,
                minutes < 60
            else { return nil }
            offset = (hours * 60 + minutes) * 60 * (sign == UInt8(ascii: "-") ? -1 : 1)
        }
        guard position == bytes.count else { return nil }
        let secondOfDay = hour * 3600 + minute * 60 + second
        self.init(seconds: date.daysSinceEpoch * 86_400 + secondOfDay - offset, nanoseconds: nanoseconds)
    }
}

/// A day of the proleptic Gregorian calendar.
///
/// Source: the days-from-civil arithmetic over 400-year eras.
public struct CivilDate: Sendable, Hashable {
    public let year: Int
    /// 1 … 12
    public let month: Int
    /// 1 … 31
    public let day: Int

    /// Nil when the month or the day does not exist.
    public init?(year: Int, month: Int, day: Int) {
        guard (1...12).contains(month), day >= 1, day <= Self.days(inMonth: month, year: year) else { return nil }
        self.year = year
        self.month = month
        self.day = day
    }

    public init(daysSinceEpoch days: Int64) {
        let (era, dayOfEra) = (days + 719_468).flooredDivision(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * shifted + 2) / 5 + 1)
        month = Int(shifted < 10 ? shifted + 3 : shifted - 9)
        year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
    }

    public var daysSinceEpoch: Int64 {
        let shiftedYear = Int64(month <= 2 ? year - 1 : year)
        let (era, yearOfEra) = shiftedYear.flooredDivision(by: 400)
        let shiftedMonth = Int64(month > 2 ? month - 3 : month + 9)
        let dayOfYear = (153 * shiftedMonth + 2) / 5 + Int64(day) - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    public static func days(inMonth month: Int, year: Int) -> Int {
        switch month {
        case 2: return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: return 30
        default: return 31
        }
    }

    var paddedYear: String {
        let text = String(year.magnitude)
        return (year < 0 ? "-" : "") + String(repeating: "0", count: max(0, 4 - text.count)) + text
    }
}

extension Int64 {
    /// Quotient rounded toward minus infinity, and the remainder in `0 ..< divisor`.
    ///
    /// - Parameter divisor: positive.
    func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let remainder = self % divisor
        return remainder < 0 ? (self / divisor - 1, remainder + divisor) : (self / divisor, remainder)
    }
}
