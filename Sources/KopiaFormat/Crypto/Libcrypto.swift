internal import COpenSSL

/// A MAC or cipher fetched from libcrypto once.
///
/// `@unchecked Sendable`: a fetched algorithm is an immutable, reference-counted object that libcrypto documents as
/// shareable between threads; what changes lives in contexts, which are made per call.
final class FetchedAlgorithm: @unchecked Sendable {
    let pointer: OpaquePointer
    private let release: (OpaquePointer) -> Void

    private init(_ pointer: OpaquePointer, release: @escaping (OpaquePointer) -> Void) {
        self.pointer = pointer
        self.release = release
    }

    deinit { release(pointer) }

    static func cipher(_ name: String) -> FetchedAlgorithm? {
        EVP_CIPHER_fetch(nil, name, nil).map { FetchedAlgorithm($0) { EVP_CIPHER_free($0) } }
    }

    static func mac(_ name: String) -> FetchedAlgorithm? {
        EVP_MAC_fetch(nil, name, nil).map { FetchedAlgorithm($0) { EVP_MAC_free($0) } }
    }

    static let hmac = mac("HMAC")
}

/// A MAC with its key set: calls start from a copy of it.
///
/// Concurrency and memory: may be used concurrently; each call copies the context (a few hundred bytes).
///
/// `@unchecked Sendable`: the keyed context is never changed after `init`; `EVP_MAC_CTX_dup` only reads it.
final class KeyedMAC: @unchecked Sendable {
    private let template: OpaquePointer
    let length: Int

    /// - Parameters:
    ///   - digest: for HMAC: libcrypto's name of the hash.
    ///   - size: for BLAKE2: the native digest length.
    init(
        _ algorithm: FetchedAlgorithm?, key: [UInt8], digest: String? = nil, size: Int? = nil
    ) throws(FormatError) {
        guard let algorithm, let context = EVP_MAC_CTX_new(algorithm.pointer) else {
            throw FormatError(.library, "libcrypto offers no \(digest.map { "HMAC over \($0)" } ?? "BLAKE2 MAC")")
        }
        guard Self.setKey(context, key, digest: digest, size: size) else {
            EVP_MAC_CTX_free(context)
            throw FormatError(.library, "libcrypto refused a MAC key of \(key.count) bytes")
        }
        template = context
        length = EVP_MAC_CTX_get_mac_size(context)
    }

    deinit { EVP_MAC_CTX_free(template) }

    /// Parameters point to their names and values, so all of them must stay where they are until `EVP_MAC_init` is done.
    private static func setKey(_ context: OpaquePointer, _ key: [UInt8], digest: String?, size: Int?) -> Bool {
        var digestName = Array((digest ?? "").utf8CString)
        var sizeValue = size ?? 0
        // A nil key would mean "keep the old one", and an empty array may have no address.
        let keyBytes = key + [0]
        return digestName.withUnsafeMutableBufferPointer { digestName in
            withUnsafeMutablePointer(to: &sizeValue) { sizeValue in
                OSSL_MAC_PARAM_DIGEST.withCString { digestKey in
                    OSSL_MAC_PARAM_SIZE.withCString { sizeKey in
                        var parameters: [OSSL_PARAM] = []
                        if digest != nil {
                            parameters.append(
                                OSSL_PARAM_construct_utf8_string(digestKey, digestName.baseAddress, 0))
                        }
                        if size != nil { parameters.append(OSSL_PARAM_construct_size_t(sizeKey, sizeValue)) }
                        parameters.append(OSSL_PARAM_construct_end())
                        return EVP_MAC_init(context, keyBytes, key.count, parameters) == 1
                    }
                }
            }
        }
    }

    func code(_ bytes: RawSpan) throws(FormatError) -> [UInt8] {
        guard let context = EVP_MAC_CTX_dup(template) else {
            throw FormatError(.library, "libcrypto could not copy a MAC context")
        }
        defer { EVP_MAC_CTX_free(context) }
        var written = 0
        var succeeded = false
        let code = [UInt8](unsafeUninitializedCapacity: length) { output, count in
            succeeded = bytes.withUnsafeBytes { input in
                EVP_MAC_update(context, input.baseAddress?.assumingMemoryBound(to: UInt8.self), input.count) == 1
                    && EVP_MAC_final(context, output.baseAddress, &written, output.count) == 1
            }
            count = succeeded ? written : 0
        }
        guard succeeded, code.count == length else { throw FormatError(.library, "libcrypto could not compute a MAC") }
        return code
    }

    func code(_ bytes: [UInt8]) throws(FormatError) -> [UInt8] { try code(bytes.span.bytes) }
}

/// Bytes from libcrypto's generator.
func randomBytes(_ count: Int) throws(FormatError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    guard RAND_bytes(&bytes, Int32(clamping: count)) == 1 else {
        throw FormatError(
            .library, "the random number generator failed", hint: "check that the system provides entropy")
    }
    return bytes
}
