public import GoFormats
public import KopiaManifest

/// A snapshot manifest: when what was saved, and the root of its tree.
///
/// Source: kopia `snapshot/manifest.go`, `Manifest`.
public struct Snapshot: Sendable, Hashable {
    /// Counters of the upload, as kopia names them.
    public struct Statistics: Sendable, Hashable {
        public var totalSize: Int64 = 0
        public var excludedTotalSize: Int64 = 0
        public var fileCount: Int64 = 0
        public var cachedFiles: Int64 = 0
        public var nonCachedFiles: Int64 = 0
        public var directoryCount: Int64 = 0
        public var excludedFileCount: Int64 = 0
        public var excludedDirectoryCount: Int64 = 0
        public var ignoredErrorCount: Int64 = 0
        public var errorCount: Int64 = 0

        public init() {}
    }

    public let id: ManifestID
    public let source: SnapshotSource
    public let description: String
    public let startTime: Timestamp
    public let endTime: Timestamp
    public let statistics: Statistics
    /// `checkpoint`, `canceled`, `limit reached`; nil for a complete snapshot.
    public let incompleteReason: String?
    public let root: DirectoryEntry
    /// Keys as stored: with the prefix `tag:`.
    public let tags: [String: String]
    /// Sorted. A pinned snapshot is never removed by retention.
    public let pins: [String]

    public init(
        id: ManifestID, source: SnapshotSource, description: String = "", startTime: Timestamp, endTime: Timestamp,
        statistics: Statistics = Statistics(), incompleteReason: String? = nil, root: DirectoryEntry,
        tags: [String: String] = [:], pins: [String] = []
    ) {
        self.id = id
        self.source = source
        self.description = description
        self.startTime = startTime
        self.endTime = endTime
        self.statistics = statistics
        self.incompleteReason = incompleteReason
        self.root = root
        self.tags = tags
        self.pins = pins
    }

    /// Bytes of all files: the root's summary, or the upload's counter where there is none.
    public var totalSize: Int64 { root.summary?.size ?? (statistics.totalSize > 0 ? statistics.totalSize : root.size) }
}

extension Snapshot {
    /// - Throws: `SnapshotError.Code.malformed` naming the member.
    public init(entry: ManifestEntry) throws(SnapshotError) {
        try self.init(id: entry.id, json: entry.payload)
    }

    /// - Throws: `SnapshotError.Code.malformed` naming the member.
    init(id: ManifestID, json: JSONValue) throws(SnapshotError) {
        let reader = try JSONReader(json, of: "snapshot \(id)")
        guard let sourceValue = try reader.value("source") else { throw reader.malformed("'source' is missing") }
        let source = try JSONReader(sourceValue, of: "source of snapshot \(id)")
        guard let rootValue = try reader.value("rootEntry") else { throw reader.malformed("'rootEntry' is missing") }
        var tags: [String: String] = [:]
        for member in try reader.object("tags")?.members ?? [] {
            guard let text = member.value.stringValue else {
                throw reader.malformed("tag '\(member.key)' is no string")
            }
            tags[member.key] = text
        }
        let incomplete = try reader.string("incomplete") ?? ""
        self.init(
            id: id,
            source: SnapshotSource(
                host: try source.string("host") ?? "", userName: try source.string("userName") ?? "",
                path: try source.string("path") ?? ""),
            description: try reader.string("description") ?? "",
            startTime: try reader.timestamp("startTime") ?? .goZero,
            endTime: try reader.timestamp("endTime") ?? .goZero,
            statistics: try Statistics(json: try reader.value("stats") ?? .object(JSONObject())),
            incompleteReason: incomplete.isEmpty ? nil : incomplete,
            root: try DirectoryEntry(json: rootValue), tags: tags, pins: try reader.strings("pins") ?? [])
    }

    /// The payload of the manifest, members in kopia's order.
    ///
    /// - Parameter idText: empty in storage (kopia clears it); the manifest's ID in listings.
    public func json(idText: String) -> JSONValue {
        var object = JSONObject([
            "id": .string(idText),
            "source": [
                "host": .string(source.host), "userName": .string(source.userName), "path": .string(source.path),
            ],
            "description": .string(description), "startTime": .string(startTime.description),
            "endTime": .string(endTime.description), "stats": statistics.json,
        ])
        if let incompleteReason { object["incomplete"] = .string(incompleteReason) }
        object["rootEntry"] = root.json
        if !tags.isEmpty {
            object["tags"] = .object(
                JSONObject(tags.sorted { $0.key < $1.key }.map { .init(key: $0.key, value: .string($0.value)) }))
        }
        if !pins.isEmpty { object["pins"] = .array(Set(pins).sorted().map(JSONValue.string)) }
        return .object(object)
    }

    /// What the manifest is found by. A tag never replaces a built-in label.
    var labels: [String: String] {
        var labels = source.labels
        labels["type"] = "snapshot"
        return labels.merging(tags) { builtIn, _ in builtIn }
    }
}

extension Snapshot.Statistics {
    init(json: JSONValue) throws(SnapshotError) {
        let reader = try JSONReader(json, of: "snapshot statistics")
        for field in Self.fields { self[keyPath: field.path] = try reader.integer(field.key) ?? 0 }
    }

    var json: JSONValue {
        .object(JSONObject(Self.fields.map { .init(key: $0.key, value: .integer(self[keyPath: $0.path])) }))
    }

    private static var fields: [(key: String, path: WritableKeyPath<Self, Int64>)] {
        [
            ("totalSize", \.totalSize), ("excludedTotalSize", \.excludedTotalSize), ("fileCount", \.fileCount),
            ("cachedFiles", \.cachedFiles), ("nonCachedFiles", \.nonCachedFiles), ("dirCount", \.directoryCount),
            ("excludedFileCount", \.excludedFileCount), ("excludedDirCount", \.excludedDirectoryCount),
            ("ignoredErrorCount", \.ignoredErrorCount), ("errorCount", \.errorCount),
        ]
    }
}
