import KopiaBlob
import KopiaFormat
import TestSupport
import Testing

@testable import KopiaContent

@Suite struct GoldenDamageTests {
    @Test func aFlippedByteInAnIndexBlobIsNamedWithItsSize() async throws {
        let error = await #expect(throws: ContentError.self) { try await GoldenLists.open("corrupt-index-flipped") }
        #expect(error?.code == .damagedIndex)
        let name = try #require(error?.blob)
        #expect(name.hasPrefix("xn0_"))
        #expect(error?.message.hasPrefix("index blob '\(name)' of ") == true)
        #expect(
            error?.message.hasSuffix(
                "they were altered, cut short, or belong elsewhere") == true)
        #expect(error?.hint?.contains("repository recover-index") == true)
    }

    @Test func aVerifierGoesOnWithoutADamagedIndex() async throws {
        let store = try await GoldenLists.open(
            "corrupt-index-flipped", options: .init(isReadOnly: true, skipsDamagedIndexes: true))
        #expect(store.damagedIndexes.map(\.code) == [.damagedIndex])
        let comparison = try await store.comparePacks()
        #expect(!comparison.unindexed.isEmpty)
    }

    @Test func aLostIndexShowsAsPacksThatNoIndexNames() async throws {
        let store = try await GoldenLists.open("corrupt-index-missing")
        let comparison = try await store.comparePacks()
        #expect(comparison.broken == [])
        #expect(!comparison.unindexed.isEmpty)
        // What it said is still in the packs: together they are what kopia lists for the sound repository.
        var recovered: Set<ContentID> = []
        store.forEachEntry { recovered.insert($0.id) }
        for pack in comparison.unindexed {
            for entry in try await store.localIndex(ofPack: pack.id) { recovered.insert(entry.id) }
        }
        let sound = try GoldenLists.kopiaList("format-v2")
        #expect(recovered.count == sound.count)
    }

    @Test(arguments: ["corrupt-pack-missing", "corrupt-metadata-pack-missing"])
    func aMissingPackIsNamedByTheComparisonAndByTheRead(name: String) async throws {
        let store = try await GoldenLists.open(name)
        let comparison = try await store.comparePacks()
        let broken = try #require(comparison.broken.first)
        #expect(broken.length == nil)
        var lost: [IndexEntry] = []
        store.forEachEntry { if $0.pack == broken.pack { lost.append($0) } }
        #expect(lost.count == broken.contentCount)
        let entry = try #require(lost.first)
        let error = await #expect(throws: ContentError.self) { try await store.read(entry.id) }
        #expect(error?.code == .damaged && error?.content == entry.id && error?.blob == entry.pack.description)
        #expect(
            error?.message
                == "content \(entry.id), \(entry.packedLength) bytes at offset \(entry.packOffset) of pack '\(entry.pack)', cannot be read: the pack is missing in \(store.storage.displayName)"
        )
        let together = await #expect(throws: ContentError.self) { try await store.read(lost.map(\.id)) }
        #expect(together?.code == .damaged)
    }

    @Test func aTruncatedPackIsNamedWithBothLengths() async throws {
        let store = try await GoldenLists.open("corrupt-pack-truncated")
        let broken = try #require(try await store.comparePacks().broken.first)
        #expect(try #require(broken.length) < broken.neededLength)
        var readable = 0
        var damaged = 0
        var ids: [ContentID] = []
        store.forEachEntry { if $0.pack == broken.pack { ids.append($0.id) } }
        for id in ids {
            do {
                _ = try await store.read(id)
                readable += 1
            } catch let error as ContentError {
                #expect(error.code == .damaged)
                #expect(error.message.contains("the pack ends before it"))
                damaged += 1
            }
        }
        #expect(damaged > 0 && readable + damaged == broken.contentCount)
    }

    @Test func flippedBytesInAPackAreFoundAndNothingIsInvented() async throws {
        let store = try await GoldenLists.open("corrupt-pack-flipped")
        #expect(try await store.comparePacks().broken == [])
        var ids: [ContentID] = []
        store.forEachEntry { ids.append($0.id) }
        var damaged = 0
        for id in ids {
            do {
                #expect(try store.crypto.hash(try await store.read(id)) == id.hash)
            } catch let error as ContentError {
                #expect(error.code == .damaged && error.content == id)
                damaged += 1
            }
        }
        #expect(damaged > 0)
    }
}

@Suite struct StoreDamageTests {
    @Test func anEmptyIndexBlobIsRefused() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        _ = try await store.write(text("lost"), prefix: 0, compression: 0)
        try await store.flush()
        let index = try #require(repository.blobs("xn").first)
        repository.storage.base.damage(index) { $0 = [] }
        let error = await #expect(throws: ContentError.self) { try await repository.open() }
        #expect(error?.code == .damagedIndex && error?.blob == index.description)
        #expect(error?.message.hasPrefix("index blob '\(index)' of 0 bytes, stored ") == true)
    }

    @Test func anIndexThatVanishesDuringTheLoadIsLookedForAgain() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        let id = try await store.write(text("compacted"), prefix: 0, compression: 0)
        try await store.flush()
        let index = try #require(repository.blobs("xn").first)
        // As maintenance does: the same entries under another name, then the old blob goes.
        let plaintext = try store.crypto.openBlob(index, try #require(repository.storage.base.contents[index]))
        let replacement = try store.crypto.sealBlob(prefix: "xn0_", suffix: "s00-c1", plaintext: plaintext)
        let base = repository.storage.base
        repository.storage.setHook { call in
            guard case .get(index) = call else { return }
            try await base.put(replacement.id, replacement.bytes)
            try await base.delete(index)
        }
        let other = try await repository.open(isReadOnly: true)
        #expect(try await other.read(id) == text("compacted"))
        #expect(try await store.read(id) == text("compacted"))
    }

    @Test func anIndexThatIsListedButNeverThereIsAnError() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        _ = try await store.write(text("gone"), prefix: 0, compression: 0)
        try await store.flush()
        let index = try #require(repository.blobs("xn").first)
        repository.storage.setHook { call in
            if case .get(index) = call { throw BlobError(.notFound, blob: index, "gone") }
        }
        let error = await #expect(throws: ContentError.self) { try await repository.open(isReadOnly: true) }
        #expect(error?.message == "index blob '\(index)' is listed but was gone in 10 attempts to read it")
    }

    @Test func aContentThatWasMovedIsFoundByRefreshing() async throws {
        let repository = try await TestRepository()
        let writer = try await repository.open()
        let id = try await writer.write(text("moved"), prefix: 0, compression: 0)
        let other = try await writer.write(text("stays"), prefix: UInt8(ascii: "k"), compression: 0)
        try await writer.flush()
        let reader = try await repository.open(isReadOnly: true)
        let together = try await repository.open(isReadOnly: true)
        let old = try #require(repository.blobs("p").first)
        try writer.markDeleted([id])
        try await writer.flush()
        #expect(try await writer.undelete([id]) == 1)
        try await writer.flush()
        try await repository.storage.base.delete(old)
        #expect(try await reader.read(id) == text("moved"))
        #expect(try await together.read([other, id]) == [text("stays"), text("moved")])
    }

    @Test func aContentWrittenByAnotherIsFoundByRefreshing() async throws {
        let repository = try await TestRepository()
        let reader = try await repository.open(isReadOnly: true)
        let writer = try await repository.open()
        let id = try await writer.write(text("new"), prefix: 0, compression: 0)
        try await writer.flush()
        repository.clock.advance(.seconds(6))
        #expect(try await reader.read(id) == text("new"))
    }

    @Test func entriesRecoveredFromPacksArePublishedByAFlush() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        var plaintexts: [ContentID: [UInt8]] = [:]
        for number in 0..<20 {
            let plaintext = text("content \(number)")
            let prefix = number % 3 == 0 ? UInt8(ascii: "k") : 0
            plaintexts[try await store.write(plaintext, prefix: prefix, compression: 0)] = plaintext
        }
        try await store.flush()
        for index in repository.blobs("xn") { try await repository.storage.base.delete(index) }
        let repair = try await repository.open()
        let comparison = try await repair.comparePacks()
        #expect(comparison.unindexed.count == 2)
        for pack in comparison.unindexed { try repair.addRecovered(try await repair.localIndex(ofPack: pack.id)) }
        try await repair.flush()
        let reopened = try await repository.reopened()
        for (id, plaintext) in plaintexts { #expect(try await reopened.read(id) == plaintext) }
        #expect(try await reopened.comparePacks().unindexed.isEmpty)
    }

    @Test func aPackWithoutATrailerHasNoLocalIndex() async throws {
        let repository = try await TestRepository()
        let store = try await repository.open()
        let pack = try blobID("p00-s00")
        try await repository.storage.put(pack, [UInt8](repeating: 0, count: 100))
        let error = await #expect(throws: ContentError.self) { try await store.localIndex(ofPack: pack) }
        #expect(
            error?.message
                == "the local index of pack 'p00-s00' of 100 bytes cannot be read: the pack does not end with a trailer"
        )
    }

    @Test func neighboursInAPackAreReadWithOneRequest() async throws {
        let repository = try await TestRepository()
        let writer = try await repository.open()
        var ids: [ContentID] = []
        for number in 0..<40 { ids.append(try await writer.write(text("chunk \(number)"), prefix: 0, compression: 0)) }
        let other = try await writer.write(text("elsewhere"), prefix: UInt8(ascii: "k"), compression: 0)
        try await writer.flush()
        let reader = try await repository.open(isReadOnly: true)
        repository.storage.forgetCalls()
        let wanted = ids.reversed() + [other, ids[3]]
        let plaintexts = try await reader.read(Array(wanted))
        #expect(plaintexts == (0..<40).reversed().map { text("chunk \($0)") } + [text("elsewhere"), text("chunk 3")])
        #expect(repository.storage.done.map(\.kind).sorted() == ["get p", "get q"])
    }

    @Test func neighboursFarApartAreReadSeparately() async throws {
        let repository = try await TestRepository()
        let writer = try await repository.open()
        let first = try await writer.write(text("first"), prefix: 0, compression: 0)
        _ = try await writer.write([UInt8](repeating: 0, count: 70_000), prefix: 0, compression: 0)
        let last = try await writer.write(text("last"), prefix: 0, compression: 0)
        try await writer.flush()
        let reader = try await repository.open(isReadOnly: true)
        #expect(reader.plan([first, last]).spans.map(\.items.count) == [1, 1])
        #expect(try await reader.read([last, first]) == [text("last"), text("first")])
    }
}
