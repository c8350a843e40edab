import HTTPTransport
import Synchronization
import Testing

struct RetryPolicyTests {
    private struct Failure: Error, Equatable { let number: Int }

    private final class Sleeps: Sendable {
        let all = Mutex<[Duration]>([])
        func environment(random: Double) -> RetryPolicy.Environment {
            .init(
                sleep: { [self] duration in
                    try Task.checkCancellation()
                    all.withLock { $0.append(duration) }
                }, random: { random })
        }
    }

    @Test func tenAttemptsWithGrowingDelays() async {
        let sleeps = Sleeps()
        var attempts: [Int] = []
        await #expect(throws: Failure(number: 10)) {
            try await RetryPolicy.standard.run(sleeps.environment(random: 0), judge: { _ in .transient() }) { attempt in
                attempts.append(attempt)
                throw Failure(number: attempt)
            }
        }
        #expect(attempts == Array(1...10))
        let milliseconds = sleeps.all.withLock { $0.map { Int(($0 / .milliseconds(1)).rounded()) } }
        #expect(milliseconds == [100, 150, 225, 338, 506, 759, 1139, 1709, 2563])
    }

    @Test func delaysAreCapped() {
        let policy = RetryPolicy(attemptsMax: 100, jitter: 0)
        #expect(policy.delay(afterAttempt: 90, random: 0) == .seconds(32))
    }

    @Test func jitterShortensByAtMostItsPart() {
        let policy = RetryPolicy(jitter: 0.25)
        #expect(policy.delay(afterAttempt: 1, random: 0) == .milliseconds(100))
        #expect(policy.delay(afterAttempt: 1, random: 1) == .milliseconds(75))
    }

    @Test func whatTheServerAsksForIsHonouredUpToTheCap() {
        let policy = RetryPolicy(jitter: 0)
        #expect(policy.delay(afterAttempt: 1, random: 0, asked: .seconds(5)) == .seconds(5))
        #expect(policy.delay(afterAttempt: 1, random: 0, asked: .seconds(500)) == .seconds(32))
    }

    /// Attempts that take 30 s to fail, as those do whose packets nobody answers.
    @Test(arguments: [(nil, 10), (.seconds(200), 7), (.seconds(75), 3), (.zero, 1)] as [(Duration?, Int)])
    func noAttemptBeginsTooLate(_ lastBeginMax: Duration?, _ attempts: Int) async {
        let now = Mutex(Duration.seconds(1000))
        let environment = RetryPolicy.Environment(
            sleep: { pause in now.withLock { $0 += pause } }, random: { 0 }, uptime: { now.withLock { $0 } })
        await #expect(throws: Failure(number: attempts)) {
            try await RetryPolicy(lastBeginMax: lastBeginMax).run(environment, judge: { _ in .transient() }) {
                attempt in
                now.withLock { $0 += .seconds(30) }
                throw Failure(number: attempt)
            }
        }
    }

    @Test func permanentErrorsAndCancellationAreNotRetried() async {
        let sleeps = Sleeps()
        await #expect(throws: Failure(number: 1)) {
            try await RetryPolicy.standard.run(sleeps.environment(random: 0), judge: { _ in .permanent }) {
                throw Failure(number: $0)
            }
        }
        await #expect(throws: CancellationError.self) {
            try await RetryPolicy.standard.run(sleeps.environment(random: 0), judge: { _ in .transient() }) { _ in
                throw CancellationError()
            }
        }
        #expect(sleeps.all.withLock { $0 } == [])
    }

    @Test func theFirstSuccessEndsIt() async throws {
        let sleeps = Sleeps()
        let result = try await RetryPolicy.standard.run(sleeps.environment(random: 0), judge: { _ in .transient() }) {
            if $0 < 3 { throw Failure(number: $0) }
            return "done"
        }
        #expect(result == "done")
        #expect(sleeps.all.withLock { $0.count } == 2)
    }
}
