/// sprig's functions on dictionaries. `set`, `unset`, `merge` and `mergeOverwrite` change the dictionary they are given.
/// Where Go's order is random (`keys`, `values`), keys are sorted here.
///
/// Source: sprig 2.22.0 `dict.go`.
enum DictionaryFunctions {
    static let functions: [TemplateFunction] =
        changing + reading + [
            merge("merge", overwrites: false, "The first dictionary, with what it lacks taken from the others."),
            merge(
                "mergeOverwrite", overwrites: true, "The first dictionary, with what the others have put in its place."),
        ]

    private static func entries(_ value: GoValue) -> [GoString: GoValue] { value.mapValue?.entries ?? [:] }
    private static func dictionary(_ entries: [GoString: GoValue]) -> GoValue {
        GoValue(.dictionary, .map(GoMap(entries)))
    }

    private static let changing: [TemplateFunction] = [
        TemplateFunction(
            "dict", [], variadic: .interface, result: "map[string]interface {}",
            "A dictionary of keys and values in turn.", placeholders: .handle
        ) { call in
            var entries: [GoString: GoValue] = [:]
            for position in stride(from: 0, to: call.count, by: 2) {
                entries[call.text(of: call[position])] = position + 1 < call.count ? call[position + 1] : .string("")
            }
            return dictionary(entries)
        },
        TemplateFunction(
            "set", [.dictionary, .string, .interface], result: "map[string]interface {}",
            "The dictionary, changed to have a value at a key.", placeholders: .handle
        ) { call throws(FunctionFailure) in
            if call[0].isPlaceholder { return call[0] }
            guard let map = call[0].mapValue else { throw FunctionFailure("assignment to entry in nil map") }
            map[call[1].isPlaceholder ? call.text(of: call[1]) : call.string(1)] = call[2]
            return call[0]
        },
        TemplateFunction(
            "unset", [.dictionary, .string], result: "map[string]interface {}",
            "The dictionary, changed to have no such key."
        ) { call in
            call[0].mapValue?[call.string(1)] = nil
            return call[0]
        },
    ]

    private static let reading: [TemplateFunction] = [
        TemplateFunction("hasKey", [.dictionary, .string], result: "bool", "Whether the dictionary has a key.") {
            call in
            .bool(call[0].mapValue?[call.string(1)] != nil)
        },
        TemplateFunction(
            "pluck", [.string], variadic: .dictionary, result: "[]interface {}",
            "The values at a key of all dictionaries that have it."
        ) { call in .list(call.rest(1).compactMap { $0.mapValue?[call.string(0)] }) },
        TemplateFunction("keys", [], variadic: .dictionary, result: "[]string", "The keys of the dictionaries, sorted.")
        {
            call in
            .slice(of: .string, call.arguments.flatMap { $0.mapValue?.sortedKeys ?? [] }.map { .string($0) })
        },
        TemplateFunction("values", [.dictionary], result: "[]interface {}", "The values, in the order of the keys.") {
            call in .list(call[0].mapValue?.sorted.map(\.value) ?? [])
        },
        TemplateFunction(
            "pick", [.dictionary], variadic: .string, result: "map[string]interface {}",
            "A dictionary of only these keys."
        ) { call in
            let wanted = Set(call.rest(1).compactMap(\.stringValue))
            return dictionary(entries(call[0]).filter { wanted.contains($0.key) })
        },
        TemplateFunction(
            "omit", [.dictionary], variadic: .string, result: "map[string]interface {}",
            "A dictionary without these keys."
        ) { call in
            let unwanted = Set(call.rest(1).compactMap(\.stringValue))
            return dictionary(entries(call[0]).filter { !unwanted.contains($0.key) })
        },
    ]

    private static func merge(_ name: String, overwrites: Bool, _ summary: String) -> TemplateFunction {
        TemplateFunction(
            name, [.dictionary], variadic: .dictionary, result: "interface {}", summary, placeholders: .handle
        ) { call throws(FunctionFailure) in
            if let known = call.firstPlaceholder { return known }
            var target = call[0]
            for source in call.rest(1) {
                if target.mapValue == nil && source.mapValue != nil { target = dictionary([:]) }
                try DictionaryMerge(overwrites: overwrites).merge(source, into: target)
            }
            return target
        }
    }
}

/// mergo's deep merge of maps.
///
/// Source: imdario/mergo 0.3.12 `merge.go`, `deepMerge`.
struct DictionaryMerge {
    let overwrites: Bool

    func merge(_ source: GoValue, into target: GoValue, depth: Int = 0) throws(FunctionFailure) {
        // A dictionary that contains itself would never end.
        guard depth < 1000, let from = source.mapValue, let to = target.mapValue else { return }
        let wasEmpty = to.count == 0
        for (key, value) in from.sorted {
            let old = to[key]
            if value.isNil && [.map, .slice, .interface, .pointer].contains(value.kind) && value.isNilInterface {
                if overwrites { try set(value, at: key, in: target) }
                continue
            }
            if value.kind == .map, let old, old.kind == .map {
                try merge(value, into: old, depth: depth + 1)
            } else if value.kind == .slice, overwrites || wasEmpty {
                try set(value, at: key, in: target)
            }
            let isEmpty = old.map(Self.isEmpty) ?? true
            if !isEmpty && (value.kind == .map || value.kind == .slice) { continue }
            if overwrites || isEmpty { try set(value, at: key, in: target) }
        }
    }

    private func set(_ value: GoValue, at key: GoString, in target: GoValue) throws(FunctionFailure) {
        if let element = target.type.element, !Evaluator.isAssignable(value.type, to: element) {
            throw FunctionFailure(
                "reflect.Value.SetMapIndex: value of type \(value.staticType) is not assignable to type \(element)")
        }
        target.mapValue?[key] = value
    }

    private static func isEmpty(_ value: GoValue) -> Bool {
        switch value.storage {
        case .none: return true
        case .pointer(let target): return isEmpty(target)
        case .fields, .time, .version, .placeholder: return false
        default: return !value.isTrue
        }
    }
}
