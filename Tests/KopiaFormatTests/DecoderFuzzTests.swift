import GoFormats
import KopiaBlob
import TestSupport
import Testing

@testable import KopiaFormat

/// Damaged inputs must throw or give bounded bytes; nothing may trap. Seeds are fixed and printed by a failing test.
@Suite struct DecoderFuzzTests {
    /// One short stream of each compressor, ours and kopia's.
    static let streams = CompressionTests.cases.filter { ["text", "rndrep", "rnd-300"].contains($0.input) }
    static let lengthMax = 400_000

    /// Must not make more than was allowed, whatever it says.
    static func decode(_ stored: [UInt8], _ headerID: UInt32, _ note: String) {
        if let bytes = try? Compression.decompress(stored, headerID: headerID, expectedLength: lengthMax) {
            #expect(bytes.count == lengthMax, "\(note)")
        }
    }

    @Test(arguments: streams) func truncatedStreamsThrow(_ vector: CompressionTests.Case) throws {
        let stored = vector.compressed
        let length = try #require(CompressionTests.inputs[vector.input]).count
        var cuts = Array(4..<min(stored.count, 200))
        cuts += stride(from: 200, to: stored.count, by: 37)
        // A cut S2 stream may end between two chunks; all others say where they end.
        for cut in cuts {
            let part = Array(stored.prefix(cut))
            #expect(throws: FormatError.self, "cut at \(cut)") {
                _ = try Compression.decompress(part, headerID: vector.headerID, expectedLength: length)
            }
        }
    }

    @Test(arguments: streams) func flippedBytesNeverTrap(_ vector: CompressionTests.Case) throws {
        var generator = SeededGenerator(seed: UInt64(vector.headerID))
        for round in 0..<20 {
            var stored = vector.compressed
            for _ in 0...Int.random(in: 0...2, using: &generator) {
                let place = Int.random(in: 4..<stored.count, using: &generator)
                stored[place] ^= UInt8.random(in: 1...255, using: &generator)
            }
            Self.decode(stored, vector.headerID, "round \(round)")
        }
    }

    @Test(arguments: CompressionTests.cases.filter { $0.input == "empty" })
    func garbageNeverTraps(_ vector: CompressionTests.Case) {
        var generator = SeededGenerator(seed: UInt64(vector.headerID) + 1)
        for round in 0..<60 {
            var stored = vector.compressed
            stored += SeededBytes.rnd(generator.next(), Int.random(in: 0...300, using: &generator))
            Self.decode(stored, vector.headerID, "round \(round)")
            let header = Array(vector.compressed.prefix(4))
            Self.decode(
                header + SeededBytes.rnd(generator.next(), Int.random(in: 0...300, using: &generator)),
                vector.headerID, "round \(round)")
        }
    }

    /// Valid framing around random elements reaches the inner loops of the S2 and LZ4 decoders.
    @Test(arguments: 0..<40) func garbageInsideGoodFramesNeverTraps(_ seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<50 {
            var block = SeededBytes.rnd(generator.next(), Int.random(in: 0...60, using: &generator))
            for position in block.indices where Bool.random(using: &generator) { block[position] &= 0x1f }
            let claimed = UInt8.random(in: 0...127, using: &generator)
            let body: [UInt8] = [0, 0, 0, 0, claimed] + block
            let chunk: [UInt8] = [0x00, UInt8(body.count), 0, 0] + body
            Self.decode(
                [0, 0, 0x12, 0, 0xff, 6, 0, 0] + Array("S2sTwO".utf8) + chunk, 0x1200, "S2 seed \(seed)")
            // Magic, flags without checksums, 64 KiB blocks, the right header checksum.
            let frame: [UInt8] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, UInt8(block.count), 0, 0, 0]
            Self.decode([0, 0, 0x14, 0] + frame + block + [0, 0, 0, 0], 0x1400, "LZ4 seed \(seed)")
        }
    }

    @Test func theHandMadeFramesAreGood() throws {
        let frame: [UInt8] = [0, 0, 0x14, 0, 0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, 6, 0, 0, 0]
        let block = [0x50] + Array("hello".utf8)
        #expect(
            try Compression.decompress(frame + block + [0, 0, 0, 0], headerID: 0x1400, expectedLength: nil)
                == Array("hello".utf8))
        #expect(CRC32.castagnoli.checksum(.init(start: nil, count: 0)) == 0)
        #expect(Array("123456789".utf8).withUnsafeBytes { CRC32.castagnoli.checksum($0) } == 0xe306_9283)
        #expect(Array("abc".utf8).withUnsafeBytes { LZ4Decoder.xxHash($0) } == 0x32d1_53ff)
    }

    /// Some kilobytes that unpack to 16 MiB.
    @Test(arguments: [0x1000, 0x1101, 0x1200, 0x1500] as [UInt32]) func bombsStopAtTheLimit(_ headerID: UInt32) throws {
        let zeros = [UInt8](repeating: 0, count: 16 << 20)
        let bomb = try Compression.compress(zeros, headerID: headerID)
        #expect(bomb.headerID == headerID)
        let error = #expect(throws: FormatError.self) {
            try Compression.decompress(bomb.bytes, headerID: headerID, expectedLength: 1000)
        }
        #expect(error?.message.hasSuffix("is damaged: it gives more than the expected 1000 bytes") == true)
    }

    @Test(arguments: 0..<100) func damagedFormatBlobsNeverTrap(_ seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let json = try #require(FormatBlobTests.blobs[seed % 6].json["kopiaRepository"]?.stringValue)
        var bytes = Array(json.utf8)
        for _ in 0..<3 {
            bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
        }
        _ = try? FormatBlob(bytes)
        _ = try? FormatBlob(Array(bytes.prefix(Int.random(in: 0..<bytes.count, using: &generator))))
        var inner = Array(try #require(FormatBlobTests.blobs[seed % 6].json["plaintext"]?.stringValue).utf8)
        for _ in 0..<3 {
            inner[Int.random(in: 0..<inner.count, using: &generator)] = UInt8.random(in: 0x20...0x7e, using: &generator)
        }
        _ = try? FormatParameters(json: inner)
        let frame = SeededBytes.rnd(generator.next(), Int.random(in: 0...200, using: &generator))
        #expect(try FormatReplica.recover(head: frame, tail: frame) == nil)
    }
}
