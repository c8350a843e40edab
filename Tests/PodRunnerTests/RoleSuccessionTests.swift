import Testing

@testable import PostgresDump

/// Where a dump names a role, and where a text only looks like it.
struct RoleSuccessionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let before: String
        var after: String?
        var testDescription: String { before }
    }

    static let cases = [
        Case(
            before: #"ALTER TABLE "public"."a" OWNER TO "ol""d";"#, after: #"ALTER TABLE "public"."a" OWNER TO "new";"#),
        Case(before: #"ALTER TABLE "public"."a" OWNER TO "ol""d2";"#),
        Case(before: #"CREATE FUNCTION "f"() RETURNS "text" LANGUAGE "sql" AS 'ALTER x OWNER TO "ol""d";"#),
        Case(before: #"GRANT SELECT ON TABLE "ol""d" TO "ol""d";"#, after: #"GRANT SELECT ON TABLE "ol""d" TO "new";"#),
        Case(
            before: #"GRANT SELECT("ol""d") ON TABLE "s"."t" TO "ol""d" WITH GRANT OPTION;"#,
            after: #"GRANT SELECT("ol""d") ON TABLE "s"."t" TO "new" WITH GRANT OPTION;"#),
        Case(before: #"REVOKE ALL ON TABLE "t" FROM "ol""d";"#, after: #"REVOKE ALL ON TABLE "t" FROM "new";"#),
        Case(before: #"GRANT ALL ON SCHEMA "ol""d" TO PUBLIC;"#),
        Case(
            before: #"ALTER DEFAULT PRIVILEGES FOR ROLE "ol""d" IN SCHEMA "ol""d" GRANT ALL ON TABLES  TO "ol""d";"#,
            after: #"ALTER DEFAULT PRIVILEGES FOR ROLE "new" IN SCHEMA "ol""d" GRANT ALL ON TABLES  TO "new";"#),
        Case(before: #"SET role = "ol""d";"#, after: #"SET role = "new";"#),
        Case(before: "SET role = DEFAULT;"),
        Case(
            before: #"CREATE USER MAPPING FOR "ol""d" SERVER "ol""d" OPTIONS ("user" 'ol"d');"#,
            after: #"CREATE USER MAPPING FOR "new" SERVER "ol""d" OPTIONS ("user" 'ol"d');"#),
        Case(
            before:
                #"CREATE POLICY "ol""d" ON "ol""d"."TO" AS RESTRICTIVE FOR SELECT TO "a", "ol""d", "ol""d2" USING (("x" = 'TO "ol""d"'));"#,
            after:
                #"CREATE POLICY "ol""d" ON "ol""d"."TO" AS RESTRICTIVE FOR SELECT TO "a", "new", "ol""d2" USING (("x" = 'TO "ol""d"'));"#
        ),
        Case(before: #"CREATE POLICY "p" ON "t" TO "ol""d";"#, after: #"CREATE POLICY "p" ON "t" TO "new";"#),
        Case(before: #"CREATE POLICY "p" ON "t" USING (("TO" = 'x "ol""d"'));"#),
        Case(before: #"COMMENT ON TABLE "t" IS 'TO "ol""d";"#),
    ]

    @Test(arguments: cases)
    func namesAreReplacedWhereTheyAreRoles(_ item: Case) {
        let succession = RoleSuccession(from: "ol\"d", to: "new")
        let statement = DumpStatement(text: Array(item.before.utf8), line: 1, isCopyFromInput: false, entry: nil)
        #expect(String(decoding: statement.naming(succession).text, as: UTF8.self) == item.after ?? item.before)
    }

    @Test(arguments: [
        (#"SET SESSION AUTHORIZATION "a b";"#, #"SET role = "a b";"#),
        ("SET SESSION AUTHORIZATION 'a';", "SET role = 'a';"),
        ("SET SESSION AUTHORIZATION DEFAULT;", "SET role = DEFAULT;"),
        ("RESET SESSION AUTHORIZATION;", "SET role = DEFAULT;"),
        ("SET search_path = '';", "SET search_path = '';"),
    ])
    func aSessionIsActedAsARole(_ before: String, _ after: String) {
        let statement = DumpStatement(text: Array(before.utf8), line: 1, isCopyFromInput: false, entry: nil)
        #expect(String(decoding: statement.actingAsRole.text, as: UTF8.self) == after)
    }
}
