import KopiaRepository
import Synchronization

/// Says on standard error when a repository's storage or server keeps one waiting: for what, and why. Silent otherwise.
///
/// Concurrency and memory: `heard` may be called anywhere; the lines come from one task, every `RunContext.waitingInterval`
/// at most. Holds one reason.
final class WaitingReport: Sendable {
    private struct State: Sendable {
        /// The newest failure that is being mended, and when the first one was.
        var trouble: (since: ContinuousClock.Instant, reason: String)?
        var isOpen = false
    }

    private let state = Mutex(State())
    private let place: String
    private let context: RunContext

    /// - Parameter place: for messages.
    init(_ place: String, _ context: RunContext) {
        self.place = place
        self.context = context
    }

    /// - Parameter reason: nil when there is an answer again.
    func heard(_ reason: String?) {
        state.withLock { state in
            state.trouble = reason.map { (state.trouble?.since ?? .now, $0) }
        }
    }

    /// What is open and answers has nothing to report.
    func opened() { state.withLock { $0.isOpen = true } }

    /// Reports while `body` runs.
    func during<Result>(_ body: () async throws -> Result) async throws -> Result {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                let start = ContinuousClock.now
                while true {
                    do { try await Task.sleep(for: context.waitingInterval) } catch { return }
                    if let line = line(start: start, now: .now) { context.note(line) }
                }
            }
            defer { group.cancelAll() }
            return try await body()
        }
    }

    private func line(start: ContinuousClock.Instant, now: ContinuousClock.Instant) -> String? {
        let (trouble, isOpen) = state.withLock { ($0.trouble, $0.isOpen) }
        if let trouble {
            let waited = TimeSpan(seconds: trouble.since.duration(to: now).components.seconds)
            return "still trying, for \(waited) now: \(trouble.reason.onOneLine)"
        }
        // Nothing failed so far: the first attempt may be waiting for an answer, or there may be much to read.
        guard !isOpen else { return nil }
        return "still opening \(place), for \(TimeSpan(seconds: start.duration(to: now).components.seconds)) now"
    }
}
