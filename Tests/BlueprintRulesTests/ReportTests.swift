import BlueprintRules
import Diagnostics
import GoFormats
import Testing

@Suite struct ReportTests {
    private let diagnostic = Diagnostic(
        .warning, rule: "pipefail", "50% lost:\nreally",
        at: SourceRange(
            file: "a,b:c d.yaml", start: SourcePosition(line: 2, column: 3), end: SourcePosition(line: 2, column: 5)),
        context: "in action 'x'", hint: "do, it")

    @Test func jsonIsAList() {
        #expect(Report.json([]) == "[]\n")
        #expect(
            Report.json([diagnostic, Diagnostic(rule: "file", "gone")]) == #"""
                [
                  {"file":"a,b:c d.yaml","line":2,"column":3,"endLine":2,"endColumn":5,"severity":"warning","rule":"pipefail","message":"50% lost:\nreally","hint":"do, it"},
                  {"file":null,"line":null,"column":null,"endLine":null,"endColumn":null,"severity":"error","rule":"file","message":"gone","hint":null}
                ]

                """#)
    }

    @Test func workflowCommandsAreEscaped() {
        #expect(
            Report.github([diagnostic, Diagnostic(.note, rule: "file", "gone")]) == """
                ::warning file=a%2Cb%3Ac d.yaml,line=2,endLine=2,col=3,endColumn=5,title=pipefail::\
                50%25 lost:%0Areally%0Ain action 'x'%0Ahint: do, it
                ::notice title=file::gone

                """)
    }

    /// The members SARIF 2.1.0 requires, and those code scanning reads.
    @Test func sarifHasWhatTheStandardRequires() throws {
        let log = try JSONParser.parse(Array(Report.sarif([diagnostic, diagnostic], version: "1.2").utf8))
        #expect(log["version"]?.stringValue == "2.1.0")
        let run = try #require(log["runs"]?.arrayValue?.first)
        let driver = try #require(run["tool"]?["driver"])
        #expect(driver["name"]?.stringValue == "karaffe")
        #expect(driver["version"]?.stringValue == "1.2")
        let rules = try #require(driver["rules"]?.arrayValue)
        #expect(rules.map { $0["id"]?.stringValue } == ["pipefail"])
        #expect(rules[0]["help"]?["text"]?.stringValue == RuleRegistry.rule("pipefail")?.page)
        #expect(rules[0]["defaultConfiguration"]?["level"]?.stringValue == "warning")
        let results = try #require(run["results"]?.arrayValue)
        #expect(results.count == 2)
        #expect(results[0]["ruleIndex"] == .integer(0))
        #expect(results[0]["level"]?.stringValue == "warning")
        #expect(results[0]["message"]?["text"]?.stringValue == "50% lost:\nreally\nin action 'x'\nhint: do, it")
        let place = try #require(results[0]["locations"]?.arrayValue?.first?["physicalLocation"])
        #expect(place["artifactLocation"]?["uri"]?.stringValue == "a,b%3Ac%20d.yaml")
        #expect(place["region"]?["startColumn"] == .integer(3))
        #expect(place["region"]?["endColumn"] == .integer(5))
    }
}

@Suite struct RuleRegistryTests {
    @Test(arguments: RuleRegistry.all.map(\.id))
    func everyRuleHasAPage(_ id: String) throws {
        let rule = try #require(RuleRegistry.rule(id))
        #expect(id.utf8.allSatisfy { $0 >= 0x61 && $0 <= 0x7a || $0 == 0x2d || $0 >= 0x30 && $0 <= 0x39 })
        #expect(rule.summary.hasSuffix(".") && !rule.summary.contains("\n"))
        #expect(rule.explanation.count > 20)
        #expect(rule.page.contains("# karaffe:ignore \(id)"))
    }

    @Test func idsAreUnique() {
        #expect(Set(RuleRegistry.ids).count == RuleRegistry.all.count)
    }

    /// Every id that the sources write has a page.
    @Test func everyIDThatIsPrintedHasAPage() throws {
        let rooms = ["ActionEngine", "Blueprints", "KaraffeCommands", "KanisterFunctions", "BlueprintRules"]
        var ids: Set<String> = []
        for file in rooms.flatMap({ Fixtures.files(in: "\(Fixtures.repository)/Sources/\($0)", suffix: ".swift") }) {
            let text = String(decoding: try Fixtures.bytes(file), as: UTF8.self)
            for start in ["rule: \"", "report(\"", "problem(\""] { ids.formUnion(Self.words(after: start, in: text)) }
        }
        #expect(ids.contains("yaml-syntax"))
        #expect(ids.filter { RuleRegistry.rule($0) == nil }.sorted() == [])
    }

    /// The words after `start`, white space between the parenthesis and the quote allowed.
    private static func words(after start: String, in text: String) -> [String] {
        let bytes = Array(text.utf8)
        let needle = Array(start.dropLast().utf8)
        var words: [String] = []
        var index = 0
        while index + needle.count < bytes.count {
            guard bytes[index..<(index + needle.count)].elementsEqual(needle) else {
                index += 1
                continue
            }
            index += needle.count
            let rest = bytes[index...].drop { $0 == 0x20 || $0 == 0x0a }
            guard rest.first == 0x22 else { continue }
            let word = rest.dropFirst().prefix { $0 >= 0x61 && $0 <= 0x7a || $0 == 0x2d }
            if rest.dropFirst(word.count + 1).first == 0x22 { words.append(String(decoding: word, as: UTF8.self)) }
        }
        return words
    }
}
