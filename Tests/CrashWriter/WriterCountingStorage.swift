import KopiaBlob
import Synchronization

/// Passes everything on and counts the writers it made: tests of what happens to packs on their way say so themselves when
/// packs are put as a whole.
final class WriterCountingStorage: BlobStorage {
    private let base: any BlobStorage
    private let count = Mutex(0)

    init(_ base: any BlobStorage) { self.base = base }

    var writersMade: Int { count.withLock { $0 } }

    var displayName: String { base.displayName }
    var takesBlobsInParts: Bool { base.takesBlobsInParts }

    func makeWriter(_ id: BlobID) async throws -> (any BlobWriter)? {
        let writer = try await base.makeWriter(id)
        if writer != nil { count.withLock { $0 += 1 } }
        return writer
    }
    func get(_ id: BlobID, range: Range<Int64>?) async throws -> [UInt8] { try await base.get(id, range: range) }
    func put(_ id: BlobID, _ bytes: [UInt8], retention: BlobRetention?) async throws {
        try await base.put(id, bytes, retention: retention)
    }
    func put(_ id: BlobID, pieces: [[UInt8]], retention: BlobRetention?) async throws {
        try await base.put(id, pieces: pieces, retention: retention)
    }
    func delete(_ id: BlobID) async throws { try await base.delete(id) }
    func metadata(of id: BlobID) async throws -> BlobMetadata { try await base.metadata(of: id) }
    func list(prefix: String) async throws -> [BlobMetadata] { try await base.list(prefix: prefix) }
}
