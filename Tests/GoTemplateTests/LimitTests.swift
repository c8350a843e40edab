import GoTemplate
import Testing

/// Hostile templates end in an error, soon and without a trap.
@Suite struct LimitTests {
    private func message(_ text: String, limits: TemplateLimits = TemplateLimits()) -> TemplateError? {
        do {
            _ = try Template(parsing: text, options: TemplateOptions(limits: limits)).render(.dictionary([:]))
            return nil
        } catch {
            return error
        }
    }

    @Test func aTemplateThatCallsItselfStopsAtGosDepth() {
        let error = message(#"{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}"#)
        #expect(
            error?.message
                == #"template: config:1:28: executing "a" at <{{template "a"}}>: exceeded maximum template depth (100000)"#
        )
        #expect(error?.kind == .limit)
    }

    @Test func nestedBlocksAreBounded() {
        let deep = String(repeating: "{{ if 1 }}", count: 100_000)
        #expect(message(deep)?.kind == .limit)
        let fine = String(repeating: "{{ if 1 }}", count: 190) + "x" + String(repeating: "{{ end }}", count: 190)
        #expect(message(fine) == nil)
    }

    @Test func nestedParenthesesAreBounded() {
        let error = message("{{ " + String(repeating: "(", count: 100_000))
        #expect(error?.message == "template: config:1: max expression depth exceeded")
        let fine = "{{ " + String(repeating: "(", count: 190) + "1" + String(repeating: ")", count: 190) + " }}"
        #expect(message(fine) == nil)
    }

    @Test func endlessLoopsAreBounded() {
        #expect(message("{{ range 1000000000000 }}{{ end }}", limits: TemplateLimits(steps: 1000))?.kind == .limit)
    }

    @Test func theOutputIsBounded() {
        let error = message("{{ range 1000 }}0123456789{{ end }}", limits: TemplateLimits(bytes: 1000))
        #expect(error?.message.hasSuffix("the output is over the limit of 1000 bytes") == true)
        #expect(error?.kind == .limit)
    }

    @Test(arguments: [
        #"{{ repeat 1000000000 "abc" }}"#, "{{ until 1000000000 }}", #"{{ indent 1000000000 "a\nb" }}"#,
        "{{ randAlpha 1000000000 }}", #"{{ "a" | repeat 1000000 | replace "" (repeat 1000000 "b") }}"#,
        #"{{ regexReplaceAll "" (repeat 1000000 "a") (repeat 1000000 "b") }}"#,
        "{{ untilStep 0 9223372036854775807 1 }}", "{{ $x := list 1 }}{{ range 40 }}{{ $x = concat $x $x }}{{ end }}",
        #"{{ splitList "" (repeat 10000000 "x") }}"#, #"{{ split "," (repeat 10000000 ",") }}"#,
    ])
    func largeResultsAreRefused(_ text: String) {
        #expect(message(text)?.kind == .limit)
    }

    /// Few steps, but each is long.
    @Test(arguments: [
        #"{{ $x := repeat 1000000 "x" }}{{ range 1000000 }}{{ $y := contains "y" $x }}{{ end }}"#,
        #"{{ range 1000000 }}{{ $y := repeat 1000000 "x" }}{{ end }}"#,
        "{{ $x := list }}{{ range 1000000 }}{{ $x = append $x 1 }}{{ end }}",
    ])
    func workOnLargeValuesIsBounded(_ text: String) {
        #expect(message(text, limits: TemplateLimits(steps: 100_000))?.kind == .limit)
    }

    @Test func manyLinesAreSplit() throws {
        let text = #"{{ repeat 500000 "ab\n" | splitList "\n" | len }}"#
        #expect(try Template(parsing: text).render(.dictionary([:])) == "500001")
    }

    @Test func aDictionaryThatContainsItselfPrintsAndEnds() {
        let text = "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ $d }}{{ toJson $d }}{{ merge $d $d | kindOf }}"
        #expect(message(text) == nil)
    }

    @Test func regularExpressionsDoNotExplode() throws {
        let text = #"{{ regexMatch "^(x+x+)+y$" (repeat 5000 "x") }}{{ regexMatch "(a*)*b" (repeat 5000 "a") }}"#
        #expect(try Template(parsing: text).render(.dictionary([:])) == "falsefalse")
    }

    @Test func tenMegabytesOfTextAreNoTrouble() throws {
        let text = String(repeating: "0123456789", count: 1_000_000)
        #expect(try Template(parsing: text).render(.dictionary([:])).utf8.count == 10_000_000)
        #expect(try Template(parsing: text + "{{ 1 }}").render(.dictionary([:])).utf8.count == 10_000_001)
    }

    /// A fixed sequence, so that a failure can be repeated.
    struct Noise: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    @Test(arguments: 0..<40)
    func noiseNeverTraps(_ seed: Int) {
        var noise = Noise(state: UInt64(seed) &* 7919 &+ 1)
        let pieces = [
            "{{", "}}", "{{-", "-}}", "\"", "`", "'", "(", ")", "|", "$x", ":=", ".", ".a", "range ", "end", "else",
            "if ", "with ", "define ", "printf ", "index ", "1e9", "0x", "\u{0}", "é", "\n", "template ", "%[9]*.*d",
            "/*", "*/", "list ", "substr -1 -2 \"a\"", "regexFind ", "dict ", "toJson ",
        ]
        for _ in 0..<50 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 1...30, using: &noise) {
                if Int.random(in: 0..<8, using: &noise) == 0 {
                    bytes.append(UInt8.random(in: 0...255, using: &noise))
                } else {
                    bytes += Array((pieces.randomElement(using: &noise) ?? "").utf8)
                }
            }
            let options = TemplateOptions(limits: TemplateLimits(bytes: 1 << 20, steps: 20_000))
            _ = try? Template(parsing: bytes, options: options).render(Fixture.root)
        }
    }
}
