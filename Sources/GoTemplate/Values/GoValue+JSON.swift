public import GoFormats

extension GoValue {
    /// A JSON value as `encoding/json` decodes it into an `interface {}`, with the integers Kubernetes keeps apart:
    /// objects are `map[string]interface {}`, arrays `[]interface {}`, whole numbers int64, others float64.
    public init(json: JSONValue) {
        switch json {
        case .null: self = .nil
        case .bool(let flag): self = .bool(flag)
        case .integer(let number): self = .int64(number)
        case .double(let number): self = .float64(number)
        case .string(let text): self = .string(text)
        case .array(let items): self = .list(items.map { GoValue(json: $0) })
        case .object(let object):
            var entries: [GoString: GoValue] = [:]
            for member in object.members { entries[GoString(member.key)] = GoValue(json: member.value) }
            self = GoValue(.dictionary, .map(GoMap(entries)))
        }
    }

    /// As `init(json:)`, but every number a float64: what plain `encoding/json` makes of them (WaitV2's objects).
    public init(jsonWithFloats json: JSONValue) {
        switch json {
        case .integer(let number): self = .float64(Double(number))
        case .array(let items): self = .list(items.map { GoValue(jsonWithFloats: $0) })
        case .object(let object):
            var entries: [GoString: GoValue] = [:]
            for member in object.members { entries[GoString(member.key)] = GoValue(jsonWithFloats: member.value) }
            self = GoValue(.dictionary, .map(GoMap(entries)))
        default: self.init(json: json)
        }
    }
}
