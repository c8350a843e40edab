import Glibc
import GoFormats
import ProcessIO
import Testing

@testable import PostgresDump

extension IntegrationTests.RestorePreflight {
    /// What only a superuser may make, owned by one.
    static let superuserObjects = """
        CREATE EVENT TRIGGER "No ""ted" ON ddl_command_end EXECUTE FUNCTION noted();
        ALTER EVENT TRIGGER "No ""ted" DISABLE; COMMENT ON EVENT TRIGGER "No ""ted" IS 'seen';
        CREATE PUBLICATION everything FOR ALL TABLES; COMMENT ON PUBLICATION everything IS 'all';
        CREATE PUBLICATION schemas FOR TABLES IN SCHEMA public;
        """
    static let superuserNames =
        "event trigger No \"ted, publication everything FOR ALL TABLES, publication schemas FOR TABLES IN SCHEMA"

    @Test func whatOnlyASuperuserMayMakeIsNamedBeforeAndLeftOutByList() async throws {
        let setup = """
            CREATE FUNCTION noted() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
            CREATE PUBLICATION plain FOR TABLE items; COMMENT ON PUBLICATION plain IS 'stays';
            """
        try await RestoreScene.with("lesser", rows: 10, setup: setup, bySuperuser: Self.superuserObjects) {
            bench, scene in
            let pair = scene.pair
            let refusal = "lesseradmin may not make \(Self.superuserNames)"
            let leave = "--leave-out-superuser-objects"
            let drill = [
                "verify", "--repository", scene.repositoryURL, "--kopia-snapshot", scene.snapshot, "--restore-into",
                "lesserdrill", "--no-store",
            ]
            // In a database where the role may create something, and in one where it may not.
            for grant in ["GRANT CREATE ON DATABASE postgres TO", "REVOKE CREATE ON DATABASE postgres FROM"] {
                try await pair.superuser("\(grant) lesseradmin")
                try Self.expect(
                    try await scene.runner.run(scene.arguments + ["--plan"]), "NO-GO", "superuser", refusal)
            }
            for arguments in [scene.arguments, drill] {
                let refused = try await scene.runner.run(arguments)
                #expect(refused.exit == .exited(4), "\(refused.testDescription)")
                #expect(
                    refused.errors.contains(
                        "nothing was changed on 127.0.0.1:\(pair.port): superuser: \(refusal)\nhint: restore as a superuser, or "
                    ), "\(refused.errors)")
            }
            // What was asked made nothing.
            let probes = "SELECT (SELECT count(*) FROM pg_event_trigger) + (SELECT count(*) FROM pg_publication)"
            #expect(try await pair.superuser(probes).trimmed == "0")
            #expect(try await pair.superuser(probes, database: scene.database).trimmed == "4")
            #expect(try await scene.leftovers() == "")

            // A record of before does not tell: the load stops at the first of them.
            let old = try await Self.withoutSuperuserObjects(bench, scene)
            let late = try await scene.runner.run(scene.arguments(restoring: old))
            #expect(late.exit == .exited(4), "\(late.testDescription)")
            #expect(late.errors.contains("of the dump: ERROR: must be superuser to create FOR ALL TABLES publication"))
            #expect(try await pair.itemsHash("lesser") == scene.hash)
            #expect(try await scene.leftovers() == "")

            let plan = try await scene.runner.run(scene.arguments + [leave, "--plan"])
            #expect(plan.exit == .exited(0), "\(plan.testDescription)")
            try Self.expect(
                plan, "WARN", "superuser", "\(refusal); left out, as asked for")
            let rehearsed = try await scene.runner.run(drill + [leave])
            #expect(rehearsed.exit == .exited(0), "\(rehearsed.testDescription)")

            let restored = try await scene.runner.run(scene.arguments + [leave, "--output", "json"])
            #expect(restored.exit == .exited(0), "\(restored.testDescription)")
            #expect(
                restored.errors.contains(
                    "warning: left out, as --leave-out-superuser-objects allows:\n  publication everything FOR ALL TABLES\n"
                ),
                "\(restored.errors)")
            let named = try JSONParser.parse(restored.output)["leftOut"]?.arrayValue?.compactMap(\.stringValue)
            #expect(named?.sorted().joined(separator: ", ") == Self.superuserNames)
            #expect(try await pair.itemsHash("lesser") == scene.hash)
            let there = """
                SELECT (SELECT string_agg(pubname || ' ' || obj_description(oid, 'pg_publication'), ',') FROM pg_publication),
                       (SELECT string_agg(tablename, ',') FROM pg_publication_tables),
                       (SELECT count(*) FROM pg_event_trigger)
                """
            #expect(try await pair.superuser(there, database: scene.database).trimmed == "plain stays|items|0")

            // Who may make them gets them, whatever the option says.
            let above = scene.runner.with(pair.superuserEnvironment(database: scene.database))
            try Self.expect(
                try await above.run(scene.arguments + ["--plan"]), "GO", "superuser",
                "postgres may make \(Self.superuserNames)")
            // Without the application's password, which the socket does not take.
            let plain = scene.arguments.filter {
                !["--app-user", scene.name, "--app-password-env", "APP_PASSWORD"].contains($0)
            }
            let whole = try await above.run(plain + [leave])
            #expect(whole.exit == .exited(0), "\(whole.testDescription)")
            #expect(!whole.errors.contains("left out"), "\(whole.errors)")
            #expect(try await pair.superuser(probes, database: scene.database).trimmed == "4")
        }
    }

    /// The scene's snapshot with a record as backups of before wrote it.
    private static func withoutSuperuserObjects(
        _ bench: borrowing Workbench, _ scene: RestoreScene
    ) async throws -> String {
        let folder = bench.folder + "/before"
        try await bench.podRunner.succeed([
            "snapshot", "restore", "--repository", scene.repositoryURL, scene.snapshot, folder,
        ])
        let record = try await Program(path: "/bin/cat").succeed([folder + "/karaffe.json"])
        try #require(record.contains("\"superuserObjects\""))
        unlink(folder + "/karaffe.json")
        try bench.write(folder + "/karaffe.json", record.replacing("\"superuserObjects\"", with: "\"ofLater\""))
        try await bench.podRunner.succeed(["location", "push", "--repository", scene.repositoryURL, folder])
        return try #require(try await bench.snapshotIDs().first { $0 != scene.snapshot })
    }
}

extension IntegrationTests.Versions {
    /// Every server answers before it makes anything.
    @Test(arguments: OtherMajors.all + [15])
    func serversTellWhatOnlyASuperuserMayMake(_ major: Int) async throws {
        let pair = try OtherMajors.pair(major)
        try await pair.superuser("DROP DATABASE IF EXISTS asked WITH (FORCE)")
        try await pair.superuser("CREATE DATABASE asked OWNER flexadmin")
        try await pair.superuser(
            """
            CREATE FUNCTION noted() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
            CREATE EVENT TRIGGER noting ON ddl_command_end EXECUTE FUNCTION noted();
            CREATE PUBLICATION everything FOR ALL TABLES; CREATE PUBLICATION plain;
            CREATE FUNCTION shout(text) RETURNS text LANGUAGE internal AS 'upper';
            \(major >= 15 ? "CREATE PUBLICATION schemas FOR TABLES IN SCHEMA public" : "")
            """, database: "asked")
        let wanted =
            [SuperuserObject(.eventTrigger, "noting"), SuperuserObject(.publicationOfAllTables, "everything")]
            + (major >= 15 ? [SuperuserObject(.publicationOfSchemas, "schemas")] : [])
        let settings = pair.adminEnvironment(host: pair.primary, database: "asked")
        for (environment, refused) in [
            (settings, wanted), (pair.superuserEnvironment(database: "asked"), []),
        ] {
            let found = try await PostgresClient.with(PostgresSettings(environment: environment, overrides: [:])) {
                client in
                #expect(
                    try await SuperuserNeed.all(in: client)
                        == [SuperuserNeed(.functions, "internal", objects: ["public.shout"])])
                let objects = try await SuperuserObject.all(in: client)
                return (objects, try await TargetServer(client).cannotMake(objects))
            }
            #expect(found.0 == wanted)
            #expect(found.1 == refused)
        }
        try await pair.superuser("DROP DATABASE asked WITH (FORCE)")
    }
}
