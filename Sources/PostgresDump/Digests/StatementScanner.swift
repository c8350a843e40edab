import Glibc

/// Finds the `COPY … FROM stdin;` statements of a dump: knows quotes, dollar quotes, comments and psql's own lines, so that
/// text which only looks like a COPY, inside a function's body or a comment, is not taken for one.
///
/// Concurrency and memory: a value; holds the beginning of one statement when it starts with COPY, 1 MiB at most (a
/// table has 1600 columns at most, with names of 63 bytes), and the tag of a dollar quote (64 bytes).
///
/// Source: PostgreSQL `src/fe_utils/psqlscan.l`; dumps have `standard_conforming_strings` on.
struct StatementScanner: Sendable {
    private enum State: Sendable, Equatable {
        case plain, dash, slash, lineComment
        case blockComment(depth: Int), commentStar(depth: Int), commentSlash(depth: Int)
        case quoted(escapes: Bool), escaped, quoteEnd(escapes: Bool), name
        case tag, dollarQuoted(matched: Int)
        /// A line for psql: `\restrict …`.
        case metaCommand
        /// Behind the semicolon of a COPY, up to the end of its line.
        case copyEnd
    }

    static let headLimit = 1 << 20

    private var state = State.plain
    /// Nothing of the statement has come yet.
    private var isAtStart = true
    /// The statement so far, while it may be a COPY.
    private var head: [UInt8] = []
    private var mayBeCopy = false
    private var delimiter: [UInt8] = []
    /// The last two bytes in plain text, for `E'…'` and for `$` inside names.
    private var before: (UInt8, UInt8) = (0x20, 0x20)
    private var header: CopyHeader?

    /// Reads on until the rows of a COPY begin or the bytes end.
    ///
    /// - Returns: how far it read, and the COPY whose rows begin there.
    mutating func scan(_ bytes: UnsafeRawBufferPointer, from start: Int) -> (end: Int, copy: CopyHeader?) {
        var position = start
        while position < bytes.count {
            if let end = endOfRun(bytes, from: position), end > position {
                position = end
                continue
            }
            let byte = bytes[position]
            position += 1
            if state == .copyEnd, byte == 0x0a {
                let found = header
                (header, state) = (nil, .plain)
                begin()
                return (position, found)
            }
            take(byte)
        }
        return (position, nil)
    }

    /// Where long quotes and comments end, found by `memchr`; nil where each byte matters.
    private func endOfRun(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        let wanted: UInt8
        switch state {
        case .lineComment, .metaCommand: wanted = 0x0a
        case .quoted(escapes: false): wanted = UInt8(ascii: "'")
        case .dollarQuoted(matched: 0): wanted = UInt8(ascii: "$")
        default: return nil
        }
        // What may be a COPY is kept byte by byte.
        guard !mayBeCopy, let base = bytes.baseAddress else { return nil }
        guard let found = memchr(base + start, Int32(wanted), bytes.count - start) else { return bytes.count }
        return base.distance(to: UnsafeRawPointer(found))
    }

    private mutating func begin() {
        isAtStart = true
        mayBeCopy = false
        head.removeAll(keepingCapacity: true)
        before = (0x20, 0x20)
    }

    private mutating func take(_ byte: UInt8) {
        if mayBeCopy, state != .lineComment { keep(byte) }
        switch state {
        case .plain: plain(byte)
        case .dash:
            state = byte == UInt8(ascii: "-") ? .lineComment : .plain
            if state == .plain {
                started(UInt8(ascii: "-"))
                plain(byte)
            }
        case .slash:
            state = byte == UInt8(ascii: "*") ? .blockComment(depth: 1) : .plain
            if state == .plain {
                started(UInt8(ascii: "/"))
                plain(byte)
            }
        case .lineComment: if byte == 0x0a { state = .plain }
        case .blockComment(let depth):
            if byte == UInt8(ascii: "*") { state = .commentStar(depth: depth) }
            if byte == UInt8(ascii: "/") { state = .commentSlash(depth: depth) }
        case .commentStar(let depth):
            if byte == UInt8(ascii: "/") {
                state = depth > 1 ? .blockComment(depth: depth - 1) : .plain
            } else if byte != UInt8(ascii: "*") {
                state = .blockComment(depth: depth)
            }
        case .commentSlash(let depth):
            if byte == UInt8(ascii: "*") {
                state = .blockComment(depth: depth + 1)
            } else if byte != UInt8(ascii: "/") {
                state = .blockComment(depth: depth)
            }
        case .quoted(let escapes):
            if byte == UInt8(ascii: "'") { state = .quoteEnd(escapes: escapes) }
            if byte == UInt8(ascii: "\\"), escapes { state = .escaped }
        case .escaped: state = .quoted(escapes: true)
        case .quoteEnd(let escapes):
            if byte == UInt8(ascii: "'") {
                state = .quoted(escapes: escapes)
            } else {
                state = .plain
                before = (0x20, UInt8(ascii: "'"))
                plain(byte)
            }
        case .name: if byte == UInt8(ascii: "\"") { state = .plain }
        case .tag: tag(byte)
        case .dollarQuoted(let matched): dollarQuoted(byte, matched)
        case .metaCommand:
            if byte == 0x0a {
                state = .plain
                begin()
            }
        case .copyEnd: break
        }
    }

    private mutating func plain(_ byte: UInt8) {
        switch byte {
        case 0x20, 0x09, 0x0a, 0x0d: break
        case UInt8(ascii: "-"): state = .dash
        case UInt8(ascii: "/"): state = .slash
        case UInt8(ascii: "\\") where isAtStart: state = .metaCommand
        case UInt8(ascii: ";"):
            let found = mayBeCopy ? CopyHeader(head) : nil
            begin()
            if let found {
                header = found
                state = .copyEnd
            }
            return
        case UInt8(ascii: "'"):
            started(byte)
            state = .quoted(escapes: before.1 | 0x20 == UInt8(ascii: "e") && !isNameByte(before.0))
        case UInt8(ascii: "\""):
            started(byte)
            state = .name
        case UInt8(ascii: "$") where !isNameByte(before.1):
            started(byte)
            delimiter = [byte]
            state = .tag
        default: started(byte)
        }
        before = (before.1, byte)
    }

    /// The first byte of a statement decides whether it is kept.
    private mutating func started(_ byte: UInt8) {
        guard isAtStart else { return }
        isAtStart = false
        if byte | 0x20 == UInt8(ascii: "c") {
            mayBeCopy = true
            head = [byte]
        }
    }

    private mutating func keep(_ byte: UInt8) {
        head.append(byte)
        let word = Array("copy".utf8)
        if head.count <= word.count {
            mayBeCopy = byte | 0x20 == word[head.count - 1]
        } else if head.count > Self.headLimit {
            mayBeCopy = false
        }
        if !mayBeCopy { head.removeAll(keepingCapacity: false) }
    }

    /// `$$` or `$tag$` begins a quote; `$1` and what else has no second dollar does not.
    private mutating func tag(_ byte: UInt8) {
        if byte == UInt8(ascii: "$") {
            delimiter.append(byte)
            state = .dollarQuoted(matched: 0)
        } else if isNameByte(byte), delimiter.count < 64,
            delimiter.count > 1 || !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        {
            delimiter.append(byte)
        } else {
            state = .plain
            plain(byte)
        }
    }

    private mutating func dollarQuoted(_ byte: UInt8, _ matched: Int) {
        if byte == delimiter[matched] {
            let count = matched + 1
            state = count == delimiter.count ? .plain : .dollarQuoted(matched: count)
            if state == .plain { before = (0x20, 0x20) }
        } else {
            state = .dollarQuoted(matched: byte == UInt8(ascii: "$") ? 1 : 0)
        }
    }
}
