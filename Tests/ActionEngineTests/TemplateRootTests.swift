import ActionEngine
import GoFormats
import GoTemplate
import Testing

private let templateVectors = Cases.document("kanister-template-vectors.json", of: "GoTemplateTests")

/// The vectors of the template room again, on a root with Kanister's types: what `TemplateParams` builds must look to a
/// template as it does in Kanister.
@Suite(.enabled(if: !templateVectors.isNull, "the template room's vectors are not there"))
struct TemplateRootTests {
    static let vectors = (templateVectors["template"]?.arrayValue ?? []).map { Case(json: $0) }

    @Test func everyVectorIsThere() { #expect(Self.vectors.count == 171) }

    @Test(arguments: vectors)
    func templatesSeeKanistersTypes(_ vector: Case) throws {
        let root = try TemplateParams.root(json: try #require(templateVectors["fixture"]))
        do throws(TemplateError) {
            let output = try Template(parsing: vector["template"]?.stringValue ?? "").render(root)
            #expect(output == vector["output"]?.stringValue)
        } catch {
            let shown = error.kanisterMessage
            if let exact = vector["error"]?.stringValue {
                #expect(shown == exact)
            } else {
                let part = vector["errorContains"]?.stringValue ?? "no error"
                #expect(shown.contains(part), "\(shown)")
            }
        }
    }
}
