import KopiaBlob
import Testing

@testable import KopiaContent

@Suite struct MergedIndexTests {
    static func entry(_ number: UInt32, pack: String = "p1-s1", time: Int64 = 5, deleted: Bool = false) throws
        -> IndexEntry
    {
        var hash = [UInt8](repeating: 0, count: 16)
        for byte in 0..<4 { hash[byte] = UInt8(truncatingIfNeeded: (number &* 2_654_435_761) >> UInt32(byte * 8)) }
        return IndexEntry(
            id: ContentID(prefix: number % 7 == 0 ? UInt8(ascii: "k") : 0, hash: hash), pack: try blobID(pack),
            packOffset: number, packedLength: 100 + number, originalLength: 72 + number, timestampSeconds: time,
            isDeleted: deleted)
    }

    struct Precedence: Sendable, CustomTestStringConvertible {
        let id: String
        let winner: (time: Int64, deleted: Bool, pack: String)
        let loser: (time: Int64, deleted: Bool, pack: String)
        var testDescription: String { id }
    }

    static let rules = [
        Precedence(id: "live beats deleted at one time", winner: (5, false, "pa"), loser: (5, true, "pb")),
        Precedence(id: "newer deletion beats live", winner: (6, true, "pa"), loser: (5, false, "pb")),
        Precedence(id: "newer live beats deletion", winner: (7, false, "pa"), loser: (6, true, "pb")),
        Precedence(id: "larger pack wins a tie", winner: (5, false, "pb"), loser: (5, false, "pa")),
        Precedence(id: "longer pack name wins a tie", winner: (5, false, "pa0"), loser: (5, false, "pa")),
    ]

    @Test(arguments: rules)
    func theWinnerDoesNotDependOnTheOrder(rule: Precedence) throws {
        let winner = try Self.entry(1, pack: rule.winner.pack, time: rule.winner.time, deleted: rule.winner.deleted)
        let loser = try Self.entry(1, pack: rule.loser.pack, time: rule.loser.time, deleted: rule.loser.deleted)
        #expect(winner.supersedes(loser) && !loser.supersedes(winner))
        for order in [[winner, loser], [loser, winner]] {
            var separate = MergedIndex(hashLength: 16)
            for entry in order { separate.add([entry]) }
            #expect(separate.entry(winner.id) == winner)
            // A large segment below keeps the two apart, so that the look-up itself has to choose.
            var apart = MergedIndex(hashLength: 16)
            apart.add([order[0]] + (try (10..<100).map { try Self.entry($0) }))
            apart.add([order[1]])
            #expect(apart.entry(winner.id) == winner)
            var listed: [IndexEntry] = []
            apart.forEach { if $0.id == winner.id { listed.append($0) } }
            #expect(listed == [winner])
            var together = MergedIndex(hashLength: 16)
            together.add(order)
            #expect(together.entry(winner.id) == winner)
            #expect(try PackIndex(decoding: PackIndexBuilder(order).encode(.v2)).entries == [winner])
        }
    }

    @Test func aDeletionAtOrBeforeTheWatermarkIsHidden() throws {
        let deleted = try Self.entry(1, time: 6, deleted: true)
        #expect(!deleted.isHidden(byWatermark: 5))
        #expect(deleted.isHidden(byWatermark: 6))
        #expect(!(try Self.entry(1, time: 6)).isHidden(byWatermark: 6))
    }

    @Test func manySmallAdditionsGiveTheSameAsOneLargeOne() throws {
        let entries = try (0..<2000).map { try Self.entry($0, pack: "p\($0 / 50)-s1") }
        var merged = MergedIndex(hashLength: 16)
        for start in stride(from: 0, to: entries.count, by: 13) {
            merged.add(Array(entries[start..<min(start + 13, entries.count)]))
        }
        var listed: [IndexEntry] = []
        merged.forEach { listed.append($0) }
        #expect(listed == entries.sorted { $0.id < $1.id })
        var directories: [ContentID] = []
        merged.forEach(prefix: UInt8(ascii: "k")) { directories.append($0.id) }
        #expect(directories == listed.map(\.id).filter { $0.prefix != 0 })
        for entry in entries { #expect(merged.entry(entry.id) == entry) }
        #expect(merged.entry(ContentID(prefix: 0, hash: Array(repeating: 0xee, count: 16))) == nil)
        #expect(merged.entry(ContentID(prefix: 0, hash: Array(repeating: 0xee, count: 32))) == nil)
    }

    /// What a flush does: entries of new and known contents, in packs and formats that have other numbers there.
    @Test func aTableAddedPartByPartIsTheSameAsItsEntries() throws {
        var committed = MergedIndex(hashLength: 16)
        committed.add(try (0..<3000).map { try Self.entry($0, pack: "p\($0 / 50)-s1") })
        var more = MergedIndex(hashLength: 16)
        var entries: [IndexEntry] = []
        for start: UInt32 in stride(from: 2900, to: 3500, by: 100) {
            entries += try (start..<start + 100).map {
                var entry = try Self.entry($0, pack: "p\($0 / 30)-s2", time: 6, deleted: $0 % 11 == 0)
                entry.compression = $0 % 2
                return entry
            }
            more.add(Array(entries.suffix(100)))
        }
        var expected = committed
        expected.add(entries)
        var added = committed
        for part in MergedIndex.parts {
            let before = added
            added.add(more, part: part)
            // Meanwhile everything is in one of the two, and only this part is another.
            for entry in entries {
                let found = [added.entry(entry.id), more.entry(entry.id)].compactMap(\.self)
                #expect(found.contains(entry))
            }
            for other in MergedIndex.parts where other != part {
                #expect(Self.addresses(added.stacks[other]) == Self.addresses(before.stacks[other]))
            }
        }
        #expect(added.entryCount == 3600)
        #expect(added.invalidEntryCount == 0)
        var listed: [[IndexEntry]] = [[], []]
        added.forEach { listed[0].append($0) }
        expected.forEach { listed[1].append($0) }
        #expect(listed[0] == listed[1])
        #expect(listed[0].count == 3500)
        #expect(added.namesPack(try blobID("p100-s2")))
        #expect(!added.namesPack(try blobID("p100-s1")))
    }

    /// Where the records of segments lie.
    private static func addresses(_ segments: [IndexSegment]) -> [UInt?] {
        segments.map { $0.records.withUnsafeBytes { $0.baseAddress.map { UInt(bitPattern: $0) } } }
    }

    @Test func anIndexThatIsNotSortedIsPutInOrder() throws {
        let entries = try (1..<20).map { try Self.entry($0) }
        let sorted = try PackIndexBuilder(entries).encode(.v2)
        let stride = 17 + 16
        var shuffled = Array(sorted[..<17])
        for position in (0..<19).reversed() {
            shuffled += sorted[(17 + position * stride)..<(17 + (position + 1) * stride)]
        }
        shuffled += sorted[(17 + 19 * stride)...]
        var merged = MergedIndex(hashLength: 16)
        merged.add(try PackIndex(decoding: shuffled))
        for entry in entries { #expect(merged.entry(entry.id) == entry) }
    }

    @Test func anIndexWithOtherHashLengthsCountsAsInvalid() throws {
        var merged = MergedIndex(hashLength: 32)
        merged.add(try PackIndex(decoding: PackIndexBuilder([try Self.entry(1)]).encode(.v2)))
        #expect(merged.entryCount == 0)
        #expect(merged.invalidEntryCount == 1)
    }

    @Test func aContentTakesAtMost64BytesEvenWithFiveToAPack() throws {
        let count: UInt32 = 20_000
        var merged = MergedIndex(hashLength: 16)
        let entries = try (0..<count).map {
            try Self.entry(
                $0,
                pack: "p" + String(repeating: "0", count: 31 - String($0 / 5).count) + "\($0 / 5)-s0011223344556677144")
        }
        merged.add(try PackIndex(decoding: PackIndexBuilder(entries).encode(.v2)))
        merged.trim()
        #expect(merged.memoryFootprint <= Int(count) * 64)
        for entry in entries.prefix(100) { #expect(merged.entry(entry.id) == entry) }
    }
}
