import GoFormats
import KopiaBlob
import KopiaFormat
import TestSupport
import Testing

@testable import KopiaContent

@Suite struct PackTrailerTests {
    static let trailer = PackTrailer(localIndexIV: Array(0...15), localIndexOffset: 20480, localIndexLength: 460)
    static let encoded = bytes(hex: "0110000102030405060708090a0b0c0d0e0f80a001cc03f7a38f751b")

    @Test func aTrailerEqualsKopiasBytes() throws {
        #expect(Self.trailer.encoded == Self.encoded)
        #expect(try PackTrailer(tail: [1, 2, 3] + Self.encoded, packLength: 30_000) == Self.trailer)
    }

    struct Broken: Sendable, CustomTestStringConvertible {
        let id: String
        let tail: [UInt8]
        var packLength: Int64 = 30_000
        let message: String
        var testDescription: String { id }
    }

    @Test(arguments: [
        Broken(id: "nothing", tail: [], message: "the pack does not end with a trailer"),
        Broken(id: "length beyond the start", tail: [1, 2, 200], message: "the pack does not end with a trailer"),
        Broken(
            id: "flipped bit", tail: [0] + encoded.dropFirst().dropLast(3) + [0x8e] + encoded.suffix(2),
            message: "the trailer of the pack has a wrong checksum"),
        Broken(
            id: "local index outside", tail: [9] + encoded, packLength: 20_900,
            message: "the local index of the pack lies outside its 20900 bytes"),
    ])
    func somethingElseIsRefused(broken: Broken) {
        #expect(throws: IndexError(broken.message)) {
            try PackTrailer(tail: broken.tail, packLength: broken.packLength)
        }
    }

    @Test func theChecksumIsTheIEEEOne() {
        #expect(CRC32.checksum(Array("123456789".utf8)) == 0xcbf4_3926)
    }
}

@Suite struct WriteSessionTests {
    @Test func theIDEndsWithTheMonthSince2000() throws {
        let random = bytes(hex: "0011223344556677")
        func id(_ day: String) throws -> String {
            WriteSession(random: random, now: try #require(Timestamp(rfc3339: day + "T00:00:00Z"))).id
        }
        #expect(try id("2026-01-01") == "s001122334455667713c")
        #expect(try id("2026-09-01") == "s0011223344556677144")
    }

    @Test func theMarkerIsKopiasJSON() throws {
        let session = WriteSession(
            random: bytes(hex: "0011223344556677"), now: try #require(Timestamp(rfc3339: "2026-01-01T00:00:00Z")))
        #expect(
            String(decoding: session.marker(username: "postgres", hostname: "db-0"), as: UTF8.self)
                == #"{"id":"s001122334455667713c","startTime":"2026-01-01T00:00:00Z","checkpointTime":"2026-01-01T00:00:00Z","username":"postgres","hostname":"db-0"}"#
        )
    }
}

@Suite struct VarintTests {
    @Test(arguments: [(1, "01"), (460, "cc03"), (20480, "80a001"), (UInt64.max, "ffffffffffffffffff01")])
    func aVarintReadsBack(value: UInt64, hex: String) {
        var encoded: [UInt8] = []
        encoded.appendUvarint(value)
        #expect(hexadecimal(encoded) == hex)
        var position = 0
        #expect(readUvarint(encoded, at: &position) == value)
        #expect(position == encoded.count)
    }

    @Test(arguments: ["", "80", "ffffffffffffffffff02", "80808080808080808080"])
    func anUnfinishedOrTooLongVarintIsNil(hex: String) {
        var position = 0
        #expect(readUvarint(bytes(hex: hex), at: &position) == nil)
    }
}

/// A pack with all randomness given, as computed from the format's description. The first bytes of its index were
/// confirmed with kopia's index builder, a pack of this layout by `kopia index recover`.
@Suite struct PackVectorTests {
    private static func crypto() throws -> ContentCrypto {
        try ContentCrypto(
            hash: .blake2b256Truncated128, encryption: .aes256GCM, secret: SecretBytes(Array(0...0x1f)),
            masterKey: SecretBytes(Array(0x20...0x3f)))
    }

    private static let session = "s0011223344556677144"

    private static func encrypt(_ bytes: [UInt8], _ iv: [UInt8], nonce: ClosedRange<UInt8>) throws -> [UInt8] {
        var output: [UInt8] = []
        try crypto().encrypt(bytes.span.bytes, iv: EncryptionIV(iv), nonce: Array(nonce), appendingTo: &output)
        return output
    }

    private static func pack() throws -> (bytes: [UInt8], entries: [IndexEntry]) {
        let plaintext = Array("Hello, World!".utf8)
        let hash = try crypto().hash(plaintext)
        let id = try blobID("pa0a1a2a3a4a5a6a7a8a9aaabacadaeaf-\(session)")
        var fillers: [UInt8] = [0x33, 0x22, 0x11]
        let randomBytes = { (count: Int) in [UInt8](repeating: fillers.popLast() ?? 0, count: count) }
        var builder = PackBuilder(id: id, replica: [], randomBytes: randomBytes)
        _ = builder.append(
            [try encrypt(plaintext, hash, nonce: 0xa0...0xab)],
            IndexEntry(
                id: ContentID(prefix: 0, hash: hash), pack: id, packOffset: 0, packedLength: 0,
                originalLength: 13, timestampSeconds: 1_767_225_601))
        let tail = try builder.tail(.v2, randomBytes: randomBytes) { localIndex in
            let iv = try crypto().hash(localIndex)
            #expect(hexadecimal(iv) == "cb0402f122d42256278bf6750b8a824d")
            return (iv, try encrypt(localIndex, iv, nonce: 0xb0...0xbb))
        }
        return (Array(builder.pieces.joined()) + tail, builder.entries)
    }

    @Test func aPackEqualsTheVectorByteForByte() throws {
        let bytes = try Self.pack().bytes
        #expect(bytes.count == 4298)
        #expect(hexadecimal(bytes.suffix(27)) == "0110cb0402f122d42256278bf6750b8a824d8020af01e4b075581a")
        #expect(
            SHA256.hex(bytes) == "68741af071d024fdce8b7b09e071e796afd75ebc612e6b6c2cc9af0db3039b73")
    }

    @Test func itsIndexBlobEqualsTheVector() throws {
        let index = try PackIndexBuilder(Self.pack().entries).encode(.v2)
        #expect(
            hexadecimal(index)
                == "021100100000000100000001010000000000004e0d2d0e46fdde664485db615d465b6955b9010000002000000d0000290000360000003d0000000003007061306131613261336134613561366137613861396161616261636164616561662d7330303131323233333434353536363737313434"
        )
        let sealed = try Self.crypto().sealBlob(prefix: "xn0_", suffix: "\(Self.session)-c1", plaintext: index)
        #expect(sealed.id.description == "xn0_8bf424f020d5d3bc78b5bce5004c6eae-s0011223344556677144-c1")
        let hash = try Self.crypto().hash(index)
        let body = try Self.encrypt(index, hash, nonce: 0xc0...0xcb)
        #expect(
            SHA256.hex(body) == "198fdd45848037ef5adf1933d10218c8cccc41f4218c5b59aa5fdb365e639376")
        #expect(try Self.crypto().openBlob(sealed.id, body) == index)
    }

    @Test(arguments: [(32, 4064), (4095, 1), (4096, 4096)])
    func paddingIsNeverEmpty(length: Int, padding: Int) throws {
        var builder = PackBuilder(id: try blobID("p1-s1"), replica: []) { [UInt8](repeating: 1, count: $0) }
        if length > 32 {
            _ = builder.append(
                [[UInt8](repeating: 2, count: length - 32)],
                IndexEntry(
                    id: try contentID("00112233445566778899aabbccddeeff"), pack: try blobID("p1-s1"), packOffset: 0,
                    packedLength: 0, originalLength: 1, timestampSeconds: 1))
            let tail = try builder.tail(.v2) {
                [UInt8](repeating: 1, count: $0)
            } seal: {
                (Array($0.prefix(16)), $0)
            }
            let blob = Array(builder.pieces.joined()) + tail
            let trailer = try PackTrailer(tail: blob, packLength: Int64(blob.count))
            #expect(trailer.localIndexOffset == Int64(length + padding))
        } else {
            #expect(builder.length == length)
        }
    }
}
