import Glibc
import GoFormats
import Testing

/// One case of a table in `Fixtures`, named by its id.
struct Case: Sendable, CustomTestStringConvertible {
    let json: JSONValue

    var id: String { json["id"]?.stringValue ?? "?" }
    var testDescription: String { id }

    subscript(_ key: String) -> JSONValue? { json[key] }

    func strings(_ key: String) -> [String: String] {
        var map: [String: String] = [:]
        for member in json[key]?.objectValue?.members ?? [] { map[member.key] = member.value.stringValue }
        return map
    }
}

enum Cases {
    static let kanister = document("kanister-cases.json")
    static let phaseOutput = document("phase-output.json")

    static func group(_ name: String) -> [Case] { (kanister[name]?.arrayValue ?? []).map { Case(json: $0) } }

    /// - Parameter target: whose fixtures to look into.
    static func document(_ name: String, of target: String = "ActionEngineTests") -> JSONValue {
        (try? JSONParser.parse(bytes("Fixtures/\(name)", of: target))) ?? .null
    }

    /// A source file of this target.
    static func text(of name: String) -> String {
        String(decoding: bytes(name, of: "ActionEngineTests"), as: UTF8.self)
    }

    private static func bytes(_ name: String, of target: String) -> [UInt8] {
        let tests = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2)
        let folder = tests.joined(separator: "/") + "/\(target)"
        guard let file = fopen("\(folder)/\(name)", "r") else { return [] }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
        return bytes
    }
}

@Suite struct CaseTests {
    @Test func everyTableIsThereInFull() {
        let counts = [
            "blueprintValidation": 32, "functionVersion": 10, "argDecoding": 7, "supportedArgs": 3, "labelMerge": 5,
            "outputKeys": 7,
        ]
        for (name, count) in counts { #expect(Cases.group(name).count == count, "\(name)") }
        #expect(Cases.kanister["podOverride"]?["cases"]?.arrayValue?.count == 8)
        #expect(Cases.phaseOutput["phaseOutput"]?.arrayValue?.count == 26)
        #expect(Cases.phaseOutput["kubeExecChunks"]?.arrayValue?.count == 3)
    }
}
