import TestSupport
import Testing

@testable import PostgresDump

@Suite struct DumpLexerTests {
    private static let dump = #"""
        --
        -- PostgreSQL database dump
        --

        \restrict KEYkey123

        -- Dumped from database version 17.2
        SET statement_timeout = 0;
        SELECT pg_catalog.set_config('search_path', '', false);
        --
        -- Name: f(); Type: FUNCTION; Schema: public; Owner: app
        --

        CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $_$
        SET a = 0; -- '
        COPY x FROM stdin;
        $$ \! $_ $_$;
        CREATE OR REPLACE FUNCTION g() RETURNS int BEGIN ATOMIC
         SELECT CASE WHEN true THEN 1 ELSE 2 END;
         SELECT 2;
        END;
        CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);
        INSERT INTO t VALUES ('a;''\', E'\';', "b;""c", $1) /* ; /* ' */ ; */ ;
        COPY "public"."t" ("a", "from") FROM stdin;
        1	\N
        \\.
        \.
        COPY "public"."empty" FROM stdin;
        \.
        SELECT 'C:\!';
        --
        -- PostgreSQL database dump complete
        --

        \unrestrict KEYkey123

        """#

    private static let expected = [
        "8: SET statement_timeout = 0;", "9: SELECT pg_catalog.set_config('search_path', '', false);",
        "14: CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $_$\nSET a = 0; -- '\nCOPY x FROM stdin;\n$$ \\! $_ $_$;",
        "18: CREATE OR REPLACE FUNCTION g() RETURNS int BEGIN ATOMIC\n SELECT CASE WHEN true THEN 1 ELSE 2 END;\n SELECT 2;\nEND;",
        "22: CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);",
        #"23: INSERT INTO t VALUES ('a;''\', E'\';', "b;""c", $1)    ;"#,
        #"24: COPY "public"."t" ("a", "from") FROM stdin;"#, "rows: 1\t\\N\n\\\\.\n", "end",
        #"28: COPY "public"."empty" FROM stdin;"#, "end", #"30: SELECT 'C:\!';"#,
    ]

    /// Pieces as text, adjacent rows joined.
    private func pieces(_ text: String, seams: [Int] = []) throws -> (pieces: [String], isComplete: Bool) {
        var lexer = DumpLexer()
        let bytes = Array(text.utf8)
        var found: [String] = []
        func take(_ piece: DumpLexer.Piece) {
            switch piece {
            case .statement(let statement):
                found.append("\(statement.line): \(String(decoding: statement.text, as: UTF8.self))")
            case .rows(let rows):
                // Byte by byte, because a seam may lie within a character.
                let text = rows.map { String(UnicodeScalar($0)) }.joined()
                if found.last?.hasPrefix("rows: ") == true {
                    found[found.count - 1] += text
                } else {
                    found.append("rows: " + text)
                }
            case .endOfRows: found.append("end")
            }
        }
        var start = 0
        for seam in seams + [bytes.count] where seam >= start {
            try lexer.feed(Array(bytes[start..<seam])) { take($0) }
            start = seam
        }
        try lexer.finish { take($0) }
        return (found, lexer.isComplete)
    }

    @Test func wholeAndByteByByte() throws {
        let whole = try pieces(Self.dump)
        #expect(whole.pieces == Self.expected)
        #expect(whole.isComplete)
        #expect(try pieces(Self.dump, seams: Array(1..<Self.dump.utf8.count)).pieces == Self.expected)
    }

    @Test(arguments: 1...50 as ClosedRange<UInt64>)
    func atRandomSeams(_ seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let count = Self.dump.utf8.count
        let seams = (0..<12).map { _ in Int.random(in: 0...count, using: &generator) }.sorted()
        #expect(try pieces(Self.dump, seams: seams).pieces == Self.expected)
    }

    @Test(arguments: [
        ("/*/ ; */ SELECT 1;", ["1: SELECT 1;"]),
        ("SELECT 1 /* a *//*/ ; /*/ ; */ ; */ + 2;", ["1: SELECT 1     + 2;"]),
        ("SELECT a$b$, '$c$' $c$;$c$;\nSELECT 2;", ["1: SELECT a$b$, '$c$' $c$;$c$;", "2: SELECT 2;"]),
        ("SELECT $a$;$$;$aa$;$a$;SELECT $1;", ["1: SELECT $a$;$$;$aa$;$a$;", "1: SELECT $1;"]),
        ("SELECT ae'\\';SELECT e'\\';';", ["1: SELECT ae'\\';", "1: SELECT e'\\';';"]),
        ("SELECT 1 - 2 / 3 * 4;-- ;\n;;SELECT 5;", ["1: SELECT 1 - 2 / 3 * 4;", "2: SELECT 5;"]),
    ])
    func quotesAndCommentsEndWhereTheyShould(_ text: String, _ expected: [String]) throws {
        #expect(try pieces(text).pieces == expected)
        #expect(try pieces(text, seams: Array(1..<text.utf8.count)).pieces == expected)
    }

    /// A reader of rows gets the statements before them, and where they begin.
    @Test func copiesAloneAreFound() throws {
        var lexer = DumpLexer(.copies, statementLimit: 10)
        let text = "\\! x\nSELECT 'COPY a FROM stdin;' AS copy; /*;*/ COPY /* 1 */ b FROM stdin;\n1\n"
        var found: [DumpStatement] = []
        let end = try Array(text.utf8).withUnsafeBytes { bytes in
            try lexer.readText(bytes, from: 0) { found.append($0) }
        }
        #expect(found.map { String(decoding: $0.text, as: UTF8.self) } == ["COPY   b FROM stdin;"])
        #expect(lexer.rowsFollow)
        #expect(end == text.utf8.count - 2)
        lexer.endOfRows()
        #expect(!lexer.rowsFollow)
    }

    @Test(arguments: [
        (#"\! rm -rf /"#, #"line 1 of the dump has psql's command \!, which is never run"#),
        ("SELECT 1;\n\\connect other", #"line 2 of the dump has psql's command \connect, which is never run"#),
        ("SELECT 1 \\gexec\n", #"line 1 of the dump has psql's command \gexec, which is never run"#),
    ])
    func commandsOfPsqlAreErrors(_ text: String, _ message: String) {
        #expect {
            try pieces(text)
        } throws: {
            ($0 as? PostgresError)?.message == message
        }
    }

    @Test(arguments: [
        ("COPY t FROM stdin;\n1\n", "the dump ends inside the rows of COPY at line 1"),
        ("\n\nSELECT 'a", "the dump ends inside a quoted text or comment in the statement at line 3"),
    ])
    func aTextThatIsCutIsAnError(_ text: String, _ message: String) {
        #expect {
            try pieces(text)
        } throws: {
            ($0 as? PostgresError)?.message == message
        }
    }

    @Test func aDumpWithoutItsEndIsIncomplete() throws {
        #expect(try !pieces("--\n-- PostgreSQL database dump\n--\n").isComplete)
        #expect(try pieces("SELECT 1").isComplete)
        #expect(try pieces("SELECT 1").pieces == ["1: SELECT 1\n"])
    }

    @Test func statementsAreBounded() throws {
        var lexer = DumpLexer(statementLimit: 100)
        #expect {
            for _ in 0..<3 { try lexer.feed(Array("\nSELECT '\(String(repeating: "x", count: 60))".utf8)) { _ in } }
        } throws: {
            ($0 as? PostgresError)?.message == "the statement at line 2 of the dump is longer than 100 bytes"
        }
    }

    /// Whatever comes, it ends in pieces or an error, and no byte of a row is lost.
    @Test(arguments: 1...200 as ClosedRange<UInt64>)
    func garbageIsCutOrRefused(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let parts = [
            "COPY t FROM stdin;\n", "\\.\n", "$a$", "'", "\"", "--", "\n", "/*", "*/", ";", "E'\\", "(", ")", "\\", "ü",
        ]
        let text = (0..<40).map { _ in parts.randomElement(using: &generator) ?? "" }.joined()
        let seams = (0..<text.utf8.count).filter { _ in Bool.random(using: &generator) }
        func outcome(_ seams: [Int]) -> String {
            do { return "\(try pieces(text, seams: seams).pieces)" } catch { return "\(error)" }
        }

        #expect(outcome([]) == outcome(seams))
    }

    @Test(
        arguments: [
            ("-- Name: items; Type: TABLE; Schema: public; Owner: app", "items|TABLE|public"),
            (" Data for Name: a; Type: b; Type: TABLE DATA; Schema: s; Owner: -", "a; Type: b|TABLE DATA|s"),
            (" Name: SCHEMA s; Type: ACL; Schema: -; Owner: app", "SCHEMA s|ACL|-"), (" Name: x", nil), ("", nil),
        ] as [(String, String?)])
    func entriesAreReadFromComments(_ comment: String, _ expected: String?) {
        let entry = DumpEntry(comment: comment)
        #expect(entry.map { "\($0.name)|\($0.type)|\($0.schema ?? "-")" } == expected)
    }

    @Test(
        arguments: [
            ("CREATE SCHEMA \"a\"\"b\";", "a\"b"), ("CREATE SCHEMA Sales;", "sales"),
            ("CREATE SCHEMA IF NOT EXISTS x;", "x"),
            ("CREATE TABLE x ();", nil),
        ] as [(String, String?)])
    func schemasAreNoticed(_ text: String, _ name: String?) {
        let statement = DumpStatement(text: Array(text.utf8), line: 1, isCopyFromInput: false)
        #expect(statement.createdSchema == name)
    }
}
