import GoFormats
import TestSupport
import Testing

@testable import KopiaFormat

@Suite struct ErrorCorrectionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let percent: Int
        let json: JSONValue
        var length: Int64 { json["input"]?["length"]?.integerValue ?? 0 }
        var testDescription: String { "\(percent) % of \(length) bytes" }
    }

    static let cases = Fixture.list(Fixture.json("ecc-vectors")["vectors"]).map {
        Case(percent: Int($0["overheadPercent"]?.integerValue ?? 0), json: $0)
    }
    /// Making the tables takes a while without optimisation: once per percentage.
    static let codecs: [Int: ErrorCorrection] = {
        var codecs: [Int: ErrorCorrection] = [:]
        for percent in Set(cases.map(\.percent) + [4, 15, 25, 30]) {
            codecs[percent] = try? ErrorCorrection(overheadPercent: percent)
        }
        return codecs
    }()

    static func encode(_ codec: ErrorCorrection, _ input: [UInt8]) throws -> [UInt8] {
        var output: [UInt8] = []
        try codec.encode(input.span.bytes, appendingTo: &output)
        return output
    }

    @Test(arguments: cases) func encodingIsKopiasAndOneFlipIsRepaired(_ vector: Case) throws {
        let codec = try #require(Self.codecs[vector.percent])
        #expect(codec.dataShards == vector.json["dataShards"]?.integerValue.map { Int($0) })
        #expect(codec.parityShards == vector.json["parityShards"]?.integerValue.map { Int($0) })
        #expect(codec.maxShard == vector.json["maxShardSize"]?.integerValue.map { Int($0) })
        let input = Fixture.input(try #require(vector.json["input"]))
        var encoded = try Self.encode(codec, input)
        #expect(encoded.count == codec.encodedLength(of: input.count))
        #expect(encoded.count == vector.json["encodedLength"]?.integerValue.map { Int($0) })
        #expect(SHA256.hex(encoded) == vector.json.text("encodedSha256"))
        #expect(try codec.decode(encoded.span.bytes).bytes == input)
        let flip = Int(try #require(vector.json["repairsFlipAt"]?.integerValue))
        encoded[flip] ^= 0x40
        #expect(try codec.decode(encoded.span.bytes).bytes == input)
    }

    /// `kopia-format` §8.1.
    @Test(arguments: [
        (1, 1024, 254, 2), (2, 512, 164, 2), (3, 256, 139, 2), (4, 128, 228, 2), (5, 128, 128, 2), (6, 128, 128, 3),
        (7, 64, 254, 2), (10, 64, 128, 4), (15, 64, 128, 11), (20, 64, 128, 17), (25, 64, 128, 24), (30, 64, 128, 30),
        (50, 64, 128, 56), (100, 64, 128, 120),
    ])
    func parametersAreThoseOfTheTable(_ percent: Int, _ maxShard: Int, _ data: Int, _ parity: Int) throws {
        let codec = try #require(Self.codecs[percent])
        #expect([codec.maxShard, codec.dataShards, codec.parityShards] == [maxShard, data, parity])
    }

    /// `kopia-format` §8.2 and §14.9.
    @Test func theSmallCodeIsTheOneOfTheSpecification() throws {
        let code = ReedSolomon(data: 6, parity: 2)
        #expect(code.rows == [[7, 6, 5, 4, 3, 2], [6, 7, 4, 5, 2, 3]])
        let encoded = try Self.encode(try #require(Self.codecs[10]), Array("hello".utf8))
        #expect(
            Bytes.hex(encoded)
                == "a035329dc95f2f8accdaa25341d912ff000031b3e6700005d12566876865cc951b276c6ca3bc65976f0041d912ff0000")
    }

    /// As many lost shards as there are parity shards, wherever they are.
    @Test(arguments: [(2, 100), (2, 50_000), (2, 200_000), (10, 100), (10, 3000), (10, 20_000), (50, 20_000)], 0..<4)
    func asManyShardsAsThereIsParityAreRepaired(_ shape: (percent: Int, length: Int), _ seed: Int) throws {
        let codec = try #require(Self.codecs[shape.percent])
        let input = SeededBytes.rnd(UInt64(seed), shape.length)
        var encoded = try Self.encode(codec, input)
        let length = input.count + 4
        let isSmall = length <= 8 * (codec.dataShards + codec.parityShards)
        let (data, parity) = isSmall ? (6, 2) : (codec.dataShards, codec.parityShards)
        let shard = isSmall ? (length + 5) / 6 : min(codec.maxShard, (length + data - 1) / data)
        let blocks = isSmall ? 1 : (length + data * codec.maxShard - 1) / (data * codec.maxShard)
        var generator = SeededGenerator(seed: UInt64(seed))
        let block = Int.random(in: 0..<blocks, using: &generator)
        for _ in 0..<parity {
            // A shard hit twice is one lost shard; so this is at most as many as can be repaired.
            let number = Int.random(in: 0..<data + parity, using: &generator)
            let index = number < parity ? block * parity + number : blocks * parity + block * data + number - parity
            let place = index * (shard + 4) + Int.random(in: 0..<shard + 4, using: &generator)
            if place < encoded.count { encoded[place] ^= UInt8.random(in: 1...255, using: &generator) }
        }
        #expect(try codec.decode(encoded.span.bytes).bytes == input, "seed \(seed)")
    }

    @Test func moreDamageThanParityIsExplained() throws {
        let codec = try #require(Self.codecs[10])
        var encoded = try Self.encode(codec, SeededBytes.rnd(1, 20_000))
        for shard in 12..<17 { encoded[shard * 68 + 10] ^= 1 }
        let damaged = encoded
        let error = #expect(throws: FormatError.self) { try codec.decode(damaged.span.bytes) }
        #expect(error?.code == .authenticationFailed)
        #expect(
            error?.message
                == "\(encoded.count) stored bytes are damaged beyond what error correction can repair: block 1 of 3 lost 5 of 128 data shards"
        )
    }

    @Test(arguments: 0..<300) func garbageAndTruncationsThrow(_ seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let codec = try #require(Self.codecs[[1, 2, 10, 50][seed % 4]])
        var stored =
            seed % 2 == 0
            ? SeededBytes.rnd(generator.next(), Int.random(in: 0...20_000, using: &generator))
            : try Self.encode(codec, SeededBytes.rnd(1, Int.random(in: 0...20_000, using: &generator)))
        if seed % 2 == 1 { stored.removeLast(Int.random(in: 1...stored.count, using: &generator)) }
        // A cut may leave the data whole or repairable; anything else must throw and nothing may trap.
        if let decoded = try? codec.decode(stored.span.bytes) { #expect(decoded.bytes.count <= 20_000) }
    }

    @Test(arguments: [0, 101, -1]) func otherPercentagesAreRefused(_ percent: Int) {
        let error = #expect(throws: FormatError.self) { try ErrorCorrection(overheadPercent: percent) }
        #expect(error?.message == "error correction of \(percent) % is not between 1 and 100")
    }

    @Test func theVectorFileIsThere() { #expect(Self.cases.count == 169) }
}
