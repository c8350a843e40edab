import ProcessIO
import Testing

extension PostgresPair {
    /// The superuser, through the primary's socket.
    @discardableResult
    func superuser(_ text: String, database: String = "postgres") async throws -> String {
        let psql = Program(path: bin + "/psql").with(superuserEnvironment(database: database))
        return try await psql.succeed(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-"], input: text)
    }

    func superuserEnvironment(database: String) -> [String: String] {
        ["PGHOST": folder + "/pair/sockets", "PGPORT": port, "PGUSER": "postgres", "PGDATABASE": database]
    }

    /// Until a count on the primary is not 0.
    func wait(for count: String, database: String) async throws {
        for _ in 0..<1200 {
            if try await superuser(count, database: database).trimmed != "0" { return }
            try await Task.sleep(for: .milliseconds(25))
        }
        Issue.record("still 0 after thirty seconds: \(count)")
    }

    /// Reads on the standby as the administrator.
    func standbySQL(_ text: String, database: String = "postgres") async throws -> String {
        let psql = Program(path: bin + "/psql").with(adminEnvironment(host: standby, database: database))
        return try await psql.succeed(["-X", "-q", "-A", "-t", "-c", text]).trimmed
    }

    private func shell(_ script: String) async throws {
        try await Program(path: "/bin/bash").with(["PATH": "/usr/bin:/bin:/usr/sbin:/sbin"]).succeed([
            "-euc", script, "bash", folder + "/pair/standby", bin,
        ])
    }

    /// Server programs refuse to run as root.
    private static let asServer = #"as() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }; "#

    func stopStandby() async throws {
        try await shell(Self.asServer + #"as "$2/pg_ctl" -D "$1" -m immediate -w stop >/dev/null"#)
    }

    func startStandby() async throws {
        try await shell(
            Self.asServer + #"as "$2/pg_ctl" -D "$1" -l "$1/../standby.log" -w -t 60 start >/dev/null 2>&1"#)
    }

    /// Settings of the standby for the time of `body`; empty ones are taken back afterwards.
    func withStandby(
        _ settings: [String: String], _ body: () async throws -> Void
    ) async throws {
        func apply(_ lines: [String]) async throws {
            let text = lines.map { "\($0)\n" }.joined()
            let psql = Program(path: "/bin/bash").with(["PATH": "/usr/bin:/bin:/usr/sbin:/sbin"])
            try await psql.succeed(
                [
                    "-euc",
                    Self.asServer + #"as tee "$1/postgresql.auto.conf.new" >/dev/null; "#
                        + #"grep -v karaffe-test "$1/postgresql.auto.conf" > "$1/kept" || true; "#
                        + #"cat "$1/kept" "$1/postgresql.auto.conf.new" | as tee "$1/postgresql.auto.conf" >/dev/null; "#
                        + #"as "$2/pg_ctl" -D "$1" reload >/dev/null"#,
                    "bash", folder + "/pair/standby", bin,
                ], input: text)
        }
        try await apply(settings.map { "\($0.key) = '\($0.value)' # karaffe-test" })
        for (name, value) in settings { try await waitForStandbySetting(name, value) }
        do {
            try await body()
        } catch {
            try? await apply([])
            throw error
        }
        try await apply([])
        for name in settings.keys {
            try await waitForStandbySetting(name, name == "hot_standby_feedback" ? "on" : "30s")
        }
    }

    private func waitForStandbySetting(_ name: String, _ value: String) async throws {
        for _ in 0..<200 {
            if try await standbySQL("SHOW \(name)") == value { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("\(name) did not become \(value) on the standby")
    }
}

extension Workbench {
    /// `karaffe.json` of a snapshot.
    func record(_ snapshot: String) async throws -> String {
        try await podRunner.succeed([
            "snapshot", "cat", "--repository", repositoryURL, snapshot, "karaffe.json",
        ])
    }
}
