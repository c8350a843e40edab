import CloudTestSupport
import GoFormats
import PostgresDump
import RunnerContract
import TestSupport
import Testing

@testable import PodRunner

/// Kanister's cases for kando, each by its id. All apply; where a case records a defect of kando, what is asserted is
/// the case's `better`.
struct KandoCase: Sendable, CustomTestStringConvertible {
    let value: JSONValue
    var id: String { text("id") }
    var testDescription: String { id }

    func text(_ key: String) -> String { value[key]?.stringValue ?? "" }
    func strings(_ key: String) -> [String] { value[key]?.arrayValue?.compactMap(\.stringValue) ?? [] }
    var isOK: Bool { value["ok"] == .bool(true) }

    /// One file for both planes; the engine's tests have it.
    private static let all: JSONValue? = {
        let tests = "/" + String(describing: #filePath).split(separator: "/").dropLast(2).joined(separator: "/")
        return try? JSONParser.parse(Files.read("\(tests)/ActionEngineTests/Fixtures/kanister-cases.json"))
    }()

    static func group(_ name: String) -> [KandoCase] {
        all?[name]?.arrayValue?.map { KandoCase(value: $0) } ?? []
    }
}

@Suite(.enabled(if: AzureDouble.isWanted, "install python3"))
struct KandoCaseTests {
    @Test func noCaseIsMissing() {
        let counts = [
            "objectName": 5, "kopiaStreamNaming": 6, "kopiaSnapshotJSON": 5, "azureStdin": 2, "kandoErrors": 8,
            "azureSecret": 7, "outputKeys": 7,
        ]
        for (name, count) in counts { #expect(KandoCase.group(name).count == count, "\(name)") }
    }

    @Test(arguments: KandoCase.group("objectName")) func objectNames(_ test: KandoCase) throws {
        let refused = ["on-04": "leaves the location's prefix", "on-05": "names no object"]
        if let words = refused[test.id] {
            let error = #expect(throws: PodRunnerError.self) {
                try ObjectName(prefix: test.text("prefix"), path: test.text("path"))
            }
            #expect(error?.message.contains(words) == true)
            return
        }
        let name = try ObjectName(prefix: test.text("prefix"), path: test.text("path"))
        #expect(name.description == test.text("result"))
    }

    @Test(arguments: KandoCase.group("kopiaStreamNaming")) func streamNames(_ test: KandoCase) throws {
        // ks-05, ks-06: a trailing slash or nothing at all is refused, which is more than the warning the case asks for.
        if ["ks-05", "ks-06"].contains(test.id) {
            #expect(throws: PodRunnerError.self) { try LocationPath(test.text("path")) }
            return
        }
        let path = try LocationPath(test.text("path"))
        #expect(path.folder == test.text("sourcePath"))
        #expect(path.file == test.text("file"))
    }

    @Test(arguments: KandoCase.group("kopiaSnapshotJSON")) func snapshotReferences(_ test: KandoCase) throws {
        if let printed = test.value["print"] {
            func number(_ key: String) -> Int64 { printed[key]?.integerValue ?? -1 }
            let reference = KopiaSnapshotReference(
                id: printed["id"]?.stringValue ?? "", logicalSize: number("logicalSize"),
                physicalSize: number("physicalSize"))
            #expect(reference.json == test.text("text"))
            return
        }
        if test.isOK {
            #expect(try KopiaSnapshotReference(parsing: test.text("parse")).id == "k1")
        } else {
            let error = #expect(throws: KopiaSnapshotReferenceError.self) {
                try KopiaSnapshotReference(parsing: test.text("parse"))
            }
            #expect(error?.description.contains(test.text("errorContains")) == true)
        }
    }

    @Test(arguments: KandoCase.group("azureStdin")) func everyByteReachesAzure(_ test: KandoCase) async throws {
        let count = Int(test.value["bytesGiven"]?.integerValue ?? 0)
        let bytes = SeededBytes.rnd(4, count)
        let azure = try await AzureWorld()
        try Files.write(bytes, azure.world.path("in"))
        let pushed =
            test.text("source_kind") == "pipe"
            ? try await azure.kandoThroughAPipe(["location", "push", "-s", "a/dump", "-"], bytes)
            : await azure.kando(["location", "push", "-s", "a/dump", azure.world.path("in")])
        try #require(pushed.code == 0, "\(pushed.errors)")
        // kando prints nothing on a push to object storage.
        #expect(pushed.output.isEmpty && pushed.errors.isEmpty)
        let pulled = await azure.kando(["location", "pull", "-s", "a/dump", "-"])
        #expect(pulled.output.count == count)
        #expect(pulled.output == bytes)
    }

    @Test(arguments: KandoCase.group("kandoErrors")) func errors(_ test: KandoCase) async throws {
        let azure = try await AzureWorld()
        if test.id == "ke-08" {
            // A regular file as standard input is read, not refused.
            try Files.write([1, 2, 3], azure.world.path("in"))
            let pushed = await azure.kando(["location", "push", "-s", "x", "-"], input: azure.world.path("in"))
            #expect(pushed.code == 0)
            #expect(await azure.kando(["location", "pull", "-s", "x", "-"]).output == [1, 2, 3])
            let refused = await azure.world.run(
                ["location", "push", "-p", azure.profile, "-s", "x", "-"], asKando: true, inputIsTerminal: true)
            #expect(refused.code == 69)
            #expect(refused.errors.contains(test.text("errorContains")))
            return
        }
        let outcome = await azure.world.kando(test.strings("args"))
        #expect(Int64(outcome.code) == test.value["exit"]?.integerValue)
        #expect(outcome.errors.contains(test.text("errorContains")), "\(outcome.errors)")
        #expect(outcome.text == test.text("stdout"))
    }

    @Test(arguments: KandoCase.group("azureSecret")) func azureSecrets(_ test: KandoCase) {
        var fields: [String: String] = [:]
        for member in test.value["fields"]?.objectValue?.members ?? [] { fields[member.key] = member.value.stringValue }
        if test.isOK {
            #expect(throws: Never.self) { try TypedSecret(type: test.text("type"), fields: fields) }
        } else {
            #expect(throws: PodRunnerError.self) { try TypedSecret(type: test.text("type"), fields: fields) }
        }
    }

    @Test(arguments: KandoCase.group("outputKeys")) func outputKeys(_ test: KandoCase) async throws {
        let world = try World()
        let outcome = await world.kando(["output", "--", test.text("key"), "v"])
        #expect((outcome.code == 0) == test.isOK)
        #expect(outcome.output.isEmpty != test.isOK)
    }
}
