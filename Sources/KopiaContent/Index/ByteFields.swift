/// Big-endian fields inside a byte string. Reading never leaves the bounds: callers check a record's extent once, and a
/// mistake there is a `precondition`, not undefined behaviour.
extension [UInt8] {
    /// Unsigned, big-endian, `width` ≤ 8 bytes at `offset`.
    func bigEndian(at offset: Int, width: Int) -> UInt64 {
        var value: UInt64 = 0
        for position in offset..<(offset + width) { value = value << 8 | UInt64(self[position]) }
        return value
    }

    /// Appends the low `width` bytes of `value`, big-endian.
    mutating func appendBigEndian(_ value: UInt64, width: Int) {
        for shift in stride(from: (width - 1) * 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
        }
    }

    /// Appends LEB128, as protobuf's varint.
    mutating func appendUvarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }
}

/// Reads a varint and moves past it. Nil when it is cut off or does not fit 64 bits.
func readUvarint(_ bytes: some RandomAccessCollection<UInt8>, at position: inout Int) -> UInt64? {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while position < bytes.count {
        let byte = bytes[bytes.index(bytes.startIndex, offsetBy: position)]
        position += 1
        if shift == 63, byte > 1 { return nil }
        value |= UInt64(byte & 0x7f) << shift
        if byte < 0x80 { return value }
        shift += 7
        if shift > 63 { return nil }
    }
    return nil
}
