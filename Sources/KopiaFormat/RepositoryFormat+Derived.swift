/// Things made from the format: the copy of it in packs, and the keys of single purposes.
extension RepositoryFormat {
    /// What each pack must start with: empty, or a framed copy of `kopia.repository` when the password cannot be changed.
    ///
    /// - Throws: `FormatError.Code.unsupported` when the format block is too long for the frame (65,000 bytes).
    public func packReplicaFrame() throws(FormatError) -> [UInt8] {
        guard !parameters.enablePasswordChange else { return [] }
        return try FormatReplica.frame(blobBytes)
    }

    /// For `kopia.maintenance`. From the master key; from the password's key where packs carry the format block.
    public func maintenanceKey() throws(FormatError) -> SecretBytes {
        try HKDF.derive(
            material: parameters.enablePasswordChange ? parameters.masterKey : formatKey, salt: uniqueID,
            info: "maintenance schedule", length: 32)
    }

    /// For authenticating a local cache, 16 bytes.
    public func localCacheKey() throws(FormatError) -> SecretBytes {
        try HKDF.derive(material: parameters.secret, salt: uniqueID, info: "local-cache-integrity", length: 16)
    }

    /// The decrypted `kopia.maintenance`: JSON, which is the maintenance room's to read.
    ///
    /// - Throws: `FormatError.Code.authenticationFailed`.
    public func openMaintenanceSchedule(_ stored: [UInt8]) throws(FormatError) -> [UInt8] {
        let json = try AuthenticatedCipher.aes256GCM.open(
            stored.span.bytes, key: try maintenanceKey().bytes, additionalData: Self.maintenanceData)
        guard let json else {
            throw FormatError(
                .authenticationFailed, "blob 'kopia.maintenance' of \(stored.count) bytes does not decrypt",
                hint: "delete it with kopia; the schedule starts again, nothing else is lost")
        }
        return json
    }

    /// The bytes of `kopia.maintenance` for this JSON. It must be put atomically: a torn one stops maintenance for all.
    public func sealMaintenanceSchedule(_ json: [UInt8]) throws(FormatError) -> [UInt8] {
        try sealMaintenanceSchedule(json, nonce: try randomBytes(AuthenticatedCipher.nonceLength))
    }

    package func sealMaintenanceSchedule(_ json: [UInt8], nonce: [UInt8]) throws(FormatError) -> [UInt8] {
        var output: [UInt8] = []
        try AuthenticatedCipher.aes256GCM.seal(
            json.span.bytes, key: try maintenanceKey().bytes, nonce: nonce, additionalData: Self.maintenanceData,
            into: &output)
        return output
    }

    private static let maintenanceData = Array("maintenance".utf8)
}

/// The copy of `kopia.repository` that packs of format version 1 start with, from which a lost one is recovered.
///
/// | bytes | field |
/// |---|---|
/// | 0–1 | L = length of the copy + 32, little-endian: the only such integer of the format |
/// | 2 … | the bytes of `kopia.repository` |
/// | 32 | HMAC-SHA256 of them with the public key `kopia-repository`: identification, not protection |
/// | 2 | L again |
///
/// Source: kopia `repo/format/format_blob.go` `addFormatBlobChecksumAndLength`, `RecoverFormatBlob`;
/// `kopia-format` §2.6.
public enum FormatReplica {
    private static let key = Array("kopia-repository".utf8)
    private static let checksumLength = 32
    private static let lengthMax = 65_000

    static func frame(_ formatBlob: [UInt8]) throws(FormatError) -> [UInt8] {
        let length = formatBlob.count + checksumLength
        guard length <= lengthMax else {
            throw FormatError(
                .unsupported, "a format block of \(formatBlob.count) bytes is too long to be copied into packs")
        }
        let ends = [UInt8(truncatingIfNeeded: length), UInt8(truncatingIfNeeded: length >> 8)]
        return ends + formatBlob + (try HMAC.sha256(key: key, formatBlob)) + ends
    }

    /// How many bytes at the start, and at the end, of a pack must be looked at.
    public static let searchLength = 64 << 10

    /// The bytes of `kopia.repository` from the start of a pack, or failing that from its end. Nil when neither holds
    /// an intact copy.
    ///
    /// - Parameters:
    ///   - head: the first 64 KiB of the pack, or all of it.
    ///   - tail: the last 64 KiB, or all of it.
    public static func recover(head: [UInt8], tail: [UInt8]) throws(FormatError) -> [UInt8]? {
        if head.count >= 2 {
            let length = Int(head[0]) | Int(head[1]) << 8
            if let found = try checked(head.dropFirst(2).prefix(length), length) { return found }
        }
        if tail.count >= 2 {
            let length = Int(tail[tail.count - 2]) | Int(tail[tail.count - 1]) << 8
            if let found = try checked(tail.dropLast(2).suffix(length), length) { return found }
        }
        return nil
    }

    private static func checked(_ bytes: ArraySlice<UInt8>, _ length: Int) throws(FormatError) -> [UInt8]? {
        guard bytes.count == length, length > checksumLength else { return nil }
        let blob = Array(bytes.dropLast(checksumLength))
        guard try HMAC.sha256(key: key, blob).elementsEqual(bytes.suffix(checksumLength)) else { return nil }
        return blob
    }
}
