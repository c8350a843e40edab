import ProcessIO
import Testing

extension IntegrationTests {
    /// One clear message each, the right exit code, nothing changed.
    struct BadInput {
        @Test func aSecretWithoutTheDatabaseName() async throws {
            let bench = try Workbench(try PostgresPair.running())
            try await bench.makeCluster(application: "app", password: "x", dropKey: "dbname")
            let outcome = try await bench.karaffe.run(
                bench.runArguments(Workbench.flexibleBlueprint, "backup", object: "secret/apps/app"))
            #expect(outcome.exit == .exited(3))
            #expect(outcome.errors.contains("Failed to render template: \"dbname\" not found"))
            #expect(outcome.errors.contains("flexible-bp.yaml:"))
            #expect(outcome.errors.contains("in action 'backup', phase 'backupData'"))
        }

        @Test func aWrongRepositoryPassword() async throws {
            let pair = try PostgresPair.running()
            let bench = try Workbench(pair)
            try await bench.makeRepository()
            let wrong = Program.podRunner.with(["KOPIA_PASSWORD": "wrong"])
                .with(pair.adminEnvironment(host: pair.standby))
            let outcome = try await wrong.run(["backup", "--repository", bench.repositoryURL, "--path", "backup.sql"])
            #expect(outcome.exit == .exited(5))
            #expect(outcome.errors.contains("password"))
            #expect(try await bench.snapshotIDs() == [])
        }

        @Test func aFolderThatIsNoRepository() async throws {
            let pair = try PostgresPair.running()
            let bench = try Workbench(pair)
            let outcome = try await bench.podRunner(reading: "postgres")
                .run(["backup", "--repository", "file://" + bench.folder, "--path", "backup.sql"])
            #expect(outcome.exit == .exited(5))
            #expect(outcome.errors.contains(bench.folder))
        }

        @Test func aServerThatIsDown() async throws {
            let pair = try PostgresPair.running()
            let bench = try Workbench(pair)
            try await bench.makeRepository()
            let outcome = try await bench.podRunner(reading: "postgres").with(["PGPORT": "1"])
                .run(["backup", "--repository", bench.repositoryURL, "--path", "backup.sql", "--retries", "0"])
            #expect(outcome.exit == .exited(4))
            #expect(outcome.errors.contains("127.0.0.2"))
            #expect(try await bench.snapshotIDs() == [])
        }

        @Test func aDatabaseThatIsNotThere() async throws {
            let bench = try Workbench(try PostgresPair.running())
            try await bench.makeRepository()
            let outcome = try await bench.podRunner(reading: "nowhere")
                .run(["backup", "--repository", bench.repositoryURL, "--path", "backup.sql"])
            #expect(outcome.exit == .exited(4))
            #expect(outcome.errors.contains("database \"nowhere\" does not exist"))
            #expect(try await bench.snapshotIDs() == [])
        }

        @Test(arguments: [
            ("not YAML", "apiVersion: v1\nkind: [", "error:"),
            ("empty", "", "there is nothing in the file"),
        ])
        func aBlueprintThatIsNone(_ name: String, _ text: String, _ expected: String) async throws {
            let bench = try Workbench(try PostgresPair.running())
            try await bench.makeCluster(application: "app", password: "x")
            try bench.write("bp.yaml", text)
            let outcome = try await bench.karaffe.run(
                bench.runArguments(bench.folder + "/bp.yaml", "backup", object: "secret/apps/app"))
            #expect(outcome.exit == .exited(3))
            #expect(outcome.errors.contains(expected))
            #expect(outcome.errors.contains("bp.yaml"))
        }
    }
}
