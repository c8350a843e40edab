/// Reads S2 streams and the Snappy framed streams they extend.
///
/// | chunk type | body |
/// |---|---|
/// | 0xff | stream identifier `S2sTwO` or `sNaPpY`; comes first |
/// | 0x00 | masked CRC-32C of the plaintext, compressed block |
/// | 0x01 | masked CRC-32C, plaintext |
/// | 0x80 … 0xfe | skipped |
/// | 0x02 … 0x7f | an error |
///
/// Each chunk is `u8 type, u24le length, body`. A block is `uvarint length` and then literals and copies; see
/// `decodeBlock`.
///
/// Concurrency and memory: a pure function; makes at most `lengthMax` bytes.
///
/// Source: Snappy `framing_format.txt`, `format_description.txt`; for what S2 adds `kopia-format` §3.3.
enum S2Decoder {
    /// What kopia's reader takes.
    private static let blockLengthMax = 4 << 20
    private static let identifiers = [Array("S2sTwO".utf8), Array("sNaPpY".utf8)]

    static func decompress(_ stream: RawSpan, lengthMax: Int) throws(StreamError) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(min(lengthMax, stream.byteCount &* 2))
        var position = 0
        var isIdentified = false
        while position < stream.byteCount {
            guard stream.byteCount - position >= 4 else { throw .cut }
            let header = word(stream, at: position, bytes: 4)
            let (type, length) = (UInt8(truncatingIfNeeded: header), Int(header >> 8))
            position += 4
            guard stream.byteCount - position >= length else { throw .cut }
            let body = stream.extracting(position..<position + length)
            position += length
            guard isIdentified || type == 0xff else { throw StreamError("it does not start with a stream identifier") }
            switch type {
            case 0xff:
                guard identifiers.contains(body.withUnsafeBytes { Array($0) }) else {
                    throw StreamError("its stream identifier is neither S2's nor Snappy's")
                }
                isIdentified = true
            case 0x00, 0x01: try decodeChunk(body, isCompressed: type == 0, into: &output, lengthMax: lengthMax)
            case 0x80...0xfe: continue
            default: throw StreamError("chunk type \(type) is not known")
            }
        }
        // No chunk at all is what S2 writes for an empty input.
        return output
    }

    private static func word(_ bytes: RawSpan, at position: Int, bytes count: Int) -> UInt32 {
        var value: UInt32 = 0
        for offset in 0..<count {
            value |= UInt32(bytes.unsafeLoad(fromByteOffset: position + offset, as: UInt8.self)) << UInt32(8 * offset)
        }
        return value
    }

    private static func decodeChunk(
        _ body: RawSpan, isCompressed: Bool, into output: inout [UInt8], lengthMax: Int
    ) throws(StreamError) {
        guard body.byteCount >= 4 else { throw .cut }
        let expected = word(body, at: 0, bytes: 4)
        let data = body.extracting(droppingFirst: 4)
        let start = output.count
        if isCompressed {
            try decodeBlock(data, into: &output, lengthMax: lengthMax)
        } else {
            guard data.byteCount <= blockLengthMax else { throw StreamError("a chunk is over 4 MiB") }
            guard data.byteCount <= lengthMax - output.count else { throw .tooLong(lengthMax) }
            data.withUnsafeBytes { output.append(contentsOf: $0) }
        }
        let found = output.withUnsafeBytes { CRC32.castagnoli.masked(UnsafeRawBufferPointer(rebasing: $0[start...])) }
        guard found == expected else { throw StreamError("the checksum of a chunk is wrong") }
    }

    /// Appends one block.
    private static func decodeBlock(
        _ block: RawSpan, into output: inout [UInt8], lengthMax: Int
    ) throws(StreamError) {
        var length = 0
        var position = 0
        var shift = 0
        while true {
            guard position < block.byteCount, shift <= 28 else {
                throw StreamError("the length of a block is malformed")
            }
            let byte = block.unsafeLoad(fromByteOffset: position, as: UInt8.self)
            position += 1
            length |= Int(byte & 0x7f) << shift
            shift += 7
            if byte < 0x80 { break }
        }
        guard length <= blockLengthMax else { throw StreamError("a block says it is \(length) bytes long") }
        guard length <= lengthMax - output.count else { throw .tooLong(lengthMax) }
        let elements = block.extracting(droppingFirst: position)
        var isSound = false
        output.append(addingCapacity: length) { (span: inout OutputSpan<UInt8>) in
            span.withUnsafeMutableBufferPointer { buffer, filled in
                let target = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[0..<length])
                isSound = elements.withUnsafeBytes { decodeElements($0, into: target) }
                filled = isSound ? length : 0
            }
        }
        guard isSound else { throw StreamError("a block is malformed") }
    }

    /// Fills `target` exactly. False when the elements do not.
    ///
    /// The low two bits of a tag say what it is, v the rest:
    /// 0 literal: v < 60 is length - 1, 60 … 63 say that the next v - 59 bytes hold it · 1 copy of (v & 7) + 4 from the
    /// offset made of the tag's high bits and the next byte; offset 0 repeats the previous offset, with longer lengths
    /// for 5, 6, 7 · 2 and 3 copy of v + 1 from an offset of two or four bytes.
    private static func decodeElements(
        _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) -> Bool {
        var (position, written, lastOffset) = (0, 0, 0)
        /// Little-endian; -1 at the end of the block.
        func next(_ count: Int) -> Int {
            guard source.count - position >= count else { return -1 }
            var value = 0
            for offset in 0..<count { value |= Int(source[position + offset]) << (8 * offset) }
            position += count
            return value
        }
        while position < source.count {
            let tag = source[position]
            position += 1
            let value = Int(tag >> 2)
            var length: Int
            switch tag & 3 {
            case 0:
                length = value
                if value >= 60 { length = next(value - 59) }
                guard length >= 0, length < source.count - position, length < target.count - written else {
                    return false
                }
                length += 1
                copyLiteral(source, position, target, written, length)
                position += length
                written += length
                continue
            case 1:
                let low = next(1)
                guard low >= 0 else { return false }
                let offset = Int(tag & 0xe0) << 3 | low
                length = value & 7
                if offset != 0 {
                    lastOffset = offset
                    length += 4
                } else {
                    let extra = length < 5 ? 0 : next(length - 4)
                    guard extra >= 0 else { return false }
                    switch length {
                    case 5: length = extra + 8
                    case 6: length = extra + 260
                    case 7: length = extra + 65_540
                    default: length += 4
                    }
                }
            default:
                lastOffset = next(tag & 3 == 2 ? 2 : 4)
                length = value + 1
            }
            guard lastOffset > 0, lastOffset <= written, length <= target.count - written else { return false }
            Match.copy(in: target, at: written, offset: lastOffset, length: length)
            written += length
        }
        return written == target.count
    }

    @inline(__always)
    private static func copyLiteral(
        _ source: UnsafeRawBufferPointer, _ position: Int, _ target: UnsafeMutableRawBufferPointer, _ written: Int,
        _ length: Int
    ) {
        guard let from = source.baseAddress, let to = target.baseAddress else { return }
        if length <= 16, source.count - position >= 16, target.count - written >= 16 {
            // A fixed 16 bytes is faster than any exact copy; what is too much is written over next.
            (to + written).storeBytes(
                of: (from + position).loadUnaligned(as: SIMD2<UInt64>.self), as: SIMD2<UInt64>.self)
        } else {
            (to + written).copyMemory(from: from + position, byteCount: length)
        }
    }
}

/// Back references, shared by the decoders of this module.
enum Match {
    /// Copies `length` bytes from `offset` bytes before; the two may overlap, which repeats them.
    ///
    /// May also change up to 7 bytes behind the end of the copy, within the buffer.
    ///
    /// The caller has checked `0 < offset <= position` and `position + length <= buffer.count`.
    @inline(__always)
    static func copy(in buffer: UnsafeMutableRawBufferPointer, at position: Int, offset: Int, length: Int) {
        guard let base = buffer.baseAddress else { return }
        let target = base + position
        let source = target - offset
        if offset >= 8, buffer.count - position - length >= 8 {
            // Eight bytes at a time, up to seven too many, which are written over next.
            var done = 0
            repeat {
                (target + done).storeBytes(of: (source + done).loadUnaligned(as: UInt64.self), as: UInt64.self)
                done += 8
            } while done < length
        } else if offset >= length {
            target.copyMemory(from: source, byteCount: length)
        } else {
            for done in 0..<length {
                target.storeBytes(
                    of: source.load(fromByteOffset: done, as: UInt8.self), toByteOffset: done, as: UInt8.self)
            }
        }
    }
}
