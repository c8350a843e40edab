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
}

extension IndexEncoder {
    /// The bytes of an index of version 2, with the smallest entry size that holds the entries.
    ///
    /// - Throws: `IndexError` when an entry does not fit the format.
    func encodeV2() throws(IndexError) -> [UInt8] {
        guard packs.count <= 1 << 24, formats.count <= 255 else {
            throw IndexError("an index holds 2^24 packs and 255 formats, not \(packs.count) and \(formats.count)")
        }
        var entrySize = 16
        if formats.count > 1 { entrySize = 17 }
        if packs.count > 1 << 16 { entrySize = 18 }
        if longest >= 1 << 24 { entrySize = 19 }
        try checkSizes(entrySize: entrySize)
        let tables = 17 + count * (keySize + entrySize) + packs.count * 5 + formats.count * 6
        guard UInt32(exactly: tables + namesLength) != nil else {
            throw IndexError("the index would grow beyond 4 GiB")
        }
        var bytes: [UInt8] = []
        // An entry is written with its longest size and cut.
        bytes.reserveCapacity(tables + namesLength + Self.entrySizeMax)
        bytes += [2, UInt8(truncatingIfNeeded: keySize)]
        bytes.appendBigEndian(UInt64(entrySize), width: 2)
        bytes.appendBigEndian(UInt64(count), width: 4)
        bytes.appendBigEndian(UInt64(packs.count), width: 4)
        bytes.append(UInt8(truncatingIfNeeded: formats.count))
        bytes.appendBigEndian(0, width: 4)
        try forEach { key, value throws(IndexError) in
            bytes += key
            try appendV2(value, of: key, to: &bytes)
            bytes.removeLast(Self.entrySizeMax - entrySize)
        }
        var nameOffset = tables
        for pack in packs {
            let length = table.packs.bytes(pack).count
            bytes.append(UInt8(truncatingIfNeeded: length))
            bytes.appendBigEndian(UInt64(nameOffset), width: 4)
            nameOffset += length
        }
        for number in formats {
            let format = table.formats[Int(number)]
            bytes.appendBigEndian(UInt64(format.compression), width: 4)
            bytes += [format.formatVersion, format.encryptionKeyID]
        }
        for pack in packs { bytes += table.packs.bytes(pack) }
        return bytes
    }

    private static var entrySizeMax: Int { 19 }

    /// All 19 bytes; a smaller entry size is a prefix of them.
    private func appendV2(
        _ value: IndexSegment.Value, of key: ArraySlice<UInt8>, to bytes: inout [UInt8]
    ) throws(IndexError) {
        guard value.packedLength < 1 << 28, value.originalLength < 1 << 28 else {
            throw IndexError(
                "content \(Self.name(key)) has \(value.originalLength) bytes, \(value.packedLength) packed: the limit is 2^28"
            )
        }
        guard let timestamp = UInt32(exactly: value.timestampSeconds) else {
            throw IndexError(
                "content \(Self.name(key)) has timestamp \(value.timestampSeconds), which needs more than 32 bits")
        }
        let pack = packPlaces[Int(value.pack)]
        bytes.appendBigEndian(UInt64(timestamp), width: 4)
        bytes.appendBigEndian(UInt64(value.packOffset | (value.isDeleted ? 1 << 31 : 0)), width: 4)
        bytes.appendBigEndian(UInt64(value.originalLength & 0xff_ffff), width: 3)
        bytes.appendBigEndian(UInt64(value.packedLength & 0xff_ffff), width: 3)
        bytes.appendBigEndian(UInt64(pack & 0xffff), width: 2)
        bytes.append(UInt8(truncatingIfNeeded: formatPlaces[Int(value.format)]))
        bytes.append(UInt8(truncatingIfNeeded: pack >> 16))
        bytes.append(UInt8(truncatingIfNeeded: (value.originalLength >> 24) << 4 | value.packedLength >> 24))
    }
}
