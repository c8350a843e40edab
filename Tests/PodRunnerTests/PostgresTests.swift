import Glibc
import GoFormats
import ProcessIO
import Secrets
import TestSupport
import Testing

@testable import PostgresDump

@Suite struct PostgresSettingsTests {
    @Test func libpqsVariablesAreRead() throws {
        let settings = try PostgresSettings(environment: [
            "PGHOST": "ro.example", "PGPORT": "5433", "PGUSER": "admin", "PGPASSWORD": "hidden-word", "PGDATABASE": "d",
            "PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/ca", "PGOPTIONS": "", "OTHER": "x",
        ])
        #expect(settings.description == "database \"d\" on ro.example:5433")
        #expect(settings.user == "admin")
        #expect(settings.password == Secret("hidden-word"))
        #expect(settings["sslmode"] == "verify-full")
        #expect(settings["options"] == nil)
    }

    @Test func flagsWinOverVariables() throws {
        let settings = try PostgresSettings(
            environment: ["PGHOST": "a", "PGUSER": "u"], overrides: ["host": "b", "user": nil, "dbname": "d"])
        #expect(settings.host == "b")
        #expect(settings.user == "u")
        #expect(settings.with(database: "e").database == "e")
    }

    @Test func noPrintingShowsThePassword() throws {
        let settings = try PostgresSettings(environment: ["PGPASSWORD": "hidden-word", "PGDATABASE": "d"])
        var dumped = ""
        dump(settings, to: &dumped)
        for text in ["\(settings)", String(reflecting: settings), dumped] { #expect(!text.contains("hidden-word")) }
    }

    @Test func childrenGetThePasswordByEnvironmentAndNothingOfOurs() throws {
        let settings = try PostgresSettings(environment: ["PGPASSWORD": "p", "PGHOST": "h", "PGDATABASE": "d"])
        let environment = settings.childEnvironment(base: [
            "PATH": "/bin", "KOPIA_PASSWORD": "secret", "PGHOST": "other", "KARAFFE_PROFILE": "secret",
        ])
        #expect(environment == ["PATH": "/bin", "PGPASSWORD": "p", "PGHOST": "h", "PGDATABASE": "d", "LC_ALL": "C"])
        let program = PostgresProgram(path: "/usr/bin/pg_dump", major: 15, version: "15.1")
        let options = DumpOptions(program: program, settings: settings, snapshot: "1-2-3", environment: [:])
        #expect(
            options.arguments == [
                "--format=plain", "--no-password", "--no-subscriptions", "--no-tablespaces", "--quote-all-identifiers",
                "--lock-wait-timeout=120s", "--snapshot=1-2-3",
            ])
    }

    @Test(arguments: [
        ("15.14", ["--restrict-key=secret"]), ("15.13", []), ("14.19", ["--restrict-key=secret"]), ("12.20", []),
        ("18.0", ["--restrict-key=secret"]),
    ])
    func onlyPgDumpsThatKnowItGetARestrictKey(_ version: String, _ expected: [String]) throws {
        let settings = try PostgresSettings(environment: ["PGOPTIONS": "-c work_mem=8MB"])
        let major = try #require(Int(version.prefix(2)))
        let program = PostgresProgram(path: "/usr/bin/pg_dump", major: major, version: version)
        var options = DumpOptions(program: program, settings: settings, snapshot: nil, environment: [:])
        options.restrictKey = "secret"
        #expect(options.command.arguments.filter { $0.hasPrefix("--restrict-key") } == expected)
        #expect(!options.arguments.contains { $0.contains("secret") })
        // Ours come last and win.
        #expect(
            options.command.environment["PGOPTIONS"]?.hasPrefix("-c work_mem=8MB -c DateStyle=ISO -c IntervalStyle=")
                == true)
    }

    /// What pg_dump said is read by another thread than what it dumped, and may come later than its exit.
    @Test func theErrorOfPgDumpHasItsLastWords() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/pg_dump"
        let script = """
            #!/bin/sh
            echo first >&2
            sleep 0.1
            echo 'pg_dump: error: query failed: ERROR:  canceling statement due to statement timeout' >&2
            exit 1

            """
        try Files.write(Array(script.utf8), path)
        try #require(chmod(path, 0o755) == 0)
        let options = DumpOptions(
            program: PostgresProgram(path: path, major: 15, version: "15.1"),
            settings: try PostgresSettings(environment: ["PGDATABASE": "d"]), snapshot: nil, environment: [:])
        let error = try #require(
            await #expect(throws: PostgresError.self) {
                try await DumpStream.with(options, standardError: { _ in usleep(300_000) }) { stream in
                    while try await stream.read() != nil {}
                }
            })
        #expect(error.code == .lockTimeout)
        #expect(error.description.contains("canceling statement due to statement timeout\nhint: somebody changes"))
    }

    @Test(arguments: [
        (["PGSSLROOTCERT": "/ca"], "verify-full"), (["PGSSLROOTCERT": "/ca", "PGSSLMODE": "require"], "require"),
        (["PGSSLROOTCERT": "/ca", "PGSSLMODE": ""], "verify-full"), (["PGSSLMODE": ""], "prefer"), ([:], nil),
    ])
    func aCertificateAuthorityMeansThatTheServerIsChecked(_ variables: [String: String], _ mode: String?) throws {
        #expect(try PostgresSettings(environment: variables)["sslmode"] == mode)
    }

    @Test(arguments: ["0", "65536", "-1", "5432x", ""])
    func portsOutsideTheRange(_ port: String) {
        let expected = PostgresError(.settings, "the port (PGPORT) is \"\(port)\", not a number from 1 to 65535")
        #expect(throws: expected) { try PostgresSettings(environment: [:], overrides: ["port": port]) }
    }
}

@Suite struct SQLTextTests {
    @Test func namesAndConstants() {
        #expect(SQLText.identifier("app\"1") == "\"app\"\"1\"")
        #expect(SQLText.literal("it's") == "'it''s'")
        #expect(SQLText.literal("a\\b'") == " E'a\\\\b'''")
        #expect(SQLText.settingName("app.tenant") == "\"app\".\"tenant\"")
    }

    @Test func dollarQuotesDoNotCollide() {
        #expect(SQLText.dollarQuoted("x") == "$karaffe$x$karaffe$")
        #expect(SQLText.dollarQuoted("a $karaffe$ b") == "$karaffe1$a $karaffe$ b$karaffe1$")
    }

    @Test(arguments: [
        ("work_mem", "8MB", "'8MB'"),
        ("search_path", "\"$user\", public, extra", "'$user', 'public', 'extra'"),
        ("search_path", "\"a,b\", \"c\"\"d\"", "'a,b', 'c\"d'"),
        ("search_path", "", "''"),
        ("search_path", "\"\"", "''"),
        ("application_name", "a, b", "'a, b'"),
    ])
    func settingsThatAreListsKeepTheirElements(_ name: String, _ stored: String, _ expected: String) {
        #expect(SQLText.settingValue(name: name, stored: stored) == expected)
    }
}

@Suite struct DatabasePropertiesTests {
    static let properties = DatabaseProperties(
        name: "app1db", owner: "app1", encoding: "UTF8", collate: "C.UTF-8", characterType: "C.UTF-8",
        localeProvider: "i", locale: "de", icuRules: "&a < b", connectionLimit: 50, comment: "it's",
        grants: [
            .init(grantee: "", privilege: "CONNECT", isGrantable: false),
            .init(grantee: "app1", privilege: "CREATE", isGrantable: true),
            .init(grantee: "gone", privilege: "CONNECT", isGrantable: false),
            .init(grantee: "app1", privilege: "EVERYTHING; DROP", isGrantable: false),
        ],
        settings: [
            .init(role: nil, name: "work_mem", value: "8MB"), .init(role: "app1", name: "search_path", value: "a, b"),
            .init(role: "gone", name: "work_mem", value: "1MB"),
        ])

    @Test func theRecordKeepsEverything() throws {
        let text = GoJSON.text(Self.properties.json)
        #expect(DatabaseProperties(json: try JSONParser.parse(text)) == Self.properties)
        #expect(DatabaseProperties(json: ["name": "x"]) == nil)
    }

    @Test(arguments: [
        (14, ""), (15, " LOCALE_PROVIDER icu ICU_LOCALE 'de'"),
        (16, " LOCALE_PROVIDER icu ICU_LOCALE 'de' ICU_RULES '&a < b'"),
    ])
    func theDatabaseIsMadeForTheTargetsVersion(_ major: Int, _ provider: String) {
        let start = "CREATE DATABASE \"x\" TEMPLATE template0 OWNER \"app1\" ENCODING 'UTF8' "
        let locale = "LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'"
        #expect(
            Self.properties.createStatement(name: "x", owner: "app1", targetMajor: major) == start + locale + provider)
    }

    @Test func whatComesAfterTheDataLeavesOutRolesThatAreNotThere() {
        let statements = Self.properties.finishingStatements(database: "x", owner: "app1") { $0 != "gone" }
        #expect(
            statements == [
                "REVOKE ALL ON DATABASE \"x\" FROM PUBLIC", "REVOKE ALL ON DATABASE \"x\" FROM \"app1\"",
                "GRANT CONNECT ON DATABASE \"x\" TO PUBLIC",
                "GRANT CREATE ON DATABASE \"x\" TO \"app1\" WITH GRANT OPTION",
                "ALTER DATABASE \"x\" SET \"work_mem\" TO '8MB'",
                "ALTER ROLE \"app1\" IN DATABASE \"x\" SET \"search_path\" TO 'a', 'b'",
                "COMMENT ON DATABASE \"x\" IS 'it''s'", "ALTER DATABASE \"x\" CONNECTION LIMIT 50",
            ])
    }
}

@Suite struct RoleClosureTests {
    static let closure = RoleClosure(
        roles: [
            DatabaseRole(
                name: "app'1", canLogin: true, inherits: false, createsDatabases: false, createsRoles: false,
                isSuperuser: true, isReplication: false, bypassesRowSecurity: true, connectionLimit: 3,
                validUntil: "infinity", settings: ["search_path=a, b"]),
            DatabaseRole(
                name: "group", canLogin: false, inherits: true, createsDatabases: true, createsRoles: true,
                isSuperuser: false, isReplication: false, bypassesRowSecurity: false, connectionLimit: -1,
                validUntil: nil, settings: []),
        ],
        memberships: [
            RoleMembership(role: "group", member: "app'1", withAdmin: true, withInherit: nil, withSet: nil),
            RoleMembership(role: "group", member: "admin", withAdmin: false, withInherit: nil, withSet: nil),
        ])

    @Test func theScriptHasNoPasswordsAndGivesNothingThatOnlyASuperuserMay() {
        #expect(
            Self.closure.script(database: "d\n; DROP") == #"""
                -- Roles that the database d?; DROP needs. Roles that exist are left as they are.
                -- Passwords are not included: set them afterwards with ALTER ROLE … PASSWORD.

                -- app'1 also had SUPERUSER, BYPASSRLS on the source.
                DO $karaffe$
                BEGIN
                  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'app''1') THEN
                    CREATE ROLE "app'1" LOGIN NOINHERIT CONNECTION LIMIT 3 VALID UNTIL 'infinity';
                    ALTER ROLE "app'1" SET "search_path" TO 'a', 'b';
                  END IF;
                END
                $karaffe$;
                DO $karaffe$
                BEGIN
                  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'group') THEN
                    CREATE ROLE "group" NOLOGIN INHERIT CREATEDB CREATEROLE;
                  END IF;
                END
                $karaffe$;
                GRANT "group" TO "app'1" WITH ADMIN OPTION;

                """#)
    }

    @Test func theRecordKeepsEverything() throws {
        let text = GoJSON.text(Self.closure.json)
        #expect(RoleClosure(json: try JSONParser.parse(text)) == Self.closure)
    }

    @Test func reservedRolesInARecordAreNotTaken() {
        let json: JSONValue = ["roles": [["name": "azure_pg_admin"], ["name": "pg_monitor"], ["name": "app1"], [:]]]
        #expect(RoleClosure(json: json).roles.map(\.name) == ["app1"])
    }

    @Test func grantsSpeakTheTargetsLanguage() {
        let membership = RoleMembership(role: "r", member: "m", withAdmin: true, withInherit: false, withSet: true)
        #expect(membership.grantStatement(targetMajor: 15) == "GRANT \"r\" TO \"m\" WITH ADMIN OPTION")
        #expect(
            membership.grantStatement(targetMajor: 16)
                == "GRANT \"r\" TO \"m\" WITH ADMIN TRUE, INHERIT FALSE, SET TRUE")
    }

    @Test(arguments: [
        ("pg_monitor", true), ("azuresu", true), ("azure_pg_admin", true), ("rds_superuser", true),
        ("cloudsqladmin", true), ("alloydbsuperuser", true), ("rdsrepladmin", true),
        ("app1", false), ("postgres", false), ("rdsapp", false),
    ])
    func whatIsReserved(_ name: String, _ isReserved: Bool) {
        #expect(DatabaseRole.isReserved(name) == isReserved)
    }
}

@Suite struct PostgresProgramTests {
    @Test func sideNamesFitPostgreSQLsLimit() {
        #expect(TargetServer.sideName("app1db", "__restore_1") == "app1db__restore_1")
        let long = TargetServer.sideName(String(repeating: "ü", count: 31), "__restore_1")
        #expect(long == String(repeating: "ü", count: 26) + "__restore_1")
        #expect(long.utf8.count == 63)
    }
}
