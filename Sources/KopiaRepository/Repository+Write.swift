import GoFormats
import KopiaContent
import KopiaObject
public import KopiaSnapshot

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
    public func writeSnapshot(
        of source: SnapshotSource, options: SnapshotOptions = SnapshotOptions(),
        _ body: (SnapshotWriter) async throws -> Void
    ) async throws -> WrittenSnapshot {
        try requireWriting("write a snapshot of \(source)")
        return try await translatingErrors {
            let startTime = self.clock()
            let before = await self.contents.statistics
            let plan = try await self.storagePlan(for: source, options: options, startTime: startTime)
            let writer = SnapshotWriter(plan: plan, clock: self.clock)
            try await body(writer)
            try Task.checkCancellation()
            let snapshot = try await self.publish(
                writer, of: source, options: options, startTime: startTime)
            let after = await self.contents.statistics
            return WrittenSnapshot(
                snapshot: snapshot, logicalBytes: snapshot.totalSize,
                deduplicatedBytes: after.bytesDeduplicated - before.bytesDeduplicated,
                uploadedBytes: after.bytesUploaded - before.bytesUploaded)
        }
    }
}
