import Glibc
import GoFormats
import ProcessIO
import Testing

extension IntegrationTests {
    /// Restores that are not the usual one: in place, one table, the drill, only looking.
    struct RestoreModes {
        @Test func inPlaceDropsFirstAndOnlyWhenToldTo() async throws {
            try await RestoreScene.with("inplace") { bench, scene in
                try await scene.pair.sql("DELETE FROM items WHERE id > 100", database: scene.database)
                let before = try await scene.pair.itemsHash("inplace")
                let untold = try await scene.runner.run(scene.arguments + ["--in-place"])
                #expect(untold.exit == .exited(2))
                #expect(
                    untold.errors.contains("--in-place drops the live database before the restored one is complete"))

                // A snapshot that is not what it says is found before anything is dropped.
                let flags = ["--in-place", "--yes-drop-first"]
                let bad = try await scene.tampered(bench) { $0.replacingFirst("\n7\t", with: "\n7777\t") }
                let refused = try await scene.runner.run(scene.arguments(restoring: bad) + flags)
                #expect(refused.exit == .exited(6), "\(refused.testDescription)")
                #expect(try await scene.pair.itemsHash("inplace") == before)

                let killed = try await scene.runner.with(["POD_RUNNER_CRASH_AT": "dropped"]).run(
                    scene.arguments + flags)
                #expect(killed.exit == .signalled(SIGKILL), "\(killed.testDescription)")
                try await scene.pair.waitForNoRunner()
                let again = try await scene.runner.run(scene.arguments + flags)
                #expect(again.exit == .exited(0), "\(again.testDescription)")
                #expect(try await scene.pair.itemsHash("inplace") == scene.hash)
                let over = try await scene.runner.run(scene.arguments + flags)
                #expect(over.exit == .exited(0), "\(over.testDescription)")
                #expect(over.errors.contains("dropped database \"inplacedb\" to make room"))
                #expect(try await scene.pair.itemsHash("inplace") == scene.hash)
                #expect(try await scene.leftovers() == "")
            }
        }

        /// Statements in front of the rows and behind them, with the line of the dump; the database is as it was.
        @Test func inPlaceTriesAllButTheRowsBeforeItDrops() async throws {
            let above = """
                CREATE ROLE triedreader; GRANT SELECT ON items TO triedreader;
                """
            try await PostgresPair.running().superuser("DROP ROLE IF EXISTS triedreader")
            try await RestoreScene.with("tried", setup: "SELECT lo_from_bytea(0, 'blob')", bySuperuser: above) {
                bench, scene in
                let pair = scene.pair
                let flags = ["--in-place", "--yes-drop-first"]
                try await pair.superuser("DELETE FROM items WHERE id > 100", database: scene.database)
                let before = try await pair.itemsHash("tried")
                func lines(_ text: String) -> [Substring] {
                    text.split(separator: "\n", omittingEmptySubsequences: false)
                }
                let statement = "CREATE RULE late AS ON INSERT TO nowhere DO NOTHING;"
                let front = try await scene.tampered(bench) {
                    $0.replacingFirst("CREATE TABLE \"public\".\"items\" (", with: "CREATE TABLE \"gone\".\"items\" (")
                }
                let behind = try await scene.tampered(bench) { text in
                    let end = "--\n-- PostgreSQL database dump complete"
                    return text.replacingFirst(end, with: "\(statement)\n\n\(end)")
                }
                let cat = ["snapshot", "cat", "--repository", scene.repositoryURL]
                for (id, start, message) in [
                    (front, "CREATE TABLE \"gone\"", "schema \"gone\" does not exist"),
                    (behind, "CREATE RULE late", "relation \"nowhere\" does not exist"),
                ] {
                    let dump = lines(try await bench.podRunner.succeed(cat + [id, "backup.sql"]))
                    let line = try #require(dump.firstIndex { $0.hasPrefix(start) }) + 1
                    let refused = try await scene.runner.run(scene.arguments(restoring: id) + flags)
                    #expect(refused.exit == .exited(4), "\(refused.testDescription)")
                    #expect(
                        refused.errors.contains("failed at line \(line) of the dump: ERROR: \(message)"),
                        "\(refused.errors)")
                    #expect(!refused.errors.contains("dropped database"), "\(refused.errors)")
                    #expect(try await pair.itemsHash("tried") == before)
                    #expect(try await scene.leftovers() == "")
                }
                // Nothing is in the way any more; what the rehearsal made is told once.
                try await pair.superuser("DROP OWNED BY triedreader", database: scene.database)
                try await pair.superuser("DROP ROLE triedreader")
                let restored = try await scene.runner.run(scene.arguments + flags)
                #expect(restored.exit == .exited(0), "\(restored.testDescription)")
                #expect(restored.errors.contains("\nroles made: triedreader\n"), "\(restored.errors)")
                #expect(try await pair.itemsHash("tried") == scene.hash)
                #expect(try await scene.leftovers() == "")
                let blobs = "SELECT string_agg(convert_from(lo_get(oid), 'UTF8'), ',') FROM pg_largeobject_metadata"
                #expect(try await pair.superuser(blobs, database: scene.database).trimmed == "blob")
            }
            try await PostgresPair.running().superuser("DROP ROLE triedreader")
        }

        /// After the drop there is a note of what is left.
        @Test func inPlaceSaysThatTheDatabaseIsGone() async throws {
            try await RestoreScene.with("bare", rows: 10) { bench, scene in
                let bad = try await scene.tampered(bench) { text in
                    text.replacingFirst("\n7\t", with: "\nseven\t")
                }
                let flags = ["--in-place", "--yes-drop-first"]
                // Without a record nothing tells before that a row is wrong.
                let folder = bench.folder + "/tampered"
                unlink(folder + "/karaffe.json")
                try await bench.podRunner.succeed(["location", "push", "--repository", scene.repositoryURL, folder])
                let bare = try #require(
                    try await bench.snapshotIDs().first { $0 != bad && $0 != scene.snapshot })
                let failed = try await scene.runner.run(scene.arguments(restoring: bare) + flags)
                #expect(failed.exit == .exited(4), "\(failed.testDescription)")
                #expect(failed.errors.contains("dropped database \"baredb\" to make room"), "\(failed.errors)")
                #expect(
                    failed.errors.contains(
                        "database \"baredb\" was dropped and is not there: run the same restore again when what the error names"
                    ),
                    "\(failed.errors)")
                let again = try await scene.runner.run(scene.arguments + flags)
                #expect(again.exit == .exited(0), "\(again.testDescription)")
                #expect(try await scene.pair.itemsHash("bare") == scene.hash)
            }
        }

        @Test func oneTableComesIntoASchemaOfItsOwn() async throws {
            let setup = """
                CREATE SCHEMA "Other"; CREATE TABLE "Other"."My items" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                    item int REFERENCES items, twice int GENERATED ALWAYS AS (item * 2) STORED CHECK (twice > 0));
                INSERT INTO "Other"."My items" (item) SELECT id FROM items WHERE id < 50;
                CREATE INDEX "by item" ON "Other"."My items" (item); COMMENT ON TABLE "Other"."My items" IS 'mine';
                CREATE TABLE parts (id int) PARTITION BY RANGE (id); CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (9);
                INSERT INTO parts VALUES (1), (2);
                CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
                CREATE TRIGGER "on item" BEFORE UPDATE ON "Other"."My items" FOR EACH ROW EXECUTE FUNCTION noted();
                CREATE POLICY mine ON "Other"."My items" USING (true); GRANT SELECT ON "Other"."My items" TO PUBLIC;
                """
            try await RestoreScene.with("onetable", setup: setup) { bench, scene in
                try await scene.pair.sql(
                    "SET ROLE onetable; TRUNCATE items CASCADE", database: scene.database)
                let planned = try await scene.runner.run(scene.arguments + ["--table", "Other.My items", "--plan"])
                #expect(planned.exit == .exited(0), "\(planned.testDescription)")
                for text in [
                    "table \"Other\".\"My items\" would become \"restored_", ": 49 rows, ",
                    "left out of the table: 1 foreign keys, 1 grants, 1 policies, 1 triggers\n",
                    "\n  triggers: My items on item\n", "\n  foreign keys: My items My items_item_fkey\n",
                ] {
                    #expect(planned.output.contains(text), "\(planned.output)")
                }
                let made = try await scene.pair.sql(
                    "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'restored%'", database: scene.database)
                #expect(made.trimmed == "0")
                for (name, rows) in [("items", 300), ("Other.My items", 49), ("public.part1", 2)] {
                    let restored = try await scene.runner.run(
                        scene.arguments + ["--table", name, "--output", "json"])
                    #expect(restored.exit == .exited(0), "\(name): \(restored.testDescription)")
                    let report = try JSONParser.parse(restored.output)
                    #expect(report["rows"] == .integer(Int64(rows)))
                    #expect(report["leftOut"]?["triggers"] == (name == "Other.My items" ? .integer(1) : nil))
                    let schema = try #require(report["schema"]?.stringValue)
                    let table = try #require(report["table"]?.stringValue)
                    // The application uses it, and it stands alone.
                    let count = try await scene.pair.sql(
                        "SET ROLE onetable; SELECT count(*) FROM \"\(schema)\".\"\(table)\"", database: scene.database)
                    #expect(count.trimmed == "\(rows)")
                    let sequences = try await scene.pair.sql(
                        """
                        SELECT count(*) FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
                        JOIN pg_namespace n ON n.oid = s.relnamespace JOIN pg_class t ON t.oid = d.refobjid AND t.relnamespace <> n.oid
                        WHERE n.nspname = '\(schema)'
                        """, database: scene.database)
                    #expect(sequences.trimmed == "0")
                    try await scene.pair.sql("DROP SCHEMA \"\(schema)\" CASCADE", database: scene.database)
                }
                // The live tables are as they were.
                let live = try await scene.pair.sql("SELECT count(*) FROM items", database: scene.database)
                #expect(live.trimmed == "0")
                let unknown = try await scene.runner.run(scene.arguments + ["--table", "item"])
                #expect(unknown.exit == .exited(3))
                #expect(unknown.errors.contains("the snapshot has no table \"item\"\nhint: name one of: "))
                let partitioned = try await scene.runner.run(scene.arguments + ["--table", "parts"])
                #expect(partitioned.exit == .exited(3), "\(partitioned.testDescription)")
            }
        }

        @Test func theDrillLeavesAReportAndNothingElse() async throws {
            try await RestoreScene.with("drilled") { bench, scene in
                try await scene.pair.dropApplication("drilled")
                let drill = try await scene.runner.run([
                    "verify", "--repository", scene.repositoryURL, "--kopia-snapshot", scene.snapshot, "--restore-into",
                    "scratch", "--json",
                ])
                #expect(drill.exit == .exited(0), "\(drill.testDescription)")
                let report = try JSONParser.parse(drill.output)
                #expect(report["drill"] == .bool(true))
                #expect(report["verified"]?["tables"] == .integer(1))
                #expect(report["verified"]?["rows"] == .integer(300))
                let left = try await scene.pair.sql(
                    "SELECT datname FROM pg_database WHERE datname LIKE 'scratch%' UNION SELECT rolname FROM pg_roles WHERE rolname IN ('drilled') OR rolname LIKE 'karaffe%'"
                )
                #expect(left.trimmed == "")
                let listed = try await bench.podRunner.succeed([
                    "snapshot", "list", "--repository", scene.repositoryURL, "--json",
                ])
                #expect(listed.contains("Restore drill of snapshot \(scene.snapshot)"))
                #expect(listed.contains("/drills"))
                let read = try await bench.podRunner.run([
                    "verify", "--repository", scene.repositoryURL, "--kopia-snapshot", scene.snapshot,
                ])
                #expect(read.exit == .exited(0), "\(read.testDescription)")

                let bad = try await scene.tampered(bench) { $0.replacingFirst("\n7\t", with: "\n7777\t") }
                let failed = try await scene.runner.run([
                    "verify", "--repository", scene.repositoryURL, "--kopia-snapshot", bad, "--restore-into", "scratch",
                ])
                #expect(failed.exit == .exited(6), "\(failed.testDescription)")
                let stored = try await bench.podRunner.succeed([
                    "snapshot", "list", "--repository", scene.repositoryURL, "--json",
                ])
                let drills = try #require(try JSONParser.parse(stored).arrayValue).filter {
                    $0["description"]?.stringValue == "Restore drill of snapshot \(bad), failed"
                }
                #expect(drills.count == 1)
                let kept = try await bench.podRunner.succeed([
                    "snapshot", "cat", "--repository", scene.repositoryURL, drills.first?["id"]?.stringValue ?? "",
                    "drill.json",
                ])
                let failure = try JSONParser.parse(kept)["failure"]
                #expect(failure?["exitCode"] == .integer(6))
                #expect(failure?["message"]?.stringValue?.contains("is not the one that was recorded with it") == true)
            }
        }

        @Test func aDrillThatIsKilledLeavesNothingForLong() async throws {
            try await RestoreScene.with("halfdrill") { bench, scene in
                try await scene.pair.dropApplication("halfdrill")
                let arguments = [
                    "verify", "--repository", scene.repositoryURL, "--kopia-snapshot", scene.snapshot, "--restore-into",
                    "scratch", "--no-store",
                ]
                func left() async throws -> String {
                    try await scene.pair.sql(
                        "SELECT datname FROM pg_database WHERE datname LIKE 'scratch%' UNION SELECT rolname FROM pg_roles WHERE rolname IN ('halfdrill') OR rolname LIKE 'karaffe%'"
                    ).trimmed
                }
                // What the drill found it leaves as it was.
                try await scene.pair.sql("DROP ROLE IF EXISTS halfgroup; CREATE ROLE halfgroup; CREATE ROLE halfdrill")
                try await scene.pair.sql("GRANT halfgroup TO halfdrill; GRANT halfdrill TO flexadmin")
                try await scene.pair.sql("CREATE DATABASE halfdrilldb OWNER halfdrill")
                try await scene.pair.waitForStandby()
                try await bench.podRunner(reading: "halfdrilldb").succeed([
                    "backup", "--repository", scene.repositoryURL, "--path", "backup.sql",
                ])
                let joined = try #require(try await bench.snapshotIDs().first { $0 != scene.snapshot })
                try await scene.pair.sql("REVOKE halfgroup FROM halfdrill; DROP DATABASE halfdrilldb")
                let drill = try await scene.runner.run(arguments.map { $0 == scene.snapshot ? joined : $0 })
                #expect(drill.exit == .exited(0), "\(drill.testDescription)")
                #expect(
                    drill.errors.contains("halfdrill belongs to halfgroup in the backup and not here; a restore would"))
                let members = try await scene.pair.sql(
                    "SELECT count(*) FROM pg_auth_members WHERE roleid = 'halfgroup'::regrole")
                #expect(members.trimmed == "0")
                try await scene.pair.sql("DROP ROLE halfgroup; DROP ROLE halfdrill")
                for (point, next) in [
                    ("roles", arguments), ("rows", ["restore", "--cleanup"]), ("unbuilt", arguments),
                    ("unbuilt", ["restore", "--cleanup"]),
                ] {
                    let killed = try await scene.runner.with(["POD_RUNNER_CRASH_AT": point]).run(arguments)
                    #expect(killed.exit == .signalled(SIGKILL), "\(point): \(killed.testDescription)")
                    try await scene.pair.waitForNoRunner()
                    #expect(try await left().contains("halfdrill"), "\(point)")
                    let outcome = try await scene.runner.run(next)
                    #expect(outcome.exit == .exited(0), "\(point): \(outcome.testDescription)")
                    #expect(try await left() == "", "\(point)")
                }
            }
        }

        @Test func aPartNeverReplacesTheWhole() async throws {
            try await RestoreScene.with("partial", setup: "CREATE TABLE more (); GRANT SELECT ON more TO PUBLIC") {
                bench, scene in
                try await bench.podRunner(reading: scene.database).succeed([
                    "backup", "--repository", bench.repositoryURL, "--path", "backup.sql", "--tables", "public.items",
                ])
                let id = try #require(try await bench.snapshotIDs().first { $0 != scene.snapshot })
                let refused = try await scene.runner.run(scene.arguments(restoring: id))
                #expect(refused.exit == .exited(4))
                #expect(
                    refused.errors.contains("the snapshot has only a part of what was backed up"), "\(refused.errors)")
                try await scene.pair.sql("DROP DATABASE partialdb WITH (FORCE)")
                let restored = try await scene.runner.run(scene.arguments(restoring: id))
                #expect(restored.exit == .exited(0), "\(restored.testDescription)")
                #expect(try await scene.pair.itemsHash("partial") == scene.hash)
            }
        }

        /// On a server that never saw them: who was made, and who cannot log in before somebody gives it a password.
        @Test func rolesThatAreMadeAreNamed() async throws {
            let pair = try PostgresPair.running()
            let others = ["new_reader", "new_worker"]
            try await pair.superuser("DROP ROLE IF EXISTS new_reader; DROP ROLE IF EXISTS new_worker")
            try await pair.superuser("CREATE ROLE new_reader; CREATE ROLE new_worker LOGIN PASSWORD 'worker'")
            let grants = others.map { "GRANT SELECT ON items TO \($0);" }.joined()
            try await RestoreScene.with("stranger", rows: 10, setup: grants) { bench, scene in
                try await pair.dropApplication("stranger")
                try await pair.superuser("DROP ROLE new_reader; DROP ROLE new_worker")
                let restored = try await scene.runner.run(scene.arguments)
                #expect(restored.exit == .exited(0), "\(restored.testDescription)")
                for line in [
                    "roles made: new_reader",
                    "roles made without a password, which ALTER ROLE … PASSWORD gives them: new_worker",
                    "role stranger logs in with its password",
                ] {
                    #expect(restored.errors.contains("\n\(line)\n"), "\(restored.errors)")
                }
                let facts = try await pair.superuser(
                    "SELECT rolname, rolcanlogin, rolpassword IS NULL FROM pg_authid WHERE rolname LIKE 'new\\_%' ORDER BY 1"
                )
                #expect(facts.trimmed == "new_reader|f|t\nnew_worker|t|t")
            }
            try await pair.superuser("DROP ROLE new_reader; DROP ROLE new_worker")
        }

        @Test func lookingChangesNothing() async throws {
            try await RestoreScene.with("looked") { bench, scene in
                let catalog = "SELECT string_agg(d::text, ',' ORDER BY oid) FROM pg_database d"
                let before = try await scene.pair.sql(catalog)
                let go = try await scene.runner.run(scene.arguments + ["--plan"])
                #expect(go.exit == .exited(0), "\(go.testDescription)")
                #expect(go.output.hasSuffix("\ngo\n"))
                let noGo = try await scene.runner.run(
                    scene.arguments.filter { $0 != "--replace" } + ["--plan", "--output", "json"])
                #expect(noGo.exit == .exited(4))
                #expect(try JSONParser.parse(noGo.output)["go"] == .bool(false))
                let standby = try await scene.runner.with(["PGHOST": scene.pair.standby])
                    .run(scene.arguments + ["--plan"])
                #expect(standby.exit == .exited(4))
                #expect(standby.output.contains("is on a standby, which takes no writes"))
                #expect(try await scene.pair.sql(catalog) == before)
            }
        }
    }
}
