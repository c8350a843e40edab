/// sprig's functions for defaults, types and JSON.
///
/// Source: sprig 2.22.0 `defaults.go`, `reflect.go`.
enum DefaultFunctions {
    static let functions: [TemplateFunction] = defaults + types + json

    /// No value, nil, false, 0, or something without elements. Structs never are.
    static func isEmpty(_ value: GoValue) -> Bool {
        if value.isNilInterface { return true }
        return !value.isTrue
    }

    private static let defaults: [TemplateFunction] = [
        TemplateFunction(
            "default", [.interface], variadic: .interface, result: "interface {}",
            "The second argument, or the first when that is empty.", placeholders: .handle
        ) { call in call.count < 2 || isEmpty(call[1]) ? call[0] : call[1] },
        TemplateFunction(
            "empty", [.interface], result: "bool", "Whether the value is nil, false, 0 or without elements.",
            placeholders: .handle
        ) { .bool(isEmpty($0[0])) },
        TemplateFunction(
            "coalesce", [], variadic: .interface, result: "interface {}", "The first argument that is not empty.",
            placeholders: .handle
        ) { call in call.arguments.first { !isEmpty($0) } ?? .nil },
        TemplateFunction(
            "ternary", [.interface, .interface, .bool], result: "interface {}",
            "The first argument when the third is true, else the second.", placeholders: .handle
        ) { call in
            if call[2].isPlaceholder { return call[2].derived(" | ternary") }
            return call[2].boolValue == true ? call[0] : call[1]
        },
        TemplateFunction(
            "deepCopy", [.interface], result: "interface {}", "A copy that shares nothing with the original.",
            placeholders: .handle
        ) { call throws(FunctionFailure) in
            if call[0].isNilInterface { throw FunctionFailure("reflect: call of reflect.Value.Type on zero Value") }
            return deepCopy(call[0])
        },
    ]

    static func deepCopy(_ value: GoValue, depth: Int = 0) -> GoValue {
        guard depth < 1000 else { return value }
        switch value.storage {
        case .map(let map):
            return GoValue(value.type, .map(GoMap(map.entries.mapValues { deepCopy($0, depth: depth + 1) })))
        case .list(let items):
            return GoValue(value.type, .list(items.map { deepCopy($0, depth: depth + 1) }))
        case .fields(let items):
            return GoValue(value.type, .fields(items.map { deepCopy($0, depth: depth + 1) }))
        case .version:
            // Unexported fields are not copied, so that sprig's copy of a version is 0.0.0.
            let blank = SemanticVersion(major: 0, minor: 0, patch: 0, prerelease: "", metadata: "", original: "")
            return GoValue(value.type, .version(blank))
        case .pointer(let target): return GoValue(value.type, .pointer(deepCopy(target, depth: depth + 1)))
        default: return value
        }
    }

    // MARK: - Types

    /// What `%T` prints.
    private static func typeName(_ value: GoValue) -> String { value.isNilInterface ? "<nil>" : "\(value.type)" }
    private static func kindName(_ value: GoValue) -> String {
        value.isNilInterface ? GoKind.invalid.rawValue : value.kind.rawValue
    }

    private static let types: [TemplateFunction] = [
        TemplateFunction("typeOf", [.interface], result: "string", "The Go type of the value.") {
            .string(typeName($0[0]))
        },
        TemplateFunction("typeIs", [.string, .interface], result: "bool", "Whether the value is of a Go type.") {
            call in
            .bool(call.text(0) == typeName(call[1]))
        },
        TemplateFunction(
            "typeIsLike", [.string, .interface], result: "bool", "Whether the value is of a Go type or points to one."
        ) { call in
            let (wanted, actual) = (call.text(0), typeName(call[1]))
            return .bool(wanted == actual || "*" + wanted == actual)
        },
        TemplateFunction("kindOf", [.interface], result: "string", "The Go kind of the value.") {
            .string(kindName($0[0]))
        },
        TemplateFunction("kindIs", [.string, .interface], result: "bool", "Whether the value is of a Go kind.") {
            call in
            .bool(call.text(0) == kindName(call[1]))
        },
        TemplateFunction(
            "deepEqual", [.interface, .interface], result: "bool", "Whether two values are equal all the way down.",
            placeholders: .handle
        ) { call in
            let (left, right) = (call[0], call[1])
            if left.isPlaceholder || right.isPlaceholder { return .bool(false) }
            if left.isNilInterface || right.isNilInterface {
                return .bool(left.isNilInterface && right.isNilInterface)
            }
            return .bool(DeepEqual.equal(left, right))
        },
    ]

    // MARK: - JSON

    private static let json: [TemplateFunction] = [
        TemplateFunction(
            "toJson", [.interface], result: "string",
            "The value as JSON on one line, with `<`, `>` and `&` escaped; empty when it has no JSON form.",
            placeholders: .handle
        ) { call throws(FunctionFailure) in try encode(call, indent: nil) },
        TemplateFunction(
            "toPrettyJson", [.interface], result: "string", "The value as JSON on many lines.", placeholders: .handle
        ) { call throws(FunctionFailure) in try encode(call, indent: "  ") },
    ]

    private static func encode(_ call: FunctionCall, indent: String?) throws(FunctionFailure) -> GoValue {
        var encoder = JSONEncoding(indent: indent, limit: call.options.limits.bytes)
        encoder.write(call[0], depth: 0)
        if encoder.isOverLimit { try call.checkSize(.max) }
        return .string(GoString(bytes: encoder.failed ? [] : encoder.output))
    }
}
