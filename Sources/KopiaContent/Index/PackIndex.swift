import KopiaBlob

/// A decrypted pack index, read in place. Nothing in it is trusted: the extent of every table is checked when it is
/// opened, names and numbers when an entry is read.
///
/// Version 1, all integers big-endian:
///
/// | bytes     | field                                                                        |
/// |-----------|------------------------------------------------------------------------------|
/// | 0         | version, 1                                                                   |
/// | 1         | key size (17, 29 or 33)                                                      |
/// | 2–3       | entry size, 20                                                               |
/// | 4–7       | entry count                                                                  |
/// | then      | entries: key, value (see `PackIndex+V1.swift`)                               |
/// | then      | names of packs, referenced by absolute offset                                |
///
/// Version 2:
///
/// | bytes     | field                                                                        |
/// |-----------|------------------------------------------------------------------------------|
/// | 0         | version, 2                                                                   |
/// | 1         | key size                                                                     |
/// | 2–3       | entry size, 16 … 19                                                          |
/// | 4–7       | entry count                                                                  |
/// | 8–11      | pack count                                                                   |
/// | 12        | format count                                                                 |
/// | 13–16     | base timestamp, seconds since 1970, 0 when written                           |
/// | then      | entries: key, value (see `PackIndex+V2.swift`)                               |
/// | then      | packs: name length (1), absolute offset of the name (4)                      |
/// | then      | formats: compression header (4), format version (1), encryption key ID (1)   |
/// | then      | names of packs                                                               |
///
/// What follows the names is ignored: the local indexes in packs end with 32 random bytes.
///
/// Concurrency and memory: a value; it keeps the bytes it was made of and nothing else.
///
/// Source: kopia `repo/content/index/index_v1.go`, `openV1PackIndex`; `index_v2.go`, `openV2PackIndex`; `kopia-format`
/// §4.2, §4.3. Vectors: `Tests/KopiaContentTests/Fixtures/index-vectors.json`.
public struct PackIndex: Sendable {
    public enum Version: UInt8, Sendable, Hashable {
        case v1 = 1
        case v2 = 2
    }

    /// Bytes that encryption adds to a content of unknown original length (version 1 only).
    static let encryptionOverhead: UInt32 = 28

    public let version: Version
    /// Entries, valid or not.
    public let count: Int
    /// 1 + length of the hash; 255 in an empty index of version 1.
    let keySize: Int
    let entrySize: Int
    let headerSize: Int
    let bytes: [UInt8]
    let baseTimestamp: Int64
    /// By pack number; nil for a name that lies outside the index or is none.
    let packs: [BlobID?]
    let formats: [ContentFormat]

    /// What contents of one index share: its compressor and versions.
    struct ContentFormat: Sendable, Hashable {
        var compression: UInt32
        var formatVersion: UInt8
        var encryptionKeyID: UInt8
    }

    /// - Throws: `IndexError` when the header is unknown or a table does not fit into the bytes.
    public init(decoding bytes: [UInt8]) throws(IndexError) {
        guard let first = bytes.first else { throw IndexError("the index is empty: 0 bytes") }
        guard let version = Version(rawValue: first) else {
            throw IndexError("the index has version \(first), known are 1 and 2")
        }
        headerSize = version == .v1 ? 8 : 17
        guard bytes.count >= headerSize else {
            throw IndexError("the index has \(bytes.count) bytes, its header alone needs \(headerSize)")
        }
        self.version = version
        self.bytes = bytes
        keySize = Int(bytes[1])
        entrySize = Int(bytes.bigEndian(at: 2, width: 2))
        count = Int(bytes.bigEndian(at: 4, width: 4))
        let minimumEntrySize = version == .v1 ? 20 : 16
        guard keySize >= 2, entrySize >= minimumEntrySize else {
            throw IndexError(
                "the index has keys of \(keySize) and entries of \(entrySize) bytes, at least 2 and \(minimumEntrySize) are needed"
            )
        }
        // 32-bit counts times sizes below 2^17 cannot overflow 64 bits.
        let packCount = version == .v1 ? 0 : Int(bytes.bigEndian(at: 8, width: 4))
        let formatCount = version == .v1 ? 0 : Int(bytes[12])
        let tables = headerSize + count * (keySize + entrySize) + packCount * 5 + formatCount * 6
        guard tables <= bytes.count else {
            throw IndexError(
                "the index has \(bytes.count) bytes, its \(count) entries, \(packCount) packs and \(formatCount) formats need \(tables)"
            )
        }
        baseTimestamp = version == .v1 ? 0 : Int64(bytes.bigEndian(at: 13, width: 4))
        let packsStart = headerSize + count * (keySize + entrySize)
        packs = (0..<packCount).map { Self.packName(in: bytes, tableStart: packsStart, number: $0) }
        let formatsStart = packsStart + packCount * 5
        formats = (0..<formatCount).map { Self.format(in: bytes, tableStart: formatsStart, number: $0) }
    }

    /// An entry as it is in the bytes, with its pack and its format not yet looked up.
    struct RawEntry {
        /// Version 1: name offset × 256 + name length. Version 2: pack number.
        var packReference: UInt64
        /// Version 1: the format version. Version 2: the format number.
        var formatReference: UInt8
        var packOffset: UInt32
        var packedLength: UInt32
        var originalLength: UInt32
        var timestampSeconds: Int64
        var isDeleted: Bool
    }

    /// The entry at a position in index order. Nil when the entry is not usable: a key that is no content ID, a pack or
    /// a format that the index does not have.
    ///
    /// - Parameter position: `0 ..< count`.
    public func entry(at position: Int) -> IndexEntry? {
        let raw = rawEntry(at: position)
        guard let id = ContentID(key: bytes[keyRange(at: position)]), let pack = pack(raw.packReference),
            let format = format(raw.formatReference)
        else { return nil }
        return IndexEntry(
            id: id, pack: pack, packOffset: raw.packOffset, packedLength: raw.packedLength,
            originalLength: raw.originalLength, timestampSeconds: raw.timestampSeconds, isDeleted: raw.isDeleted,
            formatVersion: format.formatVersion, compression: format.compression,
            encryptionKeyID: format.encryptionKeyID)
    }

    func keyRange(at position: Int) -> Range<Int> {
        precondition(position >= 0 && position < count, "an index has positions 0 ..< count")
        let start = headerSize + position * (keySize + entrySize)
        return start..<(start + keySize)
    }

    func rawEntry(at position: Int) -> RawEntry {
        let value = keyRange(at: position).upperBound
        return version == .v1 ? rawEntryV1(valueAt: value) : rawEntryV2(valueAt: value)
    }

    func pack(_ reference: UInt64) -> BlobID? {
        if version == .v1 {
            return Self.name(in: bytes, offset: Int(reference >> 8), length: Int(reference & 0xff))
        }
        return reference < UInt64(packs.count) ? packs[Int(reference)] : nil
    }

    func format(_ reference: UInt8) -> ContentFormat? {
        if version == .v1 {
            return ContentFormat(compression: 0, formatVersion: reference, encryptionKeyID: 0)
        }
        return Int(reference) < formats.count ? formats[Int(reference)] : nil
    }

    /// All usable entries in index order.
    public var entries: [IndexEntry] { (0..<count).compactMap { entry(at: $0) } }

    /// A pack name inside the index; nil when it lies outside or is no blob ID.
    static func name(in bytes: [UInt8], offset: Int, length: Int) -> BlobID? {
        guard offset >= 0, length > 0, offset <= bytes.count - length else { return nil }
        return BlobID(String(decoding: bytes[offset..<(offset + length)], as: UTF8.self))
    }
}
