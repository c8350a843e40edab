public import Diagnostics
import GoFormats

extension Report {
    /// A log of SARIF 2.1.0 with one run: the rules that were broken with their pages, and every finding. Ends with a
    /// line break.
    ///
    /// Source: OASIS SARIF 2.1.0, sections 3.13 (log), 3.19 (driver), 3.27 (result), 3.30 (region).
    ///
    /// - Parameter version: of karaffe.
    public static func sarif(_ diagnostics: [Diagnostic], version: String) -> String {
        var rules: [String] = []
        for diagnostic in diagnostics where !rules.contains(diagnostic.rule) { rules.append(diagnostic.rule) }
        rules.sort()
        let driver = object([
            ("name", .string("karaffe")), ("version", .string(version)),
            ("informationUri", .string("https://docs.kanister.io/architecture.html")),
            ("rules", .array(rules.map(descriptor))),
        ])
        let run = object([
            ("tool", object([("driver", driver)])), ("columnKind", .string("unicodeCodePoints")),
            ("results", .array(diagnostics.map { result($0, rules) })),
        ])
        let log = object([
            ("$schema", .string("https://json.schemastore.org/sarif-2.1.0.json")), ("version", .string("2.1.0")),
            ("runs", .array([run])),
        ])
        return GoJSON.text(log) + "\n"
    }

    private static func object(_ members: [(String, JSONValue)]) -> JSONValue {
        .object(JSONObject(members.map { .init(key: $0.0, value: $0.1) }))
    }

    private static func text(_ text: String) -> JSONValue { object([("text", .string(text))]) }

    private static func descriptor(_ id: String) -> JSONValue {
        guard let rule = RuleRegistry.rule(id) else { return object([("id", .string(id))]) }
        return object([
            ("id", .string(id)), ("shortDescription", text(rule.summary)), ("fullDescription", text(rule.explanation)),
            ("help", text(rule.page)), ("defaultConfiguration", object([("level", .string(level(rule.severity)))])),
        ])
    }

    private static func level(_ severity: Severity) -> String { severity.rawValue }

    private static func result(_ diagnostic: Diagnostic, _ rules: [String]) -> JSONValue {
        let message = [diagnostic.message, diagnostic.context, diagnostic.hint.map { "hint: \($0)" }]
            .compactMap { $0 }.joined(separator: "\n")
        var members: [(String, JSONValue)] = [
            ("ruleId", .string(diagnostic.rule)),
            ("ruleIndex", .integer(Int64(rules.firstIndex(of: diagnostic.rule) ?? -1))),
            ("level", .string(level(diagnostic.severity))), ("message", text(message)),
        ]
        if let range = diagnostic.range {
            let region = object([
                ("startLine", .integer(Int64(range.start.line))), ("startColumn", .integer(Int64(range.start.column))),
                ("endLine", .integer(Int64(range.end.line))), ("endColumn", .integer(Int64(range.end.column))),
            ])
            let place = object([
                ("artifactLocation", object([("uri", .string(uri(range.file)))])), ("region", region),
            ])
            members.append(("locations", .array([object([("physicalLocation", place)])])))
        }
        return object(members)
    }

    /// A path as a URI reference.
    private static func uri(_ path: String) -> String {
        let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/!$&'()*+,;=@".utf8)
        let digits = Array("0123456789ABCDEF")
        let text = path.utf8.reduce(into: "") { text, byte in
            if plain.contains(byte) {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
        return path.hasPrefix("/") ? "file://" + text : text
    }
}
