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
    private var rows: RowsDigester
    /// Bytes of the dump before the next chunk, and before the first row that comes now.
    private var offset: Int64 = 0
    private var start: Int64 = 0
    /// The tables that are complete, in the order of the dump.
    public private(set) var tables: [TableDigest] = []
    /// Tables with names that are not UTF-8, by their position in `tables`.
    private(set) var foreignNames: [Int: CopyHeader] = [:]

    public init(key: RowHashKey) {
        self.key = key
        rows = RowsDigester(key: key)
    }

    /// The name of the table whose rows come now, for progress.
    public var current: String? { copy.map { String(decoding: $0.table, as: UTF8.self) } }

    /// Takes the next bytes of the dump, cut anywhere.
    public mutating func scan(_ chunk: [UInt8]) throws {
        try chunk.withUnsafeBytes { bytes in
            var position = 0
            while position < bytes.count {
                if lexer.rowsFollow {
                    let read = rows.scan(bytes, from: position)
                    position = read.position
                    if read.isEnd { finishTable() }
                } else {
                    var found: DumpStatement?
                    position = try lexer.readText(bytes, from: position) { found = $0 }
                    if let found { copy = CopyHeader(found.text) }
                    if lexer.rowsFollow { start = offset &+ Int64(position) }
                }
            }
        }
        offset &+= Int64(chunk.count)
    }

    /// The digests of all tables, in the order of the dump.
    ///
    /// - Throws: `PostgresError.Code.dump` when the dump ends among the rows of a table.
    public func finish() throws(PostgresError) -> [TableDigest] {
        guard let current else { return tables }
        throw PostgresError(
            .dump, "the dump ends among the rows of table \"\(current)\", after \(rows.content.rows) of them",
            hint: "the program that made it died while dumping")
    }

    /// The next bytes of the dump are rows that somebody else digests; the table counts as one without rows.
    mutating func passOver(bytes: Int64) { offset &+= bytes }

    private mutating func finishTable() {
        lexer.endOfRows()
        let content = rows.content
        rows = RowsDigester(key: key)
        guard let header = copy else { return }
        if !header.isUTF8 { foreignNames[tables.count] = header }
        var table = header.digest(content)
        table.at = start
        tables.append(table)
        copy = nil
    }
}
