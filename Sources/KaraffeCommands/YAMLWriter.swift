import GoFormats

/// Writes a value as YAML for people: block style, texts of several lines as `|` blocks, quotes only where another reader
/// would take the text for something else.
enum YAMLWriter {
    static func text(_ value: JSONValue) -> String {
        var lines: [String] = []
        switch value {
        case .object(let object) where !object.isEmpty: write(object, indent: 0, to: &lines)
        case .array(let items) where !items.isEmpty: write(items, indent: 0, to: &lines)
        default: lines.append(scalar(value))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func write(_ object: JSONObject, indent: Int, to lines: inout [String]) {
        for member in object.members {
            write(member.value, after: spaces(indent) + plain(member.key) + ":", indent: indent, to: &lines)
        }
    }

    private static func write(_ items: [JSONValue], indent: Int, to lines: inout [String]) {
        for item in items {
            guard case .object(let object) = item, !object.isEmpty else {
                write(item, after: spaces(indent) + "-", indent: indent, to: &lines)
                continue
            }
            var inner: [String] = []
            write(object, indent: indent + 2, to: &inner)
            // The first line of the mapping shares its line with the dash.
            if let first = inner.first { inner[0] = spaces(indent) + "- " + first.dropFirst(indent + 2) }
            lines += inner
        }
    }

    private static func write(_ value: JSONValue, after start: String, indent: Int, to lines: inout [String]) {
        switch value {
        case .object(let object) where !object.isEmpty:
            lines.append(start)
            write(object, indent: indent + 2, to: &lines)
        case .array(let items) where !items.isEmpty:
            lines.append(start)
            write(items, indent: start.hasSuffix("-") ? indent + 2 : indent, to: &lines)
        case .string(let text):
            if let block = block(text, indent: indent + 2) {
                lines.append("\(start) \(block.header)")
                lines += block.lines
            } else {
                lines.append("\(start) \(plain(text))")
            }
        default: lines.append("\(start) \(scalar(value))")
        }
    }

    private static func spaces(_ count: Int) -> String { String(repeating: " ", count: count) }

    private static func scalar(_ value: JSONValue) -> String {
        switch value {
        case .null: return "null"
        case .bool(let flag): return flag ? "true" : "false"
        case .integer(let number): return String(number)
        case .double(let number): return GoJSON.number(number)
        case .string(let text): return plain(text)
        case .array: return "[]"
        case .object: return "{}"
        }
    }

    /// Nil for a text that has one line, or that a block could not hold exactly.
    private static func block(_ text: String, indent: Int) -> (header: String, lines: [String])? {
        let scalars = text.unicodeScalars
        let isPrintable = scalars.allSatisfy { $0 == "\n" || $0 == "\t" || ($0.value >= 0x20 && !isSpecial($0)) }
        guard isPrintable, scalars.contains("\n"), let first = scalars.first, first != " ", first != "\n" else {
            return nil
        }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var header = "|-"
        if text.hasSuffix("\n") {
            lines.removeLast()
            header = text.hasSuffix("\n\n") ? "|+" : "|"
        }
        return (header, lines.map { $0.isEmpty ? "" : spaces(indent) + $0 })
    }

    private static func isSpecial(_ scalar: Unicode.Scalar) -> Bool {
        (0x7f...0x9f).contains(scalar.value) || [0x2028, 0x2029, 0xfeff].contains(scalar.value)
    }

    /// The text as it is when YAML reads it back as this text, else in double quotes.
    static func plain(_ text: String) -> String {
        if isSafe(text) { return text }
        let isPrintable = text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !isSpecial($0) }
        if isPrintable, text.utf8.contains(UInt8(ascii: "\"")) || text.utf8.contains(UInt8(ascii: "\\")) {
            let doubled = text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''")
            return "'\(doubled)'"
        }
        return GoJSON.text(.string(text), style: .init(escapesHTML: false))
    }

    private static func isSafe(_ text: String) -> Bool {
        guard let first = text.unicodeScalars.first, let last = text.unicodeScalars.last, last != " ", last != ":"
        else {
            return false
        }
        let second = text.unicodeScalars.dropFirst().first
        if first == "-", let second, second != " ", second != "-", !("0"..."9").contains(second), second != "." {
            // `-c` is a plain scalar, `- c` is not.
        } else if first == "-", second == "-", text.unicodeScalars.count > 3 {
            // `--name` is plain, `---` starts a document.
        } else if "-?:,[]{}#&*!|>'\"%@` =".unicodeScalars.contains(first) {
            return false
        }
        let words = ["null", "~", "true", "false", "yes", "no", "on", "off", "y", "n", "null"]
        if words.contains(text.lowercased()) || looksLikeNumber(text) { return false }
        var previous: Unicode.Scalar = " "
        for scalar in text.unicodeScalars {
            if scalar.value < 0x20 || isSpecial(scalar) { return false }
            if scalar == "#", previous == " " { return false }
            if previous == ":", scalar == " " { return false }
            previous = scalar
        }
        return true
    }

    private static func looksLikeNumber(_ text: String) -> Bool {
        guard let first = text.unicodeScalars.first else { return false }
        return ("0"..."9").contains(first) || first == "." || first == "+"
    }
}
