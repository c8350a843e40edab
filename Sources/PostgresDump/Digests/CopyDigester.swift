import Glibc

/// Digests the rows of every table of a plain dump while it streams through.
///
///     var digester = CopyDigester(key: key)
///     while let chunk = try await dump.read() { try digester.scan(chunk) }
///     let tables = try digester.finish()
///
/// Concurrency and memory: a value, used by one task. A row is never held: what of it lies in earlier chunks is in the
/// state of its hash. Holds the digests (about 200 bytes a table with short names) and the beginning of a COPY.
///
/// Source: PostgreSQL documentation, COPY, "Text Format": a line feed ends a row, data never has one, and `\.` alone on a
/// line ends the rows.
public struct CopyDigester: Sendable {
    private let key: RowHashKey
    private var lexer = DumpLexer(.copies)
    /// The table whose rows come now.
    private var copy: CopyHeader?
    private var content = RowsDigest()
    /// The row that began in an earlier chunk.
    private var row: PartialRow?
    /// The tables that are complete, in the order of the dump.
    public private(set) var tables: [TableDigest] = []
    /// Tables with names that are not UTF-8, by their position in `tables`.
    private(set) var foreignNames: [Int: CopyHeader] = [:]

    private struct PartialRow: Sendable {
        var hash: SipHash
        var count = 0
        /// Whether all of it so far could be `\.`.
        var mayBeEnd = true
    }

    public init(key: RowHashKey) { self.key = key }

    /// The name of the table whose rows come now, for progress.
    public var current: String? { copy.map { String(decoding: $0.table, as: UTF8.self) } }

    /// Takes the next bytes of the dump, cut anywhere.
    public mutating func scan(_ chunk: [UInt8]) throws {
        try chunk.withUnsafeBytes { bytes in
            var position = 0
            while position < bytes.count {
                if lexer.rowsFollow {
                    position = scanRows(bytes, from: position)
                } else {
                    var found: DumpStatement?
                    position = try lexer.readText(bytes, from: position) { found = $0 }
                    if let found { copy = CopyHeader(found.text) }
                }
            }
        }
    }

    /// The digests of all tables, in the order of the dump.
    ///
    /// - Throws: `PostgresError.Code.dump` when the dump ends among the rows of a table.
    public func finish() throws(PostgresError) -> [TableDigest] {
        guard let current else { return tables }
        throw PostgresError(
            .dump, "the dump ends among the rows of table \"\(current)\", after \(content.rows) of them",
            hint: "the program that made it died while dumping")
    }

    /// - Returns: where the rows in these bytes end.
    private mutating func scanRows(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        guard let base = bytes.baseAddress else { return bytes.count }
        var position = start
        if row != nil {
            let end = Self.lineEnd(base, from: position, count: bytes.count)
            extendRow(UnsafeRawBufferPointer(rebasing: bytes[position..<(end ?? bytes.count)]))
            guard let end else { return bytes.count }
            position = end + 1
            if finishRow() { return position }
        }
        var content = content
        defer { self.content = content }
        while position < bytes.count {
            guard let end = Self.lineEnd(base, from: position, count: bytes.count) else {
                row = PartialRow(hash: SipHash(key))
                extendRow(UnsafeRawBufferPointer(rebasing: bytes[position...]))
                return bytes.count
            }
            let count = end &- position
            if count == 2, bytes[position] == UInt8(ascii: "\\"), bytes[position &+ 1] == UInt8(ascii: ".") {
                finishTable(content)
                content = RowsDigest()
                return end &+ 1
            }
            content.add(code: SipHash.code(key, base + position, count), length: count)
            position = end &+ 1
        }
        return position
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

    /// - Returns: whether the row was the end of the table.
    private mutating func finishRow() -> Bool {
        guard let partial = row else { return false }
        row = nil
        if partial.mayBeEnd, partial.count == 2 {
            finishTable(content)
            content = RowsDigest()
            return true
        }
        content.add(code: partial.hash.finish(), length: partial.count)
        return false
    }

    private mutating func finishTable(_ content: RowsDigest) {
        lexer.endOfRows()
        guard let header = copy else { return }
        if !header.isUTF8 { foreignNames[tables.count] = header }
        tables.append(header.digest(content))
        copy = nil
    }
}
