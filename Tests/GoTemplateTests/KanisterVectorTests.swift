import GoFormats
import GoTemplate
import Testing

/// One recorded template of Kanister's dialect.
struct TemplateVector: Sendable, CustomTestStringConvertible {
    let id: String
    let template: String
    let output: String?
    let error: String?
    let errorContains: String?
    let stage: String?
    let position: String?

    var testDescription: String { id }

    init?(_ json: JSONValue) {
        guard let id = json["id"]?.stringValue, let template = json["template"]?.stringValue else { return nil }
        self.id = id
        self.template = template
        output = json["output"]?.stringValue
        error = json["error"]?.stringValue
        errorContains = json["errorContains"]?.stringValue
        stage = json["stage"]?.stringValue
        position = json["at"]?.stringValue
    }

    static let all = (Fixture.json("kanister-template-vectors.json")["template"]?.arrayValue ?? []).compactMap {
        TemplateVector($0)
    }
}

@Suite struct KanisterVectorTests {
    @Test func allVectorsAreThere() { #expect(TemplateVector.all.count == 171) }

    @Test(arguments: TemplateVector.all)
    func vector(_ vector: TemplateVector) throws {
        do {
            let template = try Template(parsing: vector.template)
            let text = try template.render(Fixture.root)
            #expect(text == vector.output)
        } catch {
            #expect(vector.output == nil, "\(error.message)")
            #expect((error.kind == .parse) == (vector.stage == "parse"), "\(error.message)")
            if let text = vector.error { #expect(error.message == text || error.kanisterMessage == text) }
            if let part = vector.errorContains { #expect(error.message.contains(part), "\(error.message)") }
            if let position = vector.position {
                #expect(error.message.contains("config:\(position):"), "\(error.message)")
            }
        }
    }
}
