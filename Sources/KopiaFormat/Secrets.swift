/// The password of a repository, used exactly as given: no trimming, no normalisation. Prints as `<redacted>`.
public struct Password: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    let utf8: [UInt8]

    public init(_ text: String) { utf8 = Array(text.utf8) }

    public var isEmpty: Bool { utf8.isEmpty }
    public var description: String { "<redacted>" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Key bytes. Prints as `<redacted>`; `bytes` is for whoever needs them.
public struct SecretBytes: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    public let bytes: [UInt8]

    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    public var description: String { "<redacted>" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
