public import GoFormats
import KopiaBlob
public import KopiaManifest

/// Until when snapshots cannot be destroyed, and what is weakest about that.
public struct ImmutabilityReport: Sendable, Hashable {
    /// A blob that the snapshots need.
    public struct Blob: Sendable, Hashable {
        public enum Kind: String, Sendable, Hashable, CaseIterable {
            case format, configuration, index, epoch
            case data = "data pack"
            case metadata = "metadata pack"
        }
        public enum State: String, Sendable, Hashable {
            case visible
            /// Deleted, but a version of it is still there.
            case hidden
            case missing
        }

        public let id: String
        public let kind: Kind
        public internal(set) var state = State.visible
        /// `GOVERNANCE`, `COMPLIANCE`, `Locked`, `Unlocked`; nil without a lock.
        public internal(set) var mode: String?
        public internal(set) var until: Timestamp?
        /// Nobody at all can delete it before; else some permission can.
        public internal(set) var isUnconditional = false
        /// Of a hidden one: the newest version with bytes, and what hides it.
        public internal(set) var version: String?
        public internal(set) var marker: String?
        public internal(set) var hiddenSince: Timestamp?

        init(id: BlobID, kind: Kind) {
            self.id = id.description
            self.kind = kind
        }

        /// Whether it is where readers find it, and stays so until then.
        public func isProtected(until time: Timestamp) -> Bool {
            // Azure's unlocked policies can be taken back by whoever may set them.
            state == .visible && mode != BlobLock.Mode.unlocked.rawValue && until.map { $0 >= time } ?? false
        }

        /// The weakest first: gone, hidden, without a lock, then by time.
        func isWeaker(than other: Blob) -> Bool {
            func rank(_ blob: Blob) -> Int {
                switch blob.state {
                case .missing: return 0
                case .hidden: return 1
                case .visible: return blob.until == nil || blob.mode == BlobLock.Mode.unlocked.rawValue ? 2 : 3
                }
            }
            if rank(self) != rank(other) { return rank(self) < rank(other) }
            let never = Timestamp(seconds: 0)
            return (until ?? never, id) < (other.until ?? never, other.id)
        }
    }

    public internal(set) var snapshots: [ManifestID] = []
    public internal(set) var location = ""
    /// By kind.
    public internal(set) var counts: [Blob.Kind: Int] = [:]
    /// Nil only when there is none at all.
    public internal(set) var weakest: Blob?
    /// Blobs that do not hold out until `requiredUntil`, weakest first; no more than `weakBlobsMax` of them.
    public internal(set) var weak: [Blob] = []
    public internal(set) var weakCount = 0
    /// What could not be followed, so that blobs behind it are not in here.
    public internal(set) var unreadable: [String] = []
    /// When this was looked up, by the storage's clock where it tells it.
    public internal(set) var time = Timestamp(seconds: 0)
    public internal(set) var requiredUntil = Timestamp(seconds: 0)
    /// This machine's clock less the storage's, seconds; nil when the storage does not say.
    public internal(set) var clockSkewSeconds: Double?
    /// Nil when the credentials may not see it.
    public internal(set) var keepsVersions: Bool?
    public internal(set) var locksVersions: Bool?
    /// Whether nobody at all, rather than somebody without a special permission, can delete any of the blobs.
    public internal(set) var isUnconditional = true

    public static let weakBlobsMax = 1000

    public var blobCount: Int { counts.values.reduce(0, +) }

    /// Whether every blob holds out until `requiredUntil`.
    public var holds: Bool { weakCount == 0 && unreadable.isEmpty && weakest != nil }

    /// The earliest end of a lock; nil when any blob can be deleted now, or is gone, hidden or unknown.
    public var undeletableUntil: Timestamp? {
        guard unreadable.isEmpty, let weakest, weakest.isProtected(until: time) else { return nil }
        return weakest.until
    }
}

/// How long blobs must be locked.
public enum ImmutabilityRequirement: Sendable, Hashable {
    /// At all.
    case now
    /// From now on, by the storage's clock.
    case seconds(Int64)
    case until(Timestamp)

    func time(_ now: Timestamp) -> Timestamp {
        switch self {
        case .now: now
        case .seconds(let seconds): now.adding(seconds: seconds)
        case .until(let time): time
        }
    }
}

/// What an extension of locks did.
public struct LockExtension: Sendable, Hashable {
    /// A blob that could not be locked for longer.
    public struct Failure: Sendable, Hashable {
        public let blob: String
        public let message: String
        public let hint: String?
    }

    public internal(set) var until = Timestamp(seconds: 0)
    public internal(set) var mode = ""
    public internal(set) var blobCount = 0
    /// In ID order.
    public internal(set) var failures: [Failure] = []
    /// What could not be followed, so that blobs behind it were not locked.
    public internal(set) var unreadable: [String] = []
}
