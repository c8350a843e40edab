import Diagnostics

/// Collects what the checks of one run find.
struct Findings: Sendable {
    private(set) var collector = DiagnosticCollector()

    mutating func report(
        _ rule: Rule, _ message: String, at range: SourceRange?, context: String? = nil, hint: String? = nil,
        severity: Severity? = nil
    ) {
        collector.append(
            Diagnostic(
                severity ?? rule.severity, rule: rule.id, message, at: range, context: context, hint: hint))
    }

    mutating func append(_ diagnostics: [Diagnostic]) { collector.append(contentsOf: diagnostics) }
}
