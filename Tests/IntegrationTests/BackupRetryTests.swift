import Glibc
import GoFormats
import ProcessIO
import Testing

extension IntegrationTests {
    /// Failures that pass: seen for what they are, tried again, never half a snapshot.
    struct BackupRetry {
        static let rows = 300_000

        @Test func aConflictWithRecoveryIsTriedAgain() async throws {
            try await withDatabase("conflict") { bench in
                let pair = bench.pair
                try await pair.withStandby(["hot_standby_feedback": "off", "max_standby_streaming_delay": "0"]) {
                    let outcome = try await bench.podRunner(reading: "conflictdb").run(
                        Self.arguments(bench, ["--retries", "1", "--retry-delay", "1s"])
                    ) { runner in
                        // pg_dump stands still, so that its query is there when replay needs its rows gone.
                        let dump = try await Processes.child(named: "pg_dump", of: runner, thatWrote: 1 << 20)
                        kill(dump, SIGSTOP)
                        try await pair.sql("DELETE FROM items WHERE id % 3 = 0", database: "conflictdb")
                        try await pair.sql("VACUUM items", database: "conflictdb")
                        try await Task.sleep(for: .milliseconds(500))
                        kill(dump, SIGCONT)
                    }
                    #expect(outcome.exit == .exited(0), "\(outcome.testDescription)")
                    #expect(outcome.errors.contains("attempt 1 failed: "))
                    #expect(outcome.errors.contains("due to conflict with recovery"))
                    #expect(outcome.errors.contains("warning: hot_standby_feedback is off"))
                    #expect(outcome.errors.contains(", 2 attempts"))
                    let ids = try await bench.snapshotIDs()
                    #expect(ids.count == 1)
                    let record = try JSONParser.parse(try await bench.record(try #require(ids.first)))
                    let attempts = try #require(record["attempts"]?.arrayValue)
                    #expect(attempts.map { $0["code"]?.stringValue } == ["conflictWithRecovery", nil])
                    let rows = record["tables"]?["digests"]?.arrayValue?.first?["rows"]?.integerValue
                    #expect(rows == Int64(Self.rows - Self.rows / 3))
                }
                #expect(try await pair.standbySQL("SHOW hot_standby_feedback") == "on")
            }
        }

        @Test func aConnectionThatIsCutFallsBackToThePrimaryWhenAllowed() async throws {
            try await withDatabase("fallback") { bench in
                let pair = bench.pair
                let outcome = try await bench.podRunner(reading: "fallbackdb").run(
                    Self.arguments(bench, ["--retries", "0", "--fallback-to-primary", pair.primary])
                ) { runner in
                    _ = try await Processes.child(named: "pg_dump", of: runner, thatWrote: 1 << 20)
                    _ = try await pair.standbySQL(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'fallbackdb' AND query LIKE 'COPY %'"
                    )
                }
                #expect(outcome.exit == .exited(0), "\(outcome.testDescription)")
                #expect(outcome.errors.contains("falling back to \(pair.primary), as --fallback-to-primary says"))
                let record = try JSONParser.parse(
                    try await bench.record(try #require(try await bench.snapshotIDs().first)))
                #expect(record["source"]?["standby"]?.boolValue == false)
                #expect(record["source"]?["host"]?.stringValue == pair.primary)
                #expect(
                    record["attempts"]?.arrayValue?.map { $0["host"]?.stringValue } == [pair.standby, pair.primary])
            }
        }

        @Test func aStandbyThatStopsMidDumpLeavesNoSnapshot() async throws {
            try await withDatabase("stopping") { bench in
                let pair = bench.pair
                let outcome = try await bench.podRunner(reading: "stoppingdb").run(
                    Self.arguments(bench, ["--retries", "1", "--retry-delay", "0"])
                ) { runner in
                    _ = try await Processes.child(named: "pg_dump", of: runner, thatWrote: 1 << 20)
                    try await pair.stopStandby()
                }
                try await pair.startStandby()
                #expect(outcome.exit == .exited(4), "\(outcome.testDescription)")
                #expect(outcome.errors.contains("attempt 1 failed: "))
                // The second attempt finds nobody.
                #expect(outcome.errors.contains("error: cannot connect to database \"stoppingdb\""))
                #expect(try await bench.snapshotIDs() == [])
                try await pair.waitForStandby()
                try await bench.podRunner(reading: "stoppingdb").succeed(Self.arguments(bench, []))
                #expect(try await bench.snapshotIDs().count == 1)
            }
        }

        @Test func theDeadlineStopsCleanly() async throws {
            try await withDatabase("late") { bench in
                let outcome = try await bench.podRunner(reading: "latedb").run(
                    Self.arguments(bench, ["--deadline", "8s"])
                ) { runner in
                    // On a machine that is busy the time may be over before.
                    guard let dump = try? await Processes.child(named: "pg_dump", of: runner, thatWrote: 1 << 20) else {
                        return
                    }
                    kill(dump, SIGSTOP)
                    // The deadline, and the grace before a stopped process is killed.
                    try await Processes.waitUntilGone(dump, seconds: 40)
                }
                #expect(outcome.exit == .exited(143), "\(outcome.testDescription)")
                #expect(outcome.errors.contains("the deadline of 8s is over: nothing was published"))
                #expect(outcome.errors.contains("timeout.blueprintBackup"))
                #expect(!outcome.output.contains("###Phase-output###"))
                #expect(try await bench.snapshotIDs() == [])
            }
        }

        /// From how long the last backup of the same database took, before this one begins: another database's, and one of a
        /// part, came in between under the same source.
        @Test func aDeadlineThatIsTooShortIsSaidAtTheStart() async throws {
            try await withDatabase("rated") { bench in
                let runner = bench.podRunner(reading: "rateddb")
                let start = ["backup", "--repository", bench.repositoryURL, "--path", "all/backup.sql"]
                let first = try await runner.run(start + ["--deadline", "1h"]) { runner in
                    // Nine seconds at least, on any machine.
                    let dump = try await Processes.child(named: "pg_dump", of: runner, thatWrote: 1 << 20)
                    kill(dump, SIGSTOP)
                    try await Task.sleep(for: .seconds(9))
                    kill(dump, SIGCONT)
                }
                #expect(first.exit == .exited(0), "\(first.testDescription)")
                #expect(!first.errors.contains("at the last backup's rate"))
                try await bench.podRunner(reading: "postgres").succeed(start)
                try await runner.succeed(start + ["--tables", "items"])
                // Whether it comes to its end is the machine's affair.
                let second = try await runner.run(
                    start + ["--database", "rateddb", "--database", "postgres", "--deadline", "8s"])
                let lines = second.errors.split(separator: "\n")
                let all = lines.first { $0.hasPrefix("warning: at the last backups' rate those of 2 databases take ") }
                let one = lines.first { $0.hasPrefix("warning: at the last backup's rate this one takes about ") }
                for said in [all, one] {
                    #expect(said?.contains(", and of the deadline of 8s there are ") == true, "\(second.errors)")
                    #expect(said?.contains("raise --deadline") == true)
                }
                let enough = try await runner.run(start + ["--deadline", "1h"])
                #expect(!enough.errors.contains(" rate t"), "\(enough.errors)")
            }
        }

        @Test func locksOfOthersAreNotWaitedForForEver() async throws {
            try await withDatabase("locked") { bench in
                let pair = bench.pair
                let psql = Program(path: pair.bin + "/psql")
                    .with(pair.adminEnvironment(host: pair.primary, database: "lockeddb"))
                // From the primary: on a standby, replay of the lock itself would cancel us.
                let runner = bench.podRunner.with(pair.adminEnvironment(host: pair.primary, database: "lockeddb"))
                let arguments = Self.arguments(bench, ["--lock-wait", "1", "--retries", "0"])
                _ = try await psql.run(
                    ["-X", "-q", "-f", "-"],
                    input: "BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE;\n\\! sleep 6\nROLLBACK;\n"
                ) { _ in
                    for _ in 0..<200 {
                        let held = try await pair.sql(
                            "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'items'::regclass",
                            database: "lockeddb")
                        if held.trimmed != "0" { break }
                        try await Task.sleep(for: .milliseconds(20))
                    }
                    let outcome = try await runner.run(arguments)
                    #expect(outcome.exit == .exited(4), "\(outcome.testDescription)")
                    #expect(outcome.errors.contains("canceling statement due to"))
                    #expect(outcome.errors.contains("hint: somebody changes tables or waits to"))
                }
                #expect(try await bench.snapshotIDs() == [])
            }
        }

        static func arguments(_ bench: borrowing Workbench, _ more: [String]) -> [String] {
            ["backup", "--repository", bench.repositoryURL, "--path", "backup.sql"] + more
        }

        private func withDatabase(_ name: String, _ body: (borrowing Workbench) async throws -> Void) async throws {
            let pair = try PostgresPair.running()
            try await pair.dropApplication(name)
            try await pair.makeApplication(name, password: "secret", rows: Self.rows)
            let bench = try Workbench(pair)
            try await bench.makeRepository()
            try await body(bench)
            try await pair.dropApplication(name)
        }
    }
}
