import Glibc
import GoFormats
import KopiaBlob
import KopiaContent
import Testing

/// Files next to the tests.
enum FixtureFiles {
    static let root =
        String(#filePath.prefix(through: #filePath.lastIndex(of: "/") ?? #filePath.startIndex)) + "Fixtures/"

    struct Missing: Error { let path: String }

    static func bytes(_ path: String) throws -> [UInt8] {
        guard let file = fopen(path, "rb") else { throw Missing(path: path) }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }

    static func json(_ name: String) throws -> JSONValue { try JSONParser.parse(bytes(root + name)) }
}

func base64(_ text: String) -> [UInt8] {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var bytes: [UInt8] = []
    var bits = 0
    var value = 0
    for character in text.utf8 {
        guard let digit = alphabet.firstIndex(of: character) else { continue }
        value = (value << 6 | digit) & 0xffff
        bits += 6
        if bits >= 8 {
            bits -= 8
            bytes.append(UInt8(truncatingIfNeeded: value >> bits))
        }
    }
    return bytes
}

func bytes(hex text: String) -> [UInt8] {
    let digits = text.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

func blobID(_ text: String) throws -> BlobID { try #require(BlobID(text)) }
func contentID(_ text: String) throws -> ContentID { try #require(ContentID(text)) }
