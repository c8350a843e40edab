public import GoFormats
public import KopiaContent
import Synchronization

/// Manifests in contents with prefix `m`. Everything put or deleted since the last `flush` goes into one content; of
/// several states of a manifest the one with the newest `modified` counts.
///
/// It never compacts, which kopia's clients do from 16 such contents on: two clients that compact from different views
/// bring deleted manifests back, and a client that only adds cannot do harm.
///
/// Concurrency and memory: all calls may run concurrently. Loads on the first call that needs it and then holds all
/// manifests; later calls read only contents that are new.
///
/// Throws: `ManifestError`, what the content store throws, `CancellationError`.
///
/// Source: kopia `repo/manifest/committed_manifest_manager.go`, `manifest_manager.go`.
public final class ContentManifestStore: ManifestStore {
    private struct State {
        /// Not flushed yet.
        var pending: [ManifestID: ManifestRecord] = [:]
        /// Those of them that a flush which failed may have written: a later one of the content store may publish them.
        var attempted: Set<ManifestID> = []
        var loaded = LoadedManifests()
    }

    private let contents: any ContentStore
    private let clock: @Sendable () -> Timestamp
    private let makeID: @Sendable () -> ManifestID?
    private let state = Mutex(State())

    /// `zstd-fastest`: what kopia asks for; gzip seldom gets smaller by it.
    private static let compression: UInt32 = 0x1101
    /// Times that contents may vanish while they are read before it is called damage.
    private static let attemptsMax = 10

    /// - Parameters:
    ///   - clock: gives `modified`.
    ///   - makeID: nil takes 16 random bytes.
    public init(
        contents: any ContentStore, clock: @escaping @Sendable () -> Timestamp = Timestamp.now,
        makeID: (@Sendable () -> ManifestID?)? = nil
    ) {
        self.contents = contents
        self.clock = clock
        self.makeID = makeID ?? Self.randomID
    }

    public func put(labels: [String: String], payload: JSONValue) async throws -> ManifestID {
        guard labels["type"]?.isEmpty == false else {
            throw ManifestError(.invalid, "a manifest needs the label 'type'")
        }
        guard let id = makeID() else { throw ManifestError(.invalid, "the new ID of a manifest is not one") }
        let record = ManifestRecord(
            id: id, modified: clock(), document: .init(labels: labels, payload: payload))
        state.withLock { $0.pending[id] = record }
        return id
    }

    public func get(_ id: ManifestID) async throws -> ManifestEntry? {
        let loaded = try await load()
        let pending = state.withLock { $0.pending[id] }
        return (pending ?? loaded.records[id]).flatMap(Self.entry)
    }

    public func find(labels: [String: String]) async throws -> [ManifestEntry] {
        let loaded = try await load()
        let pending = state.withLock { $0.pending }
        // Labels first: most manifests are another type's or another source's.
        let stored = loaded.records.values.lazy.filter { Self.matches($0, labels) && pending[$0.id] == nil }
        let new = pending.values.lazy.filter { Self.matches($0, labels) }
        return (Array(stored) + Array(new)).compactMap(Self.entry)
            .sorted { ($0.modified, $0.id) < ($1.modified, $1.id) }
    }

    private static func matches(_ record: ManifestRecord, _ labels: [String: String]) -> Bool {
        guard let own = record.document?.labels else { return false }
        return labels.allSatisfy { own[$0.key] == $0.value }
    }

    public func delete(_ id: ManifestID) async throws {
        let now = clock()
        // First without a look at the storage: whoever gives up what was not flushed may have been cancelled.
        state.withLock { state in
            guard let pending = state.pending.removeValue(forKey: id), state.attempted.contains(id) else { return }
            state.pending[id] = Self.tombstone(of: pending, now)
        }
        guard let stored = try await load().records[id], stored.document != nil else { return }
        state.withLock { $0.pending[id] = Self.tombstone(of: stored, now) }
    }

    /// Later than what it deletes, whatever the clocks of the two writers say.
    private static func tombstone(of record: ManifestRecord, _ now: Timestamp) -> ManifestRecord {
        let modified = record.modified
        let after = Timestamp(seconds: modified.seconds, nanoseconds: Int64(modified.nanoseconds) + 1)
        return ManifestRecord(id: record.id, modified: max(now, after), document: nil)
    }

    public func flush() async throws {
        let pending = state.withLock { state in
            state.attempted.formUnion(state.pending.keys)
            return state.pending
        }
        if !pending.isEmpty {
            let records = pending.values.sorted { ($0.modified, $0.id) < ($1.modified, $1.id) }
            _ = try await contents.write(
                try ManifestContainer.encode(records), prefix: ManifestContainer.contentPrefix,
                compression: Self.compression)
        }
        try await contents.flush()
        // Only now: had it failed, the next flush would write them again.
        state.withLock { state in
            for (id, record) in pending where state.pending[id] == record {
                state.pending[id] = nil
                state.attempted.remove(id)
            }
        }
    }

    private func load() async throws -> LoadedManifests {
        var attempt = 1
        while true {
            let infos = try await contents.list(prefix: ManifestContainer.contentPrefix)
            let known = state.withLock { $0.loaded }
            do {
                let loaded = try await known.updated(to: infos, from: contents)
                state.withLock { $0.loaded = loaded }
                return loaded
            } catch let error as ContentError where error.code == .notFound && attempt < Self.attemptsMax {
                // Somebody compacted: look again.
                attempt += 1
                try await contents.refresh()
            }
        }
    }

    /// What can be read of the manifests, and what is wrong with the contents that cannot: for verifying. Everything else
    /// stops at the first.
    public func findReadable(
        labels: [String: String]
    ) async throws -> (entries: [ManifestEntry], problems: [ContentID: any Error]) {
        var records = LoadedManifests()
        var problems: [ContentID: any Error] = [:]
        for info in try await contents.list(prefix: ManifestContainer.contentPrefix).sorted(by: { $0.id < $1.id }) {
            do {
                records = try await records.adding(info.id, from: contents)
            } catch let error as CancellationError {
                throw error
            } catch {
                problems[info.id] = error
            }
        }
        let entries = records.records.values.compactMap(Self.entry)
            .filter { entry in labels.allSatisfy { entry.labels[$0.key] == $0.value } }
            .sorted { ($0.modified, $0.id) < ($1.modified, $1.id) }
        return (entries, problems)
    }

    private static func entry(_ record: ManifestRecord) -> ManifestEntry? {
        record.document.map {
            ManifestEntry(id: record.id, labels: $0.labels, modified: record.modified, payload: $0.payload)
        }
    }

    private static func randomID() -> ManifestID? {
        var random = SystemRandomNumberGenerator()
        let digits = (0..<2).map { _ in
            let hex = String(random.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - hex.count) + hex
        }
        return ManifestID(digits.joined())
    }
}

/// The newest state of each manifest, merged from a set of contents.
private struct LoadedManifests: Sendable {
    private(set) var records: [ManifestID: ManifestRecord] = [:]
    private var contents: Set<ContentID> = []

    /// Bytes of manifest contents read in one call.
    private static let batchLength: Int64 = 16 << 20

    /// - Parameter infos: the manifest contents that there are now.
    func updated(to infos: [ContentInfo], from store: any ContentStore) async throws -> LoadedManifests {
        var result = self
        // Where contents are gone somebody compacted, and a manifest may be gone with them: start anew.
        if !contents.isSubset(of: infos.lazy.map(\.id)) { result = LoadedManifests() }
        var missing = infos.filter { !result.contents.contains($0.id) }.sorted { $0.id < $1.id }[...]
        while let first = missing.popFirst() {
            var batch = [first.id]
            var length = first.originalLength
            while let next = missing.first, length + next.originalLength <= Self.batchLength {
                batch.append(next.id)
                length += next.originalLength
                missing.removeFirst()
            }
            for records in try await Self.decode(batch, try await store.read(batch)) {
                for record in records { result.add(record) }
            }
            result.contents.formUnion(batch)
        }
        return result
    }

    /// Contents that one task decodes: a backup leaves one of about 1 KB.
    private static let decodedAtOnce = 256

    /// Decodes on all cores.
    ///
    /// - Returns: in the order of `ids`.
    @concurrent private static func decode(_ ids: [ContentID], _ plaintexts: [[UInt8]]) async throws
        -> [[ManifestRecord]]
    {
        try await withThrowingTaskGroup(of: (Int, [ManifestRecord]).self) { group in
            var parts: [[ManifestRecord]] = []
            for start in stride(from: 0, to: min(ids.count, plaintexts.count), by: decodedAtOnce) {
                let positions = start..<min(start + decodedAtOnce, ids.count, plaintexts.count)
                let number = parts.count
                parts.append([])
                group.addTask {
                    (number, try positions.flatMap { try ManifestContainer.decode(plaintexts[$0], of: ids[$0]) })
                }
            }
            for try await (number, records) in group { parts[number] = records }
            return parts
        }
    }

    func adding(_ id: ContentID, from store: any ContentStore) async throws -> LoadedManifests {
        var result = self
        for record in try ManifestContainer.decode(try await store.read(id), of: id) { result.add(record) }
        result.contents.insert(id)
        return result
    }

    /// On a tie the first stays; contents are added in the order of their IDs.
    private mutating func add(_ record: ManifestRecord) {
        if let known = records[record.id], known.modified >= record.modified { return }
        records[record.id] = record
    }
}
