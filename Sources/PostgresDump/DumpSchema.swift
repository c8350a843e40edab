/// A plain dump without its rows and without the contents of large objects: everything that a server may refuse for what it is
/// and for who asks, and nothing that takes time or room.
///
/// In: the bytes of a dump in order, cut anywhere. Out: a dump for `DumpLoader`, in which every statement has the line it has in
/// the whole; there are empty lines in place of rows.
///
/// Concurrency and memory: a value; holds one statement, as `DumpLexer` does, and gives back at most a chunk more.
public struct DumpSchema: Sendable {
    private var lexer = DumpLexer()
    private var bytes: Int64 = 0
    /// The line that the next byte given back is on.
    private var line = 1
    private var entry: DumpEntry?

    public init() {}

    /// - Throws: `PostgresError.Code.restore` for what a load would refuse to read.
    public mutating func scan(_ chunk: [UInt8]) throws -> [UInt8] {
        bytes += Int64(chunk.count)
        var pieces: [DumpLexer.Piece] = []
        try lexer.feed(chunk) { pieces.append($0) }
        return text(of: pieces)
    }

    /// - Throws: `PostgresError.Code.restore` when the dump has no end.
    public mutating func finish() throws -> [UInt8] {
        var pieces: [DumpLexer.Piece] = []
        try lexer.finish { pieces.append($0) }
        guard lexer.isComplete else { throw PostgresError.incompleteDump(bytes: bytes) }
        return text(of: pieces)
    }

    private mutating func text(of pieces: [DumpLexer.Piece]) -> [UInt8] {
        var text: [UInt8] = []
        for piece in pieces {
            switch piece {
            case .rows(let rows): add(newlines: rows.count { $0 == 0x0a }, to: &text)
            case .endOfRows: break
            case .statement(let statement) where statement.isData: break
            case .statement(let statement):
                // pg_dump's comment is three lines above its statement.
                if let entry = statement.entry, entry != self.entry {
                    add(newlines: statement.line - 1 - line, to: &text)
                    text += Array(entry.comment.utf8)
                    line += 1
                    self.entry = entry
                }
                add(newlines: statement.line - line, to: &text)
                text += statement.text
                text.append(0x0a)
                line += statement.text.count { $0 == 0x0a } + 1
            }
        }
        return text
    }

    private mutating func add(newlines count: Int, to text: inout [UInt8]) {
        guard count > 0 else { return }
        text += [UInt8](repeating: 0x0a, count: count)
        line += count
    }
}

extension DumpStatement {
    /// Rows, as COPY or as INSERT, and what is in large objects.
    fileprivate var isData: Bool {
        isCopyFromInput || ["TABLE DATA", "BLOBS"].contains(entry?.type)
    }
}

extension DumpEntry {
    /// As `init(comment:)` reads it.
    fileprivate var comment: String { "-- Name: \(name); Type: \(type); Schema: \(schema ?? "-"); Owner: \n" }
}
