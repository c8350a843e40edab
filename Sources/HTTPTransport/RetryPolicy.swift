/// When to try again, and after how long: exponential delays with jitter.
///
/// A value without state; the clock, the randomness and the sleep are the caller's, so that tests count exactly.
///
/// Source: kopia `repo/blob/retrying`, `internal/retry`: 10 attempts, 100 ms, ×1.5, at most 32 s. The jitter is ours.
public struct RetryPolicy: Sendable, Hashable {
    /// The first one included; at least 1.
    public var attemptsMax: Int
    public var firstDelay: Duration
    public var factor: Double
    public var delayMax: Duration
    /// The part of each delay that is random: 0 for none, 1 for anything between nothing and the whole.
    public var jitter: Double
    /// No attempt begins later than this after the first one: for attempts that take long to fail. Nil for no such end.
    public var lastBeginMax: Duration?

    public init(
        attemptsMax: Int = 10, firstDelay: Duration = .milliseconds(100), factor: Double = 1.5,
        delayMax: Duration = .seconds(32), jitter: Double = 0.25, lastBeginMax: Duration? = nil
    ) {
        self.attemptsMax = max(1, attemptsMax)
        self.firstDelay = firstDelay
        self.factor = factor
        self.delayMax = delayMax
        self.jitter = min(max(0, jitter), 1)
        self.lastBeginMax = lastBeginMax
    }

    public static let standard = RetryPolicy()
    public static let never = RetryPolicy(attemptsMax: 1)

    /// How long to wait after the attempt with this number, counted from 1.
    ///
    /// - Parameters:
    ///   - random: in 0 ..< 1.
    ///   - asked: what the server asked for (`Retry-After`); honoured up to `delayMax`.
    public func delay(afterAttempt attempt: Int, random: Double, asked: Duration? = nil) -> Duration {
        var delay = firstDelay
        for _ in 1..<max(1, attempt) {
            if delay >= delayMax { break }
            delay = delay * factor
        }
        delay = min(delay, delayMax) * (1 - jitter * random)
        return max(delay, min(asked ?? .zero, delayMax))
    }

    /// Statuses that say "not now": 408, 429, 500, 502, 503, 504.
    public static func isTransient(status: Int) -> Bool { [408, 429, 500, 502, 503, 504].contains(status) }

    /// What the delays need of the outside.
    public struct Environment: Sendable {
        /// - Throws: `CancellationError`.
        public var sleep: @Sendable (Duration) async throws -> Void
        /// In 0 ..< 1.
        public var random: @Sendable () -> Double
        /// A clock that never goes back, from any origin.
        public var uptime: @Sendable () -> Duration

        public init(
            sleep: @escaping @Sendable (Duration) async throws -> Void,
            random: @escaping @Sendable () -> Double,
            uptime: @escaping @Sendable () -> Duration = Environment.systemUptime
        ) {
            self.sleep = sleep
            self.random = random
            self.uptime = uptime
        }

        public static let system = Environment(
            sleep: { try await Task.sleep(for: $0) }, random: { Double.random(in: 0..<1) })

        /// Since this was first asked.
        @Sendable public static func systemUptime() -> Duration { ContinuousClock.now - origin }
        private static let origin = ContinuousClock.now
    }

    /// What an error means for the next attempt.
    public enum Verdict: Sendable, Hashable {
        case permanent
        /// `after` is what the server asked for.
        case transient(after: Duration? = nil)
    }

    /// How long to wait before the next attempt; nil when there is none.
    ///
    /// - Parameters:
    ///   - attempt: the one that failed, from 1.
    ///   - begin: of the first attempt, on the environment's clock.
    ///   - asked: what the server asked for.
    public func pause(
        afterAttempt attempt: Int, begin: Duration, asked: Duration? = nil, _ environment: Environment
    ) -> Duration? {
        guard attempt < attemptsMax else { return nil }
        let delay = delay(afterAttempt: attempt, random: environment.random(), asked: asked)
        if let lastBeginMax, environment.uptime() + delay - begin > lastBeginMax { return nil }
        return delay
    }

    /// Calls `body` until it returns, fails for good, or the attempts are used up.
    ///
    /// - Parameters:
    ///   - judge: never sees a `CancellationError`, which always ends it.
    ///   - body: gets the number of the attempt, from 1.
    /// - Throws: the last error of `body`, or `CancellationError`.
    public func run<Result>(
        _ environment: Environment = .system, judge: (any Error) -> Verdict,
        _ body: (_ attempt: Int) async throws -> Result
    ) async throws -> Result {
        let begin = environment.uptime()
        var attempt = 1
        while true {
            do {
                return try await body(attempt)
            } catch let error as CancellationError {
                throw error
            } catch {
                guard attempt < attemptsMax, case .transient(let asked) = judge(error),
                    let pause = pause(afterAttempt: attempt, begin: begin, asked: asked, environment)
                else { throw error }
                try await environment.sleep(pause)
                attempt += 1
            }
        }
    }
}
