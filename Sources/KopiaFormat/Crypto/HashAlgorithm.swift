/// The hash functions a repository may be made with. All are keyed with the repository's `secret`.
///
/// | names | function |
/// |---|---|
/// | `BLAKE2B-256`, `-128` | BLAKE2b with 32 bytes of digest, the latter cut to 16 |
/// | `BLAKE2S-256`, `BLAKE2S-128` | BLAKE2s with 32 or natively 16 bytes of digest: not a truncation |
/// | `BLAKE3-256`, `-128` | BLAKE3 keyed mode, the latter cut to 16 |
/// | `HMAC-SHA…` | HMAC; `-128` cut to 16 |
///
/// Source: kopia `repo/hashing/*.go`; `kopia-format` §3.2. Vectors: `Tests/KopiaFormatTests/Fixtures/hash-vectors.json`.
public enum HashAlgorithm: String, Sendable, Hashable, CaseIterable {
    case blake2b256Truncated128 = "BLAKE2B-256-128"
    case blake2b256 = "BLAKE2B-256"
    case blake2s128 = "BLAKE2S-128"
    case blake2s256 = "BLAKE2S-256"
    case blake3Truncated128 = "BLAKE3-256-128"
    case blake3 = "BLAKE3-256"
    case hmacSHA256 = "HMAC-SHA256"
    case hmacSHA256Truncated128 = "HMAC-SHA256-128"
    case hmacSHA224 = "HMAC-SHA224"
    case hmacSHA3_224 = "HMAC-SHA3-224"
    case hmacSHA3_256 = "HMAC-SHA3-256"

    /// Bytes of a hash: 16, 28 or 32.
    public var length: Int {
        switch self {
        case .blake2b256Truncated128, .blake2s128, .blake3Truncated128, .hmacSHA256Truncated128: 16
        case .hmacSHA224, .hmacSHA3_224: 28
        case .blake2b256, .blake2s256, .blake3, .hmacSHA256, .hmacSHA3_256: 32
        }
    }
}

/// A hash function with its key.
///
/// Concurrency and memory: may be used concurrently; a call holds a few hundred bytes besides its input.
package struct KeyedHash: Sendable {
    private enum Engine: Sendable {
        case mac(KeyedMAC)
        case blake2bUnkeyed
        case blake2sUnkeyed
        case blake3(Blake3)
    }

    package let algorithm: HashAlgorithm
    private let engine: Engine
    /// For several messages at once.
    private let lanes: Blake2bLanes?

    private static let blake2b = FetchedAlgorithm.mac("BLAKE2BMAC")
    private static let blake2s = FetchedAlgorithm.mac("BLAKE2SMAC")

    /// - Throws: `FormatError.Code.unsupported` when the key is longer than the function takes (64 bytes for BLAKE2b,
    ///   32 for BLAKE2s).
    package init(_ algorithm: HashAlgorithm, key: SecretBytes) throws(FormatError) {
        self.algorithm = algorithm
        let bytes = key.bytes
        let isBlake2b = algorithm == .blake2b256 || algorithm == .blake2b256Truncated128
        lanes = isBlake2b ? Blake2bLanes(key: key) : nil
        let keyLengthMax =
            switch algorithm {
            case .blake2b256, .blake2b256Truncated128: 64
            case .blake2s256, .blake2s128: 32
            default: Int.max
            }
        guard bytes.count <= keyLengthMax else {
            throw FormatError(
                .unsupported,
                "hash \(algorithm.rawValue) takes a key of at most \(keyLengthMax) bytes, not \(bytes.count)")
        }
        switch algorithm {
        case .blake2b256, .blake2b256Truncated128, .blake2s256:
            if bytes.isEmpty {
                engine = isBlake2b ? .blake2bUnkeyed : .blake2sUnkeyed
            } else {
                engine = .mac(try KeyedMAC(isBlake2b ? Self.blake2b : Self.blake2s, key: bytes, size: 32))
            }
        case .blake2s128:
            guard !bytes.isEmpty else {
                throw FormatError(.unsupported, "hash \(algorithm.rawValue) cannot be used without a key")
            }
            engine = .mac(try KeyedMAC(Self.blake2s, key: bytes, size: 16))
        case .hmacSHA256, .hmacSHA256Truncated128:
            engine = .mac(try KeyedMAC(.hmac, key: bytes, digest: "SHA256"))
        case .hmacSHA224: engine = .mac(try KeyedMAC(.hmac, key: bytes, digest: "SHA224"))
        case .hmacSHA3_224: engine = .mac(try KeyedMAC(.hmac, key: bytes, digest: "SHA3-224"))
        case .hmacSHA3_256: engine = .mac(try KeyedMAC(.hmac, key: bytes, digest: "SHA3-256"))
        case .blake3, .blake3Truncated128: engine = .blake3(Blake3(kopiaSecret: bytes))
        }
    }

    /// `algorithm.length` bytes.
    package func hash(_ bytes: RawSpan) throws(FormatError) -> [UInt8] {
        var digest: [UInt8]
        switch engine {
        case .mac(let mac): digest = try mac.code(bytes)
        case .blake2bUnkeyed: digest = Blake2.hash(bytes, Blake2.b, length: 32)
        case .blake2sUnkeyed: digest = Blake2.hash(bytes, Blake2.s, length: 32)
        case .blake3(let blake3): digest = blake3.hash(bytes)
        }
        if digest.count > algorithm.length { digest.removeLast(digest.count - algorithm.length) }
        return digest
    }

    /// The hashes of several byte strings, in their order: in less time than one by one where the function and the
    /// processor allow it.
    package func hashes(_ messages: [[UInt8]]) throws(FormatError) -> [[UInt8]] {
        if let lanes, lanes.isWorthwhile(for: messages), let digests = lanes.digests(of: messages) {
            return digests.map { Array($0.prefix(algorithm.length)) }
        }
        var hashes: [[UInt8]] = []
        hashes.reserveCapacity(messages.count)
        for message in messages { hashes.append(try hash(message.span.bytes)) }
        return hashes
    }
}
