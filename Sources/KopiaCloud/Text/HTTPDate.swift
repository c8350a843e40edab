package import GoFormats

/// The date form of HTTP header fields, always in GMT and whole seconds: `Tue, 15 Nov 1994 08:12:31 GMT`.
///
/// Source: RFC 9110 §5.6.7, IMF-fixdate.
package enum HTTPDate {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    package static func format(_ time: Timestamp) -> String {
        let secondOfDay = time.seconds - dayNumber(time.seconds) * 86_400
        let date = CivilDate(daysSinceEpoch: dayNumber(time.seconds))
        // Day 0 of 1970 was a Thursday.
        let weekday = days[Int((dayNumber(time.seconds) % 7 + 7) % 7)]
        let clock = [secondOfDay / 3600, secondOfDay / 60 % 60, secondOfDay % 60].map(two).joined(separator: ":")
        return "\(weekday), \(two(Int64(date.day))) \(months[date.month - 1]) \(date.year) \(clock) GMT"
    }

    /// Nil when the text is anything else. The name of the day is not checked.
    static func parse(_ text: String) -> Timestamp? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT" || parts[5] == "UTC", parts[0].hasSuffix(","),
            let day = number(parts[1]), let month = months.firstIndex(of: String(parts[2])),
            let year = number(parts[3]),
            (1...9999).contains(year), let date = CivilDate(year: year, month: month + 1, day: day)
        else { return nil }
        let clock = parts[4].split(separator: ":", omittingEmptySubsequences: false).map(number)
        guard clock.count == 3, let hour = clock[0], let minute = clock[1], let second = clock[2], hour < 24,
            minute < 60, second <= 60
        else { return nil }
        return Timestamp(seconds: date.daysSinceEpoch * 86_400 + Int64(hour * 3600 + minute * 60 + second))
    }

    private static func dayNumber(_ seconds: Int64) -> Int64 {
        seconds / 86_400 - (seconds % 86_400 < 0 ? 1 : 0)
    }

    private static func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }

    private static func number(_ text: Substring) -> Int? {
        guard !text.isEmpty, text.utf8.count <= 4, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(text)
    }
}
