import GoFormats
import KopiaBlob

/// Everything of a `LocalContentStore` that changes, guarded by one lock that is held for look-ups and bookkeeping only:
/// never while hashing, compressing, encrypting, copying contents or waiting for the storage.
///
/// Where an entry lives: `pendingEntries` from the write until its pack is durable, then `unpublished`, during a flush
/// `publishing`, and `committed` once an index blob has it.
struct StoreState: Sendable {
    /// What the index blobs say.
    var committed: MergedIndex
    var loadedIndexBlobs: Set<BlobID> = []
    /// Index blobs that could not be read, where the options allow to go on without them.
    var damagedIndexes: [ContentError] = []
    var deletionWatermark: Int64 = 0
    /// On the monotonic clock; nil before the first load.
    var refreshedAt: Duration?

    var session: WriteSession?
    /// Sessions that are not committed, by ID.
    var sessions: [String: WriteSession] = [:]
    /// Their marker blobs that are in the storage, by session ID.
    var markers: [String: BlobID] = [:]

    /// The packs being filled, by `p` and `q`.
    var filling: [PackKind: PackBuilder] = [:]
    /// Full packs that are not durable yet.
    var full: [BlobID: FullPack] = [:]
    var uploads: [BlobID: Task<Void, Never>] = [:]
    /// Where the bytes of packs go that are handed over while they fill, until the pack is durable.
    var writers: [BlobID: any BlobWriter] = [:]
    var drains: [BlobID: Task<Void, Never>] = [:]
    /// Bytes that encryptions under way will add.
    var reservedBytes = 0
    /// Packs of `full` whose upload failed, with why.
    var failed: [BlobID: any Error] = [:]
    var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    var nextWaiter: UInt64 = 0

    var pendingEntries: [ContentID: IndexEntry] = [:]
    var unpublished: MergedIndex
    var publishing: MergedIndex?
    /// When the last index was written, or the first content since the opening.
    var indexFlushedAt: Duration?
    /// A write is on its way to flush because it is time.
    var isFlushClaimed = false

    var writeEpoch: EpochIndexWrite.Listing?
    var statistics = ContentStatistics()

    init(hashLength: Int) {
        committed = MergedIndex(hashLength: hashLength)
        unpublished = MergedIndex(hashLength: hashLength)
    }

    /// The winning entry, hidden by the watermark or not.
    func entry(_ id: ContentID) -> IndexEntry? {
        var best = pendingEntries[id]
        for found in [unpublished.entry(id), publishing?.entry(id), committed.entry(id)] {
            guard let found else { continue }
            if let known = best, !found.supersedes(known) { continue }
            best = found
        }
        return best
    }

    /// The winning entry unless the watermark hides it.
    func visibleEntry(_ id: ContentID) -> IndexEntry? {
        entry(id).flatMap { $0.isHidden(byWatermark: deletionWatermark) ? nil : $0 }
    }

    /// Where the bytes of a content are whose pack is not durable yet.
    enum PendingBytes: Sendable {
        case here([UInt8])
        case written(any BlobWriter, Range<Int64>)
    }

    /// Nil when the pack is durable, or not ours.
    func pendingBytes(_ entry: IndexEntry) -> PendingBytes? {
        guard let builder = builder(entry.pack) else { return nil }
        if let bytes = builder.encrypted(at: entry.packOffset) { return .here(bytes) }
        guard let writer = writers[entry.pack], let range = builder.range(at: entry.packOffset) else { return nil }
        return .written(writer, Int64(range.lowerBound)..<Int64(range.upperBound))
    }

    func builder(_ pack: BlobID) -> PackBuilder? {
        full[pack]?.builder ?? filling.values.first { $0.id == pack }
    }

    /// Forgets pieces of a pack that its writer took.
    mutating func release(_ count: Int, of pack: BlobID) {
        if full[pack] != nil {
            full[pack]?.builder.release(count)
        } else if let kind = filling.first(where: { $0.value.id == pack })?.key {
            filling[kind]?.release(count)
        }
    }

    /// Bytes of contents that no writer and no finished put has taken yet.
    var packBytesInMemory: Int {
        full.values.reduce(0) { $0 + $1.builder.length - $1.builder.releasedLength }
            + filling.values.reduce(0) { $0 + $1.length - $1.releasedLength }
    }

    /// Takes everybody who waits for something to change; to be resumed outside the lock.
    mutating func takeWaiters() -> [CheckedContinuation<Void, Never>] {
        defer { waiters = [:] }
        return Array(waiters.values)
    }

    /// Moves the entries of a pack that is durable now.
    mutating func packIsDurable(_ id: BlobID) {
        guard let pack = full.removeValue(forKey: id) else { return }
        let entries = pack.entries
        unpublished.add(entries)
        for entry in entries where pendingEntries[entry.id] == entry { pendingEntries[entry.id] = nil }
        failed[id] = nil
        writers[id] = nil
    }
}

/// Which packs a content goes to.
enum PackKind: String, Sendable, Hashable {
    /// File data.
    case data = "p"
    /// Directories, manifests, indirect objects.
    case metadata = "q"

    init(prefix: UInt8) { self = prefix == 0 ? .data : .metadata }
}

/// A pack that takes no more contents.
struct FullPack: Sendable {
    var builder: PackBuilder
    /// Padding, local index and trailer once they were made: a retry puts the very same bytes.
    var tail: [UInt8]?

    var entries: [IndexEntry] { builder.entries }
}
