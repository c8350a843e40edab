public import GoFormats

/// Files beside a test source.
public enum Fixture {
    /// The path of `Fixtures/<name>` beside the file that calls.
    public static func path(_ name: String, file: StaticString = #filePath) -> String {
        let folder = file.description.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        return folder.joined(separator: "/") + "/Fixtures/" + name
    }

    public static func bytes(_ name: String, file: StaticString = #filePath) throws -> [UInt8] {
        try Files.read(path(name, file: file))
    }

    public static func json(_ name: String, file: StaticString = #filePath) throws -> JSONValue {
        try JSONParser.parse(try bytes(name, file: file))
    }
}
