internal import COpenSSL

/// For comparing with recorded check sums.
public enum SHA256 {
    /// 64 lower-case digits.
    public static func hex(_ bytes: [UInt8]) -> String {
        var digest = [UInt8](repeating: 0, count: 32)
        _ = EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil)
        return Bytes.hex(digest)
    }
}

/// Bytes as text, for tests.
public enum Bytes {
    public static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// White space is skipped; anything else that is not hex ends the bytes.
    public static func fromHex(_ text: String) -> [UInt8] {
        let digits = text.filter { !$0.isWhitespace }
        var bytes: [UInt8] = []
        var rest = digits[...]
        while let byte = UInt8(rest.prefix(2), radix: 16), rest.count >= 2 {
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        return bytes
    }

    public static func fromBase64(_ text: String) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: text.utf8.count / 4 * 3 + 1)
        let count = EVP_DecodeBlock(&bytes, Array(text.utf8), Int32(text.utf8.count))
        let padding = text.utf8.reversed().prefix { $0 == UInt8(ascii: "=") }.count
        return Array(bytes.prefix(max(0, Int(count) - padding)))
    }
}
