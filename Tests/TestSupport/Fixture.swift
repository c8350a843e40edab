public import GoFormats

#if canImport(Glibc)
    import Glibc
#endif

/// Files beside a test source.
public enum Fixture {
    /// Why a fixture cannot be read.
    public struct Missing: Error, CustomStringConvertible {
        public let description: String
    }

    /// The path of `Fixtures/<name>` beside the file that calls.
    public static func path(_ name: String, file: StaticString = #filePath) -> String {
        let folder = file.description.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        return folder.joined(separator: "/") + "/Fixtures/" + name
    }

    public static func bytes(_ name: String, file: StaticString = #filePath) throws -> [UInt8] {
        try read(path(name, file: file))
    }

    public static func json(_ name: String, file: StaticString = #filePath) throws -> JSONValue {
        try JSONParser.parse(try bytes(name, file: file))
    }

    /// The bytes of any file.
    public static func read(_ path: String) throws -> [UInt8] {
        guard let stream = fopen(path, "rb") else { throw Missing(description: "cannot open \(path): errno \(errno)") }
        defer { fclose(stream) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = fread(&buffer, 1, buffer.count, stream)
            if count == 0 { break }
            bytes.append(contentsOf: buffer[..<count])
        }
        return bytes
    }
}
