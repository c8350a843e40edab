import Testing

@testable import PostgresDump

/// The rules by themselves; `RestoreRights` of `IntegrationTests` has PostgreSQL judge them.
@Suite struct EffectiveRightsTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        /// `member>role`, with `-i` or `-s` behind for a membership without INHERIT or SET.
        var source: [String] = []
        var target: [String] = []
        /// Roles that do not inherit by themselves.
        var closed: Set<String> = []
        var superusers: Set<String> = []
        var major = 15
        var lost: [String] = []
        var gained: [String] = []
        var memberships: [String] = []
        var testDescription: String { id }
    }

    static let cases: [Case] = [
        Case(id: "the same", source: ["m>g"], target: ["m>g"]),
        Case(
            id: "no membership", source: ["m>g"],
            lost: ["m: SELECT on 2 tables: public.a, public.b", "m: UPDATE on table public.a column c"],
            memberships: ["m belongs to g"]),
        Case(
            id: "over two steps", source: ["m>h", "h>g"], target: ["m>h"],
            lost: [
                "h: SELECT on 2 tables: public.a, public.b", "h: UPDATE on table public.a column c",
                "m: SELECT on 2 tables: public.a, public.b", "m: UPDATE on table public.a column c",
            ], memberships: ["h belongs to g"]),
        Case(
            id: "without INHERIT of its own", source: ["m>g"], target: ["m>g"], closed: ["m"],
            lost: ["m: SELECT on 2 tables: public.a, public.b", "m: UPDATE on table public.a column c"],
            memberships: ["m inherits the rights of g"]),
        Case(
            id: "without INHERIT of the membership", source: ["m>g"], target: ["m>g-i"], major: 16,
            lost: ["m: SELECT on 2 tables: public.a, public.b", "m: UPDATE on table public.a column c"],
            memberships: ["m inherits the rights of g"]),
        Case(
            id: "without SET", source: ["m>g"], target: ["m>g-s"], major: 16,
            memberships: ["m may act as g (SET)"]),
        Case(id: "a superuser lacks nothing", source: ["m>g"], superusers: ["m"]),
        Case(
            id: "more", target: ["m>g"],
            gained: ["m: SELECT on 2 tables: public.a, public.b", "m: UPDATE on table public.a column c"]),
        Case(
            id: "who reads everything", source: ["m>pg_read_all_data"],
            lost: [
                "m: SELECT on 2 tables: public.a, public.b", "m: SELECT on sequence public.s",
                "m: USAGE on schema public",
            ],
            memberships: ["m belongs to pg_read_all_data"]),
        Case(
            id: "who writes everything has no less with the group", source: ["m>g"],
            target: ["m>g", "m>pg_write_all_data"],
            gained: [
                "m: DELETE, INSERT, UPDATE on 2 tables: public.a, public.b",
                "m: UPDATE on sequence public.s",
                "m: USAGE on schema public",
            ]),
        Case(id: "a provider's role does not count", source: ["m>azure_pg_admin"]),
        Case(id: "through the administrator does not count", source: ["m>admin", "admin>g"], target: ["m>admin"]),
        Case(
            id: "the owner's", source: ["m>o"],
            lost: [
                "m: CONNECT, ownership on the database", "m: CREATE, ownership on schema public",
                "m: INSERT, ownership on 2 tables: public.a, public.b", "m: ownership on sequence public.s",
            ], memberships: ["m belongs to o"]),
    ]

    private static let privileges = PrivilegeRecord(
        groups: [
            .init(
                kind: "table", owner: "o",
                grants: [
                    .init(role: "g", privilege: "SELECT", isGrantable: false),
                    .init(role: "o", privilege: "INSERT", isGrantable: false),
                ], names: ["public.a", "public.b"]),
            .init(
                kind: "table", owner: nil, grants: [.init(role: "g", privilege: "UPDATE", isGrantable: false)],
                names: ["public.a column c"]),
            .init(kind: "sequence", owner: "o", grants: [], names: ["public.s"]),
            .init(
                kind: "schema", owner: "pg_database_owner",
                grants: [.init(role: "pg_database_owner", privilege: "CREATE", isGrantable: false)], names: ["public"]),
            .init(
                kind: "database", owner: "o", grants: [.init(role: "o", privilege: "CONNECT", isGrantable: false)],
                names: [""]),
        ], defaults: [])

    private func rights(_ memberships: [String], _ item: Case, isTarget: Bool) -> EffectiveRights {
        let roles = ["g", "h", "m", "o", "admin"].map { name in
            DatabaseRole(
                name: name, canLogin: true, inherits: !isTarget || !item.closed.contains(name), createsDatabases: false,
                createsRoles: false, isSuperuser: false, isReplication: false, bypassesRowSecurity: false,
                connectionLimit: -1, validUntil: nil, settings: [])
        }
        return EffectiveRights(
            privileges: Self.privileges,
            roles: RoleClosure(roles: roles, memberships: memberships.map { membership($0, item) }), databaseOwner: "o",
            major: item.major, administrator: "admin", superusers: isTarget ? item.superusers : [])
    }

    private func membership(_ text: String, _ item: Case) -> RoleMembership {
        let parts = text.split(separator: "-")
        let names = parts[0].split(separator: ">").map(String.init)
        let hasOptions = item.major >= 16
        return RoleMembership(
            role: names[1], member: names[0], withAdmin: false,
            withInherit: hasOptions ? !parts.dropFirst().contains("i") : nil,
            withSet: hasOptions ? !parts.dropFirst().contains("s") : nil)
    }

    @Test(arguments: cases)
    func whatDiffersIsNamed(_ item: Case) {
        let (source, target) = (rights(item.source, item, isTarget: false), rights(item.target, item, isTarget: true))
        let found = source.differences(in: target, of: source.roles.subtracting(["admin"]))
        #expect(found.lost.map(\.description).sorted() == item.lost.sorted())
        #expect(found.gained.map(\.description).sorted() == item.gained.sorted())
        let ours = item.source.map { membership($0, item) }.filter {
            $0.member != "admin" && $0.role != "admin" && !DatabaseRole.isProviders($0.role)
        }
        #expect(source.lostMemberships(ours, in: target) == item.memberships)
    }

    @Test func manyNamesAreCutShort() {
        let names = (10..<30).map { "public.t\($0)" }
        let difference = EffectiveRights.Difference(role: "", privileges: ["SELECT"], kind: "table", names: names)
        #expect(
            difference.description == "PUBLIC: SELECT on 20 tables: public.t10, public.t11, public.t12 and 17 more")
    }
}
