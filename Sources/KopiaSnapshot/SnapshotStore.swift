public import GoFormats
public import KopiaManifest

/// Snapshot manifests in a manifest store.
///
/// Concurrency and memory: a value; every call reads the manifests anew and holds those it returns.
///
/// Source: kopia `snapshot/manager.go`.
public struct SnapshotStore: Sendable {
    private let manifests: any ManifestStore

    public init(manifests: any ManifestStore) { self.manifests = manifests }

    /// What a listing found, and what it could not read.
    public struct Listing: Sendable {
        /// By source, then start time, then end time: kopia's order.
        public var snapshots: [Snapshot] = []
        /// Manifests that do not parse. kopia skips them silently, and its maintenance then removes their contents.
        public var unreadable: [ManifestID: SnapshotError] = [:]
    }

    /// All snapshots, or those of one source, incomplete ones included.
    public func list(source: SnapshotSource? = nil) async throws -> Listing {
        var labels = source?.labels ?? [:]
        labels["type"] = "snapshot"
        var listing = Listing()
        for entry in try await manifests.find(labels: labels) {
            do throws(SnapshotError) {
                listing.snapshots.append(try Snapshot(id: entry.id, json: entry.payload))
            } catch {
                listing.unreadable[entry.id] = error
            }
        }
        listing.snapshots.sort { left, right in
            if left.source != right.source { return left.source < right.source }
            return (left.startTime, left.endTime, left.id) < (right.startTime, right.endTime, right.id)
        }
        return listing
    }

    /// Nil when there is no manifest of this ID, or it is of another type.
    ///
    /// - Throws: `SnapshotError.Code.malformed`; whatever the store throws.
    public func get(_ id: ManifestID) async throws -> Snapshot? {
        guard let entry = try await manifests.get(id), entry.labels["type"] == "snapshot" else { return nil }
        return try Snapshot(id: id, json: entry.payload)
    }

    /// Stores the snapshot under a new ID; visible after the store's `flush`.
    ///
    /// - Returns: the snapshot with its ID.
    /// - Throws: `SnapshotError.Code.invalid` when kopia would refuse it.
    public func put(_ draft: SnapshotDraft) async throws -> Snapshot {
        try draft.check()
        // The ID is only known afterwards, and stored as "" anyway.
        guard let placeholder = ManifestID("0") else { throw SnapshotError(.invalid, "no placeholder ID") }
        let unnamed = draft.snapshot(id: placeholder)
        let id = try await manifests.put(labels: unnamed.labels, payload: unnamed.json(idText: ""))
        return draft.snapshot(id: id)
    }

    /// The latest complete snapshot of a source, and incomplete ones that are newer: what an upload builds on.
    public func previous(of source: SnapshotSource) async throws -> [Snapshot] {
        let all = try await list(source: source).snapshots
        guard let complete = all.last(where: { $0.incompleteReason == nil }) else {
            return all.filter { $0.incompleteReason != nil }
        }
        return [complete] + all.filter { $0.incompleteReason != nil && $0.startTime > complete.startTime }
    }
}

/// A snapshot before it has an ID.
public struct SnapshotDraft: Sendable {
    public var source: SnapshotSource
    public var description = ""
    public var startTime: Timestamp
    public var endTime: Timestamp
    public var statistics = Snapshot.Statistics()
    public var incompleteReason: String?
    public var root: DirectoryEntry
    /// Without the prefix `tag:`.
    public var tags: [String: String] = [:]
    public var pins: [String] = []

    /// kopia's command line has the same limit.
    public static let descriptionLengthMax = 1024

    public init(source: SnapshotSource, startTime: Timestamp, endTime: Timestamp, root: DirectoryEntry) {
        self.source = source
        self.startTime = startTime
        self.endTime = endTime
        self.root = root
    }

    /// - Throws: `SnapshotError.Code.invalid`.
    public func check() throws(SnapshotError) {
        guard !source.host.isEmpty, !source.userName.isEmpty, !source.path.isEmpty else {
            throw SnapshotError(
                .invalid, "the snapshot source '\(source)' has no user, host or path", hint: "it is user@host:path")
        }
        guard description.unicodeScalars.count <= Self.descriptionLengthMax else {
            throw SnapshotError(
                .invalid,
                "the description has \(description.unicodeScalars.count) characters, the limit is \(Self.descriptionLengthMax)"
            )
        }
        guard tags[""] == nil else {
            throw SnapshotError(.invalid, "a tag has an empty key", hint: "a tag is key:value")
        }
    }

    func snapshot(id: ManifestID) -> Snapshot {
        Snapshot(
            id: id, source: source, description: description, startTime: startTime, endTime: endTime,
            statistics: statistics, incompleteReason: incompleteReason, root: root,
            tags: Dictionary(uniqueKeysWithValues: tags.map { ("tag:" + $0.key, $0.value) }),
            pins: Set(pins).sorted())
    }
}
