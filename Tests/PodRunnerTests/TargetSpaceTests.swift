import Testing

@testable import PodRunner
@testable import PostgresDump

@Suite struct TargetSpaceTests {
    private static let gigabyte: Int64 = 1_000_000_000

    private static func check(
        needed: Int64? = 10, used: Int64 = 20, hidden: Int64 = 0, wal: Int64? = 1, freed: Int64 = 0, storage: Int64?
    ) -> PreflightCheck {
        TargetSpace(
            needed: needed.map { $0 * gigabyte }, dumpBytes: 5 * gigabyte, used: used * gigabyte,
            hiddenDatabases: hidden, wal: wal.map { $0 * gigabyte }, freed: freed * gigabyte,
            storage: storage.map { $0 * gigabyte }
        ).check
    }

    @Test(
        arguments: [
            (nil, .unknown), (64, .go), (42, .warning), (32, .noGo), (30, .noGo),
        ] as [(Int64?, PreflightCheck.Verdict)])
    func aRestoreFitsOrNot(_ storage: Int64?, _ verdict: PreflightCheck.Verdict) {
        #expect(Self.check(storage: storage).verdict == verdict)
    }

    @Test func roomThatIsFreedFirstCounts() {
        #expect(Self.check(freed: 20, storage: 32).verdict == .go)
    }

    @Test func whatIsKnownIsSaid() {
        #expect(
            Self.check(hidden: 3, wal: nil, storage: nil).finding
                == "needs 10 GB, as the database took on the source, and as much WAL for a while; databases take 20 GB now "
                + "without 3 that cannot be looked into, WAL is not shown to this role; PostgreSQL does not tell how large the "
                + "storage is")
        #expect(Self.check(storage: nil).hint == "look it up and give it with --target-space 64G")
        #expect(Self.check(needed: nil, storage: 64).finding.hasPrefix("needs more than the dump's 5 GB, and "))
        #expect(Self.check(storage: 64).finding.hasSuffix("; together 31 GB to 36 GB of 64 GB"))
    }

    @Test(
        arguments: [
            ("64G", 64 << 30), ("64GiB", 64 << 30), ("512M", 512 << 20), ("2T", 2 << 40), ("1024T", 1 << 50),
            ("1025T", nil), ("0G", nil), ("G", nil), ("64", nil), ("-1G", nil), ("64k", nil), ("", nil),
            ("99999999999999999999T", nil),
        ] as [(String, Int64?)])
    func sizesOfStorage(_ text: String, _ bytes: Int64?) {
        #expect(Restore.bytes(text) == bytes)
    }

    @Test func tablespacesBeforeTheRows() {
        var beginning = DumpBeginning()
        beginning.scan(Array("SET default_tablespace = fast;\nCREATE TABLE a ();\nSET default_tablespace = '';\n".utf8))
        beginning.scan(Array("SET default_tablespace = \"big one\";\nSELECT 'SET default_tablespace = no;';\n".utf8))
        #expect(!beginning.isOver)
        beginning.scan(Array("COPY a FROM stdin;\n\\.\n".utf8))
        #expect(beginning.isOver)
        beginning.scan(Array("SET default_tablespace = late;\n".utf8))
        #expect(beginning.tablespaces == ["fast", "big one"])
    }
}
