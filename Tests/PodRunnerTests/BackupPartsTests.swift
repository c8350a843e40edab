import GoFormats
import KopiaRepository
import ProcessIO
import RunnerContract
import Synchronization
import Testing

@testable import PodRunner
@testable import PostgresDump

@Suite struct TimeSpanTests {
    @Test(
        arguments: [
            ("90", 90), ("90s", 90), ("40m", 2400), ("1h30m", 5400), ("2d", 172_800), ("0", 0), ("1m30s", 90),
        ] as [(String, Int64)])
    func lengthsOfTime(_ text: String, _ seconds: Int64) {
        #expect(TimeSpan(argument: text)?.seconds == seconds)
    }

    @Test(arguments: ["", "m", "-1", "1.5h", "5 m", "1h30", "5x", "99999999999999999999", "400d", "٣m"])
    func whatIsNoLengthOfTime(_ text: String) { #expect(TimeSpan(argument: text) == nil) }

    @Test(
        arguments: [(0, "0s"), (59, "59s"), (2400, "40m"), (5430, "1h30m30s"), (90_000, "1d1h")] as [(Int64, String)])
    func asText(_ seconds: Int64, _ text: String) { #expect(TimeSpan(seconds: seconds).description == text) }

    @Test(
        arguments: [
            ("rw.example", "rw.example", nil), ("rw.example:6432", "rw.example", "6432"), ("::1", "::1", nil),
            ("[::1]:5433", "::1", "5433"), ("[::1]", "::1", nil),
        ] as [(String, String, String?)])
    func servers(_ text: String, _ host: String, _ port: String?) throws {
        let address = try #require(ServerAddress(argument: text))
        #expect(address.host == host)
        #expect(address.port == port)
    }

    @Test(arguments: ["", ":5432", "host:", "host:0", "host:65536", "[::1", "[::1]5432", "host:port"])
    func whatIsNoServer(_ text: String) { #expect(ServerAddress(argument: text) == nil) }
}

@Suite struct BackupProgressTests {
    @Test(
        arguments: [
            (0, nil, "dumped 0 B, 0 B/s, table 1 of 3 (a)"),
            (1_000_000, 3_000_000, "dumped 1 MB of about 3 MB, 500 KB/s, about 4s left, table 1 of 3 (a)"),
            (3_000_000, 3_000_000, "dumped 3 MB, 500 KB/s, table 1 of 3 (a)"),
            (4_000_000, 3_000_000, "dumped 4 MB, 500 KB/s, table 1 of 3 (a)"),
        ] as [(Int64, Int64?, String)])
    func aLineSaysHowFarItIs(_ bytes: Int64, _ expected: Int64?, _ line: String) throws {
        let state = BackupProgress.State(bytes: bytes, tables: 0, current: "a")
        let estimate = expected.flatMap { Self.estimate(bytes: $0) }
        let made = BackupProgress.line(
            state, rate: bytes > 0 ? 500_000 : 0, tableCount: 3, estimate: estimate, name: nil)
        #expect(made == line)
    }

    @Test func namesStayOnOneLine() {
        let state = BackupProgress.State(bytes: 1, tables: 4, current: "a\n###Phase-output###: x")
        let line = BackupProgress.line(state, rate: .nan, tableCount: 2, estimate: nil, name: "d\r\nb")
        #expect(line == "d??b: dumped 1 B, 0 B/s, table 5 of 5 (a?###Phase-output###: x)")
    }

    @Test(
        arguments: [
            (0, 0, 0, 0, "restored 0 B of 3 MB, 0 B/s"),
            (1_000_000, 500_000, 0, 0, "restored 1 MB of 3 MB, 500 KB/s, about 4s left"),
            (3_000_000, 0, 5, 12, "restored 3 MB, 5 of 12 indexes and constraints built"),
            (3_000_000, 7, 0, 0, "restored 3 MB"),
            (4_000_000, 1, 0, 0, "restored 4 MB, 1 B/s"),
        ] as [(Int64, Double, Int, Int, String)])
    func aRestoreSaysWhatIsLeft(_ bytes: Int64, _ rate: Double, _ done: Int, _ all: Int, _ line: String) throws {
        let beat = Heartbeat("restored", of: 3_000_000, Self.context(isTerminal: false) { _ in })
        beat.willBuild(all)
        for _ in 0..<done { beat.hasBuilt() }
        #expect(beat.line(bytes, rate: rate) == line)
    }

    /// On a terminal the line is written over, cut at the edge, gone at the end, and what is said meanwhile has a line of its own.
    @Test(.timeLimit(.minutes(1))) func aTerminalHasOneLineOfProgress() async throws {
        let written = Mutex<[UInt8]>([])
        let context = Self.context(isTerminal: true) { bytes in written.withLock { $0 += bytes } }
        let progress = BackupProgress(tableCount: 2, estimate: nil, name: nil, context)
        progress.passed(1_000_000, tables: 1, current: "items")
        try await progress.during(every: 5) {
            while written.withLock({ $0.count { $0 == 0x0d } }) < 2 { try await Task.sleep(for: .milliseconds(5)) }
            context.note("warning: something")
        }
        let text = String(decoding: written.withLock { $0 }, as: UTF8.self)
        let erase = "\r\u{1b}[K"
        #expect(text.hasPrefix("\(erase)\u{1b}[?7ldumped 1 MB, "))
        #expect(text.contains("/s, table 2 of 2 (items)\u{1b}[?7h\(erase)"))
        #expect(text.contains("\(erase)warning: something\n"))
        #expect(text.hasSuffix(erase))
    }

    /// A pod's log gets whole lines, and nothing that moves a cursor.
    @Test(.timeLimit(.minutes(1))) func aLogHasLines() async throws {
        let written = Mutex<[UInt8]>([])
        let context = Self.context(isTerminal: false) { bytes in written.withLock { $0 += bytes } }
        let progress = BackupProgress(tableCount: 0, estimate: nil, name: nil, context)
        try await progress.during(every: 1) {
            while written.withLock(\.isEmpty) { try await Task.sleep(for: .milliseconds(5)) }
        }
        let text = String(decoding: written.withLock { $0 }, as: UTF8.self)
        #expect(text.split(separator: "\n").allSatisfy { $0 == "dumped 0 B, 0 B/s" })
        #expect(text.hasSuffix("\n"))
        let silent = Mutex<[UInt8]>([])
        try await BackupProgress(
            tableCount: 0, estimate: nil, name: nil,
            Self.context(isTerminal: true) { bytes in silent.withLock { $0 += bytes } }
        ).during(every: 0) {}
        #expect(silent.withLock { $0.isEmpty })
    }

    private static func context(isTerminal: Bool, errors: @escaping @Sendable ([UInt8]) -> Void) -> RunContext {
        RunContext(
            environment: [:], input: { try DescriptorStream(reading: "/dev/null") }, output: { _ in }, errors: errors,
            isTerminal: isTerminal)
    }

    private static func estimate(bytes: Int64) -> DumpEstimate? {
        guard var record = try? BackupRecord(parsing: Array(BackupRecordTests.text.utf8)) else { return nil }
        (record.dumpBytes, record.databaseBytes) = (bytes, 100)
        return DumpEstimate(last: record, databaseBytes: 100)
    }
}

@Suite struct BackupDeadlineTests {
    private static func deadline(_ seconds: Int64?) -> BackupDeadline {
        BackupDeadline(span: seconds.map { TimeSpan(seconds: $0) }, start: Timestamp(seconds: 5000))
    }

    @Test func workThatEndsInTimeIsDone() async throws {
        #expect(try await Self.deadline(60).within { 7 } == 7)
        #expect(try await Self.deadline(nil).within { 8 } == 8)
    }

    @Test func workThatFailsSaysWhy() async throws {
        await #expect(throws: PostgresError.self) {
            try await Self.deadline(60).within { () throws -> Int in throw PostgresError(.dump, "x") }
        }
    }

    @Test func workThatIsTooSlowIsStoppedAndAwaited() async throws {
        let stopped = Mutex(false)
        let error = await #expect(throws: PodRunnerError.self) {
            try await Self.deadline(0).within {
                do {
                    try await Task.sleep(for: .seconds(600))
                } catch {
                    stopped.withLock { $0 = true }
                    throw error
                }
            }
        }
        #expect(stopped.withLock { $0 })
        #expect(error?.exitCode == .terminated)
        #expect(error?.message == "the deadline of 0s is over: nothing was published")
        #expect(error?.hint?.contains("timeout.blueprintBackup") == true)
    }

    @Test func theLastRateWarnsEarly() throws {
        var record = try BackupRecord(parsing: Array(BackupRecordTests.text.utf8))
        record.startTime = Timestamp(seconds: 1000)
        record.endTime = Timestamp(seconds: 1600)
        (record.dumpBytes, record.databaseBytes) = (2_000, 1_000)
        let estimate = try #require(DumpEstimate(last: record, databaseBytes: 3_000))
        #expect(estimate.bytes == 6_000)
        #expect(estimate.seconds == 1800)
        let start = Timestamp(seconds: 5000)
        #expect(Self.deadline(1801).warning(estimate, at: start) == nil)
        #expect(Self.deadline(nil).warning(estimate, at: start) == nil)
        #expect(Self.deadline(1801).warning(nil, at: Timestamp(seconds: 9000)) == nil)
        let warning = "warning: at the last backup's rate this one takes about 30m, and of the deadline of "
        #expect(Self.deadline(1200).warning(estimate, at: start)?.hasPrefix(warning + "20m there are 20m left") == true)
        // A second attempt has less.
        let later = Timestamp(seconds: 5600)
        #expect(Self.deadline(2400).warning(estimate, at: later) == nil)
        #expect(
            Self.deadline(2340).warning(estimate, at: later)?.hasPrefix(warning + "39m there are 29m left") == true)
        #expect(
            Self.deadline(60).warning(estimate, at: later)?.hasPrefix(warning + "1m there are 0s left") == true)
        #expect(DumpEstimate(last: nil, databaseBytes: 1) == nil)
        record.databaseBytes = 0
        #expect(DumpEstimate(last: record, databaseBytes: 1) == nil)
    }

    @Test(
        arguments: [
            ([600, 900], 2, 1501, nil), ([600, 900], 2, 1499, "2 databases take about 25m, and"),
            ([600, 900], 5, 1499, "2 of the 5 databases, without the others, take about 25m, and"),
            ([600], 1, 300, "1 database take about 10m, and"), ([], 3, 1, nil), ([.infinity], 1, 1, nil),
        ] as [([Double], Int, Int64, String?)])
    func theLastOfSeveralWarnEarly(_ last: [Double], _ count: Int, _ span: Int64, _ text: String?) {
        let warning = Self.deadline(span).warning(lastOfEach: last, of: count, at: Timestamp(seconds: 5000))
        let start = "warning: at the last backups' rate those of "
        #expect(text == nil ? warning == nil : warning?.hasPrefix(start + (text ?? "")) == true, "\(warning ?? "nil")")
    }

    @Test(arguments: [(1, 5), (2, 10), (3, 20), (7, 300), (100, 300)] as [(Int, Int64)])
    func delaysDouble(_ retry: Int, _ seconds: Int64) {
        #expect(PersistenceOptions.delay(before: retry, first: TimeSpan(seconds: 5)).seconds == seconds)
    }
}

@Suite struct DumpFailureTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        let text: String
        var exit = ChildExit.exited(1)
        let code: PostgresError.Code
        let isTransient: Bool
        var testDescription: String { id }
    }

    @Test(arguments: [
        Case(
            id: "snapshot conflict",
            text: """
                pg_dump: error: Dumping the contents of table "items" failed: PQgetResult() failed.
                pg_dump: detail: Error message from server: ERROR:  canceling statement due to conflict with recovery
                DETAIL:  User query might have needed to see row versions that must be removed.
                """, code: .conflictWithRecovery, isTransient: true),
        Case(
            id: "connection ended by a conflict",
            text: """
                pg_dump: error: query failed: FATAL:  terminating connection due to conflict with recovery
                DETAIL:  User was or might have been using tablespace that must be dropped.
                """, code: .conflictWithRecovery, isTransient: true),
        Case(
            id: "terminated",
            text: "pg_dump: error: query failed: FATAL:  terminating connection due to administrator command\n",
            code: .connectionLost, isTransient: true),
        Case(
            id: "server gone", text: "pg_dump: error: query failed: server closed the connection unexpectedly\n",
            code: .connectionLost, isTransient: true),
        Case(
            id: "starting up",
            text:
                "pg_dump: error: connection to server at \"h\", port 1 failed: FATAL:  the database system is starting up\n",
            code: .connectionLost, isTransient: true),
        Case(
            id: "lock",
            text: """
                pg_dump: error: query failed: ERROR:  canceling statement due to statement timeout
                pg_dump: detail: Query was: LOCK TABLE "public"."items" IN ACCESS SHARE MODE
                """, code: .lockTimeout, isTransient: true),
        Case(
            id: "no right to lock",
            text: """
                pg_dump: error: query failed: ERROR:  permission denied for table items
                pg_dump: detail: Query was: LOCK TABLE "public"."items" IN ACCESS SHARE MODE
                """, code: .permission, isTransient: false),
        Case(
            id: "row security",
            text: "pg_dump: error: query failed: ERROR:  query would be affected by row-level security policy\n",
            code: .permission, isTransient: false),
        Case(
            id: "dropped meanwhile", text: "pg_dump: error: query failed: ERROR:  cache lookup failed for index 4711\n",
            code: .dump, isTransient: true),
        Case(id: "killed", text: "", exit: .signalled(9), code: .dump, isTransient: true),
        Case(
            id: "anything else", text: "pg_dump: error: no matching tables were found\n", code: .dump,
            isTransient: false),
    ])
    func whatPgDumpSaysIsSorted(_ item: Case) {
        let error = PostgresError(pgDump: item.exit, place: "database \"d\"", standardError: item.text)
        #expect(error.code == item.code)
        #expect(error.isTransient == item.isTransient)
        #expect(error.message.hasPrefix("pg_dump of database \"d\" "))
    }

    @Test(
        arguments: [
            ("40001", .conflictWithRecovery, true), ("57P01", .connectionLost, true), ("08006", .connectionLost, true),
            (nil, .connectionLost, true), ("55P03", .lockTimeout, true), ("42501", .permission, false),
            ("42P01", .query, false),
        ] as [(String?, PostgresError.Code, Bool)])
    func statesOfOurOwnConnection(_ state: String?, _ code: PostgresError.Code, _ isTransient: Bool) {
        let error = PostgresError(sqlState: state, serverMessage: "m", context: "c", isConnecting: false)
        #expect(error.code == code)
        #expect(error.isTransient == isTransient)
    }

    @Test(
        arguments: [
            ("invalid sslmode value: \"x\"", .settings, false),
            ("server certificate for \"a\" does not match host name \"b\"", .authentication, false),
            ("SSL error: certificate verify failed", .authentication, false),
            (
                "could not translate host name \"x\" to address: Temporary failure in name resolution", .cannotConnect,
                true
            ),
        ] as [(String, PostgresError.Code, Bool)])
    func connectionsThatAreNotMade(_ text: String, _ code: PostgresError.Code, _ isTransient: Bool) {
        let error = PostgresError(sqlState: nil, serverMessage: text, context: "c", isConnecting: true)
        #expect(error.code == code)
        #expect(error.isTransient == isTransient)
    }

    @Test func scopesBecomeArguments() {
        var scope = DumpScope()
        #expect(scope.isWhole && scope.arguments.isEmpty)
        scope.tables = ["a", "b*"]
        scope.excludedTableData = ["log"]
        scope.schemaOnly = true
        #expect(
            scope.arguments == [
                "--table=a", "--table=b*", "--exclude-table-data=log", "--strict-names", "--schema-only",
            ])
        #expect(DumpScope(json: scope.json) == scope)
    }
}

@Suite struct ReplayBarrierTests {
    @Test(arguments: [("0/0", 0), ("0/3000148", 0x300_0148), ("16/B374D848", 0x16_b374_d848)] as [(String, UInt64)])
    func positions(_ text: String, _ value: UInt64) {
        #expect(LogPosition(text)?.value == value)
        #expect(LogPosition(value).description == text)
    }

    @Test(arguments: ["", "0", "0/", "/0", "0/0/0", "g/0", "100000000/0"])
    func whatIsNoPosition(_ text: String) { #expect(LogPosition(text) == nil) }

    private static func facts(_ lsn: String, lag: Double?) -> SourceFacts {
        SourceFacts(
            serverVersion: 150_018, serverVersionText: "", isStandby: true, lsn: lsn, lagSeconds: lag,
            systemTime: Timestamp(seconds: 0), sizeBytes: 0)
    }

    private static func barrier(primary: UInt64?, lag: Double?) -> ReplayBarrier {
        ReplayBarrier(
            primary: primary.map { PrimaryPosition(lsn: LogPosition($0), systemIdentifier: nil) }, lagSecondsMax: lag,
            waitSeconds: 0)
    }

    @Test(
        arguments: [
            (256, nil, "0/100", nil, nil),
            (257, nil, "0/100", nil, "has replayed up to 0/100, 1 bytes short of the primary's 0/101"),
            (257, nil, "", nil, "has replayed nothing yet"),
            (nil, 60, "0/1", 60, nil), (nil, 60, "0/1", 61, "is 61 s behind, 60 s are allowed"),
            (nil, 60, "0/1", nil, "has replayed no transaction yet, so its age is unknown"),
            // All that was committed when we asked is there: that it was long ago does not matter.
            (256, 60, "0/100", 3600, nil),
        ] as [(UInt64?, Double?, String, Double?, String?)])
    func whatIsMissing(_ primary: UInt64?, _ max: Double?, _ lsn: String, _ lag: Double?, _ lack: String?) {
        #expect(Self.barrier(primary: primary, lag: max).lack(Self.facts(lsn, lag: lag)) == lack)
    }

    static let calm = StandbyState(
        isReceiving: true, isPaused: false, sendsFeedback: true, streamingDelay: 30_000, archiveDelay: 30_000,
        conflicts: ["lock": 0])

    @Test func aStandbysStateIsJudged() {
        #expect(SourceFinding.of(Self.calm, lagSeconds: 0).isEmpty)
        var state = Self.calm
        state.sendsFeedback = false
        state.isPaused = true
        state.conflicts = ["lock": 2, "snapshot": 3]
        let findings = SourceFinding.of(state, lagSeconds: 0)
        #expect(findings.map(\.code) == ["replay-paused", "recovery-conflicts", "conflicts-counted"])
        #expect(findings.last?.message == "queries of this database were cancelled by replay: lock 2, snapshot 3")
        state.streamingDelay = -1
        #expect(!SourceFinding.of(state, lagSeconds: 0).contains { $0.code == "recovery-conflicts" })
        state.isReceiving = false
        #expect(SourceFinding.of(state, lagSeconds: 0).map(\.code).contains("not-streaming"))
    }

    @Test func longListsAreCut() {
        #expect(SourceFinding.list((1...10).map(String.init)) == "1, 2, 3, 4, 5, 6, 7, 8 and 2 more")
    }
}

@Suite struct FigureTests {
    @Test(arguments: [
        (0, "0 rows"), (1, "1 row"), (999, "999 rows"), (1000, "1,000 rows"), (600_000, "600,000 rows"),
        (1_234_567, "1,234,567 rows"), (-1234, "-1,234 rows"), (-123, "-123 rows"),
    ])
    func counts(_ count: Int, _ text: String) { #expect(Figures.count(count, "row") == text) }
}
