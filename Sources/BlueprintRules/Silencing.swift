import Diagnostics

/// Comments that silence findings: `# karaffe:ignore RULE[,RULE] reason` on the line or on the line above, and
/// `# karaffe:ignore-file RULE[,RULE] reason` anywhere in the file.
///
/// A comment is found by its text alone, `#` at the start of a line or after white space, whether it is one of YAML or,
/// inside a block scalar, one of the shell. Several comment lines above one another all mean the next line that is
/// none.
struct Silencing {
    private struct Comment {
        let file: String
        let range: SourceRange
        /// The line that is meant; nil for the whole file.
        let line: Int?
        let rules: [String]
    }

    private var comments: [Comment] = []
    private var findings = Findings()

    init(_ sources: [SourceFile]) {
        for source in sources { read(source) }
    }

    private static let mark = Array("karaffe:ignore".utf8)

    private mutating func read(_ source: SourceFile) {
        let bytes = source.bytes
        var index = 0
        while index + Self.mark.count <= bytes.count {
            guard bytes[index] == Self.mark[0], bytes[index..<(index + Self.mark.count)].elementsEqual(Self.mark) else {
                index += 1
                continue
            }
            if let hash = Self.hash(before: index, in: bytes) { add(source, hash: hash, mark: index) }
            index += Self.mark.count
        }
    }

    /// The `#` in front of the mark, nothing but spaces between.
    private static func hash(before mark: Int, in bytes: [UInt8]) -> Int? {
        var index = mark - 1
        while index >= 0, bytes[index] == 0x20 { index -= 1 }
        guard index >= 0, bytes[index] == UInt8(ascii: "#") else { return nil }
        return index == 0 || [0x20, 0x09, 0x0a, 0x0d].contains(bytes[index - 1]) ? index : nil
    }

    private mutating func add(_ source: SourceFile, hash: Int, mark: Int) {
        let bytes = source.bytes
        let end = bytes[mark...].firstIndex { $0 == 0x0a || $0 == 0x0d } ?? bytes.count
        var rest = bytes[(mark + Self.mark.count)..<end]
        let isForFile = rest.starts(with: Array("-file".utf8))
        if isForFile { rest = rest.dropFirst(5) }
        guard rest.isEmpty || rest.first == 0x20 else { return }
        let range = source.range(hash..<end)
        let list = rest.drop { $0 == 0x20 }
        var rules: [String] = []
        for part in Self.names(list) {
            let name = String(decoding: list[part], as: UTF8.self)
            if RuleRegistry.rule(name) == nil {
                findings.report(
                    .unknownIgnoredRule, "there is no rule '\(name)'", at: source.range(part),
                    hint: nearMissHint(for: name, among: RuleRegistry.ids) ?? "karaffe explain --list names them all")
            } else {
                rules.append(name)
            }
        }
        if Self.names(list).isEmpty {
            findings.report(
                .unknownIgnoredRule, "the comment names no rule", at: range,
                hint: "write # karaffe:ignore RULE, for example # karaffe:ignore pipefail")
        }
        let line = isForFile ? nil : Self.line(meantBy: range.start.line, in: source)
        comments.append(Comment(file: source.name, range: range, line: line, rules: rules))
    }

    /// The names before the first space, separated by commas; a space may follow a comma.
    private static func names(_ text: ArraySlice<UInt8>) -> [Range<Int>] {
        var names: [Range<Int>] = []
        var start = text.startIndex
        var index = start
        while index < text.endIndex {
            let byte = text[index]
            if byte == UInt8(ascii: ",") {
                if index > start { names.append(start..<index) }
                index += 1
                while index < text.endIndex, text[index] == 0x20 { index += 1 }
                start = index
                continue
            }
            if byte == 0x20 || byte == 0x09 { break }
            index += 1
        }
        if index > start { names.append(start..<index) }
        return names
    }

    /// The line of the comment, or when there is nothing else on it, the next one that is no comment.
    private static func line(meantBy line: Int, in source: SourceFile) -> Int {
        func isComment(_ number: Int) -> Bool {
            source.line(number).map { $0.trimmingSpaces.hasPrefix("#") } ?? false
        }
        guard isComment(line) else { return line }
        var next = line + 1
        while isComment(next), next < line + 100 { next += 1 }
        return next
    }

    func apply(to diagnostics: [Diagnostic], options: ValidationOptions) -> (diagnostics: [Diagnostic], silenced: Int) {
        var used: Set<Int> = []
        var kept = DiagnosticCollector()
        var silenced = 0
        let byFile = Dictionary(grouping: comments.indices) { comments[$0].file }
        for diagnostic in diagnostics {
            let file = diagnostic.range?.file ?? ""
            let matching = (byFile[file] ?? []).filter { index in
                let comment = comments[index]
                return comment.rules.contains(diagnostic.rule)
                    && (comment.line == nil || comment.line == diagnostic.range?.start.line)
            }
            used.formUnion(matching)
            if !matching.isEmpty { silenced += 1 } else { kept.append(diagnostic) }
        }
        var own = findings
        if options.isStrict {
            for (index, comment) in comments.enumerated() where !used.contains(index) && !comment.rules.isEmpty {
                own.report(
                    .unusedIgnore, "the comment silences nothing", at: comment.range,
                    hint: "remove it: there is no \(comment.rules.joined(separator: ", ")) here")
            }
        }
        kept.append(contentsOf: own.collector.diagnostics)
        let chosen = kept.sorted.filter { diagnostic in
            (options.only?.contains(diagnostic.rule) ?? true) && !options.except.contains(diagnostic.rule)
        }
        return (chosen, silenced)
    }
}
