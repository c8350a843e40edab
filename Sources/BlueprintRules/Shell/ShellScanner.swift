/// Reads a script into words and commands. Quotes, `$( )`, backticks, comments, here-documents, `case` and `[[ ]]` are
/// known as far as they decide what a quote or a `|` means.
struct ShellScanner {
    private let bytes: [UInt8]
    private let spans: [TemplateSpan]
    private var index = 0
    /// Where reading ends: inside backticks before the text does.
    private var limit: Int
    private var nextSpan = 0
    private(set) var script = ShellScript()
    /// Here-documents that begin after this line.
    private var documents: [(delimiter: [UInt8], stripsTabs: Bool)] = []

    private static let depthLimit = 64

    init(_ bytes: [UInt8], spans: [TemplateSpan]) {
        self.bytes = bytes
        self.spans = spans
        limit = bytes.count
    }

    static func isName(_ byte: UInt8) -> Bool {
        (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a || byte >= 0x30 && byte <= 0x39 || byte == 0x5f
    }

    private var current: UInt8? { index < limit ? bytes[index] : nil }

    private func peek(_ distance: Int = 1) -> UInt8? {
        index + distance < limit ? bytes[index + distance] : nil
    }

    /// The template action that starts here.
    private mutating func span() -> TemplateSpan? {
        while nextSpan < spans.count, spans[nextSpan].range.lowerBound < index { nextSpan += 1 }
        guard nextSpan < spans.count, spans[nextSpan].range.lowerBound == index else { return nil }
        return spans[nextSpan]
    }

    // MARK: Commands

    /// Reads commands up to `end`, which is passed, or to the end of the text.
    mutating func commands(until end: UInt8?, depth: Int) {
        var state = CommandState()
        while let byte = current {
            if let span = span() {
                if span.isControl { index = span.range.upperBound } else { word(&state, depth: depth) }
                continue
            }
            if byte == end, !(byte == UInt8(ascii: ")") && state.isPattern) {
                index += 1
                break
            }
            switch byte {
            case 0x20, 0x09, 0x0d: index += 1
            case 0x0a:
                index += 1
                close(&state)
                hereDocuments()
            case UInt8(ascii: "#"): comment()
            case UInt8(ascii: ";"), UInt8(ascii: "&"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "|"),
                UInt8(ascii: "<"), UInt8(ascii: ">"):
                operation(byte, &state, depth: depth)
            case UInt8(ascii: "\\") where peek() == 0x0a: index += 2
            default: word(&state, depth: depth)
            }
        }
        close(&state)
    }

    /// What decides how an operator is read.
    private struct CommandState {
        var command = ShellScript.Command()
        /// Where the command will be in `commands`.
        var slot: Int?
        var caseDepth = 0
        /// Between `in` or `;;` and `)` of a `case`.
        var isPattern = false
        var isTest = false
    }

    private mutating func close(_ state: inout CommandState) {
        if let slot = state.slot { script.commands[slot] = state.command }
        state.command = ShellScript.Command()
        state.slot = nil
        state.isTest = false
    }

    private mutating func operation(_ byte: UInt8, _ state: inout CommandState, depth: Int) {
        switch byte {
        case UInt8(ascii: "|"):
            if state.isTest || state.isPattern {
                index += 1
            } else if peek() == UInt8(ascii: "|") {
                index += 2
                close(&state)
            } else {
                script.pipes.append(index)
                index += peek() == UInt8(ascii: "&") ? 2 : 1
                close(&state)
            }
        case UInt8(ascii: "<") where peek() == UInt8(ascii: "<"): hereDocumentStart()
        case UInt8(ascii: "<"), UInt8(ascii: ">"):
            index += 1
            while let next = current,
                next == UInt8(ascii: ">") || next == UInt8(ascii: "&") || next == UInt8(ascii: "|")
            {
                index += 1
            }
            if current == UInt8(ascii: "("), depth < Self.depthLimit {
                index += 1
                commands(until: UInt8(ascii: ")"), depth: depth + 1)
            }
        case UInt8(ascii: "("):
            index += 1
            if !state.isPattern, !state.isTest, depth < Self.depthLimit {
                commands(until: UInt8(ascii: ")"), depth: depth + 1)
            }
        case UInt8(ascii: ")"):
            index += 1
            state.isPattern = false
            close(&state)
        case UInt8(ascii: ";") where peek() == UInt8(ascii: ";"):
            index += 2
            close(&state)
            state.isPattern = state.caseDepth > 0
        default:
            index += 1
            if !state.isTest { close(&state) }
        }
    }

    private mutating func comment() {
        while let byte = current, byte != 0x0a {
            if let span = span() { index = span.range.upperBound } else { index += 1 }
            _ = byte
        }
    }

    // MARK: Words

    private static let endsOfWord: Set<UInt8> = Set(" \t\r\n;&|<>()".utf8)

    private mutating func word(_ state: inout CommandState, depth: Int) {
        let slot: Int
        if let known = state.slot {
            slot = known
        } else {
            slot = script.commands.count
            script.commands.append(state.command)
            state.slot = slot
        }
        let start = index
        var word = WordReader(command: slot, position: state.command.words.count, depth: depth)
        while let byte = current {
            if span() == nil, Self.endsOfWord.contains(byte) { break }
            step(&word)
        }
        if index == start { index += 1 }
        let read = ShellScript.Word(
            range: start..<index, text: String(decoding: word.text, as: UTF8.self), isLiteral: word.isLiteral)
        if state.command.words.isEmpty, Self.reserved.contains(read.text) {
            close(&state)
            return
        }
        note(read, &state)
        // The command goes into the script when it is complete: storing it after every word would copy it every time.
        state.command.words.append(read)
    }

    private mutating func note(_ word: ShellScript.Word, _ state: inout CommandState) {
        let isFirst = state.command.words.isEmpty
        switch word.text {
        case "case" where isFirst: state.caseDepth += 1
        case "in" where state.command.words.first?.text == "case": state.isPattern = true
        case "esac" where isFirst:
            state.caseDepth = max(0, state.caseDepth - 1)
            state.isPattern = false
        case "[[" where isFirst: state.isTest = true
        case "]]": state.isTest = false
        default: break
        }
    }

    /// Words after which another command begins.
    private static let reserved: Set<String> = ["if", "then", "else", "elif", "do", "while", "until", "!", "{", "time"]

    private struct WordReader {
        let command: Int
        let position: Int
        let depth: Int
        var text: [UInt8] = []
        var isLiteral = true
        var quote = ShellScript.Quote.none
    }

    /// One character, action, quote or substitution of a word.
    private mutating func step(_ word: inout WordReader) {
        guard let byte = current else { return }
        if let span = span() {
            if !span.isControl {
                script.insertions.append(
                    .init(range: span.range, quote: word.quote, command: word.command, word: word.position))
                word.text += bytes[span.range]
                word.isLiteral = false
            }
            index = span.range.upperBound
            return
        }
        switch byte {
        case UInt8(ascii: "'"): quoted(&word, .single, byte)
        case UInt8(ascii: "\""): quoted(&word, .double, byte)
        default: unquoted(&word, byte)
        }
    }

    private mutating func quoted(_ word: inout WordReader, _ quote: ShellScript.Quote, _ mark: UInt8) {
        index += 1
        word.quote = quote
        while let byte = current {
            if span() != nil {
                step(&word)
            } else if byte == mark {
                break
            } else if quote == .double {
                unquoted(&word, byte)
            } else {
                word.text.append(byte)
                index += 1
            }
        }
        index += 1
        word.quote = .none
    }

    /// A character outside single quotes.
    private mutating func unquoted(_ word: inout WordReader, _ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\\"):
            if let next = peek(), next != 0x0a { word.text.append(next) }
            index += 2
        case UInt8(ascii: "$") where peek() == UInt8(ascii: "(") && word.depth < Self.depthLimit:
            word.isLiteral = false
            word.text += Array("$(…)".utf8)
            index += 2
            commands(until: UInt8(ascii: ")"), depth: word.depth + 1)
        case UInt8(ascii: "`") where word.depth < Self.depthLimit:
            word.isLiteral = false
            word.text += Array("`…`".utf8)
            index += 1
            substituted(&word)
        default:
            if byte == UInt8(ascii: "$") || byte == UInt8(ascii: "*") && word.quote == .none { word.isLiteral = false }
            word.text.append(byte)
            index += 1
        }
    }

    /// A backtick ends at the next one, whatever lies between.
    private mutating func substituted(_ word: inout WordReader) {
        var end = index
        var following = nextSpan
        while end < limit, bytes[end] != UInt8(ascii: "`") {
            while following < spans.count, spans[following].range.lowerBound < end { following += 1 }
            if following < spans.count, spans[following].range.lowerBound == end {
                end = spans[following].range.upperBound
            } else {
                end += bytes[end] == UInt8(ascii: "\\") ? 2 : 1
            }
        }
        let outer = limit
        limit = min(end, limit)
        commands(until: nil, depth: word.depth + 1)
        limit = outer
        index = min(max(index, end) + 1, limit)
    }

    // MARK: Here-documents

    private mutating func hereDocumentStart() {
        index += 2
        if current == UInt8(ascii: "<") {
            index += 1
            return
        }
        let stripsTabs = current == UInt8(ascii: "-")
        if stripsTabs { index += 1 }
        while current == 0x20 || current == 0x09 { index += 1 }
        var delimiter: [UInt8] = []
        while let byte = current, !Self.endsOfWord.contains(byte) {
            if byte != UInt8(ascii: "'"), byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
                delimiter.append(byte)
            }
            index += 1
        }
        if !delimiter.isEmpty { documents.append((delimiter, stripsTabs)) }
    }

    private mutating func hereDocuments() {
        while !documents.isEmpty {
            let (delimiter, stripsTabs) = documents.removeFirst()
            while index < limit {
                var start = index
                while let byte = current, byte != 0x0a {
                    if let span = span() {
                        if !span.isControl {
                            script.insertions.append(.init(range: span.range, quote: .document, command: nil, word: 0))
                        }
                        index = span.range.upperBound
                    } else {
                        index += 1
                    }
                    _ = byte
                }
                let end = min(index, limit)
                index += 1
                if stripsTabs { while start < end, bytes[start] == 0x09 { start += 1 } }
                if bytes[min(start, end)..<end].elementsEqual(delimiter) { break }
            }
        }
        index = min(index, limit)
    }
}
