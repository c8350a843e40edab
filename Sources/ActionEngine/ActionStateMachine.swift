public import GoFormats

/// Which step of an action comes next and what the status is: the rules of one action without any doing.
///
/// The order is: phases one after another until one fails, then the deferPhase whatever happened, then the output
/// artifacts if nothing failed. `failed` is final.
///
/// Source: Kanister `pkg/controller/controller.go` `runAction`, `executeDeferPhase`, `renderOutputArtifacts`. Unlike
/// Kanister, the deferPhase is shown as `running` while it runs, and its failure is added to the errors.
public struct ActionStateMachine: Sendable {
    /// What to do next.
    public enum Step: Sendable, Hashable {
        /// Index into the phases.
        case phase(Int)
        case deferPhase
        case artifacts
        case finished(ExecutionState)
    }

    public private(set) var status: ActionRecord
    private var current: Step?

    public init(phases: [String], deferPhase: String?) {
        status = ActionRecord(phases: phases, deferPhase: deferPhase)
    }

    /// Starts the action.
    public mutating func start() -> Step {
        status.state = .running
        return enter(status.phases.isEmpty ? afterPhases() : .phase(0))
    }

    /// The step that was handed out has succeeded.
    ///
    /// - Parameter output: what the phase returned; ignored for artifacts.
    public mutating func succeeded(output: JSONObject = JSONObject()) -> Step {
        switch current {
        case .phase(let index):
            status.phases[index].state = .complete
            status.phases[index].output = output
            return enter(index + 1 < status.phases.count ? .phase(index + 1) : afterPhases())
        case .deferPhase:
            status.deferPhase?.state = .complete
            status.deferPhase?.output = output
            return enter(afterDeferPhase())
        case .artifacts: return enter(.finished(.complete))
        case .finished, nil: return enter(.finished(status.state == .failed ? .failed : .complete))
        }
    }

    /// The artifacts are rendered.
    public mutating func succeeded(artifacts: [RenderedArtifact]) -> Step {
        status.artifacts = artifacts
        return succeeded()
    }

    /// The step that was handed out has failed.
    public mutating func failed(_ message: String) -> Step {
        status.errors.append(message)
        status.state = .failed
        switch current {
        case .phase(let index):
            status.phases[index].state = .failed
            return enter(afterPhases())
        case .deferPhase:
            status.deferPhase?.state = .failed
            return enter(afterDeferPhase())
        case .artifacts, .finished, nil: return enter(.finished(.failed))
        }
    }

    private mutating func enter(_ step: Step) -> Step {
        current = step
        switch step {
        case .phase(let index): status.phases[index].state = .running
        case .deferPhase: status.deferPhase?.state = .running
        case .artifacts: break
        case .finished(let state): status.state = state
        }
        return step
    }

    private func afterPhases() -> Step { status.deferPhase == nil ? afterDeferPhase() : .deferPhase }

    private func afterDeferPhase() -> Step { status.state == .failed ? .finished(.failed) : .artifacts }
}
