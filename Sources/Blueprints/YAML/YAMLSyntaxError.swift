internal import CYaml
internal import Diagnostics

/// libyaml's complaint as one diagnostic, with a guess at what the author meant.
struct YAMLSyntaxError {
    let diagnostic: Diagnostic

    init(_ parser: yaml_parser_t, source: SourceFile, start: Int, places: inout CharacterPlaces) {
        let problem = parser.problem.map { String(cString: $0) } ?? "it ends in the middle"
        if parser.error == YAML_READER_ERROR {
            let offset = min(start + parser.problem_offset, source.bytes.count)
            diagnostic = Diagnostic(
                rule: "yaml-encoding", "the file has a character YAML does not allow: \(problem)",
                at: source.range(offset..<min(offset + 1, source.bytes.count)),
                hint: "write it as an escape in double quotes, such as \"\\e\", or keep binary data in base64")
            return
        }
        let offset = places.offset(of: parser.problem_mark.index)
        let end = offset < source.bytes.count && source.bytes[offset] != 0x0a ? offset + 1 : offset
        if let template = Self.helmTemplate(near: offset, source: source) {
            diagnostic = template
            return
        }
        if let template = Self.templateInLine(at: offset, source: source) {
            diagnostic = template
            return
        }
        var message = "this is not valid YAML: \(problem)"
        if problem == "found unexpected end of stream" {
            // The end of the file is never where the quote is missing.
            let opening = places.offset(of: parser.context_mark.index)
            diagnostic = Diagnostic(
                rule: "yaml-syntax", "this is not valid YAML: the quote that opens here is never closed",
                at: source.range(opening..<min(opening + 1, source.bytes.count)), hint: "add the closing quote")
            return
        }
        if let context = parser.context {
            message += " \(String(cString: context))"
            let contextLine = source.position(at: places.offset(of: parser.context_mark.index)).line
            if contextLine != source.position(at: offset).line { message += " that starts in line \(contextLine)" }
        }
        diagnostic = Diagnostic(
            rule: "yaml-syntax", message, at: source.range(offset..<end),
            hint: Self.hint(for: problem, at: offset, source: source))
    }

    /// For a value that starts with `{{` and has no quotes: YAML reads the braces as its own.
    static func unquotedTemplate(at offsets: Range<Int>, source: SourceFile) -> Diagnostic {
        if let template = helmTemplate(near: offsets.lowerBound, source: source) { return template }
        return Diagnostic(
            rule: "yaml-unquoted-template",
            "a value that starts with '{{' needs quotes, or YAML takes the braces for its own",
            at: source.range(offsets),
            hint: "put the whole value in double quotes, or in single quotes if it contains some")
    }

    private static func templateInLine(at offset: Int, source: SourceFile) -> Diagnostic? {
        let line = source.position(at: offset).line
        for number in [line, line - 1] {
            guard let text = source.line(number), let column = unquotedTemplateColumn(text) else { continue }
            let start = source.offset(of: SourcePosition(line: number, column: column))
            return unquotedTemplate(at: start..<start + 2, source: source)
        }
        return nil
    }

    /// The column of `{{` when it is the first thing of a value in this line.
    private static func unquotedTemplateColumn(_ line: String) -> Int? {
        let scalars = Array(line.unicodeScalars)
        guard scalars.count >= 2 else { return nil }
        for position in 0..<scalars.count - 1 where scalars[position] == "{" && scalars[position + 1] == "{" {
            let before = scalars[..<position].last { $0 != " " }
            return before == nil || before == ":" || before == "-" ? position + 1 : nil
        }
        return nil
    }

    /// Recognises a Helm chart's template by what only Helm has: its root objects, or control structures around YAML.
    private static func helmTemplate(near offset: Int, source: SourceFile) -> Diagnostic? {
        let marks = [".Values", ".Release", ".Chart", ".Capabilities", "include \"", "template \""]
        var found: Int?
        for number in 1...source.lineCount {
            guard let text = source.line(number), text.contains(bytesOf: "{{") else { continue }
            guard marks.contains(where: { text.contains(bytesOf: $0) }) else { continue }
            found = number
            break
        }
        guard found != nil else { return nil }
        let line = source.position(at: offset).line
        let shown = [line, line - 1].first { source.line($0)?.contains(bytesOf: "{{") ?? false } ?? found ?? line
        let column = (source.line(shown) ?? "").prefixLength(before: "{{") + 1
        let start = source.offset(of: SourcePosition(line: shown, column: column))
        return Diagnostic(
            rule: "yaml-helm-template", "this looks like a Helm template, which is no YAML until Helm has rendered it",
            at: source.range(start..<min(start + 2, source.bytes.count)),
            hint: "render it first: helm template CHART --show-only templates/FILE > blueprint.yaml")
    }

    private static func hint(for problem: String, at offset: Int, source: SourceFile) -> String? {
        let byte = offset < source.bytes.count ? source.bytes[offset] : 0
        let line = source.line(source.position(at: offset).line) ?? ""
        if byte == 0x09 || line.prefix(while: { $0 == " " || $0 == "\t" }).contains("\t") {
            return "YAML does not allow tabs for indentation: use spaces"
        }
        switch problem {
        case "found character that cannot start any token":
            let character = Unicode.Scalar(byte)
            return "a text that starts with '\(character)' needs quotes"
        case "could not find expected ':'":
            return "a key needs ':' and a space after it; a text over several lines needs '|' or quotes"
        case "mapping values are not allowed in this context":
            return "a text that contains ': ' needs quotes; or this key is indented more than the one above"
        case "found unknown escape character", "did not find expected hexdecimal number":
            return "in double quotes '\\' starts an escape: write '\\\\', or use single quotes"
        case "did not find expected '-' indicator":
            return "every item of this list starts with '- ' in the same column"
        case "did not find expected key":
            return "keys of one mapping start in the same column; a quote inside quotes must be escaped"
        case "did not find expected ',' or ']'":
            return "a list in '[' needs ',' between items and ']' at its end"
        case "did not find expected ',' or '}'":
            return "a mapping in '{' needs ',' between entries and '}' at its end"
        default: return nil
        }
    }
}
