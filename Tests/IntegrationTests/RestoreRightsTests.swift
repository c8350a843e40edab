import GoFormats
import ProcessIO
import Testing

@testable import PostgresDump

extension IntegrationTests.Versions {
    /// What roles can do, by our rules, and by PostgreSQL's own functions: every role, every object, every privilege.
    @Test(arguments: OtherMajors.all + [15])
    func rightsAreThoseThatPostgreSQLTells(_ major: Int) async throws {
        let pair = try OtherMajors.pair(major)
        try await Self.removeJudged(pair)
        let option = major >= 16
        try await pair.superuser(
            """
            CREATE ROLE j_owner; CREATE ROLE j_group; CREATE ROLE j_member IN ROLE j_group; CREATE ROLE j_closed NOINHERIT IN ROLE j_group;
            CREATE ROLE j_far IN ROLE j_closed; CREATE ROLE j_near IN ROLE j_member; CREATE ROLE j_reads IN ROLE pg_read_all_data, j_owner;
            CREATE ROLE j_writes IN ROLE pg_write_all_data, j_group; CREATE ROLE j_other;
            \(option ? "GRANT j_group TO j_other WITH INHERIT FALSE, SET TRUE;" : "")
            \(major >= 17 ? "GRANT pg_maintain TO j_other;" : "")
            CREATE DATABASE judged OWNER j_owner; GRANT CREATE ON DATABASE judged TO j_group; REVOKE TEMP ON DATABASE judged FROM PUBLIC;
            """)
        try await pair.superuser(
            """
            CREATE FOREIGN DATA WRAPPER wrapper; GRANT USAGE ON FOREIGN DATA WRAPPER wrapper TO j_other;
            CREATE SERVER server FOREIGN DATA WRAPPER wrapper; GRANT USAGE ON FOREIGN SERVER server TO j_member WITH GRANT OPTION;
            CREATE SCHEMA "S s" AUTHORIZATION j_owner; GRANT USAGE ON SCHEMA "S s" TO j_group;
            SET ROLE j_owner;
            CREATE TABLE "S s"."T t" (id serial, "C c" int, d int); GRANT SELECT ON "S s"."T t" TO j_group;
            GRANT UPDATE ("C c"), INSERT (d) ON "S s"."T t" TO j_other; GRANT SELECT (d) ON "S s"."T t" TO PUBLIC;
            CREATE TABLE plain (a int); REVOKE DELETE ON plain FROM j_owner; GRANT TRUNCATE ON plain TO j_closed;
            CREATE VIEW seen AS SELECT a FROM plain; GRANT SELECT ON seen TO PUBLIC;
            CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM plain;
            GRANT USAGE ON SEQUENCE "S s"."T t_id_seq" TO j_member;
            CREATE FUNCTION more(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE EXECUTE ON FUNCTION more(int) FROM PUBLIC;
            GRANT EXECUTE ON FUNCTION more(int) TO j_group; CREATE PROCEDURE done() LANGUAGE sql AS '';
            CREATE TYPE mood AS ENUM ('a'); REVOKE USAGE ON TYPE mood FROM PUBLIC; GRANT USAGE ON TYPE mood TO j_far;
            """, database: "judged")
        let settings = try PostgresSettings(
            environment: pair.adminEnvironment(host: pair.primary, database: "judged"), overrides: [:])
        let (rights, own, theirs) = try await PostgresClient.with(settings) { client in
            let rights = EffectiveRights(
                privileges: try await PrivilegeRecord.read(from: client),
                roles: try await RoleClosure.read(from: client),
                databaseOwner: "j_owner", major: major, administrator: "flexadmin")
            var own: Set<String> = []
            for role in rights.roles.union([""]) {
                for group in rights.privileges.groups {
                    for object in group.objects {
                        for privilege in rights.rights(of: role, on: group) {
                            own.insert("\(role)|\(object)|\(privilege)")
                        }
                    }
                }
            }
            return (rights, own, try await Self.judged(client, major: major))
        }
        #expect(
            rights.roles.isSuperset(of: [
                "j_owner", "j_group", "j_member", "j_closed", "j_far", "j_near", "j_reads", "j_writes", "j_other",
            ]))
        let judgedRoles = rights.roles.union([""])
        // A column is as open as its table: told of the table only.
        let wanted = theirs.filter { judgedRoles.contains(String($0.prefix { $0 != "|" })) }
        #expect(own.subtracting(wanted).sorted() == [])
        let tables = own.filter { !$0.contains(" column ") }
        #expect(
            wanted.subtracting(own).filter { right in
                let parts = right.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
                guard let table = PrivilegeRecord.table(ofColumn: parts[1]) else { return true }
                return !tables.contains("\(parts[0])|\(table)|\(parts[2])")
            }.sorted() == [])
        try await Self.removeJudged(pair)
    }

    private static func removeJudged(_ pair: PostgresPair) async throws {
        try await pair.superuser("DROP DATABASE IF EXISTS judged WITH (FORCE)")
        for role in ["far", "near", "reads", "writes", "other", "closed", "member", "group", "owner"] {
            try await pair.superuser("DROP ROLE IF EXISTS j_\(role)")
        }
    }

    /// `role|object|privilege`, asked one by one.
    private static func judged(_ client: PostgresClient, major: Int) async throws -> Set<String> {
        func each(
            _ kind: String, _ name: String, _ from: String, _ function: String, _ object: String, _ privileges: [String]
        ) -> String {
            """
            SELECT r.name || '|\(kind)' || \(name) || '|' || p.name FROM \(from),
                   unnest(ARRAY['\(privileges.joined(separator: "','"))']) AS p(name), roles r
            WHERE \(function)(r.subject, \(object), p.name)
            """
        }
        let ours = "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname IN ('public', 'S s')"
        let relation = "quote_ident(n.nspname) || '.' || quote_ident(c.relname)"
        let table =
            ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"]
            + (major >= 17 ? ["MAINTAIN"] : [])
        let kinds =
            "(VALUES ('r', 'table '), ('v', 'view '), ('m', 'materialized view '), ('S', 'sequence ')) AS k(relkind, kind)"
        let functions = "pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace AND n.nspname IN ('public', 'S s')"
        let questions = [
            each(
                "", "k.kind || \(relation)",
                "\(ours) JOIN \(kinds) ON k.relkind = c.relkind::text AND c.relkind <> 'S'", "has_table_privilege",
                "c.oid", table),
            each(
                "sequence ", relation, "\(ours) AND c.relkind = 'S'", "has_sequence_privilege", "c.oid",
                ["USAGE", "SELECT", "UPDATE"]),
            each(
                "table ", "\(relation) || ' column ' || quote_ident(a.attname)",
                "\(ours) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attacl IS NOT NULL", "has_column_privilege",
                "c.oid, a.attname", ["SELECT", "INSERT", "UPDATE", "REFERENCES"]),
            each(
                "",
                "CASE f.prokind WHEN 'p' THEN 'procedure ' ELSE 'function ' END || quote_ident(n.nspname) || '.' || f.proname || '(' || pg_get_function_identity_arguments(f.oid) || ')'",
                functions, "has_function_privilege", "f.oid", ["EXECUTE"]),
            each(
                "schema ", "quote_ident(n.nspname)", "pg_namespace n WHERE_OURS", "has_schema_privilege", "n.oid",
                ["USAGE", "CREATE"]),
            each(
                "type ", "'public.' || t.typname", "(SELECT * FROM pg_type WHERE typname = 'mood') t",
                "has_type_privilege", "t.oid", ["USAGE"]),
            each("server ", "s.srvname", "pg_foreign_server s", "has_server_privilege", "s.oid", ["USAGE"]),
            each(
                "foreign-data wrapper ", "w.fdwname", "pg_foreign_data_wrapper w", "has_foreign_data_wrapper_privilege",
                "w.oid", ["USAGE"]),
            each(
                "database", "''", "(SELECT * FROM pg_database WHERE datname = current_database()) d",
                "has_database_privilege", "d.oid", ["CREATE", "CONNECT", "TEMPORARY"]),
        ].map {
            $0.replacing(
                "pg_namespace n WHERE_OURS", with: "(SELECT * FROM pg_namespace WHERE nspname IN ('public', 'S s')) n")
        }
        // Ownership, which no function tells, is having the owner's rights.
        let owned = [
            ("k.kind || \(relation)", "\(ours) JOIN \(kinds) ON k.relkind = c.relkind::text", "c.relowner"),
            (
                "'schema ' || quote_ident(n.nspname)",
                "(SELECT * FROM pg_namespace WHERE nspname IN ('public', 'S s')) n", "n.nspowner"
            ),
            (
                "CASE f.prokind WHEN 'p' THEN 'procedure ' ELSE 'function ' END || quote_ident(n.nspname) || '.' || f.proname || '(' || pg_get_function_identity_arguments(f.oid) || ')'",
                functions, "f.proowner"
            ),
            ("'type public.' || t.typname", "(SELECT * FROM pg_type WHERE typname = 'mood') t", "t.typowner"),
            ("'server ' || s.srvname", "pg_foreign_server s", "s.srvowner"),
            ("'foreign-data wrapper ' || w.fdwname", "pg_foreign_data_wrapper w", "w.fdwowner"),
            ("'database'", "(SELECT * FROM pg_database WHERE datname = current_database()) d", "d.datdba"),
        ].map { name, from, owner in
            "SELECT r.name || '|' || \(name) || '|OWNER' FROM \(from), roles r WHERE r.name <> '' AND pg_has_role(r.subject, \(owner), 'USAGE')"
        }
        let text = """
            SET search_path TO pg_catalog; WITH roles AS (
                SELECT rolname::text AS name, rolname AS subject FROM pg_roles WHERE rolname LIKE 'j\\_%' UNION ALL SELECT '', 'public')
            \((questions + owned).joined(separator: "\nUNION ALL\n"))
            """
        return Set(try await client.query(text).rows.compactMap { $0.text("?column?") })
    }
}

extension IntegrationTests {
    /// What roles can do after a restore is compared with what they could when the backup was made.
    struct RestoreRights {
        private static let roles = ["rights_reporter", "rights_intern", "rights_readers"]

        private static func remove(_ pair: PostgresPair) async throws {
            try await pair.dropApplication("rights")
            for role in roles { try await pair.superuser("DROP ROLE IF EXISTS \(role)") }
        }

        @Test func aRoleThatCanDoLessEndsTheRestore() async throws {
            let pair = try PostgresPair.running()
            try await Self.remove(pair)
            try await pair.sql(
                "CREATE ROLE rights_readers; CREATE ROLE rights_reporter LOGIN CREATEDB IN ROLE rights_readers")
            try await RestoreScene.with(
                "rights",
                setup:
                    "GRANT SELECT ON items TO rights_readers; CREATE TABLE a (i int); CREATE TABLE b (i int); GRANT SELECT, INSERT ON a, b TO rights_readers"
            ) { bench, scene in
                let equal = try await scene.runner.run(scene.arguments)
                #expect(equal.exit == .exited(0), "\(equal.testDescription)")
                #expect(
                    equal.errors.contains("3 roles can do everything they could when the backup was made\n"))
                #expect(!equal.errors.contains("warning"), "\(equal.errors)")

                try await pair.sql(
                    "ALTER ROLE rights_reporter NOINHERIT NOLOGIN NOCREATEDB; DELETE FROM a", database: "rightsdb")
                let before = try await pair.itemsHash("rights")
                // It is seen before anything is done, too.
                let plan = try await scene.runner.run(scene.arguments + ["--plan"])
                #expect(plan.exit == .exited(0), "\(plan.testDescription)")
                #expect(
                    plan.output.contains(
                        "roles would be able to do less than when the backup was made: rights_reporter: INSERT, SELECT on 2 tables: public.a, public.b; rights_reporter: SELECT on table public.items"
                    ), "\(plan.output)")
                let lost = try await scene.runner.run(scene.arguments)
                #expect(lost.exit == .exited(6), "\(lost.testDescription)")
                for text in [
                    "\n  rights_reporter inherits the rights of rights_readers\n",
                    "\n  rights_reporter: SELECT on table public.items\n",
                    "\n  rights_reporter: INSERT, SELECT on 2 tables: public.a, public.b\n",
                    "hint: the live database was not touched; ", "or accept the loss with --allow-lost-rights",
                ] {
                    #expect(lost.errors.contains(text), "\(text): \(lost.errors)")
                }
                #expect(try await pair.itemsHash("rights") == before)
                #expect(try await scene.leftovers() == "")

                let allowed = try await scene.runner.run(scene.arguments + ["--allow-lost-rights", "--output", "json"])
                #expect(allowed.exit == .exited(0), "\(allowed.testDescription)")
                #expect(
                    allowed.errors.contains("warning: lost, as --allow-lost-rights allows:\n  rights_reporter inherits")
                )
                #expect(
                    allowed.errors.contains(
                        "role rights_reporter, which was here already, lacks CREATEDB, LOGIN, which it had in the backup"
                    ))
                let report = try JSONParser.parse(allowed.output)["rights"]
                #expect(report?["roles"] == 3)
                #expect(report?["lost"]?.arrayValue?.count == 3)
                #expect(report?["gained"]?.arrayValue?.count == 0)
                try await pair.sql("ALTER ROLE rights_reporter INHERIT LOGIN CREATEDB")

                // More is told, and is no error.
                try await pair.superuser(
                    "CREATE ROLE rights_intern; GRANT rights TO rights_intern; GRANT pg_read_all_data TO rights_reporter"
                )
                let more = try await scene.runner.run(scene.arguments)
                #expect(more.exit == .exited(0), "\(more.testDescription)")
                for text in [
                    "warning: more than when the backup was made:\n",
                    "  rights_reporter: SELECT on sequence public.items_id_seq\n",
                    "  rights_intern, which the backup does not know, belongs to rights\n",
                ] {
                    #expect(more.errors.contains(text), "\(text): \(more.errors)")
                }
            }
            try await Self.remove(pair)
        }

        /// Names once, lists once, statements as many as for a small database.
        @Test func manyTablesAndRolesMakeASmallRecord() async throws {
            let pair = try PostgresPair.running()
            let roles = (1...20).map { "wide_\($0)" }
            func remove() async throws {
                for name in ["wide", "narrow"] {
                    try await pair.superuser("DROP DATABASE IF EXISTS \(name) WITH (FORCE)")
                }
                for role in roles { try await pair.superuser("DROP ROLE IF EXISTS \(role)") }
            }
            try await remove()
            for role in roles { try await pair.superuser("CREATE ROLE \(role)") }
            var statements: [Int] = []
            for (name, count) in [("narrow", 3), ("wide", 3000)] {
                try await pair.superuser("CREATE DATABASE \(name)")
                try await pair.superuser(
                    """
                    DO $$ BEGIN FOR i IN 1..\(count) LOOP
                        EXECUTE format('CREATE TABLE t_%s (a int)', i);
                    END LOOP; END $$;
                    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO \(roles.joined(separator: ", "));
                    """, database: name)
                try await pair.superuser("ALTER DATABASE \(name) SET log_statement = 'all'")
                try await pair.waitForStandby()
                let bench = try Workbench(pair)
                try await bench.makeRepository()
                try await bench.podRunner(reading: name).succeed(BackupRetry.arguments(bench, []))
                let id = try #require(try await bench.snapshotIDs().first)
                let record = try await bench.record(id)
                #expect(record.utf8.count < 20_000 + count * 400, "\(record.utf8.count) bytes")
                let parsed = try JSONParser.parse(record)
                let groups = try #require(parsed["privileges"]?["groups"]?.arrayValue)
                #expect(groups.compactMap { $0["names"]?.arrayValue?.count }.reduce(0, +) == count + 2)
                #expect(groups.count == 3)
                #expect(groups.flatMap { $0["grants"]?.arrayValue ?? [] }.count < 30)
                let log = try await Program(path: "/bin/cat").succeed([pair.folder + "/pair/standby.log"])
                let lines = log.split(separator: "\n").filter { $0.contains("statement: ") || $0.contains("execute ") }
                let exporting = try #require(lines.last { $0.contains("pg_export_snapshot") })
                let process = try #require(exporting.split(separator: "[").dropFirst().first?.prefix { $0 != "]" })
                statements.append(lines.filter { $0.contains("[\(process)]") }.count)
            }
            #expect(statements[0] > 5)
            #expect(statements[0] == statements[1], "\(statements)")
            try await remove()
        }
    }
}
