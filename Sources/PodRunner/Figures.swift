/// Numbers for people.
enum Figures {
    /// `812 B`, `24.1 KB`, `22.1 MB`: powers of 1000, as kopia shows them.
    static func bytes(_ count: Int64) -> String {
        guard count >= 1000 else { return "\(count) B" }
        var value = Double(count)
        var unit = ""
        for next in ["KB", "MB", "GB", "TB", "PB", "EB"] where value >= 1000 || unit.isEmpty {
            value /= 1000
            unit = next
        }
        let tenths = Int64((value * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10) \(unit)" : "\(tenths / 10).\(tenths % 10) \(unit)"
    }

    /// `1 table`, `2 tables`, `600,000 rows`.
    static func count(_ count: some BinaryInteger, _ what: String) -> String {
        var digits = String(count)
        var position = digits.index(digits.endIndex, offsetBy: -3, limitedBy: digits.startIndex)
        while let place = position, place > digits.startIndex, digits[digits.index(before: place)] != "-" {
            digits.insert(",", at: place)
            position = digits.index(place, offsetBy: -3, limitedBy: digits.startIndex)
        }
        return "\(digits) \(what)\(count == 1 ? "" : "s")"
    }

    /// `1.25s`, with two digits.
    static func seconds(_ value: Double) -> String {
        guard value.isFinite, value >= 0, value < 1e12 else { return "0.00s" }
        let hundredths = Int64((value * 100).rounded())
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)s"
    }
}
