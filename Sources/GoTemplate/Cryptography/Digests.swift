internal import COpenSSL

/// Hashes, through OpenSSL.
enum Digests {
    static func sha1(_ bytes: [UInt8]) -> [UInt8] { digest(bytes, EVP_sha1()) }
    static func sha256(_ bytes: [UInt8]) -> [UInt8] { digest(bytes, EVP_sha256()) }

    private static func digest(_ bytes: [UInt8], _ type: OpaquePointer?) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        guard EVP_Digest(bytes, bytes.count, &out, &length, type, nil) == 1 else { return [] }
        return Array(out.prefix(Int(length)))
    }

    /// Source: RFC 1950 §8.2.
    static func adler32(_ bytes: [UInt8]) -> UInt32 {
        var (low, high): (UInt32, UInt32) = (1, 0)
        for byte in bytes {
            low = (low + UInt32(byte)) % 65_521
            high = (high + low) % 65_521
        }
        return high << 16 | low
    }

    static func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}

/// AES-256 in CBC mode without padding, through OpenSSL.
enum BlockCipher {
    static let blockSize = 16

    /// - Parameters:
    ///   - key: 32 bytes.
    ///   - vector: 16 bytes.
    ///   - bytes: whole blocks.
    /// - Returns: nil when OpenSSL refuses.
    static func apply(_ bytes: [UInt8], key: [UInt8], vector: [UInt8], encrypts: Bool) -> [UInt8]? {
        guard key.count == 32, vector.count == blockSize, bytes.count % blockSize == 0,
            let context = EVP_CIPHER_CTX_new()
        else { return nil }
        defer { EVP_CIPHER_CTX_free(context) }
        guard EVP_CipherInit_ex(context, EVP_aes_256_cbc(), nil, key, vector, encrypts ? 1 : 0) == 1,
            EVP_CIPHER_CTX_set_padding(context, 0) == 1, bytes.count <= Int(Int32.max) - blockSize
        else { return nil }
        var out = [UInt8](repeating: 0, count: bytes.count + blockSize)
        var length: Int32 = 0
        guard EVP_CipherUpdate(context, &out, &length, bytes, Int32(bytes.count)) == 1 else { return nil }
        return Array(out.prefix(Int(length)))
    }
}
