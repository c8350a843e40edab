import GoFormats
import RunnerContract
import TestSupport
import Testing

@testable import PodRunner

/// A world with an empty repository.
func worldWithRepository() async throws -> World {
    let world = try World()
    let created = await world.run(["repository", "create"] + world.repository)
    try #require(created.code == 0, "\(created.errors)")
    return world
}

@Suite struct LocationTests {
    @Test func aStreamComesBackAsItWas() async throws {
        let world = try await worldWithRepository()
        let bytes = SeededBytes.rnd(7, 9_000_001)
        try Files.write(bytes, world.path("in"))
        let pushed = await world.kando(
            ["location", "push", "--profile", world.profile, "--path", "a/b/backup.sql", "--output-name", "out", "-"],
            input: world.path("in"))
        try #require(pushed.code == 0, "\(pushed.errors)")
        #expect(pushed.lines.count == 3)
        #expect(pushed.lines[0] == "Snapshotting k10-admin@host-1:a/b ...")
        let reference = try KopiaSnapshotReference(parsing: pushed.artifact)
        #expect(reference.logicalSize == 9_000_001)
        #expect(reference.physicalSize > 9_000_001)
        let words = pushed.lines[1].split(separator: " ").map(String.init)
        #expect(words.prefix(4) == ["Created", "snapshot", "with", "root"])
        #expect(words.count == 10 && words[6] == "ID" && words[7] == reference.id && words[8] == "in")
        #expect(pushed.lines[2].hasPrefix(###"###Phase-output###: {"key":"out","value":"{\"id\":\""###))

        let pulled = await world.kando([
            "location", "pull", "-p", world.profile, "-s", "elsewhere/backup.sql", "-k", pushed.artifact, "-",
        ])
        try #require(pulled.code == 0, "\(pulled.errors)")
        #expect(pulled.output == bytes)
    }

    @Test func anEmptyStreamIsAFileOfNoBytes() async throws {
        let world = try await worldWithRepository()
        let pushed = await world.kando(["location", "push", "-p", world.profile, "-s", "x", "-"])
        #expect(try KopiaSnapshotReference(parsing: pushed.artifact).logicalSize == 0)
        let pulled = await world.kando(["location", "pull", "-p", world.profile, "-s", "x", "-k", pushed.artifact, "-"])
        #expect(pulled.code == 0)
        #expect(pulled.output.isEmpty)
    }

    @Test func deletingTwiceIsDeletingOnce() async throws {
        let world = try await worldWithRepository()
        let pushed = await world.kando(["location", "push", "-p", world.profile, "-s", "x", "-"])
        let id = try KopiaSnapshotReference(parsing: pushed.artifact).id
        let arguments = ["location", "delete", "-p", world.profile, "-k", pushed.artifact]
        let first = await world.kando(arguments)
        #expect(first.code == 0)
        #expect(first.output.isEmpty)
        #expect(first.errors == "deleted snapshot \(id); its space is freed by the repository's maintenance\n")
        let second = await world.kando(arguments)
        #expect(second.code == 0)
        #expect(second.errors == "snapshot \(id) is not in file://\(world.repositoryPath): nothing to delete\n")
        let pulled = await world.kando(["location", "pull", "-p", world.profile, "-s", "x", "-k", pushed.artifact, "-"])
        #expect(pulled.code == 69)
        #expect(pulled.output.isEmpty)
    }

    @Test func aSourceThatCannotBeReadLeavesNoSnapshot() async throws {
        let world = try await worldWithRepository()
        // A folder opens and then refuses to be read.
        let pushed = await world.kando(["location", "push", "-p", world.profile, "-s", "x", "-"], input: "/usr")
        #expect(pushed.code == 69)
        #expect(pushed.errors == "kando: error: cannot read /usr: Is a directory\n")
        #expect(!pushed.text.contains("###Phase-output###"))
        let listed = await world.run(["snapshot", "list", "--incomplete", "--json"] + world.repository)
        #expect(listed.text == "[\n]")
    }

    @Test func aFileIsASnapshotOfItselfAndPullCutsALongerTarget() async throws {
        let world = try await worldWithRepository()
        try Files.write(Array("short\n".utf8), world.path("source"))
        try Files.write(Array("much longer than before\n".utf8), world.path("target"))
        let pushed = await world.kando(["location", "push", "-p", world.profile, "-s", "ignored", world.path("source")])
        try #require(pushed.code == 0, "\(pushed.errors)")
        #expect(pushed.lines[0] == "Snapshotting k10-admin@host-1:\(world.path("source")) ...")
        let pulled = await world.kando([
            "location", "pull", "-p", world.profile, "-k", pushed.artifact, world.path("target"),
        ])
        #expect(pulled.code == 0)
        #expect(try Files.read(world.path("target")) == Array("short\n".utf8))
    }

    @Test func aFolderComesBackAsATree() async throws {
        let world = try await worldWithRepository()
        try Files.makeFolder(world.path("tree"))
        try Files.makeFolder(world.path("tree/below"))
        try Files.write(Array("one".utf8), world.path("tree/one"))
        try Files.write(Array("two".utf8), world.path("tree/below/two"))
        let pushed = await world.kando(["location", "push", "-p", world.profile, world.path("tree")])
        try #require(pushed.code == 0, "\(pushed.errors)")
        #expect(try KopiaSnapshotReference(parsing: pushed.artifact).logicalSize == 6)
        let pulled = await world.kando([
            "location", "pull", "-p", world.profile, "-k", pushed.artifact, world.path("back"),
        ])
        try #require(pulled.code == 0, "\(pulled.errors)")
        #expect(Files.names(world.path("back")) == ["below", "one"])
        #expect(try Files.read(world.path("back/below/two")) == Array("two".utf8))
    }

    @Test func aStreamPulledToAPathMakesAFolderWithTheFile() async throws {
        let world = try await worldWithRepository()
        try Files.write(Array("dump".utf8), world.path("in"))
        let pushed = await world.kando(
            ["location", "push", "-p", world.profile, "-s", "backup.sql", "-"], input: world.path("in"))
        let pulled = await world.kando([
            "location", "pull", "-p", world.profile, "-s", "backup.sql", "-k", pushed.artifact, world.path("back"),
        ])
        #expect(pulled.code == 0)
        #expect(try Files.read(world.path("back/backup.sql")) == Array("dump".utf8))
    }

    struct Failure: Sendable, CustomTestStringConvertible {
        let id: String
        let arguments: [String]
        let errors: String
        var testDescription: String { id }
    }

    @Test(arguments: [
        Failure(
            id: "no profile", arguments: ["location", "push", "--path", "x", "-"],
            errors: "kando: error: Please provide the --profile flag\n"),
        Failure(
            id: "profile null", arguments: ["location", "push", "-p", "null", "-s", "x", "-"],
            errors: """
                kando: error: Unsupported Location type: the profile has none
                hint: give the profile as {{ toJson .Profile }} renders it

                """),
        Failure(
            id: "object store",
            arguments: ["location", "push", "-p", #"{"Location":{"type":"azure"}}"#, "-s", "x", "-"],
            errors: "kando: error: the profile of type azure names no bucket\n"),
        Failure(
            id: "bad key", arguments: ["output", "a-b", "v"],
            errors: "kando: error: Key should contain only alphanumeric characters and underscore\n"),
    ])
    func kandosFailuresAre69(_ item: Failure) async throws {
        let world = try World()
        let outcome = await world.kando(item.arguments)
        #expect(outcome.code == 69)
        #expect(outcome.errors == item.errors)
        #expect(outcome.output.isEmpty)
    }

    @Test(arguments: [["output", "key"], ["location", "push"], ["nonsense"], ["location", "push", "--wrong", "-"]])
    func kandosUsageErrorsAre69AndOurs2(_ arguments: [String]) async throws {
        let world = try World()
        #expect(await world.kando(arguments).code == 69)
        #expect(await world.run(arguments).code == 2)
    }

    @Test func theVerbosityFlagIsTakenAnywhere() async throws {
        let world = try World()
        let line = "###Phase-output###: {\"key\":\"a\",\"value\":\"-1\"}\n"
        #expect(await world.kando(["-v", "debug", "output", "a", "--", "-1"]).text == line)
        #expect(await world.kando(["output", "-v", "debug", "a", "--", "-1"]).text == line)
        #expect(await world.kando(["output", "--verbosity=info", "a", "--", "-1"]).text == line)
    }

    @Test(arguments: [
        ("/usr/bin/kando", true), ("kando", true), ("pod-runner", false), ("/kando/pod-runner", false), ("", false),
    ])
    func theNameDecides(_ name: String, _ isKando: Bool) {
        #expect(PodRunnerMain.isKando(name) == isKando)
    }
}

@Suite struct LocationPathTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let path: String
        let folder: String
        let file: String
        var testDescription: String { path }
    }

    @Test(arguments: [
        Case(path: "backup.sql", folder: "/kanister-backups", file: "backup.sql"),
        Case(path: "/backup.sql", folder: "/kanister-backups", file: "backup.sql"),
        Case(path: "./backup.sql", folder: "/kanister-backups", file: "backup.sql"),
        Case(path: "pg/app1/backup.sql", folder: "pg/app1", file: "backup.sql"),
        Case(path: "/pg//app1/./backup.sql", folder: "/pg/app1", file: "backup.sql"),
    ])
    func folderAndFile(_ item: Case) throws {
        let path = try LocationPath(item.path)
        #expect(path.folder == item.folder)
        #expect(path.file == item.file)
    }

    @Test(arguments: [
        ("backup.sql", "app1", "/kanister-backups/app1"), ("/backup.sql", "Größe 1", "/kanister-backups/Größe 1"),
        ("backup.sql", "a/b%", "/kanister-backups/a%2Fb%25"), ("backup.sql", "..", "/kanister-backups/%2E%2E"),
        ("backup.sql", "a.b\n", "/kanister-backups/a.b%0A"), ("pg/backup.sql", "app1", "pg"),
    ])
    func databasesHaveSourcesOfTheirOwn(path: String, database: String, expected: String) throws {
        #expect(try LocationPath(path).sourcePath(database: database) == expected)
    }

    @Test(arguments: ["", "/", ".", "a/", "..", "a/.."])
    func whatNamesNoFileIsRefused(_ path: String) {
        let expected = PodRunnerError(
            .input, "the path \"\(path)\" does not end with a file name", hint: "give --path, for example backup.sql")
        #expect(throws: expected) { try LocationPath(path) }
    }
}
