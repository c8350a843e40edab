internal import COpenSSL

/// How the format key is made from the password; the salt is the repository's unique ID.
///
/// Source: kopia `internal/crypto/scrypt.go`, `pb_key_deriver_pbkdf2.go`; `kopia-format` §2.2.
public enum KeyDerivation: String, Sendable, Hashable, CaseIterable {
    /// Needs 32 MiB while it runs (a debug build 64: there libcrypto does it, as ours would be slow without optimisation).
    case scrypt = "scrypt-65536-8-1"
    case pbkdf2 = "pbkdf2-sha256-600000"

    static let saltLengthMin = 16

    /// 32 bytes. Takes some 0.1 to 0.3 seconds of computing, on purpose.
    func key(password: Password, salt: [UInt8]) throws(FormatError) -> SecretBytes {
        guard salt.count >= Self.saltLengthMin else {
            throw FormatError(
                .damaged,
                "the unique ID of the repository has \(salt.count) bytes; at least \(Self.saltLengthMin) are needed")
        }
        var key = [UInt8](repeating: 0, count: 32)
        let succeeded: Bool
        switch self {
        case .scrypt:
            #if DEBUG
                succeeded = password.utf8.withUnsafeBytes { bytes in
                    EVP_PBE_scrypt(
                        bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, salt, salt.count,
                        65_536, 8, 1, 80 << 20, &key, key.count) == 1
                }
            #else
                let derived = Scrypt.key(
                    password: password.utf8, salt: salt, n: 65_536, r: 8, p: 1, length: key.count)
                key = derived ?? key
                succeeded = derived != nil
            #endif
        case .pbkdf2:
            guard password.utf8.count <= Int(Int32.max), salt.count <= Int(Int32.max) else {
                throw FormatError(.invalidParameter, "the password is too long")
            }
            succeeded = password.utf8.withUnsafeBytes { bytes in
                withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { empty in
                    // A nil password means something else to libcrypto than an empty one.
                    let base = bytes.baseAddress ?? UnsafeRawPointer(empty.baseAddress)
                    return PKCS5_PBKDF2_HMAC(
                        base?.assumingMemoryBound(to: CChar.self), Int32(bytes.count), salt, Int32(salt.count),
                        600_000, EVP_sha256(), Int32(key.count), &key) == 1
                }
            }
        }
        guard succeeded else { throw FormatError(.library, "libcrypto could not derive a key with \(rawValue)") }
        return SecretBytes(key)
    }
}

/// HKDF-SHA256 (RFC 5869), extract and expand; short enough to be ours on top of HMAC.
enum HKDF {
    /// - Parameter length: at most 8160 (255 blocks).
    static func derive(
        material: SecretBytes, salt: [UInt8], info: String, length: Int
    ) throws(FormatError) -> SecretBytes {
        let extracted = try HMAC.sha256(key: salt.isEmpty ? [UInt8](repeating: 0, count: 32) : salt, material.bytes)
        let expand = try KeyedMAC(.hmac, key: extracted, digest: "SHA256")
        var output: [UInt8] = []
        var block: [UInt8] = []
        var counter: UInt8 = 1
        while output.count < length {
            block = try expand.code(block + Array(info.utf8) + [counter])
            output += block
            counter &+= 1
        }
        return SecretBytes(Array(output.prefix(length)))
    }
}

enum HMAC {
    static func sha256(key: [UInt8], _ bytes: [UInt8]) throws(FormatError) -> [UInt8] {
        try KeyedMAC(.hmac, key: key, digest: "SHA256").code(bytes)
    }
}
