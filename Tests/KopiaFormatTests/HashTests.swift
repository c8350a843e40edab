import GoFormats
import KopiaFormat
import TestSupport
import Testing

@Suite struct HashTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let hash: String
        let secret: String
        let input: String
        let expected: String
        let error: String
        var testDescription: String { "\(hash) key \(secret) input \(input)" }
    }

    static let file = Fixture.json("hash-vectors")
    static let inputs = Fixture.inputs(file)
    static let secrets = Dictionary(
        uniqueKeysWithValues: Fixture.list(file["secrets"]).map { ($0.text("name"), $0.hex("hex")) })
    static let cases = Fixture.list(file["vectors"]).map {
        Case(
            hash: $0.text("hash"), secret: $0.text("secret"), input: $0.text("input"), expected: $0.text("hex"),
            error: $0.text("error"))
    }

    static func crypto(_ name: String, _ secret: [UInt8]) throws -> ContentCrypto {
        let algorithm = try #require(HashAlgorithm(rawValue: name))
        return try ContentCrypto(
            hash: algorithm, encryption: .aes256GCM, secret: SecretBytes(secret),
            masterKey: SecretBytes([UInt8](repeating: 1, count: 32)))
    }

    @Test(arguments: cases.filter { !$0.expected.isEmpty }) func hashesAreKopias(_ vector: Case) throws {
        let crypto = try Self.crypto(vector.hash, try #require(Self.secrets[vector.secret]))
        let hash = try crypto.hash(try #require(Self.inputs[vector.input]))
        #expect(Bytes.hex(hash) == vector.expected)
        #expect(hash.count == crypto.hashLength)
    }

    @Test(arguments: cases.filter { $0.expected.isEmpty }) func keysKopiaRefusesAreRefused(_ vector: Case) throws {
        let secret = try #require(Self.secrets[vector.secret])
        let error = #expect(throws: FormatError.self) { try Self.crypto(vector.hash, secret) }
        #expect(error?.code == .unsupported)
    }

    @Test func aKeyThatIsTooLongIsExplained() {
        let error = #expect(throws: FormatError.self) {
            try Self.crypto("BLAKE2S-256", [UInt8](repeating: 0, count: 33))
        }
        #expect(error?.message == "hash BLAKE2S-256 takes a key of at most 32 bytes, not 33")
    }

    /// `kopia-format` §14.3: text `Hello, World!`, key 00 … 1f.
    static let published = [
        ("BLAKE2B-256", "004e0d2d0e46fdde664485db615d465bb2f915b89b20b8b61fa2c5649546e8a4"),
        ("BLAKE2B-256-128", "004e0d2d0e46fdde664485db615d465b"),
        ("BLAKE2S-128", "6b6e886adb8408ed24d786a9d0ae811d"),
        ("BLAKE2S-256", "310be9c4e33693a72971edc872971a06f4a68c65e0473f0aadde77ac13ede08e"),
        ("BLAKE3-256", "5d9671f4ccecfbecb5875889134336b58d1cc8d5cf1e65217c18c0df83e51a1f"),
        ("BLAKE3-256-128", "5d9671f4ccecfbecb5875889134336b5"),
        ("HMAC-SHA256", "17a93437a9d40b30bb1cfbfb37d39eed141659d4163e2e8ca0d5472997045109"),
        ("HMAC-SHA256-128", "17a93437a9d40b30bb1cfbfb37d39eed"),
        ("HMAC-SHA224", "3a04380d61cce63f7e5566aa5ed9ad105e162ccd4f6a21d20424ba7a"),
        ("HMAC-SHA3-224", "8b32d24bfdba9743bf4015635f3485ff0b0df6b92c1afccab020655e"),
        ("HMAC-SHA3-256", "26e303da25f2ba8f705cab7fed50f39be7e07925a846562ac887319654a0f2ab"),
    ]

    @Test(arguments: published) func hashesOfTheSpecificationAgree(_ name: String, _ expected: String) throws {
        let hash = try Self.crypto(name, Array(0..<32)).hash(Array("Hello, World!".utf8))
        #expect(Bytes.hex(hash) == expected)
    }

    static let odd: [(id: String, name: String, key: [UInt8], input: [UInt8], expected: String)] = [
        (
            "short key", "BLAKE3-256", Array("secret".utf8), Array("Hello, World!".utf8),
            "f28a1b303b1750b719ffc58462233b05a5f3b6c37b8e3ba47cf55a5586b4ec2a"
        ),
        ("empty key", "BLAKE3-256-128", [], Array("Hello, World!".utf8), "166d796eaa2a26e0363396716123f6b2"),
        ("empty content", "BLAKE2B-256-128", Array(0..<32), [], "4e51e7a913fc80137da52880fecca175"),
        ("unkeyed BLAKE2b 1", "BLAKE2B-256-128", [], [1, 2, 3], "11c0e79b71c3976ccd0c02d1310e2516"),
        ("unkeyed BLAKE2b 2", "BLAKE2B-256-128", [], [2, 3, 4], "24ff687b6ca564bd005a99420c90a0db"),
    ]

    @Test(arguments: odd.indices) func oddKeysOfTheSpecificationAgree(_ index: Int) throws {
        let item = Self.odd[index]
        let hash = try Self.crypto(item.name, item.key).hash(item.input)
        #expect(Bytes.hex(hash) == item.expected, "\(item.id)")
    }

    @Test func theVectorFileIsThere() { #expect(Self.cases.count == 213) }
}
