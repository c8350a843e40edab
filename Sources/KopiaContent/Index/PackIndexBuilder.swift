/// Collects entries and writes them as index blobs. Of several entries of one content only the winner is kept.
///
/// Memory: about 200 bytes an entry.
///
/// Source: kopia `repo/content/index/index_builder.go`, `Builder`; `kopia-format` §4.2–4.4.
public struct PackIndexBuilder: Sendable {
    /// One blob holds this many entries at most.
    public static let shardEntriesMax = 16_000_000

    private var winners: [ContentID: IndexEntry] = [:]

    public init() {}

    public init(_ entries: some Sequence<IndexEntry>) {
        for entry in entries { add(entry) }
    }

    public var count: Int { winners.count }
    public var isEmpty: Bool { winners.isEmpty }

    public mutating func add(_ entry: IndexEntry) {
        if let known = winners[entry.id], !entry.supersedes(known) { return }
        winners[entry.id] = entry
    }

    /// The bytes of one index of all entries.
    ///
    /// - Throws: `IndexError` when there is no entry, or one does not fit the format.
    public func encode(_ version: PackIndex.Version) throws(IndexError) -> [UInt8] {
        try Self.encode(winners.values.sorted { $0.id < $1.id }, version)
    }

    /// The bytes of as many indexes as are needed; empty ones are left out.
    ///
    /// - Parameter entriesMax: a smaller bound for tests.
    /// - Throws: `IndexError` when an entry does not fit the format.
    public func encodeShards(
        _ version: PackIndex.Version, entriesMax: Int = shardEntriesMax
    ) throws(IndexError) -> [[UInt8]] {
        try Self.encodeShards(winners.values.sorted { $0.id < $1.id }, version, entriesMax: entriesMax)
    }

    /// - Parameter sorted: ascending by ID, each ID once.
    static func encodeShards(
        _ sorted: [IndexEntry], _ version: PackIndex.Version, entriesMax: Int = shardEntriesMax
    ) throws(IndexError) -> [[UInt8]] {
        if sorted.isEmpty { return [] }
        if sorted.count <= entriesMax { return [try encode(sorted, version)] }
        let shardCount = (sorted.count + entriesMax - 1) / entriesMax
        var shards: [[IndexEntry]] = Array(repeating: [], count: shardCount)
        for entry in sorted {
            shards[Int(fnv1a(Array(entry.id.description.utf8))) % shardCount].append(entry)
        }
        var encoded: [[UInt8]] = []
        for shard in shards where !shard.isEmpty { encoded.append(try encode(shard, version)) }
        return encoded
    }

    private static func encode(_ sorted: [IndexEntry], _ version: PackIndex.Version) throws(IndexError) -> [UInt8] {
        switch version {
        case .v1: try PackIndex.encodeV1(sorted)
        case .v2: try PackIndex.encodeV2(sorted)
        }
    }

    /// FNV-1a, 32 bits.
    static func fnv1a(_ bytes: [UInt8]) -> UInt32 {
        var hash: UInt32 = 2_166_136_261
        for byte in bytes { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return hash
    }
}
