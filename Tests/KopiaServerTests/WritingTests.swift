import KopiaContent
import SwiftProtobuf
import TestSupport
import Testing

@testable import KopiaServer

struct WritingTests {
    private static let limit = 20 << 20

    /// What stands before a plaintext must make one protobuf message of both.
    @Test(arguments: [0, 1, 100, 127, 128, 16_383, 16_384, 2_000_000], [UInt8(0), UInt8(ascii: "k")])
    func aHeadAndAPlaintextAreOneMessage(_ length: Int, _ prefix: UInt8) throws {
        let plaintext = SeededBytes.rnd(1, length)
        let frame =
            try writingHead(length, prefix: prefix, compression: 0x1101, id: 300, lengthMax: Self.limit) + plaintext
        var reader = GRPCFrameReader(lengthMax: Self.limit)
        let messages = try reader.append(frame)
        #expect(messages.count == 1 && reader.isBetweenMessages)
        let message = try SessionRequest(serializedBytes: try #require(messages.first))
        #expect(message.requestID == 300)
        guard case .writeContent(let writing)? = message.request else {
            Issue.record("no writing")
            return
        }
        #expect(Array(writing.data) == plaintext)
        #expect(writing.prefix == (prefix == 0 ? "" : "k"))
        #expect(writing.compression == 0x1101)
        // Nothing that the usual encoding has not but the mention of empty data: only the order of fields may differ.
        let usual: [UInt8] = try message.serializedBytes()
        #expect(messages.first?.count == usual.count + (length == 0 ? 2 : 0))
    }

    @Test func aMessageTooLargeIsRefusedByOneByte() throws {
        let head = try writingHead(1000, prefix: 0, compression: 0, id: 1, lengthMax: Self.limit)
        let whole = head.count - GRPCFrame.headerLength + 1000
        #expect(throws: Never.self) { try writingHead(1000, prefix: 0, compression: 0, id: 1, lengthMax: whole) }
        let error = try #require(throws: ServerError.self) {
            try writingHead(1000, prefix: 0, compression: 0, id: 1, lengthMax: whole - 1)
        }
        #expect(error.code == .tooLarge)
    }

    @Test(
        arguments: [
            ([10, 20, 30], [60]), ([10, 70_000, 20, 30], [10, 70_000, 50]), ([65_536, 65_536], [65_536, 65_536]),
            ([0, 5, 0], [5]), ([], []), ([65_535, 65_535], [131_070]),
        ] as [([Int], [Int])])
    func smallFramesLieTogether(_ lengths: [Int], _ parts: [Int]) {
        var frames = FrameParts()
        var all: [UInt8] = []
        for (index, length) in lengths.enumerated() {
            let bytes = [UInt8](repeating: UInt8(index), count: length)
            frames.append(bytes)
            all += bytes
        }
        #expect(frames.parts.map(\.count) == parts)
        #expect(Array(frames.parts.joined()) == all)
    }
}

struct CompactingTests {
    /// What waits for a flush is bounded by its bytes, so the memory it takes must not be much more.
    @Test(arguments: [(100_000, 200_000, true), (100_000, 105_000, false), (1 << 20, 4 << 20, false), (0, 100, true)])
    func aContentKeepsNoLargeBuffer(_ count: Int, _ capacity: Int, _ isCopied: Bool) {
        var plaintext = SeededBytes.rnd(2, count)
        plaintext.reserveCapacity(capacity)
        let compact = ServerContentStore.compact(plaintext)
        #expect(compact == plaintext)
        // An allocator rounds up, by less than a page.
        #expect(isCopied ? compact.capacity < count + 4096 : compact.capacity == plaintext.capacity)
    }
}

struct PackPrefetchTests {
    @Test(arguments: [16, 17, 100, 1024]) func theSampleIsSpreadOverAll(_ count: Int) {
        let sample = PackPrefetch.sample(of: count)
        #expect(sample.count == PackPrefetch.samples)
        #expect(Set(sample).count == sample.count && sample == sample.sorted())
        #expect(sample.allSatisfy { (0..<count).contains($0) })
        let gaps = zip(sample, sample.dropFirst()).map { $1 - $0 }
        #expect(gaps.allSatisfy { abs($0 - count / PackPrefetch.samples) <= 1 }, "\(sample)")
    }

    @Test(
        arguments: [
            (["a", "a", "a", "a"], ["a"]), (["a", "a", "a"], []), ([], []),
            (["a", "b", "a", "b", "a", "b", "a", "b", "a", "c"], ["a", "b"]),
        ] as [([String], [String])])
    func aPackIsWantedOnceWhenSeveralLieInIt(_ packs: [String], _ wanted: [String]) throws {
        let samples = try packs.enumerated().map { index, pack in
            let hash = String(repeating: "0", count: 30) + (index < 10 ? "0\(index)" : "\(index)")
            return (id: try #require(ContentID(hash)), pack: pack)
        }
        let result = PackPrefetch.wanted(samples)
        #expect(result.map(\.pack) == wanted)
        for (id, pack) in result { #expect(samples.contains { $0.id == id && $0.pack == pack }) }
    }
}
