import Glibc
import ProcessIO
import Testing

/// A real primary and a streaming hot standby, started for the suite and stopped after it.
struct PostgresPair: Sendable {
    let folder: String
    let primary: String
    let standby: String
    let port: String
    let bin: String
    /// Of the role `flexadmin`: creates roles and databases, reads all data, is no superuser.
    let adminPassword: String

    @TaskLocal static var current: PostgresPair?

    static func running() throws -> PostgresPair {
        try #require(current, "no PostgreSQL: install the package postgresql, or run `make packages`")
    }

    private static var script: Program {
        Program(path: Program.packageFolder + "/examples/flexible-server/postgres-pair.sh")
    }

    /// - Parameter programs: the folder of another PostgreSQL's programs; nil for the machine's own.
    static func start(adminPassword: String, programs: String? = nil) async throws -> PostgresPair {
        let folder = try TemporaryFolder.make(prefix: "karaffe-servers")
        let output: String
        var environment = ["PGPAIR_ADMIN_PASSWORD": adminPassword]
        environment["PGPAIR_BIN"] = programs
        do {
            output = try await script.with(environment).succeed(["start", folder + "/pair"])
        } catch {
            _ = try? await script.run(["stop", folder + "/pair"])
            try? await TemporaryFolder.remove(folder)
            throw error
        }
        var values: [Substring: String] = [:]
        for line in output.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { values[parts[0]] = String(parts[1]) }
        }
        return PostgresPair(
            folder: folder, primary: try #require(values["PGPAIR_PRIMARY"]),
            standby: try #require(values["PGPAIR_STANDBY"]), port: try #require(values["PGPAIR_PORT"]),
            bin: try #require(values["PGPAIR_BIN"]), adminPassword: adminPassword)
    }

    func stop() async throws {
        try await Self.script.with(["PGPAIR_BIN": bin]).succeed(["stop", folder + "/pair"])
        try await TemporaryFolder.remove(folder)
    }

    /// Connection settings of the administrator, as libpq reads them from the environment.
    func adminEnvironment(host: String, database: String = "postgres") -> [String: String] {
        [
            "PGHOST": host, "PGPORT": port, "PGUSER": "flexadmin", "PGPASSWORD": adminPassword, "PGDATABASE": database,
            "PGSSLMODE": "require",
        ]
    }

    /// Runs SQL on the primary as the administrator and returns unaligned tuples.
    @discardableResult
    func sql(_ text: String, database: String = "postgres") async throws -> String {
        let psql = Program(path: bin + "/psql").with(adminEnvironment(host: primary, database: database))
        return try await psql.succeed(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"], input: text)
    }

    /// Waits until the standby has everything that is on the primary now.
    func waitForStandby() async throws {
        let target = try await sql("SELECT pg_current_wal_lsn()").trimmed
        let psql = Program(path: bin + "/psql").with(adminEnvironment(host: standby))
        for _ in 0..<200 {
            let reached = try await psql.succeed([
                "-X", "-A", "-t", "-c", "SELECT pg_last_wal_replay_lsn() >= '\(target)'::pg_lsn",
            ])
            if reached.trimmed == "t" { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("the standby did not reach \(target) within ten seconds")
    }

    /// A role and a database it owns, with `rows` rows of about 100 bytes.
    func makeApplication(_ name: String, password: String, rows: Int) async throws {
        let quoted = password.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''")
        try await sql("CREATE ROLE \(name) LOGIN PASSWORD '\(quoted)'; GRANT \(name) TO flexadmin")
        try await sql("CREATE DATABASE \(name)db OWNER \(name)")
        try await sql(
            """
            SET ROLE \(name);
            CREATE TABLE items (id serial PRIMARY KEY, name text NOT NULL, at timestamptz DEFAULT now());
            INSERT INTO items (name)
            SELECT md5(n::text) || md5((n + 1)::text) || md5((n + 2)::text) FROM generate_series(1, \(rows)) n;
            """, database: name + "db")
        try await waitForStandby()
    }

    func itemsHash(_ name: String) async throws -> String {
        try await sql("SELECT count(*), md5(string_agg(i::text, ',' ORDER BY id)) FROM items i", database: name + "db")
            .trimmed
    }

    func dropApplication(_ name: String) async throws {
        let kept = try await sql(
            "SELECT datname FROM pg_database WHERE datname LIKE '\(name)db\\_\\_old\\_%' OR datname LIKE '\(name)db\\_\\_restore\\_%'"
        )
        for database in [name + "db"] + kept.split(separator: "\n").map(String.init) {
            try await sql("DROP DATABASE IF EXISTS \(database) WITH (FORCE)")
        }
        try await sql("DROP ROLE IF EXISTS \(name)")
    }
}

enum TemporaryFolder {
    /// Everyone may pass through it, because PostgreSQL does not run as root.
    static func make(prefix: String) throws -> String {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/\(prefix).XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil, "cannot make a folder in \(parent)")
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try #require(chmod(path, 0o711) == 0)
        return path
    }

    static func remove(_ path: String) async throws {
        try await Program(path: "/bin/rm").succeed(["-rf", path])
    }
}

/// Starts the servers once around a suite.
struct PostgresPairTrait: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        // Quotes, a backslash, dollars and blanks: whatever puts it between quotes breaks on it.
        let pair = try await PostgresPair.start(adminPassword: #"It's "$100" in \the $(bank) $$"#)
        do {
            try await PostgresPair.$current.withValue(pair) { try await function() }
        } catch {
            try? await pair.stop()
            throw error
        }
        try await pair.stop()
    }
}

extension Trait where Self == PostgresPairTrait {
    static var postgresPair: Self { Self() }
}

extension String {
    var trimmed: String {
        var text = self[...]
        while let last = text.last, last.isWhitespace { text.removeLast() }
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        return String(text)
    }
}

/// Serial: one pair of servers for all of it.
@Suite(.serialized, .postgresPair)
struct IntegrationTests {}
