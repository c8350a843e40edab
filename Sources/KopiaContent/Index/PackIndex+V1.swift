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

    /// Offsets in a pack that are written are below.
    static var packOffsetEnd: UInt32 { 1 << 30 }

    static func offsetError(_ content: String, _ offset: UInt32) -> IndexError {
        IndexError("content \(content) lies at offset \(offset) of its pack, the limit is 2^30")
    }
}

extension IndexEncoder {
    /// The bytes of an index of version 1.
    ///
    /// - Throws: `IndexError` when an entry does not fit the format.
    func encodeV1() throws(IndexError) -> [UInt8] {
        let entrySize = 20
        try checkSizes(entrySize: entrySize)
        let tables = 8 + count * (keySize + entrySize)
        guard UInt32(exactly: tables + namesLength) != nil else {
            throw IndexError("the index would grow beyond 4 GiB")
        }
        var nameOffsets: [UInt32] = []
        nameOffsets.reserveCapacity(packs.count)
        var nameOffset = tables
        for pack in packs {
            nameOffsets.append(UInt32(nameOffset))
            nameOffset += table.packs.bytes(pack).count
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(nameOffset)
        bytes += [1, UInt8(truncatingIfNeeded: keySize)]
        bytes.appendBigEndian(UInt64(entrySize), width: 2)
        bytes.appendBigEndian(UInt64(count), width: 4)
        try forEach { key, value throws(IndexError) in
            let format = format(of: value)
            guard format.compression == 0 else {
                throw IndexError("content \(Self.name(key)) is compressed, which index version 1 cannot record")
            }
            bytes += key
            bytes.appendBigEndian(UInt64(value.timestampSeconds), width: 6)
            bytes.append(format.formatVersion)
            bytes.append(UInt8(truncatingIfNeeded: table.packs.bytes(value.pack).count))
            bytes.appendBigEndian(UInt64(nameOffsets[Int(packPlaces[Int(value.pack)])]), width: 4)
            bytes.appendBigEndian(UInt64(value.packOffset | (value.isDeleted ? 1 << 31 : 0)), width: 4)
            bytes.appendBigEndian(UInt64(value.packedLength), width: 4)
        }
        for pack in packs { bytes += table.packs.bytes(pack) }
        return bytes
    }
}
