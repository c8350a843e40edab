import GoFormats
import KopiaFormat
import TestSupport
import Testing

@Suite struct CompressionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let compressor: String
        let headerID: UInt32
        let input: String
        let compressed: [UInt8]
        var testDescription: String { "\(compressor) \(input)" }
    }

    static let file = Fixture.json("compression-vectors")
    static let inputs = Fixture.inputs(file)
    static let cases = Fixture.list(file["vectors"]).map {
        Case(
            compressor: $0.text("compressor"), headerID: UInt32($0.text("headerID"), radix: 16) ?? 0,
            input: $0.text("input"), compressed: $0.base64("compressed"))
    }
    static let writable = cases.filter { $0.input == "empty" && $0.compressor != "lz4" }

    @Test(arguments: cases) func kopiasStreamsDecompress(_ vector: Case) throws {
        let expected = try #require(Self.inputs[vector.input])
        #expect(
            try Compression.decompress(vector.compressed, headerID: vector.headerID, expectedLength: expected.count)
                == expected)
        #expect(
            try Compression.decompress(vector.compressed, headerID: vector.headerID, expectedLength: nil) == expected)
        #expect(Compression.headerID(of: vector.compressed) == vector.headerID)
    }

    @Test(arguments: cases.filter { $0.input == "empty" }) func namesAndHeadersAreKopias(_ vector: Case) {
        #expect(Compression.name(of: vector.headerID) == vector.compressor)
        #expect(Compression.headerID(named: vector.compressor) == vector.headerID)
    }

    @Test(arguments: writable, ["text", "zeros-100000", "text-large", "rndrep"])
    func whatWeCompressComesBackSmaller(_ vector: Case, _ input: String) throws {
        let plaintext = try #require(Self.inputs[input])
        let packed = try Compression.compress(plaintext, headerID: vector.headerID)
        #expect(packed.headerID == vector.headerID)
        #expect(packed.bytes.count < plaintext.count / 2)
        #expect(Compression.headerID(of: packed.bytes) == vector.headerID)
        #expect(
            try Compression.decompress(packed.bytes, headerID: vector.headerID, expectedLength: plaintext.count)
                == plaintext)
    }

    @Test(arguments: writable, ["empty", "rnd-300"])
    func whatGetsNoSmallerStaysAsItIs(_ vector: Case, _ input: String) throws {
        let plaintext = try #require(Self.inputs[input])
        let packed = try Compression.compress(plaintext, headerID: vector.headerID)
        #expect(packed.headerID == 0)
        #expect(packed.bytes == plaintext)
        #expect(try Compression.decompress(packed.bytes, headerID: 0, expectedLength: plaintext.count) == plaintext)
    }

    /// Mixed text at many lengths: literal and copy lengths of every form, several S2 blocks at the last.
    @Test(
        arguments: [0x1000, 0x1101, 0x1200, 0x1201, 0x1500], [5, 6, 20, 63, 64, 65, 66, 67, 68, 300, 70_000, 2_500_000])
    func everyLengthComesBack(_ headerID: UInt32, _ length: Int) throws {
        var generator = SeededGenerator(seed: UInt64(length))
        var plaintext: [UInt8] = []
        while plaintext.count < length {
            let count = Int.random(in: 1...200, using: &generator)
            if Bool.random(using: &generator) || plaintext.isEmpty {
                plaintext += SeededBytes.rnd(generator.next(), count)
            } else {
                let start = Int.random(in: 0..<plaintext.count, using: &generator)
                let source = Array(plaintext[start...].prefix(Int.random(in: 1...70_000, using: &generator)))
                plaintext += source
            }
        }
        plaintext.removeLast(plaintext.count - length)
        let packed = try Compression.compress(plaintext, headerID: headerID)
        #expect(
            try Compression.decompress(packed.bytes, headerID: packed.headerID, expectedLength: length) == plaintext)
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        let id: String
        let stored: [UInt8]
        let headerID: UInt32
        var expectedLength: Int?
        let message: String
        var testDescription: String { id }
    }

    static let zeros = cases.first { $0.compressor == "zstd" && $0.input == "zeros-100000" }?.compressed ?? []
    static let text = cases.first { $0.compressor == "gzip" && $0.input == "text" }?.compressed ?? []
    static let refusals = [
        Refusal(
            id: "other header", stored: text, headerID: 0x1101,
            message: "a content starts with compression header 0x1000 where its index says zstd-fastest (0x1101)"),
        Refusal(
            id: "too short", stored: [0, 0, 0x10], headerID: 0x1000,
            message: "a content of 3 bytes is too short to be compressed with gzip (0x1000)"),
        Refusal(
            id: "longer than expected", stored: zeros, headerID: 0x1100, expectedLength: 99_999,
            message:
                "a content of 21 bytes compressed with zstd is damaged: it gives more than the expected 99999 bytes"),
        Refusal(
            id: "shorter than expected", stored: zeros, headerID: 0x1100, expectedLength: 100_001,
            message: "a content gave 100000 bytes where its index says 100001"),
        Refusal(
            id: "not compressed, other length", stored: [1, 2], headerID: 0, expectedLength: 3,
            message: "a content gave 2 bytes where its index says 3"),
        Refusal(
            id: "cut gzip", stored: Array(text.dropLast(9)), headerID: 0x1000,
            message: "a content of 461 bytes compressed with gzip is damaged: the stream ends too early"),
        Refusal(
            id: "impossible length", stored: text, headerID: 0x1000, expectedLength: -1,
            message: "a content cannot be -1 bytes long"),
        Refusal(
            id: "no stream identifier", stored: [0, 0, 0x12, 0, 1, 4, 0, 0, 0, 0, 0, 0], headerID: 0x1200,
            message:
                "a content of 12 bytes compressed with s2-default is damaged: it does not start with a stream identifier"
        ),
    ]

    @Test(arguments: refusals) func damageIsExplained(_ refusal: Refusal) {
        let error = #expect(throws: FormatError.self) {
            try Compression.decompress(
                refusal.stored, headerID: refusal.headerID, expectedLength: refusal.expectedLength)
        }
        #expect(error?.code == .damagedStream)
        #expect(error?.message == refusal.message)
    }

    @Test(arguments: [0x1400, 0x1600, 0x1104] as [UInt32]) func whatCannotBeWrittenIsRefused(_ headerID: UInt32) {
        let error = #expect(throws: FormatError.self) {
            try Compression.compress([1, 2, 3, 4, 5, 6], headerID: headerID)
        }
        #expect(error?.code == .unsupported)
    }

    @Test(arguments: [("none", 0), ("", 0), ("brotli", nil)] as [(String, UInt32?)])
    func otherNames(_ name: String, _ expected: UInt32?) { #expect(Compression.headerID(named: name) == expected) }

    @Test func theVectorFileIsThere() { #expect(Self.cases.count == 97) }
}
