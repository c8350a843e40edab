import RunnerContract

/// What `--path` means for a stream: the folder is the snapshot's source, the last part the file's name.
///
/// Source: Kanister `pkg/kopia/snapshot/snapshot.go`, `pkg/datamover`: Go's `path.Dir`, `path.Base` on the path as given.
struct LocationPath: Sendable, Hashable {
    /// Where kando puts a path without a folder.
    static let defaultFolder = "/kanister-backups"

    /// `/kanister-backups`, or the folder as it is given, also a relative one.
    let folder: String
    let file: String
    /// Whether `folder` was named, or is kando's.
    private let namesFolder: Bool

    /// - Throws: `PodRunnerError` with exit code 3 when there is no last part.
    init(_ path: String) throws {
        let components = path.split(separator: "/").filter { $0 != "." }
        guard let last = components.last, last != "..", !path.hasSuffix("/"), !path.utf8.contains(0) else {
            throw PodRunnerError(
                .input, "the path \"\(path)\" does not end with a file name",
                hint: "give --path, for example backup.sql")
        }
        file = String(last)
        let parents = components.dropLast().joined(separator: "/")
        namesFolder = !parents.isEmpty
        folder = parents.isEmpty ? Self.defaultFolder : (path.hasPrefix("/") ? "/" : "") + parents
    }

    /// The path of the source that dumps of a database belong to: kopia counts the snapshots that retention keeps by source,
    /// so that two databases of one source would push each other out.
    ///
    /// - Returns: the folder where one was named, else `/kanister-backups/` and the database.
    func sourcePath(database: String) -> String {
        namesFolder ? folder : "\(folder)/\(Self.component(database))"
    }

    /// A database's name as one part of a path: `/`, `%`, control characters and names of dots only are percent-encoded.
    private static func component(_ name: String) -> String {
        let isDots = name.utf8.allSatisfy { $0 == UInt8(ascii: ".") }
        var bytes: [UInt8] = []
        for byte in name.utf8 {
            guard byte < 0x20 || byte == 0x7f || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "%") || isDots else {
                bytes.append(byte)
                continue
            }
            bytes += Array((byte < 16 ? "%0" : "%").utf8) + Array(String(byte, radix: 16, uppercase: true).utf8)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
