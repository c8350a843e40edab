import KopiaBlob

extension PackIndex {
    /// The value of an entry of version 2. Bytes beyond the entry size read as 0.
    ///
    /// | bytes | field                                                                                     |
    /// |-------|-------------------------------------------------------------------------------------------|
    /// | 0–3   | timestamp less the base timestamp                                                         |
    /// | 4–7   | bit 31: deleted; the rest: offset in the pack                                             |
    /// | 8–10  | original length, low 24 bits                                                              |
    /// | 11–13 | packed length, low 24 bits                                                                |
    /// | 14–15 | pack number, low 16 bits                                                                  |
    /// | 16    | format number                                                                             |
    /// | 17    | pack number, bits 16–23                                                                   |
    /// | 18    | high nibble: original length, low nibble: packed length, bits 24–27                       |
    func rawEntryV2(valueAt value: Int) -> RawEntry {
        let highNibbles = entrySize > 18 ? UInt32(bytes[value + 18]) : 0
        let offset = UInt32(bytes.bigEndian(at: value + 4, width: 4))
        return RawEntry(
            packReference: bytes.bigEndian(at: value + 14, width: 2)
                | (entrySize > 17 ? UInt64(bytes[value + 17]) << 16 : 0),
            formatReference: entrySize > 16 ? bytes[value + 16] : 0, packOffset: offset & 0x7fff_ffff,
            packedLength: UInt32(bytes.bigEndian(at: value + 11, width: 3)) | (highNibbles & 0xf) << 24,
            originalLength: UInt32(bytes.bigEndian(at: value + 8, width: 3)) | (highNibbles >> 4) << 24,
            timestampSeconds: baseTimestamp + Int64(bytes.bigEndian(at: value, width: 4)), isDeleted: offset >> 31 == 1)
    }

    static func packName(in bytes: [UInt8], tableStart: Int, number: Int) -> BlobID? {
        let record = tableStart + number * 5
        return name(in: bytes, offset: Int(bytes.bigEndian(at: record + 1, width: 4)), length: Int(bytes[record]))
    }

    static func format(in bytes: [UInt8], tableStart: Int, number: Int) -> ContentFormat {
        let record = tableStart + number * 6
        return ContentFormat(
            compression: UInt32(bytes.bigEndian(at: record, width: 4)), formatVersion: bytes[record + 4],
            encryptionKeyID: bytes[record + 5])
    }

    /// The bytes of an index of version 2, with the smallest entry size that holds the entries.
    ///
    /// - Parameter entries: ascending by ID, each ID once.
    /// - Throws: `IndexError` when an entry does not fit the format.
    static func encodeV2(_ entries: [IndexEntry]) throws(IndexError) -> [UInt8] {
        guard let keySize = entries.first.map({ $0.id.hash.count + 1 }) else {
            throw IndexError("an index without entries is not written")
        }
        let numbers = try Numbering(entries)
        let tables =
            17 + entries.count * (keySize + numbers.entrySize) + numbers.packs.count * 5 + numbers.formats.count * 6
        var bytes: [UInt8] = [2, UInt8(truncatingIfNeeded: keySize)]
        bytes.reserveCapacity(tables)
        bytes.appendBigEndian(UInt64(numbers.entrySize), width: 2)
        bytes.appendBigEndian(UInt64(entries.count), width: 4)
        bytes.appendBigEndian(UInt64(numbers.packs.count), width: 4)
        bytes.append(UInt8(truncatingIfNeeded: numbers.formats.count))
        bytes.appendBigEndian(0, width: 4)
        for entry in entries {
            try checkCommon(entry, keySize: keySize, entrySize: numbers.entrySize)
            bytes += entry.id.key
            bytes += try numbers.value(of: entry).prefix(numbers.entrySize)
        }
        var nameOffset = tables
        for pack in numbers.packs {
            guard let offset = UInt32(exactly: nameOffset) else {
                throw IndexError("the index would grow beyond 4 GiB")
            }
            bytes.append(UInt8(truncatingIfNeeded: pack.description.utf8.count))
            bytes.appendBigEndian(UInt64(offset), width: 4)
            nameOffset += pack.description.utf8.count
        }
        for format in numbers.formats {
            bytes.appendBigEndian(UInt64(format.compression), width: 4)
            bytes += [format.formatVersion, format.encryptionKeyID]
        }
        for pack in numbers.packs { bytes += Array(pack.description.utf8) }
        return bytes
    }

    /// Packs and formats numbered by first appearance, and the entry size that follows from them.
    private struct Numbering {
        var packs: [BlobID] = []
        var formats: [ContentFormat] = []
        var entrySize = 16
        private var packNumbers: [BlobID: Int] = [:]
        private var formatNumbers: [ContentFormat: Int] = [:]

        init(_ entries: [IndexEntry]) throws(IndexError) {
            var longest: UInt32 = 0
            for entry in entries {
                if packNumbers[entry.pack] == nil {
                    packNumbers[entry.pack] = packs.count
                    packs.append(entry.pack)
                }
                let format = Self.format(of: entry)
                if formatNumbers[format] == nil {
                    formatNumbers[format] = formats.count
                    formats.append(format)
                }
                longest = max(longest, entry.packedLength, entry.originalLength)
            }
            guard packs.count <= 1 << 24, formats.count <= 255 else {
                throw IndexError(
                    "an index holds 2^24 packs and 255 formats, not \(packs.count) and \(formats.count)")
            }
            if formats.count > 1 { entrySize = 17 }
            if packs.count > 1 << 16 { entrySize = 18 }
            if longest >= 1 << 24 { entrySize = 19 }
        }

        private static func format(of entry: IndexEntry) -> ContentFormat {
            ContentFormat(
                compression: entry.compression, formatVersion: entry.formatVersion,
                encryptionKeyID: entry.encryptionKeyID)
        }

        /// All 19 bytes; a smaller entry size is a prefix of them.
        func value(of entry: IndexEntry) throws(IndexError) -> [UInt8] {
            guard entry.packedLength < 1 << 28, entry.originalLength < 1 << 28 else {
                throw IndexError(
                    "content \(entry.id) has \(entry.originalLength) bytes, \(entry.packedLength) packed: the limit is 2^28"
                )
            }
            guard let timestamp = UInt32(exactly: entry.timestampSeconds) else {
                throw IndexError(
                    "content \(entry.id) has timestamp \(entry.timestampSeconds), which needs more than 32 bits")
            }
            guard let pack = packNumbers[entry.pack], let format = formatNumbers[Self.format(of: entry)] else {
                throw IndexError("content \(entry.id) is not among the entries that were numbered")
            }
            var bytes: [UInt8] = []
            bytes.reserveCapacity(19)
            bytes.appendBigEndian(UInt64(timestamp), width: 4)
            bytes.appendBigEndian(UInt64(entry.packOffset | (entry.isDeleted ? 1 << 31 : 0)), width: 4)
            bytes.appendBigEndian(UInt64(entry.originalLength & 0xff_ffff), width: 3)
            bytes.appendBigEndian(UInt64(entry.packedLength & 0xff_ffff), width: 3)
            bytes.appendBigEndian(UInt64(pack & 0xffff), width: 2)
            bytes.append(UInt8(truncatingIfNeeded: format))
            bytes.append(UInt8(truncatingIfNeeded: pack >> 16))
            bytes.append(UInt8(truncatingIfNeeded: (entry.originalLength >> 24) << 4 | entry.packedLength >> 24))
            return bytes
        }
    }
}
