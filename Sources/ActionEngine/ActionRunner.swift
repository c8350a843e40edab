import Blueprints
import Diagnostics
import GoFormats
public import GoTemplate

/// Runs one action of a blueprint, or, with an executor that runs no pods, shows what it would do.
///
/// The order is Kanister's: parameters; functions and objects of all phases; then phase by phase secrets, arguments,
/// checks, execution, outputs; the deferPhase whatever happened; output artifacts last. What Kanister leaves to fail
/// late is checked before the first phase: artifacts and argument names.
///
/// Concurrency and memory: a value; one `run` runs phases one after another and holds their outputs.
///
/// Source: Kanister `pkg/controller/controller.go` `runAction`, `pkg/phase.go` `Exec`.
public struct ActionRunner: Sendable {
    /// How long a deferPhase may take after an interruption.
    public static let cleanupLimit = Duration.seconds(30)

    let functions: FunctionRegistry
    let cluster: any Cluster
    let executor: any PodExecutor
    let log: any PhaseLog
    let observer: any ActionObserver
    let templateOptions: TemplateOptions

    public init(
        functions: FunctionRegistry, cluster: any Cluster, executor: any PodExecutor, log: any PhaseLog = SilentLog(),
        observer: any ActionObserver = SilentObserver(), templateOptions: TemplateOptions = TemplateOptions()
    ) {
        self.functions = functions
        self.cluster = cluster
        self.executor = executor
        self.log = log
        self.observer = observer
        self.templateOptions = templateOptions
    }

    /// Runs the action to its end. Never throws: what went wrong is in the result.
    public func run(_ request: ActionRequest) async -> ActionResult {
        guard let action = request.blueprint.action(request.actionName) else {
            return unknownAction(request)
        }
        var run = ActionRun(runner: self, request: request, action: action)
        await run.prepare()
        guard !run.result.hasErrors || !executor.runsPods else { return run.refused() }
        await run.execute()
        return run.result
    }

    private func unknownAction(_ request: ActionRequest) -> ActionResult {
        let names = request.blueprint.actions.map(\.name.text)
        let kind = request.object?.kind.text ?? ""
        var result = ActionResult(record: ActionRecord(phases: [], deferPhase: nil))
        let message =
            "Action \(request.actionName) for object kind \(kind) not found in blueprint \(request.blueprint.name.text)"
        result.record.state = .failed
        result.record.errors = [message]
        result.diagnostics = [
            Diagnostic(
                rule: "unknown-action", message, at: request.blueprint.range,
                hint: nearMissHint(for: request.actionName, among: names)
                    ?? "actions of this blueprint: \(names.joined(separator: ", "))")
        ]
        return result
    }
}

/// One action being run.
struct ActionRun {
    let runner: ActionRunner
    let request: ActionRequest
    let action: BlueprintAction
    var result: ActionResult
    var machine: ActionStateMachine
    var params: TemplateParams
    var phases: [PreparedPhase] = []
    var deferPhase: PreparedPhase?
    let references: ActionReferences
    var completedPhases: [String] = []

    var isDryRun: Bool { !runner.executor.runsPods }

    init(runner: ActionRunner, request: ActionRequest, action: BlueprintAction) {
        self.runner = runner
        self.request = request
        self.action = action
        machine = ActionStateMachine(
            phases: action.phases.map(\.name.text), deferPhase: action.deferPhase?.name.text)
        result = ActionResult(record: machine.status)
        params = TemplateParams(time: request.time.description)
        references = ActionReferences(action, options: runner.templateOptions)
    }

    func hints(currentPhase: String? = nil) -> RenderingHints {
        RenderingHints(
            blueprint: request.blueprint, action: action, completedPhases: completedPhases,
            currentPhase: currentPhase, objectKind: request.object?.kind.text)
    }

    func renderer(_ phase: String?) -> TemplateRenderer {
        let place = phase.map { ", phase '\($0)'" } ?? ""
        return TemplateRenderer(
            options: runner.templateOptions, root: params.root, context: "in action '\(action.name.text)'\(place)",
            hints: hints(currentPhase: phase))
    }

    // MARK: Before the first phase

    mutating func prepare() async {
        result.diagnostics += PhaseChecks.problems(
            of: action, functions: runner.functions, version: request.preferredVersion)
        result.diagnostics += unknownOutputs()
        var resolver = ParamsResolver(
            request: request, action: action, cluster: runner.cluster, isDryRun: isDryRun, hints: hints(),
            references: references)
        params = await resolver.resolve()
        result.diagnostics += resolver.diagnostics
        phases = action.phases.compactMap { prepare($0, isDeferPhase: false) }
        deferPhase = action.deferPhase.flatMap { prepare($0, isDeferPhase: true) }
    }

    private mutating func prepare(_ phase: BlueprintPhase, isDeferPhase: Bool) -> PreparedPhase? {
        var renderer = renderer(phase.name.text)
        let objects = phase.objects.compactMap { renderer.object($0) }
        result.diagnostics += renderer.diagnostics
        guard
            let function = try? runner.functions.function(
                named: phase.function.text, version: request.preferredVersion)
        else { return nil }
        return PreparedPhase(phase: phase, function: function, objects: objects, isDeferPhase: isDeferPhase)
    }

    private func unknownOutputs() -> [Diagnostic] {
        let names = (action.phases + [action.deferPhase].compactMap { $0 }).map(\.name.text)
        return request.knownOutputs.keys.sorted().filter { !names.contains($0) }.map { name in
            Diagnostic(
                rule: "unknown-phase",
                "--set-output names phase '\(name)', which action '\(action.name.text)' does not have",
                hint: nearMissHint(for: name, among: names) ?? "its phases: \(names.joined(separator: ", "))")
        }
    }

    /// Nothing runs because of what `prepare` found.
    mutating func refused() -> ActionResult {
        result.record.state = .failed
        result.record.errors = result.diagnostics.filter { $0.severity == .error }.map(\.message)
        return result
    }

    // MARK: The steps

    mutating func execute() async {
        var step = machine.start()
        while true {
            switch step {
            case .phase(let index):
                step = await run(phases.first { $0.name == action.phases[index].name.text })
            case .deferPhase: step = await runDeferPhase()
            case .artifacts: step = renderArtifacts()
            case .finished:
                result.record = machine.status
                return
            }
        }
    }

    /// In a dry run every step succeeds, so that all problems of all phases are found.
    private mutating func failed(_ message: String) -> ActionStateMachine.Step {
        isDryRun ? machine.succeeded() : machine.failed(message)
    }

    private mutating func run(_ phase: PreparedPhase?) async -> ActionStateMachine.Step {
        guard let phase else { return failed("the phase's function is unknown") }
        if result.wasInterrupted { return failed("not run: the action was interrupted") }
        if Task.isCancelled, !isDryRun {
            result.wasInterrupted = true
            return failed("interrupted before phase '\(phase.name)'")
        }
        let step: ActionStateMachine.Step
        do {
            let output = try await perform(phase)
            setOutput(output, of: phase)
            step = machine.succeeded(output: output)
        } catch {
            if isDryRun { setOutput(JSONObject(), of: phase) }
            step = failed(describe(error, phase))
        }
        if !phase.isDeferPhase { completedPhases.append(phase.name) }
        let record =
            phase.isDeferPhase ? machine.status.deferPhase : machine.status.phases.first { $0.name == phase.name }
        if let record { runner.observer.phaseDidEnd(record) }
        return step
    }

    private mutating func describe(_ error: any Error, _ phase: PreparedPhase) -> String {
        switch error {
        case is CancellationError:
            result.wasInterrupted = true
            return "phase '\(phase.name)' was interrupted"
        case let refused as RefusedPhase:
            result.diagnostics += refused.diagnostics
            return refused.diagnostics.first?.message ?? "the phase could not be rendered"
        default:
            let failure = error as? FunctionFailure ?? FunctionFailure("\(error)")
            result.failures.append(
                PhaseFailure(phase: phase.name, function: phase.function.name, failure: failure))
            return "phase '\(phase.name)' (\(phase.function.name)): \(failure.message)"
        }
    }

    /// After an interruption the cleanup still runs, on time of its own.
    private mutating func runDeferPhase() async -> ActionStateMachine.Step {
        guard result.wasInterrupted, let phase = deferPhase else { return await run(deferPhase) }
        result.wasInterrupted = false
        var copy = self
        let limit = Task {
            let step = await copy.run(phase)
            return (step, copy)
        }
        let watchdog = Task {
            try await Task.sleep(for: ActionRunner.cleanupLimit)
            limit.cancel()
        }
        let (step, after) = await limit.value
        watchdog.cancel()
        self = after
        result.wasInterrupted = true
        return step
    }

    private mutating func renderArtifacts() -> ActionStateMachine.Step {
        var renderer = renderer(nil)
        let artifacts = action.outputArtifacts.compactMap { renderer.artifact($0) }
        result.diagnostics += renderer.diagnostics
        if let problem = renderer.diagnostics.first, !isDryRun { return machine.failed(problem.message) }
        return machine.succeeded(artifacts: artifacts)
    }
}

/// A phase whose input is wrong.
struct RefusedPhase: Error {
    let diagnostics: [Diagnostic]
}
