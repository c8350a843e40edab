import Glibc

/// One statement of a plain dump.
struct DumpStatement: Sendable, Hashable {
    /// With its semicolon, without the comments and blanks before it.
    var text: [UInt8]
    /// Where it starts, counted from 1.
    var line: Int
    /// Rows follow up to a line `\.`.
    var isCopyFromInput: Bool
    /// What pg_dump's comment before it says it belongs to.
    var entry: DumpEntry?
}

/// The comment pg_dump writes before the statements of one object:
/// `-- Name: items; Type: TABLE; Schema: public; Owner: app`, `-- Data for Name: …`.
///
/// Source: PostgreSQL `src/bin/pg_dump/pg_backup_archiver.c`, `_printTocEntry`. Line breaks in names are blanks there.
struct DumpEntry: Sendable, Hashable {
    var name: String
    var type: String
    /// Nil for `-`.
    var schema: String?

    init?(comment: some StringProtocol) {
        var text = comment.drop { $0 == " " || $0 == "-" }
        if text.hasPrefix("Data for ") { text = text.dropFirst("Data for ".count) }
        guard text.hasPrefix("Name: ") else { return nil }
        // A name may contain "; Type: " itself, so the last ones count.
        let whole = String(text.dropFirst("Name: ".count))
        guard let owner = whole.lastRange(of: "; Owner: "),
            let schema = whole[..<owner.lowerBound].lastRange(of: "; Schema: "),
            let type = whole[..<schema.lowerBound].lastRange(of: "; Type: ")
        else { return nil }
        name = String(whole[..<type.lowerBound])
        self.type = String(whole[type.upperBound..<schema.lowerBound])
        let schemaName = String(whole[schema.upperBound..<owner.lowerBound])
        self.schema = schemaName == "-" ? nil : schemaName
    }
}

extension StringProtocol {
    /// Without Foundation and regular expressions.
    func lastRange(of text: String) -> Range<Index>? {
        var start = endIndex
        while true {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            guard start > startIndex else { return nil }
            start = index(before: start)
        }
    }
}

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
        case dollarQuoted
        case command
        /// Between `COPY …;` and its first row.
        case endOfCopyLine
        case rows
    }

    static let defaultStatementLimit = 512 << 20
    private let statementLimit: Int

    private var mode = Mode.plain
    private var text: [UInt8] = []
    private var line = 1
    private var statementLine = 1
    private var comment: [UInt8] = []
    private var previous: UInt8 = 0
    private var word: [UInt8] = []
    private var words: [String] = []
    private var lastWord = ""
    private var isCopy = false
    private var parentheses = 0
    private var bodies = 0
    private var tag: [UInt8] = []
    private var tagStart = 0
    private var plainStringsHaveEscapes = false
    private var entry: DumpEntry?
    private var held: [UInt8] = []
    private var isAtRowStart = true
    private var copyLine = 1
    private var isDump = false
    private var hasEnd = false

    init(statementLimit: Int = Self.defaultStatementLimit) { self.statementLimit = statementLimit }

    /// False when the text calls itself a dump of pg_dump and its end is missing: the producer died.
    var isComplete: Bool { !isDump || hasEnd }
    /// The line that is read, counted from 1.
    var currentLine: Int { line }

    /// - Throws: `PostgresError.Code.restore`.
    mutating func feed(_ chunk: [UInt8], _ emit: (Piece) throws -> Void) throws {
        try chunk.withUnsafeBytes { buffer in
            var position = 0
            while position < buffer.count {
                if mode == .rows {
                    position = try readRows(buffer, from: position, emit)
                } else {
                    position = skipUneventful(buffer, from: position)
                    guard position < buffer.count else { break }
                    try read(buffer[position], emit)
                    position += 1
                }
            }
        }
        guard text.count <= statementLimit else {
            throw PostgresError(
                .restore, "the statement at line \(statementLine) of the dump is longer than \(statementLimit) bytes")
        }
    }

    /// - Throws: `PostgresError.Code.restore` when rows or a quote are open.
    mutating func finish(_ emit: (Piece) throws -> Void) throws {
        switch mode {
        case .rows, .endOfCopyLine:
            throw PostgresError(
                .restore, "the dump ends inside the rows of COPY at line \(copyLine)",
                hint: "the program that made it died while dumping; restore another snapshot")
        case .plain, .lineComment, .command:
            try read(0x0a, emit)
            guard !text.isEmpty else { return }
            // psql sends what is left at the end of its input, also without a semicolon.
            try endStatement(emit)
        default:
            throw PostgresError(
                .restore, "the dump ends inside a quoted text or comment in the statement at line \(statementLine)",
                hint: "the program that made it died while dumping; restore another snapshot")
        }
    }
}

// MARK: - SQL

extension DumpLexer {
    /// Takes the bytes up to the next that can mean something inside quotes and comments.
    private mutating func skipUneventful(_ buffer: UnsafeRawBufferPointer, from start: Int) -> Int {
        let stops: (UInt8, UInt8)
        switch mode {
        case .quoted(let escapes): stops = (0x27, escapes ? 0x5c : 0x27)
        case .name: stops = (0x22, 0x22)
        case .dollarQuoted: stops = (0x24, 0x24)
        case .lineComment: stops = (0x0a, 0x0a)
        default: return start
        }
        guard let base = buffer.baseAddress else { return start }
        func next(_ byte: UInt8, _ limit: Int) -> Int {
            memchr(base + start, Int32(byte), limit - start).map { base.distance(to: UnsafeRawPointer($0)) } ?? limit
        }
        var end = next(stops.0, buffer.count)
        if stops.1 != stops.0 { end = next(stops.1, end) }
        let part = UnsafeRawBufferPointer(rebasing: buffer[start..<end])
        if mode == .lineComment {
            comment += part.prefix(max(0, 4096 - comment.count))
        } else {
            text += part
            line += part.count { $0 == 0x0a }
        }
        if let last = part.last { previous = last }
        return end
    }

    private mutating func read(_ byte: UInt8, _ emit: (Piece) throws -> Void) throws {
        defer {
            previous = byte
            if byte == 0x0a { line += 1 }
        }
        switch mode {
        case .plain: try readPlain(byte, emit)
        case .quoted(let escapes):
            text.append(byte)
            if byte == 0x27 { mode = .plain } else if byte == 0x5c, escapes { mode = .escaped }
        case .escaped:
            text.append(byte)
            mode = .quoted(escapes: true)
        case .name:
            text.append(byte)
            if byte == 0x22 { mode = .plain }
        case .lineComment:
            if byte == 0x0a { endComment() } else if comment.count < 4096 { comment.append(byte) }
        case .blockComment(let depth):
            if previous == 0x2a, byte == 0x2f {
                mode = depth == 1 ? .plain : .blockComment(depth: depth - 1)
                if !text.isEmpty { text.append(0x20) }
                return previous = 0
            }
            if previous == 0x2f, byte == 0x2a { mode = .blockComment(depth: depth + 1) }
        case .tag: try readTag(byte, emit)
        case .dollarQuoted:
            text.append(byte)
            if byte == 0x24, text.count - tagStart >= 2 * tag.count, text.suffix(tag.count) == tag[...] {
                mode = .plain
            }
        case .command:
            if byte == 0x0a { try endCommand() } else if comment.count < 4096 { comment.append(byte) }
        case .endOfCopyLine:
            guard byte == 0x0a else { return }
            (mode, isAtRowStart, held, copyLine) = (.rows, true, [], statementLine)
        case .rows: break
        }
    }

    private mutating func readPlain(_ byte: UInt8, _ emit: (Piece) throws -> Void) throws {
        if Self.isWordByte(byte), !(byte == 0x24 && word.isEmpty) {
            if text.isEmpty { statementLine = line }
            if word.count < 64 { word.append(byte) }
            return text.append(byte)
        }
        let adjacent = word
        endWord()
        switch byte {
        case 0x2d where previous == 0x2d && text.last == 0x2d:
            text.removeLast()
            (mode, comment) = (.lineComment, [])
        case 0x2a where previous == 0x2f && text.last == 0x2f:
            text.removeLast()
            mode = .blockComment(depth: 1)
        case 0x5c:
            (mode, comment) = (.command, [])
        case 0x3b:
            text.append(byte)
            if parentheses == 0, bodies == 0 { try endStatement(emit) }
        case 0x20, 0x09, 0x0a, 0x0d, 0x0c, 0x0b:
            if !text.isEmpty { text.append(byte) }
        default:
            if text.isEmpty { statementLine = line }
            text.append(byte)
            switch byte {
            case 0x27:
                let hasPrefix = adjacent == [0x45] || adjacent == [0x65]
                mode = .quoted(escapes: hasPrefix || plainStringsHaveEscapes)
            case 0x22: mode = .name
            case 0x24: (mode, tag, tagStart) = (.tag, [0x24], text.count - 1)
            case 0x28: parentheses += 1
            case 0x29: parentheses = max(0, parentheses - 1)
            default: break
            }
        }
    }

    /// Letters, digits, `_`, `$` and whatever is not ASCII.
    private static func isWordByte(_ byte: UInt8) -> Bool {
        (0x61...0x7a).contains(byte) || (0x41...0x5a).contains(byte) || (0x30...0x39).contains(byte)
            || byte == 0x5f || byte == 0x24 || byte >= 0x80
    }

    /// `$1` is a parameter, `$tag$` opens a quote.
    private mutating func readTag(_ byte: UInt8, _ emit: (Piece) throws -> Void) throws {
        let isFirst = tag.count == 1
        if byte == 0x24 {
            text.append(byte)
            tag.append(byte)
            mode = .dollarQuoted
        } else if Self.isWordByte(byte), !(isFirst && (0x30...0x39).contains(byte)) {
            text.append(byte)
            tag.append(byte)
        } else {
            mode = .plain
            try readPlain(byte, emit)
        }
    }

    private mutating func endWord() {
        guard !word.isEmpty else { return }
        let keyword = String(decoding: word, as: UTF8.self).lowercased()
        word = []
        if words.count < 4 { words.append(keyword) }
        if words.first == "copy", parentheses == 0, lastWord == "from", keyword == "stdin" { isCopy = true }
        lastWord = keyword
        guard parentheses == 0, words.first == "create" else { return }
        let kind = words.dropFirst().first == "or" ? words.dropFirst(3).first : words.dropFirst().first
        guard kind == "function" || kind == "procedure" else { return }
        switch keyword {
        case "begin": bodies += 1
        case "case" where bodies > 0: bodies += 1
        case "end" where bodies > 0: bodies -= 1
        default: break
        }
    }

    private mutating func endStatement(_ emit: (Piece) throws -> Void) throws {
        let statement = DumpStatement(text: text, line: statementLine, isCopyFromInput: isCopy, entry: entry)
        if words.prefix(2) == ["set", "standard_conforming_strings"] { plainStringsHaveEscapes = lastWord == "off" }
        mode = isCopy ? .endOfCopyLine : .plain
        text = []
        (word, words, lastWord, isCopy, parentheses, bodies) = ([], [], "", false, 0, 0)
        if statement.text != [0x3b] { try emit(.statement(statement)) }
    }

    private mutating func endComment() {
        mode = .plain
        if !text.isEmpty { text.append(0x0a) }
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
        guard name == "restrict" || name == "unrestrict" else {
            throw PostgresError(
                .restore,
                "line \(line) of the dump has psql's command \\\(name.replacingControlCharacters), which is never run",
                hint: "a dump of pg_dump has none: the file was made or changed by somebody else")
        }
    }
}

// MARK: - Rows

extension DumpLexer {
    /// Hands on rows up to the end of the chunk or the line `\.`; what may be the beginning of that line is held back.
    private mutating func readRows(
        _ buffer: UnsafeRawBufferPointer, from start: Int, _ emit: (Piece) throws -> Void
    ) throws -> Int {
        if !held.isEmpty {
            var candidate = held
            var position = start
            while position < buffer.count, Self.mayBeEnd(candidate) == nil {
                candidate.append(buffer[position])
                position += 1
            }
            switch Self.mayBeEnd(candidate) {
            case nil:
                held = candidate
                return position
            case true?:
                held = []
                try endRows(emit)
                return position
            case false?:
                held = []
                isAtRowStart = candidate.last == 0x0a
                if isAtRowStart { line += 1 }
                try emit(.rows(candidate))
                return position
            }
        }
        guard let base = buffer.baseAddress else { return buffer.count }
        var position = start
        var isStart = isAtRowStart
        while position < buffer.count {
            if isStart, buffer[position] == 0x5c {
                let rest = Array(buffer[position...].prefix(4))
                switch Self.mayBeEnd(Self.upToLineBreak(rest)) {
                case true?:
                    if position > start { try emit(.rows(Array(buffer[start..<position]))) }
                    let length = Self.upToLineBreak(rest).count
                    try endRows(emit)
                    return position + length
                case nil:
                    if position > start { try emit(.rows(Array(buffer[start..<position]))) }
                    held = rest
                    return buffer.count
                case false?: break
                }
            }
            guard let found = memchr(base + position, 0x0a, buffer.count - position) else {
                isAtRowStart = false
                try emit(.rows(Array(buffer[start...])))
                return buffer.count
            }
            position = base.distance(to: UnsafeRawPointer(found)) + 1
            line += 1
            isStart = true
        }
        isAtRowStart = isStart
        if position > start { try emit(.rows(Array(buffer[start..<position]))) }
        return buffer.count
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

    private mutating func endRows(_ emit: (Piece) throws -> Void) throws {
        line += 1
        (mode, previous, isAtRowStart) = (.plain, 0x0a, true)
        try emit(.endOfRows)
    }
}
