import GoFormats
public import KopiaBlob

/// Hashing, encryption, error correction and compression as one repository does them: all a content layer needs.
///
/// Order when writing: hash the plaintext, compress, encrypt, add error correction. Reading goes the other way.
///
/// Concurrency and memory: may be used concurrently from any number of tasks. A call holds its input and its output; the
/// calls are synchronous and keep a core busy for milliseconds per MiB, so call them from `@concurrent` functions.
///
/// Source: `kopia-format` §3.2–3.5, §8.
public struct ContentCrypto: Sendable {
    public let hashAlgorithm: HashAlgorithm
    public let encryptionAlgorithm: EncryptionAlgorithm
    private let hasher: KeyedHash
    private let contentKeys: KeyedMAC
    private let cipher: AuthenticatedCipher
    private let errorCorrection: ErrorCorrection?

    /// - Parameter errorCorrectionOverheadPercent: 1 … 100; 0 for none.
    /// - Throws: `FormatError.Code.unsupported` when a key does not fit its function.
    public init(
        hash: HashAlgorithm, encryption: EncryptionAlgorithm, secret: SecretBytes, masterKey: SecretBytes,
        errorCorrectionOverheadPercent: Int = 0
    ) throws(FormatError) {
        hashAlgorithm = hash
        encryptionAlgorithm = encryption
        hasher = try KeyedHash(hash, key: secret)
        // Here the purpose is the salt and the info is empty; everywhere else kopia has it the other way round.
        let derived = try HKDF.derive(material: masterKey, salt: Array("encryption".utf8), info: "", length: 32)
        contentKeys = try KeyedMAC(.hmac, key: derived.bytes, digest: "SHA256")
        cipher = encryption.cipher
        errorCorrection =
            errorCorrectionOverheadPercent == 0
            ? nil : try ErrorCorrection(overheadPercent: errorCorrectionOverheadPercent)
    }

    // MARK: Hashing

    /// Bytes of a hash: 16, 28 or 32.
    public var hashLength: Int { hashAlgorithm.length }

    /// The keyed hash, in the repository's full length.
    public func hash(_ bytes: [UInt8]) throws(FormatError) -> [UInt8] { try hash(bytes.span.bytes) }

    public func hash(_ bytes: RawSpan) throws(FormatError) -> [UInt8] { try hasher.hash(bytes) }

    /// The hashes of several byte strings, in their order. BLAKE2b takes up to eight at a time, in a third of the time.
    public func hashes(_ messages: [[UInt8]]) throws(FormatError) -> [[UInt8]] { try hasher.hashes(messages) }

    // MARK: Encryption

    /// How many bytes `encrypt` makes of so many.
    public func encryptedLength(of count: Int) -> Int {
        let sealed = count + AuthenticatedCipher.overhead
        return errorCorrection?.encodedLength(of: sealed) ?? sealed
    }

    public func encrypt(_ plaintext: [UInt8], iv: EncryptionIV) throws(FormatError) -> [UInt8] {
        var output: [UInt8] = []
        try encrypt(plaintext.span.bytes, iv: iv, appendingTo: &output)
        return output
    }

    /// Appends the encrypted bytes to `output`, for example a pack being filled. On failure `output` is unchanged.
    public func encrypt(
        _ plaintext: RawSpan, iv: EncryptionIV, appendingTo output: inout [UInt8]
    ) throws(FormatError) {
        try encrypt(
            plaintext, iv: iv, nonce: try randomBytes(AuthenticatedCipher.nonceLength), appendingTo: &output)
    }

    /// The encrypted bytes as arrays of 1 MiB and a shorter last one: for long contents, which go into a pack like that.
    /// With error correction it is one array.
    public func encryptInPieces(_ plaintext: RawSpan, iv: EncryptionIV) throws(FormatError) -> [[UInt8]] {
        guard errorCorrection == nil, plaintext.byteCount + AuthenticatedCipher.overhead > Self.pieceLength else {
            var output: [UInt8] = []
            try encrypt(plaintext, iv: iv, appendingTo: &output)
            return [output]
        }
        return try cipher.seal(
            plaintext, key: try contentKeys.code(iv.bytes), nonce: try randomBytes(AuthenticatedCipher.nonceLength),
            additionalData: iv.bytes, pieceLength: Self.pieceLength)
    }

    /// Bytes. With what an array needs besides it stays below the size that glibc maps on its own.
    public static let pieceLength = 1 << 20

    /// - Parameter nonce: 12 bytes; anything but fresh random ones is for tests.
    package func encrypt(
        _ plaintext: RawSpan, iv: EncryptionIV, nonce: [UInt8], appendingTo output: inout [UInt8]
    ) throws(FormatError) {
        let key = try contentKeys.code(iv.bytes)
        guard let errorCorrection else {
            return try cipher.seal(plaintext, key: key, nonce: nonce, additionalData: iv.bytes, into: &output)
        }
        var sealed: [UInt8] = []
        try cipher.seal(plaintext, key: key, nonce: nonce, additionalData: iv.bytes, into: &sealed)
        try errorCorrection.encode(sealed.span.bytes, appendingTo: &output)
    }

    /// - Throws: `FormatError.Code.authenticationFailed` when the bytes were altered, cut, or belong to another IV.
    public func decrypt(_ stored: [UInt8], iv: EncryptionIV) throws(FormatError) -> [UInt8] {
        try decrypt(stored.span.bytes, iv: iv)
    }

    public func decrypt(_ stored: RawSpan, iv: EncryptionIV) throws(FormatError) -> [UInt8] {
        let key = try contentKeys.code(iv.bytes)
        let plaintext: [UInt8]?
        if let errorCorrection {
            let sealed = try errorCorrection.decode(stored).bytes
            plaintext = try cipher.open(sealed.span.bytes, key: key, additionalData: iv.bytes)
        } else {
            plaintext = try cipher.open(stored, key: key, additionalData: iv.bytes)
        }
        guard let plaintext else {
            throw FormatError(
                .authenticationFailed,
                "\(stored.byteCount) encrypted bytes did not authenticate: they were altered, cut short, or belong elsewhere"
            )
        }
        return plaintext
    }

    // MARK: Whole blobs

    /// A blob that is encrypted as a whole (indexes, session markers, logs) and the name that its content gives it:
    /// `prefix ‖ hex(hash) [‖ "-" ‖ suffix]`. The suffix is not authenticated.
    ///
    /// - Throws: `FormatError.Code.invalidParameter` when prefix and suffix do not make a blob ID.
    public func sealBlob(
        prefix: String, suffix: String?, plaintext: [UInt8]
    ) throws(FormatError) -> (id: BlobID, bytes: [UInt8]) {
        let hash = try hash(plaintext)
        let name = prefix + Hex.encode(hash) + (suffix.map { "-" + $0 } ?? "")
        guard let id = BlobID(name) else {
            throw FormatError(.invalidParameter, "'\(name)' cannot be the name of a blob")
        }
        return (id, try encrypt(plaintext, iv: EncryptionIV(hash: hash)))
    }

    /// - Throws: `FormatError.Code.authenticationFailed`, naming the blob.
    public func openBlob(_ id: BlobID, _ stored: [UInt8]) throws(FormatError) -> [UInt8] {
        guard let iv = EncryptionIV(blobID: id) else {
            throw FormatError(.authenticationFailed, "blob '\(id)' has no hash in its name and so cannot be decrypted")
        }
        do {
            return try decrypt(stored, iv: iv)
        } catch {
            throw FormatError(error.code, "blob '\(id)' of \(stored.count) bytes cannot be decrypted: \(error.message)")
        }
    }

    // MARK: Compression

    /// Compresses a content, unless that makes it no smaller.
    ///
    /// - Returns: `u32be(header ID) ‖ stream` and the header ID; or the plaintext and 0.
    /// - Throws: `FormatError.Code.unsupported` for a header ID that cannot be written.
    public func compress(
        _ plaintext: [UInt8], headerID: UInt32
    ) throws(FormatError) -> (bytes: [UInt8], headerID: UInt32) {
        try Compression.compress(plaintext, headerID: headerID)
    }

    /// Takes back what `compress` made, for the next call; leaves an empty array.
    public func reuse(_ compressed: inout [UInt8]) { OutputBuffers.give(&compressed) }

    /// The plaintext of a content whose index entry says `headerID`.
    ///
    /// - Parameter expectedLength: from the index; nil when it has none (index version 1), and then at most
    ///   `Compression.lengthMax` bytes come out.
    /// - Throws: `FormatError.Code.damagedStream`.
    public func decompress(
        _ stored: [UInt8], headerID: UInt32, expectedLength: Int?
    ) throws(FormatError) -> [UInt8] {
        try Compression.decompress(stored, headerID: headerID, expectedLength: expectedLength)
    }
}
