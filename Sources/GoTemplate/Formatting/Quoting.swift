/// Go's quoted forms of strings and characters.
///
/// Source: `strconv` `Quote`, `QuoteToASCII`, `QuoteRune`, `Unquote`, `UnquoteChar`.
enum Quoting {
    static func quote(_ bytes: [UInt8], ascii: Bool = false) -> [UInt8] {
        var out: [UInt8] = [0x22]
        var position = 0
        while position < bytes.count {
            let (rune, width) = Runes.decode(bytes, at: position)
            if rune == Runes.replacement && width == 1 {
                out += hexEscape(bytes[position])
            } else {
                appendEscaped(rune, quote: 0x22, ascii: ascii, to: &out)
            }
            position += width
        }
        out.append(0x22)
        return out
    }

    static func quote(_ text: String) -> String { String(decoding: quote(Array(text.utf8)), as: UTF8.self) }

    static func quoteRune(_ rune: UInt32, ascii: Bool = false) -> [UInt8] {
        var out: [UInt8] = [0x27]
        let valid = Unicode.Scalar(rune) == nil ? Runes.replacement : rune
        appendEscaped(valid, quote: 0x27, ascii: ascii, to: &out)
        out.append(0x27)
        return out
    }

    /// True when the text can be written between back quotes unchanged.
    static func canBackquote(_ bytes: [UInt8]) -> Bool {
        var position = 0
        while position < bytes.count {
            let (rune, width) = Runes.decode(bytes, at: position)
            position += width
            if width > 1 {
                if rune == 0xfeff { return false }
                continue
            }
            if rune == Runes.replacement || (rune < 0x20 && rune != 0x09) || rune == 0x60 || rune == 0x7f {
                return false
            }
        }
        return true
    }

    private static func hexEscape(_ byte: UInt8) -> [UInt8] { Array("\\x".utf8) + hex(UInt32(byte), width: 2) }

    private static func hex(_ value: UInt32, width: Int) -> [UInt8] {
        let digits = String(value, radix: 16)
        return Array((String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits).utf8)
    }

    private static func appendEscaped(_ rune: UInt32, quote: UInt8, ascii: Bool, to out: inout [UInt8]) {
        if rune == UInt32(quote) || rune == 0x5c {
            out += [0x5c, UInt8(rune)]
            return
        }
        if ascii ? (rune < 0x80 && Runes.isPrint(rune)) : Runes.isPrint(rune) {
            Runes.append(rune, to: &out)
            return
        }
        switch rune {
        case 0x07: out += "\\a".utf8
        case 0x08: out += "\\b".utf8
        case 0x0c: out += "\\f".utf8
        case 0x0a: out += "\\n".utf8
        case 0x0d: out += "\\r".utf8
        case 0x09: out += "\\t".utf8
        case 0x0b: out += "\\v".utf8
        case 0..<0x20, 0x7f: out += hexEscape(UInt8(rune))
        case 0..<0x10000: out += Array("\\u".utf8) + hex(rune, width: 4)
        default: out += Array("\\U".utf8) + hex(rune, width: 8)
        }
    }

    /// The text a Go literal in double or back quotes stands for; nil when it is malformed.
    static func unquote(_ literal: [UInt8]) -> [UInt8]? {
        guard literal.count >= 2, let quote = literal.first, quote == literal.last else { return nil }
        let body = Array(literal[1..<(literal.count - 1)])
        if quote == 0x60 { return body.contains(0x60) ? nil : body.filter { $0 != 0x0d } }
        guard quote == 0x22 else { return nil }
        var out: [UInt8] = []
        var position = 0
        while position < body.count {
            if body[position] == quote || body[position] == 0x0a { return nil }
            guard let piece = unquoteCharacter(body, at: position, quote: quote) else { return nil }
            if piece.isByte {
                out.append(UInt8(truncatingIfNeeded: piece.rune))
            } else if piece.rune == Runes.replacement && piece.width == 1 {
                out.append(body[position])
            } else {
                Runes.append(piece.rune, to: &out)
            }
            position += piece.width
        }
        return out
    }

    /// One character or escape. `isByte` says that the value is a raw byte (`\x80`, `\200`), not a code point.
    static func unquoteCharacter(
        _ bytes: [UInt8], at start: Int, quote: UInt8
    ) -> (rune: UInt32, width: Int, isByte: Bool)? {
        guard start < bytes.count else { return nil }
        let first = bytes[start]
        if first == quote && (quote == 0x27 || quote == 0x22) { return nil }
        guard first == 0x5c else {
            let (rune, width) = Runes.decode(bytes, at: start)
            return (rune, width, false)
        }
        guard start + 1 < bytes.count else { return nil }
        let letter = bytes[start + 1]
        switch letter {
        case UInt8(ascii: "a"): return (7, 2, false)
        case UInt8(ascii: "b"): return (8, 2, false)
        case UInt8(ascii: "f"): return (12, 2, false)
        case UInt8(ascii: "n"): return (10, 2, false)
        case UInt8(ascii: "r"): return (13, 2, false)
        case UInt8(ascii: "t"): return (9, 2, false)
        case UInt8(ascii: "v"): return (11, 2, false)
        case UInt8(ascii: "\\"): return (0x5c, 2, false)
        case 0x27, 0x22: return letter == quote ? (UInt32(letter), 2, false) : nil
        case UInt8(ascii: "x"), UInt8(ascii: "u"), UInt8(ascii: "U"):
            let count = letter == UInt8(ascii: "x") ? 2 : letter == UInt8(ascii: "u") ? 4 : 8
            guard let value = number(bytes, from: start + 2, count: count, radix: 16) else { return nil }
            if count == 2 { return (value, 4, true) }
            guard Unicode.Scalar(value) != nil else { return nil }
            return (value, 2 + count, false)
        case 0x30...0x37:
            guard let value = number(bytes, from: start + 1, count: 3, radix: 8), value < 256 else { return nil }
            return (value, 4, true)
        default: return nil
        }
    }

    private static func number(_ bytes: [UInt8], from start: Int, count: Int, radix: Int) -> UInt32? {
        guard start + count <= bytes.count else { return nil }
        let digits = bytes[start..<(start + count)]
        guard digits.allSatisfy({ $0 != 0x2b && $0 != 0x2d }) else { return nil }
        return UInt32(String(decoding: digits, as: UTF8.self), radix: radix)
    }
}
