import GoFormats
import TestSupport
import Testing

@Suite struct InputGeneratorTests {
    struct Check: Sendable, CustomTestStringConvertible {
        let input: String
        let bytes: Int?
        let hex: String
        let sha256: String
        var testDescription: String { input }
    }

    /// The two of 22 MB are left to the tests that need them.
    static let checks = Fixture.list(Fixture.json("input-checks")["checks"]).map {
        Check(
            input: $0.text("input"), bytes: $0["bytes"]?.integerValue.map { Int($0) }, hex: $0.text("hex"),
            sha256: $0.text("sha256"))
    }.filter { ($0.bytes ?? 0) < 5_000_000 }

    @Test(arguments: checks) func generatorsMakeTheInputsOfTheFixtures(_ check: Check) throws {
        let parts = check.input.split { "(,)".contains($0) }
        let numbers = parts.dropFirst().compactMap { UInt64($0) }
        let bytes: [UInt8]
        switch (parts.first, numbers.count) {
        case ("rnd", 2): bytes = SeededBytes.rnd(numbers[0], Int(numbers[1]))
        case ("dump", 2): bytes = SeededBytes.dump(numbers[0], numbers[1])
        case ("dump", 5):
            bytes = SeededBytes.dump(
                numbers[0], numbers[1], changed: numbers[2]...numbers[3], changedSeed: numbers[4])
        case ("counter", 1): bytes = SeededBytes.counter(Int(numbers[0]))
        default: throw TestSupportError("unknown input \(check.input)")
        }
        if let count = check.bytes { #expect(bytes.count == count) }
        if check.hex.isEmpty {
            #expect(SHA256.hex(bytes) == check.sha256)
        } else {
            #expect(Bytes.hex(bytes) == check.hex)
        }
    }

    @Test func theVectorFilesAreThere() { #expect(Self.checks.count == 7) }
}
