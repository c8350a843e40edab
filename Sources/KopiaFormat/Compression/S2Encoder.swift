/// Writes S2 streams: blocks of 1 MiB, greedy matches over a hash table, repeated offsets.
///
/// Concurrency and memory: a pure function; a table of 64 KiB (`isBetter`: 576 KiB) besides input and output.
///
/// Source: the format as in `S2Decoder`; the matching is ours.
enum S2Encoder {
    private static let blockLength = 1 << 20
    private static let identifier: [UInt8] = [0xff, 0x06, 0x00, 0x00] + Array("S2sTwO".utf8)

    /// `header ‖ stream`, or nil when that would be longer than `lengthMax`.
    ///
    /// - Parameter isBetter: looks harder: a second table over 8 bytes finds long matches first.
    static func compress(_ plaintext: [UInt8], isBetter: Bool, header: [UInt8], lengthMax: Int) -> [UInt8]? {
        var output = header + identifier
        guard output.count <= lengthMax else { return nil }
        output.reserveCapacity(min(lengthMax, plaintext.count / 2) + 1024)
        var finder = MatchFinder(isBetter: isBetter)
        for start in stride(from: 0, to: plaintext.count, by: blockLength) {
            let count = min(blockLength, plaintext.count - start)
            plaintext.withUnsafeBytes { all in
                appendChunk(UnsafeRawBufferPointer(rebasing: all[start..<start + count]), &finder, to: &output)
            }
            guard output.count <= lengthMax else { return nil }
        }
        return output
    }

    private static func appendChunk(
        _ block: UnsafeRawBufferPointer, _ finder: inout MatchFinder, to output: inout [UInt8]
    ) {
        let crc = CRC32.castagnoli.masked(block)
        // A block that is not smaller is stored as it is, so more room than that is never needed.
        var body = [UInt8](unsafeUninitializedCapacity: block.count) { buffer, filled in
            filled = finder.encode(block, into: UnsafeMutableRawBufferPointer(buffer)) ?? 0
        }
        var type: UInt8 = 0x00
        if body.isEmpty {
            type = 0x01
            body = Array(block)
        }
        let length = body.count + 4
        output.append(type)
        for shift in [0, 8, 16] { output.append(UInt8(truncatingIfNeeded: length >> shift)) }
        for shift in [0, 8, 16, 24] { output.append(UInt8(truncatingIfNeeded: crc >> UInt32(shift))) }
        output.append(contentsOf: body)
    }

    /// Finds matches and writes elements. The tables are reused from block to block, and cleared.
    private struct MatchFinder {
        private static let shortBits: UInt64 = 14
        private static let longBits: UInt64 = 17
        private var short = [Int32](repeating: -1, count: 1 << shortBits)
        private var long: [Int32]

        init(isBetter: Bool) {
            long = isBetter ? [Int32](repeating: -1, count: 1 << Self.longBits) : []
        }

        /// Bytes written, or nil when they do not fit into `target`.
        mutating func encode(_ block: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Int? {
            short.withUnsafeMutableBufferPointer { short in
                long.withUnsafeMutableBufferPointer { long in
                    short.update(repeating: -1)
                    long.update(repeating: -1)
                    var writer = ElementWriter(target: target)
                    writer.length(block.count)
                    if long.isEmpty {
                        Self.encode(block, short, &writer)
                    } else {
                        Self.encodeBetter(block, short, long, &writer)
                    }
                    return writer.isFull ? nil : writer.count
                }
            }
        }

        /// Four bytes to a slot of the short table; eight to one of the long table.
        @inline(__always) private static func shortSlot(_ word: UInt32) -> Int {
            Int(truncatingIfNeeded: (UInt64(word) &* 0x9E37_79B1_85EB_CA87) >> (64 - shortBits))
        }

        @inline(__always) private static func longSlot(_ word: UInt64) -> Int {
            Int(truncatingIfNeeded: (word &* 0x9E37_79B1_85EB_CA87) >> (64 - longBits))
        }

        @inline(__always) private static func load32(_ block: UnsafeRawBufferPointer, _ position: Int) -> UInt32 {
            block.loadUnaligned(fromByteOffset: position, as: UInt32.self)
        }

        @inline(__always) private static func load64(_ block: UnsafeRawBufferPointer, _ position: Int) -> UInt64 {
            block.loadUnaligned(fromByteOffset: position, as: UInt64.self)
        }

        /// How many bytes from `left` and `right` (which comes later) on are equal.
        @inline(__always)
        private static func commonLength(_ block: UnsafeRawBufferPointer, _ left: Int, _ right: Int) -> Int {
            var length = 0
            while block.count - right - length >= 8 {
                let difference = load64(block, left + length) ^ load64(block, right + length)
                if difference != 0 { return length + difference.littleEndian.trailingZeroBitCount / 8 }
                length += 8
            }
            while right + length < block.count, block[left + length] == block[right + length] { length += 1 }
            return length
        }

        private static func encode(
            _ block: UnsafeRawBufferPointer, _ table: UnsafeMutableBufferPointer<Int32>, _ writer: inout ElementWriter
        ) {
            let end = block.count - 8
            var (position, literalStart, lastOffset) = (0, 0, 0)
            while position < end, !writer.isFull {
                let word = load32(block, position)
                var candidate = position - lastOffset
                if lastOffset == 0 || load32(block, candidate) != word {
                    let slot = shortSlot(word)
                    candidate = Int(table[slot])
                    table[slot] = Int32(truncatingIfNeeded: position)
                    guard candidate >= 0, load32(block, candidate) == word else {
                        // The longer nothing matches, the larger the steps.
                        position += 1 + (position - literalStart) >> 6
                        continue
                    }
                }
                while position > literalStart, candidate > 0, block[position - 1] == block[candidate - 1] {
                    position -= 1
                    candidate -= 1
                }
                let length = 4 + commonLength(block, candidate + 4, position + 4)
                writer.literal(block, literalStart..<position)
                writer.copy(offset: position - candidate, length: length, lastOffset: &lastOffset)
                position += length
                literalStart = position
                if position < end {
                    table[shortSlot(load32(block, position - 2))] = Int32(truncatingIfNeeded: position - 2)
                }
            }
            writer.literal(block, literalStart..<block.count)
        }

        private static func encodeBetter(
            _ block: UnsafeRawBufferPointer, _ short: UnsafeMutableBufferPointer<Int32>,
            _ long: UnsafeMutableBufferPointer<Int32>, _ writer: inout ElementWriter
        ) {
            let end = block.count - 8
            var (position, literalStart, lastOffset) = (0, 0, 0)
            while position < end, !writer.isFull {
                let word = load64(block, position)
                let (longIndex, shortIndex) = (longSlot(word), shortSlot(UInt32(truncatingIfNeeded: word)))
                let (far, near) = (Int(long[longIndex]), Int(short[shortIndex]))
                long[longIndex] = Int32(truncatingIfNeeded: position)
                short[shortIndex] = Int32(truncatingIfNeeded: position)
                var (candidate, length) = (-1, 0)
                if far >= 0, load64(block, far) == word {
                    (candidate, length) = (far, 8 + commonLength(block, far + 8, position + 8))
                }
                if near >= 0, near != far, load32(block, near) == UInt32(truncatingIfNeeded: word) {
                    let nearLength = 4 + commonLength(block, near + 4, position + 4)
                    if nearLength > length { (candidate, length) = (near, nearLength) }
                }
                if lastOffset > 0, load32(block, position - lastOffset) == UInt32(truncatingIfNeeded: word) {
                    let repeated = 4 + commonLength(block, position - lastOffset + 4, position + 4)
                    // A repeat needs no offset: worth two bytes.
                    if repeated + 2 > length { (candidate, length) = (position - lastOffset, repeated) }
                }
                guard candidate >= 0 else {
                    position += 1 + (position - literalStart) >> 7
                    continue
                }
                while position > literalStart, candidate > 0, block[position - 1] == block[candidate - 1] {
                    position -= 1
                    candidate -= 1
                    length += 1
                }
                writer.literal(block, literalStart..<position)
                writer.copy(offset: position - candidate, length: length, lastOffset: &lastOffset)
                let next = position + length
                for inner in stride(from: position + 1, to: min(next, end), by: max(1, length / 8)) {
                    let word = load64(block, inner)
                    long[longSlot(word)] = Int32(truncatingIfNeeded: inner)
                    short[shortSlot(UInt32(truncatingIfNeeded: word))] = Int32(truncatingIfNeeded: inner)
                }
                position = next
                literalStart = next
            }
            writer.literal(block, literalStart..<block.count)
        }
    }

    /// Writes literals and copies into a fixed room; once it is full, nothing more is written.
    private struct ElementWriter {
        let target: UnsafeMutableRawBufferPointer
        private(set) var count = 0
        private(set) var isFull = false

        init(target: UnsafeMutableRawBufferPointer) { self.target = target }

        @inline(__always) private mutating func hasRoom(_ bytes: Int) -> Bool {
            if target.count - count < bytes { isFull = true }
            return !isFull
        }

        /// Writes eight bytes, of which `bytes` stay; the caller has made sure of the room.
        @inline(__always) private mutating func append(_ value: Int, bytes: Int) {
            target.storeBytes(of: UInt64(truncatingIfNeeded: value).littleEndian, toByteOffset: count, as: UInt64.self)
            count += bytes
        }

        /// uvarint
        mutating func length(_ value: Int) {
            guard hasRoom(16) else { return }
            var rest = value
            while rest >= 0x80 {
                append(rest & 0x7f | 0x80, bytes: 1)
                rest >>= 7
            }
            append(rest, bytes: 1)
        }

        @inline(__always) mutating func literal(_ block: UnsafeRawBufferPointer, _ range: Range<Int>) {
            guard !range.isEmpty, hasRoom(range.count + 16), let from = block.baseAddress, let to = target.baseAddress
            else {
                return
            }
            let value = range.count - 1
            switch value {
            case ..<60: append(value << 2, bytes: 1)
            case ..<(1 << 8): append(60 << 2 | value << 8, bytes: 2)
            case ..<(1 << 16): append(61 << 2 | value << 8, bytes: 3)
            default: append(62 << 2 | value << 8, bytes: 4)
            }
            let source = from + range.lowerBound
            if range.count <= 16, block.count - range.lowerBound >= 16 {
                (to + count).storeBytes(of: source.loadUnaligned(as: SIMD2<UInt64>.self), as: SIMD2<UInt64>.self)
            } else {
                (to + count).copyMemory(from: source, byteCount: range.count)
            }
            count += range.count
        }

        /// A copy of 4 or more bytes from less than 2^20 bytes before.
        @inline(__always) mutating func copy(offset: Int, length: Int, lastOffset: inout Int) {
            guard hasRoom(16) else { return }
            var length = length
            if offset != lastOffset {
                lastOffset = offset
                if offset < 2048, length < 12 {
                    append(1 | (length - 4) << 2 | (offset >> 8) << 5 | (offset & 255) << 8, bytes: 2)
                    return
                }
                // The rest is a repeat, which is 4 bytes or longer.
                let first = length > 64 && length < 68 ? 60 : min(length, 64)
                if offset < 1 << 16 {
                    append(2 | (first - 1) << 2 | offset << 8, bytes: 3)
                } else {
                    append(3 | (first - 1) << 2 | offset << 8, bytes: 5)
                }
                length -= first
                if length == 0 { return }
            }
            repeatCopy(length)
        }

        /// - Parameter length: 4 or more.
        @inline(__always) private mutating func repeatCopy(_ length: Int) {
            switch length {
            case ..<9: append(1 | (length - 4) << 2, bytes: 2)
            case ..<264: append(1 | 5 << 2 | (length - 8) << 16, bytes: 3)
            case ..<65_796: append(1 | 6 << 2 | (length - 260) << 16, bytes: 4)
            default: append(1 | 7 << 2 | (length - 65_540) << 16, bytes: 5)
            }
        }
    }
}
