/// A shell script as far as its words, commands and pipes: what a check of secrets, pipes and `kando` needs. Template
/// actions are opaque parts of words. Nothing is expanded.
///
/// Memory: linear in the script. Whatever the text, scanning ends: what is no shell is read as words.
struct ShellScript: Sendable {
    enum Quote: Sendable, Hashable {
        case none
        case single
        case double
        /// Inside a here-document.
        case document
    }

    /// A template action that writes something.
    struct Insertion: Sendable {
        let range: Range<Int>
        let quote: Quote
        /// Index in `commands`; nil in a here-document.
        let command: Int?
        /// Index of the word in the command.
        let word: Int
    }

    struct Word: Sendable {
        var range: Range<Int>
        /// Quotes removed; template actions and `$NAME` as written.
        var text: String
        /// True when the text is what the program gets: no template, no expansion.
        var isLiteral = true
    }

    struct Command: Sendable {
        var words: [Word] = []

        /// The words without assignments in front.
        var arguments: ArraySlice<Word> {
            words.drop { word in
                guard let equals = word.text.firstIndex(of: "=") else { return false }
                let name = word.text[..<equals]
                return !name.isEmpty && name.utf8.allSatisfy(ShellScanner.isName)
            }
        }

        /// The program without its folder; empty when there is none.
        var program: String {
            guard let first = arguments.first?.text else { return "" }
            return String(first.split(separator: "/").last ?? "")
        }
    }

    var commands: [Command] = []
    /// Offsets of `|`.
    var pipes: [Int] = []
    var insertions: [Insertion] = []

    init() {}

    /// - Parameter text: the decoded script with its templates.
    init(_ text: String) {
        var scanner = ShellScanner(Array(text.utf8), spans: TemplateSpan.all(in: text))
        scanner.commands(until: nil, depth: 0)
        self = scanner.script
    }

    /// A command that was given as a list, without a shell.
    init(list: [String]) {
        commands = [
            Command(
                words: list.map { text in
                    Word(range: 0..<0, text: text, isLiteral: !text.utf8.contains(UInt8(ascii: "{")))
                })
        ]
    }

    /// Values of variables that are assigned exactly once, as written.
    var variables: [String: Word] {
        var found: [String: Word] = [:]
        var repeated: Set<String> = []
        for command in commands {
            let isDeclaration = ["export", "local", "readonly", "declare"].contains(command.program)
            let candidates = isDeclaration ? command.words : Array(command.words.dropLast(command.arguments.count))
            for word in candidates {
                guard let equals = word.text.firstIndex(of: "=") else { continue }
                let name = String(word.text[..<equals])
                if found[name] != nil { repeated.insert(name) }
                var value = word
                value.text = String(word.text[word.text.index(after: equals)...])
                found[name] = value
            }
        }
        return found.filter { !repeated.contains($0.key) }
    }
}

/// A template action in a text: `{{ … }}`.
struct TemplateSpan: Sendable, Hashable {
    let range: Range<Int>
    /// True for `if`, `end`, assignments and comments, which write nothing.
    let isControl: Bool

    private static let keywords: Set<String> = [
        "if", "else", "end", "range", "with", "define", "block", "break", "continue",
    ]

    /// In the order of the text. What is not closed reaches to the end.
    static func all(in text: String) -> [TemplateSpan] {
        let bytes = Array(text.utf8)
        var spans: [TemplateSpan] = []
        var index = 0
        while index + 1 < bytes.count {
            guard bytes[index] == UInt8(ascii: "{"), bytes[index + 1] == UInt8(ascii: "{") else {
                index += 1
                continue
            }
            let end = closing(bytes, from: index + 2)
            spans.append(TemplateSpan(range: index..<end, isControl: isControl(bytes[(index + 2)..<end])))
            index = end
        }
        return spans
    }

    private static func closing(_ bytes: [UInt8], from start: Int) -> Int {
        var index = start
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`"):
                index = literalEnd(bytes, from: index)
            case UInt8(ascii: "}") where index + 1 < bytes.count && bytes[index + 1] == UInt8(ascii: "}"):
                return index + 2
            case UInt8(ascii: "/") where index + 1 < bytes.count && bytes[index + 1] == UInt8(ascii: "*"):
                index += 2
                while index < bytes.count, !(bytes[index - 1] == UInt8(ascii: "*") && bytes[index] == UInt8(ascii: "/"))
                {
                    index += 1
                }
                index += 1
            default: index += 1
            }
        }
        return bytes.count
    }

    private static func literalEnd(_ bytes: [UInt8], from start: Int) -> Int {
        let quote = bytes[start]
        var index = start + 1
        while index < bytes.count, bytes[index] != quote {
            if bytes[index] == UInt8(ascii: "\\"), quote != UInt8(ascii: "`") { index += 1 }
            index += 1
        }
        return index + 1
    }

    private static func isControl(_ bytes: ArraySlice<UInt8>) -> Bool {
        var rest = bytes
        if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        rest = rest.drop { $0 == 0x20 || $0 == 0x0a || $0 == 0x09 || $0 == 0x0d }
        if rest.starts(with: [UInt8(ascii: "/"), UInt8(ascii: "*")]) { return true }
        let word = String(decoding: rest.prefix { ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7a }, as: UTF8.self)
        if keywords.contains(word) { return true }
        guard rest.first == UInt8(ascii: "$") else { return false }
        let after = rest.dropFirst().drop(while: ShellScanner.isName).drop { $0 == 0x20 }
        return after.first == UInt8(ascii: "=") || after.starts(with: [UInt8(ascii: ":"), UInt8(ascii: "=")])
            || after.first == UInt8(ascii: ",")
    }
}
