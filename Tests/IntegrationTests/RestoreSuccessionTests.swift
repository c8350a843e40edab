import ProcessIO
import Testing

extension IntegrationTests {
    /// A copy for other credentials: the Secret names another user and another database than the backup's.
    struct RestoreSuccession {
        /// Whatever a dump says of a role.
        private static let setup = """
            CREATE SCHEMA own; CREATE TABLE own.notes (id int GENERATED ALWAYS AS IDENTITY, body text);
            CREATE VIEW own.seen AS SELECT * FROM own.notes; CREATE MATERIALIZED VIEW own.kept AS SELECT * FROM own.notes;
            CREATE FUNCTION own.f() RETURNS text LANGUAGE sql AS $$SELECT ' OWNER TO "heir";'::text$$;
            COMMENT ON FUNCTION own.f() IS 'of "heir" TO "heir";'; CREATE TYPE own.mood AS ENUM ('"heir"');
            CREATE PUBLICATION mine FOR TABLE items; SELECT lo_from_bytea(0, 'blob');
            GRANT USAGE ON SCHEMA own TO heirreader; GRANT SELECT ON items TO heirreader WITH GRANT OPTION;
            ALTER DEFAULT PRIVILEGES IN SCHEMA own GRANT SELECT ON TABLES TO heirreader;
            ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
            ALTER TABLE own.notes ENABLE ROW LEVEL SECURITY;
            CREATE POLICY "of all" ON own.notes FOR SELECT TO heirreader, heir USING (body <> '"heir"');
            SET ROLE heirreader; GRANT SELECT ON items TO heirother; GRANT SELECT ON items TO heir;
            """
        /// A policy's roles are a set: pg_dump names them in the order in which the server happens to find them.
        private static let facts = """
            SELECT c.oid::regclass, c.relowner::regrole, c.relacl FROM pg_class c WHERE relnamespace IN ('own'::regnamespace, 'public'::regnamespace) ORDER BY c.relname;
            SELECT nspname, nspowner::regrole, nspacl FROM pg_namespace WHERE nspname = 'own';
            SELECT proname, proowner::regrole, proacl, prosrc FROM pg_proc WHERE pronamespace = 'own'::regnamespace;
            SELECT typname, typowner::regrole FROM pg_type WHERE typname = 'mood';
            SELECT pubname, pubowner::regrole FROM pg_publication; SELECT lomowner::regrole FROM pg_largeobject_metadata;
            SELECT defaclrole::regrole, defaclobjtype, defaclacl FROM pg_default_acl ORDER BY 2;
            SELECT polname, ARRAY(SELECT r::regrole::text FROM unnest(polroles) r ORDER BY r::regrole::text COLLATE "C") FROM pg_policy;
            SELECT datdba::regrole, datacl FROM pg_database WHERE datname = current_database();
            SELECT setrole::regrole, setconfig FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database();
            """

        @Test func theCopysRoleHasWhatTheOriginalsHad() async throws {
            let pair = try PostgresPair.running()
            let others = ["heirreader", "heirother", "heircopy"]
            try await pair.superuser("DROP DATABASE IF EXISTS heircopydb")
            try await pair.dropApplication("heir")
            for role in others { try await pair.superuser("DROP ROLE IF EXISTS \(role)") }
            try await pair.sql("CREATE ROLE heirreader; CREATE ROLE heirother")
            let above = """
                GRANT TEMPORARY ON DATABASE heirdb TO heirreader; ALTER ROLE heir IN DATABASE heirdb SET work_mem = '7MB';
                GRANT heirreader TO heir;
                """
            try await RestoreScene.with(
                "heir", rows: 10, setup: "SELECT 1", bySuperuser: above + "SET ROLE heir;" + Self.setup
            ) {
                _, scene in
                let original = try await pair.superuser(Self.facts, database: "heirdb")
                #expect(original.contains("heir=r/heirreader"), "\(original)")
                let copy = [
                    "restore", "--repository", scene.repositoryURL, "--kopia-snapshot", scene.snapshot, "--dbname",
                    "heircopydb",
                    "--app-user", "heircopy", "--app-password-env", "APP_PASSWORD",
                ]
                let says = "the backup has no role \"heircopy\": it takes the place of heir, "
                let plan = try await scene.runner.run(copy + ["--plan"])
                #expect(plan.exit == .exited(0), "\(plan.testDescription)")
                try RestorePreflight.expect(plan, "WARN", "application", says)
                let restored = try await scene.runner.run(copy)
                #expect(restored.exit == .exited(0), "\(restored.testDescription)")
                #expect(restored.errors.contains("warning: application: \(says)"), "\(restored.errors)")

                // The same, but for the names of roles; texts of the application's stay as they are.
                func renamed(_ text: String) -> String {
                    text.replacing(" OWNER TO \"heir\";", with: " OWNER TO \"?\";").replacing(
                        "heirreader", with: "?reader"
                    )
                    .replacing("heirother", with: "?other").replacing("heir", with: "heircopy")
                    .replacing("?", with: "heir")
                }
                let made = try await pair.superuser(Self.facts, database: "heircopydb")
                #expect(made == renamed(original))
                try await pair.superuser(
                    """
                    SET ROLE heircopy; ALTER TABLE own.notes ADD COLUMN more int; INSERT INTO items (name) VALUES ('new');
                    CREATE TABLE own.later (id int); DROP FUNCTION own.f()
                    """, database: "heircopydb")
                // The original's role has nothing there but what everybody has, and what its groups have.
                let own =
                    "SELECT count(*) FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = 'heircopydb' AND s.refobjid = 'heir'::regrole"
                #expect(try await pair.superuser(own).trimmed == "0")

                // The original is as it was, and logs in as before.
                #expect(try await pair.superuser(Self.facts, database: "heirdb") == original)
                #expect(try await pair.itemsHash("heir") == scene.hash)
                #expect(try await scene.leftovers() == "")

                // The original itself stays its owner's, whoever asks for it.
                let same = try await scene.runner.run([
                    "restore", "--repository", scene.repositoryURL, "--kopia-snapshot", scene.snapshot, "--dbname",
                    "heirdb", "--replace", "--keep-old", "0", "--app-user", "heircopy", "--app-password-env",
                    "APP_PASSWORD",
                ])
                #expect(same.exit == .exited(0), "\(same.testDescription)")
                #expect(same.errors.contains("it will own nothing and may do what everybody may"), "\(same.errors)")
                #expect(try await pair.superuser(Self.facts, database: "heirdb") == original)

                // Where the original's role is not there it is not made.
                try await pair.superuser("DROP DATABASE heircopydb; DROP DATABASE heirdb")
                try await pair.superuser("DROP ROLE heircopy; DROP ROLE heir")
                let elsewhere = try await scene.runner.run(copy + ["--in-place", "--yes-drop-first"])
                #expect(elsewhere.exit == .exited(0), "\(elsewhere.testDescription)")
                #expect(
                    try await pair.superuser("SELECT rolname FROM pg_roles WHERE rolname IN ('heir', 'heircopy')")
                        .trimmed == "heircopy")
                #expect(try await pair.superuser(Self.facts, database: "heircopydb") == made)
                try await pair.superuser("DROP DATABASE heircopydb")
            }
            for role in others { try await pair.superuser("DROP ROLE \(role)") }
        }
    }
}
