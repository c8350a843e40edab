/// One text the user gave us, with its lines. Offsets are UTF-8 bytes from 0, lines and columns count from 1, columns
/// in Unicode scalars.
///
/// A byte order mark is kept in `bytes` but is no column. UTF-16 with a byte order mark is read as such; offsets then
/// count in its UTF-8 form. Lines end at LF, CRLF or a lone CR.
///
/// Concurrency and memory: an immutable value that copies in constant time; holds the text once and eight bytes a line.
public struct SourceFile: Sendable {
    private final class Storage: Sendable {
        let name: String
        let bytes: [UInt8]
        let lineStarts: [Int]
        let invalidOffset: Int?

        init(name: String, bytes: [UInt8], invalidOffset: Int?) {
            self.name = name
            self.bytes = bytes
            self.lineStarts = SourceFile.lineStarts(bytes)
            self.invalidOffset = invalidOffset
        }
    }

    private let storage: Storage

    /// As the user named the file.
    public var name: String { storage.name }
    /// The text in UTF-8; always valid, because invalid sequences were replaced by U+FFFD.
    public var bytes: [UInt8] { storage.bytes }
    /// Where the first byte that was not UTF-8 stood; nil when all was well.
    public var firstInvalidOffset: Int? { storage.invalidOffset }
    /// How many lines the text has; a line break at the very end starts one more, empty line.
    public var lineCount: Int { storage.lineStarts.count }
    public var text: String { String(decoding: storage.bytes, as: UTF8.self) }

    public init(name: String, text: String) {
        storage = Storage(name: name, bytes: Array(text.utf8), invalidOffset: nil)
    }

    /// Any bytes are accepted.
    public init(name: String, bytes: [UInt8]) {
        if let wide = Self.decodeUTF16(bytes) {
            storage = Storage(name: name, bytes: Array(wide.utf8), invalidOffset: nil)
        } else if String(validating: bytes, as: UTF8.self) != nil {
            storage = Storage(name: name, bytes: bytes, invalidOffset: nil)
        } else {
            let repaired = Array(String(decoding: bytes, as: UTF8.self).utf8)
            let first = zip(bytes, repaired).enumerated().first { $0.element.0 != $0.element.1 }?.offset
            storage = Storage(
                name: name, bytes: repaired, invalidOffset: first ?? min(bytes.count, repaired.count))
        }
    }

    /// The place of a byte. Offsets outside the text are moved to its nearest end, offsets inside a scalar to its
    /// start.
    public func position(at offset: Int) -> SourcePosition {
        let offset = max(0, min(offset, bytes.count))
        let line = lineIndex(of: offset)
        let start = contentStart(line)
        let column = offset > start ? Self.scalarCount(storage.bytes[start..<scalarStart(offset)]) : 0
        return SourcePosition(line: line + 1, column: column + 1)
    }

    /// The byte a place names; columns past the end of the line give the end of the line.
    public func offset(of position: SourcePosition) -> Int {
        guard position.line >= 1 else { return contentStart(0) }
        guard position.line <= lineCount else { return bytes.count }
        let line = position.line - 1
        var offset = contentStart(line)
        let end = contentEnd(line)
        var remaining = position.column - 1
        while remaining > 0, offset < end {
            offset += 1
            while offset < end, Self.isContinuation(storage.bytes[offset]) { offset += 1 }
            remaining -= 1
        }
        return offset
    }

    public func range(_ offsets: Range<Int>) -> SourceRange {
        SourceRange(file: name, start: position(at: offsets.lowerBound), end: position(at: offsets.upperBound))
    }

    /// The text of a line, counted from 1, without its line break; nil when there is no such line.
    public func line(_ number: Int) -> String? {
        guard number >= 1, number <= lineCount else { return nil }
        let start = contentStart(number - 1)
        return String(decoding: storage.bytes[start..<max(start, contentEnd(number - 1))], as: UTF8.self)
    }

    private func lineIndex(of offset: Int) -> Int {
        var low = 0
        var high = lineCount
        while high - low > 1 {
            let middle = (low + high) / 2
            if storage.lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        return low
    }

    private func contentStart(_ line: Int) -> Int {
        if line == 0 { return bytes.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0 }
        return storage.lineStarts[line]
    }

    private func contentEnd(_ line: Int) -> Int {
        guard line + 1 < lineCount else { return bytes.count }
        var end = storage.lineStarts[line + 1] - 1
        if storage.bytes[end] == 0x0a, end > storage.lineStarts[line], storage.bytes[end - 1] == 0x0d { end -= 1 }
        return end
    }

    private func scalarStart(_ offset: Int) -> Int {
        var offset = offset
        while offset > 0, offset < bytes.count, Self.isContinuation(storage.bytes[offset]) { offset -= 1 }
        return offset
    }

    private static func isContinuation(_ byte: UInt8) -> Bool { byte & 0xc0 == 0x80 }

    private static func scalarCount(_ bytes: ArraySlice<UInt8>) -> Int {
        bytes.reduce(0) { $0 + (isContinuation($1) ? 0 : 1) }
    }

    private static func lineStarts(_ bytes: [UInt8]) -> [Int] {
        var starts = [0]
        for (offset, byte) in bytes.enumerated() {
            if byte == 0x0a {
                starts.append(offset + 1)
            } else if byte == 0x0d, offset + 1 >= bytes.count || bytes[offset + 1] != 0x0a {
                starts.append(offset + 1)
            }
        }
        return starts
    }

    private static func decodeUTF16(_ bytes: [UInt8]) -> String? {
        let isLittle = bytes.starts(with: [0xff, 0xfe])
        guard isLittle || bytes.starts(with: [0xfe, 0xff]) else { return nil }
        let units = stride(from: 2, to: bytes.count - 1, by: 2).map { position -> UInt16 in
            let (first, second) = (UInt16(bytes[position]), UInt16(bytes[position + 1]))
            return isLittle ? second << 8 | first : first << 8 | second
        }
        return String(decoding: units, as: UTF16.self)
    }
}

extension SourceFile: Hashable {
    public static func == (left: SourceFile, right: SourceFile) -> Bool {
        left.storage === right.storage || (left.name == right.name && left.bytes == right.bytes)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(name)
        hasher.combine(bytes.count)
    }
}
