import GoFormats
import ProcessIO
import Testing

/// What a dump has at its end and an administrator without superuser cannot run as it stands there.
extension IntegrationTests.RestorePreflight {
    private static let others = ["latea", "lateb", "latesu"]

    /// Grants by others than the owner, a publication of a role that may create in the database, what belonged to a superuser
    /// who is none here, grants on the server's own functions.
    @Test func whatRolesOfOthersDidComesBack() async throws {
        let pair = try PostgresPair.running()
        try await pair.dropApplication("late")
        for role in Self.others { try await pair.superuser("DROP ROLE IF EXISTS \(role)") }
        let above = """
            CREATE ROLE latea; CREATE ROLE lateb; CREATE ROLE latesu SUPERUSER;
            GRANT CREATE ON DATABASE latedb TO latea;
            CREATE PUBLICATION mine; ALTER PUBLICATION mine OWNER TO latea;
            CREATE TABLE higher (id int); ALTER TABLE higher OWNER TO latesu;
            ALTER DEFAULT PRIVILEGES FOR ROLE latesu GRANT SELECT ON TABLES TO late;
            GRANT SELECT, UPDATE (name) ON items TO latea WITH GRANT OPTION;
            SET ROLE latea; GRANT SELECT, UPDATE (name) ON items TO lateb; RESET ROLE;
            GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO late;
            """
        let facts = """
            SELECT relname, relacl, relowner::regrole FROM pg_class WHERE relname IN ('items', 'higher') ORDER BY 1;
            SELECT attacl FROM pg_attribute WHERE attrelid = 'items'::regclass AND attacl IS NOT NULL;
            SELECT pubname, pubowner::regrole FROM pg_publication;
            SELECT defaclrole::regrole, defaclacl FROM pg_default_acl;
            SELECT datacl FROM pg_database WHERE datname = 'latedb';
            """
        try await RestoreScene.with("late", rows: 10, bySuperuser: above) { _, scene in
            try await pair.superuser("ALTER ROLE latesu NOSUPERUSER")
            let before = try await pair.superuser(facts, database: "latedb")
            #expect(before.contains("lateb=r/latea"), "\(before)")
            let restored = try await scene.runner.run(scene.arguments)
            #expect(restored.exit == .exited(0), "\(restored.testDescription)")
            #expect(try await pair.superuser(facts, database: "latedb") == before)
            let leftOut = restored.errors.split(separator: "\n").filter { $0.contains("left out") }
            #expect(
                leftOut == [
                    #"warning: left out, unknown or not allowed here: GRANT ALL ON FUNCTION "pg_catalog"."pg_read_file"("text") TO "late";"#
                ])
            #expect(try await scene.leftovers() == "")
            #expect(try await pair.superuser("SELECT rolname FROM pg_roles WHERE rolname LIKE 'karaffe%'") == "")
        }
        for role in Self.others { try await pair.superuser("DROP ROLE \(role)") }
    }

    /// What other objects may depend on cannot be left out: extensions that are not trusted, and what is made of the server's
    /// own code.
    @Test func whatOnlyASuperuserMayMakeAndOthersNeedIsNamedBefore() async throws {
        let above = """
            CREATE EXTENSION file_fdw; CREATE EXTENSION citext;
            CREATE FUNCTION shout(text) RETURNS text LANGUAGE internal IMMUTABLE STRICT AS 'upper';
            CREATE TYPE mine; CREATE FUNCTION mine_in(cstring) RETURNS mine LANGUAGE internal IMMUTABLE STRICT AS 'textin';
            CREATE FUNCTION mine_out(mine) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
            CREATE TYPE mine (INPUT = mine_in, OUTPUT = mine_out, LIKE = text);
            CREATE FUNCTION quiet() RETURNS int LANGUAGE sql SET log_min_messages = 'error' SET work_mem = '1MB' AS 'SELECT 1';
            CREATE OPERATOR CLASS oc FOR TYPE int4 USING btree AS OPERATOR 1 <, OPERATOR 3 =, FUNCTION 1 btint4cmp(int4, int4);
            CREATE TEXT SEARCH TEMPLATE tt (LEXIZE = dsimple_lexize); CREATE CAST (text AS int4) WITH INOUT AS ASSIGNMENT;
            CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler; CREATE FOREIGN DATA WRAPPER far;
            """
        try await RestoreScene.with("closed", rows: 10, bySuperuser: above) { _, scene in
            let plan = try await scene.runner.run(scene.arguments + ["--plan"])
            try Self.expect(
                plan, "NO-GO", "required",
                "closedadmin may not make access methods (heap2), base types (public.mine), casts (text AS integer), "
                    + "foreign-data wrappers (far), functions in language internal (public.mine_in, public.mine_out, public.shout), "
                    + "functions that set log_min_messages (public.quiet), operator classes (public.oc), "
                    + "text search parsers and templates (public.tt)")
            try Self.expect(plan, "NO-GO", "extensions", "closedadmin may not make file_fdw")
            let refused = try await scene.runner.run(scene.arguments)
            #expect(refused.exit == .exited(4), "\(refused.testDescription)")
            #expect(refused.errors.contains("nothing was changed on 127.0.0.1:"), "\(refused.errors)")
            let probes = "SELECT count(*) FROM pg_extension WHERE extname <> 'plpgsql'"
            #expect(try await scene.pair.superuser(probes).trimmed == "0")
            // A superuser gets all of it.
            let above = scene.runner.with(scene.pair.superuserEnvironment(database: scene.database))
            let plain = scene.arguments.filter {
                !["--app-user", scene.name, "--app-password-env", "APP_PASSWORD"].contains($0)
            }
            let whole = try await above.run(plain)
            #expect(whole.exit == .exited(0), "\(whole.testDescription)")
            #expect(
                try await scene.pair.superuser("SELECT shout('x'), 'y'::mine", database: scene.database).trimmed
                    == "X|y")
        }
    }

    /// No role of a restore may set a superuser's default privileges, and nobody may set labels of a provider that is not loaded.
    @Test func defaultsOfASuperuserAndLabelsWithoutProviderAreNamedBefore() async throws {
        let above = """
            ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT SELECT ON TABLES TO labelled;
            ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public GRANT SELECT ON SEQUENCES TO labelled;
            INSERT INTO pg_seclabel VALUES ('items'::regclass, 'pg_class'::regclass, 2, 'No "such', 'MASKED');
            """
        try await RestoreScene.with("labelled", rows: 10, bySuperuser: above) { _, scene in
            let names = "default privileges of postgres, security labels of No \"such"
            let leave = "--leave-out-superuser-objects"
            try Self.expect(
                try await scene.runner.run(scene.arguments + ["--plan"]), "NO-GO", "superuser",
                "labelledadmin may not make \(names)")
            let refused = try await scene.runner.run(scene.arguments)
            #expect(refused.exit == .exited(4), "\(refused.testDescription)")
            #expect(
                refused.errors.contains(
                    "may not make \(names)\nhint: load No \"such on the server (shared_preload_libraries), restore as a superuser, "
                        + "or leave exactly these out with \(leave)"), "\(refused.errors)")
            let restored = try await scene.runner.run(scene.arguments + [leave, "--output", "json"])
            #expect(restored.exit == .exited(0), "\(restored.testDescription)")
            let named = try JSONParser.parse(restored.output)["leftOut"]?.arrayValue?.compactMap(\.stringValue)
            #expect(named?.sorted().joined(separator: ", ") == names)
            #expect(try await scene.pair.itemsHash("labelled") == scene.hash)
            let left = "SELECT (SELECT count(*) FROM pg_default_acl) + (SELECT count(*) FROM pg_seclabel)"
            #expect(try await scene.pair.superuser(left, database: scene.database).trimmed == "0")
        }
    }
}
