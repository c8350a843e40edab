import GoFormats
public import KopiaBlob

/// The ciphers a repository may be made with. Each content has a key of its own, made from the master key and the IV.
///
/// Source: kopia `repo/encryption/*.go`; `kopia-format` §3.4.
/// Vectors: `Tests/KopiaFormatTests/Fixtures/encryption-vectors.json`.
public enum EncryptionAlgorithm: String, Sendable, Hashable, CaseIterable {
    case aes256GCM = "AES256-GCM-HMAC-SHA256"
    case chaCha20Poly1305 = "CHACHA20-POLY1305-HMAC-SHA256"

    var cipher: AuthenticatedCipher {
        switch self {
        case .aes256GCM: .aes256GCM
        case .chaCha20Poly1305: .chaCha20Poly1305
        }
    }
}

/// What binds encrypted bytes to their name: it selects the key and is authenticated with the bytes.
///
/// | item | IV |
/// |---|---|
/// | content in a pack | the last 16 bytes of the content's hash |
/// | whole blob | the last 32 hex digits before the first `-` of the blob ID |
/// | local index in a pack | the complete hash of the index bytes, stored in the postamble |
///
/// Source: kopia `repo/content/content_manager.go` `getPackedContentIV`, `internal/blobcrypto/blob_crypto.go`;
/// `kopia-format` §3.4.
public struct EncryptionIV: Sendable, Hashable {
    public let bytes: [UInt8]

    /// The IV as it stands in a postamble.
    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Of a content or of a whole blob's plaintext, by its hash. A shorter hash is used whole.
    public init(hash: [UInt8]) { bytes = Array(hash.suffix(16)) }

    /// Of a whole blob, by its ID. Nil when the ID does not hold 32 hex digits before its first `-`.
    public init?(blobID: BlobID) {
        let digits = blobID.description.utf8.prefix { $0 != UInt8(ascii: "-") }.suffix(32)
        guard digits.count == 32, let bytes = Hex.decode(digits) else { return nil }
        self.bytes = bytes
    }
}
