import GoTemplate
import Testing

@Suite struct RenderingTests {
    private func render(_ text: String, _ root: GoValue = .dictionary([:])) throws -> String {
        try Template(parsing: text).render(root)
    }

    @Test func textWithoutActionsRendersToItself() throws {
        #expect(try render("{ .Time } }}") == "{ .Time } }}")
    }

    @Test func aMissingKeyIsNamed() throws {
        let root = GoValue.dictionary(["Options": .stringMap(["hello": "world"])])
        let error = #expect(throws: TemplateError.self) { try render("{{ .Options.hallo }}", root) }
        #expect(
            error?.message
                == #"template: config:1:11: executing "config" at <.Options.hallo>: map has no entry for key "hallo""#)
        #expect(error?.kind == .missingKey("hallo"))
        #expect(error?.kanisterMessage == #"Failed to render template: "hallo" not found"#)
        #expect(error?.available == ["hello"])
        #expect(error?.utf8Range == 12..<17)
    }
}
