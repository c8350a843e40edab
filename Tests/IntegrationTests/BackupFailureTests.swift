import Glibc
import ProcessIO
import Testing

extension IntegrationTests {
    /// A backup that does not come to its end leaves no snapshot and a sound repository.
    struct BackupFailure {
        /// Large enough that pg_dump still runs when it is interrupted: the pipe and the queue behind it are bounded.
        static let rows = 600_000

        @Test func aKilledPgDumpLeavesNoSnapshot() async throws {
            try await withDatabase("killed") { bench in
                let outcome = try await bench.podRunner(reading: "killeddb").run(
                    ["backup", "--repository", bench.repositoryURL, "--path", "backup.sql", "--retries", "0"]
                ) { runner in
                    let dump = try await Processes.child(named: "pg_dump", of: runner, thatWrote: 4 << 20)
                    kill(dump, SIGKILL)
                }
                #expect(outcome.exit == .exited(4))
                #expect(outcome.errors.contains("pg_dump of database \"killeddb\" on \(bench.pair.standby)"))
                #expect(outcome.errors.contains("was killed by signal 9 (SIGKILL)"))
                #expect(outcome.errors.contains("no snapshot was made"))
                #expect(!outcome.output.contains("###Phase-output###"))
                try await expectSoundAndEmpty(bench)
            }
        }

        @Test func aConnectionThatIsCutShowsWhatPgDumpSaid() async throws {
            try await withDatabase("cut") { bench in
                let pair = bench.pair
                let outcome = try await bench.podRunner(reading: "cutdb").run(
                    ["backup", "--repository", bench.repositoryURL, "--path", "backup.sql", "--retries", "0"]
                ) { runner in
                    _ = try await Processes.child(named: "pg_dump", of: runner, thatWrote: 4 << 20)
                    let psql = Program(path: pair.bin + "/psql").with(pair.adminEnvironment(host: pair.standby))
                    try await psql.succeed([
                        "-X", "-q", "-c",
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'cutdb' AND query LIKE 'COPY %'",
                    ])
                }
                #expect(outcome.exit == .exited(4))
                #expect(outcome.errors.contains("pg_dump: error: Dumping the contents of table \"items\" failed"))
                #expect(outcome.errors.contains("no snapshot was made"))
                #expect(outcome.errors.contains("trying again may help"))
                try await expectSoundAndEmpty(bench)
            }
        }

        @Test(arguments: [(SIGINT, Int32(130)), (SIGTERM, Int32(143))])
        func aSignalEndsItCleanly(_ signal: Int32, _ exitCode: Int32) async throws {
            try await withDatabase("stopped") { bench in
                let outcome = try await bench.podRunner(reading: "stoppeddb").run(
                    ["backup", "--repository", bench.repositoryURL, "--path", "backup.sql", "--retries", "0"]
                ) { runner in
                    let dump = try await Processes.child(named: "pg_dump", of: runner, thatWrote: 4 << 20)
                    kill(runner, signal)
                    try await Processes.waitUntilGone(dump)
                }
                #expect(outcome.exit == .exited(exitCode))
                #expect(!outcome.output.contains("###Phase-output###"))
                try await expectSoundAndEmpty(bench)
            }
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

        /// No snapshot, and the next backup works.
        private func expectSoundAndEmpty(_ bench: borrowing Workbench) async throws {
            #expect(try await bench.snapshotIDs() == [])
            let pair = bench.pair
            try await pair.dropApplication("after")
            try await pair.makeApplication("after", password: "secret", rows: 10)
            try await bench.podRunner(reading: "afterdb").succeed([
                "backup", "--repository", bench.repositoryURL, "--path", "backup.sql",
            ])
            #expect(try await bench.snapshotIDs().count == 1)
            try await pair.dropApplication("after")
        }
    }
}

/// Other processes, seen through /proc.
enum Processes {
    /// Waits for a child that has written that many bytes, to its pipe and elsewhere: not one that only prints its version.
    static func child(named name: String, of parent: Int32, thatWrote bytes: Int) async throws -> Int32 {
        for _ in 0..<2000 {
            for pid in all() where fields(pid)?.parent == parent && fields(pid)?.name == name {
                if (written(pid) ?? 0) >= bytes { return pid }
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw Missing(
            description: "no child '\(name)' of process \(parent) that wrote \(bytes) bytes in twenty seconds")
    }

    /// The argument lists of a process and of whatever it started, one a line; nil when it is gone.
    static func arguments(ofFamilyOf pid: Int32) -> String? {
        var parents: [Int32: Int32] = [:]
        for other in all() { parents[other] = fields(other)?.parent }
        let family =
            [pid]
            + parents.keys.filter { other in
                var ancestor = other
                while let parent = parents[ancestor], parent > 1 {
                    if parent == pid { return true }
                    ancestor = parent
                }
                return false
            }
        // A process that has ended and was not waited for has none.
        guard let own = read("/proc/\(pid)/cmdline"), !own.isEmpty else { return nil }
        return family.compactMap { read("/proc/\($0)/cmdline") }.joined(separator: "\n")
    }

    private static func written(_ pid: Int32) -> Int? {
        read("/proc/\(pid)/io")?.split(separator: "\n").first { $0.hasPrefix("wchar: ") }
            .flatMap { Int($0.dropFirst("wchar: ".count)) }
    }

    static func waitUntilGone(_ pid: Int32, seconds: Int = 10) async throws {
        for _ in 0..<(100 * seconds) {
            if kill(pid, 0) != 0 { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw Missing(description: "process \(pid) is still there after \(seconds) seconds")
    }

    struct Missing: Error, CustomStringConvertible {
        let description: String
    }

    private static func all() -> [Int32] {
        guard let folder = opendir("/proc") else { return [] }
        defer { closedir(folder) }
        var pids: [Int32] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let pid = Int32(name) { pids.append(pid) }
        }
        return pids
    }

    private static func fields(_ pid: Int32) -> (name: String, parent: Int32)? {
        guard let text = read("/proc/\(pid)/stat"), let open = text.firstIndex(of: "("),
            let close = text.lastIndex(of: ")")
        else { return nil }
        let rest = text[text.index(after: close)...].split(separator: " ")
        guard rest.count > 1, let parent = Int32(rest[1]) else { return nil }
        return (String(text[text.index(after: open)..<close]), parent)
    }

    private static func read(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
