public import Diagnostics

/// One thing `karaffe validate` looks for: its stable id, how bad it is, and the page `karaffe explain` prints.
public struct Rule: Sendable, Hashable, Identifiable {
    /// Kebab-case; never changes its meaning.
    public let id: String
    /// The worst it reports. `error` only for what Kanister or Kasten would refuse, or what is certain to fail.
    public let severity: Severity
    /// One line.
    public let summary: String
    /// What is wrong and why it matters, in a paragraph or two.
    public let explanation: String
    /// YAML that breaks the rule, and how to write it; empty where an example says nothing.
    public let bad: String
    public let good: String

    public init(
        _ id: String, _ severity: Severity, _ summary: String, _ explanation: String, bad: String = "",
        good: String = ""
    ) {
        self.id = id
        self.severity = severity
        self.summary = summary
        self.explanation = explanation
        self.bad = bad
        self.good = good
    }

    public static func == (left: Rule, right: Rule) -> Bool { left.id == right.id }
    public func hash(into hasher: inout Hasher) { hasher.combine(id) }

    /// The whole page as plain text, ending with a line break.
    public var page: String {
        var text = "\(id) (\(severity.rawValue))\n\n\(summary)\n\n\(explanation)\n"
        if !bad.isEmpty { text += "\nInstead of\n\n\(Self.indented(bad))\n" }
        if !good.isEmpty { text += "\n\(bad.isEmpty ? "Example" : "write")\n\n\(Self.indented(good))\n" }
        return text
            + "\nTo silence it, put a comment on the line or on the line above; in a script it is a comment of the shell:\n\n"
            + "  # karaffe:ignore \(id) why it is meant\n\nor once for the whole file: # karaffe:ignore-file \(id)\n"
    }

    private static func indented(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { $0.isEmpty ? "" : "  \($0)" }
            .joined(separator: "\n")
    }
}
