import GoFormats
import GoTemplate
import Testing

/// What the real Go and sprig made of generated templates: every function, printf's verbs, dates and zones, regular
/// expressions, the grammar and its errors.
@Suite struct GoVectorTests {
    static let all = (Fixture.json("go-template-vectors.json")["template"]?.arrayValue ?? []).compactMap {
        TemplateVector($0)
    }

    @Test func allVectorsAreThere() { #expect(Self.all.count == 1852) }

    @Test(arguments: all)
    func vector(_ vector: TemplateVector) throws {
        // Some change the root's maps: each gets its own.
        let root = Fixture.freshRoot()
        do {
            let text = try Template(parsing: vector.template).render(root)
            #expect(text == vector.output, "\(vector.template)")
        } catch {
            #expect(error.message == vector.error, "\(vector.template)")
            #expect((error.kind == .parse) == (vector.stage == "parse"))
        }
    }
}
