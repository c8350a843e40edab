public import KopiaContent
internal import Synchronization

/// Keeps contents in memory. What was written becomes visible to `list` and `info` of everybody else only with `flush`,
/// so that tests can see what an interrupted writer leaves.
///
/// Concurrency and memory: all calls may run concurrently; holds every content.
public final class MemoryContentStore: ContentStore {
    private struct Entry {
        var plaintext: [UInt8]
        var compression: UInt32
        var isDeleted = false
        var isFlushed = false
    }

    private struct State {
        var entries: [ContentID: Entry] = [:]
        var statistics = ContentStatistics()
        var writesInProgress = 0
        var writesInProgressMax = 0
        var flushCount = 0
        var readCount = 0
    }

    public let defaultSplitter: String
    public let supportsContentCompression: Bool
    private let hash: @Sendable ([UInt8]) throws -> [UInt8]
    private let beforeWrite: @Sendable ([UInt8]) async throws -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - hash: names contents; a weak but sufficient one when nil.
    ///   - beforeWrite: may stall or throw.
    public init(
        defaultSplitter: String = "DYNAMIC-4M-BUZHASH", supportsContentCompression: Bool = true,
        hash: (@Sendable ([UInt8]) throws -> [UInt8])? = nil,
        beforeWrite: @escaping @Sendable ([UInt8]) async throws -> Void = { _ in }
    ) {
        self.defaultSplitter = defaultSplitter
        self.supportsContentCompression = supportsContentCompression
        self.hash = hash ?? Self.weakHash
        self.beforeWrite = beforeWrite
    }

    @concurrent
    public func write(_ plaintext: [UInt8], prefix: UInt8, compression: UInt32) async throws -> ContentID {
        state.withLock { state in
            state.writesInProgress += 1
            state.writesInProgressMax = max(state.writesInProgressMax, state.writesInProgress)
        }
        defer { state.withLock { $0.writesInProgress -= 1 } }
        try await beforeWrite(plaintext)
        let id = ContentID(prefix: prefix, hash: try hash(plaintext))
        state.withLock { state in
            let count = Int64(plaintext.count)
            state.statistics.bytesWritten += count
            if let entry = state.entries[id], !entry.isDeleted {
                state.statistics.bytesDeduplicated += count
            } else {
                state.entries[id] = Entry(plaintext: plaintext, compression: compression)
                state.statistics.bytesUploaded += count
            }
        }
        return id
    }

    public func read(_ id: ContentID) async throws -> [UInt8] {
        let found = state.withLock { state in
            state.readCount += 1
            return state.entries[id]
        }
        guard let entry = found else {
            throw ContentError(.notFound, content: id, "content \(id) is in no index of the repository")
        }
        return entry.plaintext
    }

    public func info(_ id: ContentID) async throws -> ContentInfo? {
        state.withLock { state in state.entries[id].map { Self.info(id, $0) } }
    }

    public func list(prefix: UInt8) async throws -> [ContentInfo] {
        state.withLock { state in
            state.entries.filter { $0.key.prefix == prefix && !$0.value.isDeleted && $0.value.isFlushed }
                .map { Self.info($0.key, $0.value) }
        }
    }

    public func flush() async throws {
        state.withLock { state in
            state.flushCount += 1
            for id in state.entries.keys { state.entries[id]?.isFlushed = true }
        }
    }

    public func refresh() async throws {}

    public var statistics: ContentStatistics { get async { state.withLock { $0.statistics } } }

    // MARK: For tests

    /// Everything that is stored and not deleted, flushed or not.
    public var plaintexts: [ContentID: [UInt8]] {
        state.withLock { $0.entries.filter { !$0.value.isDeleted }.mapValues(\.plaintext) }
    }

    public var flushCount: Int { state.withLock { $0.flushCount } }
    /// Contents read one by one, so far.
    public var readCount: Int { state.withLock { $0.readCount } }
    /// The most writes that ran at the same time.
    public var writesInProgressMax: Int { state.withLock { $0.writesInProgressMax } }
    public func compression(of id: ContentID) -> UInt32? { state.withLock { $0.entries[id]?.compression } }

    /// Puts a content under any name, as a broken writer would.
    public func insert(_ plaintext: [UInt8], as id: ContentID) {
        state.withLock { $0.entries[id] = Entry(plaintext: plaintext, compression: 0, isFlushed: true) }
    }

    public func markDeleted(_ id: ContentID) { state.withLock { $0.entries[id]?.isDeleted = true } }
    public func remove(_ id: ContentID) { state.withLock { _ = $0.entries.removeValue(forKey: id) } }

    private static func info(_ id: ContentID, _ entry: Entry) -> ContentInfo {
        let length = Int64(entry.plaintext.count)
        return ContentInfo(id: id, originalLength: length, packedLength: length, isDeleted: entry.isDeleted)
    }

    /// The standard library's own hash twice: fast, and enough to tell test data apart within one run.
    private static func weakHash(_ bytes: [UInt8]) -> [UInt8] {
        (0..<2).flatMap { salt in
            var hasher = Hasher()
            hasher.combine(salt)
            bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
            let word = UInt64(bitPattern: Int64(hasher.finalize()))
            return (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64($0))) }
        }
    }
}
