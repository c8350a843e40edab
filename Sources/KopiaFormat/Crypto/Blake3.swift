/// BLAKE3 in keyed mode, and its key derivation: no system library has it.
///
/// A tree over chunks of 1024 bytes. Four whole chunks are hashed side by side in the lanes of one vector; what is left
/// and the inner nodes are hashed one by one.
///
/// Concurrency and memory: a pure function of its input; 54 chaining values at most.
///
/// Source: the BLAKE3 paper, section 2; kopia's key rule `repo/hashing/blake3_hashes.go`, `kopia-format` §3.2.
/// Vectors: `Tests/KopiaFormatTests/Fixtures/hash-vectors.json`.
struct Blake3: Sendable {
    private typealias Node = SIMD8<UInt32>

    private struct Flags {
        static let chunkStart: UInt32 = 1
        static let chunkEnd: UInt32 = 2
        static let parent: UInt32 = 4
        static let root: UInt32 = 8
        static let keyedHash: UInt32 = 16
        static let deriveKeyContext: UInt32 = 32
        static let deriveKeyMaterial: UInt32 = 64
    }

    private static let initial = Node(
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19)
    private static let chunkBytes = 1024
    private static let blockBytes = 64

    private let key: Node
    private let mode: UInt32

    private init(key: Node, mode: UInt32) {
        self.key = key
        self.mode = mode
    }

    /// Keyed mode with the first 32 bytes of `secret`; a shorter one is stretched by key derivation, as kopia does.
    init(kopiaSecret secret: [UInt8]) {
        var key = Array(secret.prefix(32))
        if key.count < 32 {
            let context = Blake3(key: Self.initial, mode: Flags.deriveKeyContext)
                .hash(Array("kopia blake3 derived key v1".utf8).span.bytes)
            key = Blake3(key: Self.node(context), mode: Flags.deriveKeyMaterial).hash(secret.span.bytes)
        }
        self.init(key: Self.node(key), mode: Flags.keyedHash)
    }

    /// 32 bytes.
    func hash(_ input: RawSpan) -> [UInt8] {
        input.withUnsafeBytes { bytes in
            var stack: [Node] = []
            stack.reserveCapacity(56)
            var position = 0
            var chunk: UInt64 = 0
            // The last chunk stays behind: its node may be the root.
            while bytes.count - position > 4 * Self.chunkBytes {
                let nodes = fourChunks(bytes, at: position, number: chunk)
                for lane in 0..<4 {
                    chunk += 1
                    push(
                        Node(
                            nodes.0[lane], nodes.1[lane], nodes.2[lane], nodes.3[lane], nodes.4[lane], nodes.5[lane],
                            nodes.6[lane], nodes.7[lane]), count: chunk, &stack)
                }
                position += 4 * Self.chunkBytes
            }
            while bytes.count - position > Self.chunkBytes {
                let last = lastBlock(of: bytes, from: position, count: Self.chunkBytes, number: chunk)
                chunk += 1
                push(last.node(extraFlags: 0), count: chunk, &stack)
                position += Self.chunkBytes
            }
            var output = lastBlock(of: bytes, from: position, count: bytes.count - position, number: chunk)
            while let left = stack.popLast() { output = parent(left, output.node(extraFlags: 0)) }
            let root = output.node(extraFlags: Flags.root)
            var digest: [UInt8] = []
            digest.reserveCapacity(32)
            for lane in 0..<8 {
                for shift in 0..<4 { digest.append(UInt8(truncatingIfNeeded: root[lane] >> UInt32(8 * shift))) }
            }
            return digest
        }
    }

    // MARK: The tree

    /// A compression that is ready to run, once it is known whether it is the root.
    private struct Pending {
        let input: Node
        let block: SIMD16<UInt32>
        let counter: UInt64
        let length: UInt32
        let flags: UInt32

        func node(extraFlags: UInt32) -> Node {
            Blake3.compress(input, block, counter: counter, length: length, flags: flags | extraFlags)
        }
    }

    /// Adds the node of chunk number `count - 1` and joins what is complete.
    private func push(_ node: Node, count: UInt64, _ stack: inout [Node]) {
        var node = node
        var rest = count
        while rest & 1 == 0, let left = stack.popLast() {
            node = parent(left, node).node(extraFlags: 0)
            rest >>= 1
        }
        stack.append(node)
    }

    private func parent(_ left: Node, _ right: Node) -> Pending {
        Pending(
            input: key, block: SIMD16(lowHalf: left, highHalf: right), counter: 0,
            length: UInt32(Self.blockBytes), flags: mode | Flags.parent)
    }

    /// Hashes all blocks of a chunk but the last. An empty input is one empty block.
    private func lastBlock(
        of bytes: UnsafeRawBufferPointer, from start: Int, count: Int, number: UInt64
    ) -> Pending {
        var node = key
        var position = 0
        var flags = mode | Flags.chunkStart
        while count - position > Self.blockBytes {
            let block = Self.block(bytes, at: start + position, count: Self.blockBytes)
            node = Self.compress(node, block, counter: number, length: UInt32(Self.blockBytes), flags: flags)
            flags = mode
            position += Self.blockBytes
        }
        return Pending(
            input: node, block: Self.block(bytes, at: start + position, count: count - position), counter: number,
            length: UInt32(count - position), flags: flags | Flags.chunkEnd)
    }

    private static func block(_ bytes: UnsafeRawBufferPointer, at start: Int, count: Int) -> SIMD16<UInt32> {
        if count == blockBytes { return bytes.loadUnaligned(fromByteOffset: start, as: SIMD16<UInt32>.self) }
        var block = SIMD16<UInt32>()
        for offset in 0..<count { block[offset / 4] |= UInt32(bytes[start + offset]) << UInt32(offset % 4 * 8) }
        return block
    }

    private static func node(_ bytes: [UInt8]) -> Node {
        var node = Node()
        for (offset, byte) in bytes.prefix(32).enumerated() {
            node[offset / 4] |= UInt32(byte) << UInt32(offset % 4 * 8)
        }
        return node
    }
}

// MARK: - The compression function

/// What the compression function needs of a word: one 32-bit number, or one per lane.
///
/// Methods, not operators: a protocol's operator would be bound to the generic one of all vectors, which works lane by
/// lane, instead of the one of this vector, which is an instruction.
private protocol Blake3Word {
    func plus(_ other: Self) -> Self
    func xor(_ other: Self) -> Self
    func rotatedRight(_ bits: UInt32) -> Self
}

extension UInt32: Blake3Word {
    @inline(__always) fileprivate func plus(_ other: UInt32) -> UInt32 { self &+ other }
    @inline(__always) fileprivate func xor(_ other: UInt32) -> UInt32 { self ^ other }
    @inline(__always) fileprivate func rotatedRight(_ bits: UInt32) -> UInt32 { self &>> bits | self &<< (32 &- bits) }
}

extension SIMD4<UInt32>: Blake3Word {
    @inline(__always) fileprivate func plus(_ other: SIMD4<UInt32>) -> SIMD4<UInt32> { self &+ other }
    @inline(__always) fileprivate func xor(_ other: SIMD4<UInt32>) -> SIMD4<UInt32> { self ^ other }
    @inline(__always) fileprivate func rotatedRight(_ bits: UInt32) -> SIMD4<UInt32> {
        // Added, not or-ed: the compiler takes an or for a rotation, which it then does lane by lane.
        (self &>> SIMD4(repeating: bits)) &+ (self &<< SIMD4(repeating: 32 &- bits))
    }
}

/// The 16 words of state, as fields so that they stay in registers.
private struct Blake3State<Word: Blake3Word> {
    var v0: Word, v1: Word, v2: Word, v3: Word, v4: Word, v5: Word, v6: Word, v7: Word
    var v8: Word, v9: Word, v10: Word, v11: Word, v12: Word, v13: Word, v14: Word, v15: Word

    @inline(__always)
    private static func mix(_ a: inout Word, _ b: inout Word, _ c: inout Word, _ d: inout Word, _ x: Word, _ y: Word) {
        a = a.plus(b).plus(x)
        d = d.xor(a).rotatedRight(16)
        c = c.plus(d)
        b = b.xor(c).rotatedRight(12)
        a = a.plus(b).plus(y)
        d = d.xor(a).rotatedRight(8)
        c = c.plus(d)
        b = b.xor(c).rotatedRight(7)
    }

    private typealias Order = (Int, Int, Int, Int, Int, Int, Int, Int)

    /// One round: columns, then diagonals.
    @inline(__always)
    private mutating func round(_ m: UnsafePointer<Word>, _ c: Order, _ d: Order) {
        Self.mix(&v0, &v4, &v8, &v12, m[c.0], m[c.1])
        Self.mix(&v1, &v5, &v9, &v13, m[c.2], m[c.3])
        Self.mix(&v2, &v6, &v10, &v14, m[c.4], m[c.5])
        Self.mix(&v3, &v7, &v11, &v15, m[c.6], m[c.7])
        Self.mix(&v0, &v5, &v10, &v15, m[d.0], m[d.1])
        Self.mix(&v1, &v6, &v11, &v12, m[d.2], m[d.3])
        Self.mix(&v2, &v7, &v8, &v13, m[d.4], m[d.5])
        Self.mix(&v3, &v4, &v9, &v14, m[d.6], m[d.7])
    }

    /// Seven rounds over the 16 words at `m`, each in the order that the permutation gives.
    @inline(__always)
    mutating func run(_ m: UnsafePointer<Word>) {
        round(m, (0, 1, 2, 3, 4, 5, 6, 7), (8, 9, 10, 11, 12, 13, 14, 15))
        round(m, (2, 6, 3, 10, 7, 0, 4, 13), (1, 11, 12, 5, 9, 14, 15, 8))
        round(m, (3, 4, 10, 12, 13, 2, 7, 14), (6, 5, 9, 0, 11, 15, 8, 1))
        round(m, (10, 7, 12, 9, 14, 3, 13, 15), (4, 0, 11, 2, 5, 8, 1, 6))
        round(m, (12, 13, 9, 11, 15, 10, 14, 8), (7, 2, 5, 3, 0, 1, 6, 4))
        round(m, (9, 14, 11, 5, 8, 12, 15, 1), (13, 3, 0, 10, 2, 6, 4, 7))
        round(m, (11, 15, 5, 0, 1, 9, 8, 6), (14, 10, 2, 12, 3, 4, 7, 13))
    }
}

extension Blake3 {
    private static func compress(
        _ node: SIMD8<UInt32>, _ block: SIMD16<UInt32>, counter: UInt64, length: UInt32, flags: UInt32
    ) -> SIMD8<UInt32> {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 16) { room in
            for index in 0..<16 { room[index] = UInt32(littleEndian: block[index]) }
            var state = Blake3State<UInt32>(
                v0: node[0], v1: node[1], v2: node[2], v3: node[3], v4: node[4], v5: node[5], v6: node[6], v7: node[7],
                v8: initial[0], v9: initial[1], v10: initial[2], v11: initial[3],
                v12: UInt32(truncatingIfNeeded: counter), v13: UInt32(truncatingIfNeeded: counter >> 32), v14: length,
                v15: flags)
            if let base = room.baseAddress { state.run(base) }
            return SIMD8(
                state.v0 ^ state.v8, state.v1 ^ state.v9, state.v2 ^ state.v10, state.v3 ^ state.v11,
                state.v4 ^ state.v12, state.v5 ^ state.v13, state.v6 ^ state.v14, state.v7 ^ state.v15)
        }
    }

    private typealias Lanes = SIMD4<UInt32>
    private typealias FourNodes = (Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes)

    /// The nodes of four whole chunks: word `i` of chunk `lane` is `result.i[lane]`.
    private func fourChunks(_ bytes: UnsafeRawBufferPointer, at start: Int, number: UInt64) -> FourNodes {
        func all(_ word: UInt32) -> Lanes { Lanes(repeating: word) }
        var n: FourNodes = (
            all(key[0]), all(key[1]), all(key[2]), all(key[3]), all(key[4]), all(key[5]), all(key[6]), all(key[7])
        )
        var low = Lanes()
        var high = Lanes()
        for lane in 0..<4 {
            low[lane] = UInt32(truncatingIfNeeded: number &+ UInt64(lane))
            high[lane] = UInt32(truncatingIfNeeded: (number &+ UInt64(lane)) >> 32)
        }
        withUnsafeTemporaryAllocation(of: Lanes.self, capacity: 16) { room in
            guard let words = room.baseAddress else { return }
            for block in 0..<16 {
                Self.transpose(bytes, at: start + block * Self.blockBytes, into: words)
                let flags = mode | (block == 0 ? Flags.chunkStart : 0) | (block == 15 ? Flags.chunkEnd : 0)
                var state = Blake3State<Lanes>(
                    v0: n.0, v1: n.1, v2: n.2, v3: n.3, v4: n.4, v5: n.5, v6: n.6, v7: n.7,
                    v8: all(Self.initial[0]), v9: all(Self.initial[1]), v10: all(Self.initial[2]),
                    v11: all(Self.initial[3]), v12: low, v13: high, v14: all(UInt32(Self.blockBytes)), v15: all(flags))
                state.run(words)
                n = (
                    state.v0 ^ state.v8, state.v1 ^ state.v9, state.v2 ^ state.v10, state.v3 ^ state.v11,
                    state.v4 ^ state.v12, state.v5 ^ state.v13, state.v6 ^ state.v14, state.v7 ^ state.v15
                )
            }
        }
        return n
    }

    /// Word `i` of the block in each of four chunks becomes the lanes of `words[i]`.
    private static func transpose(
        _ bytes: UnsafeRawBufferPointer, at start: Int, into words: UnsafeMutablePointer<SIMD4<UInt32>>
    ) {
        for quarter in 0..<4 {
            let offset = start + quarter * 16
            let a = bytes.loadUnaligned(fromByteOffset: offset, as: SIMD4<UInt32>.self)
            let b = bytes.loadUnaligned(fromByteOffset: offset + chunkBytes, as: SIMD4<UInt32>.self)
            let c = bytes.loadUnaligned(fromByteOffset: offset + 2 * chunkBytes, as: SIMD4<UInt32>.self)
            let d = bytes.loadUnaligned(fromByteOffset: offset + 3 * chunkBytes, as: SIMD4<UInt32>.self)
            words[quarter * 4] = SIMD4(a.x, b.x, c.x, d.x)
            words[quarter * 4 + 1] = SIMD4(a.y, b.y, c.y, d.y)
            words[quarter * 4 + 2] = SIMD4(a.z, b.z, c.z, d.z)
            words[quarter * 4 + 3] = SIMD4(a.w, b.w, c.w, d.w)
        }
    }
}
