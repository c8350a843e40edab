/// Numbers from text, with Go's syntax.
///
/// Source: Go `strconv` `ParseInt`, `ParseUint`, `ParseFloat`.
enum GoNumber {
    enum Failure: Error { case syntax, range }

    /// - Parameter base: 0 reads the prefixes `0x`, `0o`, `0b`, `0` and underscores between digits.
    static func unsigned(_ text: String, base: Int) -> UInt64? { try? parseUnsigned(text, base: base) }
    static func signed(_ text: String, base: Int) -> Int64? { try? parseSigned(text, base: base) }

    /// A decimal number as `strconv.Atoi` gives it beside its error: 0 for bad syntax, the nearest end out of range.
    static func clamped(_ text: String) -> Int64 {
        do throws(Failure) {
            return try parseSigned(text, base: 10)
        } catch .range {
            return text.utf8.first == UInt8(ascii: "-") ? .min : .max
        } catch {
            return 0
        }
    }

    static func parseSigned(_ text: String, base: Int) throws(Failure) -> Int64 {
        var digits = Substring(text)
        var negative = false
        if let first = digits.first, first == "+" || first == "-" {
            negative = first == "-"
            digits = digits.dropFirst()
        }
        let magnitude = try parseUnsigned(String(digits), base: base)
        if negative {
            guard magnitude <= UInt64(1) << 63 else { throw .range }
            return Int64(truncatingIfNeeded: 0 &- magnitude)
        }
        guard let value = Int64(exactly: magnitude) else { throw .range }
        return value
    }

    static func parseUnsigned(_ text: String, base: Int) throws(Failure) -> UInt64 {
        var digits = Array(text.utf8)
        var radix = UInt64(base)
        if base == 0 {
            guard underscoresAreFine(digits) else { throw .syntax }
            radix = 10
            if digits.first == 0x30 {
                let mark = digits.count >= 3 ? digits[1] | 0x20 : 0
                switch mark {
                case UInt8(ascii: "x"): (radix, digits) = (16, Array(digits.dropFirst(2)))
                case UInt8(ascii: "o"): (radix, digits) = (8, Array(digits.dropFirst(2)))
                case UInt8(ascii: "b"): (radix, digits) = (2, Array(digits.dropFirst(2)))
                default: (radix, digits) = (8, Array(digits.dropFirst()))
                }
                if digits.isEmpty { return 0 }
            }
            digits.removeAll { $0 == 0x5f }
        }
        guard !digits.isEmpty else { throw .syntax }
        var value: UInt64 = 0
        var overflow = false
        for byte in digits {
            let digit: UInt64
            switch byte {
            case 0x30...0x39: digit = UInt64(byte - 0x30)
            case 0x61...0x7a: digit = UInt64(byte - 0x61 + 10)
            case 0x41...0x5a: digit = UInt64(byte - 0x41 + 10)
            default: throw .syntax
            }
            guard digit < radix else { throw .syntax }
            let (product, over) = value.multipliedReportingOverflow(by: radix)
            let (sum, overSum) = product.addingReportingOverflow(digit)
            overflow = overflow || over || overSum
            value = sum
        }
        if overflow { throw .range }
        return value
    }

    /// Underscores only between digits or after a base prefix.
    private static func underscoresAreFine(_ text: [UInt8]) -> Bool {
        var last: UInt8 = UInt8(ascii: "^")
        var rest = text[...]
        if let sign = rest.first, sign == 0x2b || sign == 0x2d { rest = rest.dropFirst() }
        var isHexadecimal = false
        if rest.count >= 2, rest.first == 0x30 {
            let mark = rest[rest.startIndex + 1] | 0x20
            if mark == UInt8(ascii: "b") || mark == UInt8(ascii: "o") || mark == UInt8(ascii: "x") {
                last = 0x30
                isHexadecimal = mark == UInt8(ascii: "x")
                rest = rest.dropFirst(2)
            }
        }
        for byte in rest {
            let isDigit =
                (0x30...0x39).contains(byte) || isHexadecimal && (0x61...0x66).contains(byte | 0x20)
            if isDigit {
                last = 0x30
            } else if byte == 0x5f {
                if last != 0x30 { return false }
                last = byte
            } else {
                if last == 0x5f { return false }
                last = UInt8(ascii: "!")
            }
        }
        return last != 0x5f
    }

    /// Decimal, hexadecimal (`0x1p-2`), `inf` and `nan`; nil when malformed or out of range.
    static func float(_ text: String) -> Double? { try? parseFloat(text) }

    static func parseFloat(_ text: String) throws(Failure) -> Double {
        var bytes = Array(text.utf8)
        var body = bytes[...]
        if let sign = body.first, sign == 0x2b || sign == 0x2d { body = body.dropFirst() }
        let lowered = String(decoding: body, as: UTF8.self).lowercased()
        switch lowered {
        case "inf", "infinity": return bytes.first == 0x2d ? -.infinity : .infinity
        case "nan": return .nan
        default: break
        }
        if bytes.contains(0x5f) {
            // Underscores are only allowed with a base prefix, as for base 0.
            guard lowered.hasPrefix("0x"), underscoresAreFine(bytes) else { throw .syntax }
            bytes.removeAll { $0 == 0x5f }
        }
        guard isFloatSyntax(bytes) else { throw .syntax }
        guard let value = Double(String(decoding: bytes, as: UTF8.self)) else { throw .syntax }
        guard value.isFinite else { throw .range }
        return value
    }

    private static func isFloatSyntax(_ text: [UInt8]) -> Bool {
        var rest = text[...]
        if let sign = rest.first, sign == 0x2b || sign == 0x2d { rest = rest.dropFirst() }
        let isHexadecimal = rest.count > 2 && rest.first == 0x30 && rest[rest.startIndex + 1] | 0x20 == 0x78
        if isHexadecimal { rest = rest.dropFirst(2) }
        var (digits, points) = (0, 0)
        while let byte = rest.first {
            if byte == 0x2e {
                points += 1
            } else if (0x30...0x39).contains(byte) || isHexadecimal && (0x61...0x66).contains(byte | 0x20) {
                digits += 1
            } else {
                break
            }
            rest = rest.dropFirst()
        }
        guard digits > 0, points <= 1 else { return false }
        guard let mark = rest.first else { return !isHexadecimal }
        guard mark | 0x20 == (isHexadecimal ? UInt8(ascii: "p") : UInt8(ascii: "e")) else { return false }
        rest = rest.dropFirst()
        if let sign = rest.first, sign == 0x2b || sign == 0x2d { rest = rest.dropFirst() }
        return !rest.isEmpty && rest.allSatisfy { (0x30...0x39).contains($0) }
    }
}

extension GoNumber {
    /// A number cut to the width of a kind, as `reflect`'s `SetInt` does.
    static func wrap(_ value: Int64, to kind: GoKind) -> Int64 {
        switch kind.bitWidth {
        case 8: Int64(Int8(truncatingIfNeeded: value))
        case 16: Int64(Int16(truncatingIfNeeded: value))
        case 32: Int64(Int32(truncatingIfNeeded: value))
        default: value
        }
    }

    static func wrap(_ value: UInt64, to kind: GoKind) -> UInt64 {
        switch kind.bitWidth {
        case 8: UInt64(UInt8(truncatingIfNeeded: value))
        case 16: UInt64(UInt16(truncatingIfNeeded: value))
        case 32: UInt64(UInt32(truncatingIfNeeded: value))
        default: value
        }
    }
}
