/// Reads RE2's syntax as Go has it. Groups are kept on a stack in memory, so that nesting costs no stack.
///
/// Source: Go `regexp/syntax/parse.go`.
struct RegexParser {
    private struct Flags {
        var foldsCase = false
        var dotMatchesNewline = false
        var isMultiLine = false
        var isLazy = false
    }

    /// A group whose end is not there yet.
    private struct Group {
        var alternatives: [RegexNode] = []
        var sequence: [RegexNode] = []
        /// 0 for a group that captures nothing.
        var capture = 0
        /// What holds again after the group.
        var outer = Flags()
    }

    private static let maximumNesting = 1000
    private static let maximumRepeat = 1000
    private static let maximumBytes = 1 << 20

    private let pattern: [UInt8]
    private var position = 0
    private var flags = Flags()
    private var groups = [Group()]
    private(set) var captureNames = [""]
    /// Where the repetition before started, when nothing stands between.
    private var lastRepeat: Int?

    static func parse(_ pattern: [UInt8]) throws(RegexError) -> (node: RegexNode, captureNames: [String]) {
        guard pattern.count <= maximumBytes else { throw RegexError(code: .tooLarge, expression: pattern.prefix(40)) }
        var parser = RegexParser(pattern: pattern)
        let node = try parser.parse()
        return (node, parser.captureNames)
    }

    private init(pattern: [UInt8]) { self.pattern = pattern }

    // MARK: - Cursor

    private var byte: UInt8? { position < pattern.count ? pattern[position] : nil }
    private func byte(_ offset: Int) -> UInt8? {
        position + offset < pattern.count ? pattern[position + offset] : nil
    }

    private func failure(_ code: RegexError.Code, from start: Int, to end: Int? = nil) -> RegexError {
        RegexError(code: code, expression: pattern[start..<max(start, end ?? pattern.count)])
    }

    private mutating func rune() throws(RegexError) -> UInt32 {
        let (rune, width) = Runes.decode(pattern, at: position)
        guard rune != Runes.replacement || width != 1 else { throw failure(.invalidUTF8, from: position) }
        position += width
        return rune
    }

    private mutating func push(_ node: RegexNode) { groups[groups.count - 1].sequence.append(node) }

    private static func joined(_ nodes: [RegexNode]) -> RegexNode {
        nodes.count == 1 ? nodes[0] : nodes.isEmpty ? .empty : .sequence(nodes)
    }

    // MARK: - The whole

    private mutating func parse() throws(RegexError) -> RegexNode {
        while let byte {
            let start = position
            var isRepetition = false
            switch byte {
            case UInt8(ascii: "("): try openGroup()
            case UInt8(ascii: "|"):
                position += 1
                let last = groups.count - 1
                groups[last].alternatives.append(Self.joined(groups[last].sequence))
                groups[last].sequence = []
            case UInt8(ascii: ")"): try closeGroup()
            case UInt8(ascii: "^"):
                position += 1
                push(.assertion(flags.isMultiLine ? .lineStart : .textStart))
            case UInt8(ascii: "$"):
                position += 1
                push(.assertion(flags.isMultiLine ? .lineEnd : .textEnd))
            case UInt8(ascii: "."):
                position += 1
                push(flags.dotMatchesNewline ? .any : .anyButNewline)
            case UInt8(ascii: "["): try characterClass()
            case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"):
                position += 1
                let (minimum, maximum) = byte == UInt8(ascii: "+") ? (1, nil) : (0, byte == UInt8(ascii: "?") ? 1 : nil)
                try repetition(minimum, maximum, from: start)
                isRepetition = true
            case UInt8(ascii: "{"): isRepetition = try countedRepetition()
            case UInt8(ascii: "\\"): try escape()
            default: push(.literal(try rune(), foldsCase: flags.foldsCase))
            }
            lastRepeat = isRepetition ? start : nil
        }
        guard groups.count == 1, let group = groups.last else { throw failure(.missingParenthesis, from: 0) }
        return Self.whole(group)
    }

    private static func whole(_ group: Group) -> RegexNode {
        let last = joined(group.sequence)
        return group.alternatives.isEmpty ? last : .alternatives(group.alternatives + [last])
    }

    // MARK: - Groups

    private mutating func openGroup() throws(RegexError) {
        guard groups.count < Self.maximumNesting else { throw failure(.nestingDepth, from: 0) }
        if byte(1) == UInt8(ascii: "?") { return try perlGroup() }
        position += 1
        openCapture("")
    }

    private mutating func openCapture(_ name: String) {
        captureNames.append(name)
        groups.append(Group(capture: captureNames.count - 1, outer: flags))
    }

    private mutating func closeGroup() throws(RegexError) {
        guard groups.count > 1, let group = groups.popLast() else { throw failure(.unexpectedParenthesis, from: 0) }
        position += 1
        flags = group.outer
        let node = Self.whole(group)
        // A group is one item even when it is a sequence.
        push(group.capture > 0 ? .capture(group.capture, node) : .sequence([node]))
    }

    /// `(?…`
    private mutating func perlGroup() throws(RegexError) {
        let start = position
        let isPython = byte(2) == UInt8(ascii: "P") && byte(3) == UInt8(ascii: "<") && byte(4) != nil
        let isNamed = byte(2) == UInt8(ascii: "<") && byte(3) != nil
        if isPython || isNamed {
            guard let end = pattern[start...].firstIndex(of: UInt8(ascii: ">")) else {
                guard Runes.isValid(Array(pattern[start...])) else { throw failure(.invalidUTF8, from: start) }
                throw failure(.invalidNamedCapture, from: start)
            }
            let name = pattern[(start + (isNamed ? 3 : 4))..<max(start + (isNamed ? 3 : 4), end)]
            let isWord = name.allSatisfy {
                $0 == 0x5f || $0 < 0x80 && (Runes.isLetter(UInt32($0)) || Runes.isDigit(UInt32($0)))
            }
            guard !name.isEmpty, isWord else { throw failure(.invalidNamedCapture, from: start, to: end + 1) }
            position = end + 1
            openCapture(String(decoding: name, as: UTF8.self))
            return
        }
        position += 2
        var next = flags
        var (value, sawFlag) = (true, false)
        reading: while position < pattern.count {
            let character = try rune()
            switch Runes.scalar(character) {
            case "i": (next.foldsCase, sawFlag) = (value, true)
            case "m": (next.isMultiLine, sawFlag) = (value, true)
            case "s": (next.dotMatchesNewline, sawFlag) = (value, true)
            case "U": (next.isLazy, sawFlag) = (value, true)
            case "-":
                if !value { break reading }
                (value, sawFlag) = (false, false)
            case ":", ")":
                if !value && !sawFlag { break reading }
                if character == UInt32(UInt8(ascii: ":")) { groups.append(Group(outer: flags)) }
                flags = next
                return
            default: break reading
            }
        }
        throw failure(.invalidPerlSyntax, from: start, to: position)
    }

    // MARK: - Repetition

    private mutating func repetition(_ minimum: Int, _ maximum: Int?, from start: Int) throws(RegexError) {
        var isLazy = flags.isLazy
        if byte == UInt8(ascii: "?") {
            position += 1
            isLazy.toggle()
        }
        if let lastRepeat { throw failure(.invalidRepeatOperation, from: lastRepeat, to: position) }
        guard let node = groups[groups.count - 1].sequence.popLast() else {
            throw failure(.missingRepeatArgument, from: start, to: position)
        }
        push(.repetition(node, minimum: minimum, maximum: maximum, greedy: !isLazy))
        let isCounted = minimum >= 2 || (maximum ?? 0) >= 2
        if isCounted, let last = groups[groups.count - 1].sequence.last, !Self.repeats(last, within: Self.maximumRepeat)
        {
            throw failure(.invalidRepeatSize, from: start, to: position)
        }
    }

    /// Whether repetitions inside one another stay below a product.
    private static func repeats(_ node: RegexNode, within limit: Int) -> Bool {
        switch node {
        case .repetition(let inner, let minimum, let maximum, _):
            var left = limit
            // Only counted repetitions count.
            if minimum >= 2 || (maximum ?? 0) >= 2 || maximum == 0 {
                if maximum == 0 { return true }
                let count = maximum ?? minimum
                if count > limit { return false }
                if count > 0 { left /= count }
            }
            return repeats(inner, within: left)
        case .capture(_, let inner): return repeats(inner, within: limit)
        case .sequence(let nodes), .alternatives(let nodes): return nodes.allSatisfy { repeats($0, within: limit) }
        default: return true
        }
    }

    /// `{2,3}`; false when the brace is a literal.
    private mutating func countedRepetition() throws(RegexError) -> Bool {
        let start = position
        position += 1
        guard let (minimum, maximum) = counts() else {
            position = start + 1
            push(.literal(UInt32(UInt8(ascii: "{")), foldsCase: flags.foldsCase))
            return false
        }
        let most = maximum ?? 0
        guard minimum >= 0, minimum <= Self.maximumRepeat, most >= 0, most <= Self.maximumRepeat,
            maximum.map({ minimum <= $0 }) ?? true
        else { throw failure(.invalidRepeatSize, from: start, to: position) }
        try repetition(minimum, maximum, from: start)
        return true
    }

    /// The numbers between braces; −1 for one that is far too large, nil when this is no count.
    private mutating func counts() -> (Int, Int?)? {
        guard var minimum = count() else { return nil }
        var maximum: Int? = minimum
        if byte == UInt8(ascii: ",") {
            position += 1
            if byte == UInt8(ascii: "}") {
                maximum = nil
            } else {
                guard let most = count() else { return nil }
                maximum = most
                if most < 0 { minimum = -1 }
            }
        }
        guard byte == UInt8(ascii: "}") else { return nil }
        position += 1
        return (minimum, maximum)
    }

    private mutating func count() -> Int? {
        let digits = pattern[position...].prefix { (0x30...0x39).contains($0) }
        if digits.isEmpty || digits.count > 1 && digits.first == 0x30 { return nil }
        position += digits.count
        guard digits.count < 9 else { return -1 }
        return Int(String(decoding: digits, as: UTF8.self))
    }

    // MARK: - Escapes

    private mutating func escape() throws(RegexError) {
        let start = position
        switch byte(1) {
        case UInt8(ascii: "A"): push(.assertion(.textStart))
        case UInt8(ascii: "z"): push(.assertion(.textEnd))
        case UInt8(ascii: "b"): push(.assertion(.wordBoundary))
        case UInt8(ascii: "B"): push(.assertion(.noWordBoundary))
        case UInt8(ascii: "C"): throw failure(.invalidEscape, from: start, to: start + 2)
        case UInt8(ascii: "Q"):
            position += 2
            try quotedLiteral()
            return
        case UInt8(ascii: "p"), UInt8(ascii: "P"):
            push(.set(CharacterSet(items: [try unicodeClass()], foldsCase: flags.foldsCase)))
            return
        case let letter?:
            if let item = PerlClasses.item(letter) {
                position += 2
                push(.set(CharacterSet(items: [item], foldsCase: flags.foldsCase)))
                return
            }
            push(.literal(try escapedCharacter(), foldsCase: flags.foldsCase))
            return
        case nil: throw RegexError(code: .trailingBackslash, expression: [])
        }
        position += 2
    }

    /// `\Q…\E`
    private mutating func quotedLiteral() throws(RegexError) {
        while position < pattern.count {
            if byte == UInt8(ascii: "\\") && byte(1) == UInt8(ascii: "E") {
                position += 2
                return
            }
            push(.literal(try rune(), foldsCase: flags.foldsCase))
        }
    }

    private static func hexadecimal(_ rune: UInt32) -> UInt32? {
        switch rune {
        case 0x30...0x39: rune - 0x30
        case 0x61...0x66: rune - 0x61 + 10
        case 0x41...0x46: rune - 0x41 + 10
        default: nil
        }
    }

    private mutating func escapedCharacter() throws(RegexError) -> UInt32 {
        let start = position
        position += 1
        guard position < pattern.count else { throw RegexError(code: .trailingBackslash, expression: []) }
        let character = try rune()
        switch Runes.scalar(character) {
        case "a": return 7
        case "f": return 12
        case "n": return 10
        case "r": return 13
        case "t": return 9
        case "v": return 11
        case "0": return octal(character)
        case "1"..."7":
            if let byte, (0x30...0x37).contains(byte) { return octal(character) }
        case "x":
            if let value = try hexadecimalEscape() { return value }
        default:
            if character < 0x80 && !Runes.isLetter(character) && !Runes.isDigit(character) { return character }
        }
        throw failure(.invalidEscape, from: start, to: position)
    }

    private mutating func octal(_ first: UInt32) -> UInt32 {
        var value = first - 0x30
        for _ in 0..<2 {
            guard let byte, (0x30...0x37).contains(byte) else { break }
            value = value * 8 + UInt32(byte - 0x30)
            position += 1
        }
        return value
    }

    private mutating func hexadecimalEscape() throws(RegexError) -> UInt32? {
        guard position < pattern.count else { return nil }
        let first = try rune()
        guard first == UInt32(UInt8(ascii: "{")) else {
            guard position < pattern.count else { return nil }
            let second = try rune()
            guard let high = Self.hexadecimal(first), let low = Self.hexadecimal(second) else { return nil }
            return high * 16 + low
        }
        var (value, count): (UInt32, Int) = (0, 0)
        while position < pattern.count {
            let character = try rune()
            if character == UInt32(UInt8(ascii: "}")) { return count > 0 ? value : nil }
            guard let digit = Self.hexadecimal(character) else { return nil }
            value = value * 16 + digit
            if value > 0x10ffff { return nil }
            count += 1
        }
        return nil
    }

    // MARK: - Classes

    private mutating func unicodeClass() throws(RegexError) -> CharacterSet.Item {
        let start = position
        var isNegated = byte(1) == UInt8(ascii: "P")
        position += 2
        // At the end of the pattern the name is empty, which no class has.
        let first = position < pattern.count ? try rune() : 0
        var name: ArraySlice<UInt8>
        if first == UInt32(UInt8(ascii: "{")) {
            guard let end = pattern[start...].firstIndex(of: UInt8(ascii: "}")) else {
                throw failure(.invalidCharacterRange, from: start)
            }
            name = pattern[(start + 3)..<end]
            position = end + 1
        } else {
            name = pattern[(start + 2)..<position]
        }
        if name.first == UInt8(ascii: "^") {
            isNegated.toggle()
            name = name.dropFirst()
        }
        guard let kind = UnicodeClasses.kind(String(decoding: name, as: UTF8.self)) else {
            throw failure(.invalidCharacterRange, from: start, to: position)
        }
        return CharacterSet.Item(kind: kind, isNegated: isNegated)
    }

    private mutating func characterClass() throws(RegexError) {
        let start = position
        var set = CharacterSet(foldsCase: flags.foldsCase)
        position += 1
        if byte == UInt8(ascii: "^") {
            set.isNegated = true
            position += 1
        }
        var isFirst = true
        while byte != UInt8(ascii: "]") || isFirst {
            isFirst = false
            if let item = try namedClass() {
                set.items.append(item)
                continue
            }
            if byte == UInt8(ascii: "\\"), let letter = byte(1) {
                if letter == UInt8(ascii: "p") || letter == UInt8(ascii: "P") {
                    set.items.append(try unicodeClass())
                    continue
                }
                if let item = PerlClasses.item(letter) {
                    position += 2
                    set.items.append(item)
                    continue
                }
            }
            set.items.append(try classRange(in: start))
        }
        position += 1
        push(.set(set))
    }

    /// `[:alpha:]`
    private mutating func namedClass() throws(RegexError) -> CharacterSet.Item? {
        guard byte == UInt8(ascii: "["), byte(1) == UInt8(ascii: ":"), byte(2) != nil,
            let end = ByteText.find(Array(":]".utf8), in: pattern, from: position + 2)
        else { return nil }
        let start = position
        position = end + 2
        guard let item = PerlClasses.named(String(decoding: pattern[(start + 2)..<end], as: UTF8.self)) else {
            throw failure(.invalidCharacterRange, from: start, to: position)
        }
        return item
    }

    private mutating func classRange(in classStart: Int) throws(RegexError) -> CharacterSet.Item {
        let start = position
        let low = try classCharacter(in: classStart)
        var high = low
        if byte == UInt8(ascii: "-"), let next = byte(1), next != UInt8(ascii: "]") {
            position += 1
            high = try classCharacter(in: classStart)
            guard high >= low else { throw failure(.invalidCharacterRange, from: start, to: position) }
        }
        return CharacterSet.Item(kind: .range(low, high))
    }

    private mutating func classCharacter(in classStart: Int) throws(RegexError) -> UInt32 {
        guard let byte else { throw failure(.missingBracket, from: classStart) }
        return byte == UInt8(ascii: "\\") ? try escapedCharacter() : try rune()
    }
}
