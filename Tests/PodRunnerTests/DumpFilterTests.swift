import TestSupport
import Testing

@testable import PostgresDump

@Suite struct DumpFilterTests {
    private static let dump = #"""
        --
        -- PostgreSQL database dump
        --

        \restrict KEYkey123

        -- Dumped from database version 17.2
        SET statement_timeout = 0;
        SET transaction_timeout = 0;
        SELECT pg_catalog.set_config('search_path', '', false);
        ALTER TABLE ONLY public.t DROP CONSTRAINT t_pkey;
        DROP TABLE public.t;
        DROP SCHEMA public;
        CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$
        SET transaction_timeout = 0;
        DROP TABLE x;
        $$;
        COPY public.t (a, b) FROM stdin;
        1	\N
        \\unrestrict KEYkey123
        \.
        \unrestrict KEYkey12
        --
        -- PostgreSQL database dump complete
        --

        \unrestrict KEYkey123

        """#

    private static let expected = #"""
        --
        -- PostgreSQL database dump
        --



        -- Dumped from database version 17.2
        SET statement_timeout = 0;

        SELECT pg_catalog.set_config('search_path', '', false);


        DROP SCHEMA public;
        CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$
        SET transaction_timeout = 0;
        DROP TABLE x;
        $$;
        COPY public.t (a, b) FROM stdin;
        1	\N
        \\unrestrict KEYkey123
        \.
        \unrestrict KEYkey12
        --
        -- PostgreSQL database dump complete
        --



        """#

    private func filtered(_ text: String, seams: [Int], major: Int = 15) -> (text: String, filter: DumpFilter) {
        var filter = DumpFilter(targetMajor: major)
        let bytes = Array(text.utf8)
        var output: [UInt8] = []
        var start = 0
        for seam in seams + [bytes.count] where seam >= start {
            output += filter.filter(Array(bytes[start..<seam]))
            start = seam
        }
        output += filter.finish()
        return (String(decoding: output, as: UTF8.self), filter)
    }

    @Test func wholeAndByteByByte() {
        let whole = filtered(Self.dump, seams: [])
        #expect(whole.text == Self.expected)
        #expect(whole.filter.leftOut == ["SET transaction_timeout = 0;"])
        #expect(whole.filter.leftOutDrops == 2)
        #expect(whole.filter.isComplete)
        #expect(filtered(Self.dump, seams: Array(1..<Self.dump.utf8.count)).text == Self.expected)
    }

    @Test(arguments: 1...50 as ClosedRange<UInt64>)
    func atRandomSeams(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let count = Self.dump.utf8.count
        let seams = (0..<12).map { _ in Int.random(in: 0...count, using: &generator) }.sorted()
        #expect(filtered(Self.dump, seams: seams).text == Self.expected)
    }

    @Test func aNewEnoughTargetKeepsItsSettings() {
        let kept = filtered("SET transaction_timeout = 0;\nSELECT 1;\n", seams: [], major: 17)
        #expect(kept.text == "SET transaction_timeout = 0;\nSELECT 1;\n")
        #expect(kept.filter.leftOut.isEmpty)
    }

    @Test func textThatIsNoDumpPassesUnchanged() {
        for text in ["", "SELECT 1", "\\! ls\n", "no line break", "-- comment\n\n\nSELECT 1;\n\n"] {
            let passed = filtered(text, seams: [])
            #expect(passed.text == text)
            #expect(passed.filter.isComplete)
        }
    }

    @Test func aDumpWithoutItsEndIsIncomplete() {
        let cut = String(Self.dump.prefix(Self.dump.count / 2))
        #expect(!filtered(cut, seams: []).filter.isComplete)
        #expect(!filtered("--\n-- PostgreSQL database dump\n--\n", seams: []).filter.isComplete)
    }

    @Test func aVeryLongFirstLineIsNotHeldBack() {
        let text = "SELECT '" + String(repeating: "x", count: 200_000) + "';\nSELECT 2;\n"
        #expect(filtered(text, seams: [100_000, 150_000]).text == text)
    }
}
