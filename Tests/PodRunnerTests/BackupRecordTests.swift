import GoFormats
import KopiaRepository
import RunnerContract
import Testing

@testable import PodRunner
@testable import PostgresDump

@Suite struct BackupRecordTests {
    static let text = """
        {"formatVersion":1,"program":{"name":"pod-runner","version":"0.1.0"},"run":"cafe","startTime":"2026-01-02T03:04:05Z",
        "endTime":"2026-01-02T03:05:06.5Z","source":{"host":"ro.example","port":"5432","version":150018,
        "versionText":"15.18 (Debian)","standby":true,"lsn":"0/3000148","lagSeconds":0.25,"databaseBytes":77},
        "database":{"name":"app's db","owner":"app1","encoding":"UTF8","collate":"C","ctype":"C","localeProvider":"c",
        "locale":null,"icuRules":null,"connectionLimit":-1,"comment":null,"grants":null,
        "settings":[{"role":null,"name":"work_mem","value":"8MB"}]},
        "extensions":[{"name":"plpgsql","version":"1.0","schema":"pg_catalog"},{"name":"citext","version":"1.6","schema":"public"}],
        "roles":{"roles":[],"memberships":[]},
        "dump":{"file":"back up.sql","format":"plain","bytes":123,"program":"pg_dump 15.18","arguments":["--format=plain"]},
        "tables":{"algorithm":"siphash-1-3-128-sum","key":"000102030405060708090a0b0c0d0e0f",
        "settings":{"TimeZone":"UTC","client_encoding":"UTF8"},"digests":[{"schema":"public","table":"items",
        "columns":["id"],"rows":2,"bytes":4,"hash":"0000000000000000000000000000abcd"}]},
        "unknown":[]}
        """

    @Test func whatIsWrittenIsRead() throws {
        let record = try BackupRecord(parsing: Array(Self.text.utf8))
        #expect(record.serverMajor == 15)
        #expect(record.lagSeconds == 0.25)
        #expect(record.endTime == Timestamp(rfc3339: "2026-01-02T03:05:06.5Z"))
        #expect(record.extensions.map(\.name) == ["plpgsql", "citext"])
        #expect(record.tables?.tables.map(\.qualifiedName) == ["\"public\".\"items\""])
        #expect(record.tables?.tables.map(\.hash) == [0xabcd])
        #expect(try BackupRecord(parsing: record.text) == record)
    }

    /// A record of before does not tell; kinds of later programs are passed over.
    @Test func whatOnlyASuperuserMayMakeIsRead() throws {
        #expect(try BackupRecord(parsing: Array(Self.text.utf8)).superuserObjects == nil)
        let objects =
            #"[{"kind":"event trigger","name":"a b"},{"kind":"of later","name":"c"},"x",{"kind":"event trigger"}]"#
        let text = Self.text.replacing("\"unknown\":[]", with: "\"superuserObjects\":\(objects)")
        let record = try BackupRecord(parsing: Array(text.utf8))
        #expect(record.superuserObjects == [SuperuserObject(.eventTrigger, "a b")])
        #expect(try BackupRecord(parsing: record.text) == record)
    }

    @Test func aRecordThatARestoreWouldNotReadIsMadeSmaller() throws {
        var record = try BackupRecord(parsing: Array(Self.text.utf8))
        let small = record.text.count
        #expect(record.text(bytesMax: 1).bytes == record.text)
        record.privileges = PrivilegeRecord(
            groups: [.init(kind: "table", owner: "o", grants: [], names: (0..<100).map { "public.t\($0)" })],
            defaults: [])
        let whole = record.text.count
        #expect(record.text(bytesMax: whole).warning == nil)
        let (text, warning) = record.text(bytesMax: whole - 1)
        #expect(text.count == small)
        #expect(warning?.contains("owners and grants are left out of it") == true)
        #expect(try BackupRecord(parsing: text).privileges == nil)
    }

    @Test(arguments: ["siphash-1-3-128-sum", "\"rows\":2", "0405060708090a"])
    func digestsThatCannotBeComparedAreLeftOut(_ part: String) throws {
        let text = Self.text.replacing(part, with: part.hasPrefix("\"") ? "\"rows\":-2" : "zz")
        #expect(try BackupRecord(parsing: Array(text.utf8)).tables == nil)
    }

    struct Failure: Sendable, CustomTestStringConvertible {
        let id: String
        let text: String
        let message: String
        var testDescription: String { id }
    }

    @Test(arguments: [
        Failure(
            id: "newer", text: #"{"formatVersion":2}"#,
            message: "karaffe.json has format version 2, this program knows 1"),
        Failure(
            id: "no version", text: "{}", message: "karaffe.json has format version 0, this program knows 1"),
        Failure(
            id: "no database", text: #"{"formatVersion":1}"#,
            message: "karaffe.json of the snapshot does not describe the database"),
        Failure(
            id: "no JSON", text: "x",
            message: "karaffe.json of the snapshot is not JSON: unexpected character 'x' at byte 0"),
    ])
    func unusableRecords(_ item: Failure) {
        let error = #expect(throws: PodRunnerError.self) { try BackupRecord(parsing: Array(item.text.utf8)) }
        #expect(error?.exitCode == .repository)
        #expect(error?.message.hasPrefix(item.message.prefix(52)) == true)
    }

    @Test func theInstructionsNameWhatIsInTheSnapshot() throws {
        let record = try BackupRecord(parsing: Array(Self.text.utf8))
        let source = try #require(SnapshotSource("u@h:/kanister-backups"))
        let text = RestoreInstructions.text(record: record, source: source)
        for part in [
            "kopia snapshot list --all --tags=run:cafe", "It is a snapshot of `u@h:/kanister-backups`",
            "Extensions: citext.", "-f restored/roles.sql",
            "CREATE DATABASE \"app's db\" TEMPLATE template0 OWNER \"app1\" ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER libc;",
            #"psql -X -v ON_ERROR_STOP=1 -d 'app'\''s db' -f 'restored/back up.sql'"#,
            "ALTER DATABASE \"app's db\" SET \"work_mem\" TO '8MB';",
        ] {
            #expect(text.contains(part), "\(part)")
        }
    }

    @Test(arguments: [
        (0, "0 B"), (999, "999 B"), (1000, "1 KB"), (24_141, "24.1 KB"), (22_100_937, "22.1 MB"),
        (5_000_000_000, "5 GB"),
    ])
    func bytesForPeople(_ count: Int, _ text: String) {
        #expect(Figures.bytes(Int64(count)) == text)
    }

    @Test func runsHaveNamesOfTheirOwn() {
        let names = (0..<100).map { _ in RunID.make() }
        #expect(Set(names).count == 100)
        #expect(names.allSatisfy { $0.count == 32 })
    }
}
