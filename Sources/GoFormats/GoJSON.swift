/// Writes JSON as Go's `encoding/json` does: no spaces, members in the order given, `<`, `>`, `&`, U+2028 and U+2029
/// escaped, numbers in Go's shortest form.
///
/// Source: Go 1.22 `encoding/json/encode.go`, `appendString` and `floatEncoder`.
public enum GoJSON {
    /// How much Go's `SetEscapeHTML` and `SetIndent` change.
    public struct Style: Sendable {
        /// Escapes `<`, `>` and `&` as `\u00xx`: Go's default.
        public var escapesHTML = true
        /// Text put once per level after each line break; nil writes one line.
        public var indent: String?
        /// Go's `Encoder` ends with a line break; `Marshal` does not.
        public var endsWithNewline = false

        public init(escapesHTML: Bool = true, indent: String? = nil, endsWithNewline: Bool = false) {
            self.escapesHTML = escapesHTML
            self.indent = indent
            self.endsWithNewline = endsWithNewline
        }

        /// What `json.Marshal` writes.
        public static let marshal = Style()
        /// What `json.NewEncoder(w).Encode` writes.
        public static let encoder = Style(endsWithNewline: true)
    }

    public static func encode(_ value: JSONValue, style: Style = .marshal) -> [UInt8] {
        var writer = Writer(style: style)
        writer.write(value, depth: 0)
        if style.endsWithNewline { writer.bytes.append(UInt8(ascii: "\n")) }
        return writer.bytes
    }

    public static func text(_ value: JSONValue, style: Style = .marshal) -> String {
        String(decoding: encode(value, style: style), as: UTF8.self)
    }

    /// A double as Go's encoder prints it: shortest digits that round-trip, exponent form below 1e-6 and from 1e21 on.
    /// NaN and infinities, which Go refuses, are written as `null`.
    public static func number(_ value: Double) -> String {
        guard value.isFinite else { return "null" }
        if value == 0 { return value.sign == .minus ? "-0" : "0" }
        let magnitude = value.magnitude
        let parts = ShortestDecimal(magnitude)
        let sign = value < 0 ? "-" : ""
        if magnitude < 1e-6 || magnitude >= 1e21 { return sign + parts.exponentForm(minimumExponentDigits: 1) }
        return sign + parts.plainForm
    }

    private struct Writer {
        let style: Style
        var bytes: [UInt8] = []

        mutating func write(_ value: JSONValue, depth: Int) {
            switch value {
            case .null: bytes.append(contentsOf: "null".utf8)
            case .bool(let flag): bytes.append(contentsOf: (flag ? "true" : "false").utf8)
            case .integer(let number): bytes.append(contentsOf: String(number).utf8)
            case .double(let number): bytes.append(contentsOf: GoJSON.number(number).utf8)
            case .string(let text): write(text)
            case .array(let items):
                write(open: "[", close: "]", count: items.count, depth: depth) { writer, position in
                    writer.write(items[position], depth: depth + 1)
                }
            case .object(let object):
                let members = object.members
                write(open: "{", close: "}", count: members.count, depth: depth) { writer, position in
                    writer.write(members[position].key)
                    writer.bytes.append(UInt8(ascii: ":"))
                    if writer.style.indent != nil { writer.bytes.append(UInt8(ascii: " ")) }
                    writer.write(members[position].value, depth: depth + 1)
                }
            }
        }

        private mutating func write(
            open: String, close: String, count: Int, depth: Int, element: (inout Writer, Int) -> Void
        ) {
            bytes.append(contentsOf: open.utf8)
            for position in 0..<count {
                if position > 0 { bytes.append(UInt8(ascii: ",")) }
                breakLine(depth: depth + 1)
                element(&self, position)
            }
            if count > 0 { breakLine(depth: depth) }
            bytes.append(contentsOf: close.utf8)
        }

        private mutating func breakLine(depth: Int) {
            guard let indent = style.indent else { return }
            bytes.append(UInt8(ascii: "\n"))
            for _ in 0..<depth { bytes.append(contentsOf: indent.utf8) }
        }

        private mutating func write(_ text: String) {
            bytes.append(UInt8(ascii: "\""))
            for scalar in text.unicodeScalars {
                switch scalar {
                case "\"": bytes.append(contentsOf: #"\""#.utf8)
                case "\\": bytes.append(contentsOf: #"\\"#.utf8)
                case "\n": bytes.append(contentsOf: #"\n"#.utf8)
                case "\r": bytes.append(contentsOf: #"\r"#.utf8)
                case "\t": bytes.append(contentsOf: #"\t"#.utf8)
                case "\u{8}": bytes.append(contentsOf: #"\b"#.utf8)
                case "\u{c}": bytes.append(contentsOf: #"\f"#.utf8)
                case "<", ">", "&":
                    if style.escapesHTML {
                        escape(scalar)
                    } else {
                        bytes.append(UInt8(truncatingIfNeeded: scalar.value))
                    }
                case "\u{2028}", "\u{2029}": escape(scalar)
                default:
                    if scalar.value < 0x20 {
                        escape(scalar)
                    } else {
                        bytes.append(contentsOf: String(scalar).utf8)
                    }
                }
            }
            bytes.append(UInt8(ascii: "\""))
        }

        private mutating func escape(_ scalar: Unicode.Scalar) {
            let hex = String(scalar.value, radix: 16)
            bytes.append(contentsOf: "\\u".utf8)
            bytes.append(contentsOf: String(repeating: "0", count: 4 - hex.count).utf8)
            bytes.append(contentsOf: hex.utf8)
        }
    }
}
