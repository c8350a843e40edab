import Glibc
import ProcessIO
import Testing

extension IntegrationTests {
    /// A restore that is killed at any point leaves the old database or the new one, and the next restore comes to its end.
    struct RestoreCrash {
        /// Where `pod-runner` passes, and whether the database is in place by then.
        static let points: [(name: String, isPlaced: Bool)] = [
            ("locked", false), ("checked", false), ("side-created", false), ("journaled", false), ("roles", false),
            ("joined", false), ("helper", false), ("owned", false), ("rows", false), ("built", false),
            ("loaded", false),
            ("finished", false), ("analyzed", false), ("verified", false), ("terminating", false), ("blocked", false),
            ("renamed-old", false), ("renamed-new", false), ("placed", true), ("left", true), ("done", true),
        ]

        @Test func killedAnywhereAndTriedAgain() async throws {
            try await withBackup("crash") { bench, backup in
                for (point, isPlaced) in Self.points {
                    try await bench.pair.sql(
                        "DELETE FROM items WHERE id > 150; CREATE TABLE IF NOT EXISTS newer (id int)",
                        database: "crashdb")
                    let older = try await bench.pair.itemsHash("crash")

                    let killed = try await backup.runner.with(["POD_RUNNER_CRASH_AT": point])
                        .run(backup.arguments)
                    #expect(killed.exit == .signalled(SIGKILL), "\(point): \(killed.testDescription)")
                    try await bench.pair.waitForNoRunner()
                    let now = try await bench.pair.itemsHash("crash")
                    #expect(now == (isPlaced ? backup.hash : older), "after \(point)")
                    try await expectLogin(bench.pair, point)

                    let again = try await backup.runner.run(backup.arguments)
                    #expect(again.exit == .exited(0), "\(point): \(again.testDescription)")
                    #expect(try await bench.pair.itemsHash("crash") == backup.hash, "\(point)")
                    try await expectLogin(bench.pair, point)
                    #expect(try await backup.leftovers() == "", "\(point)")
                    #expect(try await roles(bench.pair) == "", "\(point)")
                }
            }
        }

        /// What a restore of one table does to roles is in its transaction.
        @Test func killedInTheMiddleOfOneTable() async throws {
            try await withBackup("crash") { bench, backup in
                let arguments = backup.arguments + ["--table", "items"]
                let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'restored%'"
                let killed = try await backup.runner.with(["POD_RUNNER_CRASH_AT": "table-rows"]).run(arguments)
                #expect(killed.exit == .signalled(SIGKILL), "\(killed.testDescription)")
                try await bench.pair.waitForNoRunner()
                #expect(try await roles(bench.pair) == "")
                #expect(try await bench.pair.sql(schemas, database: "crashdb").trimmed == "0")
                let again = try await backup.runner.run(arguments)
                #expect(again.exit == .exited(0), "\(again.testDescription)")
                #expect(try await roles(bench.pair) == "")
                #expect(try await bench.pair.sql(schemas, database: "crashdb").trimmed == "1")
            }
        }

        /// On a server that knows neither the database nor its role.
        @Test(arguments: ["side-created", "rows", "renamed-new", "placed", "left"])
        func killedOnANewServerAndTriedAgain(_ point: String) async throws {
            try await withBackup("crash") { bench, backup in
                try await bench.pair.dropApplication("crash")
                let killed = try await backup.runner.with(["POD_RUNNER_CRASH_AT": point]).run(backup.arguments)
                #expect(killed.exit == .signalled(SIGKILL), "\(killed.testDescription)")
                try await bench.pair.waitForNoRunner()
                let again = try await backup.runner.run(backup.arguments)
                #expect(again.exit == .exited(0), "\(again.testDescription)")
                #expect(try await bench.pair.itemsHash("crash") == backup.hash)
                try await expectLogin(bench.pair, point)
                #expect(try await backup.leftovers() == "")
                #expect(try await roles(bench.pair) == "")
            }
        }

        @Test func undoPutsTheReplacedDatabaseBackAndBackAgain() async throws {
            try await withBackup("crash") { bench, backup in
                try await bench.pair.sql(
                    "DELETE FROM items WHERE id > 150; COMMENT ON DATABASE crashdb IS 'of today'", database: "crashdb")
                let older = try await bench.pair.itemsHash("crash")
                let runner = backup.runner
                let arguments = backup.arguments.filter { $0 != "--keep-old" && $0 != "0" }
                let restored = try await runner.run(arguments)
                #expect(restored.exit == .exited(0), "\(restored.testDescription)")
                #expect(restored.errors.contains("the replaced database is kept as crashdb__old_"))
                #expect(try await bench.pair.itemsHash("crash") == backup.hash)

                let undone = try await runner.run(["restore", "--undo"])
                #expect(undone.exit == .exited(0), "\(undone.testDescription)")
                #expect(try await bench.pair.itemsHash("crash") == older)
                let comment = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'crashdb'"
                #expect(try await bench.pair.sql(comment).trimmed == "of today")
                try await expectLogin(bench.pair, "undo")
                try await runner.succeed(["restore", "--undo"])
                #expect(try await bench.pair.itemsHash("crash") == backup.hash)
                #expect(try await bench.pair.sql(comment).trimmed == "as backed up")

                // Its time is not over.
                try await runner.succeed(["restore", "--cleanup"])
                #expect(try await backup.leftovers() != "")
                let cleaned = try await runner.run(["restore", "--cleanup", "--keep-old", "0"])
                #expect(cleaned.exit == .exited(0), "\(cleaned.testDescription)")
                #expect(try await backup.leftovers() == "")
                let nothing = try await runner.run(["restore", "--undo"])
                #expect(nothing.exit == .exited(4))
                #expect(nothing.errors.contains("no database replaced by a restore of \"crashdb\" is kept"))
            }
        }

        @Test func twoRestoresOfOneDatabaseAtATime() async throws {
            try await withBackup("crash") { bench, backup in
                let key = "hashtextextended('karaffe restore crashdb', 0)"
                let pair = bench.pair
                let psql = Program(path: pair.bin + "/psql").with(pair.adminEnvironment(host: pair.primary))
                let outcome = try await psql.run(
                    ["-X", "-A", "-t", "-f", "-"], input: "SELECT pg_advisory_lock(\(key)); SELECT pg_sleep(600);"
                ) { holder in
                    try await pair.waitForLock()
                    let second = try await backup.runner.run(backup.arguments)
                    #expect(second.exit == .exited(4))
                    #expect(second.errors.contains("another restore of database \"crashdb\" is running (process "))
                    #expect(second.errors.contains(" of flexadmin from 127.0.0.1"))
                    kill(holder, SIGKILL)
                }
                #expect(outcome.exit == .signalled(SIGKILL))
            }
        }

        // MARK: -

        private func withBackup(
            _ name: String, _ body: (borrowing Workbench, RestoreScene) async throws -> Void
        ) async throws {
            try await RestoreScene.with(name, body)
        }

        private func expectLogin(_ pair: PostgresPair, _ point: String) async throws {
            let psql = Program(path: pair.bin + "/psql").with(
                pair.adminEnvironment(host: pair.primary, database: "crashdb")
            )
            .with(["PGUSER": "crash", "PGPASSWORD": "secret"])
            let login = try await psql.run(
                ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"],
                input:
                    "BEGIN; ALTER TABLE items ADD more int; CREATE TABLE mine (); INSERT INTO items (name) VALUES ('x'); ROLLBACK"
            )
            #expect(login.exit == .exited(0), "\(point): \(login.testDescription)")
        }

        /// What the administrator still belongs to, and helper roles.
        private func roles(_ pair: PostgresPair) async throws -> String {
            try await pair.sql(
                """
                SELECT m.roleid::regrole FROM pg_auth_members m
                WHERE m.member = 'crashadmin'::regrole AND m.roleid = 'crash'::regrole
                UNION ALL SELECT oid::regrole FROM pg_roles WHERE rolname LIKE 'karaffe%'
                """
            ).trimmed
        }
    }
}
