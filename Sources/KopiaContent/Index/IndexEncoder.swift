import KopiaBlob

/// Writes the entries of a table as index blobs, straight from their packed form: no `IndexEntry` is made.
///
/// Memory: the bytes of the index (33 … 36 an entry with 128-bit hashes, 52 at most, and the names of its packs), and at most
/// 12 for each pack the table knows; nothing is grown by doubling. A test holds it to that.
///
/// Source: kopia `repo/content/index/index_builder.go`, `Builder`, `shardedEntries`; `kopia-format` §4.2–4.4.
struct IndexEncoder {
    private static let unnumbered = UInt32.max

    let table: MergedIndex
    private let shard: (number: Int, count: Int)
    /// Of the table's packs and formats in order of their first appearance.
    private(set) var packs: [UInt32] = []
    private(set) var formats: [UInt32] = []
    /// The place of a pack or format among these, by its number in the table.
    private(set) var packPlaces: [UInt32]
    private(set) var formatPlaces: [UInt32]
    private(set) var count = 0
    /// Bytes of the longest content, packed or not.
    private(set) var longest: UInt32 = 0

    /// The bytes of as many indexes as are needed; empty ones are left out.
    ///
    /// - Parameter entriesMax: a smaller bound for tests.
    /// - Throws: `IndexError` when an entry does not fit the format.
    static func encode(
        _ table: MergedIndex, _ version: PackIndex.Version, entriesMax: Int = PackIndexBuilder.shardEntriesMax
    ) throws(IndexError) -> [[UInt8]] {
        let whole = IndexEncoder(table)
        guard whole.count > entriesMax else { return whole.count == 0 ? [] : [try whole.encode(version)] }
        let shardCount = (whole.count + entriesMax - 1) / entriesMax
        var encoded: [[UInt8]] = []
        for number in 0..<shardCount {
            let shard = IndexEncoder(table, shard: (number, shardCount))
            if shard.count > 0 { encoded.append(try shard.encode(version)) }
        }
        return encoded
    }

    /// Goes through the table once, for what the header needs.
    ///
    /// - Parameter shard: which of how many; contents are spread over them by their ID.
    init(_ table: MergedIndex, shard: (number: Int, count: Int) = (0, 1)) {
        self.table = table
        self.shard = shard
        packPlaces = Array(repeating: Self.unnumbered, count: table.packs.count)
        formatPlaces = Array(repeating: Self.unnumbered, count: table.formats.count)
        packs.reserveCapacity(table.packs.count)
        var entries = table.winners()
        while let (key, value) = entries.next() {
            guard isHere(key) else { continue }
            count += 1
            longest = max(longest, value.packedLength, value.originalLength)
            Self.place(value.pack, in: &packPlaces, &packs)
            Self.place(UInt32(value.format), in: &formatPlaces, &formats)
        }
    }

    private static func place(_ number: UInt32, in places: inout [UInt32], _ order: inout [UInt32]) {
        guard places[Int(number)] == unnumbered else { return }
        places[Int(number)] = UInt32(order.count)
        order.append(number)
    }

    private func isHere(_ key: ArraySlice<UInt8>) -> Bool {
        guard shard.count > 1 else { return true }
        guard let id = ContentID(key: key) else { return false }
        return Int(PackIndexBuilder.fnv1a(Array(id.description.utf8))) % shard.count == shard.number
    }

    var keySize: Int { table.keySize }

    /// - Throws: `IndexError` when keys and entries of this size are beyond what a reader takes.
    func checkSizes(entrySize: Int) throws(IndexError) {
        guard keySize + entrySize <= 256 else {
            throw IndexError("hashes of \(keySize - 1) bytes are too long for an index: entries have 256 bytes at most")
        }
    }

    /// Bytes of the names of the packs.
    var namesLength: Int { packs.reduce(0) { $0 + table.packs.bytes($1).count } }
    /// Bytes held beside the table and the result.
    var memoryFootprint: Int {
        4 * (packs.capacity + packPlaces.capacity + formats.capacity + formatPlaces.capacity)
    }

    /// The bytes of one index of all entries.
    ///
    /// - Throws: `IndexError` when there is no entry, or one does not fit the format.
    func encode(_ version: PackIndex.Version) throws(IndexError) -> [UInt8] {
        guard count > 0 else { throw IndexError("an index without entries is not written") }
        for number in packs where table.packs.bytes(number).count > 255 {
            throw IndexError(
                "pack name \(String(decoding: table.packs.bytes(number), as: UTF8.self)) has more than 255 bytes")
        }
        return switch version {
        case .v1: try encodeV1()
        case .v2: try encodeV2()
        }
    }

    /// Calls `body` for each entry of this index in its order.
    func forEach(
        _ body: (_ key: ArraySlice<UInt8>, IndexSegment.Value) throws(IndexError) -> Void
    ) throws(IndexError) {
        var entries = table.winners()
        while let (key, value) = entries.next() {
            guard isHere(key) else { continue }
            guard value.packOffset < PackIndex.packOffsetEnd else {
                throw PackIndex.offsetError(Self.name(key), value.packOffset)
            }
            let keyID = format(of: value).encryptionKeyID
            guard keyID == 0 else {
                throw IndexError("content \(Self.name(key)) has encryption key \(keyID), only 0 exists")
            }
            try body(key, value)
        }
    }

    func format(of value: IndexSegment.Value) -> PackIndex.ContentFormat { table.formats[Int(value.format)] }

    /// A content for messages.
    static func name(_ key: ArraySlice<UInt8>) -> String { ContentID(key: key)?.description ?? "with an invalid ID" }
}
