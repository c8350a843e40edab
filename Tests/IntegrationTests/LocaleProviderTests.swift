import ProcessIO
import Testing

/// Databases whose text ICU or PostgreSQL itself sorts. The machine's own PostgreSQL 15 has ICU, the other majors' builds have not:
/// what they would make of it is tested in `LocaleProviderTests` of `PodRunnerTests`.
extension IntegrationTests.Versions {
    @Test func anICUDatabaseComesBackOrIsRefused() async throws {
        let source = try VersionScene(15, "icu")
        try await source.remove()
        try await source.pair.sql("CREATE ROLE icu LOGIN PASSWORD 'secret'; GRANT icu TO flexadmin")
        try await source.pair.sql(
            "CREATE DATABASE icudb OWNER icu TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-u-co-phonebk'")
        try await source.pair.sql(
            """
            SET ROLE icu; CREATE TABLE items (name text PRIMARY KEY);
            INSERT INTO items VALUES ('Müller'), ('Mueller'), ('Mufti'), ('Mua');
            """, database: "icudb")
        try await source.pair.waitForStandby()
        let order = "SELECT string_agg(name, ' ' ORDER BY name) FROM items"
        let sorted = try await source.pair.sql(order, database: "icudb").trimmed
        #expect(sorted == "Mua Mueller Müller Mufti")
        let bench = try Workbench(source.pair)
        try await bench.makeRepository()
        let snapshot = try await source.backUp(bench, into: bench.repositoryURL)

        for major in [14, 16, 17, 18] {
            let target = try VersionScene(major, "icu")
            try await target.remove()
            let finding =
                major == 14
                ? "the database used the locale provider ICU, which PostgreSQL 14 lacks"
                : "the database used the locale provider ICU, and this PostgreSQL \(major) was built without ICU"
            try await Self.expectRefusal(target, bench, snapshot, finding)
        }
        // Where there is ICU it is what it was.
        let restored = try await source.runner(bench).run(
            source.arguments(bench.repositoryURL, snapshot, ["--replace", "--keep-old", "0"]))
        #expect(restored.exit == .exited(0), "\(restored.testDescription)")
        let provider = try await source.pair.sql(
            "SELECT datlocprovider, daticulocale FROM pg_database WHERE datname = 'icudb'")
        #expect(provider.trimmed == "i|de-u-co-phonebk")
        #expect(try await source.pair.sql(order, database: "icudb").trimmed == sorted)
        try await source.remove()
    }

    @Test func aBuiltinDatabaseMovesOnOrIsRefused() async throws {
        for (from, locale, to, refused) in [
            (17, "C.UTF-8", 18, [16, 15, 14]), (18, "PG_UNICODE_FAST", nil, [17, 16]),
        ] as [(Int, String, Int?, [Int])] {
            let source = try VersionScene(from, "builtin")
            try await source.remove()
            try await source.pair.sql("CREATE ROLE builtin LOGIN PASSWORD 'secret'; GRANT builtin TO flexadmin")
            try await source.pair.sql(
                "CREATE DATABASE builtindb OWNER builtin TEMPLATE template0 LOCALE_PROVIDER builtin BUILTIN_LOCALE '\(locale)'"
            )
            try await source.pair.sql(
                "SET ROLE builtin; CREATE TABLE items (name text PRIMARY KEY); INSERT INTO items VALUES ('b'), ('B'), ('ä')",
                database: "builtindb")
            try await source.pair.waitForStandby()
            let bench = try Workbench(source.pair)
            try await bench.makeRepository()
            let snapshot = try await source.backUp(bench, into: bench.repositoryURL)
            for major in refused {
                let target = try VersionScene(major, "builtin")
                try await target.remove()
                let what = major >= 17 ? "the builtin locale \(locale)" : "the locale provider builtin"
                try await Self.expectRefusal(
                    target, bench, snapshot, "the database used \(what), which PostgreSQL \(major) lacks")
            }
            if let to {
                let target = try VersionScene(to, "builtin")
                try await target.remove()
                let restored = try await target.runner(bench).run(target.arguments(bench.repositoryURL, snapshot))
                #expect(restored.exit == .exited(0), "\(restored.testDescription)")
                let provider = try await target.pair.sql(
                    "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'builtindb'")
                #expect(provider.trimmed == "b|\(locale)")
                try await target.remove()
            }
            try await source.remove()
        }
    }

    /// By restore and by its plan, before a role or a database is made.
    private static func expectRefusal(
        _ target: VersionScene, _ bench: borrowing Workbench, _ snapshot: String, _ finding: String
    ) async throws {
        let arguments = target.arguments(bench.repositoryURL, snapshot)
        let refused = try await target.runner(bench).run(arguments)
        #expect(refused.exit == .exited(4), "\(refused.testDescription)")
        #expect(refused.errors.contains("nothing was changed on "), "\(refused.testDescription)")
        #expect(refused.errors.contains(finding), "\(refused.testDescription)")
        let plan = try await target.runner(bench).run(arguments + ["--plan"])
        #expect(plan.exit == .exited(4))
        #expect(plan.output.contains(finding), "\(plan.testDescription)")
        let made = try await target.pair.superuser(
            "SELECT rolname FROM pg_roles WHERE rolname = '\(target.name)' UNION ALL SELECT datname FROM pg_database WHERE datname LIKE '\(target.name)%'"
        )
        #expect(made.trimmed == "")
    }
}
