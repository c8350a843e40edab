import KopiaBlob

/// All index blobs of a repository as one table: for each content the entry that wins.
///
/// The table lies in 64 parts, by the first bits of the hash. Each part is a stack of sorted segments, each at least twice as
/// large as the next: adding an index blob merges only what has grown to its size, so loading n entries from any number of
/// blobs costs n log n, and adding a small index to a large table costs next to nothing. A look-up is a binary search in each
/// segment of one part.
///
/// Concurrency and memory: a value. With 128-bit hashes 41 bytes an entry (57 with 256-bit ones) and 67 … 75 a pack of kopia's name length; at
/// most the superseded duplicates of the smaller segments on top. While segments are merged, both and the result exist, of one
/// part: a 64th of the table. A copy shares what does not change. A test holds one million contents, five a pack, to 64 bytes each.
///
/// Source: rules of `kopia-format` §4.5.
public struct MergedIndex: Sendable {
    /// Numbers of the parts, for `add(_:part:)`.
    static let parts = 0..<64
    /// Names of packs that a pass over the table keeps, so that entries share them.
    private static let sharedNamesMax = 1024

    /// 1 + length of the repository's hash.
    public let keySize: Int
    private(set) var packs = PackNameTable()
    private(set) var formats: [PackIndex.ContentFormat] = []
    /// By part, the largest segment first.
    private(set) var stacks: [[IndexSegment]] = Array(repeating: [], count: parts.count)
    /// Entries that could not be used: bad keys, packs or formats their index does not have. They count as absent.
    public private(set) var invalidEntryCount = 0
    /// Entries held; contents named by several segments count several times.
    public private(set) var entryCount = 0

    /// - Parameter hashLength: 16 … 32 bytes.
    public init(hashLength: Int) { keySize = hashLength + 1 }

    /// Bytes held for the entries and names.
    public var memoryFootprint: Int {
        stacks.joined().reduce(packs.memoryFootprint) { $0 + $1.records.capacity + IndexSegment.overhead }
    }

    /// Gives back spare room; for when much has been added.
    public mutating func trim() {
        packs.trim()
        for part in Self.parts {
            for position in stacks[part].indices { stacks[part][position].trim() }
        }
    }

    public mutating func add(_ index: PackIndex) {
        guard index.count > 0 else { return }
        guard index.keySize == keySize else {
            invalidEntryCount += index.count
            return
        }
        var packNumbers: [UInt64: UInt32] = [:]
        var formatNumbers: [UInt8: UInt16] = [:]
        var segments = segments(
            forHashesStartingWith: (0..<index.count).lazy.map { position in
                index.bytes[index.keyRange(at: position).lowerBound + 1]
            })
        for position in 0..<index.count {
            let raw = index.rawEntry(at: position)
            let keyRange = index.keyRange(at: position)
            let prefix = index.bytes[keyRange.lowerBound]
            if packNumbers[raw.packReference] == nil, let pack = index.pack(raw.packReference) {
                packNumbers[raw.packReference] = packs.number(of: pack)
            }
            if formatNumbers[raw.formatReference] == nil, let format = index.format(raw.formatReference) {
                formatNumbers[raw.formatReference] = number(of: format)
            }
            guard let pack = packNumbers[raw.packReference], let format = formatNumbers[raw.formatReference],
                ContentID.isValidPrefix(prefix)
            else {
                invalidEntryCount += 1
                continue
            }
            segments[Self.part(index.bytes[keyRange.lowerBound + 1])].append(
                key: index.bytes[keyRange],
                IndexSegment.Value(
                    timestampSeconds: raw.timestampSeconds, isDeleted: raw.isDeleted, packOffset: raw.packOffset,
                    packedLength: raw.packedLength, originalLength: raw.originalLength, pack: pack, format: format))
        }
        push(&segments)
    }

    /// - Parameter entries: in any order.
    public mutating func add(_ entries: some Collection<IndexEntry>) {
        var segments = segments(forHashesStartingWith: entries.lazy.map { $0.id.hash.first ?? 0 })
        for entry in entries.sorted(by: { $0.id < $1.id }) {
            let format = PackIndex.ContentFormat(
                compression: entry.compression, formatVersion: entry.formatVersion,
                encryptionKeyID: entry.encryptionKeyID)
            guard entry.id.hash.count + 1 == keySize, let pack = packs.number(of: entry.pack),
                let format = number(of: format)
            else {
                invalidEntryCount += 1
                continue
            }
            segments[Self.part(entry.id.hash[0])].append(
                key: entry.id.key,
                IndexSegment.Value(
                    timestampSeconds: entry.timestampSeconds, isDeleted: entry.isDeleted, packOffset: entry.packOffset,
                    packedLength: entry.packedLength, originalLength: entry.originalLength, pack: pack, format: format))
        }
        push(&segments)
    }

    /// Adds one part of another table of the same hash length. Adding all parts one by one, and letting go of the table before
    /// in between, never needs more than a part twice.
    ///
    /// - Parameter part: one of `parts`.
    mutating func add(_ other: MergedIndex, part: Int) {
        guard var source = other.stacks[part].last else { return }
        for segment in other.stacks[part].dropLast().reversed() { source = other.merged(segment, source) }
        var packNumbers: [UInt32: UInt32] = [:]
        var segment = IndexSegment(keySize: keySize, capacity: source.count)
        for position in 0..<source.count {
            var value = source.value(position)
            if packNumbers[value.pack] == nil, let pack = other.pack(value.pack) {
                packNumbers[value.pack] = packs.number(of: pack)
            }
            guard let pack = packNumbers[value.pack], let format = number(of: other.formats[Int(value.format)]) else {
                invalidEntryCount += 1
                continue
            }
            (value.pack, value.format) = (pack, format)
            segment.append(key: source.key(position), value)
        }
        push(segment, to: part)
    }

    /// The winning entry, hidden by a watermark or not.
    public func entry(_ id: ContentID) -> IndexEntry? {
        guard id.hash.count + 1 == keySize else { return nil }
        let key = id.key
        var best: IndexSegment.Value?
        for segment in stacks[Self.part(key[1])] {
            guard let position = segment.find(key) else { continue }
            let value = segment.value(position)
            if best.map({ supersedes(value, $0) }) ?? true { best = value }
        }
        return best.flatMap { entry(id: id, $0, pack($0.pack)) }
    }

    /// The winning entries in ID order, one at a time.
    ///
    /// - Parameter prefix: only contents with this prefix byte; nil for all.
    public func forEach(prefix: UInt8? = nil, _ body: (IndexEntry) throws -> Void) rethrows {
        var names: [UInt32: BlobID] = [:]
        func named(_ number: UInt32) -> BlobID? {
            if let known = names[number] { return known }
            let name = pack(number)
            if names.count < Self.sharedNamesMax { names[number] = name }
            return name
        }
        var winners = winners(prefix: prefix)
        while let (key, value) = winners.next() {
            if let id = ContentID(key: key), let found = entry(id: id, value, named(value.pack)) { try body(found) }
        }
    }

    /// The winning entries in ID order as they are kept; packs and formats are numbers of this table.
    func winners(prefix: UInt8? = nil) -> Winners { Winners(self, prefix: prefix) }

    struct Winners {
        private let table: MergedIndex
        private let wanted: UInt8?
        private var cursors: [Cursor]
        /// A part has all prefixes, so that each prefix goes through all parts.
        private var prefix: UInt8?
        private var part = 0

        init(_ table: MergedIndex, prefix: UInt8?) {
            self.table = table
            wanted = prefix
            cursors = table.stacks.map { Cursor($0, from: prefix ?? 0) }
            self.prefix = lowestPrefix
        }

        private var lowestPrefix: UInt8? { cursors.compactMap(\.prefix).min() }

        mutating func next() -> (key: ArraySlice<UInt8>, value: IndexSegment.Value)? {
            while let prefix, wanted == nil || prefix == wanted {
                while part < cursors.count {
                    if cursors[part].prefix == prefix { return cursors[part].next(table.supersedes) }
                    part += 1
                }
                part = 0
                self.prefix = lowestPrefix
            }
            return nil
        }
    }

    /// Goes through the segments of a part together.
    private struct Cursor {
        private let segments: [IndexSegment]
        private var positions: [Int]
        /// The segment with the lowest key; nil at the end.
        private var lowest: Int?

        init(_ segments: [IndexSegment], from prefix: UInt8) {
            self.segments = segments
            positions = segments.map { prefix == 0 ? 0 : $0.lowerBound([prefix]) }
            findLowest()
        }

        /// Of the next content.
        var prefix: UInt8? { lowest.map { segments[$0].prefix(positions[$0]) } }

        /// The next key with the value that wins.
        mutating func next(
            _ supersedes: (IndexSegment.Value, IndexSegment.Value) -> Bool
        ) -> (key: ArraySlice<UInt8>, value: IndexSegment.Value)? {
            guard let lowest else { return nil }
            let key = segments[lowest].key(positions[lowest])
            var best = segments[lowest].value(positions[lowest])
            for number in segments.indices where positions[number] < segments[number].count {
                guard segments[number].key(positions[number]).elementsEqual(key) else { continue }
                if number != lowest {
                    let value = segments[number].value(positions[number])
                    if supersedes(value, best) { best = value }
                }
                positions[number] += 1
            }
            findLowest()
            return (key, best)
        }

        private mutating func findLowest() {
            lowest = nil
            for number in segments.indices where positions[number] < segments[number].count {
                if let known = lowest,
                    IndexSegment.order(segments[number], positions[number], segments[known], positions[known]) >= 0
                {
                    continue
                }
                lowest = number
            }
        }
    }

    /// Whether any entry, winning or not, names the pack.
    func namesPack(_ pack: BlobID) -> Bool { packs.contains(pack) }

    private func entry(id: ContentID, _ value: IndexSegment.Value, _ pack: BlobID?) -> IndexEntry? {
        guard let pack else { return nil }
        let format = formats[Int(value.format)]
        return IndexEntry(
            id: id, pack: pack, packOffset: value.packOffset, packedLength: value.packedLength,
            originalLength: value.originalLength, timestampSeconds: value.timestampSeconds, isDeleted: value.isDeleted,
            formatVersion: format.formatVersion, compression: format.compression,
            encryptionKeyID: format.encryptionKeyID)
    }

    private func pack(_ number: UInt32) -> BlobID? { BlobID(String(decoding: packs.bytes(number), as: UTF8.self)) }

    private mutating func number(of format: PackIndex.ContentFormat) -> UInt16? {
        if let known = formats.firstIndex(of: format) { return UInt16(exactly: known) }
        guard let number = UInt16(exactly: formats.count) else { return nil }
        formats.append(format)
        return number
    }

    private func supersedes(_ value: IndexSegment.Value, _ other: IndexSegment.Value) -> Bool {
        if value.timestampSeconds != other.timestampSeconds { return value.timestampSeconds > other.timestampSeconds }
        if value.isDeleted != other.isDeleted { return !value.isDeleted }
        return packs.bytes(other.pack).lexicographicallyPrecedes(packs.bytes(value.pack))
    }

    /// The part by the first byte of a hash.
    private static func part(_ byte: UInt8) -> Int { Int(byte) * parts.count >> 8 }

    /// Empty segments, by part, with room for these entries and no more.
    private func segments(forHashesStartingWith bytes: some Sequence<UInt8>) -> [IndexSegment] {
        var counts = Array(repeating: 0, count: Self.parts.count)
        for byte in bytes { counts[Self.part(byte)] += 1 }
        return counts.map { IndexSegment(keySize: keySize, capacity: $0) }
    }

    private mutating func push(_ segments: inout [IndexSegment]) {
        for part in Self.parts where segments[part].count > 0 {
            push(normalized(segments[part]), to: part)
            // Its bytes are elsewhere now.
            segments[part] = IndexSegment(keySize: keySize, capacity: 0)
        }
    }

    private mutating func push(_ segment: IndexSegment, to part: Int) {
        guard segment.count > 0 else { return }
        var top = segment
        entryCount += segment.count
        while let last = stacks[part].last, last.count < top.count * 2 {
            stacks[part].removeLast()
            let both = last.count + top.count
            top = merged(last, top)
            entryCount -= both - top.count
        }
        stacks[part].append(top)
    }

    private func merged(_ left: IndexSegment, _ right: IndexSegment) -> IndexSegment {
        var result = IndexSegment(keySize: keySize, capacity: left.count + right.count)
        var (leftPosition, rightPosition) = (0, 0)
        while leftPosition < left.count, rightPosition < right.count {
            let order = IndexSegment.order(left, leftPosition, right, rightPosition)
            if order < 0 {
                result.append(left, leftPosition)
            } else if order > 0 {
                result.append(right, rightPosition)
            } else if supersedes(right.value(rightPosition), left.value(leftPosition)) {
                result.append(right, rightPosition)
            } else {
                result.append(left, leftPosition)
            }
            if order <= 0 { leftPosition += 1 }
            if order >= 0 { rightPosition += 1 }
        }
        result.append(left, from: leftPosition)
        result.append(right, from: rightPosition)
        return result
    }

    /// Index blobs are sorted and name a content once; one that is not is put in order rather than believed.
    private func normalized(_ segment: IndexSegment) -> IndexSegment {
        let isSorted = (1..<max(1, segment.count)).allSatisfy { IndexSegment.order(segment, $0 - 1, segment, $0) < 0 }
        if isSorted { return segment }
        let positions = (0..<segment.count).sorted { left, right in
            let order = IndexSegment.order(segment, left, segment, right)
            return order != 0 ? order < 0 : supersedes(segment.value(left), segment.value(right))
        }
        var result = IndexSegment(keySize: keySize, capacity: segment.count)
        var previous: Int?
        for position in positions {
            if let previous, IndexSegment.order(segment, previous, segment, position) == 0 { continue }
            result.append(segment, position)
            previous = position
        }
        return result
    }
}
