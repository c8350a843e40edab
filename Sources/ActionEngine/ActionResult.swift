public import Diagnostics

/// How an action went.
public struct ActionResult: Sendable {
    public var record: ActionRecord
    /// Phases that were rendered, in the order they ran, the deferPhase last.
    public var phases: [RenderedPhase] = []
    /// Problems of the input: nothing ran when they were found before the first phase.
    public var diagnostics: [Diagnostic] = []
    /// Failures of phases, first to last.
    public var failures: [PhaseFailure] = []
    /// The task was cancelled.
    public var wasInterrupted = false

    public var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }
}

/// A phase that failed.
public struct PhaseFailure: Sendable, Hashable {
    public let phase: String
    public let function: String
    public let failure: FunctionFailure
}

/// Watches an action go by.
public protocol ActionObserver: Sendable {
    /// The phase is rendered and about to run.
    func phaseWillRun(_ phase: RenderedPhase)
    func phaseDidEnd(_ phase: PhaseRecord)
}

/// Watches nothing.
public struct SilentObserver: ActionObserver {
    public init() {}
    public func phaseWillRun(_ phase: RenderedPhase) {}
    public func phaseDidEnd(_ phase: PhaseRecord) {}
}
