import GoFormats
import KopiaContent
import KopiaManifest
import KopiaObject
import KopiaServer
import KopiaSnapshot
import Synchronization

/// The incomplete snapshots that protect a long stream: maintenance removes contents that nothing refers to once they are
/// a day old. Each replaces the one before; the finished snapshot replaces the last.
///
/// kopia hides incomplete snapshots unless asked, and restores whatever they hold.
///
/// Source: kopia `snapshot/upload/upload.go`, checkpoints; `kopia-format` §6.7, §7.7.
final class Checkpoints: Sendable {
    private let repository: Repository
    private let source: SnapshotSource
    private let startTime: Timestamp
    private let published = Mutex<[ManifestID]>([])

    init(repository: Repository, source: SnapshotSource, startTime: Timestamp) {
        self.repository = repository
        self.source = source
        self.startTime = startTime
    }

    /// - Parameters:
    ///   - path: of the file that is still being stored.
    ///   - part: what is stored of it.
    func publish(writer: SnapshotWriter, path: [String], part: WrittenObject) async throws {
        var random = SystemRandomNumberGenerator()
        let name = path[path.count - 1]
        let now = repository.clock()
        let entry = DirectoryEntry(
            name: ".checkpointed.\(name).\(String(random.next() as UInt64, radix: 16))", kind: .file,
            mode: .everything, size: part.length, modified: now, object: part.id)
        let tree = writer.tree.withLock { $0 }
        let (object, summary) = try await tree.write(
            to: repository.contents, compression: writer.plan.metadataCompression, rootModified: startTime,
            incompleteReason: "checkpoint", extra: entry, extraPath: path)
        let root = DirectoryEntry(
            name: source.path, kind: .directory, mode: .everything, modified: .kopiaVirtualRoot, object: object,
            summary: summary)
        var draft = SnapshotDraft(source: source, startTime: startTime, endTime: now, root: root)
        draft.incompleteReason = "checkpoint"
        draft.statistics = Snapshot.Statistics(of: summary)
        try await repository.contents.flush()
        let snapshot = try await repository.repeatingLostManifests {
            let snapshot = try await self.repository.snapshotStore.put(draft)
            _ = try await self.deleteAll()
            try await self.repository.manifests.flush()
            return snapshot
        }
        published.withLock { $0 = [snapshot.id] }
    }

    /// Takes effect with the manifest store's next flush.
    ///
    /// - Returns: sentences about those that may not be deleted; retention removes them some hours later.
    func deleteAll() async throws -> [String] {
        var warnings: [String] = []
        for id in published.withLock({ $0 }) {
            do {
                try await repository.manifests.delete(id)
            } catch let error as ServerError where error.code == .accessDenied {
                warnings.append("checkpoint \(id) was left to retention: \(error.message)")
            }
        }
        return warnings
    }

    /// What was stored protects nothing any more. When this fails, or the task is cancelled, retention removes the
    /// checkpoint some hours later.
    func removeAfterFailure() async {
        guard published.withLock({ !$0.isEmpty }), !Task.isCancelled else { return }
        _ = try? await deleteAll()
        try? await repository.manifests.flush()
    }
}
