/// What the lexer hands the parser.
struct Token: Sendable {
    enum Kind: Sendable {
        case error, bool, character, characterConstant, complex, assign, declare, endOfText
        case field, identifier, leftDelimiter, leftParenthesis, number, pipe, rawString, rightDelimiter
        case rightParenthesis, space, string, text, variable
        // Keywords.
        case block, `break`, `continue`, dot, define, `else`, end, `if`, `nil`, range, template, with

        var isKeyword: Bool {
            switch self {
            case .block, .break, .continue, .dot, .define, .else, .end, .if, .nil, .range, .template, .with: true
            default: false
            }
        }
    }

    var kind: Kind
    /// Bytes of the template's text.
    var range: Range<Int>
    /// The token's text; for an error the message.
    var text: [UInt8]
    /// 1-based line of its first byte.
    var line: Int

    static let none = Token(kind: .endOfText, range: 0..<0, text: [], line: 0)

    var string: String { String(decoding: text, as: UTF8.self) }

    /// As Go's messages show it.
    var description: String {
        switch kind {
        case .endOfText: return "EOF"
        case .error: return string
        case _ where kind.isKeyword: return "<\(string)>"
        default: break
        }
        guard text.count > 10 else { return String(decoding: Quoting.quote(text), as: UTF8.self) }
        var end = 0
        for _ in 0..<10 where end < text.count { end += Runes.decode(text, at: end).width }
        return String(decoding: Quoting.quote(Array(text[..<min(end, text.count)])), as: UTF8.self) + "..."
    }
}
