import GoFormats
import KopiaContent
import KopiaObject
import TestSupport
import Testing

@testable import KopiaSnapshot

private let object = "004e0d2d0e46fdde664485db615d465b"

private func entry(
    _ name: String, _ kind: DirectoryEntry.Kind = .file, mode: UInt32 = 0o777, size: Int64 = 0,
    modified: Timestamp? = nil, summary: DirectorySummary? = nil
) throws -> DirectoryEntry {
    DirectoryEntry(
        name: name, kind: kind, mode: FileMode(bits: mode), size: size, modified: modified,
        object: try #require(ObjectID(object)), summary: summary)
}

struct DirectoryTests {
    /// Vectors: reference §14.8, from kopia's code.
    @Test func hasKopiasBytesAndName() async throws {
        let modified = Timestamp(seconds: 1_767_225_600, nanoseconds: 123_456_789)
        let directory = try Directory(
            of: [try entry("dump.sql", size: 13, modified: modified)], modified: nil)
        #expect(
            String(decoding: directory.text, as: UTF8.self)
                == #"{"stream":"kopia:directory","entries":[{"name":"dump.sql","type":"f","mode":"0777","size":13,"#
                + #""mtime":"2026-01-01T00:00:00.123456789Z","obj":"004e0d2d0e46fdde664485db615d465b"}],"#
                + #""summary":{"size":13,"files":1,"symlinks":0,"dirs":1,"maxTime":"2026-01-01T00:00:00.123456789Z","#
                + #""numFailed":0}}"# + "\n")
        let store = MemoryContentStore(hash: referenceHash)
        let id = try await directory.write(to: store, compression: 0x1101)
        #expect(id.description == "k634ee9e8d960d8e2c66dd2c566be5a4d")
        #expect(store.compression(of: id.content) == 0x1101)
        #expect(try await Directory.read(id, from: store) == directory)
    }

    @Test func anEmptyOneHasNullEntriesAndItsOwnTime() async throws {
        let store = MemoryContentStore(hash: referenceHash)
        let directory = try Directory(of: [], modified: Timestamp(seconds: 1_767_225_600))
        let id = try await directory.write(to: store, compression: 0)
        #expect(id.description == "k80e84e9f46518fb02bded0285aeface9")
    }

    @Test func sortsDirectoriesFirstThenByBytesAndAddsUp() throws {
        var below = DirectorySummary()
        below.size = 100
        below.files = 3
        below.directories = 2
        below.newestModification = Timestamp(seconds: 50)
        let directory = try Directory(
            of: [
                try entry("b", size: 5, modified: Timestamp(seconds: 9)), try entry("Z", size: 2),
                try entry("é", .symlink, size: 1), try entry("a", .directory, summary: below),
            ], modified: nil)
        #expect(directory.entries.map(\.name) == ["a", "Z", "b", "é"])
        #expect(directory.summary.size == 107)
        #expect(directory.summary.files == 5)
        #expect(directory.summary.symlinks == 1)
        #expect(directory.summary.directories == 3)
        #expect(directory.summary.newestModification == Timestamp(seconds: 50))
        #expect(directory.inconsistency == nil)
    }

    @Test(arguments: [
        ("", "it is empty"), (".", "it means another directory"), ("..", "it means another directory"),
        ("a/b", "it contains '/'"), ("a\0", "it contains a zero byte"),
    ])
    func refusesTheName(name: String, problem: String) throws {
        let error = #expect(throws: SnapshotError.self) { try Directory(of: [try entry(name)], modified: nil) }
        #expect(error?.message == "'\(name)' cannot be a name in a directory: \(problem)")
    }

    @Test func refusesANameTwiceButNotAnotherNormalisationOfIt() throws {
        let error = #expect(throws: SnapshotError.self) {
            try Directory(of: [try entry("a"), try entry("a")], modified: nil)
        }
        #expect(error?.message == "'a' is twice in one directory")
        #expect(try Directory(of: [try entry("\u{e9}"), try entry("e\u{301}")], modified: nil).entries.count == 2)
    }

    static let modes: [(UInt32, String?)] = [
        (0o644, "0644"), (0o4000777, "04000777"), (0o40000755, "040000755"), (0, nil), (0o20000700, "020000700"),
    ]

    @Test(arguments: modes)
    func writesModesAsGoNumbersThem(bits: UInt32, text: String?) throws {
        let written = try entry("x", mode: bits)
        #expect(written.json["mode"]?.stringValue == text)
        #expect(try DirectoryEntry(json: written.json).mode.bits == bits)
    }

    @Test func leavesOutWhatIsZero() throws {
        let written = DirectoryEntry(
            name: "", kind: .symlink, mode: FileMode(bits: 0), modified: Timestamp(seconds: 0),
            object: try #require(ObjectID(object)))
        #expect(GoJSON.text(written.json) == #"{"type":"s","obj":"004e0d2d0e46fdde664485db615d465b"}"#)
    }

    static let readable: [(String, Int)] = [
        (#"{"stream":"kopia:directory","entries":null,"summary":null}"#, 0),
        (#"{"Stream":"kopia:directory","Entries":[{"Type":"f","Name":"a","Obj":"@","new":[1]}]}"#, 1),
        (#"{"entries":[{"obj":"@","type":"d","name":"a","size":4096,"summ":{}}],"stream":"kopia:directory"}"#, 1),
    ]

    @Test(arguments: readable)
    func readsWhatAnyWriterMayWrite(text: String, count: Int) throws {
        let id = try #require(ObjectID("k" + object))
        let directory = try Directory(text: Array(text.replacing("@", with: object).utf8), of: id)
        #expect(directory.entries.count == count)
    }

    static let malformed: [(String, String)] = [
        ("{", "directory @k is malformed: unexpected end of the text, expected a member name in quotes at byte 1"),
        (
            #"{"stream":"kopia:indirect"}"#,
            "malformed directory @k: its stream is 'kopia:indirect', not 'kopia:directory'"
        ),
        (
            #"{"stream":"kopia:directory","entries":[{"name":"../x","type":"f","obj":"@o"}]}"#,
            "malformed directory @k: it has an entry '../x': it contains '/'"
        ),
        (
            #"{"stream":"kopia:directory","entries":[{"name":"x","type":"q","obj":"@o"}]}"#,
            "malformed directory entry: entry 'x' has type 'q', expected f, d or s"
        ),
        (
            #"{"stream":"kopia:directory","entries":[{"name":"x","type":"f","obj":"zz"}]}"#,
            "malformed directory entry: entry 'x' has object 'zz', which is no object ID"
        ),
        (
            #"{"stream":"kopia:directory","entries":[{"name":"x","type":"f","size":-1,"obj":"@o"}]}"#,
            "malformed directory entry: entry 'x' has size -1"
        ),
    ]

    @Test(arguments: malformed)
    func saysWhatIsWrong(text: String, message: String) throws {
        func fill(_ text: String) -> String { text.replacing("@k", with: "k" + object).replacing("@o", with: object) }
        let id = try #require(ObjectID("k" + object))
        let error = #expect(throws: SnapshotError.self) { try Directory(text: Array(fill(text).utf8), of: id) }
        #expect(error?.message == fill(message))
    }

    @Test func noticesTotalsThatDoNotAddUp() throws {
        let id = try #require(ObjectID("k" + object))
        let text =
            #"{"stream":"kopia:directory","entries":[{"name":"b","type":"f","size":1,"obj":"\#(object)"},"#
            + #"{"name":"a","type":"f","size":1,"obj":"\#(object)"}],"summary":{"size":2,"files":2,"dirs":1}}"#
        #expect(try Directory(text: Array(text.utf8), of: id).inconsistency == "its entries are not in order")
        let other = text.replacing("\"name\":\"b\"", with: "\"name\":\"A\"").replacing(
            "\"size\":2", with: "\"size\":3")
        #expect(
            try Directory(text: Array(other.utf8), of: id).inconsistency
                == "its summary says 3 bytes, its entries add up to 2")
    }
}

struct SnapshotSourceTests {
    @Test func readsAndPrintsUserHostPath() throws {
        let source = try #require(SnapshotSource("runner@fixture:/pg/app:x"))
        #expect(source == SnapshotSource(host: "fixture", userName: "runner", path: "/pg/app:x"))
        #expect(source.description == "runner@fixture:/pg/app:x")
    }

    @Test(arguments: ["", "runner", "runner@", "runner@host", "@host:/x", "runner@:/x", "runner@host:", "/x"])
    func refuses(text: String) {
        #expect(SnapshotSource(text) == nil)
    }
}
