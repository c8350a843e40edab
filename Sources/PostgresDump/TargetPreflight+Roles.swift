/// What PostgreSQL 16 changed: CREATEROLE no longer rules over all roles, only over those one has ADMIN on, as who creates a
/// role does.
///
/// Source: PostgreSQL 16 documentation, "Role Attributes" and "Role Membership"; `src/backend/utils/adt/acl.c`
/// `is_admin_of_role`.
extension TargetPreflight {
    /// Roles that are there already and that the restore would have to join, give a password or put into other roles.
    func obstacle(of wanted: [String], _ superusers: Set<String>) async throws -> PreflightCheck? {
        guard server.major >= 16, !server.isSuperuser, server.mayCreateRoles else { return nil }
        let rows = try await server.client.query(
            """
            SELECT rolname AS name, pg_catalog.pg_has_role(current_user, oid, 'MEMBER WITH ADMIN OPTION') AS manages,
                   pg_catalog.pg_has_role(current_user, oid, 'USAGE')
                     AND pg_catalog.pg_has_role(current_user, oid, 'SET') AS acts
            FROM pg_catalog.pg_roles
            """
        ).rows
        var (present, managed, acting): (Set<String>, Set<String>, Set<String>) = ([], [], [])
        for row in rows {
            let name = try row.required("name")
            present.insert(name)
            if try row.bool("manages") { managed.insert(name) }
            if try row.bool("acts") { acting.insert(name) }
        }
        let mine = wanted.filter {
            present.contains($0) && !superusers.contains($0) && !DatabaseRole.isReserved($0) && $0 != server.user
        }
        let hint = { (role: String) in
            "from PostgreSQL 16 on only who made a role may, or whom that one lets: as such a role, "
                + "GRANT \(SQLText.identifier(role)) TO \(SQLText.identifier(server.user)) WITH ADMIN OPTION"
        }
        let closed = mine.filter { !managed.contains($0) && !acting.contains($0) }
        if let first = closed.first {
            return PreflightCheck(
                "roles", .noGo, "\(server.user) can neither act as nor join \(closed.listed)", hint: hint(first))
        }
        if let user = demand.applicationUser, mine.contains(user), !managed.contains(user) {
            return PreflightCheck(
                "roles", .noGo, "\(server.user) may not set the password of role \"\(user)\"", hint: hint(user))
        }
        let there = Set(
            try await server.client.query(
                """
                SELECT pg_catalog.pg_get_userbyid(roleid) AS role, pg_catalog.pg_get_userbyid(member) AS member
                FROM pg_catalog.pg_auth_members
                """
            ).rows.map { "\(try $0.required("role"))\u{0}\(try $0.required("member"))" })
        let impossible = demand.roles.memberships.first {
            $0.member != server.user && $0.role != server.user && present.contains($0.role)
                && !managed.contains($0.role) && !there.contains("\($0.role)\u{0}\($0.member)")
        }
        guard let impossible else { return nil }
        return PreflightCheck(
            "roles", .noGo,
            "\(impossible.member) belonged to \(impossible.role), into which \(server.user) may put nobody",
            hint: hint(impossible.role))
    }

    /// What the application's role will have; nil when it is one of the backup's, or there is nothing to tell from.
    func application() -> PreflightCheck? {
        guard let user = demand.applicationUser, let owner = demand.properties?.owner else { return nil }
        if let succession = demand.succession {
            return PreflightCheck(
                "application", .warning,
                "the backup has no role \"\(user)\": it takes the place of \(succession.predecessor), whose the database or what is in it was",
                hint: "to restore for \(succession.predecessor), name that with --app-user")
        }
        guard user != owner, user != server.user, !demand.roles.roles.contains(where: { $0.name == user }) else {
            return nil
        }
        return PreflightCheck(
            "application", .warning,
            "the backup has no role \"\(user)\": it will own nothing and may do what everybody may",
            hint:
                "after the restore, make it a member of who owns what it needs (GRANT role TO \(SQLText.identifier(user)))"
        )
    }

    /// Whether the application will be able to log in, of a role that is there; nil without an application.
    func login() async throws -> PreflightCheck? {
        guard let user = demand.applicationUser else { return nil }
        let row = try await server.client.query(
            """
            SELECT rolvaliduntil::text AS until, coalesce(rolvaliduntil <= pg_catalog.now(), false) AS ended,
                   rolconnlimit = 0 AS none
            FROM pg_catalog.pg_roles WHERE rolname = $1
            """, [user]
        ).rows.first
        guard let row else { return PreflightCheck("login", .go, "role \"\(user)\" will be made") }
        let alter = "ALTER ROLE \(SQLText.identifier(user)) "
        if try row.bool("ended") {
            return PreflightCheck(
                "login", .noGo, "the password of role \"\(user)\" ended on \(row.text("until") ?? "?")",
                hint: alter + "VALID UNTIL 'infinity'")
        }
        if try row.bool("none") {
            return PreflightCheck(
                "login", .noGo, "role \"\(user)\" may have no connections", hint: alter + "CONNECTION LIMIT -1")
        }
        return PreflightCheck("login", .go, "role \"\(user)\" gets its password")
    }

    /// What roles would be able to do less after the restore, which would find that at its end: with the roles and memberships
    /// that are here, and those that the restore makes. Nil when nothing, or when the backup does not tell.
    func rights() async throws -> PreflightCheck? {
        guard let privileges = demand.privileges, privileges.isComplete, let owner = demand.properties?.owner,
            let sourceMajor = demand.sourceMajor
        else { return nil }
        let here = try await server.roles()
        let present = Set(here.map(\.name))
        let source = EffectiveRights(
            privileges: privileges, roles: demand.roles, databaseOwner: owner, major: sourceMajor,
            administrator: server.user)
        let target = EffectiveRights(
            privileges: privileges,
            roles: RoleClosure(
                roles: here + demand.roles.roles.filter { !present.contains($0.name) },
                memberships: try await server.memberships()
                    + demand.roles.memberships.filter { $0.isPossible(targetMajor: server.major) }),
            databaseOwner: owner, major: server.major, administrator: server.user)
        let lost = source.differences(in: target, of: source.roles.subtracting([server.user])) { object in
            object == PrivilegeRecord.publicSchema && sourceMajor != server.major
        }.lost.map(\.description)
        guard !lost.isEmpty else { return nil }
        return PreflightCheck(
            "rights", .warning,
            "roles would be able to do less than when the backup was made: \(lost.prefix(3).joined(separator: "; "))"
                + (lost.count > 3 ? "; and \(lost.count - 3) more" : ""),
            hint: "a restore ends with exit 6 for that: GRANT …, or ALTER ROLE … INHERIT before, or accept it with "
                + "--allow-lost-rights")
    }
}
