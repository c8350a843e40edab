import Glibc
import GoFormats
import Testing

/// An application's database, a backup of it, and a restore over it by an administrator that belongs to no role of it.
struct RestoreScene: Sendable {
    let pair: PostgresPair
    let name: String
    /// Of the table `items` when the backup was made.
    let hash: String
    let repositoryURL: String
    let snapshot: String
    /// Connected to the primary, with the application's password in APP_PASSWORD.
    let runner: Program

    var database: String { name + "db" }
    var arguments: [String] { arguments(restoring: snapshot) }

    func arguments(restoring snapshot: String) -> [String] {
        [
            "restore", "--repository", repositoryURL, "--kopia-snapshot", snapshot, "--replace", "--app-user", name,
            "--app-password-env", "APP_PASSWORD", "--keep-old", "0",
        ]
    }

    /// - Parameters:
    ///   - setup: run by the application's role before the backup.
    ///   - above: run by the superuser after it.
    static func with(
        _ name: String, rows: Int = 300, setup: String = "", bySuperuser above: String = "",
        _ body: (borrowing Workbench, RestoreScene) async throws -> Void
    ) async throws {
        let pair = try PostgresPair.running()
        try await pair.dropApplication(name)
        try await pair.makeApplication(name, password: "secret", rows: rows)
        try await pair.sql(
            """
            COMMENT ON DATABASE \(name)db IS 'as backed up';
            DROP ROLE IF EXISTS \(name)admin;
            CREATE ROLE \(name)admin LOGIN CREATEDB CREATEROLE PASSWORD 'admin' IN ROLE pg_signal_backend, pg_monitor
            """)
        if !setup.isEmpty { try await pair.sql("SET ROLE \(name);\n" + setup, database: name + "db") }
        if !above.isEmpty { try await pair.superuser(above, database: name + "db") }
        try await pair.waitForStandby()
        let bench = try Workbench(pair)
        try await bench.makeRepository()
        try await bench.podRunner(reading: name + "db").succeed([
            "backup", "--repository", bench.repositoryURL, "--path", "backup.sql",
        ])
        let scene = RestoreScene(
            pair: pair, name: name, hash: try await pair.itemsHash(name), repositoryURL: bench.repositoryURL,
            snapshot: try #require(try await bench.snapshotIDs().first),
            runner: bench.podRunner.with(pair.adminEnvironment(host: pair.primary, database: name + "db"))
                .with(["APP_PASSWORD": "secret", "PGUSER": name + "admin", "PGPASSWORD": "admin"]))
        try await body(bench, scene)
        try await pair.dropApplication(name)
        try await pair.sql("DROP ROLE \(name)admin")
    }

    /// A snapshot with the files of this one, the dump or another one changed: what somebody makes who has the repository's
    /// password.
    func tampered(
        _ bench: borrowing Workbench, file: String = "backup.sql", _ change: (String) throws -> String
    ) async throws -> String {
        let folder = bench.folder + "/tampered"
        try await Program(path: "/bin/rm").succeed(["-rf", folder])
        try await bench.podRunner.succeed(["snapshot", "restore", "--repository", repositoryURL, snapshot, folder])
        let dump = folder + "/" + file
        let text = try await Program(path: "/bin/cat").succeed([dump])
        let changed = try change(text)
        try #require(changed != text)
        unlink(dump)
        try bench.write(dump, changed)
        let output = try await bench.podRunner.succeed(["location", "push", "--repository", repositoryURL, folder])
        let line = try #require(output.split(separator: "\n").first { $0.hasPrefix("###Phase-output###: ") })
        let value = try JSONParser.parse(String(line.dropFirst("###Phase-output###: ".count)))["value"]?.stringValue
        return try #require(try JSONParser.parse(value ?? "")["id"]?.stringValue)
    }

    /// Side and kept databases, and journals.
    func leftovers() async throws -> String {
        try await pair.sql(
            "SELECT datname FROM pg_database WHERE datname LIKE '\(database)\\_\\_%' OR "
                + "shobj_description(oid, 'pg_database') LIKE 'karaffe%'"
        ).trimmed
    }
}

extension PostgresPair {
    /// Until the server has noticed that a killed client is gone.
    func waitForNoRunner() async throws {
        for _ in 0..<400 {
            let left = try await sql(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pod-runner'"
            ).trimmed
            if left == "0" { return }
            try await Task.sleep(for: .milliseconds(25))
        }
        Issue.record("sessions of a killed pod-runner are still there after ten seconds")
    }

    func waitForLock() async throws {
        for _ in 0..<400 {
            let held = try await sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted").trimmed
            if held != "0" { return }
            try await Task.sleep(for: .milliseconds(25))
        }
        Issue.record("nobody holds the lock after ten seconds")
    }
}
