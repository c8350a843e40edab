import GoFormats
import TestSupport
import Testing

@testable import KopiaFormat

@Suite struct KeyDerivationTests {
    struct PasswordCase: Sendable, CustomTestStringConvertible {
        let json: JSONValue
        var testDescription: String {
            "\(json.text("algorithm")) '\(json.text("password"))' salt \(json.text("uniqueID").count / 2) bytes"
        }
    }
    struct PurposeCase: Sendable, CustomTestStringConvertible {
        let json: JSONValue
        var testDescription: String {
            "'\(json.text("purpose"))' \(json["length"]?.integerValue ?? 0) bytes, salt \(json.text("salt").count / 2)"
        }
    }

    static let file = Fixture.json("format-vectors")
    static let passwords = Fixture.list(file["passwordKeys"]).map { PasswordCase(json: $0) }
    static let purposes = Fixture.list(file["purposeKeys"]).map { PurposeCase(json: $0) }
    static let uniqueID = [UInt8](0x40..<0x60)

    /// Salts that are too short are in the file with kopia's error instead of a key.
    @Test(arguments: passwords.filter { $0.json.text("key").isEmpty })
    func whatKopiaRefusesIsRefused(_ vector: PasswordCase) throws {
        let derivation = try #require(KeyDerivation(rawValue: vector.json.text("algorithm")))
        let error = #expect(throws: FormatError.self) {
            try derivation.key(
                password: Password(vector.json.text("password")), salt: vector.json.hex("uniqueID"))
        }
        #expect(error?.code == .damaged)
    }

    @Test(arguments: passwords.filter { !$0.json.text("key").isEmpty }) func passwordKeysAreKopias(
        _ vector: PasswordCase
    ) throws {
        let json = vector.json
        #expect(Array(json.text("password").utf8) == json.hex("passwordUtf8"))
        let derivation = try #require(KeyDerivation(rawValue: json.text("algorithm")))
        let key = try derivation.key(password: Password(json.text("password")), salt: json.hex("uniqueID"))
        #expect(Bytes.hex(key.bytes) == json.text("key"))
    }

    @Test(arguments: purposes) func purposeKeysAreKopias(_ vector: PurposeCase) throws {
        let json = vector.json
        let key = try HKDF.derive(
            material: SecretBytes(json.hex("masterKey")), salt: json.hex("salt"), info: json.text("purpose"),
            length: Int(try #require(json["length"]?.integerValue)))
        #expect(Bytes.hex(key.bytes) == json.text("key"))
    }

    /// `kopia-format` §14.1.
    @Test func keysOfTheSpecificationAgree() throws {
        let first = try HKDF.derive(
            material: SecretBytes(Array("ABCDEFGHIJKLMNOP".utf8)), salt: Array("0123456789012345".utf8),
            info: "the-test-purpose", length: 32)
        #expect(Bytes.hex(first.bytes) == "828769ee8969bc37f11dbaa32838f8db6c19daa6e3ae5f5eed2da2d94d8faddb")
        let scrypt = try KeyDerivation.scrypt.key(password: Password("test-password"), salt: Self.uniqueID)
        #expect(Bytes.hex(scrypt.bytes) == "14fce11e10e2b698ad1702b53633d66560725c82f6d2fd2fa818f005cc6a437e")
        let pbkdf2 = try KeyDerivation.pbkdf2.key(password: Password("test-password"), salt: Self.uniqueID)
        #expect(Bytes.hex(pbkdf2.bytes) == "0890f1cf23fb8e2afcc1a2417bb9bd47b180385a3ba150a16fbce7bd5b495c7e")
        let cipher = try FormatCipher(formatKey: scrypt, uniqueID: Self.uniqueID)
        #expect(Bytes.hex(cipher.key.bytes) == "6db1ef77fa2edfbcce9c51ed6ada37ff90ca0df128673787e2bc5cc6a7e86014")
        #expect(
            Bytes.hex(cipher.additionalData.bytes)
                == "d15374a9d1fb2ff05f5c1ae28c1e57bdb6f85d1a226c0818717f5e7cadeaaf99")
        let configuration = try cipher.seal(Array("{}".utf8), nonce: Array(0xe0...0xeb))
        #expect(Bytes.hex(configuration) == "e0e1e2e3e4e5e6e7e8e9eaeb4ad391c4f04c27d906af7b701fa40189ed32")
    }

    @Test(arguments: KeyDerivation.allCases) func aShortSaltIsRefused(_ derivation: KeyDerivation) {
        let error = #expect(throws: FormatError.self) {
            try derivation.key(password: Password("x"), salt: [UInt8](repeating: 0, count: 15))
        }
        #expect(error?.message == "the unique ID of the repository has 15 bytes; at least 16 are needed")
    }

    @Test func theVectorFileIsThere() { #expect(Self.passwords.count == 18 && Self.purposes.count == 18) }
}

@Suite struct SecretsTests {
    @Test func passwordsAndKeysDoNotPrint() {
        let password = Password("hunter2-secret")
        let key = SecretBytes(Array("hunter2-secret".utf8))
        for text in [
            "\(password)", "\(key)", String(reflecting: password), String(reflecting: key),
            "\(Optional(password) as Any)",
            "\([key])",
        ] {
            #expect(text.contains("<redacted>"))
            #expect(!text.contains("hunter2"))
            #expect(!text.contains("104, 117"))
        }
        var dumped = ""
        dump(password, to: &dumped)
        dump(key, to: &dumped)
        dump([key], to: &dumped)
        #expect(!dumped.contains("hunter2"))
        #expect(!dumped.contains("104"))
    }

    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func base64IsRFC4648(_ plain: String, _ text: String) {
        #expect(Base64.encode(Array(plain.utf8)) == text)
        #expect(Base64.decode(text) == Array(plain.utf8))
        #expect(Base64.decode(text + "\n") == Array(plain.utf8))
    }

    @Test(arguments: ["Z", "Zg", "Zg=", "Zm8", "Zm9v=", "====", "Zg==Zg==", "Zm9v Zg==", "Z-_v", "=Zm9", "Zm=v"])
    func otherBase64IsRefused(_ text: String) { #expect(Base64.decode(text) == nil) }

    @Test(arguments: ["0", "0g", "é"]) func otherHexIsRefused(_ text: String) { #expect(Hex.decode(text.utf8) == nil) }
}
