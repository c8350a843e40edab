public import GoFormats
import KopiaBlob
import KopiaCloud
import KopiaContent
import KopiaFormat
import KopiaManifest
import KopiaServer
import KopiaSnapshot

extension Repository {
    /// Opens the repository, runs `body`, and closes it however `body` ends.
    ///
    /// - Parameters:
    ///   - access: `.readOnly` writes nothing at all.
    ///   - identity: whose snapshots and sessions these are.
    ///   - clock: gives the times of snapshots and manifests.
    /// - Throws: `RepositoryError` (`.notInitialized`, `.wrongPassword`, `.unsupportedFormat`, `.upgradeInProgress`,
    ///   `.damaged`, `.storage`); whatever `body` throws.
    public static func with<Result>(
        at location: RepositoryLocation, password: RepositoryPassword, access: RepositoryAccess = .readOnly,
        identity: RepositoryIdentity, clock: @escaping @Sendable () -> Timestamp = Timestamp.now,
        _ body: (Repository) async throws -> Result
    ) async throws -> Result {
        try await with(
            at: location, password: password, access: access, identity: identity, skipsDamagedIndexes: false,
            clock: clock, body)
    }

    /// - Parameter skipsDamagedIndexes: for verifying and for recovering indexes.
    static func with<Result>(
        at location: RepositoryLocation, password: RepositoryPassword, access: RepositoryAccess,
        identity: RepositoryIdentity, skipsDamagedIndexes: Bool,
        clock: @escaping @Sendable () -> Timestamp = Timestamp.now, _ body: (Repository) async throws -> Result
    ) async throws -> Result {
        if case .server(let address) = location.kind {
            return try await with(
                address, at: location, password: password, access: access, identity: identity, body)
        }
        guard location.pointInTime == nil || access == .readOnly else {
            throw RepositoryError(
                .invalidArgument, "\(location) is the past: it can only be read",
                hint: "leave the point in time out to write")
        }
        let (repository, contents) = try await translatingErrors {
            let storage = try await location.openStorage()
            let format = try await RepositoryFormat.open(storage, password: password)
            let contents = try await LocalContentStore.open(
                storage, format: format,
                options: .init(
                    isReadOnly: access == .readOnly, username: identity.userName, hostname: identity.host,
                    skipsDamagedIndexes: skipsDamagedIndexes))
            let manifests = ContentManifestStore(contents: contents, clock: clock)
            let repository = Repository(
                contents: contents, manifests: manifests,
                blobs: BlobSide(storage: storage, contents: contents, manifests: manifests, format: format),
                status: RepositoryStatus(format, location: location, access: access, identity: identity),
                identity: identity, access: access, hashSecret: format.parameters.secret, clock: clock)
            return (repository, contents)
        }
        do {
            let result = try await body(repository)
            await contents.close()
            return result
        } catch {
            await contents.close()
            throw error
        }
    }

    private static func with<Result>(
        _ address: ServerAddress, at location: RepositoryLocation, password: RepositoryPassword,
        access: RepositoryAccess, identity: RepositoryIdentity, _ body: (Repository) async throws -> Result
    ) async throws -> Result {
        try await translatingErrors {
            let credentials = try ServerCredentials(
                userName: identity.userName, host: identity.host,
                password: String(decoding: password.utf8, as: UTF8.self))
            var options = ServerOptions()
            options.isReadOnly = access == .readOnly
            options.onTrouble = location.patience.onTrouble
            if let silenceMax = location.patience.silenceMax { options.silenceMax = silenceMax }
            return try await ServerRepository.with(address, credentials, options) { server in
                let repository = Repository(
                    contents: server.contents, manifests: server.manifests,
                    status: RepositoryStatus(server, location: location, access: access, identity: identity),
                    identity: identity, access: access, hashSecret: server.hashSecret)
                return try await body(repository)
            }
        }
    }

    /// What a new repository is made of. The names are kopia's.
    public struct CreateOptions: Sendable {
        /// 1, 2 or 3.
        public var formatVersion = 3
        public var hash = "BLAKE2B-256-128"
        public var encryption = "AES256-GCM-HMAC-SHA256"
        public var splitter = "DYNAMIC-4M-BUZHASH"
        public var keyDerivation = "scrypt-65536-8-1"
        /// Percent of redundancy against flipped bits, 1 … 100; 0 for none.
        public var errorCorrectionPercent = 0
        /// Bytes, 10 … 120 MiB.
        public var packSizeMax = 20 << 20
        /// Locks every blob that snapshots need for that long when it is written; storage with locks only.
        public var retention: RetentionSetting?

        public init() {}

        func formatOptions() throws(RepositoryError) -> RepositoryFormat.Options {
            func known<Value: RawRepresentable & CaseIterable>(
                _ what: String, _ name: String
            ) throws(RepositoryError) -> Value where Value.RawValue == String {
                guard let value = Value(rawValue: name) else {
                    throw RepositoryError(
                        .invalidArgument, "'\(name)' is not the name of a \(what)",
                        hint: "known: " + Value.allCases.map(\.rawValue).joined(separator: ", "))
                }
                return value
            }
            guard let splitter = Splitter(name: splitter), splitter.isKnownToKopia else {
                throw RepositoryError(
                    .invalidArgument, "'\(splitter)' is not the name of a splitter that kopia knows",
                    hint: "for example DYNAMIC-4M-BUZHASH or FIXED-4M")
            }
            var options = RepositoryFormat.Options()
            options.version = formatVersion
            options.hash = try known("hash", hash)
            options.encryption = try known("cipher", encryption)
            options.splitter = splitter.name
            options.keyDerivation = try known("key derivation", keyDerivation)
            options.errorCorrectionOverheadPercent = errorCorrectionPercent
            options.maxPackSize = packSizeMax
            options.retention = retention?.blobRetention
            return options
        }
    }

    /// Makes a new repository with the global policy and the maintenance parameters that kopia's command line writes;
    /// `identity` becomes the owner of its maintenance. Two programs must not do this at the same time.
    ///
    /// - Throws: `RepositoryError.Code.alreadyExists` (nothing was written), `.invalidArgument`, `.storage`.
    public static func create(
        at location: RepositoryLocation, password: RepositoryPassword, options: CreateOptions = CreateOptions(),
        identity: RepositoryIdentity
    ) async throws {
        try await translatingErrors {
            let formatOptions = try options.formatOptions()
            if options.retention != nil { try location.requireLocks() }
            let storage = try await location.createStorage(formatVersion: options.formatVersion)
            if options.retention != nil, let storage = storage as? any LockingBlobStorage {
                let support = try await storage.lockSupport()
                guard support.locksVersions != false, support.keepsVersions != false else {
                    throw RepositoryError(
                        .invalidArgument, "\(location) cannot have a retention: \(support.problem)",
                        hint:
                            "S3: make the bucket with object lock; Azure: switch on versioning and version-level immutability"
                    )
                }
            }
            let format = try await RepositoryFormat.create(storage, password: password, options: formatOptions)
            let contents = try await LocalContentStore.open(
                storage, format: format, options: .init(username: identity.userName, hostname: identity.host))
            let manifests = ContentManifestStore(contents: contents)
            try await PolicyStore(manifests: manifests).set(Policy.standard, for: .global)
            _ = try await manifests.put(
                labels: ["type": "maintenance"], payload: MaintenanceParameters.standard(owner: identity.description))
            try await manifests.flush()
            await contents.close()
        }
    }
}

extension RepositoryStatus {
    init(
        _ format: RepositoryFormat, location: RepositoryLocation, access: RepositoryAccess,
        identity: RepositoryIdentity
    ) {
        let parameters = format.parameters
        self.init(
            location: location.description, uniqueID: format.uniqueID.hex, formatVersion: parameters.version,
            indexVersion: parameters.indexVersion, hash: parameters.hash.rawValue,
            encryption: parameters.encryption.rawValue, keyDerivation: format.keyDerivation.rawValue,
            splitter: parameters.splitter,
            errorCorrectionPercent: parameters.errorCorrection.isEmpty
                ? nil : parameters.errorCorrectionOverheadPercent,
            packSizeMax: Int64(parameters.maxPackSize), usesEpochs: parameters.epochParameters.isEnabled,
            allowsPasswordChange: parameters.enablePasswordChange, isReadOnly: access == .readOnly,
            retention: format.retention.map { RetentionSetting($0) }, identity: identity.description,
            warnings: format.warnings)
    }
}

extension RepositoryStatus {
    /// A server does not tell the rest.
    init(
        _ server: ServerRepository, location: RepositoryLocation, access: RepositoryAccess,
        identity: RepositoryIdentity
    ) {
        self.init(
            location: location.description, isServer: true, uniqueID: "", formatVersion: 0, indexVersion: 0,
            hash: server.hash, encryption: "", keyDerivation: "", splitter: server.splitter, packSizeMax: 0,
            usesEpochs: false, allowsPasswordChange: false, isReadOnly: access == .readOnly,
            identity: identity.description)
    }
}

extension [UInt8] {
    fileprivate var hex: String {
        map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }
}

extension RepositoryLocation {
    /// - Throws: `RepositoryError.Code.invalidArgument` where blobs cannot be locked.
    func requireLocks() throws(RepositoryError) {
        guard case .filesystem = kind else { return }
        throw RepositoryError(
            .invalidArgument, "\(self) cannot have a retention: a folder keeps no locks",
            hint: "use S3 with object lock or Azure with version-level immutability")
    }

    /// - Throws: `RepositoryError.Code.notInitialized`, `BlobError`.
    func openStorage() async throws -> any BlobStorage {
        switch kind {
        case .filesystem(let path):
            do {
                return try await FilesystemBlobStorage.open(path: path)
            } catch let error as BlobError where error.code == .invalidStorage {
                throw RepositoryError(.notInitialized, error.message, hint: error.hint)
            }
        case .cloud(let location, let credentials):
            let storage = try open(location, credentials)
            guard let pointInTime else { return storage }
            return try await PointInTimeStorage.open(storage, at: pointInTime)
        case .server: throw noBlobs()
        }
    }

    /// - Throws: `RepositoryError.Code.alreadyExists`, `.invalidLocation` for a folder or prefix with other files;
    ///   `BlobError`.
    func createStorage(formatVersion: Int) async throws -> any BlobStorage {
        switch kind {
        case .filesystem(let path):
            do {
                return try await FilesystemBlobStorage.create(
                    path: path, layout: formatVersion == 1 ? .legacy : .standard)
            } catch let error as BlobError where error.code == .invalidStorage {
                let isRepository = (try? await FilesystemBlobStorage.open(path: path)) != nil
                throw RepositoryError(
                    isRepository ? .alreadyExists : .invalidLocation, error.message, hint: error.hint)
            }
        case .cloud(let location, let credentials):
            guard pointInTime == nil else {
                throw RepositoryError(.invalidArgument, "no repository can be made in the past: \(self)")
            }
            let storage = try open(location, credentials)
            let blobs = try await storage.list(prefix: "")
            guard let first = blobs.map(\.id.description).min() else { return storage }
            guard blobs.contains(where: { $0.id == RepositoryFormat.blobID }) else {
                throw RepositoryError(
                    .invalidLocation, "'\(location.displayName)' is not empty: it holds '\(first)'",
                    hint: "give the repository a prefix of its own")
            }
            throw RepositoryError(
                .alreadyExists, "'\(location.displayName)' already holds a kopia repository",
                hint: "use it, or give the new one a prefix of its own")
        case .server: throw noBlobs()
        }
    }

    private func open(
        _ location: CloudLocation, _ credentials: CloudLocation.Credentials
    ) throws(BlobError) -> any LockingBlobStorage {
        let location = patience.silenceMax.map { location.with(silenceMax: $0) } ?? location
        var environment = CloudEnvironment(onTrouble: patience.onTrouble)
        environment.sleep = patience.sleep
        return try location.open(credentials, environment)
    }

    private func noBlobs() -> RepositoryError {
        RepositoryError(
            .unsupportedLocation, "\(self) is a server: it shows no blobs, and no repository can be made there",
            hint: "create it where the server keeps it, with 'kopia repository create'")
    }
}
