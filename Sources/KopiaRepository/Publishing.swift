import GoFormats
import KopiaContent
import KopiaManifest
import KopiaObject
import KopiaSnapshot
import Synchronization

extension Repository {
    /// Directories, flush, a look at what is there, manifest, flush, a look at the manifest.
    func publish(
        _ writer: SnapshotWriter, of source: SnapshotSource, options: SnapshotOptions, startTime: Timestamp
    ) async throws -> Snapshot {
        let tree = writer.tree.withLock { $0 }
        let root: DirectoryEntry
        let summary: DirectorySummary
        if options.rootIsOnlyFile {
            (root, summary) = try tree.onlyFile()
        } else {
            let object: ObjectID
            (object, summary) = try await tree.write(
                to: contents, compression: writer.plan.metadataCompression,
                rootModified: options.rootModified ?? startTime)
            root = DirectoryEntry(
                name: options.rootName ?? source.path, kind: .directory, mode: options.rootMode,
                modified: options.rootModified ?? .kopiaVirtualRoot, object: object, summary: summary)
        }
        var draft = SnapshotDraft(source: source, startTime: startTime, endTime: clock(), root: root)
        draft.description = options.description
        draft.tags = options.tags
        draft.pins = options.pins
        draft.statistics.totalSize = summary.size
        draft.statistics.fileCount = summary.files
        draft.statistics.nonCachedFiles = summary.files
        draft.statistics.directoryCount = summary.directories
        try draft.check()

        try await contents.flush()
        try await contents.refresh()
        try Task.checkCancellation()
        let snapshot = try await snapshotStore.put(draft)
        if options.marksSourceManual { try await PolicyStore(manifests: manifests).markManual(source) }
        try await manifests.flush()
        try await contents.refresh()
        guard try await manifests.get(snapshot.id) != nil else {
            throw RepositoryError(
                .notCommitted, "snapshot \(snapshot.id) was written, but the repository does not show it",
                hint: "the storage may list with a delay; look again with 'snapshot list', then repeat the backup")
        }
        return snapshot
    }

    func publishCheckpoint(
        of source: SnapshotSource, writer: SnapshotWriter, path: [String], part: WrittenObject, startTime: Timestamp
    ) async throws {
    }
}
