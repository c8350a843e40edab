import GoFormats
public import KopiaBlob
public import KopiaFormat
import Synchronization

/// Contents in packs of a blob storage, as kopia keeps them.
///
/// Writing: a content is hashed, looked up, compressed and encrypted by the task that calls `write`, on any core and
/// outside any lock; its bytes are then put into the open pack, which costs bookkeeping only. A full pack is uploaded in
/// the background while the next one fills. `flush` waits for all packs, writes one index blob that names their contents
/// and so publishes everything written before it, looks that the storage lists it, and removes the session marker.
///
/// ```
/// session marker → packs → index blob → (marker removed)
/// ```
///
/// An error or a cancellation before the index blob publishes nothing; the packs are garbage that maintenance collects.
///
/// Concurrency: all methods may be called from any number of tasks; flushes and refreshes are serialised.
///
/// Memory:
/// - index: 41 bytes a content (`MergedIndex`), a 64th more while entries are published, twice as much while it is loaded again
///   after a compaction; up to 65,536 entries that are not published yet and those of packs
///   on their way, whose index is there twice, plain and encrypted, for the moment in which it is written: 72 bytes an entry, 5 MB;
/// - packs, where the storage takes blobs in parts (a folder): 1/5 of `maxPackSize`, or 1/15 and the longest content, more when
///   nothing is under way that could make room; 1 MiB in each writer, of which there are `packsInFlightMax` + 2;
/// - packs elsewhere: `packsInFlightMax` × `maxPackSize` bytes and one content for each `write` under way: `write` suspends while
///   packs that wait for the storage and packs being filled hold that much, or so many packs wait; calls that were under
///   way before still add their contents. Services of storage take a pack as its pieces (`BlobStorage.put(_:pieces:retention:)`);
/// - each running `write`: its plaintext, compressed and encrypted form.
///
/// Source: kopia `repo/content/content_manager.go`; `kopia-format` §3, §4, §7.
public final class LocalContentStore: ContentStore {
    public struct Options: Sendable {
        /// Nothing is ever written.
        public var isReadOnly: Bool
        /// Identity in session markers.
        public var username: String
        public var hostname: String
        /// Packs in memory, full ones that wait for the storage and the one being filled; 2 let the storage work while
        /// the next pack fills, more hide the latency of a slow one.
        public var packsInFlightMax: Int
        /// Opens with the index blobs that can be read and keeps what is wrong with the others in `damagedIndexes`.
        /// For verifying, and for recovering indexes: what they named looks absent, and would be stored again.
        public var skipsDamagedIndexes: Bool
        public var environment: ContentEnvironment
        /// Replaces the repository's pack size, so that tests fill packs with little.
        package var packSize: Int?

        public init(
            isReadOnly: Bool = false, username: String = "nobody", hostname: String = "nohost",
            packsInFlightMax: Int = 2, skipsDamagedIndexes: Bool = false, environment: ContentEnvironment = .system
        ) {
            self.isReadOnly = isReadOnly
            self.username = username
            self.hostname = hostname
            self.packsInFlightMax = max(1, packsInFlightMax)
            self.skipsDamagedIndexes = skipsDamagedIndexes
            self.environment = environment
        }
    }

    /// Index entries are written at the latest this long after the previous time.
    static let indexFlushInterval = Duration.seconds(600)
    /// … or once so many have gathered: writing an index takes twice its bytes for a moment, some 72 an entry.
    static let unpublishedEntriesMax = 65_536
    /// Indexes older than this are loaded again before they are relied on for deduplication.
    static let indexRefreshInterval = Duration.seconds(900)
    /// A content that is missing right after a refresh is missing.
    static let refreshOnMissInterval = Duration.seconds(5)

    struct HeldFormat: Sendable {
        var format: RepositoryFormat
        var readAt: Duration
    }

    let storage: any BlobStorage
    let crypto: ContentCrypto
    let options: Options
    let state: Mutex<StoreState>
    let heldFormat: Mutex<HeldFormat>
    let flushGate = AsyncGate(permits: 1)
    let indexGate = AsyncGate(permits: 1)
    let markerGate = AsyncGate(permits: 1)

    public let defaultSplitter: String

    private init(
        _ storage: any BlobStorage, _ format: RepositoryFormat, _ options: Options
    ) throws(FormatError) {
        self.storage = storage
        self.options = options
        crypto = try format.makeCrypto()
        defaultSplitter = format.parameters.splitter
        state = Mutex(StoreState(hashLength: crypto.hashLength))
        heldFormat = Mutex(HeldFormat(format: format, readAt: options.environment.uptime()))
    }

    /// Loads the indexes of the repository.
    ///
    /// - Parameter format: just opened; it is read again every 15 minutes.
    /// - Throws: `ContentError.Code.damagedIndex` naming the blob, its size and its time; `BlobError`; `FormatError`;
    ///   `CancellationError`.
    public static func open(
        _ storage: any BlobStorage, format: RepositoryFormat, options: Options = Options()
    ) async throws -> LocalContentStore {
        let store = try LocalContentStore(storage, format, options)
        try await store.refresh()
        return store
    }

    /// Stops uploads that are under way and waits for their end. What was not flushed is not published. The store must
    /// not be written to afterwards.
    public func close() async {
        let tasks = state.withLock { Array($0.uploads.values) + Array($0.drains.values) }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
        let writers = state.withLock { state in
            defer { state.writers = [:] }
            return Array(state.writers.values)
        }
        for writer in writers { await writer.discard() }
    }

    public var supportsContentCompression: Bool { format.parameters.indexVersion >= 2 }

    public var statistics: ContentStatistics { get async { state.withLock { $0.statistics } } }

    /// Index blobs that could not be read; empty unless `Options.skipsDamagedIndexes`.
    public var damagedIndexes: [ContentError] { state.withLock { $0.damagedIndexes } }

    // MARK: The format

    var format: RepositoryFormat { heldFormat.withLock { $0.format } }
    var environment: ContentEnvironment { options.environment }

    /// The format, read again when it is older than 15 minutes; stops everything while somebody upgrades the repository.
    ///
    /// - Throws: `FormatError.Code.upgradeInProgress` and as `RepositoryFormat.refresh`.
    func checkedFormat() async throws -> RepositoryFormat {
        let now = environment.uptime()
        let maximum = Duration.seconds(RepositoryFormat.cacheSecondsMax)
        let (held, isDue) = heldFormat.withLock { held -> (RepositoryFormat, Bool) in
            guard now - held.readAt >= maximum else { return (held.format, false) }
            // Claimed here so that of many tasks one reads it.
            held.readAt = now
            return (held.format, true)
        }
        if !isDue {
            try Self.check(held, now: environment.now())
            return held
        }
        do {
            let fresh = try await held.refresh(storage, now: environment.now())
            heldFormat.withLock { $0.format = fresh }
            return fresh
        } catch {
            // The next call tries again; nobody goes on with what is out of date.
            heldFormat.withLock { $0.readAt = now - maximum }
            throw error
        }
    }

    private static func check(_ format: RepositoryFormat, now: Timestamp) throws {
        guard let lock = format.parameters.upgradeLock, lock.isLocked(at: now) else { return }
        throw FormatError(
            .upgradeInProgress, "'\(lock.ownerID)' is upgrading the repository since \(lock.creationTime)",
            hint: "wait until the upgrade is done, then run this again")
    }

    func requireWritable() throws(ContentError) {
        guard !options.isReadOnly else {
            throw ContentError(.readOnly, "the repository in \(storage.displayName) is open for reading only")
        }
    }
}
