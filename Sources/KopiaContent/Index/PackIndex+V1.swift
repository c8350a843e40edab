import KopiaBlob

extension PackIndex {
    /// The value of an entry of version 1.
    ///
    /// | bytes | field                                                             |
    /// |-------|-------------------------------------------------------------------|
    /// | 0–5   | timestamp, seconds since 1970                                     |
    /// | 6     | format version                                                    |
    /// | 7     | length of the pack's name                                         |
    /// | 8–11  | offset of the pack's name from the start of the index             |
    /// | 12–15 | bit 31: deleted; the rest: offset in the pack                     |
    /// | 16–19 | packed length                                                     |
    func rawEntryV1(valueAt value: Int) -> RawEntry {
        let offset = UInt32(bytes.bigEndian(at: value + 12, width: 4))
        let packedLength = UInt32(bytes.bigEndian(at: value + 16, width: 4))
        return RawEntry(
            packReference: bytes.bigEndian(at: value + 8, width: 4) << 8 | UInt64(bytes[value + 7]),
            formatReference: bytes[value + 6], packOffset: offset & 0x7fff_ffff, packedLength: packedLength,
            originalLength: packedLength < Self.encryptionOverhead ? 0 : packedLength - Self.encryptionOverhead,
            timestampSeconds: Int64(bytes.bigEndian(at: value, width: 6)), isDeleted: offset >> 31 == 1)
    }

    /// The bytes of an index of version 1.
    ///
    /// - Parameter entries: ascending by ID, each ID once.
    /// - Throws: `IndexError` when an entry does not fit the format.
    static func encodeV1(_ entries: [IndexEntry]) throws(IndexError) -> [UInt8] {
        guard let keySize = entries.first.map({ $0.id.hash.count + 1 }) else {
            throw IndexError("an index without entries is not written")
        }
        let entrySize = 20
        let tables = 8 + entries.count * (keySize + entrySize)
        var names: [UInt8] = []
        var nameOffsets: [BlobID: Int] = [:]
        var bytes: [UInt8] = [1, UInt8(truncatingIfNeeded: keySize)]
        bytes.reserveCapacity(tables)
        bytes.appendBigEndian(UInt64(entrySize), width: 2)
        bytes.appendBigEndian(UInt64(entries.count), width: 4)
        for entry in entries {
            try checkCommon(entry, keySize: keySize, entrySize: entrySize)
            guard entry.compression == 0 else {
                throw IndexError("content \(entry.id) is compressed, which index version 1 cannot record")
            }
            let name = Array(entry.pack.description.utf8)
            let nameOffset = nameOffsets[entry.pack] ?? names.count
            if nameOffset == names.count {
                nameOffsets[entry.pack] = nameOffset
                names += name
            }
            guard let offset = UInt32(exactly: tables + nameOffset) else {
                throw IndexError("the index would grow beyond 4 GiB")
            }
            bytes += entry.id.key
            bytes.appendBigEndian(UInt64(entry.timestampSeconds), width: 6)
            bytes.append(entry.formatVersion)
            bytes.append(UInt8(truncatingIfNeeded: name.count))
            bytes.appendBigEndian(UInt64(offset), width: 4)
            bytes.appendBigEndian(UInt64(entry.packOffset | (entry.isDeleted ? 1 << 31 : 0)), width: 4)
            bytes.appendBigEndian(UInt64(entry.packedLength), width: 4)
        }
        return bytes + names
    }

    /// The limits both versions share.
    static func checkCommon(_ entry: IndexEntry, keySize: Int, entrySize: Int) throws(IndexError) {
        guard entry.id.hash.count + 1 == keySize, keySize + entrySize <= 256 else {
            throw IndexError(
                "content \(entry.id) has a hash of \(entry.id.hash.count) bytes among hashes of \(keySize - 1) bytes")
        }
        guard entry.packOffset < 1 << 30 else {
            throw IndexError("content \(entry.id) lies at offset \(entry.packOffset) of its pack, the limit is 2^30")
        }
        guard entry.pack.description.utf8.count <= 255 else {
            throw IndexError("pack name \(entry.pack) has more than 255 bytes")
        }
        guard entry.encryptionKeyID == 0 else {
            throw IndexError("content \(entry.id) has encryption key \(entry.encryptionKeyID), only 0 exists")
        }
        guard entry.timestampSeconds >= 0, entry.timestampSeconds < 1 << 48 else {
            throw IndexError(
                "content \(entry.id) has timestamp \(entry.timestampSeconds), which needs more than 48 bits")
        }
    }
}
