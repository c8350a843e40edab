package import GoFormats
import KopiaBlob
package import KopiaContent
package import KopiaFormat
package import KopiaManifest

/// An open kopia repository. There is one only inside `with`, which always closes it.
///
/// Concurrency and memory: all calls may run concurrently. Holds the merged index of all contents and, after the first
/// call that needs manifests, all manifests. What a call holds beside that is in its own comment.
///
/// Throws: `RepositoryError`, `CancellationError`, and whatever a caller's closure throws.
public final class Repository: Sendable {
    let contents: any ContentStore
    let manifests: any ManifestStore
    let identity: RepositoryIdentity
    let access: RepositoryAccess
    let clock: @Sendable () -> Timestamp
    /// What only a repository in blobs has; nil behind a server.
    let blobs: BlobSide?
    /// Chunks, contents and pieces of metadata worked on at once.
    let parallelism: Int
    /// The key of the contents' hashes, which keys of other purposes are made from.
    let hashSecret: SecretBytes?

    /// Facts about the repository; no secrets.
    public let status: RepositoryStatus

    /// - Parameters:
    ///   - contents: stays the caller's to close.
    ///   - manifests: on top of `contents`.
    ///   - hashSecret: what a repository server gives its sessions as the secret of the content hash. It is the same
    ///     that a repository in blobs has in its format, so that `derivedKey` gives the same keys on both ways.
    package convenience init(
        contents: any ContentStore, manifests: any ManifestStore, status: RepositoryStatus,
        identity: RepositoryIdentity, access: RepositoryAccess,
        hashSecret: SecretBytes? = nil, clock: @escaping @Sendable () -> Timestamp = Timestamp.now,
        parallelism: Int = CPU.count
    ) {
        self.init(
            contents: contents, manifests: manifests, blobs: nil, status: status, identity: identity, access: access,
            hashSecret: hashSecret, clock: clock, parallelism: parallelism)
    }

    init(
        contents: any ContentStore, manifests: any ManifestStore, blobs: BlobSide?, status: RepositoryStatus,
        identity: RepositoryIdentity, access: RepositoryAccess, hashSecret: SecretBytes? = nil,
        clock: @escaping @Sendable () -> Timestamp = Timestamp.now, parallelism: Int = CPU.count
    ) {
        self.contents = contents
        self.manifests = manifests
        self.status = status
        self.identity = identity
        self.access = access
        self.clock = clock
        self.parallelism = max(1, parallelism)
        self.blobs = blobs
        self.hashSecret = hashSecret
    }

    /// The rooms below, for what a repository server does not offer.
    struct BlobSide: Sendable {
        let storage: any BlobStorage
        let contents: LocalContentStore
        let manifests: ContentManifestStore
        /// For the maintenance schedule.
        var format: RepositoryFormat? = nil
    }

    func requireWriting(_ what: String) throws(RepositoryError) {
        guard access == .readWrite else {
            throw RepositoryError(
                .readOnly, "cannot \(what): the repository is open for reading only", hint: "open it for writing")
        }
    }
}

/// What a repository is made of.
public struct RepositoryStatus: Sendable, Hashable {
    /// Where it is, without secrets.
    public let location: String
    /// Behind a server only location, hash, splitter and identity are known; the rest is empty or 0.
    public let isServer: Bool
    /// Lower-case hex.
    public let uniqueID: String
    /// 1, 2 or 3.
    public let formatVersion: Int
    public let indexVersion: Int
    /// kopia's names.
    public let hash: String
    public let encryption: String
    public let keyDerivation: String
    public let splitter: String
    /// Percent of redundancy against flipped bits; nil without.
    public let errorCorrectionPercent: Int?
    /// Bytes.
    public let packSizeMax: Int64
    public let usesEpochs: Bool
    public let allowsPasswordChange: Bool
    public let isReadOnly: Bool
    /// How blobs are locked when they are written; nil when they are not.
    public let retention: RetentionSetting?
    /// `user@host` of new snapshots.
    public let identity: String
    /// Features the repository asks for that this program does not know but may ignore.
    public let warnings: [String]

    public init(
        location: String, isServer: Bool = false, uniqueID: String, formatVersion: Int, indexVersion: Int, hash: String,
        encryption: String,
        keyDerivation: String, splitter: String, errorCorrectionPercent: Int? = nil, packSizeMax: Int64,
        usesEpochs: Bool, allowsPasswordChange: Bool, isReadOnly: Bool, retention: RetentionSetting? = nil,
        identity: String, warnings: [String] = []
    ) {
        self.location = location
        self.isServer = isServer
        self.uniqueID = uniqueID
        self.formatVersion = formatVersion
        self.indexVersion = indexVersion
        self.hash = hash
        self.encryption = encryption
        self.keyDerivation = keyDerivation
        self.splitter = splitter
        self.errorCorrectionPercent = errorCorrectionPercent
        self.packSizeMax = packSizeMax
        self.usesEpochs = usesEpochs
        self.allowsPasswordChange = allowsPasswordChange
        self.isReadOnly = isReadOnly
        self.retention = retention
        self.identity = identity
        self.warnings = warnings
    }
}
