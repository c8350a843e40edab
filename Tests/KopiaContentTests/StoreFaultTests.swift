import KopiaBlob
import KopiaFormat
import Synchronization
import TestSupport
import Testing

@testable import KopiaContent

struct StorageDown: Error, Equatable {}

@Suite struct StoreFaultTests {
    /// Data, then a manifest that refers to it, in two flushes as a snapshot is written; packs of three chunks.
    static func backUp(_ store: LocalContentStore) async throws {
        var chunks: [ContentID] = []
        for number in 0..<6 {
            var chunk = [UInt8](repeating: UInt8(number), count: 100_000)
            chunk[0] = 0xff
            chunks.append(try await store.write(chunk, prefix: 0, compression: 0))
        }
        try await store.flush()
        let table = chunks.map(\.description).joined(separator: "\n")
        _ = try await store.write(text(table), prefix: UInt8(ascii: "m"), compression: 0x1101)
        try await store.flush()
    }

    /// Every content that the index names reads back, and every manifest refers to contents that exist.
    static func expectSound(_ repository: TestRepository) async throws -> Int {
        let store = try await repository.reopened()
        var manifests = 0
        var ids: [ContentID] = []
        store.forEachEntry { ids.append($0.id) }
        for id in ids {
            let plaintext = try await store.read(id)
            #expect(try store.crypto.hash(plaintext) == id.hash)
            guard id.prefix == UInt8(ascii: "m") else { continue }
            manifests += 1
            for line in String(decoding: plaintext, as: UTF8.self).split(separator: "\n") {
                #expect(try await store.info(try contentID(String(line))) != nil)
            }
        }
        #expect(try await store.comparePacks().broken == [])
        return manifests
    }

    /// The storage dies before or after the n-th call took effect and stays dead, as for a writer that is killed.
    @Test(arguments: 0..<40, [false, true])
    func whereverTheWriterDiesTheRepositoryIsSoundAndTheNextBackupSucceeds(call: Int, takesEffect: Bool) async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        let count = Counter()
        repository.storage.setHook { _ in
            let number = count.next()
            if number > call || number == call && !takesEffect { throw StorageDown() }
        }
        repository.storage.setAfterHook { _ in if count.value > call { throw StorageDown() } }
        let isDone: Bool
        do {
            try await Self.backUp(store)
            isDone = true
        } catch is StorageDown {
            isDone = false
        }
        await store.close()
        let manifests = try await Self.expectSound(repository)
        if isDone { #expect(manifests == 1) }
        if call == 39 { #expect(isDone, "more calls than this test tries") }
        let next = try await repository.open()
        try await Self.backUp(next)
        #expect(try await Self.expectSound(repository) == 1)
    }

    /// Two writers on a storage that fails one call in eight, before or after it took effect; each tries again until it
    /// succeeds.
    @Test(arguments: 1...20)
    func writersThatTryAgainOnAnUnreliableStoragePublishEverything(seed: Int) async throws {
        let repository = try await TestRepository()
        let stores = [try await repository.open(), try await repository.open()]
        let random = Mutex(SeededGenerator(seed: UInt64(seed)))
        let fails: @Sendable () -> Bool = { random.withLock { $0.next() % 16 == 0 } }
        repository.storage.setHook { _ in if fails() { throw StorageDown() } }
        repository.storage.setAfterHook { _ in if fails() { throw StorageDown() } }
        func again<Result>(_ body: () async throws -> Result) async throws -> Result {
            for _ in 0..<1000 {
                do { return try await body() } catch is StorageDown { continue }
            }
            throw StorageDown()
        }
        var plaintexts: [ContentID: [UInt8]] = [:]
        for number in 0..<24 {
            let store = stores[number % 2]
            var plaintext = [UInt8](repeating: UInt8(number / 3), count: 60_000)
            plaintext[0] = 0xee
            let prefix = number % 5 == 0 ? UInt8(ascii: "k") : 0
            let id = try await again { try await store.write(plaintext, prefix: prefix, compression: 0) }
            plaintexts[id] = plaintext
            if number % 7 == 6 { try await again { try await store.flush() } }
        }
        for store in stores { try await again { try await store.flush() } }
        let reopened = try await repository.reopened()
        for (id, plaintext) in plaintexts { #expect(try await reopened.read(id) == plaintext) }
        let comparison = try await reopened.comparePacks()
        #expect(comparison.broken == [])
        #expect(comparison.unindexed.isEmpty)
    }

    @Test func aPackThatCouldNotBeStoredIsPutAgainWithTheSameNameAndBytes() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        let id = try await store.write(text("survives"), prefix: 0, compression: 0)
        let attempted = Mutex<[BlobID]>([])
        repository.storage.setHook { call in
            guard case .put(let id) = call, call.kind == "put p" else { return }
            attempted.withLock { $0.append(id) }
            throw StorageDown()
        }
        await #expect(throws: StorageDown.self) { try await store.flush() }
        #expect(repository.blobs("xn").isEmpty)
        // The next write tries the pack again before it does anything else.
        await #expect(throws: StorageDown.self) { try await store.write(text("more"), prefix: 0, compression: 0) }
        repository.storage.setHook(nil)
        _ = try await store.write(text("more"), prefix: 0, compression: 0)
        let tried = attempted.withLock { Set($0) }
        #expect(tried == Set(repository.blobs("p")))
        try await store.flush()
        #expect(repository.blobs("p").count == 2)
        #expect(repository.blobs("xn").count == 1)
        #expect(repository.blobs("s").isEmpty)
        #expect(try await repository.reopened().read(id) == text("survives"))
    }

    @Test(arguments: ["put s", "put p", "put xn", "list xe", "get kopia.repository"])
    func aFlushThatFailedSucceedsWhenTriedAgain(kind: String) async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        let id = try await store.write(text("survives"), prefix: 0, compression: 0)
        repository.clock.advance(.seconds(3600))
        let fails = Mutex(2)
        repository.storage.setHook { call in
            let mustFail =
                call.kind == kind
                && fails.withLock { left in
                    left -= 1
                    return left >= 0
                }
            if mustFail { throw StorageDown() }
        }
        await #expect(throws: StorageDown.self) { try await store.flush() }
        while fails.withLock({ $0 > 0 }) { await #expect(throws: StorageDown.self) { try await store.flush() } }
        try await store.flush()
        #expect(repository.blobs("p").count == 1)
        #expect(repository.blobs("xn").count == 1)
        #expect(repository.blobs("s").isEmpty)
        #expect(try await repository.reopened().read(id) == text("survives"))
    }

    @Test func anIndexThatTheStorageDoesNotListIsAFailure() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        _ = try await store.write(text("lost"), prefix: 0, compression: 0)
        let base = repository.storage.base
        repository.storage.setHook { call in
            guard case .list(let prefix) = call, prefix.hasPrefix("xn0_"), prefix.count > 10 else { return }
            for id in base.contents.keys where id.hasPrefix("xn") { try await base.delete(id) }
        }
        let error = await #expect(throws: ContentError.self) { try await store.flush() }
        #expect(error?.code == .notCommitted)
        let blob = try #require(error?.blob)
        #expect(
            error?.message
                == "index blob '\(blob)' of 143 bytes was written, but memory: does not list it")
        repository.storage.setHook(nil)
        try await store.flush()
        #expect(repository.blobs("xn").map(\.description) == [blob])
    }

    @Test func aMarkerThatCannotBeRemovedDoesNotFailTheFlush() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        let id = try await store.write(text("published"), prefix: 0, compression: 0)
        repository.storage.setHook { if $0.kind == "delete s" { throw StorageDown() } }
        try await store.flush()
        #expect(repository.blobs("s").count == 1)
        #expect(try await repository.reopened().read(id) == text("published"))
    }

    // MARK: Epochs

    @Test func anEpochThatAdvancesDuringTheWriteDoesNoHarm() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        let id = try await store.write(text("epoch 0"), prefix: 0, compression: 0)
        let base = repository.storage.base
        let marker = try blobID("xe1")
        repository.storage.setHook { if $0.kind == "put xn" { try await base.put(marker, text("epoch-marker")) } }
        try await store.flush()
        #expect(repository.blobs("xn0_").count == 1)
        #expect(try await repository.reopened().read(id) == text("epoch 0"))
        repository.storage.setHook(nil)
        _ = try await store.write(text("epoch 1"), prefix: 0, compression: 0)
        try await store.flush()
        #expect(repository.blobs("xn1_").count == 1)
    }

    @Test func anIndexThatComesTwoEpochsLateIsRemovedAndWrittenAgain() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        let id = try await store.write(text("late"), prefix: 0, compression: 0)
        let base = repository.storage.base
        let marker = try blobID("xe2")
        repository.storage.setHook { if $0.kind == "put xn" { try await base.put(marker, text("epoch-marker")) } }
        let error = await #expect(throws: ContentError.self) { try await store.flush() }
        #expect(error?.code == .notCommitted)
        #expect(
            error?.message
                == "the index was written in epoch 0, but epoch 2 has begun meanwhile: it was removed, nothing is published"
        )
        #expect(repository.blobs("xn").isEmpty)
        repository.storage.setHook(nil)
        try await store.flush()
        #expect(repository.blobs("xn2_").count == 1)
        #expect(try await repository.reopened().read(id) == text("late"))
    }

    @Test func aStaleListingOfEpochsIsRefreshedBeforeTheIndexIsWritten() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        _ = try await store.write(text("one"), prefix: 0, compression: 0)
        try await store.flush()
        try await repository.storage.base.put(try blobID("xe1"), text("epoch-marker"))
        repository.clock.advance(.seconds(299))
        _ = try await store.write(text("two"), prefix: 0, compression: 0)
        try await store.flush()
        #expect(repository.blobs("xn0_").count == 2)
        repository.clock.advance(.seconds(301))
        _ = try await store.write(text("three"), prefix: 0, compression: 0)
        try await store.flush()
        #expect(repository.blobs("xn1_").count == 1)
    }
}

@Suite struct StoreConcurrencyTests {
    @Test func aStallingStorageHoldsWritersBackAtTheBound() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open(packsInFlightMax: 2)
        let latch = Latch()
        let waiting = Counter()
        repository.storage.setHook { call in
            guard call.kind == "put p" else { return }
            _ = waiting.next()
            await latch.wait()
        }
        let written = Counter()
        let late = Counter()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<6 {
                group.addTask {
                    var content = [UInt8](repeating: 0, count: 250_000)
                    content[0] = UInt8(number)
                    _ = try await store.write(content, prefix: 0, compression: 0)
                    _ = written.next()
                }
            }
            // Writers that passed before the bound was reached may finish; six at once pass together at most.
            #expect(try await eventually { written.value >= 2 && waiting.value >= 2 })
            try await Task.sleep(for: .milliseconds(200))
            #expect(store.state.withLock { $0.full.count } <= 6)
            let before = written.value
            group.addTask {
                _ = try await store.write(text("late"), prefix: 0, compression: 0)
                _ = late.next()
            }
            try await Task.sleep(for: .milliseconds(100))
            #expect(late.value == 0 && written.value == before)
            latch.open()
            try await group.waitForAll()
            #expect(late.value == 1)
        }
        try await store.flush()
        #expect(try await repository.reopened().list(prefix: 0).count == 7)
    }

    @Test func oneWriterNeverHasMorePacksUnderWayThanTheBound() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open(packsInFlightMax: 2)
        let running = Mutex((now: 0, most: 0))
        repository.storage.setHook { call in
            guard call.kind == "put p" else { return }
            running.withLock { running in
                running.now += 1
                running.most = max(running.most, running.now)
            }
            try await Task.sleep(for: .milliseconds(30))
            running.withLock { $0.now -= 1 }
        }
        for number in 0..<6 {
            var content = [UInt8](repeating: 0, count: 250_000)
            content[0] = UInt8(number)
            _ = try await store.write(content, prefix: 0, compression: 0)
        }
        try await store.flush()
        #expect(running.withLock { $0.most } == 2)
    }

    @Test func cancellingAFlushOfAStalledStoragePublishesNothing() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        _ = try await store.write(text("never"), prefix: 0, compression: 0)
        let latch = Latch()
        let isWaiting = Mutex(false)
        repository.storage.setHook { call in
            guard call.kind == "put p" else { return }
            isWaiting.withLock { $0 = true }
            await latch.wait()
            try Task.checkCancellation()
        }
        let flush = Task { try await store.flush() }
        #expect(try await eventually { isWaiting.withLock { $0 } })
        flush.cancel()
        let result = await flush.result
        #expect(throws: CancellationError.self) { try result.get() }
        latch.open()
        await store.close()
        #expect(repository.blobs("xn").isEmpty)
    }

    @Test func manyTasksWriteTheSameAndDifferentContents() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        let ids = try await withThrowingTaskGroup(of: ContentID.self) { group in
            for number in 0..<200 {
                group.addTask {
                    if number % 50 == 49 { try await store.flush() }
                    return try await store.write(text("content \(number % 60)"), prefix: 0, compression: 0x1101)
                }
            }
            return try await group.reduce(into: Set<ContentID>()) { $0.insert($1) }
        }
        try await store.flush()
        #expect(ids.count == 60)
        let reopened = try await repository.reopened()
        #expect(try await Set(reopened.list(prefix: 0).map(\.id)) == ids)
        #expect(try await Set(reopened.read(Array(ids))) == Set((0..<60).map { text("content \($0)") }))
        #expect(try await reopened.comparePacks().broken == [])
        #expect(repository.blobs("s").isEmpty)
    }

    @Test func twoWritersAtOnceBothPublish() async throws {
        let repository = try await TestRepository()
        let first = try await repository.open()
        let second = try await repository.open()
        let shared = try await first.write(text("shared"), prefix: 0, compression: 0)
        #expect(try await second.write(text("shared"), prefix: 0, compression: 0) == shared)
        let ofFirst = try await first.write(text("first"), prefix: 0, compression: 0)
        let ofSecond = try await second.write(text("second"), prefix: 0, compression: 0)
        async let one: Void = first.flush()
        async let two: Void = second.flush()
        _ = try await (one, two)
        let reopened = try await repository.reopened()
        #expect(
            try await reopened.read([shared, ofFirst, ofSecond]) == [text("shared"), text("first"), text("second")])
        try await first.refresh()
        #expect(try await first.read(ofSecond) == text("second"))
        // After a refresh the other's content is found.
        #expect(try await first.write(text("second"), prefix: 0, compression: 0) == ofSecond)
        #expect(await first.statistics.bytesDeduplicated == 6)
    }
}
