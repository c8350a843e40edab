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

/// A store that can say until when a blob is locked, and lock it for longer.
public protocol LockingBlobStorage: BlobStorage {
    /// The lock of the newest version of a blob; nil when it has none.
    ///
    /// - Throws: `BlobError.Code.notFound`; `.unsupported` when the store keeps no locks there.
    func lock(of id: BlobID) async throws -> BlobLock?

    /// Locks a blob until then, or leaves it as it is when it is locked as long already: never shortens.
    ///
    /// - Throws: `BlobError.Code.notFound`; `.unsupported` when the store keeps no locks there or not in this mode.
    func extendLock(of id: BlobID, mode: BlobRetention.Mode, until: Timestamp) async throws
}
