import GoFormats
import KopiaBlob
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
