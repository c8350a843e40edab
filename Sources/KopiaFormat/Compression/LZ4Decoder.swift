/// Reads LZ4 frames, which kopia wrote until 0.22 under header 0x1400 and no longer reads.
///
/// | bytes | field |
/// |---|---|
/// | 4 | magic 0x184D2204; 0x184D2A50 … 5F is a frame to skip |
/// | 1 | FLG: version in bits 7–6 (1), independent blocks, block checksums, content size, content checksum, -, dictionary |
/// | 1 | BD: largest block in bits 6–4 (4 … 7: 64 KiB … 4 MiB) |
/// | 8 | content size, when said |
/// | 1 | second byte of xxHash-32 of the descriptor |
/// | … | blocks: `u32 length` (bit 31: stored), data, checksum when said; length 0 ends them |
/// | 4 | xxHash-32 of the content, when said |
///
/// All little-endian. Concurrency and memory: a pure function; makes at most `lengthMax` bytes.
///
/// Source: LZ4 frame format 1.6.3 and block format descriptions.
/// Vectors: repository `compressors-0.22` of the golden fixtures, and `compression-vectors.json`.
enum LZ4Decoder {
    private struct Flags {
        let hasBlockChecksums: Bool
        let hasContentChecksum: Bool
        let areBlocksIndependent: Bool
        let contentSize: UInt64?
        let blockLengthMax: Int
    }

    private struct Reader {
        let bytes: UnsafeRawBufferPointer
        private(set) var position = 0

        init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

        var isAtEnd: Bool { position == bytes.count }

        mutating func take(_ count: Int) throws(StreamError) -> UnsafeRawBufferPointer {
            guard count <= bytes.count - position else { throw .cut }
            defer { position += count }
            return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
        }

        /// Little-endian, at most 8 bytes.
        mutating func integer(_ count: Int) throws(StreamError) -> UInt64 {
            try take(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
    }

    static func decompress(_ stream: RawSpan, lengthMax: Int) throws(StreamError) -> [UInt8] {
        var output: [UInt8] = []
        try stream.withUnsafeBytes { bytes throws(StreamError) in
            var reader = Reader(bytes)
            repeat {
                switch try reader.integer(4) {
                case 0x184D_2204: try decodeFrame(&reader, into: &output, lengthMax: lengthMax)
                case 0x184D_2A50...0x184D_2A5F: _ = try reader.take(Int(try reader.integer(4)))
                default: throw StreamError("it does not start with the LZ4 frame magic")
                }
            } while !reader.isAtEnd
        }
        return output
    }

    private static func decodeFrame(
        _ reader: inout Reader, into output: inout [UInt8], lengthMax: Int
    ) throws(StreamError) {
        let start = output.count
        let flags = try descriptor(&reader)
        while true {
            let field = try reader.integer(4)
            if field == 0 { break }
            let length = Int(field & 0x7fff_ffff)
            guard length <= flags.blockLengthMax else { throw StreamError("a block says it is \(length) bytes long") }
            let block = try reader.take(length)
            if flags.hasBlockChecksums {
                guard try reader.integer(4) == UInt64(xxHash(block)) else {
                    throw StreamError("the checksum of a block is wrong")
                }
            }
            if field >> 31 == 1 {
                guard length <= lengthMax - output.count else { throw .tooLong(lengthMax) }
                output.append(contentsOf: block)
            } else {
                try decodeBlock(
                    block, into: &output, historyStart: flags.areBlocksIndependent ? output.count : start,
                    limit: min(lengthMax - output.count, flags.blockLengthMax), lengthMax: lengthMax)
            }
        }
        let length = output.count - start
        if let size = flags.contentSize, size != UInt64(length) {
            throw StreamError("it gives \(length) bytes where its header says \(size)")
        }
        guard flags.hasContentChecksum else { return }
        let checksum = try reader.integer(4)
        guard checksum == UInt64(output.withUnsafeBytes { xxHash(UnsafeRawBufferPointer(rebasing: $0[start...])) })
        else {
            throw StreamError("its checksum is wrong")
        }
    }

    private static func descriptor(_ reader: inout Reader) throws(StreamError) -> Flags {
        let start = reader.position
        let flags = try reader.integer(1)
        let sizes = try reader.integer(1)
        guard flags >> 6 == 1 else { throw StreamError("LZ4 frame version \(flags >> 6) is not known") }
        guard flags & 1 == 0 else { throw StreamError("it needs a dictionary") }
        let sizeCode = sizes >> 4 & 7
        guard sizeCode >= 4 else { throw StreamError("block size \(sizeCode) is not known") }
        let contentSize = flags & 8 != 0 ? try reader.integer(8) : nil
        let described = UnsafeRawBufferPointer(rebasing: reader.bytes[start..<reader.position])
        guard try reader.integer(1) == UInt64(xxHash(described) >> 8 & 255) else {
            throw StreamError("the checksum of its header is wrong")
        }
        return Flags(
            hasBlockChecksums: flags & 16 != 0, hasContentChecksum: flags & 4 != 0,
            areBlocksIndependent: flags & 32 != 0, contentSize: contentSize,
            blockLengthMax: 1 << Int(8 + 2 * sizeCode))
    }

    /// The block does not say how long it gets: decode into room that grows with what comes, within the limit.
    private static func decodeBlock(
        _ block: UnsafeRawBufferPointer, into output: inout [UInt8], historyStart: Int, limit: Int, lengthMax: Int
    ) throws(StreamError) {
        let start = output.count
        var room = min(limit, max(block.count * 4, 4096))
        while true {
            output.append(contentsOf: repeatElement(0, count: room))
            let end = output.withUnsafeMutableBytes {
                decodeSequences(block, into: $0, from: start, historyStart: historyStart)
            }
            guard let end else { throw StreamError("a block is malformed") }
            if end >= 0 {
                output.removeLast(output.count - end)
                return
            }
            output.removeLast(room)
            guard room < limit else {
                throw limit == lengthMax - start
                    ? .tooLong(lengthMax) : StreamError("a block is longer than its frame allows")
            }
            room = min(limit, room * 4)
        }
    }

    /// Sequences of `token, literals, offset, match`; the last one has literals only.
    private static func decodeBlock(
        _ block: RawSpan, into output: inout [UInt8], historyStart: Int, limit: Int, lengthMax: Int
    ) throws(StreamError) {
        // The block does not say how long it gets: decode into room that grows with what comes, within the limit.
        var room = min(limit, max(block.byteCount * 4, 4096))
        while true {
            let start = output.count
            output.append(contentsOf: repeatElement(0, count: room))
            let written = block.withUnsafeBytes { source in
                output.withUnsafeMutableBytes { target in
                    decodeSequences(source, into: target, from: start, historyStart: historyStart)
                }
            }
            switch written {
            case .some(let end) where end >= 0:
                output.removeLast(output.count - end)
                return
            case .some:
                output.removeLast(room)
                guard room < limit else {
                    throw limit == lengthMax - start
                        ? .tooLong(lengthMax) : StreamError("a block is longer than its frame allows")
                }
                room = min(limit, room * 4)
            case nil: throw StreamError("a block is malformed")
            }
        }
    }

    /// - Returns: where the output ends; -1 when it does not fit; nil when the block is malformed.
    private static func decodeSequences(
        _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer, from start: Int, historyStart: Int
    ) -> Int? {
        var (position, written) = (0, start)
        /// 15 in the token: bytes follow, up to the first that is not 255. Nil at the end of the block.
        func extended(_ nibble: Int) -> Int? {
            guard nibble == 15 else { return nibble }
            var length = 15
            while position < source.count {
                let byte = source[position]
                position += 1
                length += Int(byte)
                if byte != 255 { return length }
            }
            return nil
        }
        while position < source.count {
            let token = Int(source[position])
            position += 1
            guard let literals = extended(token >> 4), literals <= source.count - position else { return nil }
            guard literals <= target.count - written else { return -1 }
            if literals > 0, let from = source.baseAddress, let to = target.baseAddress {
                (to + written).copyMemory(from: from + position, byteCount: literals)
            }
            position += literals
            written += literals
            if position == source.count { return written }
            guard source.count - position >= 2 else { return nil }
            let offset = Int(source[position]) | Int(source[position + 1]) << 8
            position += 2
            guard let rest = extended(token & 15), offset > 0, offset <= written - historyStart else { return nil }
            guard rest + 4 <= target.count - written else { return -1 }
            Match.copy(in: target, at: written, offset: offset, length: rest + 4)
            written += rest + 4
        }
        return nil
    }

    /// xxHash-32 with seed 0.
    static func xxHash(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        let (p1, p2, p3): (UInt32, UInt32, UInt32) = (2_654_435_761, 2_246_822_519, 3_266_489_917)
        let (p4, p5): (UInt32, UInt32) = (668_265_263, 374_761_393)
        func rotated(_ value: UInt32, _ bits: UInt32) -> UInt32 { value << bits | value >> (32 - bits) }
        func word(_ position: Int) -> UInt32 {
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self))
        }
        var position = 0
        var hash = p5
        if bytes.count >= 16 {
            var (a, b, c, d) = (p1 &+ p2, p2, UInt32(0), 0 &- p1)
            func round(_ lane: UInt32, _ input: UInt32) -> UInt32 { rotated(lane &+ input &* p2, 13) &* p1 }
            while bytes.count - position >= 16 {
                a = round(a, word(position))
                b = round(b, word(position + 4))
                c = round(c, word(position + 8))
                d = round(d, word(position + 12))
                position += 16
            }
            hash = rotated(a, 1) &+ rotated(b, 7) &+ rotated(c, 12) &+ rotated(d, 18)
        }
        hash = hash &+ UInt32(truncatingIfNeeded: bytes.count)
        while bytes.count - position >= 4 {
            hash = rotated(hash &+ word(position) &* p3, 17) &* p4
            position += 4
        }
        while position < bytes.count {
            hash = rotated(hash &+ UInt32(bytes[position]) &* p5, 11) &* p1
            position += 1
        }
        hash = (hash ^ hash >> 15) &* p2
        hash = (hash ^ hash >> 13) &* p3
        return hash ^ hash >> 16
    }
}
