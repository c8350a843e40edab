import GoFormats

/// What a caller may learn of a content without reading it.
public struct ContentInfo: Sendable, Hashable {
    public let id: ContentID
    /// Bytes of the plaintext.
    public let originalLength: Int64
    /// Bytes it takes in its pack.
    public let packedLength: Int64
    public let isDeleted: Bool

    public init(id: ContentID, originalLength: Int64, packedLength: Int64, isDeleted: Bool) {
        self.id = id
        self.originalLength = originalLength
        self.packedLength = packedLength
        self.isDeleted = isDeleted
    }
}

/// Counters of one store since it was opened.
public struct ContentStatistics: Sendable, Hashable {
    /// Plaintext bytes given to `write`.
    public var bytesWritten: Int64 = 0
    /// Of those, bytes that were there already.
    public var bytesDeduplicated: Int64 = 0
    /// Bytes put into the storage: packs, indexes, markers.
    public var bytesUploaded: Int64 = 0

    public init() {}
}

/// Keeps contents: byte strings named by their keyed hash. Implemented by local packs (`LocalContentStore`) and by a
/// kopia repository server; owned here by its consumers' needs, so that objects and manifests never know which.
///
/// Concurrency and memory: all calls may run concurrently; each holds the content it works on.
///
/// Throws: `ContentError`, `BlobError`, `FormatError` (somebody upgrades the repository), or `CancellationError`.
///
/// Source: the seam is kopia's own, `contentManager` in `repo/object/object_manager.go`.
public protocol ContentStore: Sendable {
    /// Name of the repository's default splitter, for example `DYNAMIC-4M-BUZHASH`.
    var defaultSplitter: String { get }

    /// Whether compression belongs to contents (index version 2) or to objects (index version 1, object IDs with `Z`).
    var supportsContentCompression: Bool { get }

    /// Stores `plaintext` unless it is there already and not deleted.
    ///
    /// - Parameters:
    ///   - prefix: 0, or the letter of the kind (`k` directories, `x` indirect objects, `m` manifests).
    ///   - compression: header ID of a kopia compressor (0x1101 is `zstd-fastest`), or 0 for none. It is a wish: a
    ///     content that does not get smaller is stored as it is.
    /// - Returns: its ID. The content is durable and visible only after `flush`.
    func write(_ plaintext: [UInt8], prefix: UInt8, compression: UInt32) async throws -> ContentID

    /// The same for several, in their order: for chunks that are small enough to travel together. A store may hash them
    /// side by side.
    ///
    /// - Throws: as `write(_ plaintext:)`, for the first content that fails; those before it may be stored.
    func write(_ plaintexts: [[UInt8]], prefix: UInt8, compression: UInt32) async throws -> [ContentID]

    /// The plaintext. Deleted contents are readable until the deletion watermark hides them.
    ///
    /// - Throws: `ContentError.Code.notFound`, `.damaged` (which content, which pack, which offset).
    func read(_ id: ContentID) async throws -> [UInt8]

    /// The plaintexts, in the order of `ids`. Made for reading ahead: a store fetches contents that lie side by side in
    /// one request and decrypts on all cores. Holds all of them in memory, so the caller bounds the batch by the lengths
    /// it knows (for an object: a window of its table of, say, 32 MiB).
    ///
    /// - Throws: as `read(_ id:)`, for the first content that fails.
    func read(_ ids: [ContentID]) async throws -> [[UInt8]]

    /// Nil when no index names it.
    func info(_ id: ContentID) async throws -> ContentInfo?

    /// The same for many, in their order. Made for asking a server: the questions travel together.
    func info(_ ids: [ContentID]) async throws -> [ContentInfo?]

    /// IDs of the contents with this prefix that are not deleted.
    func list(prefix: UInt8) async throws -> [ContentInfo]

    /// Makes everything written so far durable and visible: packs, then indexes. Serialised.
    func flush() async throws

    /// Looks at the storage again for what others wrote.
    func refresh() async throws

    var statistics: ContentStatistics { get async }
}

extension ContentStore {
    /// One after another: for stores that have nothing better.
    public func write(_ plaintexts: [[UInt8]], prefix: UInt8, compression: UInt32) async throws -> [ContentID] {
        var ids: [ContentID] = []
        ids.reserveCapacity(plaintexts.count)
        for plaintext in plaintexts {
            ids.append(try await write(plaintext, prefix: prefix, compression: compression))
        }
        return ids
    }

    /// One after another: for stores that have nothing better.
    public func read(_ ids: [ContentID]) async throws -> [[UInt8]] {
        var plaintexts: [[UInt8]] = []
        plaintexts.reserveCapacity(ids.count)
        for id in ids { plaintexts.append(try await read(id)) }
        return plaintexts
    }

    /// One after another: for stores that have nothing better.
    public func info(_ ids: [ContentID]) async throws -> [ContentInfo?] {
        var infos: [ContentInfo?] = []
        infos.reserveCapacity(ids.count)
        for id in ids { infos.append(try await info(id)) }
        return infos
    }
}

/// What is wrong with a content, and where it lies.
public struct ContentError: Error, Sendable, CustomStringConvertible {
    public struct Code: Sendable, Hashable {
        private enum Kind: Sendable, Hashable {
            case notFound, damaged, damagedIndex, readOnly, notCommitted, tooSlow, unsupported
        }
        private let kind: Kind

        public static let notFound = Code(kind: .notFound)
        /// Bytes in a pack are missing or do not decrypt.
        public static let damaged = Code(kind: .damaged)
        /// An index blob is missing or does not decrypt.
        public static let damagedIndex = Code(kind: .damagedIndex)
        public static let readOnly = Code(kind: .readOnly)
        /// The index could not be written in time; nothing was published.
        public static let notCommitted = Code(kind: .notCommitted)
        /// The storage answers so slowly that what it says is out of date when it arrives.
        public static let tooSlow = Code(kind: .tooSlow)
        public static let unsupported = Code(kind: .unsupported)
    }

    public let code: Code
    public let content: ContentID?
    /// The blob concerned, as text.
    public let blob: String?
    public let message: String
    public let hint: String?

    public init(
        _ code: Code, content: ContentID? = nil, blob: String? = nil, _ message: String, hint: String? = nil
    ) {
        self.code = code
        self.content = content
        self.blob = blob
        self.message = message
        self.hint = hint
    }

    public var description: String { hint.map { "\(message)\nhint: \($0)" } ?? message }
}
