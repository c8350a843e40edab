/// Cuts a template's text into tokens, on demand. Delimiters are `{{` and `}}`; trim markers and comments are dealt
/// with here, the parser never sees them.
///
/// Source: Go `text/template/parse/lex.go`.
struct Lexer {
    private let input: [UInt8]
    private var position = 0
    private var start = 0
    private var line = 1
    private var startLine = 1
    private var parenthesisDepth = 0
    private var insideAction = false
    /// Set once an error was reported: only the end of the text follows.
    private var failed = false

    init(_ input: [UInt8]) { self.input = input }

    mutating func next() -> Token {
        if failed { return Token(kind: .endOfText, range: start..<start, text: Array("EOF".utf8), line: startLine) }
        return insideAction ? insideActionToken() : textToken()
    }

    // MARK: - Cursor

    private mutating func token(_ kind: Token.Kind) -> Token {
        let token = Token(kind: kind, range: start..<position, text: Array(input[start..<position]), line: startLine)
        start = position
        startLine = line
        return token
    }

    private mutating func fail(_ message: String) -> Token {
        failed = true
        return Token(
            kind: .error, range: start..<max(start, position), text: Array(message.utf8), line: startLine)
    }

    private func hasPrefix(_ text: StaticString, at offset: Int) -> Bool {
        text.withUTF8Buffer { prefix in
            offset + prefix.count <= input.count && input[offset..<(offset + prefix.count)].elementsEqual(prefix)
        }
    }

    private func find(_ first: UInt8, _ second: UInt8, from offset: Int) -> Int? {
        guard input.count >= 2 else { return nil }
        var index = offset
        while index + 1 < input.count {
            if input[index] == first && input[index + 1] == second { return index }
            index += 1
        }
        return nil
    }

    private mutating func countLines(from begin: Int, to end: Int) {
        for byte in input[begin..<end] where byte == 0x0a { line += 1 }
    }

    /// Skips to `position`; the text skipped is counted for lines.
    private mutating func ignore() {
        countLines(from: start, to: position)
        start = position
        startLine = line
    }

    private var peek: (rune: UInt32, width: Int)? {
        position < input.count ? Runes.decode(input, at: position) : nil
    }

    /// The next code point, consumed; nil at the end.
    private mutating func advance() -> UInt32? {
        guard let (rune, width) = peek else { return nil }
        position += width
        if rune == 0x0a { line += 1 }
        return rune
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0d || byte == 0x0a
    }
    private static func isSpace(_ rune: UInt32) -> Bool { rune < 0x80 && isSpace(UInt8(rune)) }
    private static func isAlphanumeric(_ rune: UInt32) -> Bool {
        rune == 0x5f || Runes.isLetter(rune) || Runes.isDigit(rune)
    }

    private func leftTrimMarker(at offset: Int) -> Bool {
        offset + 1 < input.count && input[offset] == 0x2d && Self.isSpace(input[offset + 1])
    }
    private func rightTrimMarker(at offset: Int) -> Bool {
        offset + 1 < input.count && Self.isSpace(input[offset]) && input[offset + 1] == 0x2d
    }

    /// Whether a closing delimiter is here, and whether it trims.
    private var rightDelimiter: (found: Bool, trims: Bool) {
        if rightTrimMarker(at: position) && hasPrefix("}}", at: position + 2) { return (true, true) }
        return (hasPrefix("}}", at: position), false)
    }

    // MARK: - Outside actions

    private mutating func textToken() -> Token {
        while true {
            guard let open = find(0x7b, 0x7b, from: position) else {
                position = input.count
                guard position > start else { return token(.endOfText) }
                countLines(from: start, to: position)
                return token(.text)
            }
            if open > position {
                var end = open
                if leftTrimMarker(at: open + 2) {
                    while end > start, Self.isSpace(input[end - 1]) { end -= 1 }
                }
                position = end
                countLines(from: start, to: position)
                let text = token(.text)
                position = open
                ignore()
                if !text.text.isEmpty { return text }
            }
            let trims = leftTrimMarker(at: position + 2)
            guard hasPrefix("/*", at: position + (trims ? 4 : 2)) else { return leftDelimiter(trims: trims) }
            if let problem = comment(trims: trims) { return problem }
        }
    }

    private mutating func leftDelimiter(trims: Bool) -> Token {
        position += 2
        let delimiter = token(.leftDelimiter)
        insideAction = true
        if trims { position += 2 }
        ignore()
        parenthesisDepth = 0
        return delimiter
    }

    /// Skips a comment; an error token when it is malformed.
    private mutating func comment(trims: Bool) -> Token? {
        position += trims ? 4 : 2
        ignore()
        position += 2
        guard let end = find(0x2a, 0x2f, from: position) else {
            position = start
            return fail("unclosed comment")
        }
        position = end + 2
        let (found, trimsAfter) = rightDelimiter
        guard found else { return fail("comment ends before closing delimiter") }
        position += trimsAfter ? 4 : 2
        if trimsAfter {
            while position < input.count, Self.isSpace(input[position]) { position += 1 }
        }
        ignore()
        return nil
    }

    // MARK: - Inside actions

    private mutating func closeAction(trims: Bool) -> Token {
        if trims {
            position += 2
            ignore()
        }
        position += 2
        let delimiter = token(.rightDelimiter)
        if trims {
            while position < input.count, Self.isSpace(input[position]) { position += 1 }
            ignore()
        }
        insideAction = false
        return delimiter
    }

    private mutating func insideActionToken() -> Token {
        let (found, trims) = rightDelimiter
        if found { return parenthesisDepth == 0 ? closeAction(trims: trims) : fail("unclosed left paren") }
        guard let (rune, _) = peek else { return fail("unclosed action") }
        if Self.isSpace(rune) { return space() }
        switch rune {
        case UInt32(UInt8(ascii: ".")):
            if position + 1 < input.count, !(0x30...0x39).contains(input[position + 1]) {
                position += 1
                return fieldOrVariable(.field)
            }
            return number()
        case UInt32(UInt8(ascii: "+")), UInt32(UInt8(ascii: "-")), 0x30...0x39: return number()
        case _ where Self.isAlphanumeric(rune): return identifier()
        default: break
        }
        _ = advance()
        switch rune {
        case UInt32(UInt8(ascii: "=")): return token(.assign)
        case UInt32(UInt8(ascii: ":")):
            return advance() == UInt32(UInt8(ascii: "=")) ? token(.declare) : fail("expected :=")
        case UInt32(UInt8(ascii: "|")): return token(.pipe)
        case 0x22: return quoted(0x22, .string, "unterminated quoted string")
        case 0x27: return quoted(0x27, .characterConstant, "unterminated character constant")
        case 0x60: return rawQuoted()
        case UInt32(UInt8(ascii: "$")):
            return atTerminator ? token(.variable) : fieldOrVariable(.variable)
        case UInt32(UInt8(ascii: "(")):
            parenthesisDepth += 1
            return token(.leftParenthesis)
        case UInt32(UInt8(ascii: ")")):
            parenthesisDepth -= 1
            return parenthesisDepth < 0 ? fail("unexpected right paren") : token(.rightParenthesis)
        case 0..<0x80 where Runes.isPrint(rune): return token(.character)
        default: return fail("unrecognized character in action: \(Self.shown(rune))")
        }
    }

    /// A run of spaces. A space that belongs to ` -}}` is left for the delimiter.
    private mutating func space() -> Token {
        var count = 0
        while let (rune, _) = peek, Self.isSpace(rune) {
            _ = advance()
            count += 1
        }
        if rightTrimMarker(at: position - 1) && hasPrefix("}}", at: position + 1) {
            position -= 1
            if input[position] == 0x0a { line -= 1 }
            if count == 1 { return closeAction(trims: true) }
        }
        return token(.space)
    }

    private static let keywords: [String: Token.Kind] = [
        "block": .block, "break": .break, "continue": .continue, "define": .define, "else": .else, "end": .end,
        "if": .if, "range": .range, "nil": .nil, "template": .template, "with": .with,
    ]

    private mutating func identifier() -> Token {
        skipAlphanumeric()
        guard atTerminator else { return fail("bad character \(Self.shown(peek?.rune ?? 0))") }
        let word = String(decoding: input[start..<position], as: UTF8.self)
        if let keyword = Self.keywords[word] { return token(keyword) }
        return token(word == "true" || word == "false" ? .bool : .identifier)
    }

    private mutating func fieldOrVariable(_ kind: Token.Kind) -> Token {
        if atTerminator { return token(kind == .variable ? .variable : .dot) }
        skipAlphanumeric()
        guard atTerminator else { return fail("bad character \(Self.shown(peek?.rune ?? 0))") }
        return token(kind)
    }

    private mutating func skipAlphanumeric() {
        while let (rune, _) = peek, Self.isAlphanumeric(rune) { _ = advance() }
    }

    /// Whether an identifier may end here.
    private var atTerminator: Bool {
        guard let (rune, _) = peek else { return true }
        if Self.isSpace(rune) { return true }
        if rune < 0x80, ".,|:)(".utf8.contains(UInt8(rune)) { return true }
        return hasPrefix("}}", at: position)
    }

    private mutating func quoted(_ quote: UInt32, _ kind: Token.Kind, _ problem: String) -> Token {
        while let rune = advance(), rune != 0x0a {
            if rune == quote { return token(kind) }
            guard rune == 0x5c else { continue }
            guard let escaped = advance(), escaped != 0x0a else { break }
        }
        return fail(problem)
    }

    private mutating func rawQuoted() -> Token {
        while let rune = advance() {
            if rune == 0x60 { return token(.rawString) }
        }
        return fail("unterminated raw quoted string")
    }

    // MARK: - Numbers

    private mutating func number() -> Token {
        let good = scanNumber()
        if good, let (sign, _) = peek, sign == UInt32(UInt8(ascii: "+")) || sign == UInt32(UInt8(ascii: "-")) {
            if scanNumber(), input[position - 1] == UInt8(ascii: "i") { return token(.complex) }
        } else if good {
            return token(.number)
        }
        return fail("bad number syntax: \(Quoting.quote(String(decoding: input[start..<position], as: UTF8.self)))")
    }

    private mutating func accept(_ allowed: StaticString) -> Bool {
        guard position < input.count else { return false }
        let byte = input[position]
        guard allowed.withUTF8Buffer({ $0.contains(byte) }) else { return false }
        position += 1
        return true
    }

    private mutating func scanNumber() -> Bool {
        _ = accept("+-")
        var digits: StaticString = "0123456789_"
        var (decimal, hexadecimal) = (true, false)
        if accept("0") {
            if accept("xX") {
                (digits, decimal, hexadecimal) = ("0123456789abcdefABCDEF_", false, true)
            } else if accept("oO") {
                (digits, decimal) = ("01234567_", false)
            } else if accept("bB") {
                (digits, decimal) = ("01_", false)
            }
        }
        while accept(digits) {}
        if accept(".") {
            while accept(digits) {}
        }
        if (decimal && accept("eE")) || (hexadecimal && accept("pP")) {
            _ = accept("+-")
            while accept("0123456789_") {}
        }
        _ = accept("i")
        if let (rune, _) = peek, Self.isAlphanumeric(rune) {
            _ = advance()
            return false
        }
        return true
    }

    /// Go's `%#U`.
    private static func shown(_ rune: UInt32) -> String {
        let hex = String(rune, radix: 16, uppercase: true)
        let code = "U+" + String(repeating: "0", count: max(0, 4 - hex.utf8.count)) + hex
        return Runes.isPrint(rune) ? "\(code) '\(Character(Runes.scalar(rune)))'" : code
    }
}
