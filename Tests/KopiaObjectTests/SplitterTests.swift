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
}

struct SplitterNameTests {
    static let limits: [(String, Int, Int)] = [
        ("FIXED", 4_194_304, 4_194_304), ("FIXED-128K", 131_072, 131_072), ("DYNAMIC", 2_097_152, 8_388_608),
        ("DYNAMIC-8M-RABINKARP", 4_194_304, 16_777_216), ("DYNAMIC-16K-BUZHASH", 8_192, 32_768),
        ("DYNAMIC-4K-BUZHASH", 2_048, 8_192),
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
        "DYNAMIC-4096K-BUZHASH", "DYNAMIC-99999999999999999999K-BUZHASH",
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
        (0, "DYNAMIC-16K-BUZHASH"), (1 << 34, "DYNAMIC-16K-BUZHASH"), (17 << 30, "DYNAMIC-32K-BUZHASH"),
        (33 << 30, "DYNAMIC-64K-BUZHASH"), (1 << 37, "DYNAMIC-128K-BUZHASH"), (Int64.max, "DYNAMIC-8M-BUZHASH"),
    ])
    func chunksOfAStreamGrowWithIt(length: Int64, name: String) {
        #expect(Splitter.forStream(length: length).name == name)
    }

    @Test(arguments: [
        ("16K", "DYNAMIC-16K-BUZHASH"), ("FIXED-1M", "FIXED-1M"), ("DYNAMIC", "DYNAMIC"), ("16", nil), ("", nil),
    ])
    func aSizeNamesASplitter(text: String, name: String?) {
        #expect(Splitter(nameOrSize: text)?.name == name)
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
