/// sprig's functions on lists. They work on any slice and give `[]interface {}`.
///
/// Source: sprig 2.22.0 `list.go`.
enum ListFunctions {
    static let functions: [TemplateFunction] = building + parts + filters + splitting

    /// The elements of a slice or array, each as what an interface would hold.
    ///
    /// - Parameter complaint: what sprig says about anything else, before the kind.
    private static func elements(_ value: GoValue, _ complaint: String) throws(FunctionFailure) -> [GoValue] {
        if value.isNilInterface { throw RuntimeError.nilDereference }
        guard let elements = value.elements else { throw FunctionFailure("\(complaint) \(value.kind.rawValue)") }
        return elements
    }

    private static func onList(
        _ name: String, _ verb: String, result: String, _ summary: String,
        _ body: @escaping @Sendable ([GoValue]) -> GoValue
    ) -> TemplateFunction {
        TemplateFunction(name, [.interface], result: result, summary) { call throws(FunctionFailure) in
            body(try elements(call[0], "Cannot \(verb) on type"))
        }
    }

    static func contains(_ list: [GoValue], _ wanted: GoValue) -> Bool {
        list.contains { item in
            if item.isNilInterface || wanted.isNilInterface { return item.isNilInterface && wanted.isNilInterface }
            return DeepEqual.equal(wanted, item)
        }
    }

    // MARK: - Building

    private static let list = TemplateFunction(
        "list", [], variadic: .interface, result: "[]interface {}", "A list of the arguments.", placeholders: .handle
    ) { call in .list(call.arguments) }

    private static let append = TemplateFunction(
        "append", [.interface, .interface], result: "[]interface {}", "The list with a value at its end.",
        placeholders: .handle
    ) { call throws(FunctionFailure) in
        if call[0].isPlaceholder { return call[0].derived(" | append") }
        return .list(try elements(call[0], "Cannot push on type") + [call[1]])
    }

    private static let building: [TemplateFunction] = [
        list,
        list.renamed("tuple"),
        append,
        append.renamed("push"),
        TemplateFunction(
            "prepend", [.interface, .interface], result: "[]interface {}", "The list with a value at its start.",
            placeholders: .handle
        ) { call throws(FunctionFailure) in
            if call[0].isPlaceholder { return call[0].derived(" | prepend") }
            return .list([call[1]] + (try elements(call[0], "Cannot prepend on type")))
        },
        TemplateFunction(
            "concat", [], variadic: .interface, result: "interface {}", "One list of the elements of all arguments."
        ) { call throws(FunctionFailure) in
            var all: [GoValue] = []
            for list in call.arguments {
                if list.isNilInterface { throw RuntimeError.nilDereference }
                guard let elements = list.elements else {
                    throw FunctionFailure("Cannot concat type \(list.kind.rawValue) as list")
                }
                try call.checkList(all.count + elements.count)
                all += elements
            }
            return all.isEmpty ? .zero(of: .list) : .list(all)
        },
    ]

    // MARK: - Parts

    private static let parts: [TemplateFunction] = [
        onList("first", "find first", result: "interface {}", "The first element; nil when there is none.") {
            $0.first ?? .nil
        },
        onList("last", "find last", result: "interface {}", "The last element; nil when there is none.") {
            $0.last ?? .nil
        },
        onList("rest", "find rest", result: "[]interface {}", "All elements but the first.") {
            $0.isEmpty ? .zero(of: .list) : .list(Array($0.dropFirst()))
        },
        onList("initial", "find initial", result: "[]interface {}", "All elements but the last.") {
            $0.isEmpty ? .zero(of: .list) : .list(Array($0.dropLast()))
        },
        onList("reverse", "find reverse", result: "[]interface {}", "The elements in reverse order.") {
            .list($0.reversed())
        },
        TemplateFunction(
            "slice", [.interface], variadic: .interface, result: "interface {}",
            "The elements from one index up to another. Takes the place of the builtin: strings cannot be cut with it."
        ) { call throws(FunctionFailure) in
            let items = try elements(call[0], "list should be type of slice or array but")
            if items.isEmpty { return .nil }
            let start = call.count > 1 ? NumberFunctions.integer(call[1]) : 0
            let end = call.count > 2 ? NumberFunctions.integer(call[2]) : Int64(items.count)
            guard start >= 0, start <= end, end <= items.count else {
                throw FunctionFailure("reflect.Value.Slice: slice index out of bounds")
            }
            let kept = Array(items[Int(start)..<Int(end)])
            let type = GoType.slice(call[0].type.element ?? .interface)
            if case .bytes(let bytes) = call[0].storage {
                return GoValue(call[0].type, .bytes(Array(bytes[Int(start)..<Int(end)])))
            }
            return GoValue(call[0].kind == .slice ? call[0].type : type, .list(kept))
        },
    ]

    // MARK: - Filters

    private static let filters: [TemplateFunction] = [
        onList("compact", "compact", result: "[]interface {}", "The elements that are not empty.") { items in
            .list(items.filter { !DefaultFunctions.isEmpty($0) })
        },
        onList("uniq", "find uniq", result: "[]interface {}", "The elements without repetitions.") { items in
            .list(items.reduce(into: []) { kept, item in if !contains(kept, item) { kept.append(item) } })
        },
        TemplateFunction(
            "without", [.interface], variadic: .interface, result: "[]interface {}",
            "The elements that are none of the further arguments."
        ) { call throws(FunctionFailure) in
            let omitted = call.rest(1)
            return .list(try elements(call[0], "Cannot find without on type").filter { !contains(omitted, $0) })
        },
        TemplateFunction("has", [.interface, .interface], result: "bool", "Whether the list has an element.") {
            call throws(FunctionFailure) in
            if call[1].isNilInterface { return .bool(false) }
            return .bool(contains(try elements(call[1], "Cannot find has on type"), call[0]))
        },
        TemplateFunction("sortAlpha", [.interface], result: "[]string", "The elements as text, sorted.") { call in
            let list = call[0].kind == .pointer ? call[0].indirect.value : call[0]
            guard !list.isNilInterface, list.elements != nil else {
                return .slice(of: .string, [.string(call.text(of: call[0]))])
            }
            return .slice(of: .string, call.texts(of: call[0]).sorted().map { .string($0) })
        },
    ]

    // MARK: - Splitting

    private static let splitting: [TemplateFunction] = [
        TemplateFunction(
            "splitList", [.string, .string], result: "[]string", "The parts of a text between separators."
        ) { call throws(FunctionFailure) in
            let parts = try parts(call, of: 1)
            return .slice(of: .string, parts.map { .string(GoString(bytes: $0)) })
        },
        TemplateFunction(
            "split", [.string, .string], result: "map[string]string", "The parts of a text as `_0`, `_1` and so on."
        ) { call throws(FunctionFailure) in numbered(try parts(call, of: 1)) },
        TemplateFunction(
            "splitn", [.string, .int, .string], result: "map[string]string",
            "At most so many parts of a text as `_0`, `_1` and so on."
        ) { call throws(FunctionFailure) in numbered(try parts(call, of: 2, limit: call.integer(1))) },
    ]

    /// The text between separators; a text that has too many is refused before it is cut.
    private static func parts(
        _ call: FunctionCall, of position: Int, limit: Int = -1
    ) throws(FunctionFailure) -> [[UInt8]] {
        let (text, separator) = (call.string(position).bytes, call.string(0).bytes)
        if separator.isEmpty {
            try call.checkList(text.count)
        } else if text.count / separator.count > 1 << 16 {
            var (count, next) = (1, 0)
            while let found = ByteText.find(separator, in: text, from: next) {
                (count, next) = (count + 1, found + separator.count)
            }
            try call.checkList(count)
        }
        return ByteText.split(text, by: separator, limit: limit)
    }

    private static func numbered(_ parts: [[UInt8]]) -> GoValue {
        var entries: [GoString: GoValue] = [:]
        for (position, part) in parts.enumerated() {
            entries[GoString("_\(position)")] = .string(GoString(bytes: part))
        }
        return GoValue(.stringMap, .map(GoMap(entries)))
    }
}
