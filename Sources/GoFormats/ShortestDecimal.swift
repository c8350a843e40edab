/// The shortest decimal digits that read back as the same double, and the two ways Go prints them.
///
/// `digits` has no leading or trailing zero (except the single digit of 0); the value is `0.digits × 10^pointPosition`.
///
/// Source: Go `strconv.FormatFloat` with precision −1.
public struct ShortestDecimal: Sendable, Hashable {
    public let digits: String
    public let pointPosition: Int

    /// - Parameter magnitude: finite and not negative.
    public init(_ magnitude: Double) {
        self.init(parsing: magnitude.description)
    }

    public init(_ magnitude: Float) {
        self.init(parsing: magnitude.description)
    }

    /// Swift's `description` has the same shortest digits as Go; only its layout differs.
    private init(parsing text: String) {
        var mantissa = Substring(text)
        var exponent = 0
        if let mark = text.firstIndex(where: { $0 == "e" || $0 == "E" }) {
            mantissa = text[..<mark]
            exponent = Int(text[text.index(after: mark)...]) ?? 0
        }
        let whole = mantissa.prefix { $0 != "." }
        let fraction = mantissa.dropFirst(whole.count).dropFirst()
        let all = whole + fraction
        let leadingZeros = all.prefix { $0 == "0" }.count
        var significant = all.dropFirst(leadingZeros)
        while significant.last == "0" { significant.removeLast() }
        digits = significant.isEmpty ? "0" : String(significant)
        pointPosition = significant.isEmpty ? 1 : whole.count - leadingZeros + exponent
    }

    /// For example `1234.5`, `0.001`, `100`.
    public var plainForm: String {
        if pointPosition <= 0 { return "0." + String(repeating: "0", count: -pointPosition) + digits }
        if digits.count <= pointPosition {
            return digits + String(repeating: "0", count: pointPosition - digits.count)
        }
        let split = digits.index(digits.startIndex, offsetBy: pointPosition)
        return digits[..<split] + "." + digits[split...]
    }

    /// For example `1e+21`, `1.5e-07`.
    ///
    /// - Parameter minimumExponentDigits: 2 for `strconv` and `fmt`, 1 for `encoding/json`, which drops the zero of
    ///   `e-07` (but keeps `e+21` as it is).
    public func exponentForm(minimumExponentDigits: Int = 2) -> String {
        let exponent = pointPosition - 1
        var text = String(digits.prefix(1))
        if digits.count > 1 { text += "." + digits.dropFirst() }
        let magnitude = String(exponent.magnitude)
        let padding = String(repeating: "0", count: max(0, minimumExponentDigits - magnitude.count))
        return text + (exponent < 0 ? "e-" : "e+") + padding + magnitude
    }
}
