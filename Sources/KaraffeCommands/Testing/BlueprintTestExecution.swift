import ActionEngine
import Executors
import GoFormats
import KanisterFunctions
import Synchronization

/// What came out of the action of a test.
struct BlueprintTestExecution {
    let result: ActionResult
    let pods: [PodRequest]

    /// Renders the action; nothing runs.
    static func rendering(_ input: ActionInput) async -> BlueprintTestExecution {
        let executor = DryRunExecutor()
        let result = await ActionRunner(
            functions: LocalFunctions.registry,
            cluster: SecretRecordingCluster(input.cluster, secrets: input.secrets), executor: executor
        ).run(input.request)
        return BlueprintTestExecution(result: result, pods: executor.pods)
    }

    /// Runs the action on this machine, on a copy of the cluster folder. No record of the run is kept.
    static func running(_ input: ActionInput, _ options: LocalExecutor.Options) async -> BlueprintTestExecution {
        let cluster = SecretRecordingCluster(ClusterCopy(of: input.cluster), secrets: input.secrets)
        let executor = RecordingExecutor(LocalExecutor(options: options, cluster: cluster, log: SilentLog()))
        let result = await ActionRunner(
            functions: LocalFunctions.registry, cluster: cluster, executor: executor
        ).run(input.request)
        return BlueprintTestExecution(result: result, pods: executor.pods)
    }

    /// Outputs by phase: of a rendering those that were given, of a run those that came.
    func outputs(known: [String: [String: String]]) -> JSONObject {
        var outputs = JSONObject()
        for (phase, values) in known {
            outputs[phase] = .object(JSONObject(values.map { .init(key: $0.key, value: .string($0.value)) }))
        }
        for phase in result.record.phases + (result.record.deferPhase.map { [$0] } ?? []) where !phase.output.isEmpty {
            outputs[phase.name] = .object(phase.output)
        }
        return outputs
    }
}

/// Remembers the pods it hands on.
private final class RecordingExecutor: PodExecutor {
    private let base: any PodExecutor
    private let recorded = Mutex<[PodRequest]>([])

    init(_ base: any PodExecutor) { self.base = base }

    var runsPods: Bool { base.runsPods }
    var pods: [PodRequest] { recorded.withLock { $0 } }

    func run(_ pod: PodRequest, streams: any PodStreams) async throws -> CommandEnding {
        recorded.withLock { $0.append(pod) }
        return try await base.run(pod, streams: streams)
    }
}
