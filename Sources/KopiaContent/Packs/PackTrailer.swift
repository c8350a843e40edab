/// The last bytes of a pack: where its encrypted local index lies. Only needed when index blobs are lost.
///
/// | bytes | field                                                        |
/// |-------|--------------------------------------------------------------|
/// | 1     | uvarint 1                                                    |
/// | 1     | uvarint length of the IV                                     |
/// | 16–32 | IV: the whole hash of the local index                        |
/// | 1–5   | uvarint offset of the local index from the start of the pack |
/// | 1–5   | uvarint length of the encrypted local index                  |
/// | 4     | CRC-32 (IEEE) of all before it, big-endian                   |
/// | 1     | length of all before it                                      |
///
/// The trailer is not authenticated; the local index is.
///
/// Source: kopia `repo/content/content_index_recovery.go`, `packContentPostamble`; `kopia-format` §3.6.
public struct PackTrailer: Sendable, Hashable {
    public let localIndexIV: [UInt8]
    public let localIndexOffset: Int64
    /// Encrypted, bytes.
    public let localIndexLength: Int64

    /// No trailer is longer.
    static let lengthMax = 256

    public init(localIndexIV: [UInt8], localIndexOffset: Int64, localIndexLength: Int64) {
        self.localIndexIV = localIndexIV
        self.localIndexOffset = localIndexOffset
        self.localIndexLength = localIndexLength
    }

    /// - Parameters:
    ///   - tail: the last bytes of the pack, 256 or the whole of it.
    ///   - packLength: bytes of the pack; the local index must lie inside.
    /// - Throws: `IndexError` when the bytes do not end with a trailer.
    public init(tail: [UInt8], packLength: Int64) throws(IndexError) {
        guard let last = tail.last, last >= 5, Int(last) < tail.count else {
            throw IndexError("the pack does not end with a trailer")
        }
        let body = Array(tail[(tail.count - 1 - Int(last))..<(tail.count - 5)])
        let checksum = UInt32(tail.bigEndian(at: tail.count - 5, width: 4))
        guard CRC32.checksum(body) == checksum else {
            throw IndexError("the trailer of the pack has a wrong checksum")
        }
        var position = 0
        guard readUvarint(body, at: &position) == 1, let ivLength = readUvarint(body, at: &position),
            ivLength <= UInt64(body.count - position)
        else { throw IndexError("the trailer of the pack has an unknown layout") }
        localIndexIV = Array(body[position..<(position + Int(ivLength))])
        position += Int(ivLength)
        guard let offset = readUvarint(body, at: &position), let length = readUvarint(body, at: &position),
            let signedOffset = Int64(exactly: offset), let signedLength = Int64(exactly: length),
            signedLength <= packLength, signedOffset <= packLength - signedLength
        else { throw IndexError("the local index of the pack lies outside its \(packLength) bytes") }
        localIndexOffset = signedOffset
        localIndexLength = signedLength
    }

    public var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendUvarint(1)
        bytes.appendUvarint(UInt64(localIndexIV.count))
        bytes += localIndexIV
        bytes.appendUvarint(UInt64(bitPattern: localIndexOffset))
        bytes.appendUvarint(UInt64(bitPattern: localIndexLength))
        bytes.appendBigEndian(UInt64(CRC32.checksum(bytes)), width: 4)
        bytes.append(UInt8(truncatingIfNeeded: bytes.count))
        return bytes
    }
}

/// CRC-32 with the IEEE polynomial, for the dozens of bytes of a trailer.
enum CRC32 {
    static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var remainder: UInt32 = 0xffff_ffff
        for byte in bytes {
            remainder ^= UInt32(byte)
            for _ in 0..<8 { remainder = remainder & 1 == 1 ? remainder >> 1 ^ 0xedb8_8320 : remainder >> 1 }
        }
        return ~remainder
    }
}
