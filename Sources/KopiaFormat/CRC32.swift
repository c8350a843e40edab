/// A CRC of 32 bits, sixteen bytes at a time by table. zlib's is faster on long inputs, but shards of error correction
/// are 64 bytes; and the Castagnoli polynomial of S2 is in no library.
///
/// Concurrency and memory: immutable; 16 KiB of tables each.
struct CRC32: Sendable {
    /// zlib's and gzip's.
    static let ieee = CRC32(polynomial: 0xedb8_8320)
    /// RFC 3720 appendix B.4 has test values.
    static let castagnoli = CRC32(polynomial: 0x82f6_3b78)

    private static let slices = 16
    /// Sixteen tables of 256, one after another; the first is the usual one, each next one for a byte further ahead.
    private let tables: [UInt32]

    /// - Parameter polynomial: reflected.
    private init(polynomial: UInt32) {
        var tables = [UInt32](repeating: 0, count: Self.slices * 256)
        for byte in 0..<256 {
            var value = UInt32(byte)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ polynomial : value >> 1 }
            tables[byte] = value
        }
        for place in 256..<tables.count {
            let previous = tables[place - 256]
            tables[place] = previous >> 8 ^ tables[Int(previous & 255)]
        }
        self.tables = tables
    }

    func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        tables.withUnsafeBufferPointer { tables in
            guard let table = tables.baseAddress, let base = bytes.baseAddress else { return 0 }
            var crc: UInt32 = 0xffff_ffff
            var position = 0
            while bytes.count - position >= 16 {
                let first = UInt64(littleEndian: (base + position).loadUnaligned(as: UInt64.self)) ^ UInt64(crc)
                let second = UInt64(littleEndian: (base + position + 8).loadUnaligned(as: UInt64.self))
                crc = Self.look(first, table + 8 * 256) ^ Self.look(second, table)
                position += 16
            }
            while position < bytes.count {
                crc = crc >> 8 ^ table[Int((crc ^ UInt32(bytes[position])) & 255)]
                position += 1
            }
            return ~crc
        }
    }

    /// Eight bytes through the eight tables from `table` on, the first byte through the last table.
    @inline(__always) private static func look(_ word: UInt64, _ table: UnsafePointer<UInt32>) -> UInt32 {
        let low =
            table[1792 + Int(word & 255)] ^ table[1536 + Int(word >> 8 & 255)] ^ table[1280 + Int(word >> 16 & 255)]
            ^ table[1024 + Int(word >> 24 & 255)]
        let high =
            table[768 + Int(word >> 32 & 255)] ^ table[512 + Int(word >> 40 & 255)] ^ table[256 + Int(word >> 48 & 255)]
            ^ table[Int(word >> 56)]
        return low ^ high
    }

    /// Rotated and offset, as Snappy streams store it.
    func masked(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        let crc = checksum(bytes)
        return (crc >> 15 | crc << 17) &+ 0xa282_ead8
    }
}
