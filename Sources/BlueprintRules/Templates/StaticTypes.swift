import ActionEngine
import GoTemplate

/// Follows chains of fields through the Go types of Kanister's root object.
enum StaticTypes {
    /// How far a chain leads.
    enum Outcome: Sendable {
        /// All of it; the type is nil where anything may be, as below `.Object`.
        case resolved(GoType?)
        /// This step is no field of the type before it.
        case missing(step: Int, in: GoType)
    }

    static func follow(_ reference: TemplateReference) -> Outcome {
        var type = TemplateParams.rootType
        for (position, step) in reference.steps.enumerated() {
            switch self.step(step, from: type) {
            case .some(let next):
                if next == .interface { return .resolved(nil) }
                type = next
            case .none: return .missing(step: position, in: type)
            }
        }
        return .resolved(type)
    }

    /// The type a step leads to; nil when it leads nowhere.
    private static func step(_ step: TemplateReference.Step, from type: GoType) -> GoType? {
        switch type.underlying {
        case .interface, .placeholder: return .interface
        case .pointer(let target): return self.step(step, from: target)
        case .structure(let shape): return step.isIndexed ? nil : field(step.name, of: shape)
        case .map(_, let value): return value
        case .slice(let element), .array(_, let element): return step.isIndexed ? element : nil
        case .basic(.string): return step.isIndexed ? .uint8 : nil
        default: return nil
        }
    }

    private static func field(_ name: String, of shape: GoStructType) -> GoType? {
        if let field = shape.fields.first(where: { $0.name == name }) { return field.type }
        for field in shape.fields where field.isEmbedded {
            if case .structure(let inner) = field.type, let type = self.field(name, of: inner) { return type }
        }
        return nil
    }

    /// Everything a template can write after a value of this type; empty for maps.
    static func fields(of type: GoType) -> [String] {
        switch type.underlying {
        case .pointer(let target): return fields(of: target)
        case .structure(let shape):
            return shape.fields.flatMap { field -> [String] in
                field.isEmbedded ? [field.name] + fields(of: field.type) : [field.name]
            }
        default: return []
        }
    }

    /// The Go name of a field that templates know by its JSON name elsewhere.
    static func goName(ofJSON name: String, in type: GoType) -> String? {
        guard case .structure(let shape) = target(of: type) else { return nil }
        for field in shape.fields {
            if field.jsonName == name { return field.name }
            if field.isEmbedded, let inner = goName(ofJSON: name, in: field.type) { return inner }
        }
        return nil
    }

    private static func target(of type: GoType) -> GoType {
        if case .pointer(let target) = type.underlying { return self.target(of: target) }
        return type.underlying
    }

    /// False when Go would refuse the value as an argument, whatever it is at run time. Sure cases only.
    static func accepts(_ parameter: GoType, _ argument: GoType) -> Bool {
        let (wanted, given) = (parameter.kind, argument.kind)
        guard argument.kind != .interface, argument.kind != .invalid, argument.kind != .pointer else { return true }
        switch wanted {
        case .string: return argument == .string
        case .int, .int64: return given == wanted
        case .bool: return given == .bool
        case .map: return given == .map
        default: return true
        }
    }
}
