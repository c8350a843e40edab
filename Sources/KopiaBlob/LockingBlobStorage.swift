public import GoFormats

/// A promise the store has given for one blob: until when it cannot be deleted or overwritten.
public struct BlobLock: Sendable, Hashable {
    public enum Mode: String, Sendable, Hashable {
        /// S3: may be lifted by whoever has a special permission.
        case governance = "GOVERNANCE"
        /// S3: nobody can shorten it.
        case compliance = "COMPLIANCE"
        /// Azure: nobody can shorten it.
        case locked = "Locked"
        /// Azure: may be shortened or removed.
        case unlocked = "Unlocked"

        /// Whether nobody at all can delete the blob before its time.
        public var isUnconditional: Bool { self == .compliance || self == .locked }
    }

    public let mode: Mode
    public let until: Timestamp

    public init(mode: Mode, until: Timestamp) {
        self.mode = mode
        self.until = until
    }
}

/// One state of a blob in a store that keeps older ones: its bytes, or the word that it was deleted.
public struct BlobVersion: Sendable, Hashable {
    public let id: BlobID
    /// The store's name of the version.
    public let version: String
    /// When it was written, by the store's clock.
    public let time: Timestamp
    /// Bytes; 0 for a delete marker.
    public let length: Int64
    /// S3: put on top by a delete; what is below stays.
    public let isDeleteMarker: Bool
    /// What readers and listings get, or, for a marker, why they get nothing.
    public let isCurrent: Bool

    public init(
        id: BlobID, version: String, time: Timestamp, length: Int64, isDeleteMarker: Bool = false, isCurrent: Bool
    ) {
        self.id = id
        self.version = version
        self.time = time
        self.length = length
        self.isDeleteMarker = isDeleteMarker
        self.isCurrent = isCurrent
    }
}

/// Whether a store keeps the promises that locks are made of.
public struct LockSupport: Sendable, Hashable {
    /// Overwriting and deleting leave what was there; nil when the credentials may not see it.
    public let keepsVersions: Bool?
    /// Versions can be locked; nil when the credentials may not see it.
    public let locksVersions: Bool?
    /// The store's clock, which decides when a lock ends; whole seconds. Nil when it does not say.
    public let time: Timestamp?

    public init(keepsVersions: Bool?, locksVersions: Bool?, time: Timestamp?) {
        self.keepsVersions = keepsVersions
        self.locksVersions = locksVersions
        self.time = time
    }
}

/// A store that can say until when a blob is locked, and lock it for longer.
public protocol LockingBlobStorage: BlobStorage {
    /// The lock of a version of a blob; nil when it has none.
    ///
    /// - Parameter version: nil for the one that readers get.
    /// - Throws: `BlobError.Code.notFound`; `.unsupported` when the store keeps no locks there.
    func lock(of id: BlobID, version: String?) async throws -> BlobLock?

    /// Locks a blob until then, or leaves it as it is when it is locked as long already: never shortens.
    ///
    /// - Throws: `BlobError.Code.notFound`; `.unsupported` when the store keeps no locks there or not in this mode.
    func extendLock(of id: BlobID, mode: BlobRetention.Mode, until: Timestamp) async throws

    /// Every version of the blobs whose ID starts with `prefix`, deleted ones too, in any order.
    ///
    /// Memory: about 200 bytes a version.
    func versions(prefix: String) async throws -> [BlobVersion]

    /// As `get(_:range:)`, of a version that need not be the current one.
    func get(_ id: BlobID, version: String, range: Range<Int64>?) async throws -> [UInt8]

    func lockSupport() async throws -> LockSupport
}

extension LockingBlobStorage {
    public func lock(of id: BlobID) async throws -> BlobLock? { try await lock(of: id, version: nil) }
}
