import GoFormats
import KopiaBlob
import KopiaFormat
import TestSupport
import Testing

@Suite struct EncryptionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        let json: JSONValue
        var testDescription: String { id }
    }

    static let cases = Fixture.list(Fixture.json("encryption-vectors")["vectors"]).map {
        Case(id: "\($0.text("encryption")) \($0["case"].map { "\($0)" } ?? "")", json: $0)
    }

    static func crypto(
        _ encryption: EncryptionAlgorithm, masterKey: [UInt8], hash: HashAlgorithm = .blake2b256Truncated128,
        errorCorrection: Int = 0
    ) throws -> ContentCrypto {
        try ContentCrypto(
            hash: hash, encryption: encryption, secret: SecretBytes(Array(0..<32)), masterKey: SecretBytes(masterKey),
            errorCorrectionOverheadPercent: errorCorrection)
    }

    @Test(arguments: cases.filter { $0.json["mustFail"] == nil })
    func kopiasBytesDecryptAndOursAreTheSame(_ vector: Case) throws {
        let json = vector.json
        let algorithm = try #require(EncryptionAlgorithm(rawValue: json.text("encryption")))
        let crypto = try Self.crypto(algorithm, masterKey: json.hex("masterKey"))
        let iv = EncryptionIV(json.hex("contentHash"))
        #expect(try crypto.decrypt(json.base64("ciphertext"), iv: iv) == json.base64("plaintext"))
        var output: [UInt8] = [7]
        try crypto.encrypt(
            json.base64("plaintext").span.bytes, iv: iv, nonce: json.hex("nonce"), appendingTo: &output)
        #expect(output == [7] + json.base64("ciphertext"))
        #expect(crypto.encryptedLength(of: json.base64("plaintext").count) == output.count - 1)
    }

    @Test(arguments: cases.filter { $0.json["mustFail"] != nil })
    func whatKopiaRefusesDoesNotAuthenticate(_ vector: Case) throws {
        let json = vector.json
        let algorithm = try #require(EncryptionAlgorithm(rawValue: json.text("encryption")))
        let crypto = try Self.crypto(algorithm, masterKey: json.hex("masterKey"))
        let stored = json.base64("ciphertext")
        let error = #expect(throws: FormatError.self) {
            try crypto.decrypt(stored, iv: EncryptionIV(json.hex("contentHash")))
        }
        #expect(error?.code == .authenticationFailed)
        #expect(
            error?.message
                == "\(stored.count) encrypted bytes did not authenticate: they were altered, cut short, or belong elsewhere"
        )
    }

    /// `kopia-format` §14.4.
    @Test(arguments: [
        ("AES256-GCM-HMAC-SHA256", "e43ba07f85a6d70c5f1102ca06cf19c597e5f91e527b21f00fb76e8bec3fd1"),
        ("CHACHA20-POLY1305-HMAC-SHA256", "118359f3d4d589d939efbbc3168ae4c77c51bcebce6845fe6ef5d11342faa6"),
    ])
    func kopiasOwnTestDecrypts(_ name: String, _ stored: String) throws {
        let crypto = try Self.crypto(
            try #require(EncryptionAlgorithm(rawValue: name)), masterKey: Array("01234567890123456789012345678901".utf8)
        )
        let iv = EncryptionIV(Array("aabbccddeeffgghhiijjkkllmmnnoopp".utf8))
        #expect(try crypto.decrypt(Bytes.fromHex(stored), iv: iv) == Array("foo".utf8))
    }

    @Test func theContentOfTheSpecificationEncryptsToItsBytes() throws {
        let crypto = try Self.crypto(.aes256GCM, masterKey: Array(0x20..<0x40))
        let text = Array("Hello, World!".utf8)
        var output: [UInt8] = []
        try crypto.encrypt(
            text.span.bytes, iv: EncryptionIV(hash: try crypto.hash(text)), nonce: Array(0xa0...0xab),
            appendingTo: &output)
        #expect(
            Bytes.hex(output)
                == "a0a1a2a3a4a5a6a7a8a9aaab40cc09a36d4db62bb687eaee5c608c9c386bde7f6601d7d486dea9e456")
    }

    @Test func longHashesAreCutToTheirLastBytesForTheIV() throws {
        let crypto = try Self.crypto(.aes256GCM, masterKey: Array(0x20..<0x40), hash: .blake2b256)
        let iv = EncryptionIV(hash: try crypto.hash(Array("Hello, World!".utf8)))
        #expect(Bytes.hex(iv.bytes) == "b2f915b89b20b8b61fa2c5649546e8a4")
    }

    @Test(
        arguments: [
            ("xn0_41c1c866f534e14cd8875f23d8d3b004-s0011223344556677144-c1", "41c1c866f534e14cd8875f23d8d3b004"),
            ("n41c1c866f534e14cd8875f23d8d3b004", "41c1c866f534e14cd8875f23d8d3b004"),
            (
                "n000102030405060708090a0b0c0d0e0f41c1c866f534e14cd8875f23d8d3b004-s1",
                "41c1c866f534e14cd8875f23d8d3b004"
            ),
            ("xe12", nil), ("n41c1c866f534e14cd8875f23d8d3b00-4aaaaa", nil), ("xw1767225600", nil),
            ("_log_20260101000000_0000_1_2_3_zzc1c866f534e14cd8875f23d8d3b004", nil),
        ] as [(String, String?)])
    func theIVOfABlobComesFromItsName(_ name: String, _ expected: String?) throws {
        let id = try #require(BlobID(name))
        #expect(EncryptionIV(blobID: id).map { Bytes.hex($0.bytes) } == expected)
    }

    /// `kopia-format` §14.5: the session marker's name.
    @Test func aSealedBlobIsNamedByItsContent() throws {
        let crypto = try Self.crypto(.aes256GCM, masterKey: Array(0x20..<0x40))
        let json = Array(
            #"{"id":"s0011223344556677144","startTime":"2026-01-01T00:00:00Z","checkpointTime":"2026-01-01T00:00:00Z","username":"postgres","hostname":"db-0"}"#
                .utf8)
        let (id, bytes) = try crypto.sealBlob(prefix: "s", suffix: "s0011223344556677144", plaintext: json)
        #expect(id.description == "sc4db135b010a6e5eb7eea182a28aa843-s0011223344556677144")
        #expect(try crypto.openBlob(id, bytes) == json)
        #expect(try crypto.sealBlob(prefix: "m", suffix: nil, plaintext: json).id.description.hasSuffix("a843"))
    }

    @Test func aDamagedBlobIsNamed() throws {
        let crypto = try Self.crypto(.chaCha20Poly1305, masterKey: Array(0x20..<0x40))
        let (id, bytes) = try crypto.sealBlob(prefix: "xn0_", suffix: "s1-c1", plaintext: [1, 2, 3])
        var damaged = bytes
        damaged[14] ^= 1
        let stored = damaged
        let error = #expect(throws: FormatError.self) { try crypto.openBlob(id, stored) }
        #expect(
            error?.message
                == "blob '\(id)' of 31 bytes cannot be decrypted: 31 encrypted bytes did not authenticate: they were altered, cut short, or belong elsewhere"
        )
    }

    @Test(arguments: [0, 1, 15, 16, 17, 4096, 100_000], [0, 2, 10])
    func everyLengthComesBack(_ length: Int, _ errorCorrection: Int) throws {
        let crypto = try Self.crypto(.aes256GCM, masterKey: Array(0x20..<0x40), errorCorrection: errorCorrection)
        let bytes = SeededBytes.rnd(9, length)
        let iv = EncryptionIV(hash: try crypto.hash(bytes))
        let stored = try crypto.encrypt(bytes, iv: iv)
        #expect(stored.count == crypto.encryptedLength(of: length))
        #expect(try crypto.decrypt(stored, iv: iv) == bytes)
        #expect(try crypto.encrypt(bytes, iv: iv) != stored, "nonces must differ")
    }

    @Test func manyTasksMayUseOneCrypto() async throws {
        let crypto = try Self.crypto(.aes256GCM, masterKey: Array(0x20..<0x40))
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for seed in 0..<32 as Range<UInt64> {
                group.addTask {
                    let bytes = SeededBytes.rnd(seed, 20_000)
                    let iv = EncryptionIV(hash: try crypto.hash(bytes))
                    let packed = try crypto.compress(SeededBytes.repeated(bytes, 50_000), headerID: 0x1101)
                    let stored = try crypto.encrypt(packed.bytes, iv: iv)
                    return try crypto.decrypt(stored, iv: iv) == packed.bytes
                }
            }
            for try await isEqual in group { #expect(isEqual) }
        }
    }

    @Test func theVectorFileIsThere() { #expect(Self.cases.count == 16) }
}
