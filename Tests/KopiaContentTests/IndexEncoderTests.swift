import KopiaBlob
import Testing

@testable import KopiaContent

/// Indexes written from a table, as a flush does. That the bytes are kopia's is shown in `IndexVectorTests`.
@Suite struct IndexEncoderTests {
    /// New and superseded entries of several packs and formats, some deleted, in a table of many segments.
    private static func entries() throws -> [[IndexEntry]] {
        try (0..<20).map { (round: UInt32) in
            try (0..<200).map { (number: UInt32) in
                var entry = try MergedIndexTests.entry(
                    (number &* 7 &+ round &* 31) % 1500, pack: "p\((number + round) % 23)-s1", time: Int64(100 + round),
                    deleted: number % 13 == 0)
                entry.compression = number % 3 == 0 ? 0x1101 : 0
                return entry
            }
        }
    }

    @Test(arguments: [300, 100_000])
    func theTableOfManyAdditionsHasTheBytesOfItsWinners(entriesMax: Int) throws {
        let rounds = try Self.entries()
        var table = MergedIndex(hashLength: 16)
        for round in rounds { table.add(round) }
        var winners: [ContentID: IndexEntry] = [:]
        for entry in rounds.joined() where winners[entry.id].map(entry.supersedes) ?? true { winners[entry.id] = entry }
        let encoded = try IndexEncoder.encode(table, .v2, entriesMax: entriesMax)
        #expect(encoded == (try PackIndexBuilder(winners.values).encodeShards(.v2, entriesMax: entriesMax)))
        let read = try encoded.flatMap { try PackIndex(decoding: $0).entries }
        #expect(read.sorted { $0.id < $1.id } == winners.values.sorted { $0.id < $1.id })
        if entriesMax > winners.count { #expect(read == winners.values.sorted { $0.id < $1.id }) }
    }

    /// Packs and formats that only superseded entries name are not written.
    @Test func onlyWhatWinnersNameIsInTheIndex() throws {
        var table = MergedIndex(hashLength: 16)
        var old = try MergedIndexTests.entry(1, pack: "old-s1", time: 1)
        old.compression = 0x1101
        table.add([old] + (try (10..<200).map { try MergedIndexTests.entry($0) }))
        let new = try MergedIndexTests.entry(1, pack: "new-s1", time: 2)
        table.add([new])
        let index = try PackIndex(decoding: try #require(IndexEncoder.encode(table, .v2).first))
        #expect(Set(index.packs) == [try blobID("new-s1"), try blobID("p1-s1")])
        #expect(index.formats.count == 1)
        #expect(index.entrySize == 16)
        #expect(index.entries.contains(new))
    }

    @Test func aTableWithoutEntriesGivesNoIndex() throws {
        #expect(try IndexEncoder.encode(MergedIndex(hashLength: 16), .v2) == [])
    }

    /// The bound that `IndexEncoder` and `LocalContentStore` state, with five contents to a pack.
    @Test(arguments: [PackIndex.Version.v1, .v2])
    func writingAnIndexTakesItsBytesAndTwelveAPack(version: PackIndex.Version) throws {
        let count: UInt32 = 20_000
        var table = MergedIndex(hashLength: 16)
        table.add(
            try (0..<count).map {
                try MergedIndexTests.entry(
                    $0,
                    pack: "p" + String(repeating: "0", count: 31 - String($0 / 5).count)
                        + "\($0 / 5)-s0011223344556677144")
            })
        let encoder = IndexEncoder(table)
        let packs = Int(count) / 5
        #expect(encoder.packs.count == packs)
        // Whatever the allocator rounds up to.
        let rounding = 4096
        #expect(encoder.memoryFootprint <= 12 * packs + rounding)
        let bytes = try encoder.encode(version)
        #expect(bytes.count <= Int(count) * (17 + 20) + packs * (5 + 54) + 64)
        #expect(bytes.capacity <= bytes.count + rounding)
    }
}
