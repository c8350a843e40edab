import Blueprints
import Diagnostics
import Testing

/// A place in a scalar's decoded text must be found in the file, whatever the style.
struct YAMLTextMapTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        let yaml: String
        /// What is looked for in the decoded text of `v`.
        var needle = "{{ x }}"
        let line: Int
        let column: Int
        /// What must be written at the place found; the needle itself unless escapes or folding are in it.
        var written: String?
        var testDescription: String { id }
    }

    static let cases = [
        Case(id: "plain", yaml: "v: a {{ x }} b\n", line: 1, column: 6),
        Case(id: "plain over lines", yaml: "v: a\n  b\n\n  c {{ x }}\n", line: 4, column: 5),
        Case(id: "plain, place across a fold", yaml: "v: a {{\n   x }}\n", line: 1, column: 6, written: "{{\n   x }}"),
        Case(id: "plain with anchor and tag", yaml: "v: &a !!str a{{ x }}\n", line: 1, column: 14),
        Case(id: "plain, anchor on the line above", yaml: "v: &a # why\n  a{{ x }}\n", line: 2, column: 4),
        Case(id: "plain as a key's alias", yaml: "w: &a a{{ x }}\nv: *a\n", line: 1, column: 8),
        Case(id: "single quoted", yaml: "v: 'a {{ x }}'\n", line: 1, column: 7),
        Case(id: "single quoted after a doubled quote", yaml: "v: 'it''s {{ x }}'\n", line: 1, column: 11),
        Case(
            id: "single quoted, doubled quotes inside", yaml: "v: '{{ ''x'' }}'\n", needle: "{{ 'x' }}", line: 1,
            column: 5,
            written: "{{ ''x'' }}"),
        Case(id: "single quoted over lines", yaml: "v: 'a  \n\n   b {{ x }}\n  '\n", line: 3, column: 6),
        Case(id: "double quoted", yaml: #"v: "a {{ x }}""# + "\n", line: 1, column: 7),
        Case(
            id: "double quoted after escapes", yaml: #"v: "\t\x41\u00e9\U0001F600\"{{ x }}""# + "\n", line: 1,
            column: 29),
        Case(
            id: "double quoted, escapes inside", yaml: #"v: "{{ index .A \"k\" }}""# + "\n",
            needle: #"{{ index .A "k" }}"#,
            line: 1, column: 5, written: #"{{ index .A \"k\" }}"#),
        Case(id: "double quoted over lines", yaml: "v: \"a\n   b {{ x }}\"\n", line: 2, column: 6),
        Case(id: "double quoted, escaped line break", yaml: "v: \"a\\\n   b {{ x }}\"\n", line: 2, column: 6),
        Case(id: "double quoted, escaped break, blank kept", yaml: "v: \"a \\\n  \\ {{ x }}\"\n", line: 2, column: 5),
        Case(id: "double quoted, anchor first", yaml: "v: &x \"{{ x }}\"\n", line: 1, column: 8),
        Case(id: "literal", yaml: "v: |\n  a\n  b {{ x }}\n", line: 3, column: 5),
        Case(id: "literal, deeper line", yaml: "v: |\n  a\n    {{ x }}\n", line: 3, column: 5),
        Case(id: "literal, empty lines first", yaml: "v: |\n\n  \n  {{ x }}\n", line: 4, column: 3),
        Case(id: "literal in a list", yaml: "v:\n- - |\n    {{ x }}\n", line: 3, column: 5),
        Case(id: "literal, header with comment", yaml: "v: |+ # keep\n  {{ x }}\n\n", line: 2, column: 3),
        Case(id: "literal, indentation indicator", yaml: "v: |2\n   {{ x }}\n", needle: " {{ x }}", line: 2, column: 3),
        Case(id: "literal, indicator and chomping", yaml: "v: |-2\n   a\n  {{ x }}\n", line: 3, column: 3),
        Case(
            id: "literal, indicator in a nested map", yaml: "k:\n  v: |1\n     {{ x }}\n", needle: "  {{ x }}", line: 3,
            column: 4),
        Case(id: "literal, anchor and tag", yaml: "v: &a !!str |\n  {{ x }}\n", line: 2, column: 3),
        Case(id: "literal, no line break at the end", yaml: "v: |\n  a {{ x }}", line: 2, column: 5),
        Case(id: "folded", yaml: "v: >\n  a\n  b {{ x }}\n", line: 3, column: 5),
        Case(id: "folded, paragraphs", yaml: "v: >\n  a\n\n  b\n   c\n\n\n  {{ x }}\n", line: 8, column: 3),
        Case(
            id: "folded, place across a fold", yaml: "v: >-\n  a {{\n  x }}\n", line: 2, column: 5,
            written: "{{\n  x }}"),
        Case(id: "literal, CRLF", yaml: "v: |\r\n  a\r\n  b {{ x }}\r\n", line: 3, column: 5),
        Case(id: "folded, CRLF", yaml: "v: >\r\n  a\r\n  b {{ x }}\r\n", line: 3, column: 5),
        Case(id: "double quoted, CRLF", yaml: "v: \"a\r\n  b {{ x }}\"\r\n", line: 2, column: 5),
        Case(id: "plain, CRLF", yaml: "v: a\r\n  b {{ x }}\r\n", line: 2, column: 5),
        Case(id: "byte order mark", yaml: "\u{feff}v: a {{ x }}\n", line: 1, column: 6),
        Case(id: "not ASCII before it in the file", yaml: "# äöü 日本\nv: a {{ x }}\n", line: 2, column: 6),
        Case(id: "not ASCII before it in the text", yaml: "v: 'ä日😀 {{ x }}'\n", line: 1, column: 9),
        Case(id: "not ASCII in a block", yaml: "ä: 1\nv: |\n  日本\n  ä{{ x }}\n", line: 4, column: 4),
        Case(id: "merged", yaml: "a: &a\n  v: 'b {{ x }}'\nm:\n  <<: *a\n", line: 2, column: 9),
        Case(id: "flow mapping", yaml: "m: {a: [1, {v: 'b {{ x }}'}]}\n", line: 1, column: 19),
        Case(id: "second document", yaml: "a: 1\n---\nv: a {{ x }}\n", line: 3, column: 6),
    ]

    private func find(_ name: String, in node: YAMLNode) -> YAMLNode? {
        if let items = node.sequence { return items.lazy.compactMap { find(name, in: $0) }.first }
        guard let mapping = node.mapping else { return nil }
        if let found = mapping[name] { return deepestScalar(found) }
        return mapping.entries.lazy.compactMap { find(name, in: $0.value) }.first
    }

    private func deepestScalar(_ node: YAMLNode) -> YAMLNode {
        node.sequence?.first.map(deepestScalar) ?? node
    }

    @Test(arguments: cases) func placeIsFoundInTheFile(_ test: Case) throws {
        let source = SourceFile(name: "f", text: test.yaml)
        let (documents, diagnostics) = readYAML(source)
        #expect(diagnostics == [])
        let node = try #require(documents.lazy.compactMap { find("v", in: $0) }.first)
        let text = Array(try #require(node.scalar).text.utf8)
        let needle = Array(test.needle.utf8)
        let start = try #require((0...text.count - needle.count).first { text[$0...].starts(with: needle) })
        let map = try #require(node.textMap)
        #expect(map.isExact)
        let range = node.range(ofUTF8: start..<start + needle.count)
        #expect(range.start == SourcePosition(line: test.line, column: test.column))
        let written = source.bytes[map.sourceOffsets(start..<start + needle.count)]
        #expect(String(decoding: written, as: UTF8.self) == test.written ?? test.needle)
    }

    @Test func placesOutsideTheTextMoveToItsEnds() throws {
        let source = SourceFile(name: "f", text: "v: 'abc'\n")
        let node = try #require(readYAML(source).documents.first?["v"])
        let map = try #require(node.textMap)
        #expect(map.sourceOffsets(-5..<0) == 4..<4)
        #expect(map.sourceOffsets(3..<3) == 7..<7)
        #expect(map.sourceOffsets(2..<99) == 6..<7)
        #expect(map.sourceOffsets(50..<99) == 7..<7)
    }

    @Test func aValueLeftOutHasItsPlaceAfterTheColon() throws {
        let node = try #require(readYAML(SourceFile(name: "f", text: "v:\nw: 1\n")).documents.first?["v"])
        #expect(node.range(ofUTF8: 0..<0).start == SourcePosition(line: 1, column: 3))
    }

    // MARK: Against libyaml

    /// Random scalars in every style: our own decoding, which gives the places, must agree with libyaml's to the byte.
    @Test(arguments: 0..<200) func randomScalarsAreExact(_ seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<40 {
            let yaml = RandomYAML.scalarDocument(using: &random)
            let source = SourceFile(name: "f", text: yaml)
            guard let node = readYAML(source).documents.first?["k"]?["v"], let scalar = node.scalar else { continue }
            let map = try #require(node.textMap)
            #expect(map.isExact, "seed \(seed): \(yaml.debugDescription) is \(scalar.text.debugDescription)")
            for (offset, byte) in scalar.text.utf8.enumerated() where byte > 0x60 && byte < 0x7b {
                let written = source.bytes[map.sourceOffsets(offset..<offset + 1)]
                let isRight = written.elementsEqual([byte]) || written.first == UInt8(ascii: "\\")
                #expect(isRight, "seed \(seed): \(yaml.debugDescription) at \(offset)")
            }
        }
    }

    /// The test above would prove little if most of its texts were no YAML.
    @Test func mostRandomScalarsAreYAMLOfEveryStyle() {
        var random = SeededGenerator(seed: 4711)
        var counts: [YAMLScalar.Style: Int] = [:]
        for _ in 0..<2000 {
            let yaml = RandomYAML.scalarDocument(using: &random)
            let node = readYAML(SourceFile(name: "f", text: yaml)).documents.first?["k"]?["v"]
            if let style = node?.scalar?.style { counts[style, default: 0] += 1 }
        }
        #expect(counts.count == 5)
        #expect(counts.values.allSatisfy { $0 > 200 }, "\(counts)")
    }
}
