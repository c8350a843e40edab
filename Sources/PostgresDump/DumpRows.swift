import Glibc

/// The rows behind `COPY … FROM stdin;`, up to the line `\.`, which may lie across chunks.
///
/// Concurrency and memory: a value; holds the beginning of that line, at most three bytes.
///
/// Source: PostgreSQL `src/bin/psql/copy.c`, `handleCopyIn`.
struct DumpRows: Sendable {
    /// What may be the beginning of the last line.
    private var held: [UInt8] = []
    private var isAtRowStart = true
    /// Nothing has been read yet.
    private(set) var isFresh = true

    /// Hands on rows up to the end of the chunk or the line `\.`.
    ///
    /// - Parameters:
    ///   - line: counts the line feeds passed.
    ///   - emit: gets whole or broken rows, as they are.
    /// - Returns: where reading stopped, and whether the line `\.` was there.
    mutating func read(
        _ buffer: UnsafeRawBufferPointer, from start: Int, line: inout Int, _ emit: ([UInt8]) throws -> Void
    ) throws -> (position: Int, isEnd: Bool) {
        isFresh = false
        guard held.isEmpty else { return try goOn(buffer, from: start, line: &line, emit) }
        guard let base = buffer.baseAddress else { return (buffer.count, false) }
        var position = start
        var isStart = isAtRowStart
        while position < buffer.count {
            if isStart, buffer[position] == 0x5c {
                let rest = Array(buffer[position...].prefix(4))
                switch Self.mayBeEnd(Self.upToLineBreak(rest)) {
                case true?:
                    if position > start { try emit(Array(buffer[start..<position])) }
                    line += 1
                    return (position + Self.upToLineBreak(rest).count, true)
                case nil:
                    if position > start { try emit(Array(buffer[start..<position])) }
                    held = rest
                    return (buffer.count, false)
                case false?: break
                }
            }
            guard let found = memchr(base + position, 0x0a, buffer.count - position) else {
                isAtRowStart = false
                try emit(Array(buffer[start...]))
                return (buffer.count, false)
            }
            position = base.distance(to: UnsafeRawPointer(found)) + 1
            line += 1
            isStart = true
        }
        isAtRowStart = isStart
        if position > start { try emit(Array(buffer[start..<position])) }
        return (buffer.count, false)
    }

    /// With what an earlier chunk ended in.
    private mutating func goOn(
        _ buffer: UnsafeRawBufferPointer, from start: Int, line: inout Int, _ emit: ([UInt8]) throws -> Void
    ) throws -> (position: Int, isEnd: Bool) {
        var position = start
        while position < buffer.count, Self.mayBeEnd(held) == nil {
            held.append(buffer[position])
            position += 1
        }
        guard let isEnd = Self.mayBeEnd(held) else { return (position, false) }
        let candidate = held
        held = []
        isAtRowStart = candidate.last == 0x0a
        if isAtRowStart { line += 1 }
        if !isEnd { try emit(candidate) }
        return (position, isEnd)
    }

    private static func upToLineBreak(_ bytes: [UInt8]) -> [UInt8] {
        bytes.firstIndex(of: 0x0a).map { Array(bytes[...$0]) } ?? bytes
    }

    /// Whether these bytes from a line's start are the line `\.`; nil when more must be seen.
    private static func mayBeEnd(_ bytes: [UInt8]) -> Bool? {
        if bytes == [0x5c, 0x2e, 0x0a] || bytes == [0x5c, 0x2e, 0x0d, 0x0a] { return true }
        let isBeginning = [0x5c, 0x2e, 0x0a].starts(with: bytes) || [0x5c, 0x2e, 0x0d, 0x0a].starts(with: bytes)
        return isBeginning ? nil : false
    }
}
