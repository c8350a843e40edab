import Blueprints
import Diagnostics
import Testing

/// Whatever the bytes: a clear error or a value, within a bound, never a trap.
@Suite(.timeLimit(.minutes(1))) struct HostileInputTests {
    private func rules(_ text: String, limits: YAMLLimits = YAMLLimits()) -> [String] {
        readManifests(SourceFile(name: "f", text: text), limits: limits).diagnostics.map(\.rule)
    }

    // MARK: Bombs

    @Test func aliasesOfAliasesAreRefusedBeforeTheyAreExpanded() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...30 {
            let aliases = repeatElement("*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        let (_, diagnostics) = readManifests(SourceFile(name: "f", text: text))
        #expect(diagnostics.map(\.message) == ["with all aliases expanded, the file has more than 400000 values"])
        #expect(diagnostics.first?.range?.start == SourcePosition(line: 6, column: 20))
    }

    @Test func mergeKeysOfMergeKeysAreRefusedToo() {
        var text = "a0: &a0 {k0: x, k1: x, k2: x, k3: x}\n"
        for level in 1...12 {
            let merges = (0..<4).map { "k\($0): {<<: *a\(level - 1)}" }.joined(separator: ", ")
            text += "a\(level): &a\(level) {\(merges)}\n"
        }
        #expect(rules(text) == ["yaml-limit"])
    }

    @Test func aliasesOfALargeTextAreRefused() {
        let text =
            "a: &a \(String(repeating: "x", count: 1 << 20))\nb: [\(repeatElement("*a", count: 100).joined(separator: ","))]\n"
        #expect(rules(text) == ["yaml-limit"])
    }

    @Test func deepNestingIsRefused() {
        for open in ["[", "{a: ", "- ", "? "] {
            #expect(rules(String(repeating: open, count: 100_000)) == ["yaml-limit"])
        }
    }

    @Test func nestingThroughAliasesIsRefused() {
        var text = "a0: &a0 [x]\n"
        for level in 1...40 { text += "a\(level): &a\(level) [[[*a\(level - 1)]]]\n" }
        #expect(rules(text) == ["yaml-limit"])
    }

    @Test func anAnchorInsideItselfIsAnError() {
        let (_, diagnostics) = readYAML(SourceFile(name: "f", text: "a: &a [*a]\n"))
        #expect(diagnostics.map(\.message) == ["alias '*a' stands inside the value of its own anchor '&a'"])
    }

    @Test func aFileThatIsTooLargeIsRefused() {
        #expect(rules(String(repeating: "a", count: 1 << 20), limits: YAMLLimits(bytes: 1 << 19)) == ["yaml-limit"])
    }

    @Test func aScalarOfTenMegabytesIsRead() throws {
        let line = "  0123456789 0123456789 0123456789 0123456789 {{ .Options.x }} 0123456789 0123456789\n"
        let text = "a: |\n" + String(repeating: line, count: (10 << 20) / line.utf8.count)
        let node = try #require(readYAML(SourceFile(name: "f", text: text)).documents.first?["a"])
        let count = try #require(node.scalar).text.utf8.count
        let end = node.range(ofUTF8: count - 2..<count - 1)
        #expect(end.start.column == line.utf8.count - 1)
    }

    @Test func aHundredThousandKeysAreRead() throws {
        let text = (0..<100_000).map { "k\($0): v\n" }.joined()
        let mapping = try #require(readYAML(SourceFile(name: "f", text: text)).documents.first?.mapping)
        #expect(mapping.count == 100_000)
        #expect(mapping["k99999"]?.string == "v")
    }

    @Test func aHundredThousandRepeatedKeysGiveABoundedNumberOfErrors() {
        let (_, diagnostics) = readManifests(SourceFile(name: "f", text: String(repeating: "a: b\n", count: 100_000)))
        #expect(diagnostics.count <= 10_001)
    }

    // MARK: Random

    @Test(arguments: 0..<100) func randomBytesNeverTrap(_ seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let alphabets: [[UInt8]] = [
            Array(0...255), Array(0x20...0x7e), Array("{}[]:,-?&*!|>'\"%@`#\n \t\r".utf8),
            Array("ab:\n -|>'\"\\{}\u{85}é\u{2028}\u{feff}".utf8),
        ]
        for _ in 0..<30 {
            let alphabet = alphabets.randomElement(using: &random) ?? []
            let count = Int.random(in: 0..<200, using: &random)
            let bytes = (0..<count).map { _ in alphabet.randomElement(using: &random) ?? 0 }
            exercise(SourceFile(name: "f", bytes: bytes))
        }
    }

    @Test(arguments: 0..<100) func mutatedManifestsNeverTrap(_ seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed) &+ 1_000_000)
        let texts = ["full-blueprint.yaml", "full-others.yaml"].map { Fixture.bytes($0) }
        let tokens = [
            "\n", "  ", "\t", ": ", "- ", "{{", "}}", "[", "]", "{", "}", "&a ", "*a", "!!int ", "!!binary ", "|", ">-",
            "'",
            "\"", "\\", "~", "yes", "0x", "<<: ", "---\n", "...\n", "%YAML 1.1\n", "#", "é", "\u{feff}", "\r\n",
            "\u{0}",
        ].map { Array($0.utf8) }
        for _ in 0..<4 {
            var bytes = texts.randomElement(using: &random) ?? []
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let place = Int.random(in: 0...bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes.insert(contentsOf: tokens.randomElement(using: &random) ?? [], at: place)
                case 1: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...40, using: &random)))
                case 2 where place < bytes.count: bytes[place] = UInt8.random(in: 0...255, using: &random)
                default: bytes.removeSubrange(place...)
                }
            }
            exercise(SourceFile(name: "f", bytes: bytes))
        }
    }

    /// Everything a caller may do with what was read.
    private func exercise(_ source: SourceFile) {
        let (manifests, diagnostics) = readManifests(source)
        let errors = diagnostics.filter { $0.severity == .error }
        #expect(!(manifests.isEmpty && errors.isEmpty))
        let rendered = DiagnosticRenderer(sources: [source], width: 40).render(diagnostics)
        #expect(rendered.utf8.allSatisfy { $0 == 0x0a || $0 >= 0x20 })
        for diagnostic in diagnostics {
            if let range = diagnostic.range { #expect(source.offset(of: range.end) >= source.offset(of: range.start)) }
        }
        for document in readYAML(source).documents { visit(document) }
    }

    private func visit(_ node: YAMLNode) {
        for item in node.sequence ?? [] { visit(item) }
        for entry in node.mapping?.entries ?? [] {
            visit(entry.key)
            visit(entry.value)
        }
        _ = node.json
        guard let scalar = node.scalar, let map = node.textMap else { return }
        let text = scalar.text
        #expect(map.isExact, "\(String(decoding: node.source.bytes[node.offsets], as: UTF8.self).debugDescription)")
        _ = node.range(ofUTF8: 0..<text.utf8.count)
        _ = node.range(ofUTF8: text.utf8.count / 2..<text.utf8.count / 2)
    }
}
