/// Go's date layouts: the reference time `Mon Jan 2 15:04:05 MST 2006` written the way the date should look.
///
/// Source: Go `time/format.go`, `nextStdChunk`.
enum TimeLayout {
    enum Element: Equatable {
        case longMonth, month, numberMonth, zeroMonth
        case longWeekday, weekday
        case day, underDay, zeroDay, underYearDay, zeroYearDay
        case hour, hour12, zeroHour12, minute, zeroMinute, second, zeroSecond
        case longYear, year
        case upperPM, lowerPM
        case zoneName
        /// `Z07:00` and the like: `Z` for UTC.
        case isoZone(ZoneForm)
        /// `-0700` and the like.
        case numberZone(ZoneForm)
        /// `.000`: always so many digits. The separator is a period or a comma.
        case zeroFraction(digits: Int, separator: UInt8)
        /// `.999`: without trailing zeros.
        case fraction(digits: Int, separator: UInt8)
    }

    enum ZoneForm { case hours, plain, colon, seconds, colonSeconds }

    static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    static let weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

    /// The next element of a layout: the text before it, and where the layout goes on. Nil element at the end.
    static func next(_ layout: ArraySlice<UInt8>) -> (prefix: ArraySlice<UInt8>, Element?, rest: ArraySlice<UInt8>) {
        var position = layout.startIndex
        while position < layout.endIndex {
            if let (element, length, skipped) = element(layout[position...]) {
                let start = position + skipped
                return (layout[..<start], element, layout[(start + length)...])
            }
            position += 1
        }
        return (layout, nil, layout[layout.endIndex...])
    }

    private static let zoneForms: [(text: String, form: ZoneForm)] = [
        ("070000", .seconds), ("07:00:00", .colonSeconds), ("0700", .plain), ("07:00", .colon), ("07", .hours),
    ]

    /// The element at the start of `text`; `skipped` bytes of it are literal.
    private static func element(_ text: ArraySlice<UInt8>) -> (Element, length: Int, skipped: Int)? {
        guard let first = text.first else { return nil }
        func starts(_ prefix: String) -> Bool { text.starts(with: prefix.utf8) }
        /// `Jan` must not be the start of `January` misspelt, for example `Janet`.
        func lowerCaseFollows(_ count: Int) -> Bool {
            text.dropFirst(count).first.map { (0x61...0x7a).contains($0) } ?? false
        }
        switch first {
        case UInt8(ascii: "J"):
            if starts("January") { return (.longMonth, 7, 0) }
            if starts("Jan"), !lowerCaseFollows(3) { return (.month, 3, 0) }
        case UInt8(ascii: "M"):
            if starts("Monday") { return (.longWeekday, 6, 0) }
            if starts("Mon"), !lowerCaseFollows(3) { return (.weekday, 3, 0) }
            if starts("MST") { return (.zoneName, 3, 0) }
        case UInt8(ascii: "0"):
            let zeros: [Element] = [.zeroMonth, .zeroDay, .zeroHour12, .zeroMinute, .zeroSecond, .year]
            if let digit = text.dropFirst().first, (0x31...0x36).contains(digit) {
                return (zeros[Int(digit - 0x31)], 2, 0)
            }
            if starts("002") { return (.zeroYearDay, 3, 0) }
        case UInt8(ascii: "1"): return starts("15") ? (.hour, 2, 0) : (.numberMonth, 1, 0)
        case UInt8(ascii: "2"): return starts("2006") ? (.longYear, 4, 0) : (.day, 1, 0)
        case UInt8(ascii: "_"):
            if starts("_2006") { return (.longYear, 4, 1) }
            if starts("_2") { return (.underDay, 2, 0) }
            if starts("__2") { return (.underYearDay, 3, 0) }
        case UInt8(ascii: "3"): return (.hour12, 1, 0)
        case UInt8(ascii: "4"): return (.minute, 1, 0)
        case UInt8(ascii: "5"): return (.second, 1, 0)
        case UInt8(ascii: "P"): if starts("PM") { return (.upperPM, 2, 0) }
        case UInt8(ascii: "p"): if starts("pm") { return (.lowerPM, 2, 0) }
        case UInt8(ascii: "-"), UInt8(ascii: "Z"):
            let rest = text.dropFirst()
            if let (form, forms) = zoneForms.first(where: { rest.starts(with: $0.text.utf8) }) {
                let isISO = first == UInt8(ascii: "Z")
                return (isISO ? .isoZone(forms) : .numberZone(forms), form.utf8.count + 1, 0)
            }
        case UInt8(ascii: "."), UInt8(ascii: ","): return fraction(text, separator: first)
        default: break
        }
        return nil
    }

    private static func fraction(
        _ text: ArraySlice<UInt8>, separator: UInt8
    ) -> (Element, length: Int, skipped: Int)? {
        guard let digit = text.dropFirst().first, digit == 0x30 || digit == 0x39 else { return nil }
        let digits = text.dropFirst().prefix { $0 == digit }.count
        // More digits of another kind make it no fraction.
        if let after = text.dropFirst(1 + digits).first, (0x30...0x39).contains(after) { return nil }
        let element: Element =
            digit == 0x30
            ? .zeroFraction(digits: digits, separator: separator) : .fraction(digits: digits, separator: separator)
        return (element, digits + 1, 0)
    }
}
