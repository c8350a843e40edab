import Glibc
import GoFormats
import ProcessIO
import Testing

extension IntegrationTests {
    /// PostgreSQL 14, 16, 17 and 18, and from one to another; all other tests run against the machine's own, which is 15 on
    /// Debian 12.
    @Suite(
        .serialized, .otherMajors,
        .enabled(if: OtherMajors.areWanted, "run `make tools`: PostgreSQL's other majors are not in .build/postgres"))
    struct Versions {
        @Test(arguments: OtherMajors.all)
        func aBackupComesBackWhole(_ major: Int) async throws {
            let scene = try VersionScene(major, "whole")
            try await scene.make(newest: true)
            let bench = try Workbench(scene.pair)
            try await bench.makeRepository()
            let look = try await bench.podRunner(reading: scene.database).succeed(["check"])
            #expect(look.contains("server         PostgreSQL \(major)."))
            #expect(look.contains("pg_dump        \(major)."))
            let (facts, memberships) = (try await scene.facts(), try await scene.memberships())
            let snapshot = try await scene.backUp(bench, into: bench.repositoryURL)
            let runner = scene.runner(bench)

            let drill = try await runner.run([
                "verify", "--repository", bench.repositoryURL, "--kopia-snapshot", snapshot, "--restore-into",
                "wholedrill",
            ])
            #expect(drill.exit == .exited(0), "\(drill.testDescription)")
            #expect(try await scene.memberships() == memberships)

            // Beside and swapped; the replaced one comes back by undo, and once more in place.
            try await scene.pair.sql(
                "SET ROLE whole; DELETE FROM s.child; DELETE FROM items WHERE id > 10", database: scene.database)
            let changed = try await scene.facts()
            let plan = try await runner.succeed(
                scene.arguments(bench.repositoryURL, snapshot, ["--replace", "--plan"]))
            #expect(plan.contains("PostgreSQL \(major)."))
            let restore = scene.arguments(bench.repositoryURL, snapshot, ["--replace", "--keep-old", "1h"])
            let restored = try await runner.run(restore)
            #expect(restored.exit == .exited(0), "\(restored.testDescription)")
            #expect(!restored.errors.contains("warning"), "\(restored.testDescription)")
            #expect(try await scene.facts() == facts)
            #expect(try await scene.memberships() == memberships)
            try await scene.useAsApplication()
            let undone = try await runner.run(["restore", "--undo", "--dbname", scene.database])
            #expect(undone.exit == .exited(0), "\(undone.testDescription)")
            #expect(try await scene.facts() == changed)
            let inPlace = try await runner.run(
                scene.arguments(bench.repositoryURL, snapshot, ["--replace", "--in-place", "--yes-drop-first"]))
            #expect(inPlace.exit == .exited(0), "\(inPlace.testDescription)")
            #expect(try await scene.facts() == facts)

            try await scene.pair.sql("SET ROLE whole; TRUNCATE items CASCADE", database: scene.database)
            let table = try await runner.run(
                scene.arguments(bench.repositoryURL, snapshot, ["--table", "public.items", "--output", "json"]))
            #expect(table.exit == .exited(0), "\(table.testDescription)")
            #expect(try JSONParser.parse(table.output)["rows"] == 300)
            #expect(try await scene.memberships() == memberships)
            #expect(try await scene.leftovers() == "")
            try await scene.remove()
        }

        struct Move: Sendable, CustomTestStringConvertible {
            let from: Int
            let to: Int
            var testDescription: String { "\(from) to \(to)" }
        }

        /// Servers that have seen neither the database nor its roles, and the machine's own 15.
        @Test(arguments: [
            Move(from: 14, to: 18), Move(from: 15, to: 16), Move(from: 15, to: 18), Move(from: 16, to: 17),
            Move(from: 16, to: 18), Move(from: 17, to: 18), Move(from: 16, to: 15), Move(from: 18, to: 17),
            Move(from: 18, to: 15), Move(from: 16, to: 14),
        ])
        func aDatabaseMovesToAnotherMajor(_ move: Move) async throws {
            let (source, target) = (try VersionScene(move.from, "moved"), try VersionScene(move.to, "moved"))
            try await source.make()
            try await target.remove()
            let bench = try Workbench(source.pair)
            try await bench.makeRepository()
            let facts = try await source.facts(portable: true)
            let snapshot = try await source.backUp(bench, into: bench.repositoryURL)
            let restored = try await target.runner(bench).run(target.arguments(bench.repositoryURL, snapshot))
            #expect(restored.exit == .exited(0), "\(restored.testDescription)")
            #expect(try await target.facts(portable: true) == facts)
            try await target.useAsApplication()
            let memberships = try await target.memberships()
            let guests = memberships.filter { $0.contains("|moved_guest|") }
            switch (move.from >= 16, move.to >= 16) {
            case (true, true):
                #expect(
                    guests == [
                        "moved|moved_guest|f|t|t|flexadmin", "moved_ops|moved_guest|f|t|f|flexadmin",
                        "moved_read|moved_guest|f|f|t|flexadmin",
                    ])
            case (false, true): #expect(guests == ["moved|moved_guest|f|t|t|flexadmin"])
            case (true, false):
                #expect(guests.count == 3)
                #expect(
                    restored.errors.contains("warning: moved_guest belonged to moved_ops without SET, which PostgreSQL")
                )
            case (false, false): break
            }
            // The administrator belongs to what it belonged to and to nothing else; that it may manage what it made is no right.
            let own = memberships.filter { $0.contains("|flexadmin|") && !$0.contains("|flexadmin|t|f|f|") }
            #expect(own == [move.to >= 16 ? "moved|flexadmin|f|t|t|flexadmin" : "moved|flexadmin|f|||flexadmin"])
            if move.from > move.to {
                #expect(restored.errors.contains("is older than the \(move.from) that was dumped"))
            }
            #expect(try await target.leftovers() == "")
            try await source.remove()
            try await target.remove()
        }

        /// Before anything is touched; the live database of an older server is never dropped for a newer one's dump.
        @Test func whatAnOlderServerCannotTakeIsRefused() async throws {
            let source = try VersionScene(18, "newer")
            try await source.make(newest: true)
            let bench = try Workbench(source.pair)
            try await bench.makeRepository()
            let snapshot = try await source.backUp(bench, into: bench.repositoryURL)
            for major in [17, 16] {
                let target = try VersionScene(major, "newer")
                try await target.remove()
                let refused = try await target.runner(bench).run(target.arguments(bench.repositoryURL, snapshot))
                #expect(refused.exit == .exited(4), "\(refused.testDescription)")
                for part in [
                    "nothing was changed on ", "is older than the 18 that was dumped and does not know: ",
                    "constraints WITHOUT OVERLAPS or of a PERIOD (public.periods_pkey; PostgreSQL 18)",
                    "constraints that are NOT ENFORCED (s.wished; PostgreSQL 18)",
                    "NOT NULL constraints that are NOT VALID or NO INHERIT (public.later; PostgreSQL 18)",
                    "virtual generated columns (public.eighteen.b; PostgreSQL 18)",
                    "default privileges of large objects (newer; PostgreSQL 18)",
                    "hint: restore to PostgreSQL 18 or newer",
                ] {
                    #expect(refused.errors.contains(part), "\(part)\n\(refused.testDescription)")
                }
                if major < 17 {
                    #expect(refused.errors.contains("the locale provider builtin, which PostgreSQL 16 lacks"))
                }
                #expect(
                    try await target.pair.sql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'newer%'").trimmed
                        == "0")
            }
            try await source.remove()
        }

        @Test func anOlderServersDatabaseIsNotDroppedForANewerDump() async throws {
            let (source, target) = (try VersionScene(17, "dropped"), try VersionScene(16, "dropped"))
            try await source.make()
            try await target.make()
            // The privilege that only 17 has, alone and in a list.
            try await source.pair.sql(
                """
                SET ROLE dropped; GRANT SELECT, MAINTAIN ON s.child TO dropped_ops; GRANT MAINTAIN ON items TO dropped_ops;
                ALTER DEFAULT PRIVILEGES GRANT MAINTAIN ON TABLES TO dropped_ops;
                """, database: source.database)
            try await source.pair.waitForStandby()
            let bench = try Workbench(source.pair)
            try await bench.makeRepository()
            let snapshot = try await source.backUp(bench, into: bench.repositoryURL)
            let refused = try await target.runner(bench).run(
                target.arguments(bench.repositoryURL, snapshot, ["--replace", "--in-place", "--yes-drop-first"]))
            #expect(refused.exit == .exited(4), "\(refused.testDescription)")
            #expect(
                refused.errors.contains("should it refuse something in the dump, the database would have been dropped"))
            let beside = try await target.runner(bench).run(
                target.arguments(bench.repositoryURL, snapshot, ["--replace", "--keep-old", "0"]))
            #expect(beside.exit == .exited(0), "\(beside.testDescription)")
            for part in [
                "SET transaction_timeout = 0;", "GRANT MAINTAIN ON TABLE \"public\".\"items\" TO \"dropped_ops\";",
                "MAINTAIN of GRANT SELECT,MAINTAIN ON TABLE \"s\".\"child\" TO \"dropped_ops\";",
                "GRANT MAINTAIN ON TABLES TO \"dropped_ops\";",
            ] {
                #expect(beside.errors.contains("warning: left out, unknown or not allowed here: "), "\(part)")
                #expect(beside.errors.contains(part), "\(part)\n\(beside.testDescription)")
            }
            #expect(beside.errors.contains("PostgreSQL 16 does not know the privilege MAINTAIN"))
            #expect(
                try await target.facts().contains { $0.hasPrefix("relation|s|child|") && $0.contains("dropped_ops=r/") }
            )
            try await source.remove()
            try await target.remove()
        }

        @Test func aPgDumpOlderThanTheServerIsNamedWithWhatToInstall() async throws {
            let scene = try VersionScene(18, "old")
            let bench = try Workbench(scene.pair)
            let folder = OtherMajors.folder(17)
            let outcome = try await bench.podRunner(reading: "postgres").run(["check", "--pg-bin-dir", folder])
            #expect(outcome.exit == .exited(4), "\(outcome.testDescription)")
            let said = outcome.output + outcome.errors
            #expect(said.contains("the server is PostgreSQL 18, but the newest pg_dump here is 17."))
            #expect(said.contains("(\(folder)/pg_dump)"))
            #expect(
                said.contains("install the client programs of PostgreSQL 18 or newer (Debian: postgresql-client-18"))
        }

        /// From 16 on an administrator rules over the roles it made, and over those it was let.
        @Test(arguments: [16, 17, 18])
        func rolesOfAnotherAdministratorAreSaidBeforeAnythingIsTouched(_ major: Int) async throws {
            let scene = try VersionScene(major, "alien")
            try await scene.make()
            let bench = try Workbench(scene.pair)
            try await bench.makeRepository()
            let snapshot = try await scene.backUp(bench, into: bench.repositoryURL)
            try await scene.remove()
            let restore = scene.arguments(bench.repositoryURL, snapshot)
            let runner = scene.runner(bench)

            try await scene.pair.superuser("CREATE ROLE alien_read; CREATE ROLE \"alien\" LOGIN")
            let closed = try await runner.run(restore)
            #expect(closed.exit == .exited(4), "\(closed.testDescription)")
            #expect(closed.errors.contains("roles: flexadmin can neither act as nor join alien, alien_read"))
            #expect(closed.errors.contains("GRANT \"alien\" TO \"flexadmin\" WITH ADMIN OPTION"))

            try await scene.pair.superuser(
                "GRANT \"alien\" TO flexadmin; GRANT alien_read TO flexadmin WITH ADMIN OPTION")
            let password = try await runner.run(restore)
            #expect(password.exit == .exited(4), "\(password.testDescription)")
            #expect(password.errors.contains("roles: flexadmin may not set the password of role \"alien\""))

            try await scene.pair.superuser("GRANT \"alien\" TO flexadmin WITH ADMIN OPTION; CREATE ROLE alien_ops")
            try await scene.pair.superuser("GRANT alien_ops TO flexadmin")
            let membership = try await runner.run(restore)
            #expect(membership.exit == .exited(4), "\(membership.testDescription)")
            #expect(
                membership.errors.contains(
                    "roles: alien belonged to alien_ops, into which flexadmin may put nobody"))
            #expect(
                try await scene.pair.sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'alien%'").trimmed
                    == "0")

            try await scene.pair.superuser("GRANT alien_ops TO flexadmin WITH ADMIN OPTION")
            let before = try await scene.memberships()
            let restored = try await runner.run(restore)
            #expect(restored.exit == .exited(0), "\(restored.testDescription)")
            try await scene.useAsApplication()
            let after = try await scene.memberships().filter { $0.contains("|flexadmin|") }
            // Beside what it had: to manage the guest's role, which it made.
            #expect(after.filter { !before.contains($0) } == ["alien_guest|flexadmin|t|f|f|postgres"])
            try await scene.remove()
        }

        /// `createrole_self_grant` makes an administrator a member of roles it makes: that stays as it was.
        @Test(arguments: ["set", "inherit", "set, inherit"])
        func aMembershipOfOneOptionIsAsItWas(_ options: String) async throws {
            let scene = try VersionScene(16, "selfgrant")
            try await scene.make()
            let bench = try Workbench(scene.pair)
            try await bench.makeRepository()
            let snapshot = try await scene.backUp(bench, into: bench.repositoryURL)
            try await scene.remove()
            try await scene.pair.superuser("ALTER ROLE flexadmin SET createrole_self_grant = '\(options)'")
            let restored = try await scene.runner(bench).run(scene.arguments(bench.repositoryURL, snapshot))
            try await scene.pair.superuser("ALTER ROLE flexadmin RESET createrole_self_grant")
            #expect(restored.exit == .exited(0), "\(restored.testDescription)")
            let (inherits, sets) = (options.contains("inherit") ? "t" : "f", options.contains("set") ? "t" : "f")
            let own = try await scene.memberships().filter { $0.hasSuffix("|flexadmin") && $0.contains("|flexadmin|") }
            #expect(
                own == [
                    // As on the source, where it was granted.
                    "selfgrant|flexadmin|f|t|t|flexadmin", "selfgrant_guest|flexadmin|f|\(inherits)|\(sets)|flexadmin",
                    "selfgrant_ops|flexadmin|f|\(inherits)|\(sets)|flexadmin",
                    "selfgrant_read|flexadmin|f|\(inherits)|\(sets)|flexadmin",
                ])
            try await scene.remove()
        }

        /// pg_dump 18 can dump statistics; servers before cannot restore them, and a restore makes new ones.
        @Test(arguments: [17, 18])
        func statisticsInADumpAreLeftOutWhereTheyCannotBeRestored(_ major: Int) async throws {
            let (source, target) = (try VersionScene(18, "stats"), try VersionScene(major, "stats"))
            try await source.make()
            try await source.pair.sql("SET ROLE stats; ANALYZE items, s.child", database: source.database)
            let bench = try Workbench(source.pair)
            try await bench.makeRepository()
            let dump = bench.folder + "/backup.sql"
            try await Program(path: source.pair.bin + "/pg_dump").with(
                source.pair.adminEnvironment(host: source.pair.primary, database: source.database)
            ).succeed(["--statistics", "--file", dump])
            #expect(
                try await Program(path: "/bin/grep").succeed(["-c", "pg_restore_attribute_stats", dump]).trimmed != "0")
            try await bench.podRunner.succeed([
                "location", "push", "--repository", bench.repositoryURL, "--path", "backup.sql", dump,
            ])
            let snapshot = try #require(try await bench.snapshotIDs().first)
            if major != 18 { try await target.remove() }
            // Without a record nothing is known of roles.
            if major != 18 {
                try await target.pair.sql("CREATE ROLE stats LOGIN; CREATE ROLE stats_read; CREATE ROLE stats_ops")
            }
            let restored = try await target.runner(bench).run(
                target.arguments(bench.repositoryURL, snapshot, major == 18 ? ["--replace", "--keep-old", "0"] : []))
            #expect(restored.exit == .exited(0), "\(restored.testDescription)")
            let leftOut = restored.errors.contains(
                "left out, unknown or not allowed here: SELECT * FROM pg_catalog.pg_restore_")
            #expect(leftOut == (major < 18), "\(restored.testDescription)")
            try await source.remove()
            try await target.remove()
        }
    }
}
