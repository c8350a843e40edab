internal import COpenSSL

/// Signatures with an RSA key, as JSON Web Tokens want them (RS256).
public enum RSASignature {
    /// RSASSA-PKCS1-v1_5 over SHA-256; as many bytes as the key has.
    ///
    /// - Parameter privateKeyPEM: PKCS #8 or PKCS #1, not encrypted.
    /// - Throws: `DigestError` when it is no RSA key. The message has no part of it.
    public static func sha256(_ bytes: [UInt8], privateKeyPEM: String) throws(DigestError) -> [UInt8] {
        let text = Array(privateKeyPEM.utf8)
        guard let length = Int32(exactly: text.count), let buffer = BIO_new_mem_buf(text, length) else {
            throw DigestError("libcrypto could not read the key")
        }
        defer { BIO_free(buffer) }
        // Without a callback libcrypto would ask on the terminal for the password of an encrypted key.
        let refusesPasswords:
            @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32 =
                { _, _, _, _ in -1 }
        guard let key = PEM_read_bio_PrivateKey(buffer, nil, refusesPasswords, nil) else {
            ERR_clear_error()
            throw DigestError("it is no unencrypted private key in PEM form")
        }
        defer { EVP_PKEY_free(key) }
        guard EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA, let context = EVP_MD_CTX_new() else {
            throw DigestError("it is no RSA key")
        }
        defer { EVP_MD_CTX_free(context) }
        var count = Int(EVP_PKEY_get_size(key))
        var signature = [UInt8](repeating: 0, count: max(0, count))
        guard EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key) == 1,
            EVP_DigestSign(context, &signature, &count, bytes, bytes.count) == 1
        else {
            ERR_clear_error()
            throw DigestError("libcrypto could not sign")
        }
        return Array(signature.prefix(count))
    }
}
