import GoFormats
import KopiaBlob
import KopiaContent
import KopiaManifest
import KopiaObject
import KopiaServer
public import KopiaSnapshot
import Synchronization

extension Repository {
    /// Writes a snapshot: `body` adds the files, then the directories are stored, everything is flushed and looked at
    /// again, and only then the manifest is published. When `body` throws or the task is cancelled, nothing is.
    ///
    ///     let written = try await repository.writeSnapshot(of: identity.source(path: "/kanister-backups")) { writer in
    ///         try await writer.addFile("backup.sql") { try await dump.nextBlock() }
    ///         try await dump.checkExit()  // throwing here publishes nothing
    ///     }
    ///
    /// - Returns: the snapshot with its ID, and what it took.
    /// - Throws: `RepositoryError.Code.invalidArgument`, `.readOnly`, `.storage`, `.notCommitted`; whatever `body`
    ///   throws; `CancellationError`.
    @discardableResult
    public func writeSnapshot(
        of source: SnapshotSource, options: SnapshotOptions = SnapshotOptions(),
        _ body: (SnapshotWriter) async throws -> Void
    ) async throws -> WrittenSnapshot {
        try requireWriting("write a snapshot of \(source)")
        return try await translatingErrors {
            let startTime = self.clock()
            try options.draft(of: source, startTime: startTime, endTime: startTime).check()
            let before = await self.contents.statistics
            let checkpoints = Checkpoints(repository: self, source: source, startTime: startTime)
            let plan = try await self.storagePlan(for: source, options: options, checkpoints: checkpoints)
            let writer = SnapshotWriter(plan: plan, clock: self.clock)
            let snapshot: Snapshot
            let warnings: [String]
            do {
                try await body(writer)
                try Task.checkCancellation()
                (snapshot, warnings) = try await self.publish(
                    writer, of: source, options: options, startTime: startTime, checkpoints: checkpoints)
            } catch {
                await checkpoints.removeAfterFailure()
                throw error
            }
            let after = await self.contents.statistics
            return WrittenSnapshot(
                snapshot: snapshot, logicalBytes: snapshot.totalSize,
                deduplicatedBytes: after.bytesDeduplicated - before.bytesDeduplicated,
                uploadedBytes: after.bytesUploaded - before.bytesUploaded, warnings: warnings)
        }
    }

    /// Directories, flush, a look at what is there, manifest, flush, a look at the manifest.
    private func publish(
        _ writer: SnapshotWriter, of source: SnapshotSource, options: SnapshotOptions, startTime: Timestamp,
        checkpoints: Checkpoints
    ) async throws -> (Snapshot, warnings: [String]) {
        let tree = writer.tree.withLock { $0 }
        var draft = options.draft(of: source, startTime: startTime, endTime: clock())
        let summary: DirectorySummary
        if options.rootIsOnlyFile {
            (draft.root, summary) = try tree.onlyFile()
        } else {
            (draft.root.object, summary) = try await tree.write(
                to: contents, compression: writer.plan.metadataCompression,
                rootModified: options.rootModified ?? startTime)
            draft.root.summary = summary
        }
        draft.statistics = Snapshot.Statistics(of: summary)

        try await contents.flush()
        try await protect(draft.root, requiringPacks: options.requiresSharedPacks)
        try Task.checkCancellation()
        let (snapshot, warnings) = try await repeatingLostManifests {
            try await self.publish(draft, of: source, options: options, checkpoints: checkpoints)
        }
        try await contents.refresh()
        guard try await manifests.get(snapshot.id) != nil else {
            throw RepositoryError(
                .notCommitted, "snapshot \(snapshot.id) was written, but the repository does not show it",
                hint: "the storage may list with a delay; look again with 'snapshot list', then repeat the backup")
        }
        return (snapshot, warnings)
    }

    private func publish(
        _ draft: SnapshotDraft, of source: SnapshotSource, options: SnapshotOptions, checkpoints: Checkpoints
    ) async throws -> (Snapshot, warnings: [String]) {
        let snapshot = try await snapshotStore.put(draft)
        var warnings: [String] = []
        do {
            if options.marksSourceManual {
                do {
                    try await PolicyStore(manifests: manifests).markManual(source)
                } catch let error as ServerError where error.code == .accessDenied {
                    // Whoever may only append cannot replace a policy. The snapshot is whole without it.
                    warnings.append("the policy of \(source) was left as it is: \(error.message)")
                }
            }
            warnings += try await checkpoints.deleteAll()
            try await manifests.flush()
        } catch {
            // Else the next flush of this repository would publish what was reported as failed.
            try? await manifests.delete(snapshot.id)
            throw error
        }
        return (snapshot, warnings)
    }

    /// Does again what puts and flushes manifests when a server lost them before they were durable.
    func repeatingLostManifests<Result>(_ body: () async throws -> Result) async throws -> Result {
        for _ in 1..<Self.publishAttemptsMax {
            do { return try await body() } catch let error as ManifestError where error.code == .lost { continue }
        }
        return try await body()
    }

    private static var publishAttemptsMax: Int { 5 }

    /// Looks after a refresh that everything the snapshot refers to is there. Contents that maintenance marked as deleted
    /// meanwhile, because nothing referred to them yet, are written again.
    ///
    /// - Throws: `RepositoryError.Code.notCommitted` when a content is gone, `.damaged` when a pack is.
    private func protect(_ root: DirectoryEntry, requiringPacks: Bool) async throws {
        try await contents.refresh()
        var packs: [BlobID: PackNeed] = [:]
        do {
            packs = try await rewriteDeleted(below: root)
        } catch {
            // A directory or table that is gone shows where it is read.
            guard let error = RepositoryError.translating(error) as? RepositoryError, error.code == .damaged else {
                throw error
            }
            throw RepositoryError(
                .notCommitted, "nothing was published, because what was just written cannot be read: \(error.message)",
                hint: "maintenance with too little safety may have removed it meanwhile; repeat the backup")
        }
        if requiringPacks, let blobs { try await requirePacks(packs, in: blobs) }
    }

    /// - Returns: the packs of all contents, of a repository in blobs.
    private func rewriteDeleted(below root: DirectoryEntry) async throws -> [BlobID: PackNeed] {
        var rewritten = 0
        var batch: [(id: ContentID, path: String)] = []
        var packs: [BlobID: PackNeed] = [:]
        func check() async throws {
            for (place, info) in zip(batch, try await contents.info(batch.map(\.id))) {
                guard let info else {
                    throw RepositoryError(
                        .notCommitted,
                        "content \(place.id) of '\(place.path)' is no longer in the repository: nothing was published",
                        hint: "maintenance with too little safety may have removed it while it was written; "
                            + "repeat the backup")
                }
                if info.isDeleted { rewritten += try await rewrite(place.id) }
            }
            blobs?.contents.collectPacks(of: batch.map(\.id), into: &packs)
            batch.removeAll(keepingCapacity: true)
        }
        try await forEachReferencedContent(of: root) { id, path in
            batch.append((id, path))
            if batch.count >= Self.protectedBatchCount { try await check() }
        }
        try await check()
        if rewritten > 0 { try await contents.flush() }
        return packs
    }

    /// What a snapshot shares with earlier ones is known from indexes alone, which do not notice that a pack was lost: every
    /// backup after that would be as broken as the first.
    ///
    /// Memory: about 150 bytes a pack.
    private func requirePacks(_ packs: [BlobID: PackNeed], in blobs: BlobSide) async throws {
        let broken = try await blobs.contents.brokenPacks(among: packs)
        guard let first = broken.first else { return }
        let what =
            first.length.map { "has \($0) bytes instead of \(first.neededLength) or more" }
            ?? "is missing in \(status.location)"
        let others = broken.count > 1 ? "; \(broken.count - 1) more are lost or too short" : ""
        throw RepositoryError(
            .damaged,
            "nothing was published: \(first.contentCount) contents that the snapshot shares with earlier ones are in pack "
                + "'\(first.pack)', which \(what)\(others)",
            hint:
                "get it back from a copy of the storage; `repository verify` names what else is lost. Until then "
                + "--splitter FIXED-1M, which shares nothing with what was cut otherwise, or a new repository makes whole backups"
        )
    }

    /// Contents looked for together.
    private static var protectedBatchCount: Int { 1024 }

    /// - Returns: how many were written.
    private func rewrite(_ id: ContentID) async throws -> Int {
        // Keeps the compression, which the seam does not tell.
        if let blobs { return try await blobs.contents.undelete([id]) }
        _ = try await contents.write(
            try await contents.read(id), prefix: id.prefix,
            compression: id.prefix == 0 ? 0 : writerMetadataCompression)
        return 1
    }

    /// `zstd-fastest`.
    private var writerMetadataCompression: UInt32 { 0x1101 }

    /// Every content below an entry, tables and directories included; those that several entries share, several times.
    private func forEachReferencedContent(
        of root: DirectoryEntry, _ body: (ContentID, _ path: String) async throws -> Void
    ) async throws {
        func visit(_ object: ObjectID, _ path: String) async throws {
            try await ObjectReader.forEachContent(of: object, in: contents) { try await body($0, path) }
        }
        try await visit(root.object, "")
        try await forEachEntry(of: root, recursive: true) { try await visit($0.entry.object, $0.path) }
    }
}

extension SnapshotOptions {
    /// What is known before the files are.
    func draft(of source: SnapshotSource, startTime: Timestamp, endTime: Timestamp) -> SnapshotDraft {
        let root = DirectoryEntry(
            name: rootName ?? source.path, kind: .directory, mode: rootMode,
            modified: rootModified ?? .kopiaVirtualRoot, object: .placeholder)
        var draft = SnapshotDraft(source: source, startTime: startTime, endTime: endTime, root: root)
        draft.description = description
        draft.tags = tags
        draft.pins = pins
        return draft
    }
}

extension ObjectID {
    /// Stands for a root that is not stored yet.
    fileprivate static var placeholder: ObjectID { ObjectID(content: ContentID(prefix: 0, hash: [])) }
}

extension Snapshot.Statistics {
    init(of summary: DirectorySummary) {
        self.init()
        totalSize = summary.size
        fileCount = summary.files
        nonCachedFiles = summary.files
        directoryCount = summary.directories
    }
}
