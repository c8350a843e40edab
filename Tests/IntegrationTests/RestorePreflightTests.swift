import Glibc
import ProcessIO
import Testing

extension IntegrationTests {
    /// What a restore can know before it touches anything.
    struct RestorePreflight {
        @Test func grantsTablespacesAndSpace() async throws {
            try await PostgresPair.running().superuser(
                "DROP ROLE IF EXISTS azure_reader; CREATE ROLE azure_reader")
            let grant = "GRANT SELECT ON items TO azure_reader"
            try await RestoreScene.with("before", rows: 10, setup: grant) { bench, scene in
                func plan(_ more: String...) async throws -> Program.Outcome {
                    try await scene.runner.run(scene.arguments + ["--plan"] + more)
                }
                let fits = try await plan("--target-space", "100T")
                #expect(fits.exit == .exited(0), "\(fits.testDescription)")
                #expect(fits.output.contains("GO       grants       to "))
                #expect(fits.output.contains("GO       tablespaces  the dump names none"))
                #expect(fits.output.contains("GO       space        needs "))
                let full = try await plan("--target-space", "1M")
                #expect(full.exit == .exited(4), "\(full.testDescription)")
                #expect(full.output.contains("NO-GO    space        needs "))
                #expect(full.output.contains("of 1 MB\n"))
                #expect(try await plan().output.contains("hint: look it up and give it with --target-space 64G"))

                // A provider's role, on a server of another one.
                try await scene.pair.superuser("REVOKE ALL ON items FROM azure_reader", database: scene.database)
                try await scene.pair.superuser("DROP ROLE azure_reader")
                let absent = try await scene.runner.run(scene.arguments)
                #expect(absent.exit == .exited(4), "\(absent.testDescription)")
                #expect(
                    absent.errors.contains(
                        "nothing was changed on 127.0.0.1:\(scene.pair.port): grants: owners or grants of the dump name "
                            + "azure_reader, which are not there and which a restore does not make"))

                try bench.write("placed.sql", "SET default_tablespace = nowhere;\nCREATE TABLE t (a int);\n")
                try await bench.podRunner.succeed([
                    "location", "push", "--repository", scene.repositoryURL, "--path", "backup.sql",
                    bench.folder + "/placed.sql",
                ])
                let ids = try await bench.snapshotIDs()
                let placed = try #require(ids.first { $0 != scene.snapshot })
                let nowhere = try await scene.runner.run(scene.arguments(restoring: placed) + ["--plan"])
                #expect(nowhere.exit == .exited(4), "\(nowhere.testDescription)")
                #expect(nowhere.output.contains("the dump names tablespaces that are not there: nowhere"))
            }
        }

        /// A case of the go/no-go table: what is done to the server, and the line that tells of it.
        struct Obstacle: Sendable {
            /// Run by the superuser, in the live database where `inDatabase`.
            let make: String
            let undo: String
            var inDatabase = false
            let verdict: String
            let check: String
            let finding: String
        }

        static let obstacles = [
            Obstacle(
                make: "ALTER ROLE blockedadmin SET default_transaction_read_only = on",
                undo: "ALTER ROLE blockedadmin RESET default_transaction_read_only", verdict: "NO-GO",
                check: "writable", finding: "blockedadmin is read-only in database \"postgres\" on "),
            Obstacle(
                make: "ALTER DATABASE postgres SET default_transaction_read_only = on",
                undo:
                    "SET default_transaction_read_only = off; ALTER DATABASE postgres RESET default_transaction_read_only",
                verdict: "NO-GO", check: "writable", finding: "blockedadmin is read-only in database \"postgres\" on "),
            Obstacle(
                make: "ALTER ROLE blocked CONNECTION LIMIT 0",
                undo: "ALTER ROLE blocked CONNECTION LIMIT -1", verdict: "NO-GO", check: "login",
                finding: "role \"blocked\" may have no connections"),
            Obstacle(
                make: "ALTER ROLE blockedadmin NOCREATEDB", undo: "ALTER ROLE blockedadmin CREATEDB", verdict: "NO-GO",
                check: "privileges", finding: "role \"blockedadmin\" may not create databases"),
            Obstacle(
                make: "ALTER ROLE blockedadmin NOCREATEROLE", undo: "ALTER ROLE blockedadmin CREATEROLE",
                verdict: "WARN",
                check: "privileges", finding: "blockedadmin may create databases, not roles: "),
            Obstacle(
                make: "ALTER ROLE blockedadmin SET azure.extensions = 'hstore, POSTGIS'",
                undo: "ALTER ROLE blockedadmin RESET azure.extensions", verdict: "NO-GO", check: "extensions",
                finding: "not in azure.extensions: citext"),
            Obstacle(
                make:
                    "CREATE SUBSCRIPTION incoming CONNECTION 'host=192.0.2.1' PUBLICATION p WITH (connect = false, slot_name = NONE)",
                undo: "DROP SUBSCRIPTION incoming", inDatabase: true, verdict: "NO-GO", check: "replication",
                finding: "1 subscription receives into the database"),
            Obstacle(
                make: """
                    CREATE PUBLICATION outgoing FOR ALL TABLES;
                    CREATE FUNCTION noted() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
                    CREATE EVENT TRIGGER noting ON ddl_command_end EXECUTE FUNCTION noted()
                    """,
                undo: "DROP EVENT TRIGGER noting; DROP FUNCTION noted; DROP PUBLICATION outgoing", inDatabase: true,
                verdict: "WARN", check: "contents", finding: "the database has 1 publication, 1 event trigger"),
        ]

        @Test func whatIsInTheWayIsNamedAndNothingIsTouched() async throws {
            try await RestoreScene.with("blocked", rows: 10, setup: "CREATE EXTENSION citext") { bench, scene in
                let pair = scene.pair
                let checks = [
                    "version", "writable", "privileges", "roles", "login", "grants", "superuser", "tablespaces",
                    "extensions",
                    "locale",
                    "target",
                    "space", "connected", "replication", "tablespace", "contents", "leftovers",
                ]
                let clear = try await scene.runner.run(scene.arguments + ["--plan", "--target-space", "100T"])
                #expect(clear.exit == .exited(0), "\(clear.testDescription)")
                let verdicts = clear.output.split(separator: "\n").dropLast().map { $0.split(separator: " ").prefix(2) }
                #expect(verdicts.map { "\($0[0]) \($0[1])" } == checks.map { "GO \($0)" }, "\(clear.output)")

                for item in Self.obstacles {
                    let place = item.inDatabase ? scene.database : "postgres"
                    try await pair.superuser(item.make, database: place)
                    let outcome = try await scene.runner.run(scene.arguments + ["--plan"])
                    try Self.expect(outcome, item.verdict, item.check, item.finding)
                    if item.verdict == "NO-GO" {
                        let refused = try await scene.runner.run(scene.arguments)
                        #expect(refused.exit == .exited(4), "\(refused.testDescription)")
                        let start = "pod-runner: error: nothing was changed on 127.0.0.1:\(pair.port): \(item.check): "
                        #expect(refused.errors.contains(start + item.finding), "\(refused.errors)")
                        #expect(refused.errors.contains("\nhint: "))
                    }
                    try await pair.superuser(item.undo, database: place)
                    #expect(try await pair.itemsHash("blocked") == scene.hash)
                    #expect(try await scene.leftovers() == "")
                }
            }
        }

        /// Of the snapshot, or of what was asked for.
        @Test func whatTheTargetCannotBeIsNamed() async throws {
            try await RestoreScene.with("asked", rows: 10, setup: "CREATE EXTENSION citext") { bench, scene in
                let reserved = scene.arguments.map { $0 == "asked" ? "azure_app" : $0 } + ["--plan"]
                try Self.expect(
                    try await scene.runner.run(reserved), "NO-GO", "roles",
                    "\"azure_app\" is a reserved role and cannot be the application's user")

                // Of another server, with other extensions.
                let folder = bench.folder + "/elsewhere"
                try await bench.podRunner.succeed([
                    "snapshot", "restore", "--repository", scene.repositoryURL, scene.snapshot, folder,
                ])
                let record = try await Program(path: "/bin/cat").succeed([folder + "/karaffe.json"])
                unlink(folder + "/karaffe.json")
                try bench.write(folder + "/karaffe.json", record.replacing("\"citext\"", with: "\"not_offered\""))
                try await bench.podRunner.succeed(["location", "push", "--repository", scene.repositoryURL, folder])
                let pushed = try #require(try await bench.snapshotIDs().first { $0 != scene.snapshot })
                try Self.expect(
                    try await scene.runner.run(scene.arguments(restoring: pushed) + ["--plan"]), "NO-GO", "extensions",
                    "the server does not offer not_offered")

                // What belongs to a superuser an administrator can hand to nobody.
                try await scene.pair.superuser("CREATE TABLE above (a int)", database: scene.database)
                try await scene.pair.waitForStandby()
                try await bench.podRunner(reading: scene.database).succeed([
                    "backup", "--repository", bench.repositoryURL, "--path", "backup.sql",
                ])
                let known = [pushed, scene.snapshot]
                let above = try #require(try await bench.snapshotIDs().first { !known.contains($0) })
                try Self.expect(
                    try await scene.runner.run(scene.arguments(restoring: above) + ["--plan"]), "NO-GO", "roles",
                    "objects of the dump belong to postgres, to whom askedadmin can hand nothing")
                #expect(try await scene.leftovers() == "")
            }
        }

        /// A snapshot of one database over another: perhaps a copy for a test, perhaps the wrong line of a list.
        @Test func anotherDatabaseIsNotReplacedForGood() async throws {
            try await RestoreScene.with("mistaken", rows: 10) { bench, scene in
                let pair = scene.pair
                try await pair.sql("DROP DATABASE IF EXISTS precious WITH (FORCE)")
                try await pair.sql("CREATE DATABASE precious OWNER mistaken")
                try await pair.sql("SET ROLE mistaken; CREATE TABLE only_here (a int)", database: "precious")
                let there = "SELECT to_regclass('only_here') IS NOT NULL"
                let origin =
                    "database \"precious\" is there and has 1 table, view or sequence; the snapshot is of database \"mistakendb\""
                let over = scene.arguments + ["--dbname", "precious"]
                for flags in [[], ["--in-place", "--yes-drop-first", "--keep-old", "1h"]] {
                    try Self.expect(
                        try await scene.runner.run(over + flags + ["--plan"]), "NO-GO", "target",
                        "\(origin), and nothing of what it replaces would be kept")
                    let refused = try await scene.runner.run(over + flags)
                    #expect(refused.exit == .exited(4), "\(refused.testDescription)")
                    #expect(refused.errors.contains("nothing was changed on 127.0.0.1:\(pair.port): target: \(origin)"))
                    #expect(try await pair.sql(there, database: "precious").trimmed == "t")
                }
                let kept = try await scene.runner.run(over + ["--keep-old", "1h"])
                #expect(kept.exit == .exited(0), "\(kept.testDescription)")
                #expect(kept.errors.contains("warning: target: \(origin), which replaces it at the end\nhint: "))
                #expect(try await pair.sql(there, database: "precious").trimmed == "f")
                try await scene.runner.succeed(["restore", "--undo", "--dbname", "precious"])
                #expect(try await pair.sql(there, database: "precious").trimmed == "t")
                try await scene.runner.succeed(["restore", "--cleanup", "--keep-old", "0"])
                // A drill by the name of a database leaves it alone.
                let drill = try await scene.runner.run([
                    "verify", "--repository", scene.repositoryURL, "--kopia-snapshot", scene.snapshot, "--restore-into",
                    "precious", "--no-store",
                ])
                #expect(drill.exit == .exited(0), "\(drill.testDescription)")
                #expect(try await pair.sql(there, database: "precious").trimmed == "t")
                try await pair.sql("DROP DATABASE precious WITH (FORCE)")
            }
        }

        /// The line of a check, and below it what to do.
        static func expect(
            _ outcome: Program.Outcome, _ verdict: String, _ check: String, _ finding: String
        ) throws {
            let lines = outcome.output.split(separator: "\n")
            let position = try #require(
                lines.firstIndex { $0.split(separator: " ").dropFirst().first == check[...] },
                "\(outcome.testDescription)")
            #expect(lines[position].hasPrefix(verdict + " "), "\(outcome.output)")
            #expect(lines[position].contains(" \(finding)"), "\(outcome.output)")
            guard verdict == "NO-GO" else { return }
            #expect(lines[position + 1].contains("  hint: ") || check == "roles", "\(outcome.output)")
            #expect(lines.last?.hasPrefix("no-go: ") == true)
            #expect(outcome.exit == .exited(4), "\(outcome.testDescription)")
        }
    }
}
