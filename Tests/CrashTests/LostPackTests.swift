import KopiaBlob
import KopiaFormat
import KopiaObject
import KopiaRepository
import KopiaSnapshot
import TestSupport
import Testing

@testable import CrashWriter

/// Somebody lost a pack, and the indexes still name what was in it. A snapshot that shares contents with earlier ones would
/// be as broken as these, day after day, and nobody would know before a restore.
struct LostPackTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        /// Few packs are asked for one by one, many are listed.
        let length: Int
        /// Bytes that are left of the pack; nil for none of it.
        var left: Int?
        let words: String
        var testDescription: String { id }
    }

    private static let dynamic = Splitter.dynamic(averageLength: 4 << 10)

    @Test(arguments: [
        Case(id: "missing, of few", length: 60_000, words: "', which is missing in crash"),
        Case(id: "missing, of many", length: 600_000, words: "', which is missing in crash"),
        Case(id: "cut short, of few", length: 60_000, left: 500, words: "', which has 500 bytes instead of "),
        Case(id: "cut short, of many", length: 600_000, left: 500, words: "', which has 500 bytes instead of "),
    ])
    func nothingIsPublishedThatNeedsIt(_ item: Case) async throws {
        let storage = MemoryBlobStorage()
        let format = try await CrashRepository.make(in: storage)
        let first = try await write(item.length, Self.dynamic, storage, format)
        let packs = storage.contents.keys.filter { $0.hasPrefix("p") }.sorted()
        #expect((packs.count > 16) == (item.length > 100_000))
        let pack = try #require(packs.last)
        let whole = storage.contents
        if let left = item.left {
            storage.damage(pack) { $0.removeLast($0.count - left) }
        } else {
            try await storage.delete(pack)
        }
        let error = await #expect(throws: RepositoryError.self) {
            try await write(item.length, Self.dynamic, storage, format)
        }
        #expect(error?.code == .damaged)
        #expect(error?.message.hasPrefix("nothing was published: ") == true)
        #expect(error?.message.contains("are in pack '\(pack)\(item.words)") == true, "\(error?.message ?? "")")
        #expect(try await ids(storage, format) == [first])

        // As the hint says: cut another way it shares nothing.
        let second = try await write(item.length, try #require(Splitter(name: "FIXED-128K")), storage, format)
        #expect(try await ids(storage, format) == [first, second])
        // Back from a copy everything is as it was.
        let bytes = try #require(whole[pack])
        try await storage.put(pack, bytes, retention: nil)
        let third = try await write(item.length, Self.dynamic, storage, format)
        #expect(try await ids(storage, format) == [first, second, third])
    }

    private func write(
        _ length: Int, _ splitter: Splitter, _ storage: any BlobStorage, _ format: RepositoryFormat
    ) async throws -> String {
        var options = SnapshotOptions()
        options.splitter = splitter
        return try await CrashRepository.open(storage, format, .readWrite) { repository in
            try await repository.writeSnapshot(
                of: SnapshotSource(host: "writer", userName: "crash", path: "/lost"), options: options
            ) { writer in
                try await writer.addFile("dump", bytes: SeededBytes.rnd(5, length))
            }.snapshot.id.description
        }
    }

    private func ids(_ storage: any BlobStorage, _ format: RepositoryFormat) async throws -> [String] {
        try await CrashRepository.open(storage, format, .readOnly) { repository in
            try await repository.snapshots().map(\.id.description)
        }
    }
}
