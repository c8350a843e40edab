public import GoFormats
public import GoTemplate

extension GoValue {
    /// A JSON value as `encoding/json` decodes it into a variable of this type: members by the JSON names of struct
    /// fields without regard to case, base64 text into bytes, null into nil or the zero value, unknown members skipped.
    ///
    /// - Throws: `GoDecodingError` when a value does not fit its type.
    public static func decoding(_ json: JSONValue, as type: GoType) throws(GoDecodingError) -> GoValue {
        try decoding(json, as: type, path: "")
    }

    private static func decoding(
        _ json: JSONValue, as type: GoType, path: String
    ) throws(GoDecodingError) -> GoValue {
        switch type {
        case .interface: return GoValue(json: json)
        case .kubernetesTime:
            guard !json.isNull else { return .zero(of: type) }
            guard let time = json.stringValue.flatMap({ Timestamp(rfc3339: $0) }) else {
                throw GoDecodingError(path: path, wanted: "a time in RFC 3339")
            }
            return .kubernetesTime(GoTime(time))
        case .structure(let shape):
            guard !json.isNull else { return .zero(of: type) }
            return try structure(json, shape, path: path)
        case .pointer(let target):
            return json.isNull ? .nilPointer(to: target) : .pointer(try decoding(json, as: target, path: path))
        case .map(_, let element):
            guard !json.isNull else { return .zero(of: type) }
            guard let object = json.objectValue else { throw GoDecodingError(path: path, wanted: "a map") }
            var entries: [String: GoValue] = [:]
            for member in object.members {
                entries[member.key] = try decoding(member.value, as: element, path: "\(path).\(member.key)")
            }
            return .map(of: element, entries)
        case .bytes:
            guard !json.isNull else { return .zero(of: type) }
            guard let bytes = json.stringValue.flatMap({ Base64.decode($0) }) else {
                throw GoDecodingError(path: path, wanted: "base64 text")
            }
            return .bytes(bytes)
        case .slice(let element):
            guard !json.isNull else { return .zero(of: type) }
            guard let items = json.arrayValue else { throw GoDecodingError(path: path, wanted: "a list") }
            var values: [GoValue] = []
            for (index, item) in items.enumerated() {
                values.append(try decoding(item, as: element, path: "\(path)[\(index)]"))
            }
            return .slice(of: element, values)
        case .named(let name, .dictionary):
            // Only maps of anything are named this way; the name does not show in any template result.
            _ = name
            return json.isNull ? .zero(of: type) : try decoding(json, as: .dictionary, path: path)
        default: return try scalar(json, as: type, path: path)
        }
    }

    private static func structure(
        _ json: JSONValue, _ shape: GoStructType, path: String
    ) throws(GoDecodingError) -> GoValue {
        guard let object = json.objectValue else { throw GoDecodingError(path: path, wanted: "a map") }
        var values: [String: GoValue] = [:]
        for field in shape.fields {
            guard let name = field.jsonName else { continue }
            if name.isEmpty {
                values[field.name] = try decoding(json, as: field.type, path: path)
            } else if let member = object.caseInsensitive(name) {
                values[field.name] = try decoding(member, as: field.type, path: "\(path).\(name)")
            }
        }
        return .structure(shape, values)
    }

    private static func scalar(
        _ json: JSONValue, as type: GoType, path: String
    ) throws(GoDecodingError) -> GoValue {
        guard !json.isNull else { return .zero(of: type) }
        switch type.kind {
        case .string:
            guard let text = json.stringValue else { throw GoDecodingError(path: path, wanted: "text") }
            if case .named(let name, _) = type { return .string(text, type: name) }
            return .string(text)
        case .bool:
            guard let flag = json.boolValue else { throw GoDecodingError(path: path, wanted: "true or false") }
            return .bool(flag)
        case .int, .int64:
            guard let number = json.integerValue else { throw GoDecodingError(path: path, wanted: "an integer") }
            return type.kind == .int ? .int(Int(number)) : .int64(number)
        default: throw GoDecodingError(path: path, wanted: "\(type)")
        }
    }
}

/// A JSON value that does not fit the Go type it is decoded into.
public struct GoDecodingError: Error, Sendable, Hashable, CustomStringConvertible {
    /// For example `.Secrets.pg.data.user`.
    public let path: String
    public let wanted: String

    public init(path: String, wanted: String) {
        self.path = path
        self.wanted = wanted
    }

    public var description: String { "'\(path.isEmpty ? "." : path)' is not \(wanted)" }
}
