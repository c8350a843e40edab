import KopiaContent
import KopiaFormat
import Synchronization
import TestSupport
import Testing

@testable import KopiaObject

/// Names contents as kopia does with the secret of the reference's vectors, bytes 0 … 31.
let referenceHash: @Sendable ([UInt8]) throws -> [UInt8] = { bytes in
    try ContentCrypto(
        hash: .blake2b256Truncated128, encryption: .aes256GCM, secret: SecretBytes(Array(0..<32)),
        masterKey: SecretBytes(Array(32..<64))
    ).hash(bytes)
}

private func writer(
    _ store: MemoryContentStore, average: Int = 4 << 10, compression: UInt32 = 0, inFlight: Int = 3
) throws -> ObjectWriter {
    try ObjectWriter(
        contents: store, splitter: .dynamic(averageLength: average), compression: compression,
        metadataCompression: 0x1101, chunksInFlight: inFlight)
}

struct ObjectWriterTests {
    @Test(arguments: [0, 1, 63, 64, 2_047, 2_048, 8_192, 100_000])
    func readsBackAStreamOfBytes(count: Int) async throws {
        let store = MemoryContentStore()
        let input = SeededBytes.rnd(1, count)
        let written = try await writer(store).write(input)
        #expect(written.length == Int64(count))
        let reader = try await ObjectReader.open(written.id, in: store)
        #expect(reader.length == Int64(count))
        #expect(try await reader.readAll(limit: count) == input)
    }

    /// The stream cut at random places, and byte by byte, must give the same object.
    @Test(arguments: 0..<8, ["DYNAMIC-4K-BUZHASH", "LOWEST-4K-GEAR"])
    func seamsBetweenBlocksDoNotMatter(seed: Int, splitter: String) async throws {
        let input = SeededBytes.rnd(5, 60_000)
        func writer(_ store: MemoryContentStore) throws -> ObjectWriter {
            try ObjectWriter(
                contents: store, splitter: Splitter(name: splitter), compression: 0, metadataCompression: 0x1101,
                chunksInFlight: 3)
        }
        let whole = try await writer(MemoryContentStore()).write(input)
        var random = SeededGenerator(seed: UInt64(seed))
        let largest = seed == 0 ? 1 : [3, 64, 500, 4_096, 9_000, 30_000, 59_999][seed - 1]
        var position = 0
        let pieces = try await writer(MemoryContentStore()).write {
            guard position < input.count else { return nil }
            let length = min(input.count - position, Int.random(in: (seed == 0 ? 1 : 0)...largest, using: &random))
            defer { position += length }
            return Array(input[position..<position + length])
        }
        #expect(pieces == whole)
        #expect(whole.chunkCount > 5)
    }

    @Test func anEmptyStreamIsOneEmptyContent() async throws {
        let store = MemoryContentStore(hash: referenceHash)
        let written = try await writer(store).write([])
        #expect(written.id.description == "4e51e7a913fc80137da52880fecca175")
        #expect(written.chunkCount == 1)
        let reader = try await ObjectReader.open(written.id, in: store)
        #expect(try await reader.readAll(limit: 0) == [])
    }

    @Test func aStreamThatEndsAtACutHasNoEmptyChunk() async throws {
        let store = MemoryContentStore()
        let writer = try ObjectWriter(
            contents: store, splitter: Splitter(name: "FIXED-128K"), compression: 0, metadataCompression: 0,
            chunksInFlight: 2)
        let written = try await writer.write(SeededBytes.rnd(3, 256 << 10))
        #expect(written.chunkCount == 2)
        #expect(try await ObjectReader.open(written.id, in: store).table.count == 2)
    }

    @Test func aLongTableIsAnIndirectObjectItself() async throws {
        let store = MemoryContentStore(defaultSplitter: "FIXED-128K")
        let input = SeededBytes.rnd(9, 14_000_000)
        let written = try await writer(store).write(input)
        #expect(written.id.description.hasPrefix("IIx"))
        #expect(written.chunkCount > 2_500)
        let reader = try await ObjectReader.open(written.id, in: store)
        #expect(reader.table.count == written.chunkCount)
        #expect(try await reader.readAll(limit: input.count) == input)
    }

    @Test func passesTheCompressorOnAndUsesThatOfMetadataForTables() async throws {
        let store = MemoryContentStore()
        let written = try await writer(store, compression: 0x1100).write(SeededBytes.rnd(4, 50_000))
        #expect(written.id.description.hasPrefix("Ix"))
        #expect(store.compression(of: written.id.content) == 0x1101)
        let pieces = try await ObjectReader.open(written.id, in: store).contentIDs.map { store.compression(of: $0) }
        #expect(pieces.allSatisfy { $0 == 0x1100 })
    }

    @Test func withIndexVersion1TheObjectLayerCompresses() async throws {
        let store = MemoryContentStore(supportsContentCompression: false)
        let input = SeededBytes.dump(7, 300) + SeededBytes.rnd(2, 20_000)
        let written = try await writer(store, average: 8 << 10, compression: 0x1000).write(input)
        let table = try await ObjectReader.open(written.id, in: store).table
        let flags = (0..<table.count).map { table[$0].object.isCompressed }
        #expect(flags.contains(true))
        #expect(flags.contains(false))
        #expect(store.compression(of: written.id.content) == 0)
        #expect(try await ObjectReader.open(written.id, in: store).readAll(limit: input.count) == input)
        let small = try await writer(store, average: 8 << 10, compression: 0x1000).write(Array(input[..<4_000]))
        #expect(small.id.description.hasPrefix("Z"))
        #expect(try await ObjectReader.open(small.id, in: store).length == 4_000)
    }
}

struct ObjectWriterBoundTests {
    /// A store that stalls must stop the producer after the chunks in flight, the one being filled and one block; small
    /// chunks count by the half MiB.
    @Test(arguments: [(4 << 10, 512 << 10 + 8 << 10), (1 << 20, 2 << 20)])
    func aStallingStoreStopsTheProducer(average: Int, eachMax: Int) async throws {
        let gate = Gate()
        let store = MemoryContentStore(beforeWrite: { _ in await gate.pass() })
        let produced = Mutex(0)
        let block = SeededBytes.rnd(6, 10_000)
        let task = Task {
            try await writer(store, average: average, inFlight: 3).write {
                produced.withLock { $0 += 1 }
                return produced.withLock { $0 } <= 2_000 ? block : nil
            }
        }
        var last = -1
        while last != produced.withLock({ $0 }) || store.writesInProgressMax < 3 {
            last = produced.withLock { $0 }
            try await Task.sleep(for: .milliseconds(30))
        }
        #expect(last <= 4 * eachMax / 10_000 + 2)
        #expect(store.writesInProgressMax == 3)
        await gate.open()
        #expect(try await task.value.length == 20_000_000)
        #expect(store.writesInProgressMax == 3)
    }

    /// One chunk that takes long does not let any number of others wait for their turn behind it.
    @Test func aChunkThatStallsStopsTheProducerAfterAWhile() async throws {
        let gate = Gate()
        let isFirst = Mutex(true)
        let store = MemoryContentStore(beforeWrite: { _ in
            let stalls = isFirst.withLock { isFirst in
                defer { isFirst = false }
                return isFirst
            }
            if stalls { await gate.pass() }
        })
        let produced = Mutex(0)
        let block = SeededBytes.rnd(6, 10_000)
        let task = Task {
            var writer = try writer(store, inFlight: 3)
            writer.chunksAheadMax = 300
            return try await writer.write {
                produced.withLock { $0 += 1 }
                return produced.withLock { $0 } <= 2_000 ? block : nil
            }
        }
        var last = -1
        while last != produced.withLock({ $0 }) {
            last = produced.withLock { $0 }
            try await Task.sleep(for: .milliseconds(30))
        }
        // And what one batch may have more.
        #expect(last * 10_000 <= (300 + (512 << 10) / (2 << 10)) * (8 << 10))
        await gate.open()
        #expect(try await task.value.length == 20_000_000)
    }

    @Test func whatTheProducerThrowsComesOut() async throws {
        struct Died: Error, Equatable {}
        var blocks = 3
        await #expect(throws: Died()) {
            _ = try await writer(MemoryContentStore()).write {
                blocks -= 1
                if blocks == 0 { throw Died() }
                return SeededBytes.rnd(1, 10_000)
            }
        }
    }

    @Test func cancellationEndsAnEndlessStream() async throws {
        let task = Task {
            try await writer(MemoryContentStore()).write { SeededBytes.rnd(1, 5_000) }
        }
        try await Task.sleep(for: .milliseconds(20))
        task.cancel()
        await #expect(throws: CancellationError.self) { _ = try await task.value }
    }

    @Test func aCheckpointIsAReadableBeginningOfTheStream() async throws {
        let store = MemoryContentStore()
        let input = SeededBytes.rnd(8, 100_000)
        var position = 0
        var parts: [WrittenObject] = []
        _ = try await writer(store).write(
            from: {
                guard position < input.count else { return nil }
                defer { position += 10_000 }
                return Array(input[position..<position + 10_000])
            }, checkpointInterval: .zero
        ) { parts.append($0) }
        #expect(parts.count > 10)
        #expect(parts.map(\.length) == parts.map(\.length).sorted())
        for part in [parts[0], parts[parts.count / 2]] {
            let bytes = try await ObjectReader.open(part.id, in: store).readAll(limit: input.count)
            #expect(bytes == Array(input[..<bytes.count]))
            #expect(bytes.count == Int(part.length))
        }
    }
}

/// Lets nobody pass until it is opened.
private actor Gate {
    private var isOpen = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func pass() async {
        if !isOpen { await withCheckedContinuation { waiting.append($0) } }
    }

    func open() {
        isOpen = true
        for continuation in waiting { continuation.resume() }
        waiting = []
    }
}

/// splitmix64: the same numbers for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
