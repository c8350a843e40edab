import Glibc
import GoFormats
import GoTemplate

/// A recorded file next to the tests.
enum Fixture {
    static func json(_ name: String) -> JSONValue {
        let folder = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        guard let bytes = read("/\(folder)/Fixtures/\(name)"), let value = try? JSONParser.parse(bytes) else {
            return .null
        }
        return value
    }

    private static func read(_ path: String) -> [UInt8]? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }

    /// Kanister's template root on which the vectors were recorded.
    static let root = freshRoot()

    private static let rootJSON = json("kanister-template-vectors.json")["fixture"] ?? .null

    static func freshRoot() -> GoValue { TypedDecoding.value(rootJSON, as: KanisterTypes.root) }
}
