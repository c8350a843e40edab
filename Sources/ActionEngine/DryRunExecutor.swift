import Synchronization

/// Runs nothing and remembers which pods would have run.
public final class DryRunExecutor: PodExecutor {
    private let recorded = Mutex<[PodRequest]>([])

    public init() {}

    public var runsPods: Bool { false }

    /// In the order they would have run.
    public var pods: [PodRequest] { recorded.withLock { $0 } }

    public func run(_ pod: PodRequest, streams: any PodStreams) async throws -> CommandEnding {
        recorded.withLock { $0.append(pod) }
        return .exited(0)
    }
}
