import GoFormats
import GoTemplate

/// How functions of templates and programs write a whole value with other characters.
enum SecretEncodings {
    /// Bytes of the longest value that is looked for in these forms; passwords and keys are shorter, certificates are not.
    static let limit = 4 << 10

    /// - Parameter json: the value as texts of JSON have it, which may be in base64 as a whole.
    static func forms(of value: [UInt8], json: [[UInt8]]) -> [[UInt8]] {
        let encoded = Array(Base64.encode(value).utf8)
        let text = GoString(bytes: value)
        let hex = Hex.encode(value)
        let texts = [
            Base64.encode(encoded), Base32.encode(value), hex, hex.uppercased(),
            value.map { String($0) }.joined(separator: " "),
        ]
        let escaped = [Escaping.query(text), Escaping.html(text), Escaping.javaScript(text)].map(\.bytes)
        return texts.map { Array($0.utf8) } + escaped + [upper(value), lower(value)]
            + Set([value, encoded] + json).flatMap { inner in (0..<3).compactMap { insideBase64(inner, after: $0) } }
    }

    /// The characters of a longer base64 text that stand for nothing but the value, when it follows `offset` other bytes.
    private static func insideBase64(_ value: [UInt8], after offset: Int) -> [UInt8]? {
        let text = Array(Base64.encode([UInt8](repeating: 0, count: offset) + value).utf8)
        // A character holds six bits.
        let (first, end) = ((offset * 8 + 5) / 6, (offset + value.count) * 8 / 6)
        return first < end ? Array(text[first..<end]) : nil
    }

    private static func upper(_ bytes: [UInt8]) -> [UInt8] { bytes.map { (0x61...0x7a).contains($0) ? $0 - 0x20 : $0 } }
    private static func lower(_ bytes: [UInt8]) -> [UInt8] { bytes.map { (0x41...0x5a).contains($0) ? $0 + 0x20 : $0 } }
}
