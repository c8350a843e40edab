import GoFormats
import Testing

@testable import PodRunner
@testable import PostgresDump

@Suite struct RestoreJournalTests {
    private static let journal = RestoreJournal(
        kind: .building, run: "0123456789abcdef0123456789abcdef", database: "it's \"app\" \\ ü\n", snapshot: "s1",
        step: "load",
        startTime: Timestamp(seconds: 1_800_000_000), joined: [JoinedRole("a'b"), JoinedRole("c", kept: .set)],
        comment: "the \"comment\"",
        keepUntil: Timestamp(seconds: 1_800_086_400))

    @Test func aJournalComesBackFromAComment() {
        #expect(RestoreJournal(comment: Self.journal.text) == Self.journal)
        #expect(Self.journal.sideName == "it's \"app\" \\ ü\n__restore_0123456789ab")
        #expect(Self.journal.oldName == "it's \"app\" \\ ü\n__old_0123456789ab")
    }

    @Test(arguments: [
        "", "a comment of somebody's", "karaffe restore journal: ", "karaffe restore journal: {}",
        "karaffe restore journal: {\"format\":2,\"kind\":\"kept\",\"run\":\"0123456789abcdef0123456789abcdef\",\"database\":\"d\"}",
        "karaffe restore journal: {\"format\":1,\"kind\":\"kept\",\"run\":\"../../..\",\"database\":\"d\"}",
        "karaffe restore journal: {\"format\":1,\"kind\":\"else\",\"run\":\"0123456789abcdef0123456789abcdef\",\"database\":\"d\"}",
    ])
    func otherCommentsAreNone(_ comment: String) {
        #expect(RestoreJournal(comment: comment) == nil)
    }

    @Test(
        arguments: [
            ("0", 0), ("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800), ("", nil), ("24", nil),
            ("-1h", nil),
            ("h", nil), ("1.5h", nil), ("99999999999d", nil),
        ] as [(String, Int64?)])
    func timesOfKeepOld(_ text: String, _ seconds: Int64?) {
        #expect(Restore.seconds(text) == seconds)
    }
}

@Suite struct LoadErrorTests {
    private func failure(_ state: String?, position: Int? = nil, context: String? = nil) -> ServerFailure {
        ServerFailure(sqlState: state, message: "it failed", context: context, position: position)
    }

    private func error(_ failure: ServerFailure, _ text: String, isCopy: Bool = false) -> PostgresError {
        PostgresError(
            failure, statement: DumpStatement(text: Array(text.utf8), line: 10, isCopyFromInput: isCopy), place: "there"
        )
    }

    @Test(
        arguments: [
            ("53100", false, "the server has no room"), (nil, true, "the connection to the server was lost"),
            ("57P01", true, "the connection to the server was lost"), ("53200", true, "ran out of a resource"),
            ("42P01", false, nil),
        ] as [(String?, Bool, String?)])
    func whatTheServerSaysIsSorted(_ state: String?, _ isTransient: Bool, _ hint: String?) {
        let error = error(failure(state), "SELECT 1;")
        #expect(error.isTransient == isTransient)
        #expect(hint == nil ? error.hint == nil : error.hint?.contains(hint ?? "") == true)
    }

    @Test func theLineIsThatOfTheMistake() {
        #expect(error(failure("42601"), "SELECT\nü\n;").message.contains("line 10 of the dump"))
        #expect(error(failure("42601", position: 8), "SELECT\nü\n;").message.contains("line 11 of the dump"))
        let copy = error(
            failure("22P02", context: "COPY a, line 7, column b: \"x, line 9\""), "COPY a FROM stdin;", isCopy: true)
        #expect(copy.message.contains("line 17 of the dump"))
    }
}

@Suite struct TableSelectionTests {
    private func statements(_ dump: String) throws -> [DumpStatement] {
        var lexer = DumpLexer()
        var found: [DumpStatement] = []
        func take(_ piece: DumpLexer.Piece) { if case .statement(let statement) = piece { found.append(statement) } }
        try lexer.feed(Array(dump.utf8)) { take($0) }
        try lexer.finish { take($0) }
        return found
    }

    @Test func oneTableIsTakenOutUnderAnotherSchema() throws {
        let dump = """
            SET lock_timeout = 0;
            -- Name: other; Type: TABLE; Schema: public; Owner: app
            CREATE TABLE "public"."other" ();
            -- Name: items; Type: TABLE; Schema: public; Owner: app
            CREATE TABLE "public"."items" ("id" integer);
            ALTER TABLE "public"."items" OWNER TO "app";
            -- Name: q; Type: SEQUENCE; Schema: public; Owner: app
            CREATE SEQUENCE "public"."q";
            -- Name: r; Type: SEQUENCE; Schema: public; Owner: app
            CREATE SEQUENCE "public"."r";
            -- Name: q; Type: SEQUENCE OWNED BY; Schema: public; Owner: app
            ALTER SEQUENCE "public"."q" OWNED BY "public"."items"."id";
            -- Name: items id; Type: DEFAULT; Schema: public; Owner: app
            ALTER TABLE ONLY "public"."items" ALTER COLUMN "id" SET DEFAULT nextval('"public"."q"'::regclass);
            -- Name: q; Type: SEQUENCE SET; Schema: public; Owner: app
            SELECT pg_catalog.setval('"public"."q"', 9, true);
            -- Name: r; Type: SEQUENCE SET; Schema: public; Owner: app
            SELECT pg_catalog.setval('"public"."r"', 9, true);
            -- Name: items items_fkey; Type: FK CONSTRAINT; Schema: public; Owner: app
            ALTER TABLE ONLY "public"."items"
                ADD CONSTRAINT "items_fkey" FOREIGN KEY ("id") REFERENCES "public"."other"("id");
            -- Name: by_id; Type: INDEX; Schema: public; Owner: app
            CREATE INDEX "by_id" ON "public"."items" USING "btree" ("id");
            """
        var selection = TableSelection(schema: "public", table: "items", target: "x")
        let taken = try statements(dump).flatMap { try selection.take($0) }.map {
            String(decoding: $0.text, as: UTF8.self)
        }
        #expect(
            taken == [
                "SET lock_timeout = 0;", #"CREATE TABLE "x"."items" ("id" integer);"#,
                #"ALTER TABLE "x"."items" OWNER TO "app";"#, #"CREATE SEQUENCE "x"."q";"#,
                #"ALTER SEQUENCE "x"."q" OWNED BY "x"."items"."id";"#,
                #"ALTER TABLE ONLY "x"."items" ALTER COLUMN "id" SET DEFAULT nextval('"x"."q"'::regclass);"#,
                #"SELECT pg_catalog.setval('"x"."q"', 9, true);"#,
                #"CREATE INDEX "by_id" ON "x"."items" USING "btree" ("id");"#,
            ])
        #expect(selection.isFound)
        #expect(selection.leftOut.kinds == ["foreign keys": 1])
    }

    @Test(arguments: ["PARTITION BY RANGE (\"id\")", "INHERITS (\"public\".\"parent\")"])
    func tablesThatDoNotStandAloneAreRefused(_ clause: String) throws {
        let dump =
            "-- Name: a; Type: TABLE; Schema: public; Owner: app\nCREATE TABLE \"public\".\"a\" (\"id\" integer)\n\(clause);"
        var selection = TableSelection(schema: "public", table: "a", target: "x")
        let statement = try #require(try statements(dump).first)
        #expect(throws: PostgresError.self) { try selection.take(statement) }
    }
}

@Suite struct PrivilegeRecordTests {
    private typealias Grant = PrivilegeRecord.Grant

    private func record(_ grants: Grant..., names: [String] = ["public.t"], owner: String? = "o") -> PrivilegeRecord {
        PrivilegeRecord(
            groups: [PrivilegeRecord.Group(kind: "table", owner: owner, grants: grants, names: names)], defaults: [])
    }

    @Test func whatIsLostIsWhatTheOtherLacks() throws {
        let mine = record(
            Grant(role: "a", privilege: "SELECT", isGrantable: false),
            Grant(role: "b", privilege: "INSERT", isGrantable: true))
        #expect(mine.lost(in: mine).isEmpty)
        #expect(mine.count == 3)
        // More is no loss, less is.
        let more = record(
            Grant(role: "a", privilege: "SELECT", isGrantable: true),
            Grant(role: "b", privilege: "INSERT", isGrantable: true),
            Grant(role: "c", privilege: "INSERT", isGrantable: true))
        #expect(mine.lost(in: more).isEmpty)
        let less = record(
            Grant(role: "a", privilege: "SELECT", isGrantable: false),
            Grant(role: "b", privilege: "INSERT", isGrantable: false))
        #expect(mine.lost(in: less).map(\.description) == ["INSERT on table public.t to b with grant option"])
        #expect(PrivilegeRecord(json: try JSONParser.parse(GoJSON.text(mine.json))) == mine)
        // In a dump of some tables, what was not dumped is not lost.
        let nothing = PrivilegeRecord(groups: [], defaults: [])
        #expect(mine.lost(in: nothing, isPart: true).isEmpty)
        #expect(mine.lost(in: nothing).count == 3)
        #expect(mine.lost(in: record(owner: "o"), isPart: true).count == 2)
        #expect(
            mine.lost(in: record(owner: "p")).map(\.description) == [
                "SELECT on table public.t to a", "INSERT on table public.t to b with grant option",
                "table public.t belongs to o",
            ])
    }

    @Test func objectsThatShareAListAreOneGroup() {
        let grant = Grant(role: "a", privilege: "SELECT", isGrantable: false)
        let other = Grant(role: "b", privilege: "SELECT", isGrantable: false)
        let groups = [[grant, other], [other, grant], [grant]].enumerated().map { index, grants in
            PrivilegeRecord.Group(kind: "table", owner: "o", grants: grants, names: ["public.t\(index)"])
        }
        let record = PrivilegeRecord(groups: groups.reversed(), defaults: [])
        #expect(record.groups.map(\.names) == [["public.t0", "public.t1"], ["public.t2"]])
        #expect(record.count == 8)
    }

    @Test func recordsOfBeforeAreRead() throws {
        let json = try JSONParser.parse(
            """
            [{"kind":"owner","object":"materialized view public.m","role":"o","privilege":"","grantable":false},
             {"kind":"grant","object":"materialized view public.m","role":"","privilege":"SELECT","grantable":false},
             {"kind":"grant","object":"table public.t column c","role":"a","privilege":"UPDATE","grantable":true},
             {"kind":"default","object":"tables of o in s","role":"a","privilege":"SELECT","grantable":false},
             {"kind":"owner"}, 7]
            """)
        let record = try #require(PrivilegeRecord(json: json))
        #expect(!record.isComplete)
        #expect(record.owners == ["o"])
        #expect(record.owner(ofRelation: "public.m") == "o")
        #expect(
            record.lost(in: PrivilegeRecord(groups: [], defaults: [])).map(\.description) == [
                "new tables of o in s: SELECT to a", "SELECT on materialized view public.m to PUBLIC",
                "UPDATE on table public.t column c to a with grant option", "materialized view public.m belongs to o",
            ])
        #expect(PrivilegeRecord(json: "x") == nil)
    }
}
