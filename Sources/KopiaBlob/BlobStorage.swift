public import GoFormats

/// What the store knows about a blob. The timestamp is assigned by the store, not by the writer.
public struct BlobMetadata: Sendable, Hashable {
    public let id: BlobID
    /// Bytes.
    public let length: Int64
    public let timestamp: Timestamp

    public init(id: BlobID, length: Int64, timestamp: Timestamp) {
        self.id = id
        self.length = length
        self.timestamp = timestamp
    }
}

/// What kopia needs of a place that keeps blobs. Every provider passes the same contract suite.
///
/// - Put is atomic: a reader sees the old bytes, the new bytes or nothing, never a prefix; when it returns, the blob is
///   durable.
/// - Get and list see a put that returned.
/// - Overwriting is allowed (the `kopia.*` blobs need it); deleting a missing blob succeeds.
/// - Only the provider retries.
///
/// Concurrency and memory: all calls may run concurrently. A call holds one blob (or the range asked for) in memory.
///
/// Throws: `BlobError` with a code, or `CancellationError`.
///
/// Source: kopia `repo/blob/storage.go`.
public protocol BlobStorage: Sendable {
    /// For messages, for example `file:///srv/repository`; without secrets.
    var displayName: String { get }

    /// The bytes of a blob, or exactly the range asked for.
    ///
    /// - Throws: `BlobError.Code.notFound`; `.invalidRange` when the blob is shorter than the range's end.
    func get(_ id: BlobID, range: Range<Int64>?) async throws -> [UInt8]

    func put(_ id: BlobID, _ bytes: [UInt8], retention: BlobRetention?) async throws

    /// Puts a blob whose bytes lie in several arrays, one after another. A provider that can write them as they are
    /// saves the copy that joins them.
    func put(_ id: BlobID, pieces: [[UInt8]], retention: BlobRetention?) async throws

    /// Whether `makeWriter` makes writers.
    var takesBlobsInParts: Bool { get }

    /// Begins a blob whose bytes are handed over while it is being made; nil where that cannot be done, and then the blob
    /// has to be put as a whole. The blob gets no retention.
    func makeWriter(_ id: BlobID) async throws -> (any BlobWriter)?

    func delete(_ id: BlobID) async throws

    /// - Throws: `BlobError.Code.notFound`.
    func metadata(of id: BlobID) async throws -> BlobMetadata

    /// All blobs whose ID starts with `prefix`, in any order. A blob that disappears meanwhile is left out.
    func list(prefix: String) async throws -> [BlobMetadata]
}

extension BlobStorage {
    public func get(_ id: BlobID) async throws -> [UInt8] { try await get(id, range: nil) }
    public func put(_ id: BlobID, _ bytes: [UInt8]) async throws { try await put(id, bytes, retention: nil) }

    /// Joins the pieces: for the time of the call the blob is in memory twice.
    public func put(_ id: BlobID, pieces: [[UInt8]], retention: BlobRetention?) async throws {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(pieces.reduce(0) { $0 + $1.count })
        for piece in pieces { bytes += piece }
        try await put(id, bytes, retention: retention)
    }
}

/// A promise of the store not to delete a blob before a time; from `kopia.blobcfg`.
public struct BlobRetention: Sendable, Hashable {
    public enum Mode: String, Sendable, Hashable {
        case governance = "GOVERNANCE"
        case compliance = "COMPLIANCE"
        case locked = "Locked"
    }
    public let mode: Mode
    /// Seconds from the put on.
    public let periodSeconds: Int64

    public init(mode: Mode, periodSeconds: Int64) {
        self.mode = mode
        self.periodSeconds = periodSeconds
    }
}

/// What a storage provider could not do, to which blob, and whether trying again makes sense.
public struct BlobError: Error, Sendable, CustomStringConvertible {
    public struct Code: Sendable, Hashable {
        private enum Kind: Sendable, Hashable {
            case notFound, invalidRange, accessDenied, noSpace, unsupported, invalidStorage, io
        }
        private let kind: Kind

        public static let notFound = Code(kind: .notFound)
        public static let invalidRange = Code(kind: .invalidRange)
        public static let accessDenied = Code(kind: .accessDenied)
        public static let noSpace = Code(kind: .noSpace)
        /// The provider cannot do this at all, for example retention on a filesystem.
        public static let unsupported = Code(kind: .unsupported)
        /// The storage itself is not usable: not a folder, malformed `.shards`.
        public static let invalidStorage = Code(kind: .invalidStorage)
        public static let io = Code(kind: .io)
    }

    public let code: Code
    public let blob: BlobID?
    /// A whole sentence without the hint.
    public let message: String
    public let hint: String?
    public let isTransient: Bool

    public init(_ code: Code, blob: BlobID? = nil, _ message: String, hint: String? = nil, isTransient: Bool = false) {
        self.code = code
        self.blob = blob
        self.message = message
        self.hint = hint
        self.isTransient = isTransient
    }

    public var description: String { hint.map { "\(message)\nhint: \($0)" } ?? message }
}
