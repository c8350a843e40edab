import Synchronization
import Testing

@testable import PostgresDump

/// Reading a dump without the rows of some tables.
@Suite struct RowsAreaTests {
    // MARK: Areas of a record

    struct Record: Sendable, CustomTestStringConvertible {
        let id: String
        /// `at`, bytes, rows.
        let tables: [(Int64?, Int64, Int64)]
        /// Nil when the record is refused.
        let ranges: [Range<Int64>]?
        var testDescription: String { id }
    }

    @Test(arguments: [
        Record(id: "in order", tables: [(10, 20, 2), (33, 5, 5)], ranges: [10..<30]),
        Record(id: "up to the end", tables: [(77, 20, 20)], ranges: [77..<97]),
        Record(id: "without places", tables: [(nil, 20, 2), (nil, 99, 1)], ranges: []),
        Record(id: "some without", tables: [(nil, 20, 2), (40, 20, 1)], ranges: [40..<60]),
        Record(id: "none", tables: [], ranges: []),
        Record(id: "overlapping", tables: [(10, 20, 2), (32, 5, 1)], ranges: nil),
        Record(id: "small ones overlap, too", tables: [(10, 2, 2), (11, 2, 1)], ranges: nil),
        Record(id: "not in order", tables: [(50, 20, 2), (10, 20, 2)], ranges: nil),
        Record(id: "behind the end", tables: [(78, 20, 20)], ranges: nil),
        Record(id: "before the beginning", tables: [(-1, 20, 1)], ranges: nil),
        Record(id: "far before", tables: [(.min, 20, 1)], ranges: nil),
        Record(id: "far behind", tables: [(.max, .max, 1)], ranges: nil),
        Record(id: "a sum that overflows", tables: [(50, .max, 1)], ranges: nil),
        Record(id: "more rows than bytes", tables: [(10, 20, 21)], ranges: nil),
        Record(id: "rows without end", tables: [(10, 20, .max)], ranges: nil),
    ])
    func areasAreThoseThatCanBe(_ record: Record) throws {
        let tables = record.tables.map { at, bytes, rows in
            var content = RowsDigest()
            (content.bytes, content.rows) = (bytes, rows)
            return TableDigest(schema: "s", table: "t", columns: [], content: content, at: at)
        }
        let digests = TableDigests(
            key: try #require(CopyDigesterTests.key), settings: CopyTextSettings(encoding: "UTF8", monetaryLocale: "C"),
            tables: tables)
        guard let ranges = record.ranges else {
            let error = #expect(throws: PostgresError.self) { _ = try digests.areas(ofAtLeast: 10, in: 100) }
            #expect(error?.code == .otherDump)
            return
        }
        #expect(try digests.areas(ofAtLeast: 10, in: 100).map(\.range) == ranges)
    }

    // MARK: Reading without them

    private static let dump = """
        --
        -- PostgreSQL database dump
        --

        CREATE TABLE "s"."a" (
            "x" "text"
        );
        COPY "s"."a" ("x") FROM stdin;
        \\\\.
        \\.
        COPY "s"."b" ("x") FROM stdin;
        long enough
        \\.

        COPY "s"."b" ("x") FROM stdin;
        1
        \\.
        COPY "s"."empty" ("x") FROM stdin;
        \\.
        COPY "s"."c" ("x")
            FROM stdin;
        one of many
        two of many
        \\.
        SELECT 1;
        -- PostgreSQL database dump complete

        """

    private struct Seen: Sendable, Equatable {
        var statements: [DumpStatement] = []
        var rows: [String] = []
        var units: [String] = []
        var tables: [TableDigest] = []
        var read = 0
    }

    private static func read(_ dump: [UInt8], _ record: TableDigests, areas: [RowsArea], pieces: Int) async throws
        -> Seen
    {
        let file = DumpFile(bytes: dump, pieces: pieces) { _ in }
        let state = Mutex(
            (seen: Seen(), load: LoadState(selection: nil, unwanted: [], key: CopyDigesterTests.key, gathersRows: true))
        )
        try await file.read(areas, passingOver: { area in try state.withLock { try $0.load.passOver(area) } }) {
            chunk in
            try state.withLock { state in
                state.seen.read += chunk.count
                try state.load.digester?.scan(chunk)
                var pieces: [DumpLexer.Piece] = []
                try state.load.lexer.feed(chunk) { pieces.append($0) }
                for piece in pieces {
                    switch piece {
                    case .statement(let statement):
                        state.seen.statements.append(statement)
                        if statement.isCopyFromInput { state.load.begin(copy: statement, as: statement) }
                    case .rows(let bytes):
                        _ = try state.load.received(bytes.count)
                        state.seen.rows.append(String(decoding: bytes, as: UTF8.self))
                    case .endOfRows: state.load.rows = .none
                    }
                }
            }
        }
        return try state.withLock { state in
            state.seen.units = state.load.takeUnits().compactMap { unit in
                unit.rows.map {
                    String(decoding: dump[Int($0.range.lowerBound)..<Int($0.range.upperBound)], as: UTF8.self)
                }
            }
            state.seen.tables = try state.load.tables() ?? []
            return state.seen
        }
    }

    @Test(arguments: [(Int64(1), 4), (12, 2), (20, 1), (30, 0)], [1, 7, 1000])
    func linesStayThoseOfTheDump(_ size: (minimum: Int64, areas: Int), _ pieces: Int) async throws {
        let dump = Array(Self.dump.utf8)
        let record = try CopyDigesterTests.digests(of: dump)
        let whole = try await Self.read(dump, record, areas: [], pieces: .max)
        #expect(whole.read == dump.count)
        let areas = try record.areas(ofAtLeast: size.minimum, in: Int64(dump.count))
        #expect(areas.count == size.areas)
        let without = try await Self.read(dump, record, areas: areas, pieces: pieces)
        #expect(without.statements == whole.statements)
        #expect(without.units.count == areas.count)
        #expect(without.read == dump.count - areas.reduce(0) { $0 + $1.range.count })
        // The others' digests, and a table without rows for each that was passed over.
        #expect(without.tables.map(\.at) == record.tables.map(\.at))
        let passed = Set(areas.map(\.index))
        for (index, table) in without.tables.enumerated() {
            #expect(table.content == (passed.contains(index) ? RowsDigest() : record.tables[index].content))
        }
    }

    @Test(arguments: [-1, 1, 12, 24])
    func rowsThatBeginElsewhereAreNotThoseOfTheRecord(_ shift: Int64) async throws {
        let dump = Array(Self.dump.utf8)
        let record = try CopyDigesterTests.digests(of: dump)
        let area = try #require(try record.areas(ofAtLeast: 20, in: Int64(dump.count)).last)
        let (start, end) = (area.range.lowerBound, area.range.upperBound)
        for range in [(start + shift)..<(end + shift), start..<(end - 1)] {
            let wrong = RowsArea(index: area.index, range: range, rows: area.rows, table: area.table)
            let error = await #expect(throws: PostgresError.self) {
                _ = try await Self.read(dump, record, areas: [wrong], pieces: 1000)
            }
            #expect(error?.code == .otherDump, "\(range)")
            #expect(error?.message.contains("\"s\".\"c\"") == true)
        }
        let another = RowsArea(index: 0, range: area.range, rows: area.rows, table: area.table)
        let error = await #expect(throws: PostgresError.self) {
            _ = try await Self.read(dump, record, areas: [another], pieces: 1000)
        }
        #expect(error?.code == .otherDump)
    }

    // MARK: Statements

    @Test(
        arguments: [
            (#"COPY "s"."t" ("a", "b") FROM stdin;"#, #"COPY "s"."t" ("a", "b") FROM stdin WITH (FREEZE);"#),
            ("COPY s.t  FROM stdin ;", "COPY s.t  FROM stdin  WITH (FREEZE);"),
            ("COPY s.t FROM stdin WITH (FORMAT text);", nil),
            ("COPY s.t FROM stdin DELIMITER ';';", nil),
            ("COPY s.t FROM stdin CSV", nil),
            ("INSERT INTO t VALUES (1);", nil),
        ] as [(String, String?)])
    func onlyAPlainCopyBecomesAFrozenOne(_ copy: String, _ frozen: String?) throws {
        #expect(FrozenCopy(Array(copy.utf8)).map { String(decoding: $0.copy, as: UTF8.self) } == frozen)
    }

    @Test func theTableIsEmptiedUnderTheNameThatIsWritten() throws {
        let copy = try #require(FrozenCopy(Array(#"COPY "S ""x"."T" ("a") FROM stdin;"#.utf8)))
        #expect(String(decoding: copy.truncate, as: UTF8.self) == #"TRUNCATE TABLE ONLY "S ""x"."T""#)
        #expect(String(decoding: copy.look, as: UTF8.self) == #"SELECT FROM ONLY "S ""x"."T" LIMIT 1"#)
    }

    struct Created: Sendable, CustomTestStringConvertible {
        let text: String
        var name: String?
        var isPartitioned = false
        var callsFunctions = false
        var inherits = false
        var testDescription: String { text }
    }

    @Test(arguments: [
        Created(text: #"CREATE TABLE "s"."t" ("a" integer);"#, name: "s.t"),
        Created(text: #"CREATE UNLOGGED TABLE "s"."t" ();"#, name: "s.t"),
        Created(
            text: "CREATE TABLE \"s\".\"t\" (\"a\" integer)\nPARTITION BY RANGE (\"a\");", name: "s.t",
            isPartitioned: true),
        Created(text: "CREATE TABLE \"s\".\"t\" (\"a\" integer)\nINHERITS (\"s\".\"u\");", name: "s.t", inherits: true),
        Created(text: #"CREATE FOREIGN TABLE "s"."t" ("a" integer) SERVER "x";"#),
        Created(text: #"CREATE TABLE "s"."t" AS SELECT 1;"#),
        Created(text: #"CREATE VIEW "s"."t" AS SELECT 1;"#),
        Created(
            text: #"CREATE TABLE "s"."t" ("g" "public"."geometry"(Point,4326), CONSTRAINT "c" CHECK (("a" > 0)));"#,
            name: "s.t"),
        Created(
            text:
                #"CREATE TABLE "s"."t" ("a" text, CONSTRAINT "c" CHECK (("lower"("a") <> 'public.f(1)'::"public"."x")));"#,
            name: "s.t"),
        Created(
            text: #"CREATE TABLE "s"."t" ("a" text, CONSTRAINT "c" CHECK ("s"."f"("a")));"#, name: "s.t",
            callsFunctions: true),
        Created(
            text: #"CREATE TABLE s.t (a text, b text GENERATED ALWAYS AS ((s."f ("(a) || 'x')) STORED);"#, name: "s.t",
            callsFunctions: true),
        Created(text: #"CREATE TABLE s.t (a text, CHECK ('"#, name: "s.t"),
        Created(text: #"CREATE TABLE s.t (a text, CHECK (s."f"#, name: "s.t"),
    ])
    func whatATableSaysOfItsRows(_ wanted: Created) throws {
        let table = CreatedTable(DumpStatement(text: Array(wanted.text.utf8), line: 1, isCopyFromInput: false))
        func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        #expect(table.map { "\(text($0.name.schema)).\(text($0.name.table))" } == wanted.name)
        #expect(table?.isPartitioned ?? false == wanted.isPartitioned)
        #expect(table?.callsFunctions ?? false == wanted.callsFunctions)
        #expect(table?.inherits ?? false == wanted.inherits)
    }

    @Test(
        arguments: [
            (#"CREATE DOMAIN "s"."d" AS integer CONSTRAINT "c" CHECK ("s"."f"(VALUE));"#, #""s"."d""#),
            (#"CREATE DOMAIN "s"."d" AS integer CONSTRAINT "c" CHECK ((VALUE > 0));"#, nil),
            (#"CREATE TABLE "s"."d" ("a" integer CHECK ("s"."f"("a")));"#, nil),
        ] as [(String, String?)])
    func aDomainMayReadTablesToo(_ text: String, _ name: String?) {
        let statement = DumpStatement(text: Array(text.utf8), line: 1, isCopyFromInput: false)
        #expect(statement.domainThatCallsFunctions.map { String(decoding: $0, as: UTF8.self) } == name)
    }
}

extension DumpFile {
    /// - Parameters:
    ///   - pieces: bytes that come at a time.
    ///   - progress: called with the number of bytes of each.
    init(bytes: [UInt8], pieces: Int, progress: @escaping @Sendable (Int) -> Void) {
        self.init(length: Int64(bytes.count)) { range, write in
            var position = Int(range.lowerBound)
            while position < range.upperBound {
                let end = position + min(pieces, Int(range.upperBound) - position)
                progress(end - position)
                try await write(Array(bytes[position..<end]))
                position = end
            }
        }
    }
}
