import Testing

@testable import PostgresDump

@Suite struct ParallelSectionTests {
    /// What runs together, in the order of the dump: `[1 2+3] 4` is a section of two units and a statement alone.
    private static func schedule(_ dump: String) throws -> String {
        var lexer = DumpLexer()
        var section = ParallelSection()
        var found: [String] = []
        var number = 0
        var numbers: [DumpStatement: Int] = [:]
        func show(_ units: [ParallelSection.Unit]) {
            guard !units.isEmpty else { return }
            let texts = units.map { unit in
                unit.statements.map { "\(numbers[$0] ?? 0)" }.joined(separator: "+") + (unit.isExclusive ? "!" : "")
            }
            found.append("[\(texts.joined(separator: " "))]")
        }
        func take(_ piece: DumpLexer.Piece) {
            guard case .statement(let statement) = piece else { return }
            number += 1
            numbers[statement] = number
            let (isTaken, ready) = section.take(statement)
            show(ready)
            if !isTaken { found.append("\(number)") }
        }
        try lexer.feed(Array(dump.utf8)) { take($0) }
        try lexer.finish { take($0) }
        show(section.finish())
        return found.joined(separator: " ")
    }

    private static func entry(_ name: String, _ type: String, _ statements: String...) -> String {
        "--\n-- Name: \(name); Type: \(type); Schema: public; Owner: app\n--\n\n" + statements.joined(separator: "\n\n")
            + "\n\n"
    }

    private static let key = entry(
        "items items_pkey", "CONSTRAINT",
        "ALTER TABLE ONLY \"public\".\"items\"\n    ADD CONSTRAINT \"items_pkey\" PRIMARY KEY (\"id\");")
    private static func index(_ name: String, _ more: String...) -> String {
        entry(
            name, "INDEX", "CREATE INDEX \"\(name)\" ON \"public\".\"items\" USING btree (\"name\");",
            more.joined(separator: "\n\n"))
    }
    private static func foreign(_ from: String, _ only: String = "ONLY ") -> String {
        entry(
            "\(from) f", "FK CONSTRAINT",
            "ALTER TABLE \(only)public.\(from)\n    ADD CONSTRAINT f FOREIGN KEY (\"a, b\", c) REFERENCES \"public\".items(id, x);"
        )
    }

    @Test(arguments: [
        ("indexes and keys together", key + index("a") + index("b"), "[1! 2 3]"),
        ("foreign keys behind them", key + foreign("x") + foreign("y"), "[1!] [2! 3!]"),
        ("foreign keys that go down to partitions", key + foreign("x", ""), "[1!] 2"),
        (
            "what belongs to an index",
            index(
                "a", "ALTER TABLE \"public\".\"items\" CLUSTER ON \"a\";",
                "ALTER TABLE ONLY public.items REPLICA IDENTITY USING INDEX a;")
                + index("b"), "[1+2+3! 4]"
        ),
        (
            "comments",
            index("a") + entry("INDEX \"a\"", "COMMENT", "COMMENT ON INDEX \"public\".\"a\" IS 'x';") + key
                + entry(
                    "CONSTRAINT \"items_pkey\" ON \"items\"", "COMMENT",
                    "COMMENT ON CONSTRAINT \"items_pkey\" ON \"public\".\"items\" IS 'y';")
                + index("c"), "[1+2 3+4! 5]"
        ),
        (
            "a comment of another index",
            index("a") + index("b") + entry("INDEX \"a\"", "COMMENT", "COMMENT ON INDEX \"public\".\"a\" IS 'x';"),
            "[1 2] 3"
        ),
        (
            "partition indexes",
            index("a") + entry("b", "INDEX ATTACH", "ALTER INDEX \"public\".\"a\" ATTACH PARTITION \"public\".\"b\";")
                + index("c"),
            "[1] 2 [3]"
        ),
        (
            "anything else",
            index("a") + entry("t tr", "TRIGGER", "CREATE TRIGGER tr AFTER INSERT ON public.t EXECUTE FUNCTION f();")
                + "SET default_tablespace = '';\n" + index("b"), "[1] 2 3 [4]"
        ),
        (
            "a constraint of no known form",
            entry("t c", "CONSTRAINT", "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT c CHECK (true);"), "1"
        ),
        ("an index without pg_dump's comment", "CREATE INDEX a ON public.items USING btree (name);", "1"),
    ])
    func whatRunsTogether(_ name: String, _ dump: String, _ expected: String) throws {
        #expect(try Self.schedule(dump) == expected, "\(name)")
    }

    private static func unit(_ dump: String) throws -> ParallelSection.Unit {
        var lexer = DumpLexer()
        var found: [ParallelSection.Unit] = []
        try lexer.feed(Array(dump.utf8)) {
            if case .statement(let statement) = $0, let work = statement.parallelWork { found.append(work.unit) }
        }
        return try #require(found.first)
    }

    @Test func tablesAreKnownThroughQuotes() throws {
        #expect(try Self.unit(Self.index("a")).tables == ["public\u{0}items"])
        #expect(try Self.unit(Self.key).tables == ["public\u{0}items"])
        #expect(try Self.unit(Self.foreign("\"od\"\"d.\"")).tables == ["public\u{0}od\"d.", "public\u{0}items"])
        let odd = Self.entry("i", "INDEX", "CREATE UNIQUE INDEX \" ON x \" ON ONLY \"S\".\"t USING\" USING btree (a);")
        #expect(try Self.unit(odd).tables == ["S\u{0}t USING"])
    }

    @Test func whoeverNeedsATableForItselfIsAlone() throws {
        let (key, index, other) = (
            try Self.unit(Self.key), try Self.unit(Self.index("a")), try Self.unit(Self.index("b"))
        )
        #expect(key.conflicts(with: index) && index.conflicts(with: key))
        #expect(!index.conflicts(with: other))
        #expect(try Self.unit(Self.foreign("x")).conflicts(with: Self.unit(Self.foreign("y"))))
    }

    @Test func aSectionIsBounded() throws {
        let dump = (0..<ParallelSection.limit + 5).map { Self.index("i\($0)") }.joined()
        let sections = try Self.schedule(dump).split(separator: "]").map { $0.split(separator: " ").count }
        #expect(sections == [ParallelSection.limit, 5])
    }

    @Test func connectionsBesideGetTheSettingsOfTheDump() {
        var session = SessionSettings()
        for text in [
            "SET statement_timeout = 0;", "SET a = 1;", "SELECT pg_catalog.set_config('search_path', '', false);",
            "SET a = 2;", "CREATE TABLE x ();",
        ] {
            session.take(DumpStatement(text: Array(text.utf8), line: 1, isCopyFromInput: false))
        }
        #expect(
            session.statements == [
                "SET statement_timeout = 0;", "SELECT pg_catalog.set_config('search_path', '', false);", "SET a = 2;",
            ])
    }
}
