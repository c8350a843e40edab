/// SipHash-1-3 with 128 bits of output, as a stream.
///
/// Keyed, so that whoever writes the rows cannot look for two sets of rows with the same sum; short, so that a row of
/// a hundred bytes costs some tens of nanoseconds. Ours, because a library's interface costs more than the hash itself:
/// libcrypto's `EVP_MAC` has SipHash, but setting it up for each row takes about a microsecond.
///
/// Concurrency and memory: a value of 56 bytes.
///
/// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF"; the 128-bit output is that of the reference code,
/// `veorq/SipHash` `siphash.c`. One round a word and three at the end are what Rust's and Swift's hash tables use.
/// Vectors: the same bytes through libcrypto (`SIPHASH` with `c-rounds` 1, `d-rounds` 3, `size` 16).
struct SipHash: Sendable, Hashable {
    private var v0, v1, v2, v3: UInt64
    /// Bytes that do not fill a word yet, the first in the lowest place.
    private var tail: UInt64 = 0
    private var count: UInt64 = 0

    @inline(__always) init(_ key: RowHashKey) {
        v0 = key.low ^ 0x736f_6d65_7073_6575
        v1 = key.high ^ 0x646f_7261_6e64_6f6d ^ 0xee
        v2 = key.low ^ 0x6c79_6765_6e65_7261
        v3 = key.high ^ 0x7465_6462_7974_6573
    }

    @inline(__always) private mutating func round() {
        v0 &+= v1
        v2 &+= v3
        v1 = v1 << 13 | v1 >> 51
        v3 = v3 << 16 | v3 >> 48
        v1 ^= v0
        v3 ^= v2
        v0 = v0 << 32 | v0 >> 32
        v2 &+= v1
        v0 &+= v3
        v1 = v1 << 17 | v1 >> 47
        v3 = v3 << 21 | v3 >> 43
        v1 ^= v2
        v3 ^= v0
        v2 = v2 << 32 | v2 >> 32
    }

    @inline(__always) private mutating func absorb(_ word: UInt64) {
        v3 ^= word
        round()
        v0 ^= word
    }

    /// The next bytes of the message.
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return }
        var position = 0
        while count & 7 != 0, position < bytes.count {
            append(bytes[position])
            position += 1
        }
        while position &+ 8 <= bytes.count {
            absorb(UInt64(littleEndian: (start + position).loadUnaligned(as: UInt64.self)))
            position &+= 8
            count &+= 8
        }
        while position < bytes.count {
            append(bytes[position])
            position += 1
        }
    }

    private mutating func append(_ byte: UInt8) {
        tail |= UInt64(byte) << (8 * (count & 7))
        count &+= 1
        if count & 7 == 0 {
            absorb(tail)
            tail = 0
        }
    }

    /// The code of everything appended; the first byte of the reference code's output in the lowest place.
    @inline(__always) consuming func finish() -> UInt128 {
        absorb(count << 56 | tail)
        v2 ^= 0xee
        for _ in 0..<3 { round() }
        let low = v0 ^ v1 ^ v2 ^ v3
        v1 ^= 0xdd
        for _ in 0..<3 { round() }
        return UInt128(v0 ^ v1 ^ v2 ^ v3) << 64 | UInt128(low)
    }

    /// The code of one message in memory.
    @inline(__always) static func code(_ key: RowHashKey, _ start: UnsafeRawPointer, _ count: Int) -> UInt128 {
        var hash = SipHash(key)
        var word = start
        for _ in 0..<(count >> 3) {
            hash.absorb(UInt64(littleEndian: word.loadUnaligned(as: UInt64.self)))
            word += 8
        }
        var tail: UInt64 = 0
        for place in 0..<(count & 7) {
            tail |= UInt64((word + place).load(as: UInt8.self)) << UInt64(place &* 8)
        }
        hash.tail = tail
        hash.count = UInt64(truncatingIfNeeded: count)
        return hash.finish()
    }
}
