/// A sorted run of entries in fixed-size records; packs and formats are numbers of the `MergedIndex` that owns it.
///
/// | bytes after the key | field                                         |
/// |---------------------|-----------------------------------------------|
/// | 0–5                 | timestamp, seconds since 1970                 |
/// | 6–9                 | bit 31: deleted; the rest: offset in the pack |
/// | 10–13               | packed length                                 |
/// | 14–17               | original length                               |
/// | 18–21               | pack number                                   |
/// | 22–23               | format number                                 |
///
/// Memory: key size + 24 bytes an entry: 41 with 128-bit hashes, 57 with 256-bit ones.
struct IndexSegment: Sendable {
    static let valueSize = 24
    /// Bytes of a segment beside its records.
    static let overhead = 48

    let keySize: Int
    private(set) var records: [UInt8]

    var recordSize: Int { keySize + Self.valueSize }
    var count: Int { records.count / recordSize }

    struct Value: Sendable {
        var timestampSeconds: Int64
        var isDeleted: Bool
        var packOffset: UInt32
        var packedLength: UInt32
        var originalLength: UInt32
        var pack: UInt32
        var format: UInt16
    }

    init(keySize: Int, capacity: Int) {
        self.keySize = keySize
        records = []
        records.reserveCapacity(capacity * (keySize + Self.valueSize))
    }

    mutating func append(key: some Collection<UInt8>, _ value: Value) {
        records.append(contentsOf: key)
        records.appendBigEndian(UInt64(value.timestampSeconds), width: 6)
        records.appendBigEndian(UInt64(value.packOffset | (value.isDeleted ? 1 << 31 : 0)), width: 4)
        records.appendBigEndian(UInt64(value.packedLength), width: 4)
        records.appendBigEndian(UInt64(value.originalLength), width: 4)
        records.appendBigEndian(UInt64(value.pack), width: 4)
        records.appendBigEndian(UInt64(value.format), width: 2)
    }

    mutating func append(_ other: IndexSegment, _ position: Int) {
        let start = position * recordSize
        records.append(contentsOf: other.records[start..<(start + recordSize)])
    }

    /// The records from a position to the end.
    mutating func append(_ other: IndexSegment, from position: Int) {
        records.append(contentsOf: other.records[(position * recordSize)...])
    }

    /// Gives back the room of entries that a merge dropped.
    mutating func trim() {
        if records.capacity > records.count + records.count / 8 { records = exactCopy(records) }
    }

    func key(_ position: Int) -> ArraySlice<UInt8> {
        let start = position * recordSize
        return records[start..<(start + keySize)]
    }

    /// The first byte of a key.
    func prefix(_ position: Int) -> UInt8 { records[position * recordSize] }

    func value(_ position: Int) -> Value {
        let start = position * recordSize + keySize
        let offset = UInt32(records.bigEndian(at: start + 6, width: 4))
        return Value(
            timestampSeconds: Int64(records.bigEndian(at: start, width: 6)), isDeleted: offset >> 31 == 1,
            packOffset: offset & 0x7fff_ffff, packedLength: UInt32(records.bigEndian(at: start + 10, width: 4)),
            originalLength: UInt32(records.bigEndian(at: start + 14, width: 4)),
            pack: UInt32(records.bigEndian(at: start + 18, width: 4)),
            format: UInt16(records.bigEndian(at: start + 22, width: 2)))
    }

    /// Position of the first record whose key is not below `key`, which may be shorter than a key of the records.
    func lowerBound(_ key: [UInt8]) -> Int {
        records.withUnsafeBufferPointer { bytes in
            var low = 0
            var high = count
            while low < high {
                let middle = low + (high - low) / 2
                if Self.order(bytes, middle * recordSize, key) < 0 { low = middle + 1 } else { high = middle }
            }
            return low
        }
    }

    func find(_ key: [UInt8]) -> Int? {
        let position = lowerBound(key)
        return position < count && self.key(position).elementsEqual(key) ? position : nil
    }

    /// Below, at or above 0 as the bytes at `start` order before, with or after `key`.
    private static func order(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ key: [UInt8]) -> Int {
        for position in key.indices {
            let difference = Int(bytes[start + position]) - Int(key[position])
            if difference != 0 { return difference }
        }
        return 0
    }

    /// How the keys of two records order: below 0, 0, or above 0.
    static func order(_ left: IndexSegment, _ leftPosition: Int, _ right: IndexSegment, _ rightPosition: Int) -> Int {
        let leftStart = leftPosition * left.recordSize
        let rightStart = rightPosition * right.recordSize
        for offset in 0..<left.keySize {
            let difference = Int(left.records[leftStart + offset]) - Int(right.records[rightStart + offset])
            if difference != 0 { return difference }
        }
        return 0
    }
}
