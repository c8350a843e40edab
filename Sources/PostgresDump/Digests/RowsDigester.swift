import Glibc

/// Digests rows of COPY's text form, cut anywhere, up to the line `\.`.
///
/// Concurrency and memory: a value. A row is never held: what of it lies in earlier chunks is in the state of its hash.
struct RowsDigester: Sendable {
    private let key: RowHashKey
    /// Of the rows that are whole.
    private(set) var content = RowsDigest()
    /// The row that began in an earlier chunk.
    private var row: PartialRow?

    private struct PartialRow: Sendable {
        var hash: SipHash
        var count = 0
        /// Whether all of it so far could be `\.`.
        var mayBeEnd = true
    }

    init(key: RowHashKey) { self.key = key }

    /// Whether the last row has no line feed yet.
    var isInRow: Bool { row != nil }

    /// - Returns: where the rows in these bytes end, and whether the line `\.` was there.
    mutating func scan(_ bytes: UnsafeRawBufferPointer, from start: Int) -> (position: Int, isEnd: Bool) {
        guard let base = bytes.baseAddress else { return (bytes.count, false) }
        var position = start
        if row != nil {
            let end = Self.lineEnd(base, from: position, count: bytes.count)
            extendRow(UnsafeRawBufferPointer(rebasing: bytes[position..<(end ?? bytes.count)]))
            guard let end else { return (bytes.count, false) }
            position = end + 1
            if finishRow() { return (position, true) }
        }
        var content = content
        defer { self.content = content }
        while position < bytes.count {
            guard let end = Self.lineEnd(base, from: position, count: bytes.count) else {
                row = PartialRow(hash: SipHash(key))
                extendRow(UnsafeRawBufferPointer(rebasing: bytes[position...]))
                return (bytes.count, false)
            }
            let count = end &- position
            if count == 2, bytes[position] == UInt8(ascii: "\\"), bytes[position &+ 1] == UInt8(ascii: ".") {
                return (end &+ 1, true)
            }
            content.add(code: SipHash.code(key, base + position, count), length: count)
            position = end &+ 1
        }
        return (position, false)
    }

    @inline(__always)
    private static func lineEnd(_ base: UnsafeRawPointer, from start: Int, count: Int) -> Int? {
        guard let found = memchr(base + start, 0x0a, count &- start) else { return nil }
        return base.distance(to: UnsafeRawPointer(found))
    }

    private mutating func extendRow(_ bytes: UnsafeRawBufferPointer) {
        guard var partial = row else { return }
        let end: [UInt8] = [UInt8(ascii: "\\"), UInt8(ascii: ".")]
        if partial.mayBeEnd {
            for (place, byte) in bytes.prefix(3).enumerated() {
                let index = partial.count + place
                if index >= end.count || end[index] != byte { partial.mayBeEnd = false }
            }
        }
        partial.hash.append(bytes)
        partial.count += bytes.count
        row = partial
    }

    /// - Returns: whether the row was the line `\.`.
    private mutating func finishRow() -> Bool {
        guard let partial = row else { return false }
        row = nil
        if partial.mayBeEnd, partial.count == 2 { return true }
        content.add(code: partial.hash.finish(), length: partial.count)
        return false
    }
}
