import Glibc

/// Cuts a plain dump into statements and the rows of `COPY … FROM stdin`, as psql would, except that psql's own commands
/// are never run: `\restrict` and `\unrestrict` are passed over, any other is an error.
///
/// Knows quotes, dollar quotes, nested comments, parentheses, and the bodies `BEGIN ATOMIC … END`. A text cut wrongly could
/// do no harm: the server gets SQL only.
///
/// Concurrency and memory: a value; holds one statement, at most `statementLimit` bytes. Rows pass through.
///
/// Source: PostgreSQL `src/fe_utils/psqlscan.l`; `src/bin/psql/copy.c`, `handleCopyIn`.
struct DumpLexer: Sendable {
    enum Piece: Sendable, Hashable {
        case statement(DumpStatement)
        /// Whole or broken rows, for the server as they are.
        case rows([UInt8])
        case endOfRows
    }

    /// What a reader wants of the text.
    enum Wanted: Sendable, Hashable {
        /// Statements with their lines and entries, for a load.
        case everything
        /// The statements that rows follow; of other text, psql's commands too, only the end is looked for, and lines are not
        /// counted. A statement longer than `copyLimit` and a chunk is handed out empty: a table has 1600 columns at most,
        /// with names of 63 bytes.
        case copies
    }

    private enum Mode: Sendable, Hashable {
        case plain
        case quoted(escapes: Bool)
        /// After a backslash in a string with escapes.
        case escaped
        case name
        case lineComment
        case blockComment(depth: Int)
        /// After `$`: what may become a dollar quote's tag.
        case tag
        /// How many bytes of the tag the last ones are.
        case dollarQuoted(matched: Int)
        case command
        /// Between `COPY …;` and its first row.
        case endOfCopyLine
        case rows
    }

    static let defaultStatementLimit = 512 << 20
    static let copyLimit = 1 << 20
    /// More than PostgreSQL's longest name, of which a tag is made.
    private static let tagLimit = 256
    private let statementLimit: Int
    private let wanted: Wanted

    private var mode = Mode.plain
    /// The statement so far: its length, and its bytes while somebody wants them.
    private var length = 0
    private var text: [UInt8] = []
    private var keepsText = true
    private var line = 1
    private var statementLine = 1
    private var comment: [UInt8] = []
    /// The last two bytes, for what two of them begin or end and for `E'…'`; 0 where the last ones are used up.
    private var previous: UInt8 = 0
    private var beforePrevious: UInt8 = 0
    private var words = StatementWords()
    private var tag: [UInt8] = []
    private var plainStringsHaveEscapes = false
    private var entry: DumpEntry?
    private var rows = DumpRows()
    private var copyLine = 1
    private var isDump = false
    private var hasEnd = false

    init(_ wanted: Wanted = .everything, statementLimit: Int = Self.defaultStatementLimit) {
        self.wanted = wanted
        self.statementLimit = statementLimit
    }

    /// False when the text calls itself a dump of pg_dump and its end is missing: the producer died.
    var isComplete: Bool { !isDump || hasEnd }
    /// The line that is read, counted from 1.
    var currentLine: Int { line }

    /// - Throws: `PostgresError.Code.restore`.
    mutating func feed(_ chunk: [UInt8], _ emit: (Piece) throws -> Void) throws {
        try chunk.withUnsafeBytes { buffer in
            var position = 0
            while position < buffer.count {
                if case .rows = mode {
                    let read = try rows.read(buffer, from: position, line: &line) { try emit(.rows($0)) }
                    position = read.position
                    if read.isEnd {
                        endOfRows()
                        try emit(.endOfRows)
                    }
                } else {
                    position = try readText(buffer, from: position) { try emit(.statement($0)) }
                }
            }
        }
    }

    /// Reads statements up to the first row of a COPY, which is the last one emitted then, or to the end.
    ///
    /// - Returns: where rows begin, when `rowsFollow`; else the end. Who reads rows calls `endOfRows` behind their last line.
    /// - Throws: `PostgresError.Code.restore`, not where only copies are wanted.
    mutating func readText(
        _ buffer: UnsafeRawBufferPointer, from start: Int, _ emit: (DumpStatement) throws -> Void
    ) throws -> Int {
        var position = start
        while position < buffer.count {
            let end = endOfRun(buffer, from: position)
            if end > position {
                take(UnsafeRawBufferPointer(rebasing: buffer[position..<end]))
                position = end
            } else {
                try read(buffer[position], emit)
                position += 1
                if case .rows = mode { break }
            }
        }
        if text.count > Self.copyLimit, wanted == .copies { dropText() }
        guard text.count <= statementLimit else {
            throw PostgresError(
                .restore, "the statement at line \(statementLine) of the dump is longer than \(statementLimit) bytes")
        }
        return position
    }

    private mutating func dropText() {
        keepsText = false
        text.removeAll(keepingCapacity: text.count < Self.copyLimit)
    }

    var rowsFollow: Bool { if case .rows = mode { true } else { false } }

    /// Rows follow, and none of them has been read.
    var isBeforeRows: Bool { rowsFollow && rows.isFresh }

    /// So many rows are left out of what is read, before the first.
    mutating func passOver(rows count: Int) { line += count }

    /// The line `\.` has been read.
    mutating func endOfRows() { (mode, previous) = (.plain, 0x0a) }

    /// - Throws: `PostgresError.Code.restore` when rows or a quote are open.
    mutating func finish(_ emit: (Piece) throws -> Void) throws {
        switch mode {
        case .rows, .endOfCopyLine:
            throw PostgresError(
                .restore, "the dump ends inside the rows of COPY at line \(copyLine)",
                hint: "the program that made it died while dumping; restore another snapshot")
        case .plain, .lineComment, .command:
            try read(0x0a) { try emit(.statement($0)) }
            guard length > 0 else { return }
            // psql sends what is left at the end of its input, also without a semicolon.
            try endStatement { try emit(.statement($0)) }
        default:
            throw PostgresError(
                .restore, "the dump ends inside a quoted text or comment in the statement at line \(statementLine)",
                hint: "the program that made it died while dumping; restore another snapshot")
        }
    }
}

// MARK: - SQL

extension DumpLexer {
    /// Where the bytes end that mean nothing to the mode: `start` when the first one does.
    private func endOfRun(_ buffer: UnsafeRawBufferPointer, from start: Int) -> Int {
        guard let base = buffer.baseAddress else { return start }
        func next(_ byte: UInt8, _ limit: Int) -> Int {
            memchr(base + start, Int32(byte), limit - start).map { base.distance(to: UnsafeRawPointer($0)) } ?? limit
        }
        switch mode {
        case .plain:
            var end = start
            if words.isFollowed {
                while end < buffer.count, isNameByte(buffer[end]), buffer[end] != 0x24 { end &+= 1 }
            } else {
                while end < buffer.count, !Self.endsRun(buffer[end]) { end &+= 1 }
            }
            return end
        case .quoted(escapes: true): return next(0x5c, next(0x27, buffer.count))
        case .quoted(escapes: false): return next(0x27, buffer.count)
        case .name: return next(0x22, buffer.count)
        case .dollarQuoted(matched: 0):
            let second = tag[1]
            var end = start
            // Parameters and other tags are passed over here.
            while let found = memchr(base + end, 0x24, buffer.count - end) {
                end = base.distance(to: UnsafeRawPointer(found))
                guard end + 1 < buffer.count, buffer[end &+ 1] != second else { return end }
                end &+= 1
            }
            return buffer.count
        case .lineComment, .command: return next(0x0a, buffer.count)
        default: return start
        }
    }

    /// Bytes that change something in plain text behind a statement's first words.
    @inline(__always)
    private static func endsRun(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x0a, 0x22, 0x24, 0x27, 0x28, 0x29, 0x2a, 0x2d, 0x2f, 0x3b, 0x5c: true
        default: false
        }
    }

    /// Takes bytes that mean nothing to the mode.
    private mutating func take(_ run: UnsafeRawBufferPointer) {
        switch mode {
        case .lineComment, .command:
            if wanted == .everything { comment += run.prefix(max(0, 4096 - comment.count)) }
        case .plain:
            if words.isFollowed {
                if length == 0 { (statementLine, keepsText) = (line, true) }
                words.take(run)
            }
            fallthrough
        default:
            length += run.count
            if keepsText { text += run }
            // Plain runs have no line feeds.
            if wanted == .everything, mode != .plain { line += Self.lineFeeds(run) }
        }
        beforePrevious = run.count > 1 ? run[run.count - 2] : previous
        if let last = run.last { previous = last }
    }

    private static func lineFeeds(_ run: UnsafeRawBufferPointer) -> Int {
        run.reduce(0) { $1 == 0x0a ? $0 &+ 1 : $0 }
    }

    @inline(__always)
    private mutating func append(_ byte: UInt8) {
        length += 1
        if keepsText { text.append(byte) }
    }

    /// Takes back the first byte of a comment's beginning.
    private mutating func removeLast() {
        length -= 1
        if keepsText, !text.isEmpty { text.removeLast() }
    }

    private mutating func read(_ byte: UInt8, _ emit: (DumpStatement) throws -> Void) throws {
        var seen = byte
        defer {
            (beforePrevious, previous) = (previous, seen)
            if byte == 0x0a { line += 1 }
        }
        switch mode {
        case .plain:
            try readPlain(byte, emit)
            // The star of `/*` does not end the comment in `/*/`.
            if case .blockComment = mode { seen = 0 }
        case .quoted(let escapes):
            append(byte)
            if byte == 0x27 { mode = .plain } else if byte == 0x5c, escapes { mode = .escaped }
        case .escaped:
            append(byte)
            mode = .quoted(escapes: true)
        case .name:
            append(byte)
            if byte == 0x22 { mode = .plain }
        case .lineComment: endComment()
        case .blockComment(let depth):
            if previous == 0x2a, byte == 0x2f {
                mode = depth == 1 ? .plain : .blockComment(depth: depth - 1)
                if length > 0 { append(0x20) }
                seen = 0
            } else if previous == 0x2f, byte == 0x2a {
                mode = .blockComment(depth: depth + 1)
                seen = 0
            }
        case .tag: try readTag(byte, emit)
        case .dollarQuoted(let matched):
            append(byte)
            if byte == tag[matched] {
                mode = matched + 1 == tag.count ? .plain : .dollarQuoted(matched: matched + 1)
                if case .plain = mode { seen = 0 }
            } else {
                mode = .dollarQuoted(matched: byte == 0x24 ? 1 : 0)
            }
        case .command: try endCommand()
        case .endOfCopyLine:
            if byte == 0x0a { (mode, rows, copyLine) = (.rows, DumpRows(), statementLine) }
        case .rows: break
        }
    }

    private mutating func readPlain(_ byte: UInt8, _ emit: (DumpStatement) throws -> Void) throws {
        if isNameByte(byte), byte != 0x24 || isNameByte(previous) {
            if words.isFollowed { words.take(byte) }
            return append(byte)
        }
        if words.endWord(), wanted == .copies, !words.mayBeCopy { dropText() }
        switch byte {
        case 0x2d where previous == 0x2d:
            removeLast()
            (mode, comment) = (.lineComment, [])
        case 0x2a where previous == 0x2f:
            removeLast()
            mode = .blockComment(depth: 1)
        case 0x5c:
            (mode, comment) = (.command, [])
        case 0x3b:
            append(byte)
            if words.semicolonEnds { try endStatement(emit) }
        case 0x20, 0x09, 0x0a, 0x0d, 0x0c, 0x0b:
            if length > 0 { append(byte) }
        default:
            if length == 0 { (statementLine, keepsText) = (line, wanted == .everything) }
            append(byte)
            switch byte {
            case 0x27:
                let hasPrefix = previous | 0x20 == 0x65 && !isNameByte(beforePrevious)
                mode = .quoted(escapes: hasPrefix || plainStringsHaveEscapes)
            case 0x22: mode = .name
            case 0x24: (mode, tag) = (.tag, [0x24])
            case 0x28: words.openParenthesis()
            case 0x29: words.closeParenthesis()
            default: break
            }
        }
    }

    /// `$1` is a parameter, `$tag$` opens a quote.
    private mutating func readTag(_ byte: UInt8, _ emit: (DumpStatement) throws -> Void) throws {
        if byte == 0x24 {
            append(byte)
            tag.append(byte)
            mode = .dollarQuoted(matched: 0)
        } else if isNameByte(byte), tag.count < Self.tagLimit, tag.count > 1 || !(0x30...0x39).contains(byte) {
            append(byte)
            tag.append(byte)
        } else {
            mode = .plain
            try readPlain(byte, emit)
        }
    }

    private mutating func endStatement(_ emit: (DumpStatement) throws -> Void) throws {
        let isCopy = words.isCopyFromInput
        let isWanted = isCopy || (wanted == .everything && text != [0x3b])
        let statement =
            isWanted ? DumpStatement(text: text, line: statementLine, isCopyFromInput: isCopy, entry: entry) : nil
        plainStringsHaveEscapes = words.plainStringsHaveEscapes ?? plainStringsHaveEscapes
        mode = isCopy ? .endOfCopyLine : .plain
        if isWanted { text = [] } else { text.removeAll(keepingCapacity: true) }
        words.reset()
        (length, keepsText) = (0, true)
        if let statement { try emit(statement) }
    }

    private mutating func endComment() {
        mode = .plain
        if length > 0 { append(0x0a) }
        guard wanted == .everything else { return }
        let content = String(decoding: comment, as: UTF8.self)
        comment = []
        if content.hasPrefix(" PostgreSQL database ") {
            if content.hasPrefix(" PostgreSQL database dump complete")
                || content.hasPrefix(" PostgreSQL database cluster dump complete")
            {
                hasEnd = true
            } else {
                isDump = true
            }
        }
        if let found = DumpEntry(comment: content) { entry = found }
    }

    private mutating func endCommand() throws {
        mode = .plain
        let name = String(decoding: comment.prefix { $0 != 0x20 && $0 != 0x0d }, as: UTF8.self)
        comment = []
        guard name == "restrict" || name == "unrestrict" || wanted == .copies else {
            throw PostgresError(
                .restore,
                "line \(line) of the dump has psql's command \\\(name.replacingControlCharacters), which is never run",
                hint: "a dump of pg_dump has none: the file was made or changed by somebody else")
        }
    }
}
