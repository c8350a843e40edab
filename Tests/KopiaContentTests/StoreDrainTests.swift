import KopiaBlob
import KopiaFormat
import Synchronization
import TestSupport
import Testing

@testable import KopiaContent

/// A memory storage that takes blobs in parts, and can stall or fail while it does.
private final class PartsStorage: BlobStorage {
    let base: MemoryBlobStorage
    private let hook = Mutex<(@Sendable (String) async throws -> Void)?>(nil)
    private let calls = Mutex<[String]>([])

    init(_ base: MemoryBlobStorage) { self.base = base }

    var displayName: String { base.displayName }
    var takesBlobsInParts: Bool { true }
    var done: [String] { calls.withLock { $0 } }
    func setHook(_ hook: (@Sendable (String) async throws -> Void)?) { self.hook.withLock { $0 = hook } }

    func call(_ what: String) async throws {
        try await hook.withLock { $0 }?(what)
        calls.withLock { $0.append(what) }
    }

    func makeWriter(_ id: BlobID) async throws -> (any BlobWriter)? {
        try await call("open")
        return Writer(storage: self, id: id)
    }
    func get(_ id: BlobID, range: Range<Int64>?) async throws -> [UInt8] { try await base.get(id, range: range) }
    func put(_ id: BlobID, _ bytes: [UInt8], retention: BlobRetention?) async throws {
        if id.hasPrefix("p") { try await call("put") }
        try await base.put(id, bytes, retention: retention)
    }
    func delete(_ id: BlobID) async throws { try await base.delete(id) }
    func metadata(of id: BlobID) async throws -> BlobMetadata { try await base.metadata(of: id) }
    func list(prefix: String) async throws -> [BlobMetadata] { try await base.list(prefix: prefix) }

    private final class Writer: BlobWriter {
        let storage: PartsStorage
        let id: BlobID
        let bytes = Mutex<[UInt8]>([])

        init(storage: PartsStorage, id: BlobID) {
            self.storage = storage
            self.id = id
        }

        /// Takes one piece at a time, so that a failure comes between two.
        func write(_ pieces: [[UInt8]], at offset: Int64) async throws {
            var start = Int(offset)
            for piece in pieces {
                try await storage.call("write")
                bytes.withLock { bytes in
                    #expect(start <= bytes.count, "a gap of \(start - bytes.count) bytes")
                    let known = min(max(0, bytes.count - start), piece.count)
                    #expect(Array(bytes[min(start, bytes.count)...].prefix(known)) == Array(piece[..<known]))
                    bytes += piece[known...]
                }
                start += piece.count
            }
        }
        func read(_ range: Range<Int64>) async throws -> [UInt8] {
            try await storage.call("read")
            return bytes.withLock { Array($0[Int(range.lowerBound)..<Int(range.upperBound)]) }
        }
        func finish() async throws {
            try await storage.call("finish")
            try await storage.base.put(id, bytes.withLock { $0 }, retention: nil)
        }
        func discard() async { try? await storage.call("discard") }
    }
}

/// Packs that are handed over while they fill.
@Suite struct StoreDrainTests {
    /// Packs of 4,000,000 bytes: 2,000,000 may be in memory, and 200,000 make a part.
    private func open(_ repository: TestRepository, _ storage: PartsStorage) async throws -> LocalContentStore {
        var options = LocalContentStore.Options(environment: repository.clock.environment)
        options.packSize = 4_000_000
        return try await LocalContentStore.open(storage, format: repository.format, options: options)
    }

    private func content(_ number: Int, _ length: Int = 400_000) -> [UInt8] { SeededBytes.rnd(UInt64(number), length) }

    @Test func everythingReadsBack() async throws {
        let repository = try await TestRepository()
        let storage = PartsStorage(repository.storage.base)
        let store = try await open(repository, storage)
        var ids: [ContentID] = []
        for number in 0..<60 {
            ids.append(try await store.write(content(number, 3_000 + number * 5_000), prefix: 0, compression: 0))
            // Before the flush too: from memory, from the part, from the pack.
            #expect(try await store.read(ids[number / 2]) == content(number / 2, 3_000 + number / 2 * 5_000))
        }
        #expect(storage.done.contains("read") && storage.done.contains("write"))
        #expect(repository.blobs("xn").isEmpty)
        try await store.flush()
        #expect(storage.done.filter { $0 == "finish" }.count == repository.blobs("p").count)
        let reader = try await repository.reopened()
        for (number, id) in ids.enumerated() {
            #expect(try await reader.read(id) == content(number, 3_000 + number * 5_000))
        }
        let problems = try await reader.comparePacks()
        #expect(problems.broken.isEmpty && problems.unindexed.isEmpty)
        #expect(await store.statistics.bytesUploaded >= 60 * 150_000)
    }

    @Test func aSmallPackIsPutAsAWhole() async throws {
        let repository = try await TestRepository()
        let storage = PartsStorage(repository.storage.base)
        let store = try await open(repository, storage)
        _ = try await store.write(content(1, 1_000), prefix: 0, compression: 0)
        try await store.flush()
        #expect(storage.done == ["put"])
    }

    /// Ten writers against a storage that takes nothing: what they encrypted stays below the bound. None of them can be done.
    @Test func aStallingWriterHoldsTheMemoryBound() async throws {
        let repository = try await TestRepository()
        let storage = PartsStorage(repository.storage.base)
        let store = try await open(repository, storage)
        let latch = Latch()
        storage.setHook { call in if call == "write" { await latch.wait() } }
        let written = Counter()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<10 {
                group.addTask {
                    for number in 0..<5 {
                        _ = try await store.write(content(worker * 5 + number), prefix: 0, compression: 0)
                        _ = written.next()
                    }
                }
            }
            #expect(try await eventually { store.state.withLock { $0.waiters.count == 10 && $0.reservedBytes == 0 } })
            #expect(written.value == 1)
            #expect(store.state.withLock { $0.packBytesInMemory } <= 800_000)
            latch.open()
            try await group.waitForAll()
        }
        try await store.flush()
        #expect(try await repository.reopened().list(prefix: 0).count == 50)
    }

    /// One content over the bound passes when nothing could make room for it.
    @Test func aContentLongerThanTheBoundPasses() async throws {
        let repository = try await TestRepository()
        let storage = PartsStorage(repository.storage.base)
        let store = try await open(repository, storage)
        for number in 0..<3 { _ = try await store.write(content(number, 2_500_000), prefix: 0, compression: 0) }
        try await store.flush()
        #expect(try await repository.reopened().list(prefix: 0).count == 3)
    }

    /// Whatever call fails, once: the error comes out of a write or the flush, and trying again publishes everything.
    @Test(arguments: ["open", "write", "finish"], [0, 1, 2])
    func aFailureIsToldAndTriedAgain(what: String, after: Int) async throws {
        let repository = try await TestRepository()
        let storage = PartsStorage(repository.storage.base)
        let store = try await open(repository, storage)
        let seen = Counter()
        storage.setHook { call in
            if call == what, seen.next() == after { throw BlobError(.noSpace, "no space") }
        }
        var ids: [ContentID] = []
        var failures = 0
        for number in 0..<30 {
            while true {
                do {
                    ids.append(try await store.write(content(number), prefix: 0, compression: 0))
                    break
                } catch { failures += 1 }
            }
        }
        do { try await store.flush() } catch { failures += 1 }
        try await store.flush()
        #expect(seen.value > after)
        let reader = try await repository.reopened()
        for (number, id) in ids.enumerated() { #expect(try await reader.read(id) == content(number)) }
    }

    @Test func closingDiscardsWhatWasNotFlushed() async throws {
        let repository = try await TestRepository()
        let storage = PartsStorage(repository.storage.base)
        let store = try await open(repository, storage)
        for number in 0..<4 { _ = try await store.write(content(number), prefix: 0, compression: 0) }
        #expect(try await eventually { storage.done.contains("write") })
        await store.close()
        #expect(storage.done.filter { $0 == "discard" }.count == 1)
        #expect(repository.blobs("p").isEmpty && repository.blobs("xn").isEmpty)
    }
}
