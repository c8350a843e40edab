public import Diagnostics

/// A Kanister ActionSet: which actions of which blueprints to run on which objects.
///
/// Source: Kanister `pkg/apis/cr/v1alpha1/types.go` (`ActionSet`, `ActionSpec`, `ActionSetStatus`).
public struct ActionSet: Sendable, Hashable {
    public static let apiVersion = "cr.kanister.io/v1alpha1"
    public static let kind = "ActionSet"

    public var name: LocatedText
    public var namespace: LocatedText
    public var actions: [ActionSpec]
    /// What the controller wrote; nil before it saw the ActionSet.
    public var status: ActionSetStatus?
    public var range: SourceRange?

    public init(
        name: LocatedText, namespace: LocatedText = "", actions: [ActionSpec], status: ActionSetStatus? = nil,
        range: SourceRange? = nil
    ) {
        self.name = name
        self.namespace = namespace
        self.actions = actions
        self.status = status
        self.range = range
    }
}

/// One entry of `spec.actions`.
public struct ActionSpec: Sendable, Hashable {
    public var name: LocatedText
    /// A blueprint in the ActionSet's own namespace.
    public var blueprint: LocatedText
    public var object: ObjectReference
    public var artifacts: [Artifact]
    public var configMaps: [NamedReference]
    public var secrets: [NamedReference]
    public var profile: ObjectReference?
    /// Only known to Kanister 0.92.0 to 0.119.0.
    public var repositoryServer: ObjectReference?
    /// A fragment of a PodSpec, merged last over every pod Kanister makes.
    public var podOverride: YAMLNode?
    public var options: [NamedText]
    /// Empty when absent.
    public var preferredVersion: LocatedText
    public var podLabels: [NamedText]
    public var podAnnotations: [NamedText]
    public var range: SourceRange?

    public init(name: LocatedText, blueprint: LocatedText, object: ObjectReference, range: SourceRange? = nil) {
        self.name = name
        self.blueprint = blueprint
        self.object = object
        artifacts = []
        configMaps = []
        secrets = []
        options = []
        preferredVersion = ""
        podLabels = []
        podAnnotations = []
        self.range = range
    }
}

/// `status`, as far as a later ActionSet or a check needs it.
public struct ActionSetStatus: Sendable, Hashable {
    /// As written; `State` knows the four that exist.
    public var state: LocatedText
    public var actions: [ActionStatus]

    public enum State: String, Sendable, CaseIterable {
        case pending
        case running
        case failed
        case complete
    }

    public init(state: LocatedText, actions: [ActionStatus] = []) {
        self.state = state
        self.actions = actions
    }
}

/// One entry of `status.actions`, at the index of its `spec.actions` entry.
public struct ActionStatus: Sendable, Hashable {
    public var name: LocatedText
    public var blueprint: LocatedText
    public var object: ObjectReference?
    /// Rendered once the action is complete; before, Kanister keeps the templates here.
    public var artifacts: [Artifact]
    public var phases: [PhaseStatus]
    public var deferPhase: PhaseStatus?
    public var range: SourceRange?
}

/// Name and state of a phase that ran or will run.
public struct PhaseStatus: Sendable, Hashable {
    public var name: LocatedText
    public var state: LocatedText
    public var range: SourceRange?
}
