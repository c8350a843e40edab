internal import Diagnostics

/// Which documents of a file are Secrets, found by looking at the text, because a problem in the YAML must not show a
/// password even when the document cannot be read.
struct SecretDocuments {
    /// First line, counted from 1, of each document, and whether it is to be treated as a Secret.
    private var documents: [(line: Int, isSecret: Bool)] = []

    init(_ source: SourceFile) {
        var first = 1
        var topLevelKind: String?
        var mentionsSecret = false
        for number in 1...source.lineCount {
            let line = source.line(number) ?? ""
            if line.hasPrefix("---") {
                documents.append((first, Self.isSecret(topLevelKind, mentionsSecret)))
                (first, topLevelKind, mentionsSecret) = (number, nil, false)
            }
            guard line.utf8.count < 4096 || !mentionsSecret else { continue }
            if line.hasPrefix("kind:"), topLevelKind == nil { topLevelKind = String(line.dropFirst(5)) }
            if !mentionsSecret { mentionsSecret = line.contains(bytesOf: "Secret") }
        }
        documents.append((first, Self.isSecret(topLevelKind, mentionsSecret)))
    }

    /// A Blueprint speaks of Secrets too; only its own kind counts. Lists and flow style have none at the start of a
    /// line.
    private static func isSecret(_ topLevelKind: String?, _ mentionsSecret: Bool) -> Bool {
        guard let topLevelKind else { return mentionsSecret }
        return topLevelKind.contains(bytesOf: "Secret") || (mentionsSecret && topLevelKind.contains(bytesOf: "List"))
    }

    /// The diagnostic without anything of the text, if it is about a Secret.
    func redact(_ diagnostic: Diagnostic, source: SourceFile) -> Diagnostic {
        let line = diagnostic.range?.start.line ?? 1
        guard documents.last(where: { $0.line <= line })?.isSecret ?? false else { return diagnostic }
        var redacted = diagnostic
        redacted.isSensitive = true
        switch diagnostic.rule {
        case "yaml-tag": redacted.message = "a value does not fit its tag"
        case "yaml-alias":
            redacted.message = "there is an alias without its anchor"
            redacted.hint = "quote a text that starts with '*'"
        default: break
        }
        return redacted
    }
}
