import GoFormats
import RunnerContract
import TestSupport
import Testing

@testable import PodRunner

@Suite struct RepositoryCommandTests {
    @Test func creatingTwiceChangesNothing() async throws {
        let world = try await worldWithRepository()
        let before = world.repositoryFiles()
        let again = await world.run(["repository", "create"] + world.repository)
        #expect(again.code == 5)
        #expect(
            again.errors.hasPrefix("pod-runner: error: '\(world.repositoryPath)' already holds a kopia repository\n"))
        #expect(world.repositoryFiles() == before)
    }

    @Test func statusShowsTheFormat() async throws {
        let world = try await worldWithRepository()
        let shown = await world.run(["repository", "status", "--json"] + world.repository)
        let status = try JSONParser.parse(shown.text)
        #expect(status["location"] == .string("file://\(world.repositoryPath)"))
        #expect(status["formatVersion"] == 3)
        #expect(status["splitter"] == "DYNAMIC-4M-BUZHASH")
        #expect(status["snapshots"] == 0)
    }

    @Test func aWrongPasswordIsOneSentence() async throws {
        var world = try await worldWithRepository()
        world.environment["KOPIA_PASSWORD"] = "wrong"
        let listed = await world.run(["snapshot", "list"] + world.repository)
        #expect(listed.code == 5)
        #expect(listed.errors.hasPrefix("pod-runner: error: the password is wrong"))
        #expect(listed.errors.split(separator: "\n").count == 2)
    }

    @Test func aFolderThatIsNoRepositoryStaysEmpty() async throws {
        let world = try World()
        try Files.makeFolder(world.repositoryPath)
        let pushed = await world.run(["location", "push", "-s", "x", "-"] + world.repository)
        #expect(pushed.code == 5)
        #expect(pushed.errors.contains("is not a kopia repository"))
        #expect(Files.names(world.repositoryPath).isEmpty)
    }

    @Test func aFolderThatIsNotThereIsNotMade() async throws {
        let world = try World()
        let pushed = await world.run(["location", "push", "-s", "x", "-"] + world.repository)
        #expect(pushed.code == 5)
        #expect(!Files.exists(world.repositoryPath))
    }

    struct Failure: Sendable, CustomTestStringConvertible {
        let id: String
        let arguments: [String]
        let code: Int32
        let errors: String
        var testDescription: String { id }
    }

    @Test(arguments: [
        Failure(
            id: "none named", arguments: ["snapshot", "list"], code: 2,
            errors: """
                pod-runner: error: no repository was named
                hint: give --profile, or --repository with a password

                """),
        Failure(
            id: "both named", arguments: ["snapshot", "list", "-p", "{}", "--repository", "file:///r"], code: 2,
            errors: "pod-runner: error: --profile and --repository cannot be given together\n"),
        Failure(
            id: "no credentials", arguments: ["snapshot", "list", "--repository", "s3://bucket"], code: 3,
            errors: """
                pod-runner: error: there are no credentials for S3
                hint: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN for temporary ones

                """),
        Failure(
            id: "identity", arguments: ["snapshot", "list", "--repository", "file:///r", "--identity", "me"], code: 3,
            errors: "pod-runner: error: --identity is \"me\", not user@host\n"),
        Failure(
            id: "password variable",
            arguments: ["snapshot", "list", "--repository", "file:///r", "--password-env", "NOPE"], code: 3,
            errors: "pod-runner: error: --password-env names the environment variable NOPE, which is not set\n"),
        Failure(
            id: "password file",
            arguments: ["snapshot", "list", "--repository", "file:///r", "--password-file", "/nowhere"], code: 3,
            errors: "pod-runner: error: --password-file: cannot open /nowhere: No such file or directory\n"),
        Failure(
            id: "profile variable", arguments: ["snapshot", "list", "--profile", "env:NOPE"], code: 3,
            errors: "pod-runner: error: --profile names the environment variable NOPE, which is not set\n"),
    ])
    func wrongInput(_ item: Failure) async throws {
        let outcome = try await World().run(item.arguments)
        #expect(outcome.code == item.code)
        #expect(outcome.errors == item.errors)
    }

    @Test func thePasswordMayComeFromAFileOrAVariable() async throws {
        var world = try await worldWithRepository()
        world.environment["KOPIA_PASSWORD"] = nil
        world.environment["MY_PASSWORD"] = World.password
        try Files.write(Array("\(World.password)\n".utf8), world.path("password"))
        let fromFile = await world.run(
            ["snapshot", "list", "--password-file", world.path("password")] + world.repository)
        #expect(fromFile.code == 0)
        let fromVariable = await world.run(["snapshot", "list", "--password-env", "MY_PASSWORD"] + world.repository)
        #expect(fromVariable.code == 0)
        let without = await world.run(["snapshot", "list"] + world.repository)
        #expect(without.code == 3)
    }

    @Test func theProfileMayComeFromAFileOrAVariable() async throws {
        var world = try await worldWithRepository()
        world.environment["PROFILE"] = world.profile
        try Files.write(Array(world.profile.utf8), world.path("profile.json"))
        #expect(await world.run(["snapshot", "list", "--profile", "env:PROFILE"]).code == 0)
        #expect(await world.run(["snapshot", "list", "--profile", "@" + world.path("profile.json")]).code == 0)
    }
}

@Suite struct SnapshotCommandTests {
    private func push(_ text: String, as name: String, in world: borrowing World) async throws -> String {
        try Files.write(Array(text.utf8), world.path("in"))
        let pushed = await world.run(
            ["location", "push", "-s", name, "-"] + world.repository, input: world.path("in"))
        return try KopiaSnapshotReference(parsing: pushed.artifact).id
    }

    @Test func catWritesTheFile() async throws {
        let world = try await worldWithRepository()
        let id = try await push("hello", as: "a/x.txt", in: world)
        #expect(await world.run(["snapshot", "cat", id, "x.txt"] + world.repository).text == "hello")
        #expect(
            await world.run(["snapshot", "cat", String(id.prefix(8)), "/x.txt"] + world.repository).text == "hello")
        let missing = await world.run(["snapshot", "cat", id, "y.txt"] + world.repository)
        #expect(missing.code == 3)
        #expect(missing.errors.contains("there is no 'y.txt' in the root of snapshot \(id)"))
        #expect(missing.errors.contains("hint: it has 'x.txt'"))
    }

    @Test func showListsTheEntries() async throws {
        let world = try await worldWithRepository()
        let id = try await push("hello", as: "a/x.txt", in: world)
        let shown = await world.run(["snapshot", "show", id, "--recursive", "--json"] + world.repository)
        let value = try JSONParser.parse(shown.text)
        #expect(value["id"] == .string(id))
        #expect(value["source"]?["path"] == "a")
        let entries = value["entries"]?.arrayValue ?? []
        #expect(entries.map { $0["path"] } == ["x.txt"])
        #expect(entries.first?["size"] == 5)
        #expect(entries.first?["mode"] == "0777")
    }

    @Test func deleteTakesSeveralAndThoseThatAreGone() async throws {
        let world = try await worldWithRepository()
        let first = try await push("1", as: "x", in: world)
        let second = try await push("2", as: "x", in: world)
        let deleted = await world.run(["snapshot", "delete", first, second, first] + world.repository)
        #expect(deleted.code == 0)
        #expect(
            deleted.errors.hasSuffix("snapshot \(first) is not in file://\(world.repositoryPath): nothing to delete\n"))
        #expect(await world.run(["snapshot", "list", "--json"] + world.repository).text == "[\n]")
    }

    @Test func topLevelDeleteTakesAnArtifactOrAnID() async throws {
        let world = try await worldWithRepository()
        let id = try await push("1", as: "x", in: world)
        #expect(await world.run(["delete", "--kopia-snapshot", id] + world.repository).code == 0)
        let again = await world.run(["delete", "--kopia-snapshot", "{\"id\":\"\(id)\"}"] + world.repository)
        #expect(again.code == 0)
        #expect(again.errors.contains("nothing to delete"))
        #expect(await world.run(["delete", "--kopia-snapshot", "no id!"] + world.repository).code == 3)
    }

    /// kopia's own listing of a repository that kopia made, byte by byte.
    @Test(.enabled(if: Files.exists(GoldenRepository.path("default")), "the golden repositories are not here"))
    func theListIsKopias() async throws {
        var world = try World()
        world.environment["KOPIA_PASSWORD"] = GoldenRepository.password
        let listed = await world.run([
            "snapshot", "list", "--json", "--repository", "file://\(GoldenRepository.path("default"))",
        ])
        let expected = try Files.read("\(GoldenRepository.root)/cli-output/snapshot-list.json")
        #expect(listed.text == String(decoding: expected, as: UTF8.self))
    }

    @Test func namesCannotReachTheTerminalRaw() {
        #expect(Listing.safe("a\u{1b}[31mb\n\u{9b}c") == "a\\u{1b}[31mb\\u{a}\\u{9b}c")
    }
}
