public import GoFormats

/// Runs the pods that functions ask for: as a local process, in a cluster, or not at all.
///
/// Concurrency: may be called from several tasks. A pod and everything it started is gone when `run` returns or throws.
public protocol PodExecutor: Sendable {
    /// False for a dry run: `run` only takes note, and outputs are unknown.
    var runsPods: Bool { get }

    /// Runs the pod to its end.
    ///
    /// - Parameter streams: gets what the main container writes, while it runs, in order per stream.
    /// - Returns: how its command ended. A non-zero exit code is a normal result, not a thrown error.
    /// - Throws: `FunctionFailure` when it could not be started or followed, whatever `streams` throws, and
    ///   `CancellationError`.
    func run(_ pod: PodRequest, streams: any PodStreams) async throws -> CommandEnding
}

/// A pod to run: the parts of its manifest that a function decides.
public struct PodRequest: Sendable, Hashable {
    /// The name of the container a function's command runs in; what `podOverride` has to target.
    public static let mainContainerName = "container"
    /// The names of MultiContainerRun's: the container whose output is the phase's, the one that works beside it, and
    /// the one that runs before both.
    public static let outputContainerName = "output"
    public static let backgroundContainerName = "background"
    public static let initContainerName = "init"

    public let action: String
    public let phase: String
    public let namespace: String
    /// The generated name starts with this.
    public let namePrefix: String
    public let labels: [String: String]
    public let annotations: [String: String]
    /// The whole pod spec, `podOverride` merged in.
    public let spec: JSONObject

    public init(
        action: String, phase: String, namespace: String, namePrefix: String, labels: [String: String],
        annotations: [String: String], spec: JSONObject
    ) {
        self.action = action
        self.phase = phase
        self.namespace = namespace
        self.namePrefix = namePrefix
        self.labels = labels
        self.annotations = annotations
        self.spec = spec
    }

    /// The container whose output is the phase's.
    public var mainContainer: JSONObject {
        let containers = (spec["containers"]?.arrayValue ?? []).compactMap(\.objectValue)
        return containers.first { $0["name"]?.stringValue == Self.mainContainerName } ?? containers.first
            ?? JSONObject()
    }

    /// `command` followed by `args` of the main container.
    public var command: [String] {
        ["command", "args"].flatMap { mainContainer[$0]?.arrayValue ?? [] }.compactMap(\.stringValue)
    }

    /// The container that works beside the main one; nil for a pod of one container.
    public var backgroundContainer: JSONObject? {
        guard mainContainer["name"]?.stringValue == Self.outputContainerName else { return nil }
        return (spec["containers"]?.arrayValue ?? []).first {
            $0["name"]?.stringValue == Self.backgroundContainerName
        }?.objectValue
    }

    public var image: String { mainContainer["image"]?.stringValue ?? "" }
}

/// Takes what a pod writes.
public protocol PodStreams: Sendable {
    /// - Throws: to stop the pod; the executor tears it down and rethrows.
    func standardOutput(_ bytes: [UInt8]) throws
    func standardError(_ bytes: [UInt8])
    /// What another container than the main one writes, both of its streams. For the log only.
    func log(_ bytes: [UInt8], of container: String)
}

extension PodStreams {
    public func log(_ bytes: [UInt8], of container: String) { standardError(bytes) }
}

/// How a command ended.
public enum CommandEnding: Sendable, Hashable, CustomStringConvertible {
    case exited(Int32)
    case killed(signal: Int32)

    public var isSuccess: Bool { self == .exited(0) }

    public var description: String {
        switch self {
        case .exited(let code): return "exit code \(code)"
        case .killed(let signal): return "killed by signal \(signal)"
        }
    }
}

/// Takes the log of a phase, line by line.
public protocol PhaseLog: Sendable {
    func line(_ line: PhaseLogLine)
}

/// One line of a phase's log.
public struct PhaseLogLine: Sendable, Hashable {
    public enum Source: String, Sendable, Hashable {
        case standardOutput = "out"
        case standardError = "err"
        /// Something the engine itself has to say about the phase.
        case engine = "karaffe"
    }

    public let phase: String
    public let source: Source
    /// Without its line break.
    public let text: [UInt8]
    /// Bytes of the line that were too many to keep.
    public let droppedBytes: Int

    public init(phase: String, source: Source, text: [UInt8], droppedBytes: Int = 0) {
        self.phase = phase
        self.source = source
        self.text = text
        self.droppedBytes = droppedBytes
    }

    public init(phase: String, source: Source, text: String) {
        self.init(phase: phase, source: source, text: Array(text.utf8))
    }
}

/// Forgets every line.
public struct SilentLog: PhaseLog {
    public init() {}
    public func line(_ line: PhaseLogLine) {}
}
