import Blueprints
import Diagnostics
import GoFormats
import Testing

/// What Kubernetes' own YAML reader made of some four hundred texts. Provenance is in the file's head.
struct YAMLVectorTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        let yaml: String
        let json: String?
        let error: String?
        var testDescription: String { id }
    }

    static let cases: [Case] = {
        let file = try? JSONParser.parse(Fixture.bytes("yaml-to-json.json"))
        return (file?["cases"]?.arrayValue ?? []).compactMap { value in
            guard let id = value["id"]?.stringValue, let yaml = value["yaml"]?.stringValue else { return nil }
            return Case(id: id, yaml: yaml, json: value["json"]?.stringValue, error: value["error"]?.stringValue)
        }
    }()

    /// Where we say more than Kubernetes: a repeated key silently wins there, here it is an error.
    static let stricter = ["a: 1\na: 2\n", "&a a: &b b\n*a : *b\n"]

    @Test func allVectorsAreThere() {
        #expect(Self.cases.count == 425)
    }

    @Test(arguments: cases) func readsAsKubernetesDoes(_ test: Case) throws {
        let (documents, diagnostics) = readYAML(SourceFile(name: test.id, text: test.yaml))
        let errors = diagnostics.filter { $0.severity == .error }
        guard let json = test.json, !Self.stricter.contains(test.yaml) else {
            #expect(!errors.isEmpty, "accepted, but Kubernetes says: \(test.error ?? "")")
            return
        }
        #expect(errors == [])
        let value = documents.first?.json ?? .null
        #expect(GoJSON.text(sorted(value)) == GoJSON.text(sorted(try JSONParser.parse(json))))
    }

    /// Go sorts the keys of a map; we keep the order of the file.
    private func sorted(_ value: JSONValue) -> JSONValue {
        switch value {
        case .array(let items): return .array(items.map(sorted))
        case .object(let object):
            let members = object.members.map { JSONObject.Member(key: $0.key, value: sorted($0.value)) }
            return .object(JSONObject(members.sorted { $0.key < $1.key }))
        default: return value
        }
    }
}
