import ActionEngine
import GoFormats
import KanisterFunctions
import Testing

@Suite struct FunctionRegistryTests {
    struct Versioned: KanisterFunction {
        let name = "F"
        let versions: [String]
        let arguments: [FunctionArgument] = []
        let summary = ""
        func execute(_ arguments: FunctionArguments, in call: FunctionCall) async throws -> JSONObject { JSONObject() }
    }

    struct At: KanisterFunction {
        let version: String
        let name = "F"
        var versions: [String] { [version] }
        let arguments: [FunctionArgument] = []
        var summary: String { version }
        func execute(_ arguments: FunctionArguments, in call: FunctionCall) async throws -> JSONObject { JSONObject() }
    }

    @Test(arguments: Cases.group("functionVersion"))
    func versionsAreChosenAsInKanister(_ vector: Case) {
        let versions = (vector["registered"]?.arrayValue ?? []).compactMap(\.stringValue)
        let registry = FunctionRegistry(versions.map { At(version: $0) })
        do throws(FunctionLookupError) {
            let found = try registry.function(named: "F", version: vector["query"]?.stringValue ?? "")
            #expect(found.summary == vector["uses"]?.stringValue)
        } catch {
            let wanted = vector["errorContains"]?.stringValue ?? "no error"
            #expect(error.message.hasSuffix(wanted), "\(error.message)")
        }
    }

    @Test func unknownFunctionSuggestsTheNearOne() {
        #expect(
            throws: FunctionLookupError(
                "Requested function {KubeTsk} has not been registered", hint: "did you mean 'KubeTask'?")
        ) { try LocalFunctions.registry.function(named: "KubeTsk") }
    }

    @Test func everyFunctionOfKanisterIsKnown() {
        #expect(LocalFunctions.registry.names.count == 31)
        #expect(
            LocalFunctions.runnable
                == ["KubeOps", "KubeTask", "MultiContainerRun", "ScaleWorkload", "Wait", "WaitV2"])
    }
}

@Suite struct FunctionArgumentsTests {
    @Test(arguments: Cases.group("argDecoding"))
    func decodesWeakly(_ vector: Case) {
        let arguments = FunctionArguments(JSONObject(["x": vector["given"] ?? .null]))
        do throws(FunctionFailure) {
            let result: JSONValue
            switch vector["want"]?.stringValue {
            case "list of string": result = .array(try arguments.listOfText("x").map { .string($0) })
            case "string": result = .string(try arguments.text("x"))
            case "bool": result = .bool(try arguments.boolean("x"))
            case "map of string":
                result = .object(
                    JSONObject(try arguments.mapOfText("x").map { .init(key: $0.key, value: .string($0.value)) }))
            case let other: result = .string("unknown: \(other ?? "")")
            }
            #expect(result == vector["result"])
        } catch {
            let wanted = vector["errorContains"]?.stringValue ?? "no error"
            #expect(error.message.hasPrefix(wanted), "\(error.message)")
        }
    }

    @Test func saysWhatItGotInsteadOfABoolean() {
        let arguments = FunctionArguments(JSONObject(["x": "maybe"]))
        #expect(throws: FunctionFailure("Failed to decode arg `x`: wanted true or false, got \"maybe\"")) {
            try arguments.boolean("x")
        }
    }

    @Test(arguments: Cases.group("supportedArgs"))
    func unsupportedArgumentsAreFound(_ vector: Case) {
        struct Supporting: KanisterFunction {
            let name = "F"
            let arguments: [FunctionArgument]
            let summary = ""
            func execute(_ arguments: FunctionArguments, in call: FunctionCall) async throws -> JSONObject {
                JSONObject()
            }
        }
        let supported = (vector["supported"]?.arrayValue ?? []).compactMap(\.stringValue)
        let given = (vector["given"]?.arrayValue ?? []).compactMap(\.stringValue)
        let function = Supporting(arguments: supported.map { FunctionArgument($0, .text, "") })
        let problems = FunctionRegistry.unsupported(given, by: function).map { "argument \($0) is not supported" }
        #expect(problems.isEmpty == vector["ok"]?.boolValue)
        #expect(problems.first == vector["error"]?.stringValue)
    }
}

@Suite struct PodMetadataTests {
    @Test(arguments: Cases.group("labelMerge"))
    func blueprintLabelsWin(_ vector: Case) {
        let merged = PodMetadata.merge(
            actionSet: vector.strings("actionSet"), blueprint: vector.strings("blueprint").map { ($0.key, $0.value) })
        #expect(merged == vector.strings("result"))
    }

    static let overrides = (Cases.kanister["podOverride"]?["cases"]?.arrayValue ?? []).map { Case(json: $0) }

    @Test(arguments: overrides)
    func overridesMergeAsKubernetesMergesThem(_ vector: Case) throws {
        let base = try #require(Cases.kanister["podOverride"]?["base"]?.objectValue)
        let spec = PodMetadata.spec(
            base, blueprint: vector["blueprint"]?.objectValue, actionSet: vector["actionSet"]?.objectValue)
        #expect(sorted(.object(spec)) == sorted(vector["result"] ?? .null))
    }

    /// Members of objects in the order of their keys: their order means nothing.
    private func sorted(_ value: JSONValue) -> JSONValue {
        switch value {
        case .array(let items): return .array(items.map { sorted($0) })
        case .object(let object):
            return .object(
                JSONObject(
                    object.members.sorted { $0.key < $1.key }.map { .init(key: $0.key, value: sorted($0.value)) }))
        default: return value
        }
    }

    @Test func nullDeletesAndDirectivesWork() {
        let original = JSONObject([
            "a": 1, "b": 2, "env": [["name": "X", "value": "1"], ["name": "Y", "value": "2"]],
            "volumes": [["name": "v", "emptyDir": ["medium": "Memory"]]],
        ])
        let patch = JSONObject([
            "a": nil, "env": [["name": "X", "$patch": "delete"], ["name": "Z", "value": "3"]],
            "volumes": [["name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": ["path": "/x"]]],
        ])
        let merged = StrategicMerge.apply(patch, to: original)
        #expect(merged["a"] == nil)
        #expect(merged["env"] == [["name": "Z", "value": "3"], ["name": "Y", "value": "2"]])
        #expect(merged["volumes"] == [["name": "v", "hostPath": ["path": "/x"]]])
    }
}
