internal import GoFormats

#if canImport(Glibc)
    import Glibc
#endif

/// Floats as text, as `strconv.FormatFloat` writes them.
enum FloatText {
    /// - Parameters:
    ///   - verb: `e`, `E`, `f`, `g`, `G`, `x`, `X` or `b`.
    ///   - precision: −1 for the shortest digits that read back as the same value.
    ///   - bits: 32 or 64.
    /// - Returns: with a sign only when negative; `+Inf`, `-Inf`, `NaN`.
    static func format(_ value: Double, verb: UInt8, precision: Int, bits: Int) -> [UInt8] {
        if value.isNaN { return Array("NaN".utf8) }
        if value.isInfinite { return Array((value < 0 ? "-Inf" : "+Inf").utf8) }
        let sign: [UInt8] = value.sign == .minus ? [UInt8(ascii: "-")] : []
        let magnitude = value.magnitude
        switch verb {
        case UInt8(ascii: "b"): return sign + binary(magnitude, bits: bits)
        case UInt8(ascii: "x"), UInt8(ascii: "X"):
            let text = hexadecimal(magnitude, precision: precision, bits: bits)
            return sign + Array((verb == UInt8(ascii: "X") ? text.uppercased() : text).utf8)
        default: break
        }
        let text =
            precision < 0
            ? shortest(magnitude, verb: verb, bits: bits) : fixed(magnitude, verb: verb, precision: precision)
        return sign + Array(text.utf8)
    }

    static func shortest(_ value: Double) -> String {
        String(decoding: format(value, verb: UInt8(ascii: "g"), precision: -1, bits: 64), as: UTF8.self)
    }

    private static func shortest(_ magnitude: Double, verb: UInt8, bits: Int) -> String {
        let digits = bits == 32 ? ShortestDecimal(Float(magnitude)) : ShortestDecimal(magnitude)
        let exponent = magnitude == 0 ? 0 : digits.pointPosition - 1
        switch verb {
        case UInt8(ascii: "f"): return digits.plainForm
        case UInt8(ascii: "e"): return magnitude == 0 ? "0e+00" : digits.exponentForm()
        case UInt8(ascii: "E"): return magnitude == 0 ? "0E+00" : digits.exponentForm().uppercased()
        default:
            // The shortest form is decided as if for a precision of 6: Go prints 1e+06, not 1000000.
            guard exponent < -4 || exponent >= 6 else { return digits.plainForm }
            let text = digits.exponentForm()
            return verb == UInt8(ascii: "G") ? text.uppercased() : text
        }
    }

    private static func fixed(_ magnitude: Double, verb: UInt8, precision: Int) -> String {
        let letter = String(UnicodeScalar(verb))
        // 1e308 has 309 digits; a precision is at most a million.
        var buffer = [CChar](repeating: 0, count: max(0, precision) + 400)
        let count = withVaList([CInt(clamping: precision), magnitude]) {
            vsnprintf(&buffer, buffer.count, "%.*\(letter)", $0)
        }
        return String(decoding: buffer.prefix(max(0, Int(count))).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Mantissa and binary exponent: `4503599627370496p-52`.
    private static func binary(_ magnitude: Double, bits: Int) -> [UInt8] {
        let mantissa: UInt64
        var exponent: Int
        if bits == 32 {
            let value = Float(magnitude)
            let isNormal = value.exponentBitPattern != 0
            mantissa = UInt64(value.significandBitPattern) | (isNormal ? 1 << 23 : 0)
            exponent = Int(isNormal ? value.exponentBitPattern : 1) - 127 - 23
        } else {
            let isNormal = magnitude.exponentBitPattern != 0
            mantissa = magnitude.significandBitPattern | (isNormal ? 1 << 52 : 0)
            exponent = Int(isNormal ? magnitude.exponentBitPattern : 1) - 1023 - 52
        }
        return Array("\(mantissa)p\(exponent >= 0 ? "+" : "")\(exponent)".utf8)
    }

    /// `0x1.8p+01`: at least two digits of exponent.
    private static func hexadecimal(_ magnitude: Double, precision: Int, bits: Int) -> String {
        guard magnitude != 0 else {
            return "0x0" + (precision > 0 ? "." + String(repeating: "0", count: precision) : "") + "p+00"
        }
        var exponent = Int(magnitude.exponent)
        var fraction = magnitude.significand.significandBitPattern
        var whole: UInt64 = 1
        if precision >= 0 && precision < 13 {
            // Round to even at the digit.
            let drop = UInt64(52 - 4 * precision)
            let full = fraction | 1 << 52
            let kept = full >> drop
            let rest = full & (1 << drop - 1)
            let half = UInt64(1) << (drop - 1)
            let rounded = kept + (rest > half || (rest == half && kept & 1 == 1) ? 1 : 0)
            let shifted = rounded << drop
            whole = shifted >> 52
            fraction = shifted & (1 << 52 - 1)
            if whole == 2 {
                whole = 1
                exponent += 1
                fraction = 0
            }
        }
        var digits = String(fraction, radix: 16)
        digits = String(repeating: "0", count: 13 - digits.utf8.count) + digits
        if precision < 0 {
            while digits.last == "0" { digits.removeLast() }
        } else if precision <= 13 {
            digits = String(digits.prefix(precision))
        } else {
            digits += String(repeating: "0", count: precision - 13)
        }
        let size = String(exponent.magnitude)
        let padded = size.utf8.count < 2 ? "0" + size : size
        return "0x\(whole)\(digits.isEmpty ? "" : "." + digits)p\(exponent < 0 ? "-" : "+")\(padded)"
    }
}
