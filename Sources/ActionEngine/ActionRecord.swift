public import GoFormats

/// Where an action or a phase stands. The spelling is Kanister's.
public enum ExecutionState: String, Sendable, Hashable, CaseIterable {
    case pending
    case running
    case failed
    case complete
}

/// One phase in the status of an action.
public struct PhaseRecord: Sendable, Hashable {
    public let name: String
    public var state: ExecutionState
    /// What the function returned; empty until the phase is complete.
    public var output: JSONObject

    public init(name: String, state: ExecutionState = .pending, output: JSONObject = JSONObject()) {
        self.name = name
        self.state = state
        self.output = output
    }
}

/// The status of one action, as in `status.actions[]` of an ActionSet.
public struct ActionRecord: Sendable, Hashable {
    public var state: ExecutionState
    public var phases: [PhaseRecord]
    public var deferPhase: PhaseRecord?
    /// Rendered artifacts; empty unless the action is complete.
    public var artifacts: [RenderedArtifact]
    /// Every failure, first to last: a failing deferPhase does not hide the phase that failed before it.
    public var errors: [String]

    public init(phases: [String], deferPhase: String?) {
        state = .pending
        self.phases = phases.map { PhaseRecord(name: $0) }
        self.deferPhase = deferPhase.map { PhaseRecord(name: $0) }
        artifacts = []
        errors = []
    }
}

/// An artifact after its templates were rendered.
public struct RenderedArtifact: Sendable, Hashable {
    public var name: String
    public var keyValue: [KeyValue]
    /// Nil when the artifact has none.
    public var kopiaSnapshot: String?

    public struct KeyValue: Sendable, Hashable {
        public var key: String
        public var value: String

        public init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    public init(name: String, keyValue: [KeyValue] = [], kopiaSnapshot: String? = nil) {
        self.name = name
        self.keyValue = keyValue
        self.kopiaSnapshot = kopiaSnapshot
    }
}
