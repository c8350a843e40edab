import GoFormats

/// A path of kubectl's JSONPath: `.a.b`, `['a']`, `[0]`, `[-1]`, `[*]`, `[]`, `[1:3]`, `[?(@.type == 'Ready')]`.
///
/// Not done: unions (`['a','b']`) and recursion (`..`); both are refused.
///
/// Memory: proportional to the document.
///
/// Source: Kubernetes `client-go/util/jsonpath`.
struct JSONPath {
    private enum Step {
        case key(String)
        case all
        case range(Int?, Int?)
        case index(Int)
        case filter(Filter)
    }

    private struct Filter {
        var left: Operand
        /// Empty: the left side has to be there.
        var comparison: String
        var right: Operand?
    }

    private indirect enum Operand {
        case path(JSONPath)
        case value(JSONValue)
    }

    private var steps: [Step] = []
    private let text: String

    /// - Parameter text: without the `$` or `@` it starts with.
    /// - Throws: `FunctionFailure` when it is not a path.
    init(_ text: String) throws(FunctionFailure) {
        self.text = text
        var rest = Array(text.utf8)[...]
        while let last = rest.last, last == 0x20 { rest.removeLast() }
        while let first = rest.first {
            switch first {
            case UInt8(ascii: "."): steps += try Self.field(&rest, text)
            case UInt8(ascii: "["): steps.append(try Self.bracket(&rest, text))
            default:
                throw Self.failure(text, "'\(String(decoding: rest, as: UTF8.self))' is neither .field nor [index]")
            }
        }
    }

    private static func failure(_ path: String, _ reason: String) -> FunctionFailure {
        FunctionFailure(
            "'\(path)' is not a JSONPath: \(reason)",
            hint: "for example .status.conditions[?(@.type == 'Ready')].status")
    }

    private static func field(_ rest: inout ArraySlice<UInt8>, _ path: String) throws(FunctionFailure) -> [Step] {
        rest = rest.dropFirst()
        if rest.first == UInt8(ascii: ".") { throw failure(path, "recursion with '..' is not supported") }
        if rest.first == UInt8(ascii: "*") {
            rest = rest.dropFirst()
            return [.all]
        }
        var name: [UInt8] = []
        while let byte = rest.first, byte != UInt8(ascii: "."), byte != UInt8(ascii: "["), byte != 0x20 {
            rest = rest.dropFirst()
            // A dot that belongs to the name is escaped.
            if byte == UInt8(ascii: "\\"), let next = rest.first {
                name.append(next)
                rest = rest.dropFirst()
            } else {
                name.append(byte)
            }
        }
        // `$.` alone and `.[` are the object itself.
        return name.isEmpty ? [] : [.key(String(decoding: name, as: UTF8.self))]
    }

    private static func bracket(_ rest: inout ArraySlice<UInt8>, _ path: String) throws(FunctionFailure) -> Step {
        var depth = 0
        var quote: UInt8?
        var end: Int?
        for (offset, byte) in zip(rest.indices, rest) {
            if let open = quote {
                if byte == open { quote = nil }
            } else if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
                quote = byte
            } else if byte == UInt8(ascii: "[") {
                depth += 1
            } else if byte == UInt8(ascii: "]") {
                depth -= 1
                if depth == 0 {
                    end = offset
                    break
                }
            }
        }
        guard let end else { throw failure(path, "a '[' is not closed") }
        let inner = trimmed(String(decoding: rest[(rest.startIndex + 1)..<end], as: UTF8.self))
        rest = rest[(end + 1)...]
        // `[]` is a slice without bounds.
        if inner == "*" || inner.isEmpty { return .all }
        if inner.hasPrefix("?("), inner.hasSuffix(")") {
            return .filter(try filter(String(inner.dropFirst(2).dropLast()), path))
        }
        if let name = quoted(inner) { return .key(name) }
        if let index = Int(inner) { return .index(index) }
        let parts = inner.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, parts.allSatisfy({ $0.isEmpty || Int($0) != nil }) else {
            throw failure(path, "'[\(inner)]' is not supported")
        }
        return .range(Int(parts[0]), Int(parts[1]))
    }

    private static func filter(_ text: String, _ path: String) throws(FunctionFailure) -> Filter {
        var quote: Character?
        var position = text.startIndex
        while position < text.endIndex {
            let character = text[position]
            if let open = quote {
                if character == open { quote = nil }
            } else if character == "'" || character == "\"" {
                quote = character
            } else if let comparison = ["==", "!=", "<=", ">=", "<", ">"].first(where: {
                text[position...].hasPrefix($0)
            }) {
                let right = text[text.index(position, offsetBy: comparison.count)...]
                return Filter(
                    left: try operand(String(text[..<position]), path), comparison: comparison,
                    right: try operand(String(right), path))
            }
            position = text.index(after: position)
        }
        return Filter(left: try operand(text, path), comparison: "", right: nil)
    }

    private static func operand(_ text: String, _ path: String) throws(FunctionFailure) -> Operand {
        let text = trimmed(text)
        if text.hasPrefix("@") { return .path(try JSONPath(String(text.dropFirst()))) }
        if let string = quoted(text) { return .value(.string(string)) }
        if let value = try? JSONParser.parse(text) { return .value(value) }
        throw failure(path, "'\(text)' is neither @.field, nor a text in quotes, nor a number")
    }

    private static func quoted(_ text: String) -> String? {
        guard text.count >= 2, let first = text.first, first == "'" || first == "\"", text.last == first else {
            return nil
        }
        let inner = text.dropFirst().dropLast()
        return inner.contains(first) ? nil : String(inner)
    }

    private static func trimmed(_ text: String) -> String {
        String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }

    // MARK: Finding

    /// Every value the path leads to.
    ///
    /// - Throws: `FunctionFailure` in kubectl's words when a field or an item is missing.
    func find(in root: JSONValue) throws(FunctionFailure) -> [JSONValue] {
        var found = [root]
        for step in steps {
            var next: [JSONValue] = []
            for value in found { next += try Self.take(step, of: value) }
            if case .key(let name) = step, next.isEmpty { throw FunctionFailure("\(name) is not found") }
            found = next
        }
        return found
    }

    private static func take(_ step: Step, of value: JSONValue) throws(FunctionFailure) -> [JSONValue] {
        let items = value.arrayValue ?? []
        switch step {
        case .key(let name): return value[name].map { [$0] } ?? []
        case .all: return value.objectValue.map { $0.members.map(\.value) } ?? items
        case .index(let index):
            let position = index < 0 ? items.count + index : index
            guard items.indices.contains(position) else {
                throw FunctionFailure("array index out of bounds: index \(index), length \(items.count)")
            }
            return [items[position]]
        case .range(let from, let to):
            func place(_ index: Int) -> Int { min(max(index < 0 ? items.count + index : index, 0), items.count) }
            let (start, end) = (place(from ?? 0), place(to ?? items.count))
            return start < end ? Array(items[start..<end]) : []
        case .filter(let filter): return items.filter { holds(filter, for: $0) }
        }
    }

    private static func holds(_ filter: Filter, for item: JSONValue) -> Bool {
        guard let left = value(of: filter.left, item) else { return false }
        guard let operand = filter.right else { return true }
        guard let right = value(of: operand, item) else { return false }
        if case .string(let left) = left, case .string(let right) = right {
            return compare(left, filter.comparison, right)
        }
        if case .bool(let left) = left, case .bool(let right) = right {
            return filter.comparison == "==" ? left == right : filter.comparison == "!=" ? left != right : false
        }
        guard let left = number(left), let right = number(right) else { return filter.comparison == "!=" }
        return compare(left, filter.comparison, right)
    }

    private static func value(of operand: Operand, _ item: JSONValue) -> JSONValue? {
        switch operand {
        case .value(let value): return value
        case .path(let path): return (try? path.find(in: item))?.first
        }
    }

    private static func number(_ value: JSONValue) -> Double? {
        switch value {
        case .integer(let number): return Double(number)
        case .double(let number): return number
        default: return nil
        }
    }

    private static func compare<Value: Comparable>(_ left: Value, _ comparison: String, _ right: Value) -> Bool {
        switch comparison {
        case "==": return left == right
        case "!=": return left != right
        case "<": return left < right
        case "<=": return left <= right
        case ">": return left > right
        default: return left >= right
        }
    }

    /// As kubectl prints what it found: texts as they are, everything else as JSON, separated by spaces.
    static func text(_ values: [JSONValue]) -> String {
        values.map { $0.stringValue ?? GoJSON.text($0) }.joined(separator: " ")
    }
}
