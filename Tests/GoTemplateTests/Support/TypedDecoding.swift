import GoFormats
import GoTemplate

/// Builds Go values of a given type from JSON, as `encoding/json` would decode into it.
enum TypedDecoding {
    static func value(_ json: JSONValue, as type: GoType) -> GoValue {
        if json.isNull { return empty(type) }
        switch type {
        case .pointer(let target): return .pointer(value(json, as: target))
        case .structure(let shape) where !shape.fields.isEmpty: return structure(json, shape)
        case .map(_, .interface), .interface: return GoValue(json: json)
        case .map(_, let element):
            let members = json.objectValue?.members ?? []
            return .map(
                of: element,
                Dictionary(members.map { ($0.key, value($0.value, as: element)) }, uniquingKeysWith: { $1 }))
        case .slice(.basic(.uint8)): return .bytes(bytes(json.stringValue ?? ""))
        case .slice(let element):
            return .slice(of: element, (json.arrayValue ?? []).map { value($0, as: element) })
        case .named(let name, .basic(.string)): return .string(json.stringValue ?? "", type: name)
        case .basic(.string): return .string(json.stringValue ?? "")
        case .basic(.bool): return .bool(json.boolValue ?? false)
        case .basic(.int): return .int(Int(json.integerValue ?? 0))
        case .basic(.int64): return .int64(json.integerValue ?? 0)
        default: return .zero(of: type)
        }
    }

    private static func empty(_ type: GoType) -> GoValue { .zero(of: type) }

    private static func structure(_ json: JSONValue, _ shape: GoStructType) -> GoValue {
        var values: [String: GoValue] = [:]
        for field in shape.fields {
            guard let name = field.jsonName else { continue }
            if name.isEmpty {
                values[field.name] = value(json, as: field.type)
            } else if let member = json.objectValue?.caseInsensitive(name) {
                values[field.name] = value(member, as: field.type)
            }
        }
        return .structure(shape, values)
    }

    private static func bytes(_ base64: String) -> [UInt8] {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var (bits, count, out): (UInt32, Int, [UInt8]) = (0, 0, [])
        for byte in base64.utf8 {
            guard let value = alphabet.firstIndex(of: byte) else { continue }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                out.append(UInt8(bits >> UInt32(count) & 255))
            }
        }
        return out
    }
}
