/// The functions of `text/template` itself, comparisons aside.
///
/// Source: Go `text/template/funcs.go`.
enum Builtins {
    static func builtin(
        _ name: String, _ parameters: [GoType], variadic: GoType? = nil, result: String, _ summary: String,
        placeholders: TemplateFunction.Placeholders = .derive, body: @escaping TemplateFunction.Body
    ) -> TemplateFunction {
        TemplateFunction(
            name, parameters, variadic: variadic, result: result, summary, placeholders: placeholders, isBuiltin: true,
            body: body)
    }

    static let functions: [TemplateFunction] = [
        builtin(
            "and", [.reflectValue], variadic: .reflectValue, result: "reflect.Value",
            "The first argument that is false, or the last; evaluates no further than that.", placeholders: .handle
        ) { call in call[call.count - 1] },
        builtin(
            "or", [.reflectValue], variadic: .reflectValue, result: "reflect.Value",
            "The first argument that is true, or the last; evaluates no further than that.", placeholders: .handle
        ) { call in call[call.count - 1] },
        builtin(
            "not", [.reflectValue], result: "bool", "Whether the argument is false, 0, nil or empty.",
            placeholders: .handle
        ) { call in .bool(!call[0].unboxed.isTrue) },
        builtin(
            "call", [.reflectValue], variadic: .reflectValue, result: "reflect.Value",
            "Calls a function value; nothing in Kanister's parameters is one."
        ) { call throws(FunctionFailure) in
            let function = call[0].unboxed
            guard function.isValid else { throw FunctionFailure("call of nil") }
            throw FunctionFailure("non-function of type \(function.type)")
        },
        builtin(
            "len", [.reflectValue], result: "int",
            "Length of a string in bytes, or of a list or map."
        ) { call throws(FunctionFailure) in
            guard call[0].isValid else { throw FunctionFailure("reflect: call of reflect.Value.Type on zero Value") }
            let (value, isNil) = call[0].indirect
            if isNil { throw FunctionFailure("len of nil pointer") }
            guard let length = value.length else { throw FunctionFailure("len of type \(value.type)") }
            return .int(length)
        },
        builtin(
            "index", [.reflectValue], variadic: .reflectValue, result: "reflect.Value",
            "The element of a list at an index or of a map at a key; a missing key gives the zero value, not an error.",
            placeholders: .handle
        ) { call throws(FunctionFailure) in try index(call) },
        builtin(
            "slice", [.reflectValue], variadic: .reflectValue, result: "reflect.Value",
            "Part of a string or list, from one index up to another."
        ) { call throws(FunctionFailure) in try slice(call) },
        builtin(
            "print", [], variadic: .interface, result: "string",
            "The arguments as text, spaces between those that are not strings.", placeholders: .handle
        ) { call throws(FunctionFailure) in
            .string(try Formatter.text(call.arguments, limit: call.options.limits.bytes))
        },
        builtin(
            "println", [], variadic: .interface, result: "string",
            "The arguments as text with spaces between them and a line break at the end.", placeholders: .handle
        ) { call throws(FunctionFailure) in
            var formatter = Formatter(limit: call.options.limits.bytes)
            formatter.printLine(call.arguments)
            return .string(try formatter.result())
        },
        builtin(
            "printf", [.string], variadic: .interface, result: "string",
            "The arguments laid out by a format string with Go's verbs.", placeholders: .handle
        ) { call throws(FunctionFailure) in
            if call[0].isPlaceholder { return call[0].derived(" | printf") }
            var formatter = Formatter(limit: call.options.limits.bytes)
            formatter.format(call.string(0).bytes, call.rest(1))
            return .string(try formatter.result())
        },
        builtin(
            "html", [], variadic: .interface, result: "string", "Text with `<`, `>`, `&` and quotes escaped for HTML.",
            placeholders: .text
        ) { call throws(FunctionFailure) in .string(Escaping.html(try text(call))) },
        builtin(
            "js", [], variadic: .interface, result: "string", "Text escaped for a JavaScript string.",
            placeholders: .text
        ) { call throws(FunctionFailure) in .string(Escaping.javaScript(try text(call))) },
        builtin(
            "urlquery", [], variadic: .interface, result: "string", "Text escaped for the query of a URL.",
            placeholders: .text
        ) { call throws(FunctionFailure) in .string(Escaping.query(try text(call))) },
    ]

    /// The arguments as the template would print them.
    private static func text(_ call: FunctionCall) throws(FunctionFailure) -> GoString {
        if call.count == 1, let text = call[0].stringValue, call[0].type == .string { return text }
        let values = call.arguments.map { Formatter.printable($0) ?? $0 }
        return try Formatter.text(values, limit: call.options.limits.bytes)
    }

    // MARK: - index and slice

    private static func index(_ call: FunctionCall) throws(FunctionFailure) -> GoValue {
        var item = call[0].unboxed
        guard item.isValid else { throw FunctionFailure("index of untyped nil") }
        for key in call.rest(1) {
            let key = key.unboxed
            let (target, isNil) = item.indirect
            if target.isPlaceholder {
                let step = key.stringValue.map { ".\($0)" } ?? "[\(Formatter.text(key))]"
                item = target.derived(step)
                continue
            }
            if isNil { throw FunctionFailure("index of nil pointer") }
            if key.isPlaceholder {
                item = key.derived(" | index")
                continue
            }
            item = try element(of: target, at: key)
        }
        return item
    }

    private static func element(of item: GoValue, at key: GoValue) throws(FunctionFailure) -> GoValue {
        switch item.type.underlying {
        case .map(let keyType, let element):
            guard key.isValid else { throw FunctionFailure("value is nil; should be of type \(keyType)") }
            guard key.type == keyType, let name = key.stringValue else {
                throw FunctionFailure("value has type \(key.type); should be \(keyType)")
            }
            return (item.mapValue?[name] ?? .zero(of: element)).boxed(as: element)
        case .basic(.string):
            let bytes = item.stringValue?.bytes ?? []
            let position = try position(key, limit: bytes.count)
            guard position < bytes.count else { throw FunctionFailure("reflect: string index out of range") }
            return GoValue(.uint8, .unsigned(UInt64(bytes[position])))
        case .slice, .array:
            let items = item.elements ?? []
            let position = try position(key, limit: items.count)
            guard position < items.count else { throw FunctionFailure("reflect: slice index out of range") }
            return items[position]
        default: throw FunctionFailure("can't index item of type \(item.type)")
        }
    }

    /// An index from 0 up to and including `limit`, as Go checks it at first.
    private static func position(_ key: GoValue, limit: Int) throws(FunctionFailure) -> Int {
        guard key.isValid else { throw FunctionFailure("cannot index slice/array with nil") }
        let number: Int64
        switch key.storage {
        case .signed(let value): number = value
        case .unsigned(let value): number = Int64(truncatingIfNeeded: value)
        default: throw FunctionFailure("cannot index slice/array with type \(key.type)")
        }
        guard number >= 0, number <= limit else { throw FunctionFailure("index out of range: \(number)") }
        return Int(number)
    }

    private static func slice(_ call: FunctionCall) throws(FunctionFailure) -> GoValue {
        guard call[0].unboxed.isValid else { throw FunctionFailure("slice of untyped nil") }
        let (item, isNil) = call[0].unboxed.indirect
        if isNil { throw FunctionFailure("slice of nil pointer") }
        let indexes = call.rest(1)
        guard indexes.count <= 3 else { throw FunctionFailure("too many slice indexes: \(indexes.count)") }
        guard let length = item.length, item.kind != .map else {
            throw FunctionFailure("can't slice item of type \(item.type)")
        }
        if item.kind == .string && indexes.count == 3 { throw FunctionFailure("cannot 3-index slice a string") }
        var bounds = [0, length, length]
        for (position, index) in indexes.enumerated() {
            bounds[position] = try self.position(index.unboxed, limit: length)
        }
        if bounds[0] > bounds[1] { throw FunctionFailure("invalid slice index: \(bounds[0]) > \(bounds[1])") }
        if indexes.count == 3 && bounds[1] > bounds[2] {
            throw FunctionFailure("invalid slice index: \(bounds[1]) > \(bounds[2])")
        }
        let range = bounds[0]..<bounds[1]
        switch item.storage {
        case .string(let text): return GoValue(item.type, .string(GoString(bytes: text.bytes[range])))
        case .bytes(let bytes): return GoValue(item.type, .bytes(Array(bytes[range])))
        case .list(let items): return GoValue(.slice(item.type.element ?? .interface), .list(Array(items[range])))
        default: return item
        }
    }
}
