import GoFormats
import Testing

@testable import PostgresDump

@Suite struct SipHashTests {
    /// Bytes 0, 1, 2, … under the key 0 … 15, by OpenSSL 3.0.19:
    /// `openssl mac -macopt hexkey:… -macopt size:16 -macopt c-rounds:1 -macopt d-rounds:3 -in FILE SIPHASH`.
    static let vectors: [(count: Int, code: String)] = [
        (0, "e77ebcb22788a5befd62db6add303001"),
        (1, "fc6f370460d3eda85e0573cc2b2ff063"),
        (7, "1084b923f2aae0c3a62f2ec80848ab77"),
        (8, "aa12fee1d5e3dab4724f16ab35f9c799"),
        (9, "81ddb8042cf33994f4720e0094137c42"),
        (15, "c17e5505b2bd526c2921cdec1e7e0109"),
        (16, "d0a8d95715518eebb513b0f83d9e1793"),
        (31, "42ea961c5b3c858b17c3e550dfa79010"),
        (63, "4c5800e34efe426f079f6b0aa75260ad"),
        (64, "1253def24b4aa5364ec8a759ba6a66c2"),
        (100, "f5b5ac6ce178def62167de514156b939"),
    ]

    static let key = RowHashKey(Array(0..<16))

    @Test(arguments: vectors)
    func codesAreThoseOfLibcrypto(_ count: Int, _ code: String) throws {
        let key = try #require(Self.key)
        let message = (0..<count).map { UInt8($0) }
        let whole = message.withUnsafeBytes { bytes in
            bytes.baseAddress.map { SipHash.code(key, $0, count) } ?? SipHash(key).finish()
        }
        #expect(Hex.encode(Self.bytes(whole)) == code)
        for cut in 0...count {
            var hash = SipHash(key)
            message[..<cut].withUnsafeBytes { hash.append($0) }
            message[cut...].withUnsafeBytes { hash.append($0) }
            #expect(hash.finish() == whole, "cut at \(cut)")
        }
    }

    @Test func keysAreSixteenBytes() throws {
        #expect(RowHashKey([1, 2, 3]) == nil)
        #expect(RowHashKey(Array(repeating: 0, count: 17)) == nil)
        #expect(try #require(Self.key).bytes == Array(0..<16))
    }

    private static func bytes(_ code: UInt128) -> [UInt8] {
        (0..<16).map { UInt8(truncatingIfNeeded: code >> UInt128(8 * $0)) }
    }
}

@Suite struct CopyDigesterTests {
    static let key = RowHashKey(Array(repeating: 7, count: 16)) ?? RowHashKey(Array(0..<16))

    static func digest(of rows: [String]) throws -> RowsDigest {
        let key = try #require(key)
        var digest = RowsDigest()
        for row in rows { digest.add(row: Array(row.utf8), key: key) }
        return digest
    }

    struct Table: Sendable, Equatable {
        var name: String
        var columns: [String]
        var rows: [String]
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        let dump: String
        let tables: [Table]
        var testDescription: String { id }
    }

    static let head = """
        --
        -- PostgreSQL database dump
        --

        \\restrict abc'def

        SET statement_timeout = 0;
        SELECT pg_catalog.set_config('search_path', '', false);


        """

    static let cases: [Case] = [
        Case(id: "nothing", dump: "", tables: []),
        Case(
            id: "two tables",
            dump: head + "COPY \"public\".\"items\" (\"id\", \"name\") FROM stdin;\n1\tone\n2\ttwo\n\\.\n\n"
                + "COPY \"public\".\"other\" (\"x\") FROM stdin;\n\\.\n\n\\unrestrict abc'def\n",
            tables: [
                Table(name: "\"public\".\"items\"", columns: ["id", "name"], rows: ["1\tone", "2\ttwo"]),
                Table(name: "\"public\".\"other\"", columns: ["x"], rows: []),
            ]),
        Case(
            id: "bare names", dump: "COPY public.example_table (id, name) FROM stdin;\n1\ta\n\\.\n",
            tables: [Table(name: "\"public\".\"example_table\"", columns: ["id", "name"], rows: ["1\ta"])]),
        Case(
            id: "names with everything in them",
            dump: "COPY \"Sch\"\"ema;\".\"ta (b) ' -- le\" (\"c,1\", \"FROM stdin;\", \"ü\") FROM stdin;\nx\n\\.\n",
            tables: [
                Table(
                    name: "\"Sch\"\"ema;\".\"ta (b) ' -- le\"", columns: ["c,1", "FROM stdin;", "ü"], rows: ["x"])
            ]),
        Case(
            id: "no columns", dump: "COPY \"public\".\"nothing\"  FROM stdin;\n\n\n\\.\n",
            tables: [Table(name: "\"public\".\"nothing\"", columns: [], rows: ["", ""])]),
        Case(
            id: "rows that look like the end",
            dump: "COPY t (a) FROM stdin;\n\\\\.\n\\.x\n\\N\n.\n\\\n \\.\n\\.\nSELECT 1;\n",
            tables: [Table(name: "\"t\"", columns: ["a"], rows: ["\\\\.", "\\.x", "\\N", ".", "\\", " \\."])]),
        Case(
            id: "rows that look like statements",
            dump: "COPY t (a) FROM stdin;\nCOPY u (b) FROM stdin;\n'\n$$\n--\n\\.\nCOPY u (b) FROM stdin;\n1\n\\.\n",
            tables: [
                Table(name: "\"t\"", columns: ["a"], rows: ["COPY u (b) FROM stdin;", "'", "$$", "--"]),
                Table(name: "\"u\"", columns: ["b"], rows: ["1"]),
            ]),
        Case(
            id: "COPY inside quotes and comments",
            dump: """
                -- COPY a FROM stdin;
                /* COPY b FROM stdin; /* nested */ COPY c FROM stdin; **/
                CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $_$
                BEGIN; $1 := 'x'; $$
                COPY d FROM stdin;
                \\.
                $_$;
                COMMENT ON TABLE t IS 'it''s
                COPY e FROM stdin;
                ';
                COMMENT ON TABLE t IS E'it\\'s
                COPY e2 FROM stdin; '' \\\\';
                CREATE TABLE "odd
                COPY g FROM stdin;
                " (a$b int, c integer DEFAULT 1-2/3);
                SELECT 'a\\';
                COPY "copied" TO stdout;
                COPY h (i) FROM stdin;
                1
                \\.

                """,
            tables: [Table(name: "\"h\"", columns: ["i"], rows: ["1"])]),
        Case(
            id: "a function body without quotes",
            dump: "CREATE FUNCTION g() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END;\ncopy t from STDIN;\n1\n\\.\n",
            tables: [Table(name: "\"t\"", columns: [], rows: ["1"])]),
    ]

    @Test(arguments: cases, ["whole", "bytes", "pieces"])
    func everyTableOfADumpIsDigested(_ item: Case, _ seams: String) throws {
        var digester = CopyDigester(key: try #require(Self.key))
        let dump = Array(item.dump.utf8)
        var generator = SystemRandomNumberGenerator()
        var position = 0
        while position < dump.count {
            let length =
                seams == "whole" ? dump.count : seams == "bytes" ? 1 : Int.random(in: 1...23, using: &generator)
            try digester.scan(Array(dump[position..<min(dump.count, position + length)]))
            position += length
        }
        let tables = try digester.finish()
        #expect(tables.map(\.qualifiedName) == item.tables.map(\.name))
        #expect(tables.map(\.columns) == item.tables.map(\.columns))
        #expect(tables.map(\.content) == (try item.tables.map { try Self.digest(of: $0.rows) }))
    }

    @Test func theOrderOfRowsDoesNotCountButTheirNumberDoes() throws {
        let rows = (0..<100).map { "\($0)\trow \($0 * 7)" }
        let digest = try Self.digest(of: rows)
        #expect(digest == (try Self.digest(of: rows.shuffled())))
        #expect(digest != (try Self.digest(of: rows.dropLast() + ["99\trow 0"])))
        // With exclusive or in the sum's place, a row and its copy would cancel each other out.
        #expect(try Self.digest(of: ["a", "b", "b"]).hash != (try Self.digest(of: ["a"]).hash))
        #expect(try Self.digest(of: ["a", "b"]).hash != (try Self.digest(of: ["ab"]).hash))
        #expect(digest.bytes == Int64(rows.reduce(0) { $0 + $1.utf8.count + 1 }))
    }

    @Test func rowsFromCopyToMayHaveTheirLineFeed() throws {
        #expect(try Self.digest(of: ["a\n", "\n"]) == (try Self.digest(of: ["a", ""])))
    }

    @Test func aLongRowIsNotHeld() throws {
        var digester = CopyDigester(key: try #require(Self.key))
        try digester.scan(Array("COPY t (a) FROM stdin;\n".utf8))
        let piece = [UInt8](repeating: 0x61, count: 1 << 16)
        for _ in 0..<64 { try digester.scan(piece) }
        #expect(MemoryLayout<CopyDigester>.size < 1024)
        try digester.scan(Array("\n\\.\n".utf8))
        let expected = try Self.digest(of: [String(repeating: "a", count: 64 << 16)])
        #expect(try digester.finish().map(\.content) == [expected])
    }

    @Test(arguments: ["1\t", "1\n", "1\n\\", "1\n\\."])
    func aDumpThatEndsAmongRowsIsIncomplete(_ rest: String) throws {
        var digester = CopyDigester(key: try #require(Self.key))
        try digester.scan(Array(("COPY \"s\".\"t\" (a) FROM stdin;\n" + rest).utf8))
        #expect(digester.current == "t")
        let error = #expect(throws: PostgresError.self) { _ = try digester.finish() }
        #expect(error?.message.hasPrefix("the dump ends among the rows of table \"t\", after") == true)
    }

    @Test func aLongStatementIsNotHeldAndItsRowsAreNotTakenForStatements() throws {
        var digester = CopyDigester(key: try #require(Self.key))
        try digester.scan(Array("COPY t (a".utf8))
        let piece = Array(repeatElement(Array(", aaaaaaaaaaaa".utf8), count: 1 << 14).joined())
        for _ in 0..<8 { try digester.scan(piece) }
        try digester.scan(Array(") FROM stdin;\nCOPY u (a) FROM stdin;\n\\.\nCOPY v (a) FROM stdin;\n\\.\n".utf8))
        #expect(try digester.finish().map(\.table) == ["v"])
    }

    @Test func namesInOtherEncodingsAreKeptAsBytes() throws {
        var digester = CopyDigester(key: try #require(Self.key))
        try digester.scan(Array("COPY \"t".utf8) + [0xe4] + Array("\" (a) FROM stdin;\n\\.\n".utf8))
        #expect(try digester.finish().map(\.table) == ["t\u{fffd}"])
        #expect(digester.foreignNames[0]?.table == [0x74, 0xe4])
    }

    @Test func theRecordKeepsEverything() throws {
        let table = TableDigest(
            schema: "public", table: "a\"b", columns: ["x", "y"], content: try Self.digest(of: ["1\t2"]))
        let digests = TableDigests(
            key: try #require(Self.key),
            settings: CopyTextSettings(encoding: "LATIN1", monetaryLocale: "de_DE"), tables: [table])
        let text = GoJSON.text(digests.json)
        #expect(TableDigests(json: try JSONParser.parse(text)) == digests)
        #expect(table.copyStatement == "COPY \"public\".\"a\"\"b\" (\"x\", \"y\") TO STDOUT")
        #expect(digests.settings.statements.contains("SET \"client_encoding\" TO 'LATIN1'"))
        var other = digests.json
        other = try JSONParser.parse(GoJSON.text(other).replacing("siphash-1-3", with: "siphash-9-9"))
        #expect(TableDigests(json: other) == nil)
    }

    @Test func garbageInsideDigestsIsRefused() throws {
        let good = TableDigest(schema: "s", table: "t", columns: [], content: RowsDigest()).json
        let text = GoJSON.text(good)
        #expect(TableDigest(json: try JSONParser.parse(text)) != nil)
        for (part, bad) in [
            ("\"rows\":0", "\"rows\":-1"), ("\"rows\":0", "\"rows\":\"0\""), ("\"hash\":\"00", "\"hash\":\"+0"),
            ("\"hash\":\"00", "\"hash\":\"0"), ("\"columns\":[]", "\"columns\":[1]"),
        ] {
            #expect(TableDigest(json: try JSONParser.parse(text.replacing(part, with: bad))) == nil, "\(bad)")
        }
    }
}
