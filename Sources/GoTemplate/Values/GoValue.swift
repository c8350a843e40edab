/// A Go value with its Go type, as a template sees it. Made by the engine from the cluster's objects and by template
/// functions; read by the evaluator. What an `interface {}` holds is kept as the value itself; a nil interface is
/// `GoValue.nil`.
///
/// Concurrency: a value that can be shared. Maps are references (`GoMap`), everything else is copied.
public struct GoValue: Sendable {
    public let type: GoType
    let storage: Storage
    /// The static type is `interface {}`: the value came out of a `[]interface {}`, a `map[string]interface {}` or such
    /// a field. Go's messages then name that type.
    private(set) var isBoxed = false

    indirect enum Storage: Sendable {
        /// nil of a pointer, slice, map or interface type, or no value at all.
        case none
        case bool(Bool)
        case signed(Int64)
        case unsigned(UInt64)
        case float(Double)
        case complex(Double, Double)
        case string(GoString)
        case list([GoValue])
        /// A `[]uint8`.
        case bytes([UInt8])
        case map(GoMap)
        /// In the order of the struct type's fields.
        case fields([GoValue])
        case pointer(GoValue)
        case time(GoTime)
        case version(SemanticVersion)
        /// What is known about a value that does not exist yet.
        case placeholder(String)
    }

    init(_ type: GoType, _ storage: Storage) {
        self.type = type
        self.storage = storage
    }

    /// The value as an element of static type `element`.
    func boxed(as element: GoType?) -> GoValue {
        guard case .interface = element else { return self }
        var value = self
        value.isBoxed = true
        return value
    }

    /// The value without the interface around it; nothing when that is nil. Go's `indirectInterface`.
    var unboxed: GoValue {
        if case .interface = type { return .invalid }
        guard isBoxed else { return self }
        var value = self
        value.isBoxed = false
        return value
    }

    /// What Go's messages name as the type.
    var staticType: GoType { isBoxed ? .interface : type }

    /// Reflection's zero Value: neither a value nor nil. Prints as `<no value>`.
    static let invalid = GoValue(.invalid, .none)

    public var kind: GoKind { type.kind }
    var isValid: Bool { if case .invalid = type { false } else { true } }

    /// True for a nil interface, pointer, slice or map, and for no value at all.
    public var isNil: Bool { if case .none = storage { true } else { false } }

    /// The description of a run-time value, without its angle brackets.
    public var placeholder: String? { if case .placeholder(let text) = storage { text } else { nil } }
    var isPlaceholder: Bool { placeholder != nil }

    /// A value reached from a placeholder: `.x` of `phase p: k` is `phase p: k.x`.
    func derived(_ suffix: String) -> GoValue { .placeholder((placeholder ?? "") + suffix) }
}

// MARK: - Making values

extension GoValue {
    /// `interface {}(nil)`
    public static let `nil` = GoValue(.interface, .none)

    public static func bool(_ value: Bool) -> GoValue { GoValue(.bool, .bool(value)) }
    public static func int(_ value: Int) -> GoValue { GoValue(.int, .signed(Int64(value))) }
    public static func int64(_ value: Int64) -> GoValue { GoValue(.int64, .signed(value)) }
    public static func float64(_ value: Double) -> GoValue { GoValue(.float64, .float(value)) }
    public static func string(_ value: String) -> GoValue { GoValue(.string, .string(GoString(value))) }
    public static func string(_ value: GoString) -> GoValue { GoValue(.string, .string(value)) }
    /// `[]uint8`: a value of a Secret's `Data`.
    public static func bytes(_ value: [UInt8]) -> GoValue { GoValue(.bytes, .bytes(value)) }
    public static func time(_ value: GoTime) -> GoValue { GoValue(.time, .time(value)) }

    /// A `v1.Time` of Kubernetes.
    public static func kubernetesTime(_ value: GoTime) -> GoValue { GoValue(.kubernetesTime, .time(value)) }

    /// A string of a defined type, for example `v1.SecretType`.
    public static func string(_ value: String, type: String) -> GoValue {
        GoValue(.named(type, .string), .string(GoString(value)))
    }

    /// A slice whose elements have `element` as their static type.
    public static func slice(of element: GoType, _ items: [GoValue]) -> GoValue {
        GoValue(.slice(element), .list(items))
    }

    /// `[]string`
    public static func strings(_ items: [String]) -> GoValue { .slice(of: .string, items.map { .string($0) }) }
    /// `[]interface {}`
    public static func list(_ items: [GoValue]) -> GoValue { GoValue(.list, .list(items)) }

    /// A map from strings to values whose static type is `value`. Its entries are shared with whoever holds the value.
    public static func map(of value: GoType, _ entries: [String: GoValue]) -> GoValue {
        var keyed: [GoString: GoValue] = [:]
        for (key, entry) in entries { keyed[GoString(key)] = entry }
        return GoValue(.map(key: .string, value: value), .map(GoMap(keyed)))
    }

    /// `map[string]interface {}`
    public static func dictionary(_ entries: [String: GoValue]) -> GoValue { .map(of: .interface, entries) }
    /// `map[string]string`
    public static func stringMap(_ entries: [String: String]) -> GoValue {
        .map(of: .string, entries.mapValues { .string($0) })
    }
    /// `map[string][]uint8`: a Secret's `Data`.
    public static func bytesMap(_ entries: [String: [UInt8]]) -> GoValue {
        .map(of: .bytes, entries.mapValues { .bytes($0) })
    }

    /// A struct value. Fields that are not given get their type's zero value; names the type does not have are ignored.
    public static func structure(_ type: GoStructType, _ values: [String: GoValue]) -> GoValue {
        GoValue(.structure(type), .fields(type.fields.map { values[$0.name] ?? .zero(of: $0.type) }))
    }

    /// A pointer to `value`.
    public static func pointer(_ value: GoValue) -> GoValue { GoValue(.pointer(value.type), .pointer(value)) }
    /// A typed nil pointer: `(*param.DeploymentParams)(nil)`.
    public static func nilPointer(to type: GoType) -> GoValue { GoValue(.pointer(type), .none) }
    public static func nilPointer(to type: GoStructType) -> GoValue { .nilPointer(to: .structure(type)) }

    /// A value that exists only at run time. It prints as `<what>`, is true, and has every field, key and index.
    public static func placeholder(_ what: String) -> GoValue { GoValue(.placeholder, .placeholder(what)) }

    /// Go's zero value of a type.
    public static func zero(of type: GoType) -> GoValue {
        switch type.underlying {
        case .invalid: return .invalid
        case .basic(let kind):
            switch kind {
            case .bool: return GoValue(type, .bool(false))
            case .string: return GoValue(type, .string(""))
            case .float32, .float64: return GoValue(type, .float(0))
            case .complex64, .complex128: return GoValue(type, .complex(0, 0))
            case _ where kind.isUnsigned: return GoValue(type, .unsigned(0))
            default: return GoValue(type, .signed(0))
            }
        case .array(let count, let element):
            return GoValue(type, .list(Array(repeating: .zero(of: element), count: count)))
        case .structure(let shape):
            if type == .time || type == .kubernetesTime { return GoValue(type, .time(.zero)) }
            return GoValue(type, .fields(shape.fields.map { .zero(of: $0.type) }))
        default: return GoValue(type, .none)
        }
    }
}
