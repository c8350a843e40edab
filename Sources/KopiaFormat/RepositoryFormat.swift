public import GoFormats
public import KopiaBlob

/// An opened `kopia.repository` with `kopia.blobcfg`: what every layer above needs to know of a repository.
///
/// The two blobs may be kept for at most 15 minutes; a process that runs longer calls `refresh` before it goes on, so
/// that it notices an upgrade lock and changed parameters.
///
/// Concurrency and memory: a value; a few KiB.
///
/// Source: kopia `repo/format/format_manager.go`; `kopia-format` §2.
public struct RepositoryFormat: Sendable {
    public static let blobID = BlobID("kopia.repository")
    public static let blobConfigurationID = BlobID("kopia.blobcfg")
    /// Seconds for which the format may be used before it must be read again.
    public static let cacheSecondsMax: Int64 = 15 * 60

    public let uniqueID: [UInt8]
    public let keyDerivation: KeyDerivation
    public let parameters: FormatParameters
    /// What puts of `BlobRetention.covers` blobs must carry.
    public let retention: BlobRetention?
    /// The exact bytes of `kopia.repository`.
    public let blobBytes: [UInt8]
    /// Required features that are not understood but only ask for a warning.
    public let warnings: [String]
    /// Made from the password; opens the format blobs.
    package let formatKey: SecretBytes

    /// The ciphers and hashes of the repository.
    public func makeCrypto() throws(FormatError) -> ContentCrypto {
        try ContentCrypto(
            hash: parameters.hash, encryption: parameters.encryption, secret: parameters.secret,
            masterKey: parameters.masterKey,
            errorCorrectionOverheadPercent: parameters.errorCorrection.isEmpty
                ? 0 : parameters.errorCorrectionOverheadPercent)
    }

    // MARK: Opening

    /// Reads, decrypts and checks the format.
    ///
    /// - Parameter now: compared with an upgrade lock.
    /// - Throws: `FormatError` (`.notInitialized`, `.wrongPassword`, `.damaged`, `.unsupported`, `.requiredFeature`,
    ///   `.upgradeInProgress`), `BlobError`, `CancellationError`.
    @concurrent public static func open(
        _ storage: any BlobStorage, password: Password, now: Timestamp = .now()
    ) async throws -> RepositoryFormat {
        let (formatBytes, configurationBytes) = try await readBlobs(storage)
        let blob = try FormatBlob(formatBytes)
        let key = try blob.keyDerivation.key(password: password, salt: blob.uniqueID)
        return try RepositoryFormat(blob, formatBytes, configurationBytes, formatKey: key, now: now)
    }

    /// As above with the key that the password leads to, for programs that open the same repository all the time.
    @concurrent package static func open(
        _ storage: any BlobStorage, formatKey: SecretBytes, now: Timestamp = .now()
    ) async throws -> RepositoryFormat {
        let (formatBytes, configurationBytes) = try await readBlobs(storage)
        return try RepositoryFormat(
            try FormatBlob(formatBytes), formatBytes, configurationBytes, formatKey: formatKey, now: now)
    }

    /// Reads the format again with the key that is already known.
    ///
    /// - Throws: as `open`; `.wrongPassword` when somebody changed the password meanwhile.
    @concurrent public func refresh(
        _ storage: any BlobStorage, now: Timestamp = .now()
    ) async throws -> RepositoryFormat {
        let (formatBytes, configurationBytes) = try await Self.readBlobs(storage)
        let blob = try FormatBlob(formatBytes)
        guard blob.uniqueID == uniqueID else {
            throw FormatError(
                .damaged, "the repository in \(storage.displayName) was replaced by another one while it was in use")
        }
        return try RepositoryFormat(blob, formatBytes, configurationBytes, formatKey: formatKey, now: now)
    }

    private static func readBlobs(_ storage: any BlobStorage) async throws -> (format: [UInt8], configuration: [UInt8]?)
    {
        let (formatID, configurationID) = try blobIDs()
        guard let format = try await readIfPresent(storage, formatID) else {
            throw FormatError(
                .notInitialized,
                "there is no kopia repository in \(storage.displayName): blob 'kopia.repository' is missing",
                hint: "check the location; a repository is only created when asked for")
        }
        return (format, try await readIfPresent(storage, configurationID))
    }

    static func readIfPresent(_ storage: any BlobStorage, _ id: BlobID) async throws -> [UInt8]? {
        do {
            return try await storage.get(id)
        } catch let error as BlobError where error.code == .notFound {
            return nil
        }
    }

    static func blobIDs() throws(FormatError) -> (BlobID, BlobID) {
        guard let blobID, let blobConfigurationID else {
            throw FormatError(.library, "the names of the format blobs are not blob IDs")
        }
        return (blobID, blobConfigurationID)
    }

    init(
        _ blob: FormatBlob, _ bytes: [UInt8], _ configuration: [UInt8]?, formatKey: SecretBytes, now: Timestamp
    ) throws(FormatError) {
        let cipher = try FormatCipher(formatKey: formatKey, uniqueID: blob.uniqueID)
        guard let json = try cipher.open(blob.encryptedParameters) else {
            throw FormatError(
                .wrongPassword,
                "the password is wrong, or the format block 'kopia.repository' was altered: it does not decrypt",
                hint: "check the password; if it is right, restore 'kopia.repository' from a copy")
        }
        parameters = try FormatParameters(json: json)
        warnings = try Self.check(parameters, now: now)
        if let configuration {
            guard let json = try cipher.open(configuration) else {
                throw FormatError(
                    .damaged,
                    "blob 'kopia.blobcfg' of \(configuration.count) bytes does not decrypt with the key that opens 'kopia.repository'",
                    hint: "a password change may have stopped half way; restore 'kopia.blobcfg' from a copy")
            }
            retention = try BlobRetention.decode(json)
        } else {
            retention = nil
        }
        uniqueID = blob.uniqueID
        keyDerivation = blob.keyDerivation
        blobBytes = bytes
        self.formatKey = formatKey
    }

    /// What must be refused; returns what must be said.
    private static func check(_ parameters: FormatParameters, now: Timestamp) throws(FormatError) -> [String] {
        var warnings: [String] = []
        for feature in parameters.requiredFeatures where !RequiredFeature.understood.contains(feature.feature) {
            guard feature.warns else {
                throw FormatError(
                    .requiredFeature, feature.explanation, hint: "use a newer version of this program or kopia")
            }
            warnings.append(feature.explanation)
        }
        if let lock = parameters.upgradeLock, lock.isLocked(at: now) {
            throw FormatError(
                .upgradeInProgress,
                "'\(lock.ownerID)' is upgrading the repository since \(lock.creationTime)\(lock.message.isEmpty ? "" : ": \(lock.message)")",
                hint: "wait until the upgrade is done; if it was abandoned, its owner can roll it back with kopia")
        }
        guard !parameters.secret.bytes.isEmpty, !parameters.masterKey.bytes.isEmpty else {
            throw FormatError(.damaged, "the decrypted format block lacks 'secret' or 'masterKey'")
        }
        return warnings
    }
}
