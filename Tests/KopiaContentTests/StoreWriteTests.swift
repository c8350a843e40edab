import KopiaBlob
import KopiaFormat
import Synchronization
import TestSupport
import Testing

@testable import KopiaContent

@Suite struct StoreWriteTests {
    @Test func aFlushPutsMarkerPacksAndIndexInThisOrderAndRemovesTheMarker() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        let data = try await store.write(text("some data"), prefix: 0, compression: 0)
        let directory = try await store.write(text("a directory"), prefix: UInt8(ascii: "k"), compression: 0)
        #expect(repository.storage.writes == [])
        try await store.flush()
        #expect(Set(repository.storage.writes[1...2]) == ["put p", "put q"])
        #expect(
            [repository.storage.writes[0]] + repository.storage.writes[3...] == ["put s", "put xn", "delete s"])
        let reopened = try await repository.reopened()
        #expect(try await reopened.read(data) == text("some data"))
        #expect(try await reopened.read([directory, data]) == [text("a directory"), text("some data")])
        #expect(try await reopened.list(prefix: UInt8(ascii: "k")).map(\.id) == [directory])
        #expect(try await reopened.info(data)?.originalLength == 9)
        #expect(try await reopened.comparePacks().unindexed.isEmpty)
    }

    @Test func theBlobsAreNamedByKindRandomnessAndSession() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        _ = try await store.write(text("some data"), prefix: 0, compression: 0)
        try await store.flush()
        let pack = try #require(repository.blobs("p").first).description
        let index = try #require(repository.blobs("xn").first).description
        #expect(try Regex("p[0-9a-f]{32}-s[0-9a-f]{16}13c").wholeMatch(in: pack) != nil)
        #expect(try Regex("xn0_[0-9a-f]{32}-s[0-9a-f]{16}13c-c1").wholeMatch(in: index) != nil)
        #expect(pack.split(separator: "-")[1] == index.split(separator: "-")[1])
    }

    @Test func contentsAreReadableBeforeTheyAreFlushed() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        let first = try await store.write(text("first"), prefix: 0, compression: 0)
        #expect(try await store.read(first) == text("first"))
        // A second pack in the making, the first waiting for the storage.
        let latch = Latch()
        repository.storage.setHook { call in if call.kind == "put p" { await latch.wait() } }
        let large = [UInt8](repeating: 7, count: 250_000)
        let second = try await store.write(large, prefix: 0, compression: 0)
        #expect(try await store.read([second, first]) == [large, text("first")])
        #expect(try await store.list(prefix: 0).count == 2)
        latch.open()
        try await store.flush()
        #expect(try await repository.reopened().read(first) == text("first"))
    }

    @Test func equalPlaintextsAreStoredOnce() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        let first = try await store.write(text("twice"), prefix: 0, compression: 0)
        #expect(try await store.write(text("twice"), prefix: 0, compression: 0) == first)
        try await store.flush()
        #expect(try await store.write(text("twice"), prefix: 0, compression: 0) == first)
        try await store.flush()
        #expect(repository.blobs("xn").count == 1)
        let other = try await repository.open()
        #expect(try await other.write(text("twice"), prefix: 0, compression: 0) == first)
        try await other.flush()
        let statistics = await store.statistics
        #expect(statistics.bytesWritten == 15)
        #expect(statistics.bytesDeduplicated == 10)
    }

    @Test func theSameBytesWithAPrefixAreAnotherContent() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        let data = try await store.write(text("same"), prefix: 0, compression: 0)
        let manifest = try await store.write(text("same"), prefix: UInt8(ascii: "m"), compression: 0)
        #expect(data.hash == manifest.hash)
        #expect(data != manifest)
        try await store.flush()
        #expect(repository.blobs("p").count == 1 && repository.blobs("q").count == 1)
    }

    @Test func compressionIsKeptOnlyWhenItHelps() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        let text = [UInt8](repeating: 65, count: 10_000)
        let noise = SeededBytes.rnd(1, 1000)
        let compressible = try await store.write(text, prefix: 0, compression: 0x1101)
        let incompressible = try await store.write(noise, prefix: 0, compression: 0x1101)
        try await store.flush()
        let reopened = try await repository.reopened()
        var compression: [ContentID: UInt32] = [:]
        reopened.forEachEntry { compression[$0.id] = $0.compression }
        #expect(compression == [compressible: 0x1101, incompressible: 0])
        #expect(try await reopened.read([compressible, incompressible]) == [text, noise])
        #expect(try await reopened.info(compressible).map { $0.packedLength < 100 } == true)
    }

    @Test func aReadOnlyStoreWritesNothing() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open(isReadOnly: true)
        let error = await #expect(throws: ContentError.self) {
            try await store.write(text("no"), prefix: 0, compression: 0)
        }
        #expect(error?.code == .readOnly)
        #expect(error?.message == "the repository in memory: is open for reading only")
        try await store.flush()
        try await store.refresh()
        await store.close()
        #expect(repository.storage.writes == [])
    }

    @Test func aFlushWithoutContentsWritesNothing() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        try await store.flush()
        #expect(repository.storage.writes == [])
    }

    @Test func packsOfVersion1StartWithTheFormatAndIndexesAreLegacyOnes() async throws {
        let repository = try await TestRepository(.version1)
        let store = try await repository.open()
        #expect(!store.supportsContentCompression)
        let id = try await store.write([UInt8](repeating: 1, count: 5000), prefix: 0, compression: 0x1101)
        try await store.flush()
        #expect(repository.storage.writes == ["put s", "put p", "put n", "delete s"])
        let packID = try #require(repository.blobs("p").first)
        let pack = try #require(repository.storage.base.contents[packID])
        #expect(try FormatReplica.recover(head: pack, tail: pack) == repository.format.blobBytes)
        let reopened = try await repository.reopened()
        #expect(try await reopened.read(id).count == 5000)
        #expect(try await reopened.localIndex(ofPack: packID).map(\.id) == [id])
    }

    @Test func packsAndIndexesCarryTheRetentionOfTheRepositoryAndMarkersDoNot() async throws {
        let repository = try await TestRepository(.retention)
        let store = try await repository.open()
        let markers = Mutex<[BlobID]>([])
        repository.storage.setHook { call in
            if case .put(let id) = call, call.kind == "put s" { markers.withLock { $0.append(id) } }
            if case .delete(let id) = call { #expect(repository.storage.base.retention(of: id) == nil) }
        }
        _ = try await store.write(text("kept"), prefix: 0, compression: 0)
        _ = try await store.write(text("kept"), prefix: UInt8(ascii: "k"), compression: 0)
        try await store.flush()
        #expect(markers.withLock { $0.count } == 1)
        for prefix in ["p", "q", "xn"] {
            let blob = try #require(repository.blobs(prefix).first)
            #expect(repository.storage.base.retention(of: blob) == repository.format.retention)
        }
    }

    @Test func afterTenMinutesOfWritingTheIndexIsFlushed() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        let first = try await store.write(text("first"), prefix: 0, compression: 0)
        repository.clock.advance(.seconds(599))
        _ = try await store.write(text("second"), prefix: 0, compression: 0)
        #expect(repository.blobs("xn").isEmpty)
        repository.clock.advance(.seconds(2))
        _ = try await store.write(text("third"), prefix: 0, compression: 0)
        #expect(repository.blobs("xn").count == 1)
        #expect(try await repository.reopened().read(first) == text("first"))
    }

    /// Writers side by side publish once; one flush each would end the packs that are being filled eight times.
    @Test func aFullTableOfEntriesIsPublishedOnce() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        let first = try await store.write(text("first"), prefix: 0, compression: 0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                group.addTask {
                    for number in 0..<(LocalContentStore.unpublishedEntriesMax * 3 / 16) {
                        _ = try await store.write(text("\(writer) \(number)"), prefix: 0, compression: 0)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(repository.blobs("xn").count == 1)
        try await store.flush()
        #expect(repository.blobs("xn").count == 2)
        #expect(try await repository.reopened().read(first) == text("first"))
    }

    @Test func theFormatIsReadAgainAfterFifteenMinutes() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        let formatID = try #require(RepositoryFormat.blobID)
        try await repository.storage.base.delete(formatID)
        _ = try await store.write(text("first"), prefix: 0, compression: 0)
        repository.clock.advance(.seconds(900))
        for _ in 0..<2 {
            let error = await #expect(throws: FormatError.self) {
                try await store.write(text("second"), prefix: 0, compression: 0)
            }
            #expect(error?.code == .notInitialized)
        }
    }
}

@Suite struct DeletedContentTests {
    @Test func aDeletedContentIsReadableAndWrittenAgainWithANewerTimestamp() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        let id = try await store.write(text("back again"), prefix: 0, compression: 0)
        try await store.flush()
        repository.clock.advance(.seconds(100))
        try store.markDeleted([id])
        try await store.flush()
        var reopened = try await repository.reopened()
        #expect(try await reopened.info(id)?.isDeleted == true)
        #expect(try await reopened.read(id) == text("back again"))
        #expect(try await reopened.list(prefix: 0) == [])
        // A writer whose clock is behind the deletion.
        repository.clock.setWall(1_767_225_000)
        let other = try await repository.open()
        #expect(try await other.write(text("back again"), prefix: 0, compression: 0) == id)
        try await other.flush()
        reopened = try await repository.reopened()
        #expect(try await reopened.info(id)?.isDeleted == false)
        var timestamps: [Int64] = []
        reopened.forEachEntry { timestamps.append($0.timestampSeconds) }
        #expect(timestamps == [1_767_225_701])
        #expect(repository.blobs("p").count == 2)
    }

    @Test func aWatermarkHidesWhatWasDeletedBeforeIt() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        let id = try await store.write(text("going"), prefix: 0, compression: 0)
        try await store.flush()
        try store.markDeleted([id])
        try await store.flush()
        try await repository.storage.put(try blobID("xw1767225600"), text("deletion-watermark"))
        #expect(try await repository.reopened().info(id) != nil)
        try await repository.storage.put(try blobID("xw1767225601"), text("deletion-watermark"))
        let reopened = try await repository.reopened()
        #expect(try await reopened.info(id) == nil)
        let error = await #expect(throws: ContentError.self) { try await reopened.read(id) }
        #expect(error?.code == .notFound)
        #expect(error?.message == "content \(id) is in no index of memory:")
        let writer = try await repository.open()
        _ = try await writer.write(text("going"), prefix: 0, compression: 0)
        try await writer.flush()
        #expect(try await repository.reopened().read(id) == text("going"))
    }

    @Test func undeletingWritesOnlyWhatIsDeleted() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        let gone = try await store.write(text("gone"), prefix: 0, compression: 0)
        let live = try await store.write(text("live"), prefix: 0, compression: 0)
        try await store.flush()
        try store.markDeleted([gone])
        try await store.flush()
        #expect(try await store.undelete([live, gone]) == 1)
        try await store.flush()
        let reopened = try await repository.reopened()
        #expect(try await reopened.list(prefix: 0).map(\.id).sorted() == [gone, live].sorted())
        #expect(try await reopened.read(gone) == text("gone"))
        await #expect(throws: ContentError.self) {
            try await store.undelete([ContentID(prefix: 0, hash: [UInt8](repeating: 1, count: 16))])
        }
    }
}
