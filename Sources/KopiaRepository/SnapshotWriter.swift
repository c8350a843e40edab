public import GoFormats
import KopiaObject
public import KopiaSnapshot
import Synchronization

/// Takes the files of a snapshot that is being written. Paths are relative to its root; folders above a file appear by
/// themselves with mode 0755.
///
/// Concurrency and memory: files may be added concurrently. One stream takes what `ObjectWriter` says; entries are kept
/// until the snapshot is done.
public final class SnapshotWriter: Sendable {
    /// Gives the writer of a file by its name.
    let plan: StoragePlan
    let clock: @Sendable () -> Timestamp
    let tree: Mutex<SnapshotTree>

    init(plan: StoragePlan, clock: @escaping @Sendable () -> Timestamp) {
        self.plan = plan
        self.clock = clock
        tree = Mutex(SnapshotTree())
    }

    /// Stores a file from a stream.
    ///
    /// - Parameters:
    ///   - path: for example `backup.sql` or `logs/today.txt`.
    ///   - modified: nil takes the present time.
    ///   - next: the next bytes, in blocks of any size, nil at the end. Called once at a time, and not while the bound of
    ///     `ObjectWriter` is reached: that is how the producer is slowed down.
    /// - Returns: the entry; its `size` is the number of bytes stored.
    /// - Throws: `RepositoryError.Code.invalidArgument` for a path that is taken or not usable; `.storage`; whatever
    ///   `next` throws. Then the snapshot must not be completed: let the error leave the body.
    @discardableResult
    public func addFile(
        _ path: String, mode: FileMode = .everything, modified: Timestamp? = nil,
        from next: () async throws -> [UInt8]?
    ) async throws -> DirectoryEntry {
        let components = try SnapshotTree.components(of: path)
        let name = components[components.count - 1]
        try tree.withLock { tree throws(RepositoryError) in try tree.reserve(components) }
        let time = modified ?? clock()
        return try await translatingErrors {
            let writer = try self.plan.writer(forFileNamed: name)
            let written = try await writer.write(
                from: next, checkpointInterval: self.plan.checkpointInterval
            ) { partial in
                try await self.plan.checkpoint(self, components, partial)
            }
            let entry = DirectoryEntry(
                name: name, kind: .file, mode: mode, size: written.length, modified: time, object: written.id)
            self.tree.withLock { $0.set(entry, at: components) }
            return entry
        }
    }

    /// Stores a file whose bytes are in memory.
    @discardableResult
    public func addFile(
        _ path: String, mode: FileMode = .everything, modified: Timestamp? = nil, bytes: [UInt8]
    ) async throws -> DirectoryEntry {
        var block: [UInt8]? = bytes
        return try await addFile(path, mode: mode, modified: modified) {
            defer { block = nil }
            return block
        }
    }

    /// Stores a symbolic link.
    @discardableResult
    public func addSymlink(
        _ path: String, target: String, modified: Timestamp? = nil
    ) async throws -> DirectoryEntry {
        let components = try SnapshotTree.components(of: path)
        try tree.withLock { tree throws(RepositoryError) in try tree.reserve(components) }
        let time = modified ?? clock()
        return try await translatingErrors {
            let bytes = Array(target.utf8)
            let written = try await self.plan.metadataWriter().write(bytes)
            let entry = DirectoryEntry(
                name: components[components.count - 1], kind: .symlink, mode: .everything, size: written.length,
                modified: time, object: written.id)
            self.tree.withLock { $0.set(entry, at: components) }
            return entry
        }
    }

    /// Gives a folder its mode and time, and makes it if it is empty.
    public func addDirectory(
        _ path: String, mode: FileMode = FileMode(bits: 0o755), modified: Timestamp? = nil
    ) throws {
        let components = try SnapshotTree.components(of: path)
        let time = modified ?? clock()
        try tree.withLock { tree throws(RepositoryError) in
            try tree.setDirectory(components, mode: mode, modified: time)
        }
    }
}
