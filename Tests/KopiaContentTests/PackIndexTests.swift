import KopiaBlob
import Testing

@testable import KopiaContent

@Suite struct PackIndexTests {
    static let dataPack = "pa0a1a2a3a4a5a6a7a8a9aaabacadaeaf-s0011223344556677144"
    static let metadataPack = "qb0b1b2b3b4b5b6b7b8b9babbbcbdbebf-s0011223344556677144"

    static func entries(version: UInt8 = 3, compression: UInt32 = 0x1101) throws -> [IndexEntry] {
        [
            IndexEntry(
                id: try contentID("00112233445566778899aabbccddeeff"), pack: try blobID(dataPack),
                packOffset: 4_194_364,
                packedLength: 128, originalLength: 1000, timestampSeconds: 1_767_225_602, formatVersion: version,
                compression: compression),
            IndexEntry(
                id: try contentID("ffeeddccbbaa99887766554433221100"), pack: try blobID(dataPack), packOffset: 32,
                packedLength: 4_194_332, originalLength: 4_194_304, timestampSeconds: 1_767_225_601,
                formatVersion: version),
            IndexEntry(
                id: try contentID("k000102030405060708090a0b0c0d0e0f"), pack: try blobID(metadataPack), packOffset: 32,
                packedLength: 328, originalLength: 300, timestampSeconds: 1_767_225_600, formatVersion: version),
            IndexEntry(
                id: try contentID("m0f0e0d0c0b0a09080706050403020100"), pack: try blobID(metadataPack), packOffset: 360,
                packedLength: 540, originalLength: 512, timestampSeconds: 1_767_225_603, isDeleted: true,
                formatVersion: version),
        ]
    }

    static let names = hexadecimal(dataPack.utf8) + hexadecimal(metadataPack.utf8)

    @Test func versionTwoWithTwoFormatsHasEntriesOf17Bytes() throws {
        let expected = bytes(
            hex: """
                02 11 0011 00000004 00000002 02 00000000
                00 00112233445566778899aabbccddeeff 6955b902 0040003c 0003e8 000080 0000 00
                00 ffeeddccbbaa99887766554433221100 6955b901 00000020 400000 40001c 0000 01
                6b 000102030405060708090a0b0c0d0e0f 6955b900 00000020 00012c 000148 0001 01
                6d 0f0e0d0c0b0a09080706050403020100 6955b903 80000168 000200 00021c 0001 01
                36 000000af   36 000000e5
                00001101 03 00   00000000 03 00
                """ + Self.names)
        #expect(try PackIndexBuilder(Self.entries().reversed()).encode(.v2) == expected)
        #expect(try PackIndex(decoding: expected).entries == Self.entries())
    }

    @Test func versionOneReferencesPackNamesByOffset() throws {
        let expected = bytes(
            hex: """
                01 11 0014 00000004
                00 00112233445566778899aabbccddeeff 00006955b902 01 36 0000009c 0040003c 00000080
                00 ffeeddccbbaa99887766554433221100 00006955b901 01 36 0000009c 00000020 0040001c
                6b 000102030405060708090a0b0c0d0e0f 00006955b900 01 36 000000d2 00000020 00000148
                6d 0f0e0d0c0b0a09080706050403020100 00006955b903 01 36 000000d2 80000168 0000021c
                """ + Self.names)
        let entries = try Self.entries(version: 1, compression: 0)
        #expect(try PackIndexBuilder(entries).encode(.v1) == expected)
    }

    @Test func lengthsFrom16MiBOnTakeANineteenthByte() throws {
        let entry = IndexEntry(
            id: try contentID("ffeeddccbbaa99887766554433221100"), pack: try blobID(Self.dataPack), packOffset: 32,
            packedLength: 0x1312d1c, originalLength: 0x1312d00, timestampSeconds: 1_767_225_601)
        let encoded = try PackIndexBuilder([entry]).encode(.v2)
        #expect(encoded.count == 118)
        #expect(hexadecimal(encoded[34..<53]) == "6955b90100000020312d00312d1c0000000011")
        #expect(try PackIndex(decoding: encoded).entries == [entry])
    }

    @Test func entriesOfPackOrFormatNumbersThatDoNotExistAreUnusable() throws {
        var encoded = try PackIndexBuilder(Self.entries()).encode(.v2)
        encoded[17 + 17 + 15] = 2  // the first entry's pack number; there are packs 0 and 1
        encoded[17 + 34 + 17 + 16] = 9  // the second entry's format number
        let index = try PackIndex(decoding: encoded)
        #expect(index.entries.map(\.id) == (try Self.entries()).dropFirst(2).map(\.id))
        var merged = MergedIndex(hashLength: 16)
        merged.add(index)
        #expect(merged.invalidEntryCount == 2)
    }

    @Test func largerEntriesBaseTimestampAndTrailingBytesAreRead() throws {
        let encoded = bytes(
            hex: "02 11 0015 00000001 00000001 01 00000064" + "00 ffeeddccbbaa99887766554433221100"
                + "00000001 00000020 000004 000020 0000 00 00 00 abcd" + "36 00000042" + "00000000 03 00"
                + hexadecimal(Self.dataPack.utf8) + "0102030405")
        let entry = try #require(PackIndex(decoding: encoded).entries.first)
        #expect(entry.timestampSeconds == 101)
        #expect(entry.pack.description == Self.dataPack)
    }

    @Test func anIndexOfVersionOneWithoutEntriesIsEmpty() throws {
        #expect(try PackIndex(decoding: bytes(hex: "01 ff 0014 00000000")).entries == [])
    }

    struct Broken: Sendable, CustomTestStringConvertible {
        let id: String
        let hex: String
        let message: String
        var testDescription: String { id }
    }

    @Test(arguments: [
        Broken(id: "nothing", hex: "", message: "the index is empty: 0 bytes"),
        Broken(id: "version 3", hex: "03110011", message: "the index has version 3, known are 1 and 2"),
        Broken(
            id: "header cut off", hex: "0211001000000001", message: "the index has 8 bytes, its header alone needs 17"),
        Broken(
            id: "entry size 15", hex: "0211000f 00000000 00000000 00 00000000",
            message: "the index has keys of 17 and entries of 15 bytes, at least 2 and 16 are needed"),
        Broken(
            id: "entries beyond the end", hex: "01110014ffffffff",
            message: "the index has 8 bytes, its 4294967295 entries, 0 packs and 0 formats need 158913789923"),
        Broken(
            id: "packs beyond the end", hex: "02110010 00000000 ffffffff ff 00000000",
            message: "the index has 17 bytes, its 0 entries, 4294967295 packs and 255 formats need 21474838022"),
    ])
    func aBrokenHeaderIsRefused(broken: Broken) {
        #expect(throws: IndexError(broken.message)) { try PackIndex(decoding: bytes(hex: broken.hex)) }
    }

    @Test func contentsAreSpreadOverShardsByTheirID() throws {
        #expect(PackIndexBuilder.fnv1a(Array("k0123456789abcdef0123456789abcdef".utf8)) == 0x197b_4c0a)
        let shards = try PackIndexBuilder(Self.entries()).encodeShards(.v2, entriesMax: 1)
        let read = try shards.map { try PackIndex(decoding: $0).entries }
        #expect(read.joined().map(\.id).sorted() == (try Self.entries()).map(\.id))
        for shard in read {
            let numbers = Set(shard.map { PackIndexBuilder.fnv1a(Array($0.id.description.utf8)) % 4 })
            #expect(numbers.count == 1)
        }
    }

    @Test func limitsOfTheFormatAreErrors() throws {
        var entry = try Self.entries()[1]
        entry.packOffset = 1 << 30
        #expect(
            throws: IndexError(
                "content ffeeddccbbaa99887766554433221100 lies at offset 1073741824 of its pack, the limit is 2^30")
        ) { try PackIndexBuilder([entry]).encode(.v2) }
        entry.packOffset = 0
        entry.originalLength = 1 << 28
        #expect(
            throws: IndexError(
                "content ffeeddccbbaa99887766554433221100 has 268435456 bytes, 4194332 packed: the limit is 2^28")
        ) { try PackIndexBuilder([entry]).encode(.v2) }
    }
}
