import GoFormats
import KopiaContent
import KopiaObject
import KopiaSnapshot

/// The entries of a snapshot that is being written, by folder.
struct SnapshotTree: Sendable {
    private struct Folder: Sendable {
        var mode = FileMode(bits: 0o755)
        var modified: Timestamp?
        /// By the name's bytes: two names may differ in Unicode normalisation alone.
        var children: [[UInt8]: Child] = [:]
    }

    private enum Child: Sendable {
        /// A file that is still being stored.
        case reserved
        case entry(DirectoryEntry)
        case folder(name: String, Folder)
    }

    private var root = Folder()

    /// - Throws: `RepositoryError.Code.invalidArgument` unless the path is relative and has only usable names.
    static func components(of path: String) throws(RepositoryError) -> [String] {
        let components = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        for component in components {
            guard !component.isEmpty, component != ".", component != "..", !component.utf8.contains(0) else {
                throw RepositoryError(
                    .invalidArgument, "'\(path)' cannot be a path inside a snapshot",
                    hint: "use a relative path without empty parts, '.' and '..', for example data/backup.sql")
            }
        }
        return components
    }

    /// Takes the place of a file before it is stored, so that a clash is noticed at once.
    mutating func reserve(_ components: [String]) throws(RepositoryError) {
        try Self.update(&root, components[...], of: components) { folder, name throws(RepositoryError) in
            guard folder.children[Array(name.utf8)] == nil else { throw Self.taken(components) }
            folder.children[Array(name.utf8)] = .reserved
        }
    }

    /// - Parameter components: a place that was reserved.
    mutating func set(_ entry: DirectoryEntry, at components: [String]) {
        // A reserved place cannot be in the way of itself.
        try? Self.update(&root, components[...], of: components) { folder, name throws(RepositoryError) in
            folder.children[Array(name.utf8)] = .entry(entry)
        }
    }

    mutating func setDirectory(
        _ components: [String], mode: FileMode, modified: Timestamp
    ) throws(RepositoryError) {
        try Self.update(&root, components[...], of: components) { folder, name throws(RepositoryError) in
            let key = Array(name.utf8)
            var child = Folder()
            switch folder.children[key] {
            case .folder(_, let known): child = known
            case nil: break
            default: throw Self.taken(components)
            }
            child.mode = mode
            child.modified = modified
            folder.children[key] = .folder(name: name, child)
        }
    }

    private static func update(
        _ folder: inout Folder, _ rest: ArraySlice<String>, of path: [String],
        _ change: (inout Folder, String) throws(RepositoryError) -> Void
    ) throws(RepositoryError) {
        guard let name = rest.first else { return }
        guard rest.count > 1 else { return try change(&folder, name) }
        let key = Array(name.utf8)
        var child = Folder()
        switch folder.children[key] {
        case .folder(_, let known): child = known
        case nil: break
        default: throw taken(path)
        }
        // Out of the dictionary while it changes, so that nothing is copied.
        folder.children[key] = .folder(name: name, Folder())
        defer { folder.children[key] = .folder(name: name, child) }
        try update(&child, rest.dropFirst(), of: path, change)
    }

    private static func taken(_ path: [String]) -> RepositoryError {
        RepositoryError(
            .invalidArgument, "'\(path.joined(separator: "/"))' is in the snapshot already",
            hint: "every path can be added once, and a file cannot hold others")
    }

    /// The single file as a snapshot's root, with the summary kopia gives such a root.
    ///
    /// - Throws: `RepositoryError.Code.invalidArgument` when there is anything else.
    func onlyFile() throws(RepositoryError) -> (root: DirectoryEntry, summary: DirectorySummary) {
        guard root.children.count == 1, case .entry(var entry)? = root.children.values.first, entry.kind == .file
        else {
            throw RepositoryError(.invalidArgument, "a snapshot whose root is a file holds exactly one file")
        }
        var summary = DirectorySummary()
        summary.size = entry.size
        summary.files = 1
        summary.directories = 0
        summary.newestModification = entry.modified
        entry.summary = summary
        return (entry, summary)
    }

    /// Stores the directories, deepest first; places still reserved are left out.
    ///
    /// - Parameters:
    ///   - extra: more entries of the folder at `extraPath`, for checkpoints.
    ///   - rootModified: for an empty root.
    /// - Returns: the root directory's object and totals.
    func write(
        to contents: any ContentStore, compression: UInt32, rootModified: Timestamp,
        incompleteReason: String? = nil, extra: DirectoryEntry? = nil, extraPath: [String] = []
    ) async throws -> (object: ObjectID, summary: DirectorySummary) {
        var tree = self
        if let extra { tree.set(extra, at: extraPath.dropLast() + [extra.name]) }
        return try await Self.write(
            tree.root, to: contents, compression: compression, modified: rootModified,
            incompleteReason: incompleteReason)
    }

    private static func write(
        _ folder: Folder, to contents: any ContentStore, compression: UInt32, modified: Timestamp,
        incompleteReason: String?
    ) async throws -> (object: ObjectID, summary: DirectorySummary) {
        var entries: [DirectoryEntry] = []
        for child in folder.children.values {
            switch child {
            case .reserved: continue
            case .entry(let entry): entries.append(entry)
            case .folder(let name, let below):
                let time = below.modified ?? modified
                let (object, summary) = try await write(
                    below, to: contents, compression: compression, modified: time,
                    incompleteReason: incompleteReason)
                entries.append(
                    DirectoryEntry(
                        name: name, kind: .directory, mode: below.mode, modified: time, object: object,
                        summary: summary))
            }
        }
        let directory = try Directory(of: entries, modified: modified, incompleteReason: incompleteReason)
        return (try await directory.write(to: contents, compression: compression), directory.summary)
    }
}
