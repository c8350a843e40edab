import GoFormats
import KopiaBlob
import Testing

@testable import KopiaContent

func listing(_ names: [String]) throws -> [BlobMetadata] {
    try names.map { BlobMetadata(id: try blobID($0), length: 1, timestamp: Timestamp(seconds: 0)) }
}

@Suite struct EpochStateTests {
    static func state(_ names: [String]) throws -> (state: EpochState, active: [String]) {
        let blobs = try listing(names)
        func with(_ prefix: String) -> [BlobMetadata] { blobs.filter { $0.id.hasPrefix(prefix) } }
        let state = EpochState(markers: with("xe"), watermarks: with("xw"), singles: with("xs"), ranges: with("xr"))
        return (state, state.activeIndexBlobs(uncompacted: with("xn")).map(\.id.description).sorted())
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        let blobs: [String]
        let epoch: Int
        let active: [String]
        var testDescription: String { id }
    }

    static let cases = [
        Case(id: "nothing", blobs: [], epoch: 0, active: []),
        Case(
            id: "one epoch", blobs: ["xn0_a-s1-c1", "xn1_b-s1-c1", "xn2_c-s1-c1"], epoch: 0,
            active: ["xn0_a-s1-c1", "xn1_b-s1-c1"]),
        Case(
            id: "range, single and uncompacted",
            blobs: (1...9).map { "xe\($0)" } + (0...9).map { "xn\($0)_a-s1-c1" } + [
                "xr0_6_h-sx-c1", "xs7_h-sy-c1", "xs3_h-sz-c1",
            ],
            epoch: 9, active: ["xn8_a-s1-c1", "xn9_a-s1-c1", "xr0_6_h-sx-c1", "xs7_h-sy-c1"]),
        Case(
            id: "an incomplete single set is not used",
            blobs: ["xe2", "xs0_h-sy-c2", "xn0_a-s1-c1", "xn0_b-s2-c2"], epoch: 2,
            active: ["xn0_a-s1-c1", "xn0_b-s2-c2"]),
        Case(
            id: "a complete set of two", blobs: ["xe2", "xs0_h-sy-c2", "xs0_i-sy-c2", "xs0_j-sz-c2", "xn0_a-s1-c1"],
            epoch: 2,
            active: ["xs0_h-sy-c2", "xs0_i-sy-c2"]),
        Case(
            id: "an unsettled epoch is not taken compacted", blobs: ["xe1", "xs0_h-sy-c1", "xn0_a-s1-c1"], epoch: 1,
            active: ["xn0_a-s1-c1"]),
        Case(
            id: "an incomplete range is not used",
            blobs: ["xe9", "xr0_6_h-sx-c2", "xn0_a-s1-c1", "xs6_h-sy-c1"], epoch: 9,
            active: ["xn0_a-s1-c1", "xs6_h-sy-c1"]),
        Case(
            id: "the chain that reaches furthest with the fewest sets",
            blobs: ["xe20", "xr0_2_h-sa-c1", "xr3_5_h-sb-c1", "xr0_5_h-sc-c1", "xr6_8_h-sd-c1", "xr8_12_h-se-c1"],
            epoch: 20, active: ["xr0_5_h-sc-c1", "xr6_8_h-sd-c1"]),
        Case(
            id: "a range of one epoch is left out", blobs: ["xe9", "xr0_0_h-sa-c1", "xn0_a-s1-c1"], epoch: 9,
            active: ["xn0_a-s1-c1"]),
        Case(
            id: "names that mean nothing are ignored",
            blobs: [
                "xe", "xex", "xe-1", "xe99999999999999999999", "xw", "xwx", "xr0_", "xr5_1_h-s-c1", "xsx_h", "xn_a",
                "xn0_a-s1-c1",
            ],
            epoch: 0, active: ["xn0_a-s1-c1"]),
    ]

    @Test(arguments: cases)
    func theActiveBlobsFollowFromTheListing(example: Case) throws {
        let (state, active) = try Self.state(example.blobs)
        #expect(state.writeEpoch == example.epoch)
        #expect(active == example.active)
    }

    @Test func theNewestWatermarkCounts() throws {
        #expect(try Self.state(["xw5", "xw1767225600", "xw7x"]).state.deletionWatermark == 1_767_225_600)
        #expect(try Self.state([]).state.deletionWatermark == 0)
    }

    @Test func epochsToListAreThoseThatNothingCovers() throws {
        let (state, _) = try Self.state((1...9).map { "xe\($0)" } + ["xr0_6_h-sx-c1", "xs7_h-sy-c1"])
        #expect(state.epochsToList(limit: 8) == [8, 9, 10])
        #expect(try Self.state(["xe5"]).state.epochsToList(limit: 8) == [0, 1, 2, 3, 4, 5, 6])
        #expect(try Self.state(["xe999999999999"]).state.epochsToList(limit: 8) == nil)
    }
}

@Suite struct EpochIndexWriteTests {
    static let frequency = Duration.seconds(1200)
    static func fresh(_ epoch: Int, at now: Duration) -> EpochIndexWrite.Listing {
        .init(writeEpoch: epoch, validUntil: now + frequency)
    }

    @Test func aYoungListingIsUsedAndLookedAtAgainAtTheEnd() throws {
        var write = EpochIndexWrite(names: ["aa-s1-c1"], refreshFrequency: Self.frequency)
        let listing = Self.fresh(3, at: .zero)
        let id = try blobID("xn3_aa-s1-c1")
        #expect(write.next(listing, now: .seconds(300)) == .put(id, shard: 0))
        #expect(write.next(listing, now: .seconds(301)) == .refresh)
        #expect(write.next(Self.fresh(4, at: .seconds(302)), now: .seconds(302)) == .done([id]))
    }

    @Test func aListingPastAQuarterOfItsTimeIsRefreshedFirst() throws {
        var write = EpochIndexWrite(names: ["aa-s1-c1"], refreshFrequency: Self.frequency)
        #expect(write.next(nil, now: .zero) == .refresh)
        #expect(write.next(Self.fresh(3, at: .zero), now: .seconds(301)) == .refresh)
        #expect(
            write.next(Self.fresh(3, at: .seconds(301)), now: .seconds(302))
                == .put(try blobID("xn3_aa-s1-c1"), shard: 0))
    }

    @Test func whenTheEpochAdvancesBetweenShardsTheyAreWrittenAgain() throws {
        var write = EpochIndexWrite(names: ["aa-s1-c2", "bb-s1-c2"], refreshFrequency: Self.frequency)
        let listing = Self.fresh(3, at: .zero)
        let first = try blobID("xn3_aa-s1-c2")
        #expect(write.next(listing, now: .zero) == .put(first, shard: 0))
        #expect(write.next(listing, now: .seconds(1200)) == .refresh)
        let later = Self.fresh(4, at: .seconds(1200))
        #expect(write.next(later, now: .seconds(1201)) == .delete([first]))
        let again = [try blobID("xn4_aa-s1-c2"), try blobID("xn4_bb-s1-c2")]
        #expect(write.next(later, now: .seconds(1201)) == .put(again[0], shard: 0))
        #expect(write.next(later, now: .seconds(1201)) == .put(again[1], shard: 1))
        #expect(write.next(later, now: .seconds(1202)) == .refresh)
        #expect(write.next(Self.fresh(4, at: .seconds(1202)), now: .seconds(1202)) == .done(again))
    }

    @Test func whenTwoEpochsGoByNothingIsPublished() throws {
        var write = EpochIndexWrite(names: ["aa-s1-c1"], refreshFrequency: Self.frequency)
        let listing = Self.fresh(3, at: .zero)
        let id = try blobID("xn3_aa-s1-c1")
        #expect(write.next(listing, now: .zero) == .put(id, shard: 0))
        #expect(write.next(listing, now: .zero) == .refresh)
        let later = Self.fresh(5, at: .zero)
        #expect(write.next(later, now: .zero) == .delete([id]))
        #expect(write.next(later, now: .zero) == .tooSlow(writtenEpoch: 3, currentEpoch: 5))
    }
}

@Suite struct LegacyIndexTests {
    static let poison = "n00000000000000000000000000000000-repository_unreadable_by_this_kopia_version_upgrade_required"

    @Test func aCompactionCountsOnceAllItsOutputsExist() throws {
        let blobs = try listing(["n1", "n2", "n3", "n4", Self.poison])
        func active(_ logs: [LegacyIndexes.CompactionLog]) -> [String] {
            LegacyIndexes.active(indexes: blobs, logs: logs).map(\.id.description)
        }
        #expect(active([]) == ["n1", "n2", "n3", "n4"])
        #expect(active([.init(inputs: ["n1", "n2"], outputs: ["n3"])]) == ["n3", "n4"])
        #expect(active([.init(inputs: ["n1", "n2"], outputs: ["n3", "n9"])]) == ["n1", "n2", "n3", "n4"])
    }

    @Test func aCompactionLogIsReadInAnyCaseAndWithNulls() throws {
        let text =
            #"{"InputMetadata":[{"id":"n1","length":5,"timestamp":"2026-01-01T00:00:00Z"}],"outputMetadata":null,"x":1}"#
        #expect(try LegacyIndexes.CompactionLog(decoding: Array(text.utf8)) == .init(inputs: ["n1"], outputs: []))
    }

    @Test(arguments: ["", "[]", #"{"inputMetadata":5}"#, #"{"inputMetadata":[{"length":5}]}"#])
    func somethingElseIsNoCompactionLog(text: String) {
        #expect(throws: IndexError.self) { try LegacyIndexes.CompactionLog(decoding: Array(text.utf8)) }
    }
}
