import Glibc
import GoFormats
import ProcessIO
import Testing

extension IntegrationTests {
    /// Names and passwords of every kind, end to end: they work, and the secret ones are in no argument list, log or error.
    struct RestoreNames {
        struct Names: Sendable, CustomTestStringConvertible {
            let database: String
            let role: String
            let password: String
            var testDescription: String { database.debugDescription }
        }

        static let names: [Names] = [
            Names(database: #"it's "quoted""#, role: #"ro'le "q""#, password: #"pa'ss"word"#),
            Names(database: #"back\slash\n"#, role: #"r\o"#, password: #"back\slash\'x"#),
            Names(database: "$HOME $(id) $$ ${x}", role: "$1", password: "$$ $(HOME) $1 `id`"),
            Names(database: "two\nlines", role: "ro\nle", password: "two\nlines\tand tab"),
            Names(database: "  spaces  ", role: " r ", password: "  more  spaces  "),
            Names(database: "größe 大小 🐘", role: "rôle", password: "пароль 🔑 ü"),
            Names(database: "a;DROP ROLE x;--", role: "%s%n", password: "':;--%s"),
        ]

        @Test(arguments: names)
        func workEndToEndAndSecretsShowNowhere(_ names: Names) async throws {
            let pair = try PostgresPair.running()
            let (database, role) = (Self.identifier(names.database), Self.identifier(names.role))
            try await drop(pair, database, role)
            try await pair.sql("CREATE ROLE \(role) LOGIN; GRANT \(role) TO flexadmin")
            try await pair.sql("CREATE DATABASE \(database) OWNER \(role)")
            let table = Self.identifier(names.database + " table")
            try await pair.sql(
                "SET ROLE \(role); CREATE TABLE \(table) (\(database) int); INSERT INTO \(table) SELECT generate_series(1, 50)",
                database: names.database)
            try await pair.waitForStandby()
            let bench = try Workbench(pair)
            try await bench.makeRepository()
            // Whatever pg_dump is given on its command line is written down before it runs.
            let programs = bench.folder + "/programs"
            mkdir(programs, 0o755)
            try bench.write(
                "programs/pg_dump",
                "#!/bin/sh\nprintf '%s\\n' \"$@\" >> '\(programs)/arguments'\nexec '\(pair.bin)/pg_dump' \"$@\"\n")
            try #require(chmod(programs + "/pg_dump", 0o755) == 0)
            let backup = try await bench.podRunner(reading: names.database).run([
                "backup", "--repository", bench.repositoryURL, "--path", "backup.sql", "--pg-bin-dir", programs,
            ])
            #expect(backup.exit == .exited(0), "\(backup.testDescription)")
            let dumped = try await Program(path: "/bin/cat").succeed([programs + "/arguments"])
            #expect(dumped.contains("--format=plain\n"))
            for word in [pair.adminPassword, bench.repositoryPassword, names.database, names.role] {
                #expect(!dumped.contains(word), "\(dumped)")
            }
            let id = try #require(try await bench.snapshotIDs().first)
            try await drop(pair, database, role)

            let runner = bench.podRunner.with(pair.adminEnvironment(host: pair.primary, database: names.database))
                .with(["APP_PASSWORD": names.password])
            let arguments = [
                "restore", "--repository", bench.repositoryURL, "--kopia-snapshot", id, "--app-user", names.role,
                "--app-password-env", "APP_PASSWORD", "--replace", "--keep-old", "1h", "--output", "json",
            ]
            let secrets = [names.password, pair.adminPassword, bench.repositoryPassword]
            let restored = try await runner.run(arguments) { runner in
                // Of the process and of whatever it starts: nothing secret, at any moment that is looked at.
                while let shown = Processes.arguments(ofFamilyOf: runner) {
                    for secret in secrets { #expect(!shown.contains(secret)) }
                    try await Task.sleep(for: .milliseconds(5))
                }
            }
            #expect(restored.exit == .exited(0), "\(restored.testDescription)")
            // Over itself, and back.
            let again = try await runner.run(arguments)
            #expect(again.exit == .exited(0), "\(again.testDescription)")
            let undone = try await runner.run(["restore", "--undo"])
            #expect(undone.exit == .exited(0), "\(undone.testDescription)")
            let plan = try await runner.run(arguments + ["--plan"])
            #expect(plan.exit == .exited(0), "\(plan.testDescription)")
            let cleaned = try await runner.run(["restore", "--cleanup", "--keep-old", "0"])
            #expect(cleaned.exit == .exited(0), "\(cleaned.testDescription)")
            // An error after the password was used.
            let failed = try await runner.with(["POD_RUNNER_CRASH_AT": "none"]).run(
                arguments.filter { $0 != "--replace" })
            #expect(failed.exit == .exited(4), "\(failed.testDescription)")
            let psql = Program(path: pair.bin + "/psql").with(
                pair.adminEnvironment(host: pair.primary, database: names.database)
            )
            .with(["PGUSER": names.role, "PGPASSWORD": names.password])
            let count = try await psql.succeed(["-X", "-A", "-t", "-c", "SELECT sum(\(database)) FROM \(table)"])
            #expect(count.trimmed == "1275")
            let log = try await Program(path: "/bin/cat").succeed([pair.folder + "/pair/primary.log"])
            for secret in secrets {
                for outcome in [backup, restored, again, undone, plan, cleaned, failed] {
                    #expect(!outcome.output.contains(secret))
                    #expect(!outcome.errors.contains(secret))
                }
                #expect(!log.contains(secret))
            }
            try await drop(pair, database, role)
        }

        private static func identifier(_ name: String) -> String {
            "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
        }

        private func drop(_ pair: PostgresPair, _ database: String, _ role: String) async throws {
            try await pair.sql("DROP DATABASE IF EXISTS \(database) WITH (FORCE)")
            try await pair.sql("DROP ROLE IF EXISTS \(role)")
        }
    }
}
