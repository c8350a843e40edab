import Glibc
import GoFormats
import ProcessIO
import Testing

extension IntegrationTests {
    /// Blueprints run by `karaffe` against the real servers.
    struct BlueprintRun {
        @Test func theDemoRuns() async throws {
            let demo = Program(path: Program.packageFolder + "/examples/flexible-server/demo.sh")
                .with(["DEMO_ROWS": "2000", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"])
            let outcome = try await demo.run([Program.buildFolder])
            #expect(outcome.exit == .exited(0), "\(outcome.testDescription)")
            #expect(outcome.output.contains("app3db   delete"))
        }

        /// The same blueprint, with a profile of type kopia.
        @Test(.enabled(if: getenv("KOPIA_EXE") != nil, "set KOPIA_EXE to a kopia program"))
        func theDemoRunsBehindAKopiaServer() async throws {
            let kopia = getenv("KOPIA_EXE").map { String(cString: $0) } ?? ""
            let demo = Program(path: Program.packageFolder + "/examples/flexible-server/demo.sh")
                .with([
                    "DEMO_ROWS": "2000", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "STORAGE": "kopia",
                    "KOPIA_EXE": kopia,
                ])
            let outcome = try await demo.run([Program.buildFolder])
            #expect(outcome.exit == .exited(0), "\(outcome.testDescription)")
            #expect(outcome.output.contains("Kind:              kopia repository server"))
            #expect(outcome.output.contains("app3db   delete"))
        }

        @Test func aClassicBlueprintRunsUnmodified() async throws {
            let pair = try PostgresPair.running()
            // The classic way breaks on a quote in any password, so it gets an administrator and a repository without.
            try await pair.sql(
                """
                DROP ROLE IF EXISTS classicadmin;
                CREATE ROLE classicadmin LOGIN CREATEDB CREATEROLE PASSWORD 'plain' IN ROLE pg_read_all_data;
                GRANT classicadmin TO flexadmin;
                """)
            try await pair.dropApplication("classic")
            try await pair.makeApplication("classic", password: "secret", rows: 500)
            try await pair.sql("GRANT classic TO classicadmin")
            let bench = try Workbench(pair, repositoryPassword: "plain repository password")
            try await bench.makeRepository()
            try await bench.makeCluster(application: "classic", password: "secret")
            try bench.write(
                "cluster/admin.yaml",
                """
                apiVersion: v1
                kind: Secret
                metadata: {name: classic-admin, namespace: kasten-io}
                stringData: {username: classicadmin, password: plain}
                """)
            let text = try await Program(path: "/bin/sed").succeed([
                "-e", "s/@PORT@/\(pair.port)/", "-e", "s/name: flexible-super-admin/name: classic-admin/",
                Program.packageFolder + "/Tests/IntegrationTests/Fixtures/classic-bp.yaml",
            ])
            let blueprint = bench.folder + "/classic-bp.yaml"
            try bench.write(blueprint, text)
            let before = try await pair.itemsHash("classic")

            try await bench.karaffe.with(["PGSSLMODE": "require"]).succeed(
                bench.runArguments(blueprint, "backup", object: "secret/apps/classic"))
            let backup = try await bench.lastRunID()
            #expect(try await bench.snapshotIDs().count == 1)

            try await pair.sql("DROP DATABASE classicdb WITH (FORCE)")
            try await bench.karaffe.succeed(
                bench.runArguments(blueprint, "restore", object: "secret/apps/classic", ["--from", backup]))
            #expect(try await pair.itemsHash("classic") == before)

            try await bench.karaffe.succeed(
                bench.runArguments(blueprint, "delete", object: "namespace/kasten-io/kasten-io", ["--from", backup]))
            #expect(try await bench.snapshotIDs() == [])
            try await pair.dropApplication("classic")
            try await pair.sql("DROP ROLE classicadmin")
        }

        /// What the application's own role could do before, it can do again; nobody sees a half restored database.
        @Test func aRestoreReplacesALiveDatabaseAtOnce() async throws {
            let pair = try PostgresPair.running()
            try await pair.dropApplication("live")
            try await pair.makeApplication("live", password: #"p'w"d\$HOME"#, rows: 300)
            let bench = try Workbench(pair)
            try await bench.makeRepository()
            try await bench.makeCluster(application: "live", password: #"p'w"d\$HOME"#)
            let before = try await pair.itemsHash("live")
            try await bench.karaffe.succeed(
                bench.runArguments(Workbench.flexibleBlueprint, "backup", object: "secret/apps/live"))
            let backup = try await bench.lastRunID()
            try await pair.sql("DELETE FROM items WHERE id % 2 = 0; CREATE TABLE newer (id int)", database: "livedb")
            try await bench.karaffe.succeed(
                bench.runArguments(
                    Workbench.flexibleBlueprint, "restore", object: "secret/apps/live", ["--from", backup]))
            #expect(try await pair.itemsHash("live") == before)
            #expect(try await pair.sql("SELECT to_regclass('newer') IS NULL", database: "livedb").trimmed == "t")
            // A second delete is no error: a retried one has nothing left to do.
            for _ in 0..<2 {
                try await bench.karaffe.succeed(
                    bench.runArguments(
                        Workbench.flexibleBlueprint, "delete", object: "namespace/kasten-io/kasten-io",
                        ["--from", backup]))
            }
            #expect(try await bench.snapshotIDs() == [])
            try await pair.dropApplication("live")
        }

        @Test func noSecretIsPrintedOrKept() async throws {
            let pair = try PostgresPair.running()
            let sentinel = "sentinel-Zq7-secret"
            try await pair.dropApplication("masked")
            try await pair.makeApplication("masked", password: sentinel, rows: 10)
            let bench = try Workbench(pair)
            try await bench.makeRepository()
            try await bench.makeCluster(application: "masked", password: sentinel)
            let backup = try await bench.karaffe.run(
                bench.runArguments(Workbench.flexibleBlueprint, "backup", object: "secret/apps/masked"))
            #expect(backup.exit == .exited(0), "\(backup.testDescription)")
            let restore = try await bench.karaffe.run(
                bench.runArguments(
                    Workbench.flexibleBlueprint, "restore", object: "secret/apps/masked", ["--from", "last"]))
            #expect(restore.exit == .exited(0), "\(restore.testDescription)")
            let render = try await bench.karaffe.run(
                [
                    "render", Workbench.flexibleBlueprint, "--action", "restore", "--cluster-dir", bench.clusterFolder,
                    "--object", "secret/apps/masked", "--profile", "kasten-io/local", "-o", "yaml",
                ])
            #expect(render.exit == .exited(0), "\(render.testDescription)")
            for secret in [sentinel, pair.adminPassword, bench.repositoryPassword] {
                for outcome in [backup, restore, render] {
                    #expect(!outcome.output.contains(secret))
                    #expect(!outcome.errors.contains(secret))
                }
                let kept = try await Program(path: "/bin/grep").run(["-rF", "-e", secret, bench.folder + "/state"])
                #expect(kept.exit == .exited(1), "\(kept.testDescription)")
            }
            try await pair.dropApplication("masked")
        }
    }
}
