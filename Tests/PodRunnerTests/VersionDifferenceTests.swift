import GoFormats
import Testing

@testable import PodRunner
@testable import PostgresDump

/// What servers of one major know and others do not.
@Suite struct VersionDifferenceTests {
    @Test(
        arguments: [
            ("GRANT MAINTAIN ON TABLE a TO b;", 16, ""), ("GRANT MAINTAIN ON TABLE a TO b;", 17, nil),
            ("GRANT SELECT,MAINTAIN ON TABLE a TO b;", 16, "GRANT SELECT ON TABLE a TO b;"),
            ("GRANT MAINTAIN,SELECT,UPDATE ON TABLE a TO b;", 14, "GRANT SELECT,UPDATE ON TABLE a TO b;"),
            ("REVOKE SELECT,MAINTAIN ON TABLE a FROM b;", 15, "REVOKE SELECT ON TABLE a FROM b;"),
            ("GRANT ALL ON TABLE a TO b;", 16, nil), ("GRANT SELECT(\"MAINTAIN\") ON TABLE a TO b;", 16, nil),
            (
                "ALTER DEFAULT PRIVILEGES FOR ROLE \" GRANT MAINTAIN\" IN SCHEMA s GRANT SELECT,MAINTAIN ON TABLES TO b;",
                16,
                "ALTER DEFAULT PRIVILEGES FOR ROLE \" GRANT MAINTAIN\" IN SCHEMA s GRANT SELECT ON TABLES TO b;"
            ),
            ("ALTER DEFAULT PRIVILEGES FOR ROLE a REVOKE MAINTAIN ON TABLES FROM b;", 16, ""),
            ("GRANT \"MAINTAIN\" TO b;", 16, nil), ("COMMENT ON TABLE a IS 'GRANT MAINTAIN ON';", 14, nil),
            ("SELECT * FROM pg_catalog.pg_restore_relation_stats('version', '180006'::integer);", 17, ""),
            ("SELECT * FROM pg_catalog.pg_restore_attribute_stats('version', '180006'::integer);", 14, ""),
            ("SELECT * FROM pg_catalog.pg_restore_relation_stats('version', '180006'::integer);", 18, nil),
            ("SELECT * FROM pg_catalog.pg_restore_anything();", 14, nil),
        ] as [(String, Int, String?)])
    func statementsOfNewerServers(_ statement: String, _ major: Int, _ expected: String?) {
        let parsed = DumpStatement(text: Array(statement.utf8), line: 1, isCopyFromInput: false)
        #expect(String(decoding: parsed.text(targetMajor: major), as: UTF8.self) == expected ?? statement)
    }

    @Test(
        arguments: [
            ("COMMENT ON EXTENSION x IS 'y';", true), ("ALTER SCHEMA public OWNER TO azure_pg_admin;", true),
            ("ALTER SCHEMA \"public\" OWNER TO \"postgres\";", true),
            ("REVOKE USAGE ON SCHEMA \"public\" FROM PUBLIC;", true),
            ("GRANT ALL ON SCHEMA public TO PUBLIC;", true), ("COMMENT ON SCHEMA public IS 'x';", true),
            ("ALTER SCHEMA public2 OWNER TO a;", false), ("GRANT ALL ON SCHEMA other TO PUBLIC;", false),
            ("GRANT ALL ON TABLE public.a TO PUBLIC;", false),
        ])
    func whatMayBeRefusedForWantOfPermission(_ statement: String, _ isHarmless: Bool) {
        let parsed = DumpStatement(text: Array(statement.utf8), line: 1, isCopyFromInput: false)
        #expect(parsed.isHarmlessWithoutPermission == isHarmless)
    }

    @Test(
        arguments: [
            ("CREATE EVENT TRIGGER \"a \"\"b\" ON \"ddl_command_end\"", true, false),
            ("ALTER EVENT TRIGGER \"a \"\"b\" OWNER TO \"c\";", true, false),
            ("COMMENT ON EVENT TRIGGER \"a \"\"b\" IS 'x';", true, false),
            ("SECURITY LABEL FOR \"p q\" ON EVENT TRIGGER \"a \"\"b\" IS 'x';", true, false),
            ("CREATE EVENT TRIGGER \"a\" ON ddl_command_end;", false, false),
            ("CREATE PUBLICATION everything FOR ALL TABLES;", false, true),
            ("ALTER PUBLICATION \"everything\" ADD TABLES IN SCHEMA \"s\";", false, true),
            ("COMMENT ON PUBLICATION \"everything\" IS 'x';", false, true),
            ("SECURITY LABEL FOR p ON PUBLICATION \"everything\" IS 'x';", false, true),
            ("CREATE PUBLICATION \"everything else\";", false, false),
            ("CREATE PUBLICATION \"a \"\"b\";", false, false), ("CREATE TABLE \"everything\" ();", false, false),
            ("SECURITY LABEL FOR p ON TABLE \"everything\" IS 'x';", false, false),
        ])
    func whatBelongsToObjectsThatAreLeftOut(_ statement: String, _ ofTrigger: Bool, _ ofPublication: Bool) {
        let parsed = DumpStatement(text: Array(statement.utf8), line: 1, isCopyFromInput: false)
        #expect(parsed.concerns(SuperuserObject(.eventTrigger, "a \"b")) == ofTrigger)
        for kind in [SuperuserObject.Kind.publicationOfAllTables, .publicationOfSchemas] {
            #expect(parsed.concerns(SuperuserObject(kind, "everything")) == ofPublication)
        }
    }

    @Test func membershipsOfSeveralGrantorsAreOne() {
        func membership(_ member: String, _ admin: Bool, _ inherit: Bool?, _ set: Bool?) -> RoleMembership {
            RoleMembership(role: "r", member: member, withAdmin: admin, withInherit: inherit, withSet: set)
        }
        #expect(
            RoleMembership.merged([
                membership("a", true, false, false), membership("b", false, nil, nil),
                membership("a", false, true, false),
                membership("a", false, false, false),
            ]) == [membership("a", true, true, false), membership("b", false, nil, nil)])
    }

    @Test(
        arguments: [
            (true, true, true, nil), (nil, nil, true, nil),
            (false, true, true, "m belonged to r without INHERIT, which PostgreSQL 15 cannot: it belongs to it wholly"),
            (true, false, true, "m belonged to r without SET, which PostgreSQL 15 cannot: it belongs to it wholly"),
            (
                false, false, false,
                "m could manage r without belonging to it, which PostgreSQL 15 cannot: left out"
            ),
        ] as [(Bool?, Bool?, Bool, String?)])
    func membershipsOnServersWithoutOptions(_ inherit: Bool?, _ set: Bool?, _ isPossible: Bool, _ difference: String?) {
        let membership = RoleMembership(role: "r", member: "m", withAdmin: true, withInherit: inherit, withSet: set)
        #expect(membership.isPossible(targetMajor: 15) == isPossible)
        #expect(membership.isPossible(targetMajor: 16))
        #expect(membership.difference(targetMajor: 15) == difference)
        #expect(membership.difference(targetMajor: 16) == nil)
    }

    @Test func theScriptOfRolesSuitsEveryMajor() {
        let closure = RoleClosure(
            roles: [],
            memberships: [
                RoleMembership(role: "r", member: "m", withAdmin: false, withInherit: false, withSet: true),
                RoleMembership(role: "q", member: "m", withAdmin: true, withInherit: false, withSet: false),
            ])
        // Members that the script does not make are not put anywhere.
        #expect(!closure.script(database: "d").contains("GRANT"))
        var known = closure
        known.roles = [
            DatabaseRole(
                name: "m", canLogin: true, inherits: true, createsDatabases: false, createsRoles: false,
                isSuperuser: false,
                isReplication: false, bypassesRowSecurity: false, connectionLimit: -1, validUntil: nil, settings: [])
        ]
        #expect(
            known.script(database: "d").hasSuffix(
                #"""
                DO $karaffe$
                BEGIN
                  IF pg_catalog.current_setting('server_version_num')::int >= 160000 THEN
                    EXECUTE 'GRANT "r" TO "m" WITH INHERIT FALSE, SET TRUE';
                  ELSE
                    GRANT "r" TO "m";
                  END IF;
                END
                $karaffe$;
                DO $karaffe$
                BEGIN
                  IF pg_catalog.current_setting('server_version_num')::int >= 160000 THEN
                    EXECUTE 'GRANT "q" TO "m" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE';
                  END IF;
                END
                $karaffe$;

                """#))
    }

    @Test(
        arguments: [
            (JoinedRole("a"), #"REVOKE "a" FROM CURRENT_USER"#),
            (JoinedRole("a", kept: .set), #"REVOKE INHERIT OPTION FOR "a" FROM CURRENT_USER"#),
            (JoinedRole("a", kept: .inherit), #"REVOKE SET OPTION FOR "a" FROM CURRENT_USER"#),
        ])
    func leavingARoleKeepsWhatWasThere(_ role: JoinedRole, _ statement: String) {
        #expect(role.leaveStatement == statement)
        #expect(JoinedRole(json: role.json) == role)
    }

    @Test func needsAreKeptInTheRecord() throws {
        let need = VersionNeed(what: "virtual generated columns", major: 18, objects: ["public.a.b"])
        #expect(VersionNeed(json: try JSONParser.parse(GoJSON.text(need.json))) == need)
        #expect(need.description == "virtual generated columns (public.a.b; PostgreSQL 18)")
        #expect(VersionNeed(json: ["what": "x"]) == nil)
        var record = try BackupRecord(parsing: Array(BackupRecordTests.text.utf8))
        #expect(record.needs == [])
        record.needs = [need]
        #expect(try BackupRecord(parsing: record.text).needs == [need])
    }

    @Test func theSchemaPublicCountsForNoOwner() {
        func group(_ kind: String, _ name: String, _ owner: String, _ role: String?) -> PrivilegeRecord.Group {
            .init(
                kind: kind, owner: owner,
                grants: role.map { [.init(role: $0, privilege: "CREATE", isGrantable: false)] } ?? [], names: [name])
        }
        let record = PrivilegeRecord(
            groups: [
                group("schema", "public", "postgres", ""), group("table", "public.a", "app", "reader"),
                group("database", "", "dba", "creator"),
            ], defaults: [])
        #expect(record.owners == ["app"])
        #expect(record.roles == ["app", "reader"])
        #expect(record.databaseOwner == "dba")
        #expect(record.isPublicOpen)
        #expect(!PrivilegeRecord(groups: [group("schema", "public", "app", "app")], defaults: []).isPublicOpen)
    }
}
