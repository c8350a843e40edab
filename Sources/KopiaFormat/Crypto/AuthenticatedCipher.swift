internal import COpenSSL

/// AES-256-GCM or ChaCha20-Poly1305 as kopia frames them: 12 bytes of nonce, ciphertext, 16 bytes of tag.
///
/// Concurrency and memory: may be used concurrently; a context per call, no copy of the data.
struct AuthenticatedCipher: Sendable {
    static let nonceLength = 12
    static let tagLength = 16
    /// What encryption adds.
    static let overhead = nonceLength + tagLength

    private let algorithm: FetchedAlgorithm?
    private let name: String

    static let aes256GCM = AuthenticatedCipher(name: "AES-256-GCM")
    static let chaCha20Poly1305 = AuthenticatedCipher(name: "ChaCha20-Poly1305")

    private init(name: String) {
        self.name = name
        algorithm = FetchedAlgorithm.cipher(name)
    }

    private func context(key: [UInt8], nonce: [UInt8], encrypts: Bool) throws(FormatError) -> OpaquePointer {
        guard key.count == 32, nonce.count == Self.nonceLength else {
            throw FormatError(
                .library, "\(name) needs a key of 32 bytes and a nonce of 12, not \(key.count) and \(nonce.count)")
        }
        guard let algorithm, let context = EVP_CIPHER_CTX_new() else {
            throw FormatError(.library, "libcrypto offers no \(name)")
        }
        guard EVP_CipherInit_ex2(context, algorithm.pointer, key, nonce, encrypts ? 1 : 0, nil) == 1 else {
            EVP_CIPHER_CTX_free(context)
            throw FormatError(.library, "libcrypto could not set a key for \(name)")
        }
        return context
    }

    /// Appends `nonce ‖ ciphertext ‖ tag` to `output`.
    ///
    /// - Parameter nonce: 12 random bytes, never used twice with one key.
    func seal(
        _ plaintext: RawSpan, key: [UInt8], nonce: [UInt8], additionalData: [UInt8], into output: inout [UInt8]
    ) throws(FormatError) {
        let count = plaintext.byteCount
        guard count <= Int(Int32.max) - 64 else {
            throw FormatError(.unsupported, "\(count) bytes are too many to encrypt at once")
        }
        let context = try context(key: key, nonce: nonce, encrypts: true)
        defer { EVP_CIPHER_CTX_free(context) }
        var succeeded = false
        output.append(addingCapacity: count + Self.overhead) { (span: inout OutputSpan<UInt8>) in
            span.withUnsafeMutableBufferPointer { buffer, filled in
                guard let base = buffer.baseAddress else { return }
                for (position, byte) in nonce.enumerated() { base[position] = byte }
                succeeded = plaintext.withUnsafeBytes { input in
                    Self.run(context, input, additionalData, to: base + Self.nonceLength)
                        && EVP_CIPHER_CTX_ctrl(
                            context, EVP_CTRL_AEAD_GET_TAG, Int32(Self.tagLength), base + Self.nonceLength + count) == 1
                }
                filled = succeeded ? count + Self.overhead : 0
            }
        }
        guard succeeded else { throw FormatError(.library, "libcrypto could not encrypt with \(name)") }
    }

    /// `nonce ‖ ciphertext ‖ tag` as arrays of `pieceLength` bytes, at least 64, and a last one of up to 15 more, where
    /// one array of the whole would be another size each time.
    func seal(
        _ plaintext: RawSpan, key: [UInt8], nonce: [UInt8], additionalData: [UInt8], pieceLength: Int
    ) throws(FormatError) -> [[UInt8]] {
        let context = try context(key: key, nonce: nonce, encrypts: true)
        defer { EVP_CIPHER_CTX_free(context) }
        var step: Int32 = 0
        var succeeded =
            additionalData.isEmpty
            || EVP_CipherUpdate(context, nil, &step, additionalData, Int32(clamping: additionalData.count)) == 1
        let total = plaintext.byteCount + Self.overhead
        var pieces: [[UInt8]] = []
        var done = 0
        var before = nonce[...]
        while succeeded, done < total {
            var length = min(pieceLength, total - done)
            // The tag lies in one piece.
            if total - done - length < Self.tagLength { length = total - done }
            let isLast = done + length == total
            // All of one size, which the allocator finds again.
            let piece = [UInt8](unsafeUninitializedCapacity: pieceLength + Self.tagLength) { buffer, filled in
                guard let base = buffer.baseAddress else { return }
                for byte in before {
                    base[filled] = byte
                    filled += 1
                }
                let start = max(0, done - Self.nonceLength)
                let count = length - filled - (isLast ? Self.tagLength : 0)
                succeeded = plaintext.extracting(start..<(start + count)).withUnsafeBytes { input in
                    guard let source = input.baseAddress, !input.isEmpty else { return true }
                    return EVP_CipherUpdate(
                        context, base + filled, &step, source.assumingMemoryBound(to: UInt8.self), Int32(input.count))
                        == 1
                }
                filled += count
                guard succeeded, isLast else { return }
                succeeded =
                    EVP_CipherFinal_ex(context, base + filled, &step) == 1
                    && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(Self.tagLength), base + filled) == 1
                filled += Self.tagLength
            }
            pieces.append(piece)
            before = []
            done += length
        }
        guard succeeded else { throw FormatError(.library, "libcrypto could not encrypt with \(name)") }
        return pieces
    }

    /// The plaintext of `nonce ‖ ciphertext ‖ tag`, or nil when it does not authenticate.
    func open(_ stored: RawSpan, key: [UInt8], additionalData: [UInt8]) throws(FormatError) -> [UInt8]? {
        let count = stored.byteCount - Self.overhead
        guard count >= 0 else { return nil }
        guard count <= Int(Int32.max) - 64 else {
            throw FormatError(.unsupported, "\(count) bytes are too many to decrypt at once")
        }
        let nonce = stored.extracting(first: Self.nonceLength).withUnsafeBytes { Array($0) }
        var tag = stored.extracting(last: Self.tagLength).withUnsafeBytes { Array($0) }
        let context = try context(key: key, nonce: nonce, encrypts: false)
        defer { EVP_CIPHER_CTX_free(context) }
        guard EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(Self.tagLength), &tag) == 1 else {
            throw FormatError(.library, "libcrypto could not set the tag for \(name)")
        }
        let ciphertext = stored.extracting(droppingFirst: Self.nonceLength).extracting(droppingLast: Self.tagLength)
        var isAuthentic = false
        // One byte more than needed gives an empty plaintext an address as well.
        let plaintext = [UInt8](unsafeUninitializedCapacity: count + 1) { buffer, filled in
            guard let base = buffer.baseAddress else { return }
            isAuthentic = ciphertext.withUnsafeBytes { Self.run(context, $0, additionalData, to: base) }
            filled = isAuthentic ? count : 0
        }
        return isAuthentic ? plaintext : nil
    }

    private static func run(
        _ context: OpaquePointer, _ input: UnsafeRawBufferPointer, _ additionalData: [UInt8],
        to output: UnsafeMutablePointer<UInt8>
    ) -> Bool {
        var step: Int32 = 0
        guard
            additionalData.isEmpty
                || EVP_CipherUpdate(context, nil, &step, additionalData, Int32(additionalData.count)) == 1
        else { return false }
        step = 0
        if let base = input.baseAddress, !input.isEmpty {
            guard
                EVP_CipherUpdate(
                    context, output, &step, base.assumingMemoryBound(to: UInt8.self), Int32(input.count)) == 1
            else { return false }
        }
        var last: Int32 = 0
        return EVP_CipherFinal_ex(context, output + Int(step), &last) == 1
    }
}
