import GoFormats
import KopiaObject
import TestSupport
import Testing

@testable import KopiaObject

/// Cuts recorded by kopia's own splitters.
struct SplitterVector: Sendable, CustomTestStringConvertible {
    let splitter: String
    let input: String
    let lengths: [Int]

    var testDescription: String { "\(splitter) of \(input)" }

    /// Fixtures: `splitter-vectors.json`, made with kopia 0.23.1+83 (`4ebb2be6c`).
    static let file: JSONValue = (try? Fixture.json("splitter-vectors.json")) ?? .null

    static let all: [SplitterVector] = (file["vectors"]?.arrayValue ?? []).map { vector in
        SplitterVector(
            splitter: vector["splitter"]?.stringValue ?? "", input: vector["input"]?.stringValue ?? "",
            lengths: (vector["lengths"]?.arrayValue ?? []).compactMap { $0.integerValue.map(Int.init) })
    }

    /// Inputs by name, made once.
    static let inputs: [String: [UInt8]] = {
        var inputs: [String: [UInt8]] = [:]
        for input in file["inputs"]?.arrayValue ?? [] {
            func number(_ key: String) -> Int { Int(input[key]?.integerValue ?? 0) }
            let seed = UInt64(number("seed"))
            let bytes: [UInt8]
            switch input["kind"]?.stringValue {
            case "rnd": bytes = SeededBytes.rnd(seed, number("length"))
            case "zeros": bytes = Array(repeating: 0, count: number("length"))
            case "ff": bytes = Array(repeating: 0xff, count: number("length"))
            case "counter": bytes = SeededBytes.counter(number("lines"))
            case "repeat":
                bytes = SeededBytes.repeated(Array((input["unit"]?.stringValue ?? "").utf8), number("length"))
            case "rndrep": bytes = SeededBytes.repeated(SeededBytes.rnd(seed, number("unitLength")), number("length"))
            default: continue
            }
            inputs[input["name"]?.stringValue ?? ""] = bytes
        }
        return inputs
    }()
}

/// Of the chunks, in bytes.
private func lengths(of input: [UInt8], by splitter: Splitter) -> [Int] {
    input.withUnsafeBufferPointer { bytes in
        var lengths: [Int] = []
        var start = 0
        while start < bytes.count {
            let rest = UnsafeBufferPointer(rebasing: bytes[start...])
            let length = splitter.cut(in: rest) ?? rest.count
            lengths.append(length)
            start += length
        }
        return lengths
    }
}

struct SplitterTests {
    @Test(arguments: SplitterVector.all)
    func cutsWhereKopiaCuts(_ vector: SplitterVector) throws {
        let splitter = try #require(Splitter(name: vector.splitter))
        let input = try #require(SplitterVector.inputs[vector.input])
        #expect(lengths(of: input, by: splitter) == vector.lengths)
    }

    @Test func allVectorsAreThere() {
        #expect(SplitterVector.all.count == 284)
        #expect(SplitterVector.inputs.count == 13)
    }
}

struct SplitterNameTests {
    static let limits: [(String, Int, Int)] = [
        ("FIXED", 4_194_304, 4_194_304), ("FIXED-128K", 131_072, 131_072), ("DYNAMIC", 2_097_152, 8_388_608),
        ("DYNAMIC-8M-RABINKARP", 4_194_304, 16_777_216), ("DYNAMIC-16K-BUZHASH", 8_192, 32_768),
        ("DYNAMIC-4K-BUZHASH", 2_048, 8_192), ("LOWEST-4K-GEAR", 2_048, 6_144), ("LOWEST-24K-GEAR", 12_288, 36_864),
        ("LOWEST-1536K-GEAR", 786_432, 2_359_296), ("LOWEST-8M-GEAR", 4_194_304, 12_582_912),
    ]

    @Test(arguments: limits)
    func knowsTheLimitsOf(name: String, shortest: Int, longest: Int) throws {
        let splitter = try #require(Splitter(name: name))
        #expect(splitter.lengthMin == shortest)
        #expect(splitter.lengthMax == longest)
        #expect(splitter.description == name)
    }

    @Test(arguments: [
        "", "FIXED-", "FIXED-64K", "FIXED-16M", "DYNAMIC-3M-BUZHASH", "DYNAMIC-2K-BUZHASH", "DYNAMIC-16M-BUZHASH",
        "DYNAMIC-4M-FIXED", "DYNAMIC-4M", "DYNAMIC-04M-BUZHASH", "DYNAMIC-+4M-BUZHASH", "dynamic-4m-buzhash",
        "DYNAMIC-4096K-BUZHASH", "DYNAMIC-99999999999999999999K-BUZHASH", "DYNAMIC-24K-BUZHASH", "DYNAMIC-4M-GEAR",
        "FIXED-192K", "LOWEST", "LOWEST-24K", "LOWEST-24K-BUZHASH", "LOWEST-3K-GEAR", "LOWEST-9M-GEAR",
        "LOWEST-1024K-GEAR",
        "LOWEST-024K-GEAR", "LOWEST-24-GEAR", "lowest-24k-gear",
    ])
    func refuses(name: String) {
        #expect(Splitter(name: name) == nil)
    }

    @Test func roundsAnAverageToAPowerOfTwoWithinTheLimits() {
        #expect(Splitter.dynamic(averageLength: 20_000).name == "DYNAMIC-16K-BUZHASH")
        #expect(Splitter.dynamic(averageLength: 0).name == "DYNAMIC-4K-BUZHASH")
        #expect(Splitter.dynamic(averageLength: .max).name == "DYNAMIC-8M-BUZHASH")
        #expect(!Splitter.dynamic(averageLength: 65_536).isKnownToKopia)
        #expect(Splitter.standard.isKnownToKopia)
        #expect(Splitter(name: "LOWEST-1M-GEAR")?.isKnownToKopia == false)
    }
}

struct SplitterSearchTests {
    /// What a parallel search relies on: overlapping stretches find the same candidates as the whole.
    @Test(arguments: ["DYNAMIC-4K-BUZHASH", "DYNAMIC-4K-RABINKARP"])
    func candidatesOfStretchesAreThoseOfTheWhole(name: String) throws {
        let splitter = try #require(Splitter(name: name))
        let input = SeededBytes.rnd(77, 200_000)
        let whole = input.withUnsafeBufferPointer { splitter.candidates(in: $0) }
        var pieces: [Int] = []
        for start in stride(from: 0, to: input.count, by: 10_007) {
            let from = max(0, start - 63)
            let stretch = input[from..<min(input.count, start + 10_007)]
            pieces += stretch.withUnsafeBufferPointer { splitter.candidates(in: $0) }.map { $0 + from }
        }
        #expect(whole.count > 30)
        #expect(pieces == whole)
    }

    @Test(arguments: [
        (0, "LOWEST-24K-GEAR"), (24 << 30, "LOWEST-24K-GEAR"), (25 << 30, "LOWEST-48K-GEAR"),
        (49 << 30, "LOWEST-96K-GEAR"), (1 << 40, "LOWEST-1536K-GEAR"), (Int64.max, "LOWEST-6M-GEAR"),
    ])
    func chunksOfADumpGrowWithIt(length: Int64, name: String) {
        #expect(Splitter.forDump(length: length).name == name)
        #expect(Splitter(name: name) == .forDump(length: length))
    }

    @Test(arguments: [
        (0, "DYNAMIC-128K-BUZHASH"), (32 << 30, "DYNAMIC-128K-BUZHASH"), (33 << 30, "DYNAMIC-256K-BUZHASH"),
        (1 << 40, "DYNAMIC-4M-BUZHASH"), (Int64.max, "DYNAMIC-8M-BUZHASH"),
    ])
    func chunksOfAnyStreamGrowWithIt(length: Int64, name: String) {
        #expect(Splitter.forStream(length: length).name == name)
        #expect(Splitter(name: name) == .forStream(length: length))
    }

    /// kopia's rule where kopia has the size.
    @Test(arguments: [
        ("16K", "LOWEST-16K-GEAR"), ("24K", "LOWEST-24K-GEAR"), ("128K", "DYNAMIC-128K-BUZHASH"),
        ("192K", "LOWEST-192K-GEAR"), ("1M", "DYNAMIC-1M-BUZHASH"), ("3M", "LOWEST-3M-GEAR"), ("FIXED-1M", "FIXED-1M"),
        ("DYNAMIC", "DYNAMIC"), ("16", nil), ("", nil), ("LOWEST", nil),
    ])
    func aSizeNamesASplitter(text: String, name: String?) {
        #expect(Splitter(nameOrSize: text)?.name == name)
    }

    /// Four searches side by side over a long stretch against steps too short for that.
    @Test(arguments: [0xfff, 0x3fff, 0xf_ffff] as [UInt32], [64, 4_000, 5_555])
    func longAndShortStretchesHaveTheSameFirstCut(mask: UInt32, first: Int) {
        let input = SeededBytes.rnd(79, 300_000)
        input.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return }
            for end in [bytes.count, bytes.count - 1_001, first + 4_096, first + 4_095, first] {
                var steps: Int?
                for start in stride(from: first, through: end, by: 500) where steps == nil {
                    steps = RollingHash.firstBuzhash(base, start, min(end, start + 499), mask)
                }
                #expect(RollingHash.firstBuzhash(base, first, end, mask) == steps)
            }
        }
    }

    @Test func goingOnWhereAnEarlierCallStoppedFindsTheSameCut() throws {
        let splitter = Splitter.dynamic(averageLength: 4 << 10)
        let input = SeededBytes.rnd(78, 9_000)
        input.withUnsafeBufferPointer { bytes in
            let whole = splitter.cut(in: bytes)
            var tested = 0
            var found: Int?
            for end in 1...bytes.count where found == nil {
                found = splitter.cut(in: UnsafeBufferPointer(rebasing: bytes[..<end]), tested: tested)
                tested = end
            }
            #expect(whole != nil)
            #expect(found == whole)
        }
    }
}

struct LowestHashTests {
    /// The rule as its description has it, without rolling anything.
    private func lowest(_ bytes: [UInt8], _ positions: ClosedRange<Int>) -> Int {
        var seed: UInt64 = 0
        let table = (0..<256).map { _ in
            seed &+= 0x9e37_79b9_7f4a_7c15
            var word = seed
            word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
            word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
            return word ^ (word >> 31)
        }
        let hashes = positions.map { position in
            (1...64).reduce(UInt64(0)) { $0 &+ table[Int(bytes[position - $1])] &<< UInt64($1 - 1) }
        }
        return positions.lowerBound + (hashes.firstIndex(of: hashes.min() ?? 0) ?? 0)
    }

    @Test(arguments: [(64, 64), (64, 67), (64, 1_000), (100, 2_103), (2_048, 6_144), (999, 7_000)])
    func findsTheFirstOfTheLowest(first: Int, last: Int) {
        for input in [SeededBytes.rnd(80, 7_000), SeededBytes.repeated(Array("abc".utf8), 7_000)] {
            let found = input.withUnsafeBufferPointer { bytes in
                bytes.baseAddress.map { RollingHash.lowestGear($0, first, last) }
            }
            #expect(found == lowest(input, first...last))
        }
    }

    /// Recorded from our own first run: another cut would make all chunks of everybody's next backup new.
    @Test func cutsStayWhereTheyWere() throws {
        let splitter = try #require(Splitter(name: "LOWEST-24K-GEAR"))
        #expect(lengths(of: SeededBytes.dump(1, 1_500), by: splitter) == Self.recorded)
    }

    static let recorded = [32_420, 34_251, 12_806, 25_910, 35_741]

    @Test func decidesNothingBeforeTheLongestChunkIsThere() throws {
        let splitter = try #require(Splitter(name: "LOWEST-4K-GEAR"))
        let input = SeededBytes.rnd(81, splitter.lengthMax)
        input.withUnsafeBufferPointer { bytes in
            #expect(splitter.cut(in: UnsafeBufferPointer(rebasing: bytes.dropLast())) == nil)
            #expect(splitter.cut(in: bytes) != nil)
            #expect(splitter.cut(in: bytes, tested: bytes.count - 1) == splitter.cut(in: bytes))
        }
        #expect(lengths(of: Array(repeating: 7, count: 10_000), by: splitter) == [2_048, 2_048, 5_904])
    }

    /// A row that becomes longer: chunks before it are the same, and soon after it again. Lengths keep their limits.
    @Test func cutsComeTogetherAgainBehindAChange() throws {
        let splitter = try #require(Splitter(name: "LOWEST-4K-GEAR"))
        let before = SeededBytes.rnd(82, 400_000)
        var after = before
        for position in [390_000, 250_000, 100_000, 1_000] { after.insert(contentsOf: [1, 2, 3], at: position) }
        let known = Set(chunks(before, splitter))
        let news = chunks(after, splitter).filter { !known.contains($0) }
        #expect(known.count > 80)
        #expect((4...24).contains(news.count))
        #expect(known.allSatisfy { $0.count <= splitter.lengthMax })
    }

    private func chunks(_ input: [UInt8], _ splitter: Splitter) -> [[UInt8]] {
        var start = 0
        return lengths(of: input, by: splitter).map { length in
            defer { start += length }
            return Array(input[start..<start + length])
        }
    }
}
