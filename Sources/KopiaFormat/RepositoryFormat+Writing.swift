internal import GoFormats
public import KopiaBlob

extension RepositoryFormat {
    /// What a new repository gets.
    public struct Options: Sendable {
        public var hash = HashAlgorithm.blake2b256Truncated128
        public var encryption = EncryptionAlgorithm.aes256GCM
        public var splitter = "DYNAMIC-4M-BUZHASH"
        public var keyDerivation = KeyDerivation.scrypt
        /// 1, 2 or 3.
        public var version = 3
        /// 10 … 120 MiB.
        public var maxPackSize = 20 << 20
        /// Nil: what the version asks for.
        public var epochParameters: EpochParameters?
        /// Percent of redundancy, 1 … 100; 0 for none.
        public var errorCorrectionOverheadPercent = 0
        public var retention: BlobRetention?
        /// For people who look into `kopia.repository`.
        public var buildVersion = "karaffe"

        public init() {}

        func makeParameters() throws(FormatError) -> FormatParameters {
            guard (1...3).contains(version) else {
                throw FormatError(.invalidParameter, "format version \(version) cannot be created; 1, 2 and 3 can")
            }
            guard (10 << 20...120 << 20).contains(maxPackSize) else {
                throw FormatError(
                    .invalidParameter, "a pack size of \(maxPackSize) bytes is not between 10 and 120 MiB")
            }
            guard (0...100).contains(errorCorrectionOverheadPercent) else {
                throw FormatError(
                    .invalidParameter,
                    "\(errorCorrectionOverheadPercent) % of error correction are not between 0 and 100")
            }
            guard version > 1 || errorCorrectionOverheadPercent == 0 else {
                throw FormatError(
                    .invalidParameter, "format version 1 has no error correction", hint: "use version 2 or 3")
            }
            if let retention, retention.periodSeconds < BlobRetention.periodSecondsMin {
                throw FormatError(
                    .invalidParameter, "a retention of \(retention.periodSeconds) seconds is shorter than 24 hours")
            }
            let epochs = epochParameters ?? (version == 1 ? .disabled : .standard)
            try epochs.validate()
            return FormatParameters(
                hash: hash, encryption: encryption,
                errorCorrection: errorCorrectionOverheadPercent > 0 ? FormatParameters.reedSolomon : "",
                errorCorrectionOverheadPercent: errorCorrectionOverheadPercent,
                secret: SecretBytes(try randomBytes(32)), masterKey: SecretBytes(try randomBytes(32)),
                version: version, maxPackSize: maxPackSize, indexVersion: version == 1 ? 1 : 2,
                epochParameters: epochs, enablePasswordChange: version > 1, splitter: splitter, upgradeLock: nil,
                requiredFeatures: [])
        }
    }

    /// Makes a repository: writes `kopia.blobcfg`, then `kopia.repository`. There is no protection against two programs
    /// doing this at the same time: the last one wins and the other's data cannot be decrypted.
    ///
    /// - Throws: `FormatError.Code.alreadyInitialized`, `.invalidParameter`; `BlobError`; `CancellationError`.
    @concurrent public static func create(
        _ storage: any BlobStorage, password: Password, options: Options = Options()
    ) async throws -> RepositoryFormat {
        guard !password.isEmpty else {
            throw FormatError(.invalidParameter, "the password of a repository cannot be empty")
        }
        let (formatID, configurationID) = try blobIDs()
        for id in [formatID, configurationID] where try await readIfPresent(storage, id) != nil {
            throw FormatError(
                .alreadyInitialized, "there is a repository in \(storage.displayName) already: blob '\(id)' exists",
                hint: id == formatID
                    ? "open it, or choose another location"
                    : "'kopia.repository' is missing beside it: the creation stopped half way, or the repository is damaged"
            )
        }
        let parameters = try options.makeParameters()
        let uniqueID = try randomBytes(32)
        let key = try options.keyDerivation.key(password: password, salt: uniqueID)
        let blob = FormatBlob(
            buildVersion: options.buildVersion, buildInfo: "", uniqueID: uniqueID,
            keyDerivation: options.keyDerivation, encryptedParameters: [])
        return try await write(storage, blob, parameters, options.retention, formatKey: key)
    }

    /// Encrypts the format with a key from another password; the master key, and so all data, stays as it is.
    /// Others who have the repository open go on for at most 15 minutes and then need the new password.
    ///
    /// - Throws: `FormatError.Code.invalidParameter` when the repository does not allow it; `BlobError`.
    @concurrent public func changePassword(
        _ storage: any BlobStorage, to password: Password
    ) async throws -> RepositoryFormat {
        guard parameters.enablePasswordChange else {
            throw FormatError(
                .invalidParameter,
                "the password of this repository cannot be changed: its packs hold copies of the format block",
                hint: "repositories created as format version 2 or 3 can")
        }
        guard !password.isEmpty else {
            throw FormatError(.invalidParameter, "the password of a repository cannot be empty")
        }
        let key = try keyDerivation.key(password: password, salt: uniqueID)
        return try await Self.write(storage, try FormatBlob(blobBytes), parameters, retention, formatKey: key)
    }

    /// Encrypts and writes both blobs, in kopia's order, after reading back in memory what is about to be written.
    private static func write(
        _ storage: any BlobStorage, _ template: FormatBlob, _ parameters: FormatParameters,
        _ retention: BlobRetention?, formatKey: SecretBytes
    ) async throws -> RepositoryFormat {
        let (formatID, configurationID) = try blobIDs()
        let cipher = try FormatCipher(formatKey: formatKey, uniqueID: template.uniqueID)
        var blob = template
        blob.encryptedParameters = try cipher.seal(
            parameters.json, nonce: try randomBytes(AuthenticatedCipher.nonceLength))
        let configuration = try cipher.seal(
            BlobRetention.encode(retention), nonce: try randomBytes(AuthenticatedCipher.nonceLength))
        let bytes = blob.encoded
        let format = try RepositoryFormat(
            try FormatBlob(bytes), bytes, configuration, formatKey: formatKey, now: .now())
        try await storage.put(configurationID, configuration, retention: retention)
        try await storage.put(formatID, bytes, retention: retention)
        return format
    }
}

extension EpochParameters {
    /// - Throws: `FormatError.Code.invalidParameter` when kopia would refuse them.
    func validate() throws(FormatError) {
        guard isEnabled else { return }
        let refresh = epochRefreshFrequencyNanoseconds
        let tripled = refresh.multipliedReportingOverflow(by: 3)
        let rules: [(Bool, String)] = [
            (minEpochDurationNanoseconds >= 600_000_000_000, "the shortest epoch must last at least 10 minutes"),
            (
                !tripled.overflow && tripled.partialValue <= minEpochDurationNanoseconds,
                "the epoch refresh frequency must be at most a third of the shortest epoch"
            ),
            (fullCheckpointFrequency > 0, "the full checkpoint frequency must be positive"),
            (
                !tripled.overflow && cleanupSafetyMarginNanoseconds >= tripled.partialValue,
                "the cleanup safety margin must be at least three times the epoch refresh frequency"
            ),
            (epochAdvanceOnCountThreshold >= 10, "an epoch must advance on 10 or more index blobs"),
            (epochAdvanceOnTotalSizeBytesThreshold >= 1 << 20, "an epoch must advance on 1 MiB of indexes or more"),
        ]
        for (holds, message) in rules where !holds { throw FormatError(.invalidParameter, message) }
    }
}

extension FormatParameters {
    static let reedSolomon = "REED-SOLOMON-CRC32"
}
