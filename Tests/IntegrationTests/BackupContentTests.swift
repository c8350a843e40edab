import Glibc
import GoFormats
import ProcessIO
import Testing

extension IntegrationTests {
    /// Everything a database can hold, dumped, restored with stock psql and with ours, dumped again: equal by digest.
    struct BackupContent {
        @Test(arguments: [
            ("everything", "UTF8", "C.UTF-8"), ("latin", "LATIN1", "C"), ("empty", "UTF8", "C.UTF-8"),
            ("ascii", "SQL_ASCII", "C"),
        ])
        func whatIsRestoredFromADumpHasItsDigests(_ name: String, _ encoding: String, _ locale: String) async throws {
            let pair = try PostgresPair.running()
            let (first, second, third) = ("content_\(name)", "content_\(name)_copy", "content_\(name)_ours")
            try await drop([first, second, third], pair)
            try await pair.superuser("CREATE ROLE everything_app")
            let creation = "TEMPLATE template0 ENCODING '\(encoding)' LC_COLLATE '\(locale)' LC_CTYPE '\(locale)'"
            for database in [first, second] { try await pair.superuser("CREATE DATABASE \(database) \(creation)") }
            try await fill(first, name, pair)
            let bench = try Workbench(pair)
            try await bench.makeRepository()
            let original = try await backup(first, bench)
            let dump = bench.folder + "/dump.sql"
            try await Program(path: "/bin/bash").with(bench.podRunner.environment).succeed([
                "-euc", #""$1" snapshot cat --repository "$2" "$3" backup.sql > "$4""#, "bash", Program.podRunner.path,
                bench.repositoryURL, original.snapshot, dump,
            ])
            try await psql(pair, second).succeed(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f", dump])
            let copy = try await backup(second, bench)
            #expect(copy.digests == original.digests)
            #expect(copy.digests.count == (name == "everything" ? 16 : name == "empty" ? 0 : 2))
            if name == "everything" {
                let hashes = "SELECT string_agg(oid || md5(lo_get(oid)), ',' ORDER BY oid) FROM pg_largeobject_metadata"
                #expect(try await pair.superuser(hashes, database: second) == pair.superuser(hashes, database: first))
                let guarded = try #require(original.digests.first { $0["table"]?.stringValue == "guarded" })
                #expect(guarded["rows"]?.integerValue == 1)
            }
            if name == "latin" {
                #expect(original.digests.map { $0["table"]?.stringValue } == ["Straße", "plain"])
                #expect(original.digests.first?["columns"] == ["größe"])
                // The names, not the bytes, are in the record.
                #expect(original.settings["client_encoding"]?.stringValue == "LATIN1")
            }
            try await expectRestored(original, of: first, into: third, bench)
            // A changed row shows, and only in its table.
            if name != "empty" {
                let table = try #require(original.digests.last?["table"]?.stringValue)
                let schema = try #require(original.digests.last?["schema"]?.stringValue)
                try await pair.superuser(
                    "DELETE FROM \(Self.identifier(schema)).\(Self.identifier(table))", database: second)
                let changed = try await backup(second, bench)
                #expect(changed.digests != copy.digests)
                #expect(changed.digests.dropLast() == copy.digests.dropLast())
            }
            try await drop([first, second, third], pair)
        }

        /// What `restore` makes of the snapshot is what was dumped: every row, every definition, every large object, and the
        /// database's own properties; judged by pg_dump and the server.
        private func expectRestored(
            _ original: Made, of first: String, into third: String, _ bench: borrowing Workbench
        ) async throws {
            let pair = bench.pair
            let outcome = try await bench.podRunner.with(superuserSettings(pair, third)).run([
                "restore", "--repository", bench.repositoryURL, "--kopia-snapshot", original.snapshot, "--output",
                "json",
            ])
            #expect(outcome.exit == .exited(0), "\(outcome.testDescription)")
            // Of a server that would publish nothing; whatever else is warned of would be a loss.
            let publishes = "warning: the server warned: wal_level is insufficient to publish logical changes"
            let warnings = outcome.errors.split(separator: "\n").filter { $0.hasPrefix("warning") && $0 != publishes }
            #expect(warnings == [])
            let report = try JSONParser.parse(outcome.output)
            #expect(report["verified"]?["tables"] == .integer(Int64(original.digests.count)))
            #expect(try await backup(third, bench).digests == original.digests)
            func schema(_ database: String) async throws -> [Substring] {
                let dump = Program(path: pair.bin + "/pg_dump").with(superuserSettings(pair, database))
                // The key of \\restrict is another one each time.
                return try await dump.succeed(["--schema-only"]).split(separator: "\n").filter {
                    !$0.hasPrefix("\\restrict ") && !$0.hasPrefix("\\unrestrict ")
                }
            }
            #expect(try await schema(third) == schema(first))
            let facts = """
                SELECT pg_encoding_to_char(encoding), datcollate, datctype, datlocprovider, datdba::regrole, datacl, datconnlimit
                FROM pg_database WHERE datname = current_database();
                SELECT oid, lomowner::regrole, lomacl, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY oid;
                SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2;
                """
            #expect(try await pair.superuser(facts, database: third) == pair.superuser(facts, database: first))
        }

        @Test func anUnchangedDatabaseAddsNextToNothing() async throws {
            let pair = try PostgresPair.running()
            try await pair.dropApplication("still")
            try await pair.makeApplication("still", password: "secret", rows: 60_000)
            let bench = try Workbench(pair)
            try await bench.makeRepository()
            var sizes: [Int64] = []
            var digests: [[JSONValue]] = []
            for _ in 0..<3 {
                let made = try await backup("stilldb", bench)
                sizes.append(made.added)
                digests.append(made.digests)
                // Other sessions' settings must not show in the dump.
                try await pair.superuser(
                    "ALTER DATABASE stilldb SET TimeZone = 'Asia/Kolkata'; ALTER ROLE flexadmin SET bytea_output = 'escape'; ALTER ROLE flexadmin SET DateStyle = 'German'"
                )
                try await pair.waitForStandby()
            }
            try await pair.superuser("ALTER ROLE flexadmin RESET ALL")
            #expect(sizes[0] > 1_000_000)
            #expect(sizes[1] < 32_768 && sizes[2] < 32_768, "\(sizes)")
            #expect(digests[0] == digests[1] && digests[1] == digests[2])
            try await pair.dropApplication("still")
        }

        @Test func partsOfADatabase() async throws {
            let pair = try PostgresPair.running()
            try await pair.dropApplication("parts")
            try await pair.makeApplication("parts", password: "secret", rows: 10)
            try await pair.sql(
                "SET ROLE parts; CREATE TABLE log (a int); INSERT INTO log VALUES (1)", database: "partsdb")
            let bench = try Workbench(pair)
            try await bench.makeRepository()
            func rows(_ arguments: [String]) async throws -> [String: Int64] {
                let made = try await backup("partsdb", bench, arguments)
                return made.digests.reduce(into: [:]) {
                    $0[$1["table"]?.stringValue ?? ""] = $1["rows"]?.integerValue
                }
            }
            #expect(try await rows([]) == ["items": 10, "log": 1])
            #expect(try await rows(["--tables", "items"]) == ["items": 10])
            #expect(try await rows(["--exclude-table-data", "log"]) == ["items": 10])
            #expect(try await rows(["--schema-only"]) == [:])
            let wrong = try await bench.podRunner(reading: "partsdb").run(
                BackupRetry.arguments(bench, ["--tables", "nowhere"]))
            #expect(wrong.exit == .exited(4))
            #expect(wrong.errors.contains("no matching tables were found"), "\(wrong.testDescription)")
            try await pair.dropApplication("parts")
        }

        @Test(arguments: [#"it's "quoted" \ $HOME $(id) `id`"#, "two\nlines ###Phase-output###: {}", "späce ü %s -- ;"])
        func namesAndPasswordsWithEverythingInThem(_ name: String) async throws {
            let pair = try PostgresPair.running()
            let (identifier, literal) = (Self.identifier(name), Self.literal(name))
            try await pair.superuser(
                """
                DROP DATABASE IF EXISTS \(identifier) WITH (FORCE); DROP ROLE IF EXISTS \(identifier);
                CREATE ROLE \(identifier) LOGIN PASSWORD \(literal);
                CREATE DATABASE \(identifier) OWNER \(identifier);
                """)
            try await pair.waitForStandby()
            let bench = try Workbench(pair, repositoryPassword: "repository " + name.replacing("\n", with: " "))
            try await bench.makeRepository()
            let settings = pair.adminEnvironment(host: pair.standby, database: name)
                .merging(["PGUSER": name, "PGPASSWORD": name]) { $1 }
            let outcome = try await bench.podRunner.with(settings).run(BackupRetry.arguments(bench, []))
            #expect(outcome.exit == .exited(0), "\(outcome.testDescription)")
            // Nothing but the last line is an output line.
            #expect(outcome.output.split(separator: "\n").count == 1)
            let record = try JSONParser.parse(try await bench.record(try #require(try await bench.snapshotIDs().first)))
            #expect(record["database"]?["name"]?.stringValue == name)
            #expect(record["roles"]?["roles"]?.arrayValue?.map { $0["name"]?.stringValue } == [name])
            try await pair.superuser("DROP DATABASE \(identifier) WITH (FORCE); DROP ROLE \(identifier)")
        }

        private static func identifier(_ name: String) -> String { "\"\(name.replacing("\"", with: "\"\""))\"" }
        private static func literal(_ name: String) -> String {
            "E'\(name.replacing("\\", with: "\\\\").replacing("'", with: "''"))'"
        }

        struct Made {
            let snapshot: String
            let digests: [JSONValue]
            let settings: JSONValue
            let added: Int64
        }

        private func backup(
            _ database: String, _ bench: borrowing Workbench, _ more: [String] = []
        ) async throws -> Made {
            try await bench.pair.waitForStandby()
            // The superuser reads what row security hides, and large objects of others.
            let runner = bench.podRunner.with(superuserSettings(bench.pair, database))
            let output = try await runner.succeed(BackupRetry.arguments(bench, more))
            let line = try #require(output.split(separator: "\n").last)
            let value = try #require(try JSONParser.parse(String(line.dropFirst(20)))["value"]?.stringValue)
            let reference = try JSONParser.parse(value)
            let id = try #require(reference["id"]?.stringValue)
            let tables = try #require(try JSONParser.parse(try await bench.record(id))["tables"])
            return Made(
                snapshot: id, digests: try #require(tables["digests"]?.arrayValue),
                settings: try #require(tables["settings"]), added: try #require(reference["physicalSize"]?.integerValue)
            )
        }

        private func superuserSettings(_ pair: PostgresPair, _ database: String) -> [String: String] {
            [
                "PGHOST": pair.folder + "/pair/sockets", "PGPORT": pair.port, "PGUSER": "postgres",
                "PGDATABASE": database,
            ]
        }

        private func psql(_ pair: PostgresPair, _ database: String) -> Program {
            Program(path: pair.bin + "/psql").with(superuserSettings(pair, database))
        }

        private func fill(_ database: String, _ name: String, _ pair: PostgresPair) async throws {
            switch name {
            case "everything":
                let path = Program.packageFolder + "/Tests/IntegrationTests/Fixtures/everything.sql"
                try await psql(pair, database).succeed([
                    "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f", path,
                ])
            case "latin":
                try await pair.superuser(
                    """
                    SET client_encoding = 'UTF8';
                    CREATE TABLE "Straße" ("größe" text); INSERT INTO "Straße" VALUES ('Ärger für 3 £'), ('ÿ');
                    CREATE TABLE plain (a int); INSERT INTO plain VALUES (1);
                    """, database: database)
            case "ascii":
                try await pair.superuser(
                    """
                    CREATE TABLE bytes (a text); INSERT INTO bytes VALUES (E'\\xe4 no \\xff UTF-8');
                    CREATE TABLE plain (a int); INSERT INTO plain VALUES (1);
                    """, database: database)
            default: break
            }
        }

        private func drop(_ databases: [String], _ pair: PostgresPair) async throws {
            for database in databases { try await pair.superuser("DROP DATABASE IF EXISTS \(database) WITH (FORCE)") }
            try await pair.superuser("DROP ROLE IF EXISTS everything_app")
        }
    }
}
