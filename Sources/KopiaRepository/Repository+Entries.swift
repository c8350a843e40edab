import KopiaObject
public import KopiaSnapshot

/// An entry and where it is in its snapshot.
public struct SnapshotEntry: Sendable, Hashable {
    /// Relative to the root, without a leading `/`; empty for the root itself.
    public let path: String
    public let entry: DirectoryEntry

    public init(path: String, entry: DirectoryEntry) {
        self.path = path
        self.entry = entry
    }
}

extension Repository {
    /// The entry at a path. The empty path and `/` are the root.
    ///
    /// - Throws: `RepositoryError.Code.entryNotFound` naming what the directory does have.
    public func entry(at path: String, in snapshot: Snapshot) async throws -> DirectoryEntry {
        try await translatingErrors {
            var entry = snapshot.root
            var walked = ""
            for component in path.split(separator: "/") where component != "." {
                guard entry.kind == .directory else {
                    throw RepositoryError(
                        .entryNotFound, "'\(walked)' of snapshot \(snapshot.id) is not a directory")
                }
                let directory = try await Directory.read(entry.object, from: self.contents)
                // Bytes: two names may differ in Unicode normalisation alone.
                guard let found = directory.entries.first(where: { $0.name.utf8.elementsEqual(component.utf8) }) else {
                    let names = directory.entries.prefix(10).map { "'\($0.name)'" }.joined(separator: ", ")
                    let place = walked.isEmpty ? "the root" : "'\(walked)'"
                    throw RepositoryError(
                        .entryNotFound, "there is no '\(component)' in \(place) of snapshot \(snapshot.id)",
                        hint: names.isEmpty ? "it is empty" : "it has \(names)")
                }
                entry = found
                walked += (walked.isEmpty ? "" : "/") + component
            }
            return entry
        }
    }

    /// What a directory holds: its own entries, or everything below it, each directory before its entries.
    ///
    /// - Parameter path: put before the paths; the directory's own path in its snapshot.
    ///
    /// Concurrency and memory: holds all entries; `forEachEntry` does not.
    public func entries(
        of directory: DirectoryEntry, path: String = "", recursive: Bool = false
    ) async throws -> [SnapshotEntry] {
        var all: [SnapshotEntry] = []
        try await forEachEntry(of: directory, path: path, recursive: recursive) { all.append($0) }
        return all
    }

    /// As `entries`, one by one. Holds the directories on the way down.
    public func forEachEntry(
        of directory: DirectoryEntry, path: String = "", recursive: Bool = false,
        _ body: (SnapshotEntry) async throws -> Void
    ) async throws {
        // An explicit stack: depth is other people's data.
        var stack: [(entries: [DirectoryEntry], next: Int, path: String)] = []
        func push(_ entry: DirectoryEntry, _ path: String) async throws {
            let read = try await translatingErrors { try await Directory.read(entry.object, from: self.contents) }
            stack.append((read.entries, 0, path))
        }
        guard directory.kind == .directory else { return }
        try await push(directory, path)
        while let top = stack.last {
            try Task.checkCancellation()
            guard top.next < top.entries.count else {
                stack.removeLast()
                continue
            }
            stack[stack.count - 1].next += 1
            let entry = top.entries[top.next]
            let entryPath = top.path.isEmpty ? entry.name : "\(top.path)/\(entry.name)"
            try await body(SnapshotEntry(path: entryPath, entry: entry))
            if recursive, entry.kind == .directory { try await push(entry, entryPath) }
        }
    }

    /// Opens a file for reading, or a symlink, whose bytes are its target.
    ///
    /// - Throws: `RepositoryError.Code.entryNotFound` for a directory; `.damaged` when the object is missing or has
    ///   another length than the directory says.
    public func openFile(_ entry: DirectoryEntry) async throws -> SnapshotFile {
        guard entry.kind != .directory else {
            throw RepositoryError(.entryNotFound, "'\(entry.name)' is a directory, not a file")
        }
        let reader = try await translatingErrors { try await ObjectReader.open(entry.object, in: self.contents) }
        guard entry.kind == .symlink || reader.length == entry.size else {
            throw RepositoryError(
                .damaged,
                "file '\(entry.name)' has \(entry.size) bytes by its directory, but its object \(entry.object) has "
                    + "\(reader.length)",
                hint: "the directory was written wrongly; the other files of the snapshot are not affected")
        }
        return SnapshotFile(reader: reader)
    }
}

/// The bytes of one file of a snapshot. Every chunk is authenticated and has the length it must have.
///
/// Concurrency and memory: a value; calls may run concurrently. It must not be used after its repository was closed.
public struct SnapshotFile: Sendable {
    let reader: ObjectReader

    /// Bytes.
    public var length: Int64 { reader.length }

    /// Calls `body` with the bytes in order, chunk by chunk; no chunk is empty.
    ///
    /// Concurrency and memory: reads ahead up to 40 MiB (`ObjectReader.forEachChunk`), divided by `readers`, but holds two
    /// chunks at least; `body` runs one call at a time.
    ///
    /// - Parameters:
    ///   - range: nil for the whole file; clamped to it.
    ///   - readers: how many such calls at once shall hold no more than one of them alone.
    /// - Throws: `RepositoryError.Code.damaged` for bytes that are missing or altered, after what came before them was
    ///   delivered; `.storage`; whatever `body` throws; `CancellationError`.
    public func forEachChunk(
        in range: Range<Int64>? = nil, readers: Int = 1, _ body: ([UInt8]) async throws -> Void
    ) async throws {
        try await translatingErrors { try await self.reader.forEachChunk(in: range, readers: readers, body) }
    }

    /// The bytes of a range, clamped to the file; all of them in memory.
    public func read(_ range: Range<Int64>) async throws -> [UInt8] {
        try await translatingErrors { try await self.reader.read(range) }
    }

    /// The whole file.
    ///
    /// - Throws: `RepositoryError.Code.damaged` when it has more than `limit` bytes.
    public func readAll(limit: Int) async throws -> [UInt8] {
        try await translatingErrors { try await self.reader.readAll(limit: limit) }
    }
}
