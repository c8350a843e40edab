import KopiaBlob
import TestSupport
import Testing

@testable import KopiaContent

/// Decoders get random bytes behind plausible beginnings: they may read or refuse, and never trap.
@Suite struct GarbageTests {
    struct Beginning: Sendable, CustomTestStringConvertible {
        let id: String
        let hex: String
        var testDescription: String { id }
    }

    @Test(arguments: [
        Beginning(id: "anything", hex: ""), Beginning(id: "version 1", hex: "01 11 0014 0000"),
        Beginning(id: "version 1, many entries", hex: "01 11 0014 00000008"),
        Beginning(id: "version 2", hex: "02 11 0013"),
        Beginning(id: "version 2, few tables", hex: "02 11 0013 00000004 00000003 02"),
    ])
    func randomIndexesNeverTrap(beginning: Beginning) {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<3000 {
            let length = Int(generator.next() % 400)
            let noise = SeededBytes.rnd(generator.next(), length)
            guard let index = try? PackIndex(decoding: bytes(hex: beginning.hex) + noise) else { continue }
            var merged = MergedIndex(hashLength: 16)
            merged.add(index)
            var count = 0
            merged.forEach { entry in
                count += 1
                #expect(merged.entry(entry.id) == entry)
            }
            #expect(count <= index.count)
        }
    }

    @Test func randomTrailersNeverTrap() throws {
        var generator = SeededGenerator(seed: 12)
        for _ in 0..<3000 {
            var body = SeededBytes.rnd(generator.next(), Int(generator.next() % 40))
            // A right checksum lets the bytes through to the varints.
            body.appendBigEndian(UInt64(CRC32.checksum(body)), width: 4)
            body.append(UInt8(truncatingIfNeeded: body.count))
            guard let trailer = try? PackTrailer(tail: [0] + body, packLength: 1000) else { continue }
            #expect(trailer.localIndexOffset >= 0 && trailer.localIndexLength <= 1000 - trailer.localIndexOffset)
        }
    }

    @Test func randomBlobNamesMeanNothing() throws {
        var generator = SeededGenerator(seed: 13)
        let letters = Array("xnxsxrxexw0123456789_-sc".utf8)
        var blobs: [BlobMetadata] = []
        for _ in 0..<3000 {
            let length = 1 + Int(generator.next() % 24)
            let name = (0..<length).map { _ in letters[Int(generator.next() % UInt64(letters.count))] }
            blobs += try listing([String(decoding: name, as: UTF8.self)])
        }
        let state = EpochState(markers: blobs, watermarks: blobs, singles: blobs, ranges: blobs)
        #expect(state.activeIndexBlobs(uncompacted: blobs).count <= blobs.count)
        _ = state.epochsToList(limit: 8)
    }
}
