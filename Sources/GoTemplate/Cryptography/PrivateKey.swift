internal import COpenSSL

/// A private key of OpenSSL's.
///
/// Not `Sendable`: made, used and released within one function call.
final class PrivateKey {
    let handle: OpaquePointer

    private init(_ handle: OpaquePointer) { self.handle = handle }
    deinit { EVP_PKEY_free(handle) }

    static func rsa(bits: Int32) -> PrivateKey? {
        generate(EVP_PKEY_RSA) { EVP_PKEY_CTX_set_rsa_keygen_bits($0, bits) == 1 }
    }

    /// On the curve P-256.
    static func ecdsa() -> PrivateKey? {
        generate(EVP_PKEY_EC) { EVP_PKEY_CTX_set_ec_paramgen_curve_nid($0, NID_X9_62_prime256v1) == 1 }
    }

    private static func generate(_ type: Int32, _ configure: (OpaquePointer) -> Bool) -> PrivateKey? {
        guard let context = EVP_PKEY_CTX_new_id(type, nil) else { return nil }
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard EVP_PKEY_keygen_init(context) == 1, configure(context), EVP_PKEY_keygen(context, &key) == 1, let key
        else {
            return nil
        }
        return PrivateKey(key)
    }

    /// A PKCS #1 key; nil when the bytes are none.
    init?(pkcs1 bytes: [UInt8]) {
        let key = bytes.withUnsafeBufferPointer { buffer -> OpaquePointer? in
            var position = buffer.baseAddress
            return d2i_PrivateKey(EVP_PKEY_RSA, nil, &position, buffer.count)
        }
        guard let key else { return nil }
        handle = key
    }

    /// In the traditional form: `RSA PRIVATE KEY` (PKCS #1) or `EC PRIVATE KEY` (SEC 1).
    var pem: String? {
        Memory.text { PEM_write_bio_PrivateKey_traditional($0, handle, nil, nil, 0, nil, nil) == 1 }
    }
}

/// OpenSSL's memory files.
enum Memory {
    /// What `write` writes, as text; nil when it fails.
    static func text(_ write: (OpaquePointer) -> Bool) -> String? {
        guard let file = BIO_new(BIO_s_mem()) else { return nil }
        defer { BIO_free_all(file) }
        guard write(file) else { return nil }
        var out: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = BIO_read(file, &buffer, Int32(buffer.count))
            if count <= 0 { break }
            out += buffer.prefix(Int(count))
        }
        return String(decoding: out, as: UTF8.self)
    }
}

/// One block of a PEM text.
///
/// Source: RFC 7468; what Go's `pem.Decode` finds first.
struct PEMBlock {
    let label: String
    let bytes: [UInt8]

    /// The first block of a text; nil when there is none.
    init?(_ text: [UInt8]) {
        let dashes = Array("-----".utf8)
        guard let begin = ByteText.find(Array("-----BEGIN ".utf8), in: text) else { return nil }
        let nameStart = begin + 11
        guard let nameEnd = ByteText.find(dashes, in: text, from: nameStart) else { return nil }
        let name = Array(text[nameStart..<nameEnd])
        let bodyStart = nameEnd + dashes.count
        let end = Array("-----END ".utf8) + name + dashes
        guard let bodyEnd = ByteText.find(end, in: text, from: bodyStart) else { return nil }
        let body = text[bodyStart..<bodyEnd].filter { $0 != 0x20 && $0 != 0x09 }
        guard case .success(let bytes) = Base64.decode(body), !bytes.isEmpty else { return nil }
        label = String(decoding: name, as: UTF8.self)
        self.bytes = bytes
    }
}
