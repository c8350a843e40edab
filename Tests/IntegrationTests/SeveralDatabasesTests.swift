import Glibc
import GoFormats
import ProcessIO
import Testing

extension IntegrationTests {
    /// One run, one report, a snapshot for each database.
    struct SeveralDatabases {
        /// `KARAFFE_TEST_DATABASES=200` for the large run.
        static let count = getenv("KARAFFE_TEST_DATABASES").flatMap { Int(String(cString: $0)) } ?? 12

        @Test func allDatabasesOfAServer() async throws {
            let pair = try PostgresPair.running()
            let names = (1...Self.count).map { "many_\($0)" }
            for name in names { try await pair.superuser("DROP DATABASE IF EXISTS \(name) WITH (FORCE)") }
            for name in names { try await pair.superuser("CREATE DATABASE \(name)") }
            try await pair.superuser(
                "CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 100)", database: "many_1")
            try await pair.superuser("CREATE DATABASE azure_maintenance")
            try await pair.waitForStandby()
            let bench = try Workbench(pair)
            try await bench.makeRepository()
            let output = try await bench.podRunner.with(pair.adminEnvironment(host: pair.standby)).succeed(
                BackupRetry.arguments(bench, ["--all-databases"]))
            let value = try Self.value(output)
            let found = value.compactMap { $0["database"]?.stringValue }.filter { $0.hasPrefix("many_") }
            #expect(found == names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
            #expect(!value.contains { ["postgres", "azure_maintenance"].contains($0["database"]?.stringValue) })
            let ids = value.compactMap { $0["kopiaSnapshot"]?["id"]?.stringValue }
            #expect(ids.count == value.count)
            #expect(Set(try await bench.snapshotIDs()) == Set(ids))
            let artifact = GoJSON.text(.array(value))
            let delete = ["delete", "--repository", bench.repositoryURL, "--kopia-snapshot", artifact]
            let wrong = try await bench.podRunner.run(delete + ["--database", "many_1", "--database", "many_0"])
            #expect(wrong.exit == .exited(3))
            #expect(wrong.errors.contains("the artifact has no snapshot of database \"many_0\""))
            try await bench.podRunner.succeed(delete + ["--database", "many_1", "--database", "many_2"])
            #expect(try await bench.snapshotIDs().count == ids.count - 2)
            try await bench.podRunner.succeed(delete)
            #expect(try await bench.snapshotIDs() == [])
            let again = try await bench.podRunner.run(delete)
            #expect(again.exit == .exited(0), "\(again.testDescription)")
            for name in names + ["azure_maintenance"] { try await pair.superuser("DROP DATABASE \(name) WITH (FORCE)") }
        }

        /// One database of three with a table that the user may not read.
        @Test(arguments: [false, true])
        func oneThatFailsDoesNotStopTheOthers(_ keepsPartial: Bool) async throws {
            let pair = try PostgresPair.running()
            let names = ["part_a", "part_b", "part_c"]
            func remove() async throws {
                for name in names { try await pair.superuser("DROP DATABASE IF EXISTS \(name) WITH (FORCE)") }
                try await pair.superuser("DROP ROLE IF EXISTS part_reader")
            }
            try await remove()
            try await pair.superuser("CREATE ROLE part_reader LOGIN PASSWORD 'secret'")
            for name in names {
                try await pair.superuser("CREATE DATABASE \(name)")
                try await pair.superuser("CREATE TABLE t (a int); INSERT INTO t VALUES (1)", database: name)
                if name != "part_b" { try await pair.superuser("GRANT SELECT ON t TO part_reader", database: name) }
            }
            try await pair.waitForStandby()
            let bench = try Workbench(pair)
            try await bench.makeRepository()
            let runner = bench.podRunner.with(pair.adminEnvironment(host: pair.standby))
                .with(["PGUSER": "part_reader", "PGPASSWORD": "secret"])
            let outcome = try await runner.run(
                BackupRetry.arguments(
                    bench, names.flatMap { ["--database", $0] } + (keepsPartial ? ["--keep-partial"] : [])))
            #expect(outcome.exit == .exited(4), "\(outcome.testDescription)")
            #expect(outcome.errors.contains("database \"part_b\" failed: "))
            #expect(outcome.errors.contains("2 of 3 databases backed up\n"))
            #expect(outcome.errors.contains("1 of 3 databases could not be backed up; the first: "))
            let ids = try await bench.snapshotIDs()
            if keepsPartial {
                let value = try Self.value(outcome.output)
                #expect(value.map { $0["database"]?.stringValue } == names)
                #expect(value[1]["error"]?.stringValue?.contains("part_reader") == true, "\(value[1])")
                let kept = [value[0], value[2]].compactMap { $0["kopiaSnapshot"]?["id"]?.stringValue }
                #expect(Set(ids) == Set(kept))
                #expect(
                    outcome.errors.contains(
                        "kept, as --keep-partial says, though the run as a whole failed:\n  part_a: snapshot \(kept[0])\n  part_c: snapshot \(kept[1])\n"
                    ), "\(outcome.errors)")
                // The array with an error in it is an artifact like any other.
                try await bench.podRunner.succeed([
                    "delete", "--repository", bench.repositoryURL, "--kopia-snapshot", GoJSON.text(.array(value)),
                ])
                #expect(try await bench.snapshotIDs() == [])
            } else {
                #expect(!outcome.output.contains("###Phase-output###"))
                #expect(ids == [])
                #expect(
                    outcome.errors.contains(
                        "removed again, because the run as a whole failed (--keep-partial keeps them):\n  part_a: snapshot "
                    ),
                    "\(outcome.errors)")
                #expect(outcome.errors.contains("\n  part_c: snapshot "))
                // What was stored need not be stored again.
                try await pair.superuser("GRANT SELECT ON t TO part_reader", database: "part_b")
                try await pair.waitForStandby()
                let again = try await runner.run(
                    BackupRetry.arguments(bench, names.flatMap { ["--database", $0] }))
                #expect(again.exit == .exited(0), "\(again.testDescription)")
                #expect(try await bench.snapshotIDs().count == 3)
            }
            try await remove()
        }

        /// The second database's dump waits for a lock while the signal comes.
        @Test(arguments: [false, true])
        func oneThatIsStoppedSettlesWhatItMade(_ keepsPartial: Bool) async throws {
            let pair = try PostgresPair.running()
            let names = ["halt_a", "halt_b"]
            for name in names {
                try await pair.superuser("DROP DATABASE IF EXISTS \(name) WITH (FORCE)")
                try await pair.superuser("CREATE DATABASE \(name)")
                try await pair.superuser("CREATE TABLE t (a int); INSERT INTO t VALUES (1)", database: name)
            }
            let bench = try Workbench(pair)
            try await bench.makeRepository()
            let psql = Program(path: pair.bin + "/psql").with(pair.superuserEnvironment(database: "halt_b"))
            let runner = bench.podRunner.with(pair.adminEnvironment(host: pair.primary))
            let arguments = BackupRetry.arguments(
                bench, names.flatMap { ["--database", $0] } + (keepsPartial ? ["--keep-partial"] : []))
            let holding = try await psql.run(
                ["-X", "-q", "-f", "-"], input: "BEGIN; LOCK TABLE t; SELECT pg_sleep(600);"
            ) { holder in
                try await pair.wait(
                    for:
                        "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 't'::regclass",
                    database: "halt_b")
                let outcome = try await runner.run(arguments) { process in
                    try await pair.wait(for: "SELECT count(*) FROM pg_locks WHERE NOT granted", database: "halt_b")
                    kill(process, SIGTERM)
                }
                #expect(outcome.exit == .exited(143), "\(outcome.testDescription)")
                #expect(!outcome.output.contains("###Phase-output###"))
                #expect(
                    outcome.errors.contains(
                        keepsPartial
                            ? "kept, as --keep-partial says, though the run as a whole failed:\n  halt_a: snapshot "
                            : "removed again, because the run as a whole failed (--keep-partial keeps them):\n  halt_a: snapshot "
                    ), "\(outcome.errors)")
                kill(holder, SIGKILL)
            }
            #expect(holding.exit == .signalled(SIGKILL))
            #expect(try await bench.snapshotIDs().count == (keepsPartial ? 1 : 0))
            for name in names { try await pair.superuser("DROP DATABASE \(name) WITH (FORCE)") }
        }

        @Test func theRolesOfADatabaseAndNoOthers() async throws {
            let pair = try PostgresPair.running()
            let names = [
                "c_owner", "c_reader", "c_member", "c_group", "c_acts", "c_target", "c_default", "c_other", "c_set",
            ]
            try await pair.superuser("DROP DATABASE IF EXISTS closure WITH (FORCE)")
            for name in names { try await pair.superuser("DROP ROLE IF EXISTS \(name)") }
            for name in names { try await pair.superuser("CREATE ROLE \(name)") }
            try await pair.superuser(
                """
                CREATE DATABASE closure OWNER c_owner;
                GRANT c_owner TO c_member; GRANT c_group TO c_owner; GRANT pg_monitor TO c_owner;
                GRANT c_other TO c_member; GRANT c_owner TO c_acts;
                ALTER ROLE c_acts SET role = 'c_target'; ALTER ROLE c_acts SET work_mem = '8MB';
                ALTER ROLE c_set IN DATABASE closure SET search_path = 'a', 'b';
                COMMENT ON ROLE c_owner IS 'it''s the owner';
                """)
            try await pair.superuser(
                """
                CREATE TABLE t (a int); GRANT SELECT ON t TO c_reader;
                ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO c_default;
                """, database: "closure")
            try await pair.waitForStandby()
            let bench = try Workbench(pair)
            try await bench.makeRepository()
            try await bench.podRunner(reading: "closure").succeed(BackupRetry.arguments(bench, []))
            let id = try #require(try await bench.snapshotIDs().first)
            let roles = try #require(try JSONParser.parse(try await bench.record(id))["roles"])
            let found = roles["roles"]?.arrayValue?.compactMap { $0["name"]?.stringValue }.filter { $0.hasPrefix("c_") }
            #expect(found == names.filter { $0 != "c_other" }.sorted())
            let memberships = try #require(roles["memberships"]?.arrayValue).map {
                "\($0["role"]?.stringValue ?? "")>\($0["member"]?.stringValue ?? "")"
            }
            for expected in ["c_owner>c_member", "c_group>c_owner", "pg_monitor>c_owner", "c_owner>c_acts"] {
                #expect(memberships.contains(expected), "\(expected)")
            }
            #expect(!memberships.contains("c_other>c_member"))
            // The script makes them on a server that has none of them, and again where they are.
            let script = try await bench.podRunner.succeed([
                "snapshot", "cat", "--repository", bench.repositoryURL, id, "roles.sql",
            ])
            #expect(!script.lowercased().contains("scram") && !script.contains("PASSWORD '"))
            try await pair.superuser("DROP DATABASE closure WITH (FORCE)")
            for name in names { try await pair.superuser("DROP ROLE \(name)") }
            for _ in 0..<2 { try await pair.superuser(script) }
            let facts = try await pair.superuser(
                """
                SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = 'c_owner';
                SELECT setting FROM pg_roles, unnest(rolconfig) AS setting WHERE rolname = 'c_acts' ORDER BY 1;
                """)
            #expect(facts.trimmed == "it's the owner\nrole=c_target\nwork_mem=8MB")
            for name in names { try await pair.superuser("DROP ROLE IF EXISTS \(name)") }
        }

        private static func value(_ output: String) throws -> [JSONValue] {
            let line = try #require(output.split(separator: "\n").last)
            let value = try #require(try JSONParser.parse(String(line.dropFirst(20)))["value"]?.stringValue)
            return try #require(try JSONParser.parse(value).arrayValue)
        }
    }
}
