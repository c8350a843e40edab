/// What the words of a statement say about it: whether rows follow it, and whether a semicolon ends it.
///
/// Concurrency and memory: a value; holds a word of at most 64 bytes and the first four words.
struct StatementWords: Sendable {
    /// More than any keyword has.
    private static let wordLimit = 64

    private var word: [UInt8] = []
    private var leading: [String] = []
    private var last = ""
    private var bodies = 0
    private var parentheses = 0
    /// `COPY … FROM stdin`.
    private(set) var isCopyFromInput = false
    /// Whether words may still say something.
    private(set) var isFollowed = true

    var mayBeCopy: Bool { leading.first == "copy" }
    /// Outside parentheses and the bodies `BEGIN ATOMIC … END`.
    var semicolonEnds: Bool { parentheses == 0 && bodies == 0 }
    /// Whether plain strings have escapes from here on; nil when the statement does not say.
    var plainStringsHaveEscapes: Bool? {
        leading.prefix(2) == ["set", "standard_conforming_strings"] ? last == "off" : nil
    }

    mutating func take(_ run: UnsafeRawBufferPointer) { word += run.prefix(max(0, Self.wordLimit - word.count)) }

    @inline(__always)
    mutating func take(_ byte: UInt8) { if word.count < Self.wordLimit { word.append(byte) } }

    mutating func openParenthesis() { parentheses += 1 }

    mutating func closeParenthesis() { parentheses = max(0, parentheses - 1) }

    /// A byte that no word has.
    ///
    /// - Returns: whether it ended one.
    @inline(__always)
    mutating func endWord() -> Bool {
        guard !word.isEmpty else { return false }
        readWord()
        return true
    }

    private mutating func readWord() {
        let keyword = String(decoding: word, as: UTF8.self).lowercased()
        word.removeAll(keepingCapacity: true)
        if leading.count < 4 { leading.append(keyword) }
        if mayBeCopy, parentheses == 0, last == "from", keyword == "stdin" { isCopyFromInput = true }
        last = keyword
        let kind = leading.dropFirst().first == "or" ? leading.dropFirst(3).first : leading.dropFirst().first
        let hasBody = leading.first == "create" && (kind == "function" || kind == "procedure")
        isFollowed = leading.count < 4 || hasBody || (mayBeCopy && !isCopyFromInput)
        guard hasBody, parentheses == 0 else { return }
        switch keyword {
        case "begin": bodies += 1
        case "case" where bodies > 0: bodies += 1
        case "end" where bodies > 0: bodies -= 1
        default: break
        }
    }

    /// For the next statement.
    mutating func reset() {
        leading.removeAll(keepingCapacity: true)
        (last, isCopyFromInput, isFollowed, parentheses, bodies) = ("", false, true, 0, 0)
    }
}
