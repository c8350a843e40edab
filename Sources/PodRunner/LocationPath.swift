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
        folder = parents.isEmpty ? Self.defaultFolder : (path.hasPrefix("/") ? "/" : "") + parents
    }
}
