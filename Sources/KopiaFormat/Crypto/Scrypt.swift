internal import COpenSSL

/// scrypt that keeps every other block of its table and computes the ones between again when they are asked for: half of
/// libcrypto's memory. libcrypto cannot do that, and its 64 MiB would be the peak of a whole backup. PBKDF2
/// and SHA-256 are libcrypto's.
///
/// Concurrency and memory: synchronous; holds 64 · r · N bytes (32 MiB for kopia's parameters), wiped before it returns.
///
/// Source: RFC 7914. Vectors: those of the RFC, and libcrypto beside it (`ScryptTests`).
enum Scrypt {
    /// Of so many consecutive blocks of the table one is kept; a power of two. Twice this would save 16 MiB, which the stream
    /// that follows needs anyway, and take 0.04 s more.
    static let stride = 2

    /// - Parameters:
    ///   - n: a power of two, at least 2 and at most 2^32.
    ///   - r, p: at least 1; r · p below 2^30.
    /// - Returns: `length` bytes; nil when libcrypto refuses the lengths.
    static func key(
        password: some Collection<UInt8>, salt: [UInt8], n: Int, r: Int, p: Int, length: Int, stride: Int = stride
    ) -> [UInt8]? {
        precondition(n > 1 && n & (n - 1) == 0 && n <= 1 << 32 && r > 0 && p > 0 && r * p < 1 << 30)
        // A nil password means something else to libcrypto than an empty one.
        var secret = Array(password) + [0]
        defer { for position in secret.indices { secret[position] = 0 } }
        guard var blocks = pbkdf2(secret, count: secret.count - 1, salt: salt, length: p * 128 * r) else { return nil }
        defer { for position in blocks.indices { blocks[position] = 0 } }
        blocks.withUnsafeMutableBytes { bytes in
            for block in 0..<p { mix(bytes, from: block * 128 * r, n: n, r: r, stride: min(stride, n)) }
        }
        return pbkdf2(secret, count: secret.count - 1, salt: blocks, length: length)
    }

    private static func pbkdf2(_ password: [UInt8], count: Int, salt: [UInt8], length: Int) -> [UInt8]? {
        guard let passwordCount = Int32(exactly: count), let saltCount = Int32(exactly: salt.count),
            let keyCount = Int32(exactly: length)
        else { return nil }
        var key = [UInt8](repeating: 0, count: length)
        let isDone = password.withUnsafeBytes { bytes in
            PKCS5_PBKDF2_HMAC(
                bytes.baseAddress?.assumingMemoryBound(to: CChar.self), passwordCount, salt, saltCount, 1, EVP_sha256(),
                keyCount, &key) == 1
        }
        return isDone ? key : nil
    }

    // MARK: ROMix

    /// scryptROMix on 128 · r bytes of `bytes`.
    private static func mix(_ bytes: UnsafeMutableRawBufferPointer, from start: Int, n: Int, r: Int, stride: Int) {
        let width = 32 * r
        let table = UnsafeMutablePointer<UInt32>.allocate(capacity: (n / stride + 3) * width)
        defer {
            table.update(repeating: 0, count: (n / stride + 3) * width)
            table.deallocate()
        }
        table.initialize(repeating: 0, count: 3 * width)
        var (current, other, again) = (table, table + width, table + 2 * width)
        let kept = table + 3 * width
        for word in 0..<width {
            current[word] = UInt32(
                littleEndian: bytes.loadUnaligned(fromByteOffset: start + 4 * word, as: UInt32.self))
        }
        for number in 0..<n {
            if number & (stride - 1) == 0 {
                (kept + number / stride * width).initialize(from: current, count: width)
            }
            blockMix(current, to: other, r: r)
            swap(&current, &other)
        }
        for _ in 0..<n {
            let number = Int(current[width - 16]) & (n - 1)
            var found = kept + number / stride * width
            for step in 0..<(number & (stride - 1)) {
                // The first comes from the table, which must stay as it is.
                if step > 0 { swap(&again, &other) }
                blockMix(step == 0 ? found : other, to: again, r: r)
                found = again
            }
            for word in 0..<width { current[word] ^= found[word] }
            blockMix(current, to: other, r: r)
            swap(&current, &other)
        }
        for word in 0..<width {
            bytes.storeBytes(of: current[word].littleEndian, toByteOffset: start + 4 * word, as: UInt32.self)
        }
    }

    /// scryptBlockMix with Salsa20/8: 2 · r blocks of 64 bytes, the even ones first in `output`. The words are locals, so that
    /// they stay in registers: vectors of four come out of the compiler four times slower.
    @inline(__always)
    private static func blockMix(_ input: UnsafeMutablePointer<UInt32>, to output: UnsafeMutablePointer<UInt32>, r: Int)
    {
        var before = UnsafePointer(input + 32 * r - 16)
        for block in 0..<(2 * r) {
            let target = output + 16 * (block / 2 + (block & 1) * r)
            salsa(UnsafePointer(input + 16 * block), before, to: target)
            before = UnsafePointer(target)
        }
    }

    /// Salsa20/8 of `a` ^ `b`.
    @inline(__always)
    private static func salsa(
        _ a: UnsafePointer<UInt32>, _ b: UnsafePointer<UInt32>, to out: UnsafeMutablePointer<UInt32>
    ) {
        var (x0, x1, x2, x3) = (a[0] ^ b[0], a[1] ^ b[1], a[2] ^ b[2], a[3] ^ b[3])
        var (x4, x5, x6, x7) = (a[4] ^ b[4], a[5] ^ b[5], a[6] ^ b[6], a[7] ^ b[7])
        var (x8, x9, x10, x11) = (a[8] ^ b[8], a[9] ^ b[9], a[10] ^ b[10], a[11] ^ b[11])
        var (x12, x13, x14, x15) = (a[12] ^ b[12], a[13] ^ b[13], a[14] ^ b[14], a[15] ^ b[15])
        let (y0, y1, y2, y3, y4, y5, y6, y7) = (x0, x1, x2, x3, x4, x5, x6, x7)
        let (y8, y9, y10, y11, y12, y13, y14, y15) = (x8, x9, x10, x11, x12, x13, x14, x15)
        for _ in 0..<4 {
            quarter(&x0, &x4, &x8, &x12)
            quarter(&x5, &x9, &x13, &x1)
            quarter(&x10, &x14, &x2, &x6)
            quarter(&x15, &x3, &x7, &x11)
            quarter(&x0, &x1, &x2, &x3)
            quarter(&x5, &x6, &x7, &x4)
            quarter(&x10, &x11, &x8, &x9)
            quarter(&x15, &x12, &x13, &x14)
        }
        (out[0], out[1], out[2], out[3]) = (x0 &+ y0, x1 &+ y1, x2 &+ y2, x3 &+ y3)
        (out[4], out[5], out[6], out[7]) = (x4 &+ y4, x5 &+ y5, x6 &+ y6, x7 &+ y7)
        (out[8], out[9], out[10], out[11]) = (x8 &+ y8, x9 &+ y9, x10 &+ y10, x11 &+ y11)
        (out[12], out[13], out[14], out[15]) = (x12 &+ y12, x13 &+ y13, x14 &+ y14, x15 &+ y15)
    }

    @inline(__always)
    private static func quarter(_ a: inout UInt32, _ b: inout UInt32, _ c: inout UInt32, _ d: inout UInt32) {
        b ^= rotated(a &+ d, 7)
        c ^= rotated(b &+ a, 9)
        d ^= rotated(c &+ b, 13)
        a ^= rotated(d &+ c, 18)
    }

    @inline(__always)
    private static func rotated(_ word: UInt32, _ count: UInt32) -> UInt32 { word &<< count | word &>> (32 &- count) }
}
