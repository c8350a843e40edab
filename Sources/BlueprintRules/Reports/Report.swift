public import Diagnostics
import GoFormats

/// The forms of a report that programs read. Text for people is `DiagnosticRenderer`'s.
public enum Report {
    /// A list of `{file,line,column,endLine,endColumn,severity,rule,message,hint}`; `hint` is null when there is none, the
    /// places are null for a finding that is about no place. Lines and columns count from 1, columns in Unicode
    /// scalars, ends are just past the last character. Ends with a line break.
    public static func json(_ diagnostics: [Diagnostic]) -> String {
        let items = diagnostics.map { diagnostic -> JSONValue in
            let range = diagnostic.range
            return .object(
                JSONObject([
                    .init(key: "file", value: range.map { .string($0.file) } ?? .null),
                    .init(key: "line", value: number(range?.start.line)),
                    .init(key: "column", value: number(range?.start.column)),
                    .init(key: "endLine", value: number(range?.end.line)),
                    .init(key: "endColumn", value: number(range?.end.column)),
                    .init(key: "severity", value: .string(diagnostic.severity.rawValue)),
                    .init(key: "rule", value: .string(diagnostic.rule)),
                    .init(key: "message", value: .string(diagnostic.message)),
                    .init(key: "hint", value: diagnostic.hint.map { .string($0) } ?? .null),
                ]))
        }
        guard !items.isEmpty else { return "[]\n" }
        return "[\n" + items.map { "  " + GoJSON.text($0) }.joined(separator: ",\n") + "\n]\n"
    }

    private static func number(_ value: Int?) -> JSONValue { value.map { .integer(Int64($0)) } ?? .null }

    /// Commands of GitHub's workflow runner, one a line, which it turns into annotations.
    ///
    /// Source: docs.github.com "Workflow commands"; escaping as in actions/toolkit `core/src/command.ts`.
    public static func github(_ diagnostics: [Diagnostic]) -> String {
        diagnostics.reduce(into: "") { text, diagnostic in
            let command = diagnostic.severity == .note ? "notice" : diagnostic.severity.rawValue
            var properties: [String] = []
            if let range = diagnostic.range {
                properties = [
                    "file=\(property(range.file))", "line=\(range.start.line)", "endLine=\(range.end.line)",
                    "col=\(range.start.column)", "endColumn=\(range.end.column)",
                ]
            }
            properties.append("title=\(property(diagnostic.rule))")
            let message =
                ([diagnostic.message] + [diagnostic.context, diagnostic.hint.map { "hint: \($0)" }].compactMap { $0 })
                .joined(separator: "\n")
            text += "::\(command) \(properties.joined(separator: ","))::\(data(message))\n"
        }
    }

    private static func data(_ text: String) -> String {
        replacing(text, [("%", "%25"), ("\r", "%0D"), ("\n", "%0A")])
    }

    private static func property(_ text: String) -> String {
        replacing(text, [("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")])
    }

    private static func replacing(_ text: String, _ pairs: [(Unicode.Scalar, String)]) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if let pair = pairs.first(where: { $0.0 == scalar }) {
                result += pair.1
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
