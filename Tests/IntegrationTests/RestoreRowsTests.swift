import Glibc
import GoFormats
import ProcessIO
import Synchronization
import Testing

@testable import PostgresDump

extension IntegrationTests {
    /// Rows of large tables come in over several connections, frozen.
    struct RestoreRows {
        static let setup = """
            CREATE TABLE big (id int PRIMARY KEY, name text);
            INSERT INTO big SELECT i, repeat(md5(i::text), 3) FROM generate_series(1, 3000) i;
            CREATE TABLE large (id int, name text, twice int GENERATED ALWAYS AS (id * 2) STORED);
            INSERT INTO large SELECT 4000 - i, repeat(md5(i::text), 2) FROM generate_series(1, 4000) i;
            CREATE TABLE "Odd ""one; (x)" (a text);
            INSERT INTO "Odd ""one; (x)" SELECT x FROM generate_series(1, 5000) i,
                LATERAL (VALUES (E'\\\\.'), (E'\\n\\\\.\\n'), (E'\\r'), (E'x\\\\'), (NULL), ('COPY big FROM stdin;')) v (x);
            CREATE TABLE parts (k int NOT NULL, t text) PARTITION BY RANGE (k);
            CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (1000);
            CREATE TABLE part2 PARTITION OF parts FOR VALUES FROM (1000) TO (9000);
            INSERT INTO parts SELECT i, md5(i::text) FROM generate_series(1, 8000) i;
            CREATE TABLE elder (a int, b text); CREATE TABLE younger () INHERITS (elder);
            INSERT INTO elder SELECT i, md5(i::text) FROM generate_series(1, 3000) i;
            INSERT INTO younger SELECT i, md5(i::text) FROM generate_series(1, 3000) i;
            CREATE UNLOGGED TABLE unlogged (a int, b text);
            INSERT INTO unlogged SELECT i, md5(i::text) FROM generate_series(1, 3000) i;
            CREATE TABLE small (a int); INSERT INTO small VALUES (1), (2); CREATE TABLE nothing (a int); CREATE TABLE bare ();
            CREATE TABLE wide (a text); INSERT INTO wide SELECT string_agg(md5(i::text), '') FROM generate_series(1, 40000) i;
            CREATE INDEX ON large (name); ALTER TABLE large ADD FOREIGN KEY (id) REFERENCES big NOT VALID;
            """

        /// Those with at least `RowsScene.largeTable` bytes of rows.
        static let largeTables = [
            #""Odd ""one; (x)""#, "big", "elder", "large", "part1", "part2", "unlogged", "wide", "younger",
        ]

        @Test(arguments: [1, 2, 5]) func rowsAreAsTheyWere(_ jobs: Int) async throws {
            try await RowsScene.with(Self.setup) { scene in
                let (dump, record) = try await scene.dump()
                let counts = Mutex((tables: 0, connections: 0, bytes: 0))
                let file = DumpFile(bytes: dump) { count in counts.withLock { $0.bytes += count } }
                let report = try await scene.load(file, record, jobs: jobs) { loader in
                    loader.beforeRows = { tables, connections in
                        counts.withLock {
                            ($0.tables, $0.connections) = ($0.tables + tables, max($0.connections, connections))
                        }
                    }
                }
                #expect(report.tables == record.tables)
                #expect(try await scene.facts(scene.target) == scene.facts(scene.source))
                // Each byte is read once.
                let seen = counts.withLock { $0 }
                #expect(seen.bytes == dump.count)
                #expect(seen.tables == (jobs == 1 ? 0 : 9))
                #expect(seen.connections == (jobs == 1 ? 0 : jobs))
                #expect(try await scene.visible(scene.target) == (jobs == 1 ? [] : Self.largeTables))
                // Each table in the order of the dump.
                #expect(try await scene.dump(of: scene.target).bytes == dump)
            }
        }

        /// A check that reads another table finds there what it found when tables came one after the other.
        @Test func whatReadsOtherTablesComesInOrder() async throws {
            let setup = """
                CREATE TABLE aa (id int, name text); INSERT INTO aa SELECT i, md5(i::text) FROM generate_series(1, 3000) i;
                CREATE FUNCTION known(int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN EXISTS (SELECT FROM public.aa WHERE id = $1); END';
                CREATE DOMAIN known_one AS int CHECK (known(VALUE));
                CREATE TABLE bb (id int CHECK (known(id)), name text); INSERT INTO bb SELECT i, md5('x') FROM generate_series(1, 900) i;
                CREATE TABLE cc (id known_one); INSERT INTO cc VALUES (1), (2);
                CREATE TABLE dd (a text); INSERT INTO dd SELECT md5(i::text) FROM generate_series(1, 900) i;
                CREATE TABLE ee (a text) INHERITS (bb); INSERT INTO ee SELECT i, md5('y'), 'a' FROM generate_series(1, 900) i;
                """
            try await RowsScene.with(setup) { scene in
                let (dump, record) = try await scene.dump()
                let sections = Mutex<[Int]>([])
                let report = try await scene.load(DumpFile(bytes: dump), record, jobs: 3) { loader in
                    loader.beforeRows = { count, _ in sections.withLock { $0.append(count) } }
                }
                #expect(report.tables == record.tables)
                #expect(sections.withLock { $0 } == [1, 1])
                #expect(try await scene.facts(scene.target) == scene.facts(scene.source))
            }
        }

        /// Tables that were there before, as those of extensions are, keep their rows.
        @Test func whatTheLoadHasNotMadeIsNotEmptied() async throws {
            try await RowsScene.with(Self.setup) { scene in
                var (dump, _) = try await scene.dump()
                let rows = (0..<4000).map { "\($0)\tadded\n" }.joined()
                var text = String(decoding: dump, as: UTF8.self)
                // Into a table from before, once more into one that has rows, into one that got some by a statement, and into one
                // that the server does not empty, because others refer to it.
                text = text.replacingFirst(
                    "\n-- PostgreSQL database dump complete",
                    with: """

                        COPY "public"."before" ("a", "b") FROM stdin;
                        \(rows)\\.
                        COPY "public"."elder" ("a", "b") FROM stdin;
                        \(rows)\\.
                        CREATE TABLE "public"."late" (
                            "a" integer, "b" text
                        );
                        INSERT INTO "public"."late" VALUES (-1, 'x');
                        COPY "public"."late" ("a", "b") FROM stdin;
                        \(rows)\\.
                        CREATE TABLE "public"."named" (
                            "a" integer PRIMARY KEY, "b" text
                        );
                        CREATE TABLE "public"."naming" (
                            "a" integer REFERENCES "public"."named"
                        );
                        COPY "public"."named" ("a", "b") FROM stdin;
                        \(rows)\\.

                        -- PostgreSQL database dump complete
                        """)
                dump = Array(text.utf8)
                let record = try scene.digests(of: dump)
                try await scene.sql(
                    "CREATE TABLE before AS SELECT -1 AS a, 'x' AS b; CREATE TABLE part_of () INHERITS (before)",
                    scene.target)
                let report = try await scene.load(DumpFile(bytes: dump), record, jobs: 2)
                #expect(report.tables == record.tables)
                let counts = try await scene.sql(
                    """
                    SELECT (SELECT count(*) FROM before), (SELECT count(*) FROM ONLY elder), (SELECT count(*) FROM late),
                        (SELECT count(*) FROM named)
                    """, scene.target)
                #expect(counts == "4001|7000|4001|4000")
                #expect(!report.warnings.contains { $0.contains("transaction") }, "\(report.warnings)")
            }
        }

        /// A record of before does not say where rows lie, and no record says nothing.
        @Test func withoutPlacesTheDumpIsOneStream() async throws {
            try await RowsScene.with(Self.setup) { scene in
                var (dump, record) = try await scene.dump()
                for position in record.tables.indices { record.tables[position].at = nil }
                for recorded in [record, nil] {
                    let report = try await scene.load(DumpFile(bytes: dump), recorded, jobs: 3) { loader in
                        loader.beforeRows = { _, _ in Issue.record("rows are not in one stream") }
                    }
                    #expect(report.tables == recorded?.tables)
                    #expect(try await scene.facts(scene.target) == scene.facts(scene.source))
                    try await scene.emptyTarget()
                }
            }
        }

        /// While the rows of a table are on their way over one of three connections.
        @Test(arguments: [true, false]) func whatEndsOneEndsAll(_ isCut: Bool) async throws {
            try await RowsScene.with(Self.setup) { scene in
                let (dump, record) = try await scene.dump()
                let start = try #require(record.tables.first { $0.table == "big" }?.at)
                let reached = Mutex(false)
                let plain = DumpFile(bytes: dump)
                let file = DumpFile(length: plain.length) { range, write in
                    try await plain.read(range) { chunk in
                        try await write(chunk)
                        guard range.lowerBound == start else { return }
                        if isCut {
                            try await scene.pair.sql(
                                """
                                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                                WHERE datname = '\(scene.target)' AND query LIKE 'COPY "public"."big"%'
                                """)
                        } else {
                            reached.withLock { $0 = true }
                            try await Task.sleep(for: .seconds(60))
                        }
                    }
                }
                let load = Task { try await scene.load(file, record, jobs: 3) }
                if isCut {
                    let error = await #expect(throws: PostgresError.self) { _ = try await load.value }
                    #expect(error?.isTransient == true, "\(String(describing: error))")
                    #expect(error?.message.contains("\nstatement: COPY \"public\".\"big\"") == true)
                } else {
                    while !reached.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) }
                    load.cancel()
                    await #expect(throws: CancellationError.self) { _ = try await load.value }
                }
                try await scene.pair.waitForNoRunner()
            }
        }

        @Test func anErrorInRowsEndsAllAndNamesItsLine() async throws {
            try await RowsScene.with(Self.setup) { scene in
                let (dump, record) = try await scene.dump()
                var text = String(decoding: dump, as: UTF8.self)
                // As long as before, so that everything lies where the record says.
                text = text.replacingFirst("\n2999\t", with: "\n29x9\t")
                let line =
                    try #require(
                        text.split(separator: "\n", omittingEmptySubsequences: false).firstIndex {
                            $0.hasPrefix("29x9\t")
                        }) + 1
                for jobs in [1, 2, 5] {
                    let error = await #expect(throws: PostgresError.self) {
                        _ = try await scene.load(DumpFile(bytes: Array(text.utf8)), record, jobs: jobs)
                    }
                    #expect(error?.code == .restore)
                    for words in [
                        "failed at line \(line) of the dump: ERROR: invalid input syntax for type integer: \"29x9\"",
                        "\nstatement: COPY \"public\".\"big\" (\"id\", \"name\") FROM stdin;\n",
                    ] {
                        #expect(error?.message.contains(words) == true, "\(jobs): \(String(describing: error))")
                    }
                    try await scene.emptyTarget()
                }
                // Behind the rows, too.
                text = String(decoding: dump, as: UTF8.self).replacingFirst(
                    "ADD CONSTRAINT \"big_pkey\"", with: "ADD CONSTRAIN")
                let last =
                    try #require(
                        text.split(separator: "\n", omittingEmptySubsequences: false).firstIndex {
                            $0.contains("ADD CONSTRAIN ")
                        }) + 1
                let error = await #expect(throws: PostgresError.self) {
                    _ = try await scene.load(DumpFile(bytes: Array(text.utf8)), record, jobs: 2)
                }
                #expect(
                    error?.message.contains("failed at line \(last) of the dump: ERROR: ") == true,
                    "\(String(describing: error))")
            }
        }

        /// The rows are the same number of bytes and others: told by the digests.
        @Test func changedRowsAreFound() async throws {
            try await RowsScene.with(Self.setup) { scene in
                let (dump, record) = try await scene.dump()
                let text = String(decoding: dump, as: UTF8.self).replacingFirst("\n2999\t", with: "\n9992\t")
                let report = try await scene.load(DumpFile(bytes: Array(text.utf8)), record, jobs: 3)
                let differences = record.differences(from: try #require(report.tables))
                #expect(differences.map(\.table) == ["\"public\".\"big\""])
            }
        }

        @Test func oneTableIsReadWithoutTheOthers() async throws {
            try await RowsScene.with(Self.setup) { scene in
                let (dump, record) = try await scene.dump()
                func area(_ name: String) throws -> Int {
                    Int(try #require(record.tables.first { $0.table == name }).bytes)
                }
                let large = record.tables.filter { $0.bytes >= RowsScene.largeTable }.reduce(0) { $0 + Int($1.bytes) }
                for name in ["small", "part1", "big"] {
                    let read = Mutex(0)
                    let file = DumpFile(bytes: dump) { count in read.withLock { $0 += count } }
                    let table = try #require(record.tables.first { $0.table == name })
                    var restore = TableRestore(table: table, tables: record, schema: "restored \(name)", owner: nil)
                    restore.largeTable = RowsScene.largeTable
                    _ = try await restore.plan(file)
                    #expect(read.withLock { $0 } == dump.count - large, "\(name)")
                    read.withLock { $0 = 0 }
                    let found = try await scene.with(scene.target) { client in
                        try await restore.perform(on: client, joining: [], file).differences
                    }
                    #expect(found.isEmpty)
                    let own = table.bytes >= RowsScene.largeTable ? try area(name) : 0
                    #expect(read.withLock { $0 } == dump.count - large + own, "\(name)")
                }
            }
        }

        @Test func whatIsNotUTF8ComesBack() async throws {
            let setup = """
                CREATE TABLE "größe" ("ä" text); INSERT INTO "größe" SELECT 'ü' || md5(i::text) FROM generate_series(1, 900) i;
                CREATE TABLE other (a text); INSERT INTO other SELECT 'ß' || md5(i::text) FROM generate_series(1, 900) i;
                """
            try await RowsScene.with(setup, options: "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'") { scene in
                let (dump, record) = try await scene.dump()
                #expect(String(validating: dump, as: UTF8.self) == nil)
                let report = try await scene.load(DumpFile(bytes: dump), record, jobs: 2)
                #expect(report.tables?.map(\.content) == record.tables.map(\.content))
                #expect(try await scene.dump(of: scene.target).bytes == dump)
                #expect(try await scene.visible(scene.target) == ["\"größe\"", "other"])
            }
        }

        // MARK: Whole restores

        /// One that is as long as before and wrong, and a record that says of a place what is not so.
        @Test func whatIsWrongIsFoundBeforeTheSwap() async throws {
            try await RestoreScene.with("rowed", rows: 36_000) { bench, scene in
                let before = try await scene.pair.itemsHash("rowed")
                let flags = ["--jobs", "2"]
                let same = try await scene.tampered(bench) { $0.replacingFirst("\n10000\t", with: "\n90000\t") }
                let other = try await scene.runner.run(scene.arguments(restoring: same) + flags)
                #expect(other.exit == .exited(6), "\(other.testDescription)")
                #expect(
                    other.errors.contains(
                        "the dump in the snapshot is not the one that was recorded with it, in 1 table:"))

                let bad = try await scene.tampered(bench) { $0.replacingFirst("\n10000\t", with: "\n1000x\t") }
                let failed = try await scene.runner.run(scene.arguments(restoring: bad) + flags)
                #expect(failed.exit == .exited(4), "\(failed.testDescription)")
                #expect(failed.errors.contains("of the dump: ERROR: invalid input syntax for type integer: \"1000x\""))

                let moved = try await scene.tampered(bench, file: "karaffe.json") { text in
                    let digits = text[try #require(text.firstRange(of: "\"at\": ")).upperBound...].prefix {
                        $0.isNumber
                    }
                    return text.replacingFirst("\"at\": \(digits)", with: "\"at\": \((Int(digits) ?? 0) + 1)")
                }
                for arguments in [
                    scene.arguments(restoring: moved) + flags,
                    scene.arguments(restoring: moved) + ["--table", "items"],
                ] {
                    let refused = try await scene.runner.run(arguments)
                    #expect(refused.exit == .exited(6), "\(refused.testDescription)")
                    #expect(refused.errors.contains("the dump is not the one that was recorded with it: "))
                }
                #expect(try await scene.pair.itemsHash("rowed") == before)
                #expect(try await scene.leftovers() == "")
                // Who does not look there finds the dump whole.
                let streamed = try await scene.runner.run(scene.arguments(restoring: moved) + ["--jobs", "1"])
                #expect(streamed.exit == .exited(0), "\(streamed.testDescription)")

                let restored = try await scene.runner.run(scene.arguments + flags)
                #expect(restored.exit == .exited(0), "\(restored.testDescription)")
                #expect(restored.errors.contains("loading the rows of 1 large table over 1 connection"))
                #expect(try await scene.pair.itemsHash("rowed") == scene.hash)
                let pages = try await scene.pair.sql(
                    "SELECT relpages > 0 AND relpages = relallvisible FROM pg_class WHERE relname = 'items'",
                    database: scene.database)
                #expect(pages.trimmed == "t")
            }
        }
    }
}

extension IntegrationTests.Versions {
    /// Every major takes frozen rows.
    @Test(arguments: OtherMajors.all) func rowsComeFrozen(_ major: Int) async throws {
        try await RowsScene.with(IntegrationTests.RestoreRows.setup, major: major) { scene in
            let (dump, record) = try await scene.dump()
            let report = try await scene.load(DumpFile(bytes: dump), record, jobs: 2)
            #expect(report.tables == record.tables)
            #expect(try await scene.facts(scene.target) == scene.facts(scene.source))
            #expect(try await scene.visible(scene.target) == IntegrationTests.RestoreRows.largeTables)
        }
    }
}

/// A database of the administrator's, its dump, and an empty one to load it into, without a repository between.
struct RowsScene: Sendable {
    let pair: PostgresPair
    let source = "rowsource"
    let target = "rowtarget"
    private let options: String

    static let largeTable: Int64 = 20_000

    static func with(
        _ setup: String, options: String = "", major: Int = 15, _ body: (RowsScene) async throws -> Void
    ) async throws {
        let scene = RowsScene(pair: try OtherMajors.pair(major), options: options)
        try await scene.make(scene.source)
        try await scene.make(scene.target)
        try await scene.sql(setup, scene.source)
        try await body(scene)
        for name in [scene.source, scene.target] { try await scene.pair.sql("DROP DATABASE \(name) WITH (FORCE)") }
    }

    private func make(_ name: String) async throws {
        try await pair.sql("DROP DATABASE IF EXISTS \(name) WITH (FORCE)")
        try await pair.sql("CREATE DATABASE \(name) TEMPLATE template0 \(options)")
    }

    func emptyTarget() async throws { try await make(target) }

    @discardableResult
    func sql(_ text: String, _ database: String) async throws -> String {
        try await pair.sql("SET client_encoding = 'UTF8';\n" + text, database: database).trimmed
    }

    func dump() async throws -> (bytes: [UInt8], record: TableDigests) { try await dump(of: source) }

    func dump(of database: String) async throws -> (bytes: [UInt8], record: TableDigests) {
        let command = ChildCommand(
            pair.bin + "/pg_dump", ["--quote-all-identifiers", "--restrict-key=key"],
            environment: Program.baseEnvironment.merging(
                pair.adminEnvironment(host: pair.primary, database: database)
            ) { $1 })
        let result = try await withChild(command, input: .nothing, tailLimit: 1 << 16) { output in
            var bytes: [UInt8] = []
            while let chunk = try await output.read() { bytes += chunk }
            return bytes
        }
        try #require(result.exit.isSuccess, "\(result.standardErrorText)")
        return (result.value, try digests(of: result.value))
    }

    func digests(of dump: [UInt8]) throws -> TableDigests {
        let key = try #require(RowHashKey(Array(0..<16)))
        var digester = CopyDigester(key: key)
        try digester.scan(dump)
        return TableDigests(
            key: key, settings: CopyTextSettings(encoding: "UTF8", monetaryLocale: "C"), tables: try digester.finish())
    }

    func with<Value: Sendable>(_ database: String, _ body: (PostgresClient) async throws -> Value) async throws -> Value
    {
        let settings = try PostgresSettings(environment: pair.adminEnvironment(host: pair.primary, database: database))
        return try await PostgresClient.with(settings, body: body)
    }

    func load(
        _ file: DumpFile, _ record: TableDigests?, jobs: Int, _ change: (inout DumpLoader) -> Void = { _ in }
    ) async throws -> DumpLoader.Report {
        try await with(target) { client in
            var loader = DumpLoader(client)
            loader.jobs = jobs
            loader.largeTable = Self.largeTable
            change(&loader)
            return try await loader.load(file, recorded: record)
        }
    }

    private func tables(_ database: String) async throws -> [String] {
        try await sql(
            "SELECT oid::regclass FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname",
            database
        ).split(separator: "\n").map(String.init)
    }

    /// A hash of each table's rows.
    func facts(_ database: String) async throws -> String {
        let statements = try await tables(database).map {
            "SELECT '\($0)', count(*), md5(string_agg(t::text, ',' ORDER BY t::text COLLATE \"C\")) FROM ONLY \($0) t;"
        }
        return try await sql(statements.joined(), database)
    }

    /// Tables of which every page with rows is in the visibility map. From 16 on tables grow by more pages than rows need.
    func visible(_ database: String) async throws -> [String] {
        try await sql("ANALYZE", database)
        var found: [String] = []
        for table in try await tables(database) {
            let isVisible = try await sql(
                """
                SELECT relallvisible > 0 AND relallvisible = (SELECT count(DISTINCT (ctid::text::point)[0]) FROM ONLY \(table))
                FROM pg_class WHERE oid = $$\(table)$$::regclass
                """, database)
            if isVisible == "t" { found.append(table) }
        }
        return found
    }
}

extension DumpFile {
    /// In pieces of odd lengths.
    init(bytes: [UInt8], progress: @escaping @Sendable (Int) -> Void = { _ in }) {
        self.init(length: Int64(bytes.count)) { range, write in
            var position = Int(range.lowerBound)
            while position < range.upperBound {
                let end = position + min(4093, Int(range.upperBound) - position)
                progress(end - position)
                try await write(Array(bytes[position..<end]))
                position = end
            }
        }
    }
}
