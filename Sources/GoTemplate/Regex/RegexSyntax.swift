/// Why a regular expression is none, in Go's words.
struct RegexError: Error {
    enum Code: String {
        case invalidCharacterRange = "invalid character class range"
        case invalidEscape = "invalid escape sequence"
        case invalidNamedCapture = "invalid named capture"
        case invalidPerlSyntax = "invalid or unsupported Perl syntax"
        case invalidRepeatOperation = "invalid nested repetition operator"
        case invalidRepeatSize = "invalid repeat count"
        case invalidUTF8 = "invalid UTF-8"
        case missingBracket = "missing closing ]"
        case missingParenthesis = "missing closing )"
        case missingRepeatArgument = "missing argument to repetition operator"
        case trailingBackslash = "trailing backslash at end of expression"
        case unexpectedParenthesis = "unexpected )"
        case nestingDepth = "expression nests too deeply"
        case tooLarge = "expression too large"
    }

    let code: Code
    /// The part of the expression that is to blame.
    let expression: ArraySlice<UInt8>

    var message: String {
        "error parsing regexp: \(code.rawValue): `\(String(decoding: expression, as: UTF8.self))`"
    }
}

/// What a regular expression is made of.
indirect enum RegexNode: Sendable {
    case empty
    case literal(UInt32, foldsCase: Bool)
    case any
    case anyButNewline
    case set(CharacterSet)
    case assertion(Assertion)
    case capture(Int, RegexNode)
    case sequence([RegexNode])
    case alternatives([RegexNode])
    /// At least `minimum` times, at most `maximum`; nil means any number.
    case repetition(RegexNode, minimum: Int, maximum: Int?, greedy: Bool)

    enum Assertion: Sendable { case textStart, textEnd, lineStart, lineEnd, wordBoundary, noWordBoundary }
}

/// A character class.
struct CharacterSet: Sendable {
    struct Item: Sendable {
        enum Kind: Sendable {
            case range(UInt32, UInt32)
            case ranges([ClosedRange<UInt32>])
            case category(String)
            case any
            case assigned
        }
        var kind: Kind
        var isNegated = false

        fileprivate func contains(_ rune: UInt32) -> Bool {
            switch kind {
            case .range(let low, let high): rune >= low && rune <= high
            case .ranges(let ranges): ranges.contains { $0.contains(rune) }
            case .category(let name): UnicodeClasses.category(name, contains: rune)
            case .any: true
            case .assigned: !UnicodeClasses.category("Cn", contains: rune)
            }
        }
    }

    var items: [Item] = []
    var isNegated = false
    var foldsCase = false

    func contains(_ rune: UInt32) -> Bool {
        let found = items.contains { item in
            var inside = item.contains(rune)
            if !inside && foldsCase { inside = CaseFolding.orbit(of: rune).contains { item.contains($0) } }
            return inside != item.isNegated
        }
        return found != isNegated
    }
}

/// Characters that differ only in case.
enum CaseFolding {
    /// Further members of the orbit of a small letter that upper- and lower-casing do not reach.
    private static let more: [UInt32: [UInt32]] = [
        0x6b: [0x212a], 0x73: [0x17f], 0xe5: [0x212b], 0x3c9: [0x2126], 0x3bc: [0xb5], 0x3c3: [0x3c2],
        0x3b2: [0x3d0], 0x3b8: [0x3d1, 0x3f4], 0x3c6: [0x3d5], 0x3c0: [0x3d6], 0x3ba: [0x3f0], 0x3c1: [0x3f1],
        0x3b5: [0x3f5], 0x3b9: [0x345, 0x1fbe], 0x1e61: [0x1e9b], 0xdf: [0x1e9e],
    ]

    /// The character all of an orbit stand for.
    static func folded(_ rune: UInt32) -> UInt32 {
        rune < 0x80 ? Runes.lower(rune) : Runes.lower(Runes.upper(rune))
    }

    static func orbit(of rune: UInt32) -> [UInt32] {
        let small = folded(rune)
        return [small, Runes.upper(small), Runes.title(small)] + (more[small] ?? [])
    }
}
