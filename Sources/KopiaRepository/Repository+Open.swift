extension Repository {
    /// Opens the repository, runs `body`, and closes it however `body` ends.
    ///
    /// - Parameters:
    ///   - access: `.readOnly` writes nothing at all.
    ///   - identity: whose snapshots and sessions these are.
    /// - Throws: `RepositoryError` (`.notInitialized`, `.wrongPassword`, `.unsupportedFormat`, `.upgradeInProgress`,
    ///   `.damaged`, `.storage`); whatever `body` throws.
    public static func with<Result>(
        at location: RepositoryLocation, password: RepositoryPassword, access: RepositoryAccess = .readOnly,
        identity: RepositoryIdentity, _ body: (Repository) async throws -> Result
    ) async throws -> Result {
        throw RepositoryError(.unsupportedLocation, "\(location) cannot be opened by this build yet")
    }

    /// What a new repository is made of. The names are kopia's.
    public struct CreateOptions: Sendable {
        public var formatVersion = 3
        public var hash = "BLAKE2B-256-128"
        public var encryption = "AES256-GCM-HMAC-SHA256"
        public var splitter = "DYNAMIC-4M-BUZHASH"
        public var keyDerivation = "scrypt-65536-8-1"
        /// Percent of redundancy against flipped bits, 1 … 100; 0 for none.
        public var errorCorrectionPercent = 0
        /// Bytes, 10 … 120 MiB.
        public var packSizeMax = 20 << 20

        public init() {}
    }

    /// Makes a new repository with the global policy and the maintenance parameters that kopia's command line writes;
    /// `identity` becomes the owner of its maintenance. Two programs must not do this at the same time.
    ///
    /// - Throws: `RepositoryError.Code.alreadyExists` (nothing was written), `.invalidArgument`, `.storage`.
    public static func create(
        at location: RepositoryLocation, password: RepositoryPassword, options: CreateOptions = CreateOptions(),
        identity: RepositoryIdentity
    ) async throws {
        throw RepositoryError(.unsupportedLocation, "\(location) cannot be created by this build yet")
    }
}
