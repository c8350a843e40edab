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

    /// As with a pool that has taken what its role may have.
    @Test func anApplicationThatUsesAllItsConnectionsIsNotInTheWay() async throws {
        try await RestoreScene.with("pooled", rows: 10) { _, scene in
            let pair = scene.pair
            try await pair.superuser("ALTER ROLE pooled CONNECTION LIMIT 1")
            let psql = Program(path: pair.bin + "/psql").with(pair.adminEnvironment(host: pair.primary))
                .with(["PGUSER": "pooled", "PGPASSWORD": "secret"])
            let holder = try await psql.run(["-X", "-d", "postgres", "-c", "SELECT pg_sleep(600)"]) { _ in
                try await pair.wait(
                    for: "SELECT count(*) FROM pg_stat_activity WHERE usename = 'pooled' AND query LIKE '%sleep%'",
                    database: "postgres")
                let restored = try await scene.runner.run(scene.arguments)
                #expect(restored.exit == .exited(0), "\(restored.testDescription)")
                let warning = "warning: the login of the application's role \"pooled\" was not tried: "
                let said = restored.errors.split(separator: "\n").filter { $0.hasPrefix(warning) }
                #expect(said.count == 1, "\(restored.errors)")
                #expect(said.first?.contains("too many connections for role \"pooled\"") == true)
                #expect(try await pair.itemsHash("pooled") == scene.hash)
                try await pair.superuser(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pooled'")
            }
            #expect(holder.exit != .exited(0))
        }
    }

    /// pg_hba.conf may know the database by its name alone, or not let the application in from here at all.
    @Test func whereOnlyTheNameIsLetInTheLoginIsTriedAtTheEnd() async throws {
        try await RestoreScene.with("listed", rows: 10) { _, scene in
            let pair = scene.pair
            let file = try await pair.superuser("SHOW hba_file").trimmed
            let rules = try await pair.superuser("SELECT pg_read_file('\(file)')")
            let psql = Program(path: pair.bin + "/psql").with(pair.adminEnvironment(host: pair.primary))
                .with(["PGUSER": "listed", "PGPASSWORD": "secret"])
            func load(_ first: String, letsIn: Bool) async throws {
                try await pair.superuser(
                    "COPY (SELECT pg_catalog.regexp_split_to_table($r$\(first)\(rules.trimmed)$r$, '\\n')) TO '\(file)'"
                )
                try await pair.superuser("SELECT pg_reload_conf()")
                for _ in 0..<200 {
                    let attempt = try await psql.run(["-X", "-d", "postgres", "-c", "SELECT 1"])
                    if (attempt.exit == .exited(0)) == letsIn { return }
                    try await Task.sleep(for: .milliseconds(50))
                }
                Issue.record("pg_hba.conf was not loaded within ten seconds")
            }
            let reject = "hostssl all listed 127.0.0.0/8 reject\n"
            let aside = "warning: whether the application can log in shows only when the database has its name: "
            let end = "warning: after the database was put in place: the application's role \"listed\" cannot log in: "
            for (first, isIn) in [
                ("hostssl listeddb listed 127.0.0.0/8 scram-sha-256\n" + reject, true), (reject, false),
            ] {
                try await load(first, letsIn: false)
                let restored = try await scene.runner.run(scene.arguments)
                try await load("", letsIn: true)
                #expect(restored.exit == .exited(0), "\(restored.testDescription)")
                #expect(restored.errors.contains(aside), "\(restored.errors)")
                #expect(restored.errors.contains("role listed logs in with its password") == isIn, "\(restored.errors)")
                #expect(restored.errors.contains(end) == !isIn, "\(restored.errors)")
                // Nothing is left to do.
                #expect(try await scene.leftovers() == "")
                #expect(
                    try await pair.superuser("SELECT pg_has_role('listedadmin', 'listed', 'MEMBER')").trimmed == "f")
            }
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
