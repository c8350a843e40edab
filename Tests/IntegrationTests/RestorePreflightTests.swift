import ProcessIO
import Testing

extension IntegrationTests {
    /// What a restore can know before it touches anything.
    struct RestorePreflight {
        @Test func grantsTablespacesAndSpace() async throws {
            try await PostgresPair.running().superuser(
                "DROP ROLE IF EXISTS azure_reader; CREATE ROLE azure_reader")
            let grant = "GRANT SELECT ON items TO azure_reader"
            try await RestoreScene.with("before", rows: 10, setup: grant) { bench, scene in
                func plan(_ more: String...) async throws -> Program.Outcome {
                    try await scene.runner.run(scene.arguments + ["--plan"] + more)
                }
                let fits = try await plan("--target-space", "100T")
                #expect(fits.exit == .exited(0), "\(fits.testDescription)")
                #expect(fits.output.contains("GO       grants       to "))
                #expect(fits.output.contains("GO       tablespaces  the dump names none"))
                #expect(fits.output.contains("GO       space        needs "))
                let full = try await plan("--target-space", "1M")
                #expect(full.exit == .exited(4), "\(full.testDescription)")
                #expect(full.output.contains("NO-GO    space        needs "))
                #expect(full.output.contains("of 1 MB\n"))
                #expect(try await plan().output.contains("hint: look it up and give it with --target-space 64G"))

                // A provider's role, on a server of another one.
                try await scene.pair.superuser("REVOKE ALL ON items FROM azure_reader", database: scene.database)
                try await scene.pair.superuser("DROP ROLE azure_reader")
                let absent = try await scene.runner.run(scene.arguments)
                #expect(absent.exit == .exited(4), "\(absent.testDescription)")
                #expect(
                    absent.errors.contains(
                        "nothing was changed on 127.0.0.1:\(scene.pair.port): grants: owners or grants of the dump name "
                            + "azure_reader, which are not there and which a restore does not make"))

                try bench.write("placed.sql", "SET default_tablespace = nowhere;\nCREATE TABLE t (a int);\n")
                try await bench.podRunner.succeed([
                    "location", "push", "--repository", scene.repositoryURL, "--path", "backup.sql",
                    bench.folder + "/placed.sql",
                ])
                let ids = try await bench.snapshotIDs()
                let placed = try #require(ids.first { $0 != scene.snapshot })
                let nowhere = try await scene.runner.run(scene.arguments(restoring: placed) + ["--plan"])
                #expect(nowhere.exit == .exited(4), "\(nowhere.testDescription)")
                #expect(nowhere.output.contains("the dump names tablespaces that are not there: nowhere"))
            }
        }
    }
}
