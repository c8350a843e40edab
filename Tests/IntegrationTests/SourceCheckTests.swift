import GoFormats
import ProcessIO
import Testing

extension IntegrationTests {
    /// What is said about a source before it is dumped, and how fresh it has to be.
    struct SourceLook {
        @Test func aPrimaryAndItsStandby() async throws {
            let pair = try PostgresPair.running()
            for (host, isStandby) in [(pair.primary, false), (pair.standby, true)] {
                let runner = Program.podRunner.with(pair.adminEnvironment(host: host))
                let report = try JSONParser.parse(try await runner.succeed(["check", "--output", "json"]))
                #expect(report["possible"]?.boolValue == true)
                #expect(report["server"]?["standby"]?.boolValue == isStandby)
                #expect((report["server"]?["replication"]?.isNull ?? true) != isStandby)
                let text = try await runner.succeed(["check"])
                #expect(text.contains(isStandby ? "\nrole           standby\n" : "\nrole           primary\n"))
                #expect(text.hasSuffix("a backup is possible\n"))
            }
        }

        @Test func whatCannotBeReadIsSaidBeforeTheDump() async throws {
            let pair = try PostgresPair.running()
            try await pair.superuser(
                """
                DROP DATABASE IF EXISTS closeddb WITH (FORCE);
                DROP ROLE IF EXISTS reader; DROP ROLE IF EXISTS keeper;
                CREATE ROLE reader LOGIN PASSWORD 'reader'; CREATE ROLE keeper;
                CREATE DATABASE closeddb OWNER keeper;
                """)
            try await pair.superuser(
                """
                SET ROLE keeper;
                CREATE TABLE open_table (a int); GRANT SELECT ON open_table TO reader;
                CREATE TABLE closed_table (a int);
                CREATE TABLE guarded (a int); GRANT SELECT ON guarded TO reader;
                ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
                CREATE UNLOGGED TABLE scratch (a int); GRANT SELECT ON scratch TO reader;
                SELECT lo_from_bytea(0, 'secret');
                RESET ROLE;
                CREATE PUBLICATION everything FOR ALL TABLES;
                CREATE EXTENSION postgres_fdw;
                CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'x');
                CREATE USER MAPPING FOR keeper SERVER elsewhere OPTIONS (user 'u', password 'hidden-word');
                CREATE FUNCTION trig() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
                CREATE EVENT TRIGGER watcher ON ddl_command_end EXECUTE FUNCTION trig();
                """, database: "closeddb")
            try await pair.waitForStandby()
            let settings = pair.adminEnvironment(host: pair.standby, database: "closeddb")
                .merging(["PGUSER": "reader", "PGPASSWORD": "reader"]) { $1 }
            let outcome = try await Program.podRunner.with(settings).run(["check", "-O", "json"])
            #expect(outcome.exit == .exited(4), "\(outcome.testDescription)")
            let report = try JSONParser.parse(outcome.output)
            #expect(report["possible"]?.boolValue == false)
            let findings = try #require(report["findings"]?.arrayValue)
            func message(_ code: String) -> String? {
                findings.first { $0["code"]?.stringValue == code }?["message"]?.stringValue
            }
            #expect(
                message("unreadable-tables")
                    == "tables or sequences that reader cannot read: public.closed_table")
            #expect(message("row-security") == "tables of which row security would hide rows: public.guarded")
            #expect(message("unlogged-tables")?.hasSuffix(": public.scratch") == true)
            #expect(message("unreadable-large-objects") == "1 large object that reader cannot read")
            #expect(message("publications")?.hasSuffix(": everything") == true)
            #expect(message("event-triggers")?.hasSuffix(": watcher") == true)
            #expect(message("foreign-servers")?.hasSuffix(": elsewhere") == true)
            #expect(message("user-mappings")?.hasSuffix(": elsewhere for keeper") == true)
            #expect(!outcome.output.contains("hidden-word"))

            let bench = try Workbench(pair)
            try await bench.makeRepository()
            let backup = try await bench.podRunner.with(settings).run(BackupRetry.arguments(bench, []))
            #expect(backup.exit == .exited(4))
            #expect(backup.errors.contains("cannot be dumped: tables or sequences that reader cannot read"))
            #expect(!backup.errors.contains("attempt 1"))
            // A part that can be read can be dumped.
            try await bench.podRunner.with(settings).succeed(
                BackupRetry.arguments(bench, ["--table", "open_table"]))
            let record = try await bench.record(try #require(try await bench.snapshotIDs().first))
            #expect(try JSONParser.parse(record)["scope"]?["tables"] == ["open_table"])
            try await pair.superuser("DROP DATABASE closeddb WITH (FORCE); DROP ROLE reader; DROP ROLE keeper")
        }

        @Test func aStandbyThatLagsIsWaitedForOrRefused() async throws {
            let pair = try PostgresPair.running()
            try await pair.dropApplication("lagging")
            try await pair.makeApplication("lagging", password: "secret", rows: 100)
            try await pair.superuser(
                """
                GRANT EXECUTE ON FUNCTION pg_wal_replay_pause() TO flexadmin;
                GRANT EXECUTE ON FUNCTION pg_wal_replay_resume() TO flexadmin;
                """)
            try await pair.superuser("GRANT EXECUTE ON FUNCTION pg_wal_replay_resume() TO flexadmin")
            try await pair.waitForStandby()
            let bench = try Workbench(pair)
            try await bench.makeRepository()
            _ = try await pair.standbySQL("SELECT pg_wal_replay_pause()")
            try await pair.sql("INSERT INTO items (name) VALUES ('after the pause')", database: "laggingdb")
            let runner = bench.podRunner(reading: "laggingdb")
            let refused = try await runner.run(
                BackupRetry.arguments(bench, ["--wait-for-primary", pair.primary, "--catch-up", "1s"]))
            #expect(refused.exit == .exited(4), "\(refused.testDescription)")
            #expect(refused.errors.contains("waiting: the standby has replayed up to "))
            #expect(refused.errors.contains("short of the primary's "))
            #expect(!refused.errors.contains("attempt 2"))
            let stale = try await runner.run(
                BackupRetry.arguments(bench, ["--max-lag", "0", "--catch-up", "0"]))
            #expect(stale.exit == .exited(4))
            #expect(stale.errors.contains("s behind, 0 s are allowed"), "\(stale.testDescription)")
            let outcome = try await runner.run(
                BackupRetry.arguments(bench, ["--wait-for-primary", pair.primary, "--catch-up", "60s"])
            ) { _ in
                try await Task.sleep(for: .milliseconds(300))
                _ = try await pair.standbySQL("SELECT pg_wal_replay_resume()")
            }
            #expect(outcome.exit == .exited(0), "\(outcome.testDescription)")
            let record = try JSONParser.parse(try await bench.record(try #require(try await bench.snapshotIDs().first)))
            #expect(record["tables"]?["digests"]?.arrayValue?.first?["rows"]?.integerValue == 101)
            let wrong = try await runner.run(
                BackupRetry.arguments(bench, ["--wait-for-primary", pair.standby, "--retries", "0"]))
            #expect(wrong.exit == .exited(3), "\(wrong.testDescription)")
            #expect(wrong.errors.contains("is a standby, not the primary to wait for"))
            try await pair.dropApplication("lagging")
        }
    }
}
