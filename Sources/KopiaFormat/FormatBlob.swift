internal import GoFormats

/// `kopia.repository` as it is stored: clear JSON around the encrypted parameters.
///
/// | member | content |
/// |---|---|
/// | `tool`, `buildVersion`, `buildInfo` | who wrote it; free text |
/// | `uniqueID` | base64 of 32 bytes (at least 16): name of the repository and salt of every derivation |
/// | `keyAlgo` | `scrypt-65536-8-1` (also when empty) or `pbkdf2-sha256-600000` |
/// | `encryption` | `AES256_GCM` |
/// | `encryptedBlockFormat` | base64 of `nonce ‖ ciphertext ‖ tag` of the inner JSON |
///
/// Source: kopia `repo/format/format_blob.go` `KopiaRepositoryJSON`; `kopia-format` §2.1–2.3.
struct FormatBlob: Sendable {
    var buildVersion: String
    var buildInfo: String
    var uniqueID: [UInt8]
    var keyDerivation: KeyDerivation
    var encryptedParameters: [UInt8]

    static let tool = "https://github.com/kopia/kopia"
    private static let encryption = "AES256_GCM"

    /// - Throws: `FormatError.Code.damaged` for anything that is not this JSON, `.unsupported` for other algorithms.
    init(_ bytes: [UInt8]) throws(FormatError) {
        let parsed: JSONValue
        do {
            parsed = try JSONParser.parse(bytes, limits: .init(depth: 32, bytes: 16 << 20))
        } catch {
            throw FormatError(
                .damaged,
                "the format block 'kopia.repository' of \(bytes.count) bytes is damaged or cut short: \(error)",
                hint: "restore 'kopia.repository' from a copy; without it the repository cannot be decrypted")
        }
        let fields = try FieldReader(parsed, "the format block 'kopia.repository'")
        let algorithm = try fields.string("keyAlgo")
        guard let derivation = algorithm.isEmpty ? .scrypt : KeyDerivation(rawValue: algorithm) else {
            throw FormatError(
                .unsupported, "the repository derives its key with '\(algorithm)', which this program does not accept",
                hint: "known are \(KeyDerivation.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        let encryption = try fields.string("encryption")
        guard encryption == Self.encryption else {
            throw FormatError(
                .unsupported, "the format block is encrypted with '\(encryption)'; only \(Self.encryption) is known")
        }
        buildVersion = try fields.string("buildVersion")
        buildInfo = try fields.string("buildInfo")
        uniqueID = try fields.bytes("uniqueID")
        keyDerivation = derivation
        encryptedParameters = try fields.bytes("encryptedBlockFormat")
        guard uniqueID.count >= KeyDerivation.saltLengthMin, encryptedParameters.count > AuthenticatedCipher.overhead
        else {
            throw FormatError(
                .damaged,
                "the format block is incomplete: its unique ID has \(uniqueID.count) bytes, its encrypted part \(encryptedParameters.count)"
            )
        }
    }

    init(
        buildVersion: String, buildInfo: String, uniqueID: [UInt8], keyDerivation: KeyDerivation,
        encryptedParameters: [UInt8]
    ) {
        self.buildVersion = buildVersion
        self.buildInfo = buildInfo
        self.uniqueID = uniqueID
        self.keyDerivation = keyDerivation
        self.encryptedParameters = encryptedParameters
    }

    /// What kopia writes: two spaces of indentation and a line break at the end.
    var encoded: [UInt8] {
        let value: JSONValue = [
            "tool": .string(Self.tool), "buildVersion": .string(buildVersion), "buildInfo": .string(buildInfo),
            "uniqueID": .string(Base64.encode(uniqueID)), "keyAlgo": .string(keyDerivation.rawValue),
            "encryption": .string(Self.encryption),
            "encryptedBlockFormat": .string(Base64.encode(encryptedParameters)),
        ]
        return GoJSON.encode(value, style: .init(indent: "  ", endsWithNewline: true))
    }
}

/// Encrypts what belongs to the format itself: the parameters and `kopia.blobcfg`.
struct FormatCipher: Sendable {
    let key: SecretBytes
    let additionalData: SecretBytes

    init(formatKey: SecretBytes, uniqueID: [UInt8]) throws(FormatError) {
        key = try HKDF.derive(material: formatKey, salt: uniqueID, info: "AES", length: 32)
        additionalData = try HKDF.derive(material: formatKey, salt: uniqueID, info: "CHECKSUM", length: 32)
    }

    func seal(_ plaintext: [UInt8], nonce: [UInt8]) throws(FormatError) -> [UInt8] {
        var output: [UInt8] = []
        try AuthenticatedCipher.aes256GCM.seal(
            plaintext.span.bytes, key: key.bytes, nonce: nonce, additionalData: additionalData.bytes, into: &output)
        return output
    }

    /// Nil when it does not authenticate.
    func open(_ stored: [UInt8]) throws(FormatError) -> [UInt8]? {
        try AuthenticatedCipher.aes256GCM.open(
            stored.span.bytes, key: key.bytes, additionalData: additionalData.bytes)
    }
}
