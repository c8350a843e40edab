import Glibc
import GoFormats
import ProcessIO
import Testing

extension IntegrationTests {
    /// The moment in which the restored database takes the place of the live one, seen by clients that do not stop writing.
    struct RestoreSwap {
        static let clients = 50

        /// Each client writes and reads, again and again, and connects again when it is thrown out.
        private static let script = """
            client() {
                while [ ! -e "$FOLDER/stop" ]; do
                    "$PSQL" -X -q -A -t -v ON_ERROR_STOP=1 -f - >> "$FOLDER/client.$1" 2>> "$FOLDER/errors.$1" <<'SQL'
            INSERT INTO written DEFAULT VALUES
            RETURNING (SELECT count(*) FROM items) || CASE WHEN to_regclass('newer') IS NULL THEN ' restored' ELSE ' live' END
            \\watch 0.1
            SQL
                done
            }
            number=0
            while [ $number -lt $CLIENTS ]; do client $number & number=$((number + 1)); done
            wait
            """

        @Test func clientsThatWriteSeeOldOrNewAndNeverHalf() async throws {
            try await RestoreScene.with(
                "busy", rows: 2000, setup: "CREATE TABLE written (id serial PRIMARY KEY)"
            ) { bench, scene in
                let pair = scene.pair
                try await pair.sql(
                    "SET ROLE busy; DELETE FROM items WHERE id > 1500; CREATE TABLE newer ()", database: scene.database)
                let folder = bench.folder
                let shell = Program(path: "/bin/sh").with(
                    pair.adminEnvironment(host: pair.primary, database: scene.database)
                )
                .with([
                    "PGUSER": "busy", "PGPASSWORD": "secret", "FOLDER": folder, "PSQL": pair.bin + "/psql",
                    "CLIENTS": "\(Self.clients)",
                ])
                let stopped = try await shell.run(["-c", Self.script]) { _ in
                    try await pair.waitForWriters(scene.database, Self.clients)
                    let outcome = try await scene.runner.run(scene.arguments + ["--output", "json"])
                    #expect(outcome.exit == .exited(0), "\(outcome.testDescription)")
                    let seconds = try JSONParser.parse(outcome.output)["swapSeconds"]
                    #expect(seconds != nil && seconds != .null)
                    try await pair.waitForWriters(scene.database, Self.clients)
                    _ = try await Program(path: "/usr/bin/touch").succeed([folder + "/stop"])
                    try await pair.sql(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(scene.database)' AND usename = 'busy'"
                    )
                }
                #expect(stopped.exit == .exited(0), "\(stopped.testDescription)")
                for number in 0..<Self.clients {
                    let seen = try await Program(path: "/usr/bin/uniq").succeed([folder + "/client.\(number)"])
                    let states = seen.split(separator: "\n").filter { !$0.isEmpty }
                    #expect(states == ["1500 live", "2000 restored"], "client \(number)")
                }
                // Thrown out, or at the door while the names changed: nothing else ever went wrong.
                let errors = try await Program(path: "/bin/sh").succeed([
                    "-c",
                    "cat \(folder)/errors.* | grep -v -e 'terminating connection due to administrator command' "
                        + "-e 'does not exist' -e 'just been dropped or renamed' -e 'server closed the connection' "
                        + "-e 'connection to server was lost' -e 'terminated abnormally' -e 'before or while processing' "
                        + "-e 'is not currently accepting connections' -e 'SSL connection has been closed' || true",
                ])
                #expect(errors == "")
            }
        }

        /// A session that cannot be ended: the restore gives up and the live database stays.
        @Test func aSessionOfASuperuserIsNamedAndTheDatabaseStays() async throws {
            try await RestoreScene.with("held") { bench, scene in
                let pair = scene.pair
                try await pair.sql("DELETE FROM items WHERE id > 100", database: scene.database)
                let before = try await pair.itemsHash("held")
                let sockets = pair.folder + "/pair/sockets"
                let monitor = Program(path: pair.bin + "/psql").with([
                    "PGHOST": sockets, "PGPORT": pair.port, "PGUSER": "postgres", "PGDATABASE": scene.database,
                    "PGAPPNAME": "monitoring",
                ])
                let outcome = try await monitor.run(["-X", "-f", "-"], input: "SELECT pg_sleep(600)") { _ in
                    try await pair.waitForSession("monitoring")
                    let restore = try await scene.runner.run(scene.arguments)
                    #expect(restore.exit == .exited(4))
                    #expect(
                        restore.errors.contains("is a superuser's, which heldadmin cannot end"), "\(restore.errors)")
                    #expect(
                        restore.errors.contains(
                            "database \"helddb\" could not be replaced, sessions do not end: process "),
                        "\(restore.errors)")
                    try await monitor.succeed([
                        "-X", "-c",
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'monitoring' AND pid <> pg_backend_pid()",
                    ])
                }
                #expect(!outcome.exit.isSuccess)
                #expect(try await pair.itemsHash("held") == before)
                #expect(try await scene.leftovers() == "")
            }
        }
    }
}

extension PostgresPair {
    /// Until so many clients have written to the database.
    func waitForWriters(_ database: String, _ count: Int) async throws {
        for _ in 0..<600 {
            let found = try await sql(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = '\(database)' AND query LIKE 'INSERT INTO written%'"
            ).trimmed
            if found == "\(count)" { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("\(count) clients of \(database) do not write after thirty seconds")
    }

    func waitForSession(_ application: String) async throws {
        for _ in 0..<400 {
            let found = try await sql(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = '\(application)' AND state = 'active'"
            ).trimmed
            if found != "0" { return }
            try await Task.sleep(for: .milliseconds(25))
        }
        Issue.record("no session of \(application) after ten seconds")
    }
}
