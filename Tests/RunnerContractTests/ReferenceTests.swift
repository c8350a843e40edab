import RunnerContract
import Testing

@Suite struct KopiaSnapshotReferenceTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        let text: String
        let expected: KopiaSnapshotReference
        var testDescription: String { id }
    }

    @Test(arguments: [
        Case(
            id: "as written", text: #"{"id":"k1","logicalSize":12345,"physicalSize":0}"#,
            expected: KopiaSnapshotReference(id: "k1", logicalSize: 12345, physicalSize: 0)),
        Case(
            id: "id alone", text: #"{"id":"k1"}"#,
            expected: KopiaSnapshotReference(id: "k1", logicalSize: 0, physicalSize: 0)),
        Case(
            id: "names without case, unknown members", text: #"{"ID":"k1","LogicalSize":5,"more":[1,{"a":null}]}"#,
            expected: KopiaSnapshotReference(id: "k1", logicalSize: 5, physicalSize: 0)),
        Case(
            id: "null sizes, spaces", text: " { \"id\" : \"k1\" , \"logicalSize\" : null }\n",
            expected: KopiaSnapshotReference(id: "k1", logicalSize: 0, physicalSize: 0)),
    ])
    func whatBlueprintsKeepIsRead(_ item: Case) throws {
        #expect(try KopiaSnapshotReference(parsing: item.text) == item.expected)
    }

    struct BadCase: Sendable, CustomTestStringConvertible {
        let id: String
        let text: String
        let error: KopiaSnapshotReferenceError
        let sentence: String
        var testDescription: String { id }
    }

    @Test(arguments: [
        BadCase(
            id: "nothing", text: "", error: .missing,
            sentence: "kopia snapshot information is required to manage data using kopia"),
        BadCase(
            id: "no JSON", text: "k1", error: .malformed, sentence: "failed to unmarshal kopia snapshot information"),
        BadCase(
            id: "a list", text: "[]", error: .malformed, sentence: "failed to unmarshal kopia snapshot information"),
        BadCase(
            id: "id is a number", text: #"{"id":1}"#, error: .malformed,
            sentence: "failed to unmarshal kopia snapshot information"),
        BadCase(
            id: "size is text", text: #"{"id":"k","logicalSize":"5"}"#, error: .malformed,
            sentence: "failed to unmarshal kopia snapshot information"),
        BadCase(id: "no id", text: "{}", error: .emptyID, sentence: "kopia snapshot ID cannot be empty"),
        BadCase(id: "null", text: #"{"id":null}"#, error: .emptyID, sentence: "kopia snapshot ID cannot be empty"),
    ])
    func kandosSentencesAreUsed(_ item: BadCase) {
        #expect(throws: item.error) { try KopiaSnapshotReference(parsing: item.text) }
        #expect(item.error.description == item.sentence)
    }

    @Test func theMembersKeepTheirOrder() {
        let reference = KopiaSnapshotReference(id: "abc", logicalSize: 12, physicalSize: 7)
        #expect(reference.json == #"{"id":"abc","logicalSize":12,"physicalSize":7}"#)
    }
}

@Suite struct PhaseOutputTests {
    /// Vector: Kanister's own printer, `kandoOutputPrint` of the recorded vectors.
    @Test func theLineIsKandos() throws {
        let output = try PhaseOutput(checking: "k", value: "<a> & \u{2028} é \"q\"\n")
        let expected = ##"###Phase-output###: {"key":"k","value":"\u003ca\u003e \u0026 \u2028 é \"q\"\n"}"##
        #expect(output.line == expected)
    }

    @Test(arguments: ["a", "Z9_", "kopiaOutput", "_"])
    func usableKeys(_ key: String) throws {
        #expect(try PhaseOutput(checking: key, value: "").key == key)
    }

    @Test(arguments: [
        ("", "Key should not be empty"),
        ("a-b", "Key should contain only alphanumeric characters and underscore"),
        ("a b", "Key should contain only alphanumeric characters and underscore"),
        ("é", "Key should contain only alphanumeric characters and underscore"),
    ])
    func unusableKeys(_ key: String, _ sentence: String) {
        let error = #expect(throws: PhaseOutputKeyError.self) { try PhaseOutput(checking: key, value: "v") }
        #expect(error?.description == sentence)
    }
}

@Suite struct ExitCodeTests {
    @Test func theNumbersAreThoseOfTheDocumentation() {
        let table: [(ExitCode, Int32)] = [
            (.done, 0), (.failed, 1), (.usage, 2), (.input, 3), (.database, 4), (.repository, 5), (.verification, 6),
            (.kando, 69),
            (.interrupted, 130), (.terminated, 143),
        ]
        #expect(ExitCode.allCases.map(\.rawValue) == table.map(\.1))
        #expect(ExitCode.allCases == table.map(\.0))
    }
}
