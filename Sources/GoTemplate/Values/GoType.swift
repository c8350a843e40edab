/// The kind of a Go type, spelled as `kindOf` spells it.
public enum GoKind: String, Sendable, Hashable {
    case invalid
    case bool
    case int, int8, int16, int32, int64
    case uint, uint8, uint16, uint32, uint64, uintptr
    case float32, float64, complex64, complex128
    case string, array, slice, map, `struct`, `func`, interface
    case pointer = "ptr"

    var isSigned: Bool {
        switch self {
        case .int, .int8, .int16, .int32, .int64: true
        default: false
        }
    }
    var isUnsigned: Bool {
        switch self {
        case .uint, .uint8, .uint16, .uint32, .uint64, .uintptr: true
        default: false
        }
    }
    var isInteger: Bool { isSigned || isUnsigned }
    var isFloat: Bool { self == .float32 || self == .float64 }
    var isComplex: Bool { self == .complex64 || self == .complex128 }

    /// Width of the kind in bits; 64 for what has no narrower width.
    var bitWidth: Int {
        switch self {
        case .int8, .uint8: 8
        case .int16, .uint16: 16
        case .int32, .uint32, .float32: 32
        default: 64
        }
    }
}

/// A Go type as reflection shows it. Its `description` is what `%T` and `typeOf` print.
public indirect enum GoType: Sendable, Hashable, CustomStringConvertible {
    /// The type of reflection's zero Value: no value at all.
    case invalid
    /// `interface {}`
    case interface
    case basic(GoKind)
    /// A defined type over another that is not a struct, for example `v1.SecretType` over `string`.
    case named(String, GoType)
    case slice(GoType)
    case array(Int, GoType)
    /// Keys are of a string kind: nothing a template can reach has others.
    case map(key: GoType, value: GoType)
    case pointer(GoType)
    case structure(GoStructType)
    /// A function or method value, with its Go signature.
    case function(String)
    /// The type of a value that is only known at run time.
    case placeholder

    public static let bool = GoType.basic(.bool)
    public static let int = GoType.basic(.int)
    public static let int64 = GoType.basic(.int64)
    public static let uint8 = GoType.basic(.uint8)
    public static let float64 = GoType.basic(.float64)
    public static let string = GoType.basic(.string)
    /// `[]uint8`
    public static let bytes = GoType.slice(.uint8)
    /// `[]string`
    public static let strings = GoType.slice(.string)
    /// `[]interface {}`
    public static let list = GoType.slice(.interface)
    /// `map[string]interface {}`
    public static let dictionary = GoType.map(key: .string, value: .interface)
    /// `map[string]string`
    public static let stringMap = GoType.map(key: .string, value: .string)
    /// `time.Time`
    public static let time = GoType.structure(GoStructType(name: "time.Time", fields: []))

    /// `v1.Time` of Kubernetes' apimachinery: `time.Time`, but `null` in JSON when it is zero.
    public static let kubernetesTime = GoType.structure(GoStructType(name: "v1.Time", fields: []))

    /// The type without its names.
    public var underlying: GoType {
        if case .named(_, let type) = self { return type.underlying }
        return self
    }

    public var kind: GoKind {
        switch self {
        case .invalid: .invalid
        case .interface, .placeholder: .interface
        case .basic(let kind): kind
        case .named(_, let type): type.kind
        case .slice: .slice
        case .array: .array
        case .map: .map
        case .pointer: .pointer
        case .structure: .struct
        case .function: .func
        }
    }

    /// What a slice, array, map or pointer holds.
    public var element: GoType? {
        switch self {
        case .named(_, let type): type.element
        case .slice(let type), .array(_, let type), .pointer(let type): type
        case .map(_, let value): value
        default: nil
        }
    }

    public var description: String {
        switch self {
        case .invalid: "<nil>"
        case .interface, .placeholder: "interface {}"
        case .basic(let kind): kind.rawValue
        case .named(let name, _): name
        case .slice(let type): "[]\(type)"
        case .array(let count, let type): "[\(count)]\(type)"
        case .map(let key, let value): "map[\(key)]\(value)"
        case .pointer(let type): "*\(type)"
        case .structure(let type): type.name
        case .function(let signature): signature
        }
    }
}

/// One exported field of a Go struct.
public struct GoField: Sendable, Hashable {
    /// Go name, as templates use it.
    public let name: String
    public let type: GoType
    /// Name in JSON; nil leaves the field out (`json:"-"`).
    public let jsonName: String?
    /// Leaves the field out of JSON when it is false, 0, nil or empty.
    public let omitEmpty: Bool
    /// An embedded struct: its fields are also reachable directly, and inlined in JSON when `jsonName` is empty.
    public let isEmbedded: Bool

    /// - Parameters:
    ///   - json: name in JSON; nil means the Go name, `""` inlines an embedded struct.
    ///   - hidden: true for `json:"-"`.
    public init(
        _ name: String, _ type: GoType, json: String? = nil, omitEmpty: Bool = false, embedded: Bool = false,
        hidden: Bool = false
    ) {
        self.name = name
        self.type = type
        self.jsonName = hidden ? nil : (json ?? (embedded ? "" : name))
        self.omitEmpty = omitEmpty
        self.isEmbedded = embedded
    }
}

/// A Go struct type: its qualified name and its exported fields in order. Two struct types are equal when their names
/// are, as names are qualified by package.
public struct GoStructType: Sendable, Hashable {
    /// For example `param.TemplateParams`.
    public let name: String
    public let fields: [GoField]

    public init(name: String, fields: [GoField]) {
        self.name = name
        self.fields = fields
    }

    public static func == (left: GoStructType, right: GoStructType) -> Bool { left.name == right.name }
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }

    /// Positions that lead to a field, through embedded structs if need be; the shallowest wins, as in Go.
    func path(to name: String) -> [Int]? {
        if let direct = fields.firstIndex(where: { $0.name == name }) { return [direct] }
        var best: [Int]?
        for (position, field) in fields.enumerated() where field.isEmbedded {
            guard case .structure(let inner) = field.type, let rest = inner.path(to: name) else { continue }
            if rest.count + 1 < best?.count ?? .max { best = [position] + rest }
        }
        return best
    }

    /// Every name a template can follow this struct with, for "did you mean".
    var reachableNames: [String] {
        fields.flatMap { field -> [String] in
            guard field.isEmbedded, case .structure(let inner) = field.type else { return [field.name] }
            return [field.name] + inner.reachableNames
        }
    }
}
