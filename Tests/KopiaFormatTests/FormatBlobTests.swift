import GoFormats
import KopiaBlob
import TestSupport
import Testing

@testable import KopiaFormat

@Suite struct FormatBlobTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        let json: JSONValue
        var testDescription: String { id }
    }

    static let file = Fixture.json("format-vectors")
    static let blobs = Fixture.list(file["formatBlobs"]).enumerated().map {
        Case(id: "\($0.offset) version \($0.element["formatVersion"]?.integerValue ?? 0)", json: $0.element)
    }
    static let configurations = Fixture.list(file["blobcfg"]?["vectors"]).map {
        Case(id: $0.text("plaintext"), json: $0)
    }
    static let published = Fixture.list(Fixture.json("published-format-blobs")["vectors"]).enumerated().map {
        Case(id: "kopia 0.20.1 no. \($0.offset)", json: $0.element)
    }

    @Test(arguments: blobs) func kopiasBlobsAreReadAndWrittenAlike(_ vector: Case) throws {
        let json = vector.json
        let bytes = Array(json.text("kopiaRepository").utf8)
        let blob = try FormatBlob(bytes)
        #expect(blob.encoded == bytes)
        let cipher = try FormatCipher(formatKey: SecretBytes(json.hex("formatKey")), uniqueID: blob.uniqueID)
        #expect(Bytes.hex(cipher.key.bytes) == json.text("aesKey"))
        #expect(Bytes.hex(cipher.additionalData.bytes) == json.text("additionalData"))
        let plaintext = try #require(try cipher.open(blob.encryptedParameters))
        #expect(String(decoding: plaintext, as: UTF8.self) == json.text("plaintext"))
        let parameters = try FormatParameters(json: plaintext)
        #expect(parameters.version == json["formatVersion"]?.integerValue.map { Int($0) })
        #expect(parameters.json == plaintext)
        #expect(
            try cipher.seal(plaintext, nonce: Array(blob.encryptedParameters.prefix(12))) == blob.encryptedParameters)
    }

    @Test(arguments: blobs) func replicasAreKopiasAndRecoverTheBlob(_ vector: Case) throws {
        let bytes = Array(vector.json.text("kopiaRepository").utf8)
        let frame = try FormatReplica.frame(bytes)
        #expect(frame == vector.json.base64("packReplica"))
        let pack = frame + SeededBytes.rnd(1, 70_000)
        #expect(try FormatReplica.recover(head: Array(pack.prefix(65_536)), tail: Array(pack.suffix(65_536))) == bytes)
        let end = SeededBytes.rnd(1, 70_000) + frame
        #expect(try FormatReplica.recover(head: Array(end.prefix(65_536)), tail: Array(end.suffix(65_536))) == bytes)
        var damaged = frame
        damaged[100] ^= 1
        #expect(try FormatReplica.recover(head: damaged, tail: damaged) == nil)
    }

    /// `kopia-format` §14.5.
    @Test func theFrameOfTheSpecificationAgrees() throws {
        #expect(
            Bytes.hex(try FormatReplica.frame(Array("aadsdasdas".utf8)))
                == "2a00616164736461736461735d248ba07bde060f500ae9b489ff46358544ada66b4737a879ec5f0c9cc257ef2a00")
    }

    @Test func aBlobTooLongForTheFrameIsExplained() {
        let error = #expect(throws: FormatError.self) { try FormatReplica.frame([UInt8](repeating: 0, count: 64_969)) }
        #expect(error?.message == "a format block of 64969 bytes is too long to be copied into packs")
    }

    @Test(arguments: configurations) func blobConfigurationsAreKopias(_ vector: Case) throws {
        let settings = try #require(Self.file["blobcfg"])
        let cipher = try FormatCipher(
            formatKey: SecretBytes(settings.hex("formatKey")), uniqueID: settings.hex("uniqueID"))
        let stored = vector.json.base64("blob")
        let plaintext = try #require(try cipher.open(stored))
        #expect(String(decoding: plaintext, as: UTF8.self) == vector.json.text("plaintext"))
        #expect(BlobRetention.encode(try BlobRetention.decode(plaintext)) == plaintext)
        #expect(try cipher.seal(plaintext, nonce: Array(stored.prefix(12))) == stored)
    }

    @Test(arguments: published) func publishedBlobsOpenWithTheirPassword(_ vector: Case) throws {
        let json = vector.json
        let key = try KeyDerivation.scrypt.key(password: Password("test123"), salt: json.base64("uniqueID"))
        #expect(Bytes.hex(key.bytes) == json.text("key"))
        let cipher = try FormatCipher(formatKey: key, uniqueID: json.base64("uniqueID"))
        let plaintext = try #require(try cipher.open(json.base64("encryptedBlockFormat")))
        #expect(String(decoding: plaintext, as: UTF8.self) == json.text("plaintext"))
        #expect(try FormatParameters(json: plaintext).json == plaintext)
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        let id: String
        let code: FormatError.Code
        let text: String
        let message: String
        var testDescription: String { id }
    }

    static let id64 = "JVnulrnb0INLtuokhHzmWQeV7qU8GUATtGmyzf55Kwg="
    static let outerRefusals = [
        Refusal(
            id: "empty", code: .damaged, text: "",
            message:
                "the format block 'kopia.repository' of 0 bytes is damaged or cut short: unexpected end of the text, expected a value at byte 0"
        ),
        Refusal(
            id: "not an object", code: .damaged, text: "[]",
            message: "the format block 'kopia.repository' is not a JSON object"),
        Refusal(
            id: "test key derivation", code: .unsupported,
            text: #"{"keyAlgo":"testing-only-insecure","encryption":"AES256_GCM"}"#,
            message: "the repository derives its key with 'testing-only-insecure', which this program does not accept"),
        Refusal(
            id: "no encryption", code: .unsupported, text: #"{"encryption":"NONE"}"#,
            message: "the format block is encrypted with 'NONE'; only AES256_GCM is known"),
        Refusal(
            id: "bad base64", code: .damaged, text: #"{"encryption":"AES256_GCM","uniqueID":"!"}"#,
            message: "'uniqueID' in the format block 'kopia.repository' is not base64"),
        Refusal(
            id: "number for a text", code: .damaged, text: #"{"encryption":"AES256_GCM","uniqueID":7}"#,
            message: "'uniqueID' in the format block 'kopia.repository' is not a string"),
        Refusal(
            id: "nothing encrypted", code: .damaged,
            text: #"{"encryption":"AES256_GCM","uniqueID":"JVnulrnb0INLtuokhHzmWQeV7qU8GUATtGmyzf55Kwg="}"#,
            message: "the format block is incomplete: its unique ID has 32 bytes, its encrypted part 0"),
    ]

    @Test(arguments: outerRefusals) func malformedBlobsAreExplained(_ refusal: Refusal) {
        let error = #expect(throws: FormatError.self) { try FormatBlob(Array(refusal.text.utf8)) }
        #expect(error?.code == refusal.code)
        #expect(error?.message == refusal.message)
    }

    static func inner(_ members: String) -> String {
        #"{"format":{"hash":"BLAKE2B-256-128","encryption":"AES256-GCM-HMAC-SHA256","version":3\#(members)}}"#
    }

    static let innerRefusals = [
        Refusal(
            id: "not JSON", code: .damaged, text: "{",
            message:
                "the decrypted format block is not JSON: unexpected end of the text, expected a member name in quotes at byte 1"
        ),
        Refusal(
            id: "no format", code: .damaged, text: "{}",
            message: "'format' of the decrypted format block is not a JSON object"),
        Refusal(
            id: "no version", code: .unsupported, text: #"{"format":{}}"#,
            message: "the repository has format version 0; this program knows 1, 2 and 3"),
        Refusal(
            id: "version 4", code: .unsupported, text: #"{"format":{"version":4}}"#,
            message: "the repository has format version 4; this program knows 1, 2 and 3"),
        Refusal(
            id: "fractional version", code: .damaged, text: #"{"format":{"version":2.5}}"#,
            message: "'version' in 'format' of the decrypted format block is not a whole number"),
        Refusal(
            id: "unknown hash", code: .unsupported, text: #"{"format":{"version":3,"hash":"MD5"}}"#,
            message: "the repository uses hash 'MD5', which this program does not know"),
        Refusal(
            id: "unknown encryption", code: .unsupported,
            text: #"{"format":{"version":3,"hash":"BLAKE2B-256","encryption":"SALSA20-HMAC"}}"#,
            message: "the repository uses encryption 'SALSA20-HMAC', which this program does not know"),
        Refusal(
            id: "index version 3", code: .unsupported, text: inner(#","indexVersion":3"#),
            message: "the repository has index version 3; this program knows 1 and 2"),
        Refusal(
            id: "negative pack size", code: .damaged, text: inner(#","maxPackSize":-1"#),
            message: "'maxPackSize' in the format block is -1 bytes"),
        Refusal(
            id: "unknown error correction", code: .unsupported, text: inner(#","ecc":"RAPTOR","eccOverheadPercent":5"#),
            message: "the repository uses error correction 'RAPTOR', which this program does not know"),
        Refusal(
            id: "too much error correction", code: .unsupported, text: inner(#","eccOverheadPercent":101"#),
            message: "the repository has 101 % of error correction; 1 to 100 are possible"),
        Refusal(
            id: "epochs of another type", code: .damaged, text: inner(#","epochParameters":[]"#),
            message: "'epochParameters' of the format block is not a JSON object"),
        Refusal(
            id: "lock without time", code: .damaged, text: inner(#","upgradeLock":{"ownerID":"x"}"#),
            message: "'creationTime' in 'upgradeLock' of the format block is not a time in RFC 3339"),
        Refusal(
            id: "features of another type", code: .damaged, text: inner(#","requiredFeatures":{}"#),
            message: "'requiredFeatures' of the format block is not a list"),
    ]

    @Test(arguments: innerRefusals) func malformedParametersAreExplained(_ refusal: Refusal) {
        let error = #expect(throws: FormatError.self) { try FormatParameters(json: Array(refusal.text.utf8)) }
        #expect(error?.code == refusal.code)
        #expect(error?.message == refusal.message)
    }

    @Test func missingValuesAreWhatOldVersionsMeant() throws {
        let parameters = try FormatParameters(json: Array(Self.inner("").utf8))
        #expect(parameters.maxPackSize == 20_971_520)
        #expect(parameters.indexVersion == 1)
        #expect(parameters.splitter == "FIXED")
        #expect(parameters.epochParameters == .disabled)
        #expect(!parameters.enablePasswordChange)
    }

    @Test(arguments: [
        (
            "{",
            "the decrypted 'kopia.blobcfg' is not JSON: unexpected end of the text, expected a member name in quotes at byte 1"
        ),
        (
            #"{"retentionMode":"FOREVER","retentionPeriod":90000000000000}"#,
            "the repository asks for retention mode 'FOREVER', which this program does not know"
        ),
        (
            #"{"retentionMode":"Locked","retentionPeriod":1}"#,
            "the repository asks for retention of 1 nanoseconds; at least 24 hours are needed"
        ),
        (
            #"{"retentionMode":"COMPLIANCE"}"#,
            "the repository asks for retention of 0 nanoseconds; at least 24 hours are needed"
        ),
    ])
    func malformedConfigurationsAreExplained(_ text: String, _ message: String) {
        let error = #expect(throws: FormatError.self) { try BlobRetention.decode(Array(text.utf8)) }
        #expect(error?.message == message)
    }

    @Test(arguments: [
        ("n0123", true), ("xn0_1", true), ("xe1", true), ("p0", true), ("q0", true), ("kopia.repository", true),
        ("kopia.repository.backup.x", true), ("kopia.blobcfg", true), ("kopia.maintenance", false), ("s01", false),
        ("_log_1", false), ("m01", false), ("l01", false),
    ])
    func retentionCoversWhatKopiaCovers(_ name: String, _ isCovered: Bool) throws {
        #expect(BlobRetention.covers(try #require(BlobID(name))) == isCovered)
    }

    @Test func theVectorFileIsThere() {
        #expect(Self.blobs.count == 6 && Self.configurations.count == 3 && Self.published.count == 2)
    }
}
