/// Why a text is not JSON, and where.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    public let message: String
    /// Zero-based byte offset into the text.
    public let offset: Int

    public init(message: String, offset: Int) {
        self.message = message
        self.offset = offset
    }

    public var description: String { "\(message) at byte \(offset)" }
}

/// Reads JSON (RFC 8259) strictly, as Go's `encoding/json` does: one value, nothing but white space after it, no
/// comments, no trailing commas. Invalid UTF-8 and lone surrogates become U+FFFD, as in Go.
///
/// Never traps on any input; nesting and size are bounded.
public struct JSONParser {
    /// What a text may build before it is refused.
    public struct Limits: Sendable {
        /// Nested arrays and objects.
        public var depth = 512
        /// Size of the text in bytes.
        public var bytes = 256 << 20

        public init(depth: Int = 512, bytes: Int = 256 << 20) {
            self.depth = depth
            self.bytes = bytes
        }
    }

    private let bytes: [UInt8]
    private let limits: Limits
    private var position = 0

    /// - Throws: `JSONError` when the text is not exactly one JSON value or passes a limit.
    public static func parse(_ bytes: [UInt8], limits: Limits = Limits()) throws(JSONError) -> JSONValue {
        guard bytes.count <= limits.bytes else {
            throw JSONError(message: "\(bytes.count) bytes are over the limit of \(limits.bytes)", offset: 0)
        }
        var parser = JSONParser(bytes: bytes, limits: limits)
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.position == bytes.count else {
            throw JSONError(message: "unexpected text after the value", offset: parser.position)
        }
        return value
    }

    /// - Throws: `JSONError`, as for bytes.
    public static func parse(_ text: String, limits: Limits = Limits()) throws(JSONError) -> JSONValue {
        try parse(Array(text.utf8), limits: limits)
    }

    private init(bytes: [UInt8], limits: Limits) {
        self.bytes = bytes
        self.limits = limits
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { position += 1 }
    }

    private func error(_ message: String) -> JSONError { JSONError(message: message, offset: position) }

    private func unexpected(_ expected: String) -> JSONError {
        guard let byte = current else { return error("unexpected end of the text, expected \(expected)") }
        let shown = byte >= 0x20 && byte < 0x7f ? "'\(Character(Unicode.Scalar(byte)))'" : "byte \(byte)"
        return error("unexpected \(shown), expected \(expected)")
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        skipSpace()
        switch current {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ text: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
        guard bytes[position...].starts(with: text.utf8) else { throw unexpected("a value") }
        position += text.utf8.count
        return value
    }

    private mutating func enter(_ depth: Int) throws(JSONError) {
        guard depth < limits.depth else { throw error("nesting is over the limit of \(limits.depth) levels") }
        position += 1
        skipSpace()
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        try enter(depth)
        var items: [JSONValue] = []
        if current == UInt8(ascii: "]") {
            position += 1
            return .array(items)
        }
        while true {
            items.append(try value(depth: depth + 1))
            skipSpace()
            switch current {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "]"):
                position += 1
                return .array(items)
            default: throw unexpected("',' or ']'")
            }
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        try enter(depth)
        var object = JSONObject()
        if current == UInt8(ascii: "}") {
            position += 1
            return .object(object)
        }
        while true {
            skipSpace()
            guard current == UInt8(ascii: "\"") else { throw unexpected("a member name in quotes") }
            let key = try string()
            skipSpace()
            guard current == UInt8(ascii: ":") else { throw unexpected("':'") }
            position += 1
            object[key] = try value(depth: depth + 1)
            skipSpace()
            switch current {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "}"):
                position += 1
                return .object(object)
            default: throw unexpected("',' or '}'")
            }
        }
    }

    private mutating func number() throws(JSONError) -> JSONValue {
        let start = position
        var isInteger = true
        if current == UInt8(ascii: "-") { position += 1 }
        switch current {
        case UInt8(ascii: "0"): position += 1
        case let digit? where digit > 0x30 && digit <= 0x39: skipDigits()
        default: throw unexpected("a value")
        }
        if current == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            guard skipDigits() > 0 else { throw unexpected("a digit") }
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            isInteger = false
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            guard skipDigits() > 0 else { throw unexpected("a digit") }
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isInteger, let integer = Int64(text) { return .integer(integer) }
        guard let double = Double(text), double.isFinite else {
            throw JSONError(message: "number \(text.prefix(40)) is out of range", offset: start)
        }
        return .double(double)
    }

    @discardableResult
    private mutating func skipDigits() -> Int {
        let start = position
        while let byte = current, byte >= 0x30, byte <= 0x39 { position += 1 }
        return position - start
    }

    private mutating func string() throws(JSONError) -> String {
        position += 1
        var text: [UInt8] = []
        var runStart = position
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                text.append(contentsOf: bytes[runStart..<position])
                position += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                text.append(contentsOf: bytes[runStart..<position])
                try escape(into: &text)
                runStart = position
            case 0..<0x20: throw error("control character \(byte) inside a string")
            default: position += 1
            }
        }
        throw error("unexpected end of the text inside a string")
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
        position += 1
        guard let byte = current else { throw error("unexpected end of the text inside a string") }
        let simple: [UInt8: UInt8] = [
            UInt8(ascii: "\""): 0x22, UInt8(ascii: "\\"): 0x5c, UInt8(ascii: "/"): 0x2f, UInt8(ascii: "b"): 0x08,
            UInt8(ascii: "f"): 0x0c, UInt8(ascii: "n"): 0x0a, UInt8(ascii: "r"): 0x0d, UInt8(ascii: "t"): 0x09,
        ]
        if let plain = simple[byte] {
            text.append(plain)
            position += 1
            return
        }
        guard byte == UInt8(ascii: "u") else { throw unexpected("an escape") }
        position += 1
        var code = UInt32(try hexUnit())
        if (0xd800..<0xdc00).contains(code), bytes[position...].starts(with: "\\u".utf8) {
            let rewind = position
            position += 2
            let low = UInt32(try hexUnit())
            if (0xdc00..<0xe000).contains(low) {
                code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
            } else {
                position = rewind
            }
        }
        text.append(contentsOf: String(Unicode.Scalar(code) ?? "\u{fffd}").utf8)
    }

    private mutating func hexUnit() throws(JSONError) -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw unexpected("four hexadecimal digits")
            }
            value = value << 4 | UInt16(digit)
            position += 1
        }
        return value
    }
}
