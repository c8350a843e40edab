import ActionEngine
import Blueprints
import Diagnostics
import Executors
import Glibc
import GoFormats
import GoTemplate
import KanisterFunctions
import RunnerContract
import Synchronization

/// One run on this machine: its folder, its record, its end.
///
/// Concurrency: used by one task; the record can be finished from another once that task has ended.
final class LocalRun: Sendable {
    private let input: ActionInput
    private let output: Output
    private let folder: RunFolder
    private let console: RunConsole
    private let started: Timestamp
    private let result = Mutex<ActionResult?>(nil)

    /// Makes the folder.
    ///
    /// - Throws: `Exit` after saying why not.
    init(input: ActionInput, output: Output) throws {
        self.input = input
        self.output = output
        started = .now()
        do {
            folder = try RunStore.standard().begin(action: input.request.actionName, at: started)
        } catch {
            output.say(
                "error: the run cannot be kept: \(error)\n  hint: set KARAFFE_STATE_DIR to a folder you may write to")
            throw Exit(.input)
        }
        console = RunConsole(output: output, folder: folder)
    }

    /// Runs the action and keeps its record.
    ///
    /// - Returns: the exit code.
    func execute(_ options: LocalExecutor.Options, templates: TemplateOptions) async -> Int32 {
        write(state: .running, exitCode: nil)
        let cluster = SecretRecordingCluster(ClusterCopy(of: input.cluster), secrets: input.secrets)
        let runner = ActionRunner(
            functions: LocalFunctions.registry, cluster: cluster,
            executor: LocalExecutor(options: options, cluster: cluster, log: console), log: console, observer: console,
            templateOptions: templates)
        let result = await runner.run(input.request)
        self.result.withLock { $0 = result }
        let code = Self.exitCode(of: result)
        if result.phases.isEmpty, result.hasErrors {
            // Refused before anything ran: there is nothing to keep.
            output.report(result.diagnostics, sources: input.sources)
            folder.remove()
            return code
        }
        report(result)
        if !result.wasInterrupted { write(state: result.record.state, exitCode: code) }
        for problem in console.problems { output.say("warning: \(problem)") }
        if result.record.state == .complete {
            for artifact in result.record.artifacts {
                for pair in artifact.keyValue { output.tell("artifact \(artifact.name).\(pair.key): \(pair.value)") }
                if let text = artifact.kopiaSnapshot { output.tell("artifact \(artifact.name).kopiaSnapshot: \(text)") }
            }
            output.tell("run \(folder.identifier): complete")
        }
        return code
    }

    /// Records a run that a signal ended.
    func finish(interruptedBy signal: Int32) {
        write(state: .failed, exitCode: 128 &+ signal)
        output.tell("run \(folder.identifier): failed, \(signal == SIGINT ? "interrupted" : "terminated")")
    }

    private func report(_ result: ActionResult) {
        output.report(result.diagnostics, sources: input.sources)
        for failure in result.failures {
            output.say("error: phase '\(failure.phase)' (\(failure.function)): \(failure.failure)")
        }
        if result.record.state == .failed, !result.wasInterrupted {
            let recoverable = result.record.phases.filter { $0.state == .complete && !$0.output.isEmpty }
            for phase in recoverable {
                output.say("note: phase '\(phase.name)' had completed before; its outputs are in the run's record")
            }
            output.tell("run \(folder.identifier): failed")
            output.say("log: \(folder.path)/log.txt")
        }
    }

    /// Wrong input is 3; a failed command gives its own code when it is one of ours, else 1.
    static func exitCode(of result: ActionResult) -> Int32 {
        if result.hasErrors { return ExitCode.input.rawValue }
        guard result.record.state != .complete else { return ExitCode.done.rawValue }
        let passedOn: [ExitCode] = [.input, .database, .repository, .verification, .interrupted, .terminated]
        for failure in result.failures {
            if case .exited(let code)? = failure.failure.ending, let known = ExitCode(rawValue: code),
                passedOn.contains(known)
            {
                return code
            }
        }
        return ExitCode.failed.rawValue
    }

    // MARK: The record

    private func write(state: ExecutionState, exitCode: Int32?) {
        do throws(FileError) {
            try folder.write(record: record(state: state, exitCode: exitCode))
        } catch {
            output.say("warning: the run's record could not be written: \(error.message)")
        }
    }

    private func record(state: ExecutionState, exitCode: Int32?) -> JSONObject {
        let request = input.request
        let masked: (String) -> String = { [secrets = input.secrets] in secrets.mask($0) }
        var record = JSONObject([
            "id": .string(folder.identifier), "action": .string(request.actionName),
            "blueprint": .string(request.blueprint.name.text), "blueprintFile": .string(input.blueprintFile),
        ])
        record["object"] = input.objectText.map { .string($0) }
        record["profile"] = input.profileText.map { .string($0) }
        record["from"] = input.fromRun.map { .string($0) }
        record["options"] = .object(
            JSONObject(
                request.options.sorted { $0.key < $1.key }.map { .init(key: $0.key, value: .string(masked($0.value))) })
        )
        record["time"] = .string(request.time.description)
        record["state"] = .string(state.rawValue)
        record["started"] = .string(started.description)
        if state != .running { record["ended"] = .string(Timestamp.now().description) }
        record["exitCode"] = exitCode.map { .integer(Int64($0)) }
        guard let result = result.withLock({ $0 }) else { return record }
        record["phases"] = .array(result.record.phases.map { Self.phase($0, masked) })
        record["deferPhase"] = result.record.deferPhase.map { Self.phase($0, masked) }
        record["artifacts"] = RenderedDocument.artifacts(result.record.artifacts)
        let errors = result.diagnostics.filter { $0.severity == .error }.map(\.message) + result.record.errors
        var seen: Set<String> = []
        record["errors"] = .array(errors.filter { seen.insert($0).inserted }.map { .string(masked($0)) })
        return record
    }

    private static func phase(_ phase: PhaseRecord, _ masked: (String) -> String) -> JSONValue {
        .object(
            JSONObject([
                "name": .string(phase.name), "state": .string(phase.state.rawValue),
                "output": JSONValue.object(phase.output).mapStrings(masked),
            ]))
    }
}
