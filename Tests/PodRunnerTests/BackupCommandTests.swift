import TestSupport
import Testing

@testable import PodRunner

/// What `backup` and `restore` say before there is a server: those with one are integration tests.
@Suite struct BackupCommandTests {
    struct Failure: Sendable, CustomTestStringConvertible {
        let id: String
        var arguments: [String] = []
        var variables: [String: String] = ["PGDATABASE": "app1db"]
        let code: Int32
        let errors: String
        var testDescription: String { id }
    }

    @Test(arguments: [
        Failure(
            id: "no database", variables: [:], code: 3,
            errors: "pod-runner: error: no database was named\nhint: set PGDATABASE, or give --dbname\n"),
        Failure(
            id: "empty database", variables: ["PGDATABASE": ""], code: 3,
            errors: "pod-runner: error: no database was named\nhint: set PGDATABASE, or give --dbname\n"),
        Failure(
            id: "line break", variables: ["PGDATABASE": "app1db\n"], code: 3,
            errors: "pod-runner: error: the name of the database ends with a line break\n"
                + "hint: a Secret made with `echo` or from a file has one: make it with `printf %s`, or kubectl's --from-literal\n"
        ),
        Failure(
            id: "port", variables: ["PGDATABASE": "d", "PGPORT": "http"], code: 3,
            errors: "pod-runner: error: the port (PGPORT) is \"http\", not a number from 1 to 65535\n"),
        Failure(
            id: "tag", arguments: ["--tags", "novalue"], code: 3,
            errors: "pod-runner: error: the tag \"novalue\" is not key:value\n"),
        Failure(
            id: "reserved name", arguments: ["--path", "a/roles.sql"], code: 3,
            errors: "pod-runner: error: the dump cannot be named roles.sql: the snapshot has a file of that name\n"),
        Failure(
            id: "output key", arguments: ["--output-name", "a b"], code: 3,
            errors: "pod-runner: error: Key should contain only alphanumeric characters and underscore\n"),
    ])
    func wrongInputIsFoundBeforeAnythingHappens(_ item: Failure) async throws {
        var world = try World()
        world.environment.merge(item.variables) { $1 }
        let outcome = await world.run(["backup"] + item.arguments + world.repository)
        #expect(outcome.code == item.code)
        #expect(outcome.errors == item.errors)
        #expect(outcome.output.isEmpty)
        #expect(!Files.exists(world.repositoryPath))
    }

    @Test func aServerThatIsDownIsExitCode4AndChangesNothing() async throws {
        var world = try await worldWithRepository()
        world.environment.merge([
            "PGDATABASE": "app1db", "PGHOST": "127.0.0.1", "PGPORT": "1", "PGUSER": "u", "PGPASSWORD": "hidden-word",
        ]) { $1 }
        let before = world.repositoryFiles()
        let outcome = await world.run(["backup", "--retries", "0"] + world.repository)
        #expect(outcome.code == 4)
        #expect(outcome.errors.hasPrefix("pod-runner: error: cannot connect to database \"app1db\" on 127.0.0.1:1: "))
        #expect(outcome.errors.contains("Connection refused"))
        #expect(!outcome.errors.contains("hidden-word"))
        #expect(outcome.output.isEmpty)
        #expect(world.repositoryFiles() == before)
    }

    @Test func restoreFindsAMissingSnapshotBeforeItConnects() async throws {
        var world = try await worldWithRepository()
        world.environment.merge(["PGDATABASE": "app1db", "PGHOST": "127.0.0.1", "PGPORT": "1"]) { $1 }
        let outcome = await world.run(
            ["restore", "--kopia-snapshot", "0123456789abcdef0123456789abcdef"] + world.repository)
        #expect(outcome.code == 3)
        #expect(
            outcome.errors.hasPrefix("pod-runner: error: there is no snapshot '0123456789abcdef0123456789abcdef' in"))
    }

    @Test func theApplicationsUserAndPasswordBelongTogether() async throws {
        var world = try World()
        world.environment["PGDATABASE"] = "app1db"
        let outcome = await world.run(
            ["restore", "--kopia-snapshot", "0123", "--app-user", "app1"] + world.repository)
        #expect(outcome.code == 2)
        #expect(outcome.errors.hasPrefix("pod-runner: error: --app-user and its password belong together\n"))
    }

    @Test(arguments: [
        [], ["backup"], ["check"], ["restore"], ["delete"], ["location"], ["location", "push"], ["location", "pull"],
        ["location", "delete"], ["output"], ["repository"], ["repository", "create"], ["repository", "status"],
        ["snapshot"], ["snapshot", "list"], ["snapshot", "show"], ["snapshot", "cat"], ["snapshot", "delete"],
    ])
    func everyCommandHasHelp(_ command: [String]) async throws {
        let outcome = try await World().run(command + ["--help"])
        #expect(outcome.code == 0)
        #expect(outcome.text.contains("OVERVIEW: "))
        #expect(outcome.errors.isEmpty)
    }
}
