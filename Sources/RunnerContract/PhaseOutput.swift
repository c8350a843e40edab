import GoFormats

/// The line by which a phase's command hands a value to the engine.
///
/// ```
/// ###Phase-output###: {"key":"kopiaOutput","value":"…"}
/// ```
///
/// Source: Kanister `pkg/output`: marker, one space, JSON with Go's HTML escaping.
public struct PhaseOutput: Sendable, Hashable {
    public static let marker = "###Phase-output###:"

    public let key: String
    public let value: String

    /// Nil unless the key is one or more of `A…Z a…z 0…9 _`: what `kando output` accepts.
    public init?(key: String, value: String) {
        guard !key.isEmpty, key.utf8.allSatisfy(Self.isKeyByte) else { return nil }
        self.key = key
        self.value = value
    }

    /// The line without its line break.
    public var line: String {
        let payload: JSONValue = ["key": .string(key), "value": .string(value)]
        return "\(Self.marker) \(GoJSON.text(payload))"
    }

    private static func isKeyByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            return true
        default: return false
        }
    }
}
