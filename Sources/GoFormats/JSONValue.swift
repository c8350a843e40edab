/// A JSON document as a value. Objects keep the order of their members, because kopia's and Kanister's texts are
/// compared and content-addressed byte by byte.
///
/// Concurrency and memory: a plain value; the parser's limits (`JSONParser.Limits`) bound what text can build.
public indirect enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    /// A number written without fraction or exponent that fits 64 bits.
    case integer(Int64)
    /// Any other number.
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// The member of an object; nil for anything else or when absent.
    public subscript(_ key: String) -> JSONValue? {
        if case .object(let object) = self { return object[key] }
        return nil
    }

    public var stringValue: String? {
        if case .string(let text) = self { return text }
        return nil
    }

    /// An integer, or a double without fraction that is exactly representable.
    public var integerValue: Int64? {
        switch self {
        case .integer(let value): return value
        case .double(let value): return Int64(exactly: value)
        default: return nil
        }
    }

    public var boolValue: Bool? {
        if case .bool(let value) = self { return value }
        return nil
    }

    public var arrayValue: [JSONValue]? {
        if case .array(let items) = self { return items }
        return nil
    }

    public var objectValue: JSONObject? {
        if case .object(let object) = self { return object }
        return nil
    }

    public var isNull: Bool { self == .null }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(JSONObject(elements.map { JSONObject.Member(key: $0.0, value: $0.1) }))
    }
    public init(nilLiteral: ()) { self = .null }
}

/// The members of a JSON object, in the order they were written. Setting a key that exists replaces its value in place.
///
/// Look-up is linear below a few dozen members and indexed above, so that a directory of a million members stays usable.
public struct JSONObject: Sendable, Hashable {
    public struct Member: Sendable, Hashable {
        public var key: String
        public var value: JSONValue

        public init(key: String, value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    public private(set) var members: [Member] = []
    private var index: [String: Int] = [:]
    private static let indexThreshold = 16

    public init() {}

    /// Later members with the same key replace earlier ones, as `encoding/json` does when decoding.
    public init(_ members: some Sequence<Member>) {
        for member in members { self[member.key] = member.value }
    }

    public init(_ members: KeyValuePairs<String, JSONValue>) {
        for member in members { self[member.key] = member.value }
    }

    public var count: Int { members.count }
    public var isEmpty: Bool { members.isEmpty }
    public var keys: [String] { members.map(\.key) }

    public subscript(_ key: String) -> JSONValue? {
        get { position(of: key).map { members[$0].value } }
        set {
            switch (position(of: key), newValue) {
            case (let found?, let value?): members[found].value = value
            case (nil, let value?): append(Member(key: key, value: value))
            case (let found?, nil):
                members.remove(at: found)
                reindex()
            case (nil, nil): break
            }
        }
    }

    /// The member whose key equals `key` without regard to ASCII case: how Go's decoder matches struct fields. An
    /// exact match is preferred.
    public func caseInsensitive(_ key: String) -> JSONValue? {
        if let exact = self[key] { return exact }
        let wanted = key.lowercased()
        return members.first { $0.key.lowercased() == wanted }?.value
    }

    private func position(of key: String) -> Int? {
        if members.count > Self.indexThreshold { return index[key] }
        return members.firstIndex { $0.key.utf8.elementsEqual(key.utf8) }
    }

    private mutating func append(_ member: Member) {
        members.append(member)
        if members.count == Self.indexThreshold + 1 {
            reindex()
        } else if members.count > Self.indexThreshold {
            index[member.key] = members.count - 1
        }
    }

    private mutating func reindex() {
        index = [:]
        guard members.count > Self.indexThreshold else { return }
        for (position, member) in members.enumerated() { index[member.key] = position }
    }

    public static func == (left: JSONObject, right: JSONObject) -> Bool { left.members == right.members }
    public func hash(into hasher: inout Hasher) { hasher.combine(members) }
}
