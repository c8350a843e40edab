/// What a `range` goes over.
struct Loop {
    enum Items {
        case none
        /// 0 up to, but not including, a limit, in the type of the limit.
        case count(next: Int64, limit: Int64, type: GoType)
        case list([GoValue], next: Int)
        case map([(key: GoString, value: GoValue)], next: Int, keyType: GoType)
        case once(key: GoValue, element: GoValue)
    }

    enum Outcome {
        case success(Items)
        case failure(String)
    }

    let pipe: Pipeline
    /// Variables above this are dropped when the loop ends.
    let outerMark: Int
    var items: Items

    mutating func next() -> (key: GoValue, element: GoValue)? {
        switch items {
        case .none: return nil
        case .count(let next, let limit, let type):
            guard next < limit else { return nil }
            items = .count(next: next + 1, limit: limit, type: type)
            let isUnsigned = type.kind.isUnsigned
            return (.invalid, GoValue(type, isUnsigned ? .unsigned(UInt64(next)) : .signed(next)))
        case .list(let values, let next):
            guard next < values.count else { return nil }
            items = .list(values, next: next + 1)
            return (.int(next), values[next])
        case .map(let entries, let next, let keyType):
            guard next < entries.count else { return nil }
            items = .map(entries, next: next + 1, keyType: keyType)
            return (GoValue(keyType, .string(entries[next].key)), entries[next].value)
        case .once(let key, let element):
            items = .none
            return (key, element)
        }
    }

    static func items(of given: GoValue, isPair: Bool) -> Outcome {
        let (value, isNil) = given.indirect
        if value.isPlaceholder {
            return .success(.once(key: value.derived("[key]"), element: value.derived("[*]")))
        }
        if !isNil {
            switch value.storage {
            case .signed, .unsigned:
                if isPair { return .failure("can't use \(shown(value)) to iterate over more than one variable") }
                let limit = value.integerValue ?? .max
                return .success(.count(next: 0, limit: limit, type: value.type))
            default: break
            }
            if let elements = value.elements { return .success(.list(elements, next: 0)) }
            if let entries = value.entries {
                var keyType = GoType.string
                if case .map(let key, _) = value.type.underlying { keyType = key }
                return .success(.map(entries, next: 0, keyType: keyType))
            }
        }
        if !value.isValid { return .success(.none) }
        return .failure("range can't iterate over \(shown(value))")
    }

    private static func shown(_ value: GoValue) -> String {
        var formatter = Formatter(limit: 4096)
        formatter.format("%v", [value])
        return String(decoding: formatter.output, as: UTF8.self)
    }
}
