public import GoFormats
public import KopiaBlob
internal import Synchronization

/// Keeps blobs in memory, with the semantics of a well-behaved store.
///
/// Concurrency and memory: all calls may run concurrently; holds every blob.
public final class MemoryBlobStorage: BlobStorage {
    private struct Entry {
        var bytes: [UInt8]
        var timestamp: Timestamp
        var retention: BlobRetention?
    }

    private let blobs = Mutex<[BlobID: Entry]>([:])
    private let clock: @Sendable () -> Timestamp

    /// - Parameter clock: gives blobs their timestamps.
    public init(clock: @escaping @Sendable () -> Timestamp = { .now() }) { self.clock = clock }

    public var displayName: String { "memory:" }

    public func get(_ id: BlobID, range: Range<Int64>?) async throws -> [UInt8] {
        let bytes = try blobs.withLock { blobs in
            guard let entry = blobs[id] else { throw Self.missing(id) }
            return entry.bytes
        }
        guard let range else { return bytes }
        guard range.lowerBound >= 0, range.upperBound <= bytes.count else {
            throw BlobError(
                .invalidRange, blob: id,
                "blob '\(id)' has \(bytes.count) bytes; bytes \(range.lowerBound) to \(range.upperBound) were asked for"
            )
        }
        return Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])
    }

    public func put(_ id: BlobID, _ bytes: [UInt8], retention: BlobRetention?) async throws {
        blobs.withLock { $0[id] = Entry(bytes: bytes, timestamp: clock(), retention: retention) }
    }

    public func delete(_ id: BlobID) async throws {
        blobs.withLock { _ = $0.removeValue(forKey: id) }
    }

    public func metadata(of id: BlobID) async throws -> BlobMetadata {
        try blobs.withLock { blobs in
            guard let entry = blobs[id] else { throw Self.missing(id) }
            return BlobMetadata(id: id, length: Int64(entry.bytes.count), timestamp: entry.timestamp)
        }
    }

    public func list(prefix: String) async throws -> [BlobMetadata] {
        blobs.withLock { blobs in
            blobs.filter { $0.key.hasPrefix(prefix) }
                .map { BlobMetadata(id: $0.key, length: Int64($0.value.bytes.count), timestamp: $0.value.timestamp) }
        }
    }

    // MARK: For tests

    /// A copy of everything that is stored.
    public var contents: [BlobID: [UInt8]] { blobs.withLock { $0.mapValues(\.bytes) } }

    /// Replaces everything, as a restart from what was durable would.
    public func replaceContents(_ contents: [BlobID: [UInt8]]) {
        let now = clock()
        blobs.withLock { $0 = contents.mapValues { Entry(bytes: $0, timestamp: now) } }
    }

    /// Changes the bytes of a blob behind the back of whoever wrote it. False when it is not there.
    @discardableResult public func damage(_ id: BlobID, _ change: (inout [UInt8]) -> Void) -> Bool {
        blobs.withLock { blobs in
            guard blobs[id] != nil else { return false }
            blobs[id].map { entry in
                var bytes = entry.bytes
                change(&bytes)
                blobs[id]?.bytes = bytes
            }
            return true
        }
    }

    /// Sets the time a blob is listed with.
    public func setTimestamp(_ id: BlobID, _ timestamp: Timestamp) {
        blobs.withLock { $0[id]?.timestamp = timestamp }
    }

    /// The retention a blob was put with.
    public func retention(of id: BlobID) -> BlobRetention? { blobs.withLock { $0[id]?.retention } }

    private static func missing(_ id: BlobID) -> BlobError {
        BlobError(.notFound, blob: id, "blob '\(id)' is not in memory:")
    }
}
