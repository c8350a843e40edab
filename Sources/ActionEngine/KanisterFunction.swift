public import GoFormats

/// What a phase calls by `func`: KubeTask and its siblings. Stateless; one value serves every phase of every action.
public protocol KanisterFunction: Sendable {
    /// As blueprints write it, case-sensitive.
    var name: String { get }
    /// The versions this is registered at; stock Kanister registers everything at `v0.0.0`.
    var versions: [String] { get }
    /// Every argument it supports, required ones first.
    var arguments: [FunctionArgument] { get }
    /// One line for the function reference.
    var summary: String { get }
    /// Keys of its output; nil when the command it runs decides.
    var outputKeys: [String]? { get }
    /// Nil when `execute` works here; else why not.
    var notRunnable: String? { get }

    /// Problems that can be seen before anything is rendered, for example a label that is not one.
    ///
    /// - Parameter arguments: as written; templates are still templates.
    func staticProblems(_ arguments: FunctionArguments) -> [String]

    /// Does the work.
    ///
    /// - Returns: the phase's output.
    /// - Throws: `FunctionFailure` for a failed phase, `CancellationError` when the task was cancelled.
    func execute(_ arguments: FunctionArguments, in call: FunctionCall) async throws -> JSONObject
}

extension KanisterFunction {
    public var versions: [String] { [FunctionRegistry.defaultVersion] }
    public var outputKeys: [String]? { nil }
    public var notRunnable: String? { nil }
    public func staticProblems(_ arguments: FunctionArguments) -> [String] { [] }
}

/// What a function is given besides its arguments.
public struct FunctionCall: Sendable {
    public let action: String
    public let phase: String
    /// Where pods go when the phase names no namespace.
    public let controllerNamespace: String
    /// The ActionSet's, applied after the blueprint's own.
    public let podOverride: JSONObject?
    public let podLabels: [String: String]
    public let podAnnotations: [String: String]
    public let executor: any PodExecutor
    public let log: any PhaseLog
    /// What functions that work on objects read and change.
    public let cluster: any Cluster
    /// What the action works on.
    public let object: RenderedObject?
    /// Renders a template on the action's root, for functions that get their arguments as written.
    public let render: @Sendable (String) throws(FunctionFailure) -> String

    public init(
        action: String, phase: String, controllerNamespace: String, podOverride: JSONObject? = nil,
        podLabels: [String: String] = [:], podAnnotations: [String: String] = [:], executor: any PodExecutor,
        log: any PhaseLog, cluster: any Cluster = ManifestCluster(), object: RenderedObject? = nil,
        render: @escaping @Sendable (String) throws(FunctionFailure) -> String = { text throws(FunctionFailure) in text
        }
    ) {
        self.action = action
        self.phase = phase
        self.controllerNamespace = controllerNamespace
        self.podOverride = podOverride
        self.podLabels = podLabels
        self.podAnnotations = podAnnotations
        self.executor = executor
        self.log = log
        self.cluster = cluster
        self.object = object
        self.render = render
    }
}

/// Why a phase failed.
public struct FunctionFailure: Error, Sendable, Hashable, CustomStringConvertible {
    public let message: String
    public let hint: String?
    /// How the command ended, when there was one.
    public let ending: CommandEnding?
    /// The last lines the command wrote, at most ten.
    public let lastLines: [String]

    public init(_ message: String, hint: String? = nil, ending: CommandEnding? = nil, lastLines: [String] = []) {
        self.message = message
        self.hint = hint
        self.ending = ending
        self.lastLines = lastLines
    }

    public var description: String {
        var text = message
        if !lastLines.isEmpty { text += "\nlast lines:\n" + lastLines.map { "  \($0)" }.joined(separator: "\n") }
        if let hint { text += "\nhint: \(hint)" }
        return text
    }
}
