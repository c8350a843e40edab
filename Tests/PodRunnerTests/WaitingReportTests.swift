import GoFormats
import Synchronization
import TestSupport
import Testing

@testable import PodRunner

/// What is said while storage or a server keeps one waiting.
struct WaitingReportTests {
    private final class Lines: Sendable {
        let texts = Mutex<[String]>([])
        var all: [String] { texts.withLock { $0 } }

        var context: RunContext {
            var context = RunContext(
                environment: [:], input: { throw TestSupportError("nobody reads here") }, output: { _ in },
                errors: { [self] bytes in texts.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) } })
            context.waitingInterval = .milliseconds(1)
            return context
        }
    }

    private func eventually(_ condition: () -> Bool) async throws {
        for _ in 0..<3000 {
            if condition() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("it did not become true within thirty seconds")
    }

    @Test func aTroubleIsToldUntilItIsOver() async throws {
        let lines = Lines()
        let report = WaitingReport("s3://bucket/repo/", lines.context)
        try await report.during {
            // For 0 seconds, or more where the machine is busy.
            try await eventually {
                lines.all.contains { $0.wholeMatch(of: #/still opening s3://bucket/repo/, for \S+ now\n/#) != nil }
            }
            report.heard("could not read blob 'x':\nstatus 503")
            try await eventually {
                lines.all.contains {
                    $0.wholeMatch(of: #/still trying, for \S+ now: could not read blob 'x':\?status 503\n/#) != nil
                }
            }
            report.opened()
            report.heard(nil)
            // The line that is being written may still come.
            var count = -1
            for _ in 0..<100 where lines.all.count != count {
                count = lines.all.count
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(lines.all.count == count)
        }
    }

    /// By a command, while nobody listens where the storage should be.
    @Test func aCommandThatWaitsForStorageSaysSo() async throws {
        var world = try World()
        world.environment["AWS_ACCESS_KEY_ID"] = "id"
        world.environment["AWS_SECRET_ACCESS_KEY"] = "key"
        world.waitingInterval = .milliseconds(200)
        let proxy = try FaultProxy(to: 1, script: Array(repeating: .status(503), count: 4) + [.status(403)])
        let outcome = await world.run([
            "repository", "status", "--repository", "s3://bucket/repo?endpoint=http://127.0.0.1:\(proxy.port)",
        ])
        #expect(outcome.code == 5)
        #expect(proxy.connections == 5)
        #expect(outcome.errors.contains("still trying, for "), "\(outcome.errors)")
        #expect(outcome.errors.contains("status 503"))
    }
}
