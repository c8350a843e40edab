import KopiaFormat
import TestSupport
import Testing

/// Several messages at once against libcrypto's one at a time, and against kopia's vectors.
@Suite struct Blake2bLanesTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        let keyLength: Int
        let lengths: [Int]
        var testDescription: String { id }
    }

    static let cases = [
        Case(id: "one message", keyLength: 32, lengths: [1000]),
        Case(id: "around one block", keyLength: 32, lengths: Array(1...40) + Array(120...136)),
        Case(id: "around two blocks", keyLength: 32, lengths: Array(250...260)),
        Case(id: "whole blocks", keyLength: 32, lengths: (1...20).map { $0 * 128 }),
        Case(id: "equal lengths", keyLength: 32, lengths: Array(repeating: 4096, count: 24)),
        Case(id: "one long, many short", keyLength: 32, lengths: [100_000] + Array(repeating: 5, count: 30)),
        Case(id: "many more than lanes", keyLength: 32, lengths: (0..<70).map { 1 + $0 * 977 % 6000 }),
        Case(id: "short key", keyLength: 1, lengths: [1, 128, 129, 5000]),
        Case(id: "long key", keyLength: 64, lengths: [1, 128, 129, 5000]),
    ]

    @Test(arguments: cases, [1, 4, 8].filter { $0 <= Blake2bLanes.laneCountMax })
    func digestsAreThoseOfLibcrypto(_ item: Case, laneCount: Int) throws {
        let key = SecretBytes(SeededBytes.rnd(1, item.keyLength))
        let messages = item.lengths.enumerated().map { SeededBytes.rnd(UInt64($0.offset) + 2, $0.element) }
        let one = try KeyedHash(.blake2b256, key: key)
        let lanes = try #require(Blake2bLanes(key: key, laneCount: laneCount))
        #expect(lanes.digests(of: messages) == (try messages.map { try one.hash($0.span.bytes) }))
    }

    /// Lengths and values as the repository has them, whatever the processor offers.
    @Test(arguments: HashTests.cases.filter { !$0.expected.isEmpty })
    func severalHashesAreKopias(_ vector: HashTests.Case) throws {
        let crypto = try HashTests.crypto(vector.hash, try #require(HashTests.secrets[vector.secret]))
        let input = try #require(HashTests.inputs[vector.input])
        let other = SeededBytes.rnd(3, 777)
        let hashes = try crypto.hashes([input, other, input, other, input])
        #expect([0, 2, 4].map { Bytes.hex(hashes[$0]) } == Array(repeating: vector.expected, count: 3))
        #expect(hashes[1] == (try crypto.hash(other)) && hashes[3] == hashes[1])
    }

    @Test func nothingIsNoMessage() throws {
        let lanes = try #require(Blake2bLanes(key: SecretBytes([1])))
        #expect(lanes.digests(of: [[1], []]) == nil)
        #expect(lanes.digests(of: []) == [])
    }

    @Test(arguments: [0, 65]) func keysThatBlake2bDoesNotTakeAreRefused(length: Int) {
        #expect(Blake2bLanes(key: SecretBytes([UInt8](repeating: 0, count: length))) == nil)
    }
}
