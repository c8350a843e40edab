/// Writes entries as index blobs. Of several entries of one content only the winner is kept.
///
/// Memory: the entries, shared with whoever gave them; while they are encoded another array of them, and a packed table (`MergedIndex`).
///
/// Source: as of `IndexEncoder`.
public struct PackIndexBuilder: Sendable {
    /// One blob holds this many entries at most.
    public static let shardEntriesMax = 16_000_000

    private let entries: [IndexEntry]

    /// - Parameter entries: in any order.
    public init(_ entries: some Sequence<IndexEntry>) { self.entries = Array(entries) }

    /// The bytes of one index of all entries.
    ///
    /// - Throws: `IndexError` when there is no entry, or one does not fit the format.
    public func encode(_ version: PackIndex.Version) throws(IndexError) -> [UInt8] {
        try IndexEncoder(try table()).encode(version)
    }

    /// The bytes of as many indexes as are needed; empty ones are left out.
    ///
    /// - Parameter entriesMax: a smaller bound for tests.
    /// - Throws: `IndexError` when an entry does not fit the format.
    public func encodeShards(
        _ version: PackIndex.Version, entriesMax: Int = shardEntriesMax
    ) throws(IndexError) -> [[UInt8]] {
        try IndexEncoder.encode(try table(), version, entriesMax: entriesMax)
    }

    /// - Throws: `IndexError` for an entry that a table would not keep as it is.
    private func table() throws(IndexError) -> MergedIndex {
        let hashLength = entries.first?.id.hash.count ?? 16
        for entry in entries {
            guard entry.id.hash.count == hashLength, (1...254).contains(hashLength) else {
                throw IndexError(
                    "content \(entry.id) has a hash of \(entry.id.hash.count) bytes among hashes of \(hashLength) bytes"
                )
            }
            guard entry.packOffset < PackIndex.packOffsetEnd else {
                throw PackIndex.offsetError("\(entry.id)", entry.packOffset)
            }
            guard entry.timestampSeconds >= 0, entry.timestampSeconds < 1 << 48 else {
                throw IndexError(
                    "content \(entry.id) has timestamp \(entry.timestampSeconds), which needs more than 48 bits")
            }
        }
        var table = MergedIndex(hashLength: hashLength)
        table.add(entries)
        guard table.invalidEntryCount == 0 else {
            throw IndexError("the entries name more packs or formats than an index can hold")
        }
        return table
    }

    /// FNV-1a, 32 bits.
    static func fnv1a(_ bytes: [UInt8]) -> UInt32 {
        var hash: UInt32 = 2_166_136_261
        for byte in bytes { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return hash
    }
}
