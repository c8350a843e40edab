import ProcessIO
import Synchronization
import Testing

@testable import PostgresDump

extension IntegrationTests {
    /// The rows of a database against those of its dump, over several connections and by ranges of blocks.
    struct RestoreComparison {
        /// Tables of some hundred blocks, with gaps, and tables of kinds that have no blocks or no rows of their own.
        fileprivate static let tables = """
            CREATE TABLE plain (id int PRIMARY KEY, a text, dropped text, "b ""c" int, twice int GENERATED ALWAYS AS (id * 2) STORED);
            ALTER TABLE plain DROP COLUMN dropped;
            INSERT INTO plain SELECT n, md5(n::text), CASE WHEN n % 7 <> 0 THEN n END FROM generate_series(1, 40000) n;
            DELETE FROM plain WHERE id % 3 = 0 OR id BETWEEN 5000 AND 15000;
            CREATE TABLE "Toasted One" (id int, body text, raw bytea);
            ALTER TABLE "Toasted One" ALTER body SET STORAGE EXTERNAL;
            INSERT INTO "Toasted One"
            SELECT n, repeat(md5(n::text) || chr(9) || chr(10), 200), decode(repeat(md5(n::text), 99), 'hex') FROM generate_series(1, 2000) n;
            CREATE TABLE elder (a int, t text); CREATE TABLE younger (b int) INHERITS (elder);
            INSERT INTO elder SELECT n, md5(n::text) FROM generate_series(1, 20000) n;
            INSERT INTO younger SELECT n, md5(n::text), -n FROM generate_series(1, 20000) n;
            CREATE TABLE parts (k int NOT NULL, t text) PARTITION BY RANGE (k);
            CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (100); CREATE TABLE part2 PARTITION OF parts DEFAULT;
            INSERT INTO parts SELECT n, md5(n::text) FROM generate_series(1, 20000) n;
            CREATE TABLE nothing (); INSERT INTO nothing SELECT FROM generate_series(1, 20000);
            CREATE UNLOGGED TABLE unlogged AS SELECT n FROM generate_series(1, 20000) n; CREATE TABLE no_rows (a int);
            CREATE MATERIALIZED VIEW counted AS SELECT n FROM generate_series(1, 20000) n;
            CREATE TABLE guarded AS SELECT n, 'x' AS t FROM generate_series(1, 20000) n;
            ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON guarded USING (n < 10);
            CREATE TABLE written (id int, t text) WITH (fillfactor = 50);
            INSERT INTO written SELECT n, md5(n::text) FROM generate_series(1, 20000) n;
            UPDATE written SET t = 'new' WHERE id % 5 = 0;
            """

        fileprivate struct Scene: Sendable {
            let pair: PostgresPair
            let name: String
            /// Of what pg_dump writes.
            let digests: TableDigests
            let settings: PostgresSettings

            var copies: String {
                "FROM pg_stat_activity WHERE datname = '\(name)' AND query LIKE 'COPY % TO STDOUT' AND state = 'active'"
            }

            static func with(
                _ name: String, setup: String, on other: PostgresPair? = nil, _ body: (Scene) async throws -> Void
            ) async throws {
                let pair = try other ?? PostgresPair.running()
                try await pair.superuser("DROP DATABASE IF EXISTS \(name) WITH (FORCE)")
                try await pair.superuser("CREATE DATABASE \(name) TEMPLATE template0 ENCODING 'UTF8'")
                try await pair.superuser(setup, database: name)
                let environment = pair.superuserEnvironment(database: name)
                let values = CopyTextSettings(encoding: "UTF8", monetaryLocale: "C")
                let options = values.values.filter { !$0.value.isEmpty }.map { "-c \($0.name)=\($0.value)" }
                let dump = try await Program(path: pair.bin + "/pg_dump")
                    .with(environment).with(["PGOPTIONS": options.joined(separator: " ")])
                    .succeed(["--quote-all-identifiers"])
                let key = try #require(RowHashKey(Array(0..<16)))
                var digester = CopyDigester(key: key)
                try digester.scan(Array(dump.utf8))
                try await body(
                    Scene(
                        pair: pair, name: name,
                        digests: TableDigests(key: key, settings: values, tables: try digester.finish()),
                        settings: try PostgresSettings(environment: environment)))
                try await pair.superuser("DROP DATABASE \(name) WITH (FORCE)")
            }

            /// As `differences(in:jobs:)` with every table split that has two blocks.
            func differences(
                _ digests: TableDigests, _ jobs: Int, progress: @escaping @Sendable (Int64) -> Void = { _ in }
            ) async throws -> [TableDifference] {
                try await digests.differences(in: settings, jobs: jobs, splitFrom: 2, progress: progress)
            }

            /// Only the blocks in question are read, although somebody has turned that off for the database.
            func expectRanges(of table: String) async throws {
                try await pair.superuser("ALTER DATABASE \(name) SET enable_tidscan = off; ANALYZE", database: name)
                try await PostgresClient.with(settings) { client in
                    try await client.prepare(for: digests.settings, withRanges: true)
                    for range in ["ctid >= '(0,0)' AND ctid < '(9,0)'", "ctid >= '(9,0)'"] {
                        let plan = try await client.query("EXPLAIN SELECT * FROM ONLY \(table) WHERE \(range)")
                        let top = plan.rows.first?.text("QUERY PLAN") ?? ""
                        #expect(top.hasPrefix("Tid Range Scan"), "\(top)")
                    }
                }
            }
        }

        @Test func whatIsEqualAndWhatIsNot() async throws {
            try await Scene.with("compared", setup: Self.tables) { scene in
                let digests = scene.digests
                #expect(digests.tables.count == 11)
                for jobs in [1, 2, 4] {
                    let read = Mutex(Int64(0))
                    let found = try await scene.differences(digests, jobs) { count in read.withLock { $0 += count } }
                    #expect(found == [], "\(jobs)")
                    #expect(read.withLock { $0 } == digests.tables.reduce(0) { $0 + $1.bytes }, "\(jobs)")
                }
                // In the last block of one table; a hash of the record; a table too few; rows behind the last block.
                try await scene.pair.superuser(
                    """
                    UPDATE "Toasted One" SET id = -1 WHERE ctid = (SELECT max(ctid) FROM "Toasted One");
                    DROP TABLE guarded; INSERT INTO elder SELECT n, 'new' FROM generate_series(1, 400) n;
                    """, database: scene.name)
                var wrong = digests
                let position = try #require(digests.tables.firstIndex { $0.table == "part2" })
                wrong.tables[position].content.hash ^= 1
                let expected = wrong.tables.filter {
                    ["Toasted One", "elder", "guarded", "part2"].contains($0.table)
                }
                for jobs in [1, 2, 4] {
                    let found = try await scene.differences(wrong, jobs)
                    #expect(found.map(\.table) == expected.map(\.qualifiedName), "\(jobs)")
                    #expect(found.map(\.expected) == expected.map(\.content), "\(jobs)")
                    for (difference, table) in zip(found, expected) {
                        let more: Int64 = table.table == "elder" ? 400 : 0
                        #expect(difference.found?.rows == (table.table == "guarded" ? nil : table.rows + more))
                    }
                }
            }
        }

        @Test func everyTypeIsTheSameByRanges() async throws {
            let everything = try await Program(path: "/bin/cat").succeed([
                Program.packageFolder + "/Tests/IntegrationTests/Fixtures/everything.sql"
            ])
            let more = """
                DO $$
                DECLARE columns text := (SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
                    WHERE attrelid = '"quo""ted"."Table ""with"" everything; -- "'::regclass
                      AND attnum > 0 AND attgenerated = '' AND attidentity = '');
                BEGIN
                    EXECUTE format('INSERT INTO "quo""ted"."Table ""with"" everything; -- " (%s) SELECT %s
                        FROM "quo""ted"."Table ""with"" everything; -- ", generate_series(1, 300)', columns, columns);
                END $$;
                """
            try await PostgresPair.running().superuser("DROP ROLE IF EXISTS everykind_app; CREATE ROLE everykind_app")
            let setup = everything.replacing("everything_app", with: "everykind_app") + more
            try await Scene.with("everykind", setup: setup) { scene in
                #expect(scene.digests.tables.first { $0.schema == "quo\"ted" }?.rows == 602)
                for jobs in [1, 3] { #expect(try await scene.differences(scene.digests, jobs) == [], "\(jobs)") }
                try await scene.expectRanges(of: "\"quo\"\"ted\".\"Table \"\"with\"\" everything; -- \"")
            }
            try await PostgresPair.running().superuser("DROP ROLE everykind_app")
        }

        /// Names that are not ASCII are written in the database's encoding, in both statements.
        @Test func namesOfAnotherEncoding() async throws {
            let pair = try PostgresPair.running()
            try await pair.superuser("DROP DATABASE IF EXISTS latinnames")
            try await pair.superuser(
                "CREATE DATABASE latinnames TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")
            try await pair.superuser(
                """
                SET client_encoding = 'UTF8';
                CREATE TABLE "Straße" ("größe" text); INSERT INTO "Straße" SELECT 'ÿ' || n FROM generate_series(1, 9999) n;
                """, database: "latinnames")
            let settings = try PostgresSettings(environment: pair.superuserEnvironment(database: "latinnames"))
            var digests = TableDigests(
                key: try #require(RowHashKey(Array(0..<16))),
                settings: CopyTextSettings(encoding: "LATIN1", monetaryLocale: "C"),
                tables: [TableDigest(schema: "public", table: "Straße", columns: ["größe"], content: RowsDigest())])
            digests.tables[0].content.bytes = 2
            let alone = try await digests.differences(in: settings, jobs: 1)
            #expect(alone.map { $0.found?.rows } == [9999])
            // One for ÿ, one for the line feed, and 38,889 digits.
            #expect(alone.map { $0.found?.bytes } == [58_887])
            digests.tables[0].content.bytes = 1 << 20
            let ranges = try await digests.differences(in: settings, jobs: 3, splitFrom: 1 << 16)
            #expect(ranges.map(\.found) == alone.map(\.found))
            try await pair.superuser("DROP DATABASE latinnames")
        }

        /// Each waits for a lock that nobody gives up meanwhile.
        @Test func oneEndsTheOthers() async throws {
            let setup =
                "CREATE TABLE a AS SELECT 1 AS n; CREATE TABLE b AS SELECT 1 AS n; CREATE TABLE c AS SELECT 1 AS n"
            try await Scene.with("cutoff", setup: setup) { scene in
                @Sendable func compare() async throws -> [TableDifference] {
                    try await scene.digests.differences(in: scene.settings, jobs: 2)
                }
                try await PostgresClient.with(scene.settings) { locker in
                    try await locker.query("BEGIN; LOCK TABLE a, b, c")
                    let lost = await #expect(throws: PostgresError.self) {
                        async let found = compare()
                        try await scene.pair.wait(for: "SELECT count(*) / 2 \(scene.copies)", database: scene.name)
                        try await scene.pair.superuser(
                            "SELECT pg_terminate_backend(pid) FROM (SELECT pid \(scene.copies) LIMIT 1) one")
                        _ = try await found
                    }
                    #expect(lost?.code == .connectionLost)
                    #expect(lost?.isTransient == true)
                    let task = Task { try await compare() }
                    try await scene.pair.wait(for: "SELECT count(*) / 2 \(scene.copies)", database: scene.name)
                    task.cancel()
                    await #expect(throws: CancellationError.self) { try await task.value }
                    try await scene.pair.wait(for: "SELECT (count(*) = 0)::int \(scene.copies)", database: scene.name)
                }
                #expect(try await compare() == [])
            }
        }

        /// The role may connect twice.
        @Test func fewerConnectionsThanWanted() async throws {
            let setup = """
                DROP ROLE IF EXISTS scarcely; CREATE ROLE scarcely LOGIN PASSWORD 'few' CONNECTION LIMIT 2 IN ROLE pg_read_all_data;
                CREATE TABLE a AS SELECT n FROM generate_series(1, 9999) n; CREATE TABLE b AS TABLE a; CREATE TABLE c AS TABLE a;
                """
            try await Scene.with("scarce", setup: setup) { scene in
                let settings = try PostgresSettings(
                    environment: scene.pair.adminEnvironment(host: scene.pair.primary, database: "scarce").merging([
                        "PGUSER": "scarcely", "PGPASSWORD": "few",
                    ]) { $1 })
                var opened = (tables: 0, connections: 0)
                let found = try await scene.digests.differences(in: settings, jobs: 4, begin: { opened = ($0, $1) })
                #expect(found == [])
                #expect(opened == (3, 2))

                // Who has come far waits for one that is about to be free.
                var patient = settings
                patient.patience = .seconds(120)
                try await PostgresClient.with(settings) { _ in
                    let waiting = try await PostgresClient.with(settings) { [patient] _ in
                        let none = await #expect(throws: PostgresError.self) {
                            try await PostgresClient.with(settings) { _ in }
                        }
                        #expect(none?.sqlState == "53300")
                        let waiting = Task { try await PostgresClient.with(patient) { _ in true } }
                        try await Task.sleep(for: .milliseconds(200))
                        return waiting
                    }
                    #expect(try await waiting.value)
                }
            }
            try await PostgresPair.running().superuser("DROP ROLE scarcely")
        }
    }
}

extension IntegrationTests.Versions {
    @Test(arguments: OtherMajors.all) func rowsAreTheSameByRanges(_ major: Int) async throws {
        let comparison = IntegrationTests.RestoreComparison.self
        try await comparison.Scene.with("ranged", setup: comparison.tables, on: try OtherMajors.pair(major)) { scene in
            for jobs in [1, 3] { #expect(try await scene.differences(scene.digests, jobs) == [], "\(jobs)") }
            try await scene.expectRanges(of: "public.plain")
        }
    }
}
