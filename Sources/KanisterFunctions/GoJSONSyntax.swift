/// Finds the first syntax error of a JSON text and words it as Go's scanner does.
///
/// Memory: constant besides one byte per nesting level. Never traps.
///
/// Source: Go 1.22 `encoding/json/scanner.go`.
struct GoJSONSyntax {
    private let bytes: [UInt8]
    private var position = 0
    private static let depthLimit = 10_000

    private struct Problem: Error { let text: String }

    /// Nil when the text is one JSON value.
    static func problem(in bytes: [UInt8]) -> String? {
        var scanner = GoJSONSyntax(bytes: bytes)
        do throws(Problem) {
            try scanner.document()
            return nil
        } catch {
            return error.text
        }
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func invalid(_ context: String) -> Problem {
        guard let byte = current else { return Problem(text: "unexpected end of JSON input") }
        return Problem(text: "invalid character \(Self.quoted(byte)) \(context)")
    }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { position += 1 }
    }

    /// Containers are kept on a stack of their closing bytes, so that depth costs no recursion.
    private mutating func document() throws(Problem) {
        var closers: [UInt8] = []
        repeat {
            skipSpace()
            if let closer = try beginValue() {
                closers.append(closer)
                guard closers.count <= Self.depthLimit else { throw Problem(text: "exceeded max depth") }
                skipSpace()
                if current == closer {
                    position += 1
                    closers.removeLast()
                } else {
                    if closer == UInt8(ascii: "}") { try key() }
                    continue
                }
            }
            try afterValue(&closers)
        } while !closers.isEmpty
        skipSpace()
        if current != nil { throw invalid("after top-level value") }
    }

    private mutating func afterValue(_ closers: inout [UInt8]) throws(Problem) {
        while let closer = closers.last {
            skipSpace()
            if current == closer {
                position += 1
                closers.removeLast()
                continue
            }
            let isObject = closer == UInt8(ascii: "}")
            guard current == UInt8(ascii: ",") else {
                throw invalid(isObject ? "after object key:value pair" : "after array element")
            }
            position += 1
            if isObject {
                skipSpace()
                try key()
            }
            return
        }
    }

    private mutating func key() throws(Problem) {
        guard current == UInt8(ascii: "\"") else { throw invalid("looking for beginning of object key string") }
        try string()
        skipSpace()
        guard current == UInt8(ascii: ":") else { throw invalid("after object key") }
        position += 1
    }

    /// Reads a whole scalar, or the opening of a container and says what closes it.
    private mutating func beginValue() throws(Problem) -> UInt8? {
        switch current {
        case UInt8(ascii: "{"):
            position += 1
            return UInt8(ascii: "}")
        case UInt8(ascii: "["):
            position += 1
            return UInt8(ascii: "]")
        case UInt8(ascii: "\""): try string()
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        case UInt8(ascii: "n"): try word("null")
        case let byte? where byte == 0x2d || (0x30...0x39).contains(byte): try number()
        default: throw invalid("looking for beginning of value")
        }
        return nil
    }

    private mutating func word(_ text: String) throws(Problem) {
        for byte in text.utf8 {
            guard current == byte else {
                throw invalid("in literal \(text) (expecting \(Self.quoted(byte)))")
            }
            position += 1
        }
    }

    private mutating func number() throws(Problem) {
        if current == UInt8(ascii: "-") { position += 1 }
        if current == UInt8(ascii: "0") {
            position += 1
        } else {
            try digits("in numeric literal")
        }
        if current == UInt8(ascii: ".") {
            position += 1
            try digits("after decimal point in numeric literal")
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            try digits("in exponent of numeric literal")
        }
    }

    private mutating func digits(_ context: String) throws(Problem) {
        guard let first = current, (0x30...0x39).contains(first) else { throw invalid(context) }
        while let byte = current, (0x30...0x39).contains(byte) { position += 1 }
    }

    private mutating func string() throws(Problem) {
        position += 1
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return
            case UInt8(ascii: "\\"):
                position += 1
                try escape()
            case 0..<0x20: throw invalid("in string literal")
            default: position += 1
            }
        }
        throw invalid("")
    }

    private mutating func escape() throws(Problem) {
        switch current {
        case UInt8(ascii: "u"):
            position += 1
            for _ in 0..<4 {
                guard let byte = current, Character(Unicode.Scalar(byte)).isHexDigit, byte < 0x80 else {
                    throw invalid("in \\u hexadecimal character escape")
                }
                position += 1
            }
        case let byte? where "\"\\/bfnrt".utf8.contains(byte): position += 1
        default: throw invalid("in string escape code")
        }
    }

    private static func quoted(_ byte: UInt8) -> String {
        switch byte {
        case UInt8(ascii: "'"): return #"'\''"#
        case UInt8(ascii: "\\"): return #"'\\'"#
        case 0x0a: return #"'\n'"#
        case 0x0d: return #"'\r'"#
        case 0x09: return #"'\t'"#
        case 0x20..<0x7f, 0xa1...0xac, 0xae...0xff: return "'\(Unicode.Scalar(byte))'"
        case 0x07: return #"'\a'"#
        case 0x08: return #"'\b'"#
        case 0x0b: return #"'\v'"#
        case 0x0c: return #"'\f'"#
        default:
            let hex = String(byte, radix: 16)
            let padded = hex.count == 1 ? "0" + hex : hex
            return byte < 0x80 ? "'\\x\(padded)'" : "'\\u00\(padded)'"
        }
    }
}
