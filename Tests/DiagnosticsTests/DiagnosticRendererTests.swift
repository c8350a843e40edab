import Diagnostics
import Testing

struct DiagnosticRendererTests {
    private func render(
        _ text: String, _ offsets: Range<Int>, message: String = "m", context: String? = nil, hint: String? = nil,
        isColored: Bool = false, width: Int = 120
    ) -> String {
        let file = SourceFile(name: "f.yaml", text: text)
        let diagnostic = Diagnostic(
            rule: "r", message, at: file.range(offsets), context: context, hint: hint)
        return DiagnosticRenderer(sources: [file], isColored: isColored, width: width).render(diagnostic)
    }

    @Test func showsPlaceLineCaretContextAndHint() {
        let text = String(repeating: "\n", count: 41) + #"  snapshot: "{{ .Phases.dumpp.Output.id }}""#
        #expect(
            render(
                text, 65..<70, message: "no phase named 'dumpp' in '.Phases.dumpp.Output.id'",
                context: "in action 'backup', phase 'record', argument 'snapshot'",
                hint: "did you mean 'dump'? phases that ran before this one: dump") == #"""
                    f.yaml:42:25: error: no phase named 'dumpp' in '.Phases.dumpp.Output.id'
                      42 |   snapshot: "{{ .Phases.dumpp.Output.id }}"
                         |                         ^~~~~
                      in action 'backup', phase 'record', argument 'snapshot'
                      hint: did you mean 'dump'? phases that ran before this one: dump

                    """#)
    }

    @Test func ofSeveralLinesTheFirstIsMarked() {
        #expect(
            render("a: b\nc: d\n", 3..<9) == """
                f.yaml:1:4: error: m
                  1 | a: b
                    |    ^

                """)
    }

    @Test func anEmptyRangeGetsOneCaretEvenAfterTheLine() {
        #expect(
            render("a:\n", 2..<2) == """
                f.yaml:1:3: error: m
                  1 | a:
                    |   ^

                """)
    }

    @Test func tabsBecomeSpacesInBothLines() {
        #expect(
            render("\ta\tbc", 3..<5) == """
                f.yaml:1:4: error: m
                  1 |     a   bc
                    |         ^~

                """)
    }

    @Test func wideAndCombiningCharactersKeepTheCaretUnderItsText() {
        #expect(
            render("日本: x", 8..<9) == """
                f.yaml:1:5: error: m
                  1 | 日本: x
                    |       ^

                """)
        #expect(
            render("e\u{301}: xy", 5..<7) == """
                f.yaml:1:5: error: m
                  1 | e\u{301}: xy
                    |    ^~

                """)
    }

    @Test func charactersThatCouldSteerATerminalAreShownInstead() {
        #expect(
            render("a\u{1b}[2Jb\u{202e}c\r\n", 0..<1, message: "x\ny\u{7}") == """
                f.yaml:1:1: error: x\u{240a}y\u{2407}
                  1 | a\u{241b}[2Jb\u{fffd}c
                    | ^

                """)
    }

    @Test func longLinesAreCutAroundThePlace() {
        let text = String(repeating: "a", count: 50) + "BAD" + String(repeating: "c", count: 50)
        #expect(
            render(text, 50..<53, width: 30) == """
                f.yaml:1:51: error: m
                  1 | …aaaaaaaaaaBADccccccccccccccccc…
                    |            ^~~

                """)
        #expect(
            render(text, 101..<103, width: 30) == """
                f.yaml:1:102: error: m
                  1 | …cccccccccccccccccccccccccccccc
                    |                              ^~

                """)
        #expect(
            render(text, 0..<103, width: 30) == """
                f.yaml:1:1: error: m
                  1 | aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…
                    | ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~

                """)
    }

    @Test func whatMayBeSecretIsNotShown() {
        let file = SourceFile(name: "s.yaml", text: "password: hunter2")
        let diagnostic = Diagnostic(rule: "r", "m", at: file.range(10..<17), isSensitive: true)
        #expect(DiagnosticRenderer(sources: [file]).render(diagnostic) == "s.yaml:1:11: error: m\n")
    }

    @Test func withoutAPlaceOrAFileThereIsOnlyTheMessage() {
        #expect(DiagnosticRenderer().render(Diagnostic(.note, rule: "r", "m")) == "note: m\n")
        let range = SourceFile(name: "gone", text: "x").range(0..<1)
        #expect(
            DiagnosticRenderer().render(Diagnostic(.warning, rule: "r", "m", at: range)) == "gone:1:1: warning: m\n")
    }

    @Test func coloursPlaceSeverityCaretAndHint() {
        #expect(
            render("ab", 0..<2, hint: "h", isColored: true)
                == "\u{1b}[1mf.yaml:1:1:\u{1b}[0m \u{1b}[1;31merror:\u{1b}[0m \u{1b}[1mm\u{1b}[0m\n  1 | ab\n"
                + "    | \u{1b}[1;31m^~\u{1b}[0m\n  \u{1b}[1;36mhint:\u{1b}[0m h\n")
    }

    @Test func summaryCountsWhatIsThere() {
        let one = Diagnostic(.error, rule: "r", "a")
        let two = Diagnostic(.warning, rule: "r", "b")
        #expect(DiagnosticRenderer.summary([one, two, two]) == "1 error, 2 warnings")
        #expect(DiagnosticRenderer.summary([]) == nil)
    }
}
