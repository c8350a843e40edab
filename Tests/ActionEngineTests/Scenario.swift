import ActionEngine
import Blueprints
import Diagnostics
import GoFormats
import KanisterFunctions
import Synchronization
import Testing

/// A blueprint, a cluster and an executor that follows a script: what most tests of the engine need.
struct Scenario {
    var source: SourceFile
    var request: ActionRequest
    var cluster = ManifestCluster()
    var secrets = KnownSecrets()
    let executor = ScriptedExecutor()

    init(_ text: String, action: String = "backup", cluster: [String] = []) throws {
        source = SourceFile(name: "bp.yaml", text: text)
        let (blueprint, diagnostics) = readBlueprint(source)
        #expect(diagnostics.filter { $0.severity == .error } == [])
        request = ActionRequest(
            blueprint: try #require(blueprint), actionName: action,
            time: try #require(Timestamp(rfc3339: "2024-03-05T07:08:09.123456789Z")))
        request.object = ObjectReference(kind: "Secret", name: "app1", namespace: "app1")
        for manifest in [Self.appSecret, Self.adminSecret] + cluster { try add(manifest) }
    }

    static let appSecret = """
        {"apiVersion":"v1","kind":"Secret","metadata":{"name":"app1","namespace":"app1"},
         "stringData":{"username":"app1","dbname":"app1db","password":"sentinel-of-app1"}}
        """
    static let adminSecret = """
        {"apiVersion":"v1","kind":"Secret","metadata":{"name":"admin","namespace":"kasten-io"},
         "stringData":{"username":"postgres","password":"sentinel <of> 'admin' \\"$\\" \\\\"}}
        """

    mutating func add(_ manifest: String) throws {
        let object = try #require(try JSONParser.parse(manifest).objectValue)
        try cluster.add(try KubernetesObject(manifest: object))
    }

    func run(functions: FunctionRegistry = LocalFunctions.registry, log: any PhaseLog = SilentLog()) async
        -> ActionResult
    {
        await ActionRunner(
            functions: functions, cluster: SecretRecordingCluster(cluster, secrets: secrets), executor: executor,
            log: log
        ).run(request)
    }

    func dryRun() async -> (result: ActionResult, pods: [PodRequest]) {
        let executor = DryRunExecutor()
        let result = await ActionRunner(
            functions: LocalFunctions.registry, cluster: SecretRecordingCluster(cluster, secrets: secrets),
            executor: executor
        ).run(request)
        return (result, executor.pods)
    }

    /// As a terminal shows it.
    func shown(_ diagnostics: [Diagnostic]) -> String { DiagnosticRenderer(sources: [source]).render(diagnostics) }

    func phase(_ name: String, of result: ActionResult) -> RenderedPhase? { result.phases.first { $0.name == name } }
}

/// Runs nothing: what a "command" does is read from its first word.
///
/// | word | does |
/// |---|---|
/// | `ok` | succeeds; the following words `key=value` are its outputs |
/// | `fail` | ends with the exit code in the second word |
/// | `cancel` | behaves as if the task had been cancelled |
final class ScriptedExecutor: PodExecutor {
    private let ran = Mutex<[String]>([])

    var runsPods: Bool { true }
    /// Phases in the order they ran.
    var phases: [String] { ran.withLock { $0 } }

    func run(_ pod: PodRequest, streams: any PodStreams) async throws -> CommandEnding {
        ran.withLock { $0.append(pod.phase) }
        let words = pod.command
        switch words.first {
        case "cancel": throw CancellationError()
        case "fail":
            streams.standardError(Array("going down\n".utf8))
            return .exited(Int32(words.count > 1 ? words[1] : "1") ?? 1)
        default:
            for word in words.dropFirst() {
                let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
                guard parts.count == 2 else { continue }
                let payload: JSONValue = ["key": .string(parts[0]), "value": .string(parts[1])]
                try streams.standardOutput(Array("###Phase-output###: \(GoJSON.text(payload))\n".utf8))
            }
            return .exited(0)
        }
    }
}

/// A blueprint with one action `backup` of KubeTask phases.
enum BlueprintText {
    /// - Parameters:
    ///   - phases: name and command, the command in JSON.
    ///   - more: lines under the action, already indented by four spaces.
    static func backup(_ phases: [(name: String, command: String)], deferPhase: String? = nil, more: String = "")
        -> String
    {
        var lines = [
            "apiVersion: cr.kanister.io/v1alpha1", "kind: Blueprint", "metadata: {name: bp}", "actions:", "  backup:",
        ]
        if !more.isEmpty { lines.append(more) }
        if let deferPhase {
            lines += [
                "    deferPhase:", "      func: KubeTask", "      name: last",
                "      args: {image: i, command: \(deferPhase)}",
            ]
        }
        lines.append(phases.isEmpty ? "    phases: []" : "    phases:")
        for phase in phases {
            lines += [
                "    - func: KubeTask", "      name: \(phase.name)",
                "      args: {image: i, command: \(phase.command)}",
            ]
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
