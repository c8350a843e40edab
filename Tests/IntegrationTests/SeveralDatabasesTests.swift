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

        @Test func oneThatFailsDoesNotStopTheOthers() async throws {
            let pair = try PostgresPair.running()
            try await pair.dropApplication("good")
            try await pair.makeApplication("good", password: "secret", rows: 10)
            let bench = try Workbench(pair)
            try await bench.makeRepository()
            let outcome = try await bench.podRunner.with(pair.adminEnvironment(host: pair.standby)).run(
                BackupRetry.arguments(bench, ["--database", "missing", "--database", "gooddb", "--retries", "0"]))
            #expect(outcome.exit == .exited(4))
            #expect(outcome.errors.contains("1 of 2 databases backed up"))
            #expect(outcome.errors.contains("1 of 2 databases could not be backed up; the first: "))
            let value = try Self.value(outcome.output)
            #expect(value.map { $0["database"]?.stringValue } == ["missing", "gooddb"])
            #expect(value[0]["error"]?.stringValue?.contains("database \"missing\" does not exist") == true)
            #expect(try await bench.snapshotIDs() == value.compactMap { $0["kopiaSnapshot"]?["id"]?.stringValue })
            try await pair.dropApplication("good")
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
