import KopiaBlob

/// All index blobs of a repository as one table: for each content the entry that wins.
///
/// It is a stack of sorted segments, each at least twice as large as the next: adding an index blob merges only what has
/// grown to its size, so loading n entries from any number of blobs costs n log n, and adding a small index to a large
/// table costs next to nothing. A look-up is a binary search in each segment.
///
/// Concurrency and memory: a value. With 128-bit hashes 41 bytes an entry (57 with 256-bit ones) and 67 … 75 a pack of kopia's name length; at
/// most the superseded duplicates of the smaller segments on top; while two segments are merged, both and the result
/// exist. A test holds one million contents, five a pack, to 64 bytes each.
///
/// Source: rules of `kopia-format` §4.5.
public struct MergedIndex: Sendable {
    /// 1 + length of the repository's hash.
    public let keySize: Int
    private var packs = PackNameTable()
    private var formats: [PackIndex.ContentFormat] = []
    private var segments: [IndexSegment] = []
    /// Entries that could not be used: bad keys, packs or formats their index does not have. They count as absent.
    public private(set) var invalidEntryCount = 0

    /// - Parameter hashLength: 16 … 32 bytes.
    public init(hashLength: Int) { keySize = hashLength + 1 }

    /// Entries held; contents named by several segments count several times.
    public var entryCount: Int { segments.reduce(0) { $0 + $1.count } }

    /// Bytes held for the entries and names.
    public var memoryFootprint: Int { segments.reduce(packs.memoryFootprint) { $0 + $1.records.capacity } }

    /// Gives back spare room; for when much has been added.
    public mutating func trim() {
        packs.trim()
        for position in segments.indices { segments[position].trim() }
    }

    public mutating func add(_ index: PackIndex) {
        guard index.count > 0 else { return }
        guard index.keySize == keySize else {
            invalidEntryCount += index.count
            return
        }
        var packNumbers: [UInt64: UInt32] = [:]
        var formatNumbers: [UInt8: UInt16] = [:]
        var segment = IndexSegment(keySize: keySize, capacity: index.count)
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
            segment.append(
                key: index.bytes[keyRange],
                IndexSegment.Value(
                    timestampSeconds: raw.timestampSeconds, isDeleted: raw.isDeleted, packOffset: raw.packOffset,
                    packedLength: raw.packedLength, originalLength: raw.originalLength, pack: pack, format: format))
        }
        push(normalized(segment))
    }

    /// - Parameter entries: in any order.
    public mutating func add(_ entries: some Collection<IndexEntry>) {
        var segment = IndexSegment(keySize: keySize, capacity: entries.count)
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
            segment.append(
                key: entry.id.key,
                IndexSegment.Value(
                    timestampSeconds: entry.timestampSeconds, isDeleted: entry.isDeleted, packOffset: entry.packOffset,
                    packedLength: entry.packedLength, originalLength: entry.originalLength, pack: pack, format: format))
        }
        push(normalized(segment))
    }

    /// The winning entry, hidden by a watermark or not.
    public func entry(_ id: ContentID) -> IndexEntry? {
        guard id.hash.count + 1 == keySize else { return nil }
        let key = id.key
        var best: IndexSegment.Value?
        for segment in segments {
            guard let position = segment.find(key) else { continue }
            let value = segment.value(position)
            if best.map({ supersedes(value, $0) }) ?? true { best = value }
        }
        return best.flatMap { entry(id: id, $0) }
    }

    /// The winning entries in ID order, one at a time.
    ///
    /// - Parameter prefix: only contents with this prefix byte; nil for all.
    public func forEach(prefix: UInt8? = nil, _ body: (IndexEntry) throws -> Void) rethrows {
        var positions = segments.map { segment in prefix.map { segment.lowerBound([$0]) } ?? 0 }
        while true {
            var lowest: Int?
            for (number, segment) in segments.enumerated() where positions[number] < segment.count {
                guard let known = lowest else {
                    lowest = number
                    continue
                }
                if IndexSegment.order(segment, positions[number], segments[known], positions[known]) < 0 {
                    lowest = number
                }
            }
            guard let lowest else { return }
            let key = Array(segments[lowest].key(positions[lowest]))
            if let prefix, key[0] != prefix { return }
            var best = segments[lowest].value(positions[lowest])
            for (number, segment) in segments.enumerated() where positions[number] < segment.count {
                guard segment.key(positions[number]).elementsEqual(key) else { continue }
                let value = segment.value(positions[number])
                if number != lowest, supersedes(value, best) { best = value }
                positions[number] += 1
            }
            if let id = ContentID(key: key), let found = entry(id: id, best) { try body(found) }
        }
    }

    /// Whether any entry, winning or not, names the pack.
    func namesPack(_ pack: BlobID) -> Bool { packs.contains(pack) }

    private func entry(id: ContentID, _ value: IndexSegment.Value) -> IndexEntry? {
        guard let pack = BlobID(String(decoding: packs.bytes(value.pack), as: UTF8.self)) else { return nil }
        let format = formats[Int(value.format)]
        return IndexEntry(
            id: id, pack: pack, packOffset: value.packOffset, packedLength: value.packedLength,
            originalLength: value.originalLength, timestampSeconds: value.timestampSeconds, isDeleted: value.isDeleted,
            formatVersion: format.formatVersion, compression: format.compression,
            encryptionKeyID: format.encryptionKeyID)
    }

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

    private mutating func push(_ segment: IndexSegment) {
        guard segment.count > 0 else { return }
        var top = segment
        while let last = segments.last, last.count < top.count * 2 {
            segments.removeLast()
            top = merged(last, top)
        }
        segments.append(top)
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
        while leftPosition < left.count {
            result.append(left, leftPosition)
            leftPosition += 1
        }
        while rightPosition < right.count {
            result.append(right, rightPosition)
            rightPosition += 1
        }
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
