/// Reading values without their types getting in the way.
extension GoValue {
    /// The bytes of any value of a string kind.
    public var stringValue: GoString? { if case .string(let value) = storage { value } else { nil } }
    public var boolValue: Bool? { if case .bool(let value) = storage { value } else { nil } }
    var signedValue: Int64? { if case .signed(let value) = storage { value } else { nil } }
    var unsignedValue: UInt64? { if case .unsigned(let value) = storage { value } else { nil } }
    var floatValue: Double? { if case .float(let value) = storage { value } else { nil } }
    /// The bytes of a `[]uint8`; nil for anything else.
    public var bytesValue: [UInt8]? { if case .bytes(let value) = storage { value } else { nil } }
    public var mapValue: GoMap? { if case .map(let value) = storage { value } else { nil } }
    var timeValue: GoTime? { if case .time(let value) = storage { value } else { nil } }

    /// Any integer, whatever its width and sign; nil when it does not fit.
    public var integerValue: Int64? {
        switch storage {
        case .signed(let value): value
        case .unsigned(let value): Int64(exactly: value)
        default: nil
        }
    }

    /// Elements of a slice or array; nil for anything else. A nil slice has none.
    public var elements: [GoValue]? {
        switch storage {
        case .list(let items): items.map { $0.boxed(as: type.element) }
        case .bytes(let bytes):
            bytes.map { GoValue(type.element ?? .uint8, .unsigned(UInt64($0))) }
        case .none where kind == .slice: []
        default: nil
        }
    }

    /// Entries of a map by key, sorted; nil for anything else. A nil map has none.
    public var entries: [(key: GoString, value: GoValue)]? {
        switch storage {
        case .map(let map): map.sorted.map { ($0.key, $0.value.boxed(as: type.element)) }
        case .none where kind == .map: []
        default: nil
        }
    }

    /// The value of a map's key, an embedded or own struct field, through pointers; nil when there is none.
    public func member(_ name: String) -> GoValue? {
        switch storage {
        case .placeholder: return derived("." + name)
        case .pointer(let value): return value.member(name)
        case .map(let map): return map[GoString(name)]
        default: return field(name)
        }
    }

    func field(_ name: String) -> GoValue? {
        guard case .fields = storage, case .structure(let shape) = type, let path = shape.path(to: name) else {
            return nil
        }
        var value = self
        for position in path {
            guard case .fields(let values) = value.storage, position < values.count,
                case .structure(let shape) = value.type, position < shape.fields.count
            else { return nil }
            value = values[position].boxed(as: shape.fields[position].type)
        }
        return value
    }

    /// Length of what has one: strings in bytes, slices, arrays, maps.
    var length: Int? {
        switch storage {
        case .string(let value): value.count
        case .list(let items): items.count
        case .bytes(let bytes): bytes.count
        case .map(let map): map.count
        case .none where kind == .slice || kind == .map: 0
        default: nil
        }
    }

    /// What pointers lead to. `isNil` says that they lead nowhere.
    var indirect: (value: GoValue, isNil: Bool) {
        var value = self
        while value.kind == .pointer || value.kind == .interface {
            guard case .pointer(let target) = value.storage else {
                return value.isPlaceholder ? (value, false) : (value, true)
            }
            value = target
        }
        return (value, false)
    }

    /// Go's truth: not the zero of its type; structs are always true.
    public var isTrue: Bool {
        switch storage {
        case .none: false
        case .bool(let value): value
        case .signed(let value): value != 0
        case .unsigned(let value): value != 0
        case .float(let value): value != 0
        case .complex(let real, let imaginary): real != 0 || imaginary != 0
        case .string, .list, .bytes, .map: length ?? 0 > 0
        case .fields, .pointer, .time, .version, .placeholder: true
        }
    }
}
