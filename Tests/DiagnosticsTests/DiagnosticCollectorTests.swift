import Diagnostics
import Testing

struct DiagnosticCollectorTests {
    private func at(_ line: Int, _ file: String = "f") -> SourceRange {
        let place = SourcePosition(line: line, column: 1)
        return SourceRange(file: file, start: place, end: place)
    }

    @Test func theSameDiagnosticIsKeptOnce() {
        var collector = DiagnosticCollector()
        collector.append(Diagnostic(rule: "r", "m", at: at(1)))
        collector.append(contentsOf: [Diagnostic(rule: "r", "m", at: at(1)), Diagnostic(rule: "r", "m", at: at(2))])
        #expect(collector.diagnostics.count == 2)
    }

    @Test func sortsByFilePlaceSeverityAndRule() {
        var collector = DiagnosticCollector()
        collector.append(Diagnostic(.note, rule: "z", "5", at: at(2)))
        collector.append(Diagnostic(rule: "b", "4", at: at(2)))
        collector.append(Diagnostic(rule: "a", "3", at: at(2)))
        collector.append(Diagnostic(rule: "a", "6", at: at(1, "g")))
        collector.append(Diagnostic(.warning, rule: "a", "2", at: at(1)))
        collector.append(Diagnostic(rule: "a", "1"))
        #expect(collector.sorted.map(\.message) == ["1", "2", "3", "4", "5", "6"])
    }

    @Test func beyondTheLimitTheyAreOnlyCounted() {
        var collector = DiagnosticCollector(limit: 2)
        for line in 1...5 { collector.append(Diagnostic(.warning, rule: "r", "m", at: at(line))) }
        #expect(collector.diagnostics.count == 2)
        #expect(collector.omittedCount == 3)
        #expect(!collector.hasErrors)
        #expect(collector.count(of: .warning) == 2)
    }
}
