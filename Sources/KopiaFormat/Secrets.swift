/// The password of a repository, used exactly as given: no trimming, no normalisation. Prints as `<redacted>`.
public struct Password: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// For whoever sends it.
    package let utf8: [UInt8]

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

extension SecretBytes {
    /// A key of one purpose, made from these bytes by HKDF-SHA256 (RFC 5869, no salt): it tells nothing about them nor about
    /// the keys of other purposes.
    ///
    /// - Parameter length: in bytes, 1 … 8160.
    /// - Throws: `FormatError.Code.invalidParameter` for another length.
    public func derivedKey(for purpose: String, length: Int) throws(FormatError) -> SecretBytes {
        guard (1...8160).contains(length) else {
            throw FormatError(.invalidParameter, "a key of \(length) bytes cannot be derived: 1 to 8160 are possible")
        }
        return try HKDF.derive(material: self, salt: [], info: purpose, length: length)
    }
}
