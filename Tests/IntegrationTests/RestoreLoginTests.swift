import ProcessIO
import Testing

/// What is found at the end unless somebody looks before.
extension IntegrationTests.RestorePreflight {
    /// A login that cannot work is said by the check, or found before the data are loaded.
    @Test func anApplicationThatCannotLogInIsFoundBeforeTheLoad() async throws {
        try await RestoreScene.with("locked", rows: 10) { _, scene in
            let pair = scene.pair
            for (forbid, allow, finding) in [
                (
                    "VALID UNTIL '2020-01-01'", "VALID UNTIL 'infinity'",
                    "the password of role \"locked\" ended on 2020-01-01"
                ),
                ("CONNECTION LIMIT 0", "CONNECTION LIMIT -1", "role \"locked\" may have no connections"),
            ] {
                try await pair.superuser("ALTER ROLE locked \(forbid)")
                try Self.expect(try await scene.runner.run(scene.arguments + ["--plan"]), "NO-GO", "login", finding)
                let refused = try await scene.runner.run(scene.arguments)
                #expect(refused.exit == .exited(4), "\(refused.testDescription)")
                #expect(refused.errors.hasSuffix("hint: ALTER ROLE \"locked\" \(allow)"), "\(refused.errors)")
                // The hint, as it is printed.
                try await pair.superuser("ALTER ROLE \"locked\" \(allow)")
            }
            try Self.expect(try await scene.runner.run(scene.arguments + ["--plan"]), "GO", "login", "role \"locked\"")
            // What only an attempt can tell.
            try await pair.superuser("ALTER ROLE locked SET session_preload_libraries = 'no such library'")
            let late = try await scene.runner.run(scene.arguments)
            try await pair.superuser("ALTER ROLE locked RESET ALL")
            #expect(late.exit == .exited(4), "\(late.testDescription)")
            #expect(late.errors.contains("error: the application's role \"locked\" cannot log in: "), "\(late.errors)")
            #expect(!late.errors.contains("restoring into"), "\(late.errors)")
            #expect(try await scene.leftovers() == "")
            #expect(try await pair.itemsHash("locked") == scene.hash)
        }
        // Where the role is missing it is made as recorded, but with a password that has not ended.
        try await RestoreScene.with(
            "ended", rows: 10, bySuperuser: "ALTER ROLE ended VALID UNTIL '2020-01-01' CONNECTION LIMIT 7"
        ) { _, scene in
            try await scene.pair.sql("DROP DATABASE endeddb")
            try await scene.pair.sql("DROP ROLE ended")
            let restored = try await scene.runner.run(scene.arguments)
            #expect(restored.exit == .exited(0), "\(restored.testDescription)")
            let role = "SELECT rolvaliduntil, rolconnlimit FROM pg_roles WHERE rolname = 'ended'"
            #expect(try await scene.pair.superuser(role).trimmed == "infinity|7")
            try await scene.pair.superuser("GRANT ended TO flexadmin")
        }
    }

    /// What cannot be renamed at the end is said before.
    @Test func aDatabaseThatCannotBeRenamedIsSaidBefore() async throws {
        try await RestoreScene.with("renamed", rows: 10) { _, scene in
            let pair = scene.pair
            try await pair.superuser("ALTER DATABASE renameddb OWNER TO postgres")
            let refused = try await scene.runner.run(scene.arguments)
            #expect(refused.exit == .exited(4), "\(refused.testDescription)")
            let hint = "ALTER DATABASE \"renameddb\" OWNER TO \"renamedadmin\""
            #expect(
                refused.errors.contains(
                    "target: database \"renameddb\" belongs to postgres, in whose name renamedadmin cannot act\nhint: as its owner or "
                        + "a superuser: \(hint)"), "\(refused.errors)")
            #expect(!refused.errors.contains("may be left"), "\(refused.errors)")
            try await pair.superuser(hint)
            for (arguments, finding) in [
                (
                    ["--maintenance-db", "renameddb"],
                    "database \"renameddb\" cannot be replaced through a connection to itself"
                ),
                (["--dbname", "postgres"], "database \"postgres\" cannot be replaced through a connection to itself"),
                (["--dbname", "template1"], "database \"template1\" is a template"),
            ] {
                let refused = try await scene.runner.run(scene.arguments + arguments)
                #expect(refused.exit == .exited(4), "\(refused.testDescription)")
                #expect(refused.errors.contains("target: \(finding)"), "\(refused.errors)")
            }
            try Self.expect(
                try await scene.runner.run(scene.arguments + ["--dbname", "RenamedDB", "--plan"]), "WARN", "target",
                "database \"RenamedDB\" is not there and will be made; there is \"renameddb\"")
            let restored = try await scene.runner.run(scene.arguments)
            #expect(restored.exit == .exited(0), "\(restored.testDescription)")
            #expect(try await scene.leftovers() == "")
        }
    }
}
