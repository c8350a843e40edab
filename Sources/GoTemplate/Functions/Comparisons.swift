/// `eq`, `ne`, `lt`, `le`, `gt`, `ge`. Numbers compare across signs, never across integers and floats.
///
/// Source: Go `text/template/funcs.go`.
enum Comparisons {
    static let functions: [TemplateFunction] = [
        comparison(
            "eq", [.reflectValue], variadic: .reflectValue, "Whether the first argument equals any of the others."
        ) {
            call throws(FunctionFailure) in try equal(call[0], call.rest(1))
        },
        comparison("ne", pair, "Whether two arguments differ.") { call throws(FunctionFailure) in
            !(try equal(call[0], [call[1]]))
        },
        comparison("lt", pair, "Whether the first argument is less.") { call throws(FunctionFailure) in
            try less(call[0], call[1])
        },
        comparison("le", pair, "Whether the first argument is less or equal.") { call throws(FunctionFailure) in
            try lessOrEqual(call[0], call[1])
        },
        comparison("gt", pair, "Whether the first argument is greater.") { call throws(FunctionFailure) in
            !(try lessOrEqual(call[0], call[1]))
        },
        comparison("ge", pair, "Whether the first argument is greater or equal.") { call throws(FunctionFailure) in
            !(try less(call[0], call[1]))
        },
    ]

    private static let pair = [GoType.reflectValue, .reflectValue]

    /// A comparison with a value that is only known at run time is false, whichever it is.
    private static func comparison(
        _ name: String, _ parameters: [GoType], variadic: GoType? = nil, _ summary: String,
        _ test: @escaping @Sendable (FunctionCall) throws(FunctionFailure) -> Bool
    ) -> TemplateFunction {
        Builtins.builtin(
            name, parameters, variadic: variadic, result: "bool", summary, placeholders: .handle
        ) { call throws(FunctionFailure) in
            call.arguments.contains(where: \.isPlaceholder) ? .bool(false) : .bool(try test(call))
        }
    }

    private enum Kind { case none, bool, complex, int, float, string, uint }

    private static func kind(_ value: GoValue) -> Kind {
        switch value.kind {
        case .bool: .bool
        case .string: .string
        case let kind where kind.isSigned: .int
        case let kind where kind.isUnsigned: .uint
        case let kind where kind.isFloat: .float
        case let kind where kind.isComplex: .complex
        default: .none
        }
    }

    private static func incompatible(_ left: GoValue, _ right: GoValue) -> FunctionFailure {
        FunctionFailure("incompatible types for comparison: \(left.type) and \(right.type)")
    }

    static func equal(_ left: GoValue, _ others: [GoValue]) throws(FunctionFailure) -> Bool {
        let left = left.unboxed
        guard !others.isEmpty else { throw FunctionFailure("missing argument for comparison") }
        for other in others where try equal(left, to: other.unboxed) { return true }
        return false
    }

    private static func equal(_ left: GoValue, to right: GoValue) throws(FunctionFailure) -> Bool {
        let (leftKind, rightKind) = (kind(left), kind(right))
        guard leftKind == rightKind else {
            switch (left.storage, right.storage) {
            case (.signed(let signed), .unsigned(let unsigned)), (.unsigned(let unsigned), .signed(let signed)):
                return signed >= 0 && UInt64(signed) == unsigned
            default:
                if left.isValid && right.isValid { throw incompatible(left, right) }
                return false
            }
        }
        switch (left.storage, right.storage) {
        case (.bool(let a), .bool(let b)): return a == b
        case (.signed(let a), .signed(let b)): return a == b
        case (.unsigned(let a), .unsigned(let b)): return a == b
        case (.float(let a), .float(let b)): return a == b
        case (.complex(let a, let b), .complex(let c, let d)): return a == c && b == d
        case (.string(let a), .string(let b)): return a == b
        default: return try equalComposite(left, right)
        }
    }

    private static func equalComposite(_ left: GoValue, _ right: GoValue) throws(FunctionFailure) -> Bool {
        guard left.kind == right.kind || !left.isValid || !right.isValid else {
            throw FunctionFailure(
                "non-comparable types \(shown(left)): \(left.type), \(right.type): \(Formatter.text(right))")
        }
        if left.isNil || right.isNil { return left.isNil == right.isNil }
        guard isComparable(right.type) else {
            throw FunctionFailure("non-comparable type \(shown(right)): \(right.type)")
        }
        return left.type == right.type && DeepEqual.equal(left, right)
    }

    /// As `%s` shows it, which numbers inside do not fit.
    private static func shown(_ value: GoValue) -> String {
        var formatter = Formatter(limit: 4096)
        formatter.format("%s", [value])
        return String(decoding: formatter.output, as: UTF8.self)
    }

    private static func isComparable(_ type: GoType) -> Bool {
        switch type.underlying {
        case .slice, .map, .function: false
        case .array(_, let element): isComparable(element)
        case .structure(let shape): shape.fields.allSatisfy { isComparable($0.type) }
        default: true
        }
    }

    static func less(_ left: GoValue, _ right: GoValue) throws(FunctionFailure) -> Bool {
        let (left, right) = (left.unboxed, right.unboxed)
        let (leftKind, rightKind) = (kind(left), kind(right))
        guard leftKind != .none, rightKind != .none else { throw FunctionFailure("invalid type for comparison") }
        switch (left.storage, right.storage) {
        case (.signed(let a), .unsigned(let b)): return a < 0 || UInt64(a) < b
        case (.unsigned(let a), .signed(let b)): return b >= 0 && a < UInt64(b)
        case (.signed(let a), .signed(let b)): return a < b
        case (.unsigned(let a), .unsigned(let b)): return a < b
        case (.float(let a), .float(let b)): return a < b
        case (.string(let a), .string(let b)): return a < b
        default:
            if leftKind == rightKind { throw FunctionFailure("invalid type for comparison") }
            throw incompatible(left, right)
        }
    }

    private static func lessOrEqual(_ left: GoValue, _ right: GoValue) throws(FunctionFailure) -> Bool {
        if try less(left, right) { return true }
        return try equal(left, [right])
    }
}
