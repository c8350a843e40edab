/// A `time.Duration`: nanoseconds.
///
/// Source: Go `time/time.go`, `Duration.String`; `time/format.go`, `ParseDuration`.
package enum GoDuration {
    static let type = GoType.named("time.Duration", .int64)

    /// For example `1h30m0s`, `1.5µs`.
    package static func text(_ nanoseconds: Int64) -> String {
        let magnitude = nanoseconds.magnitude
        let sign = nanoseconds < 0 ? "-" : ""
        if magnitude == 0 { return "0s" }
        switch magnitude {
        case ..<1_000: return "\(sign)\(magnitude)ns"
        case ..<1_000_000: return sign + decimal(magnitude, 3) + "µs"
        case ..<1_000_000_000: return sign + decimal(magnitude, 6) + "ms"
        default: break
        }
        let seconds = magnitude / 1_000_000_000
        var text = decimal(seconds % 60 * 1_000_000_000 + magnitude % 1_000_000_000, 9) + "s"
        if seconds >= 60 { text = "\(seconds / 60 % 60)m" + text }
        if seconds >= 3600 { text = "\(seconds / 3600)h" + text }
        return sign + text
    }

    /// A number with `places` decimal places, trailing zeros dropped.
    private static func decimal(_ value: UInt64, _ places: Int) -> String {
        let scale = (0..<places).reduce(UInt64(1)) { scale, _ in scale * 10 }
        var fraction = String(value % scale)
        fraction = String(repeating: "0", count: places - fraction.utf8.count) + fraction
        while fraction.last == "0" { fraction.removeLast() }
        return "\(value / scale)" + (fraction.isEmpty ? "" : "." + fraction)
    }

    private static let units: [(name: String, nanoseconds: UInt64)] = [
        ("ns", 1), ("us", 1_000), ("µs", 1_000), ("μs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000),
        ("m", 60_000_000_000), ("h", 3_600_000_000_000),
    ]

    /// Nil when the text is no duration.
    package static func parse(_ text: String) -> Int64? {
        var rest = Array(text.utf8)[...]
        let isNegative = rest.first == 0x2d
        if isNegative || rest.first == 0x2b { rest = rest.dropFirst() }
        if rest.elementsEqual([0x30]) { return 0 }
        guard !rest.isEmpty else { return nil }
        let most = UInt64(1) << 63
        var total: UInt64 = 0
        while !rest.isEmpty {
            guard let part = component(&rest) else { return nil }
            let (sum, overflow) = total.addingReportingOverflow(part)
            guard !overflow, sum <= most else { return nil }
            total = sum
        }
        if isNegative { return Int64(truncatingIfNeeded: 0 &- total) }
        return Int64(exactly: total)
    }

    private static func component(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
        let isDigit: (UInt8) -> Bool = { (0x30...0x39).contains($0) }
        let most = UInt64(1) << 63
        let whole = rest.prefix(while: isDigit)
        rest = rest.dropFirst(whole.count)
        var fraction = ArraySlice<UInt8>()
        if rest.first == 0x2e {
            rest = rest.dropFirst()
            fraction = rest.prefix(while: isDigit)
            rest = rest.dropFirst(fraction.count)
        }
        guard !whole.isEmpty || !fraction.isEmpty else { return nil }
        let name = String(decoding: rest.prefix { $0 != 0x2e && !isDigit($0) }, as: UTF8.self)
        rest = rest.dropFirst(name.utf8.count)
        guard let unit = units.first(where: { $0.name.utf8.elementsEqual(name.utf8) })?.nanoseconds else { return nil }
        guard let number = whole.isEmpty ? 0 : UInt64(String(decoding: whole, as: UTF8.self)), number <= most / unit
        else { return nil }
        var (digits, scale): (UInt64, Double) = (0, 1)
        for digit in fraction {
            // Digits past what fits are dropped.
            guard digits <= (most - 1) / 10 else { break }
            let next = digits * 10 + UInt64(digit - 0x30)
            guard next <= most else { break }
            digits = next
            scale *= 10
        }
        let value = number * unit + UInt64(Double(digits) * (Double(unit) / scale))
        return value <= most ? value : nil
    }

    /// Rounded to a multiple of `unit`, halves away from 0.
    static func rounded(_ value: Int64, to unit: Int64) -> Int64 {
        guard unit > 0 else { return value }
        let rest = value % unit
        let (away, overflow) =
            rest.magnitude * 2 < UInt64(unit)
            ? (value - rest, false)
            : value < 0
                ? (value - rest).subtractingReportingOverflow(unit) : (value - rest).addingReportingOverflow(unit)
        return overflow ? (value < 0 ? .min : .max) : away
    }
}
