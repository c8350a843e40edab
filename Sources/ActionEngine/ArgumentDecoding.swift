public import GoFormats

/// The rendered arguments of a phase, read the way Kanister reads them: weakly. Numbers and booleans become text and the
/// other way round, a single value becomes a list of one.
///
/// Source: Kanister `pkg/function/args.go` (mapstructure `WeakDecode`). Vectors: `argDecoding` of the conformance cases.
public struct FunctionArguments: Sendable, Hashable {
    public let values: JSONObject

    public init(_ values: JSONObject) { self.values = values }

    public subscript(_ name: String) -> JSONValue? { values[name] }

    /// Empty when absent or null.
    /// - Throws: `FunctionFailure` when the value cannot be text.
    public func text(_ name: String) throws(FunctionFailure) -> String {
        guard let value = values[name], !value.isNull else { return "" }
        guard let text = Self.text(value) else { throw Self.failure(name, value, wanted: "text") }
        return text
    }

    /// Empty when absent or null.
    /// - Throws: `FunctionFailure` when an item cannot be text.
    public func listOfText(_ name: String) throws(FunctionFailure) -> [String] {
        guard let value = values[name], !value.isNull else { return [] }
        guard case .array(let items) = value else {
            guard let text = Self.text(value) else { throw Self.failure(name, value, wanted: "a list of text") }
            return [text]
        }
        var list: [String] = []
        for (position, item) in items.enumerated() {
            guard let text = Self.text(item) else {
                throw Self.failure("\(name)[\(position)]", item, wanted: "text")
            }
            list.append(text)
        }
        return list
    }

    /// False when absent, null or empty text.
    /// - Throws: `FunctionFailure` when the value is neither a boolean nor a spelling of one.
    public func boolean(_ name: String) throws(FunctionFailure) -> Bool {
        switch values[name] {
        case nil, .null?: return false
        case .bool(let flag)?: return flag
        case .integer(let number)?: return number != 0
        case .double(let number)?: return number != 0
        case .string(let text)?:
            switch text {
            case "", "0", "f", "F", "false", "FALSE", "False": return false
            case "1", "t", "T", "true", "TRUE", "True": return true
            default: throw Self.failure(name, .string(text), wanted: "true or false")
            }
        case let other?: throw Self.failure(name, other, wanted: "true or false")
        }
    }

    /// Empty when absent or null.
    /// - Throws: `FunctionFailure` when it is not a map of values that can be text.
    public func mapOfText(_ name: String) throws(FunctionFailure) -> [(key: String, value: String)] {
        guard let value = values[name], !value.isNull else { return [] }
        guard case .object(let object) = value else { throw Self.failure(name, value, wanted: "a map") }
        var map: [(key: String, value: String)] = []
        for member in object.members {
            guard let text = Self.text(member.value) else {
                throw Self.failure("\(name).\(member.key)", member.value, wanted: "text")
            }
            map.append((member.key, text))
        }
        return map
    }

    /// Nil when absent or null.
    /// - Throws: `FunctionFailure` when it is not a map.
    public func object(_ name: String) throws(FunctionFailure) -> JSONObject? {
        guard let value = values[name], !value.isNull else { return nil }
        guard case .object(let object) = value else { throw Self.failure(name, value, wanted: "a map") }
        return object
    }

    private static func text(_ value: JSONValue) -> String? {
        switch value {
        case .string(let text): return text
        case .integer(let number): return String(number)
        case .double(let number): return GoJSON.number(number)
        case .bool(let flag): return flag ? "1" : "0"
        case .null: return ""
        case .array, .object: return nil
        }
    }

    private static func failure(_ name: String, _ value: JSONValue, wanted: String) -> FunctionFailure {
        FunctionFailure("Failed to decode arg `\(name)`: wanted \(wanted), got \(describe(value))")
    }

    private static func describe(_ value: JSONValue) -> String {
        switch value {
        case .null: return "null"
        case .bool(let flag): return "\(flag)"
        case .integer(let number): return "\(number)"
        case .double(let number): return GoJSON.number(number)
        case .string(let text): return "\"\(text)\""
        case .array(let items): return "a list of \(items.count)"
        case .object(let object): return "a map with keys \(object.keys.joined(separator: ", "))"
        }
    }
}
