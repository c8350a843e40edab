import ActionEngine
import GoFormats
import GoTemplate
import KanisterFunctions
import Testing

/// Which of the 279 conformance cases run, and where; a count of each group is part of the test names.
@Suite struct ConformanceTests {
    /// Groups whose every case is an argument of a test, here or in another target.
    static let byID: [String: String] = [
        "blueprintValidation": "BlueprintValidationTests", "actionSetValidation": "BlueprintsTests",
        "profileValidation": "BlueprintsTests", "functionVersion": "FunctionRegistryTests",
        "argDecoding": "FunctionArgumentsTests", "supportedArgs": "FunctionArgumentsTests",
        "labelMerge": "PodMetadataTests", "podOverride": "PodMetadataTests",
        "multiContainerOverride": "MultiContainerRunTests", "logTail": "ConformanceTests",
        "replicas": "ObjectFunctionTests", "kubeOps": "ObjectFunctionTests", "jsonpathFind": "WaitTests",
        "waitConditions": "WaitTests", "waitLoop": "WaitTests", "outputKeys": "PhaseOutputReaderTests",
        "fips": "ConformanceTests",
    ]

    /// Groups described in words; each case is named in the test that shows it.
    static let inWords = ["objectsAndArtifacts", "execution"]

    /// Cases that cannot apply to an engine without a cluster, and the cluster-side commands.
    static let notApplicable: [(ids: [String], reason: String)] = [
        (range("yl", 4), "only RDS functions take a list as YAML text; they call AWS from a cluster"),
        (
            range("ap", 6),
            "only restic functions put the bucket in front of a path; they run beside volumes of a cluster"
        ),
        (
            range("on", 5) + range("ks", 6) + range("kj", 5) + range("az", 2) + range("ke", 8) + range("zs", 7),
            "kando's, not the engine's: locations, kopia and storage are pod-runner's; they run in KandoCaseTests"
        ),
        (range("pg", 7), "percentages of a status object; a local run tells phases as they end"),
        (range("kl", 9) + range("kn", 6) + range("kb", 2), "kanctl makes ActionSets in a cluster"),
        (range("sv", 6) + range("sp", 4), "accounts of pods are the cluster's"),
        (["ex-07"], "functions registered at one version only: functionVersion fv shows the choice"),
        (["ex-14", "ex-25"], "several actions of one ActionSet at once; a run here is one action"),
        (["ex-17", "ex-18"], "the blueprint is a file here, not a name to query"),
        (["ex-21"], "a controller that restarts finds an ActionSet running; a run here has no other owner"),
        (["ex-23"], "an invalid ActionSet is refused where it is read: BlueprintsTests, as"),
    ]

    private static func range(_ prefix: String, _ count: Int) -> [String] {
        (1...count).map { "\(prefix)-" + ($0 < 10 ? "0\($0)" : "\($0)") }
    }

    struct Group: Sendable, CustomTestStringConvertible {
        let name: String
        let ids: [String]

        var testDescription: String {
            let skipped = ids.filter { id in notApplicable.contains { $0.ids.contains(id) } }.count
            return "\(name): \(ids.count - skipped) of \(ids.count) run"
        }
    }

    static let groups: [Group] = (Cases.kanister.objectValue?.members ?? []).compactMap { member in
        guard let cases = member.value.arrayValue ?? member.value["cases"]?.arrayValue else { return nil }
        return Group(name: member.key, ids: cases.compactMap { $0["id"]?.stringValue })
    }

    @Test func allCasesAreThere() {
        #expect(Self.groups.reduce(0) { $0 + $1.ids.count } == 279)
        let all = Set(Self.groups.flatMap(\.ids))
        #expect(Self.notApplicable.flatMap(\.ids).filter { !all.contains($0) } == [])
    }

    @Test(arguments: groups) func everyCaseRunsOrSaysWhyNot(_ group: Group) {
        guard Self.byID[group.name] == nil else { return }
        let sources = ["Execution", "Rendering", "Conformance"].map { Cases.text(of: "\($0)Tests.swift") }
        for id in group.ids where !Self.notApplicable.contains(where: { $0.ids.contains(id) }) {
            #expect(Self.inWords.contains(group.name), "\(id) of \(group.name) is nowhere")
            #expect(sources.contains { $0.contains(id) }, "\(id) is named in no test")
        }
    }

    // MARK: Cases without a better place

    /// Kanister's tail takes a limit; ours is ten lines. Lines after the case's own stand for a smaller one.
    @Test(arguments: Cases.group("logTail")) func theLastLinesAreKept(_ vector: Case) async throws {
        let limit = Int(vector["limit"]?.integerValue ?? 0)
        let writes = (vector["writes"]?.arrayValue ?? []).compactMap(\.stringValue)
        let filler = Array(repeating: "filler", count: 10 - limit)
        struct Writer: PodExecutor {
            let lines: [String]
            let runsPods = true
            func run(_ pod: PodRequest, streams: any PodStreams) async throws -> CommandEnding {
                for line in lines { streams.standardError(Array("\(line)\n".utf8)) }
                return .exited(1)
            }
        }
        let call = FunctionCall(
            action: "a", phase: "p", controllerNamespace: "n", executor: Writer(lines: writes + filler),
            log: SilentLog())
        let failure = await #expect(throws: ActionEngine.FunctionFailure.self) {
            try await KubeTask().execute(
                FunctionArguments(JSONObject(["image": "i", "command": ["c"]])), in: call)
        }
        let tail = (failure?.lastLines ?? []).dropLast(filler.count)
        #expect(tail.joined(separator: "\r\n") == vector["result"]?.stringValue)
    }

    @Test(arguments: Cases.group("fips")) func replacedFunctionsAreRefused(_ vector: Case) throws {
        let template = try Template(parsing: "{{ \(vector["expr"]?.stringValue ?? "") }}")
        #expect(((try? template.render(.nil)) != nil) == vector["ok"]?.boolValue)
    }

    @Test func anOutputThatIsTooLargeFailsThePhase() async throws {
        // ex-24: Kanister's ActionSet stays running for ever.
        let scenario = try Scenario(
            BlueprintText.backup([("p", "[ok, \"k=\(String(repeating: "x", count: 1_600_000))\"]")]))
        let result = await scenario.run()
        #expect(result.record.state == .failed)
        let message = result.failures.first?.failure.message ?? ""
        #expect(message.contains("'k'") && message.contains("\(PhaseOutputReader.outputsLimit)"), "\(message)")
    }
}
