/// BLAKE2b and BLAKE2s without a key (RFC 7693). libcrypto's keyed ones refuse an empty key and its plain ones have no
/// digest length, so this covers the one case they leave: a repository whose `secret` is empty. Not tuned.
enum Blake2 {
    /// The constants in which the two functions differ.
    struct Variant<Word: FixedWidthInteger & UnsignedInteger & Sendable>: Sendable {
        let initial: [Word]
        let rounds: Int
        let rotations: (Word, Word, Word, Word)
    }

    static let b = Variant<UInt64>(
        initial: [
            0x6a09_e667_f3bc_c908, 0xbb67_ae85_84ca_a73b, 0x3c6e_f372_fe94_f82b, 0xa54f_f53a_5f1d_36f1,
            0x510e_527f_ade6_82d1, 0x9b05_688c_2b3e_6c1f, 0x1f83_d9ab_fb41_bd6b, 0x5be0_cd19_137e_2179,
        ], rounds: 12, rotations: (32, 24, 16, 63))
    static let s = Variant<UInt32>(
        initial: [
            0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
        ], rounds: 10, rotations: (16, 12, 8, 7))

    private static let schedule: [[Int]] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
        [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
        [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
        [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
        [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
        [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
        [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
        [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
        [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
    ]
    private static let mixed: [(Int, Int, Int, Int)] = [
        (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
        (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
    ]

    /// - Parameter length: native digest length in bytes, 1 … 8 words.
    static func hash<Word>(_ input: RawSpan, _ variant: Variant<Word>, length: Int) -> [UInt8] {
        let wordBytes = MemoryLayout<Word>.size
        let blockBytes = 16 * wordBytes
        var state = variant.initial
        state[0] ^= 0x0101_0000 ^ Word(truncatingIfNeeded: length)
        input.withUnsafeBytes { bytes in
            var position = 0
            repeat {
                let count = min(blockBytes, bytes.count - position)
                let isLast = position + count == bytes.count
                var block = [UInt8](repeating: 0, count: blockBytes)
                for offset in 0..<count { block[offset] = bytes[position + offset] }
                let words = block.withUnsafeBytes { raw in
                    (0..<16).map {
                        Word(littleEndian: raw.loadUnaligned(fromByteOffset: $0 * wordBytes, as: Word.self))
                    }
                }
                position += count
                compress(&state, words, counter: UInt64(position), isLast: isLast, variant)
            } while position < bytes.count
        }
        var digest: [UInt8] = []
        for word in state {
            for byte in 0..<wordBytes { digest.append(UInt8(truncatingIfNeeded: word >> Word(8 * byte))) }
        }
        return Array(digest.prefix(length))
    }

    private static func compress<Word>(
        _ state: inout [Word], _ words: [Word], counter: UInt64, isLast: Bool, _ variant: Variant<Word>
    ) {
        var v = state + variant.initial
        v[12] ^= Word(truncatingIfNeeded: counter)
        if Word.bitWidth < 64 { v[13] ^= Word(truncatingIfNeeded: counter >> 32) }
        if isLast { v[14] = ~v[14] }
        func rotated(_ word: Word, _ bits: Word) -> Word { word >> bits | word << (Word(Word.bitWidth) - bits) }
        let (r1, r2, r3, r4) = variant.rotations
        for round in 0..<variant.rounds {
            let order = schedule[round % 10]
            for (step, (a, b, c, d)) in mixed.enumerated() {
                v[a] = v[a] &+ v[b] &+ words[order[2 * step]]
                v[d] = rotated(v[d] ^ v[a], r1)
                v[c] = v[c] &+ v[d]
                v[b] = rotated(v[b] ^ v[c], r2)
                v[a] = v[a] &+ v[b] &+ words[order[2 * step + 1]]
                v[d] = rotated(v[d] ^ v[a], r3)
                v[c] = v[c] &+ v[d]
                v[b] = rotated(v[b] ^ v[c], r4)
            }
        }
        for position in 0..<8 { state[position] ^= v[position] ^ v[position + 8] }
    }
}
