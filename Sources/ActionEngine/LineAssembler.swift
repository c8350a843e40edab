/// Cuts a byte stream into lines, the same whatever pieces it arrives in.
///
/// Concurrency and memory: a plain value; holds at most `limit` bytes of the line in the making. What is over is
/// counted, not kept.
package struct LineAssembler: Sendable {
    package struct Line: Sendable, Hashable {
        /// Without the line break; a `\r` before it is removed too.
        package var text: [UInt8]
        package var droppedBytes: Int
    }

    private let limit: Int
    private var text: [UInt8] = []
    private var dropped = 0
    private var isOpen = false

    package init(limit: Int = 64 << 10) { self.limit = limit }

    /// - Returns: the lines that `bytes` completes.
    package mutating func append(_ bytes: [UInt8]) -> [Line] {
        var lines: [Line] = []
        var rest = bytes[...]
        while let end = rest.firstIndex(of: 0x0a) {
            take(rest[..<end])
            lines.append(close())
            rest = rest[(end + 1)...]
        }
        if !rest.isEmpty { take(rest) }
        return lines
    }

    /// The last line, when the stream does not end with a line break.
    package mutating func finish() -> Line? { isOpen ? close() : nil }

    private mutating func take(_ bytes: ArraySlice<UInt8>) {
        isOpen = true
        let kept = bytes.prefix(max(0, limit - text.count))
        text.append(contentsOf: kept)
        dropped += bytes.count - kept.count
    }

    private mutating func close() -> Line {
        defer {
            text = []
            dropped = 0
            isOpen = false
        }
        if dropped == 0, text.last == 0x0d { text.removeLast() }
        return Line(text: text, droppedBytes: dropped)
    }
}
