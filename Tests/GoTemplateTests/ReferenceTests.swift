import GoTemplate
import Testing

/// What a template refers to, without rendering it.
@Suite struct ReferenceTests {
    private func paths(_ text: String) throws -> [String] {
        try Template(parsing: text).references.map { reference in
            switch reference.base {
            case .root: "$" + reference.path
            case .dot: "?" + reference.path
            case .variable(let name): name + reference.path
            }
        }
    }

    @Test func chainsStartFromTheRoot() throws {
        #expect(try paths("{{ .Phases.dump.Output.x }}{{ $.Options.a }}") == ["$.Phases.dump.Output.x", "$.Options.a"])
    }

    @Test func constantIndexesExtendAChain() throws {
        let text = #"{{ index .Options "a-b" | toString }}{{ (index .Object.spec.nodes 0).name }}"#
        #expect(try paths(text) == ["$.Options.a-b", "$.Object.spec.nodes.0.name"])
        let steps = try Template(parsing: text).references[0].steps
        #expect(steps.map(\.isIndexed) == [false, true])
    }

    @Test func withAndVariablesAreFollowed() throws {
        let text =
            "{{ with .Phases.p }}{{ .Output.x }}{{ end }}{{ $o := .Options }}{{ $o.a }}{{ range .L }}{{ .z }}{{ end }}"
        #expect(
            try paths(text) == ["$.Phases.p", "$.Phases.p.Output.x", "$.Options", "$.Options.a", "$.L", "?.z"])
    }

    @Test func placesAreBytesOfTheTemplate() throws {
        let reference = try #require(try Template(parsing: "é{{ .Options.abc }}").references.first)
        #expect(reference.utf8Range == 5..<17)
        #expect(reference.steps.map(\.utf8Range) == [6..<13, 14..<17])
    }

    @Test func functionsAreListedWithTheirLiterals() throws {
        let uses = try Template(parsing: #"{{ .Time | toDate "2006" | date "06" }}"#).functionUses
        #expect(uses.map(\.name) == ["toDate", "date"])
        #expect(uses.map { $0.literals[0] } == ["2006", "06"])
    }
}
