import KopiaBlob
import Synchronization

/// Passes everything on and counts the writers it made: tests of what happens to packs on their way say so themselves when
/// packs are put as a whole.
final class WriterCountingStorage: BlobStorage {
    private let base: any BlobStorage
    private let count = Mutex(0)
    private let afterWrite: (@Sendable (Int64) -> Void)?

    /// - Parameter afterWrite: called after each write of a writer, with how many bytes it has been given.
    init(_ base: any BlobStorage, afterWrite: (@Sendable (Int64) -> Void)? = nil) {
        self.base = base
        self.afterWrite = afterWrite
    }

    var writersMade: Int { count.withLock { $0 } }

    var displayName: String { base.displayName }
    var takesBlobsInParts: Bool { base.takesBlobsInParts }

    func makeWriter(_ id: BlobID) async throws -> (any BlobWriter)? {
        let writer = try await base.makeWriter(id)
        guard let writer else { return nil }
        count.withLock { $0 += 1 }
        guard let afterWrite else { return writer }
        return WatchedWriter(writer, afterWrite)
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

private final class WatchedWriter: BlobWriter {
    private let base: any BlobWriter
    private let afterWrite: @Sendable (Int64) -> Void

    init(_ base: any BlobWriter, _ afterWrite: @escaping @Sendable (Int64) -> Void) {
        self.base = base
        self.afterWrite = afterWrite
    }

    func write(_ pieces: [[UInt8]], at offset: Int64) async throws {
        try await base.write(pieces, at: offset)
        afterWrite(pieces.reduce(offset) { $0 + Int64($1.count) })
    }
    func read(_ range: Range<Int64>) async throws -> [UInt8] { try await base.read(range) }
    func finish() async throws { try await base.finish() }
    func discard() async { await base.discard() }
}
