import GoFormats

/// A role the administrator joins for a while, and what it had of it before.
public struct JoinedRole: Sendable, Hashable {
    /// From PostgreSQL 16 on a membership can give rights (`INHERIT`), acting as the role (`SET`), both or neither.
    public enum Option: String, Sendable, Hashable {
        case inherit, set
    }

    public let name: String
    /// The one option of a membership that the administrator had given itself; nil for none.
    public let kept: Option?

    public init(_ name: String, kept: Option? = nil) {
        self.name = name
        self.kept = kept
    }

    var joinStatement: String { "GRANT \(SQLText.identifier(name)) TO CURRENT_USER" }

    /// What brings back the state of before.
    var leaveStatement: String {
        let option =
            switch kept {
            case nil: ""
            case .inherit: "SET OPTION FOR "
            case .set: "INHERIT OPTION FOR "
            }
        return "REVOKE \(option)\(SQLText.identifier(name)) FROM CURRENT_USER"
    }
}

extension JoinedRole {
    /// The name alone, or an object with the option as well.
    var json: JSONValue {
        guard let kept else { return .string(name) }
        return ["role": .string(name), "kept": .string(kept.rawValue)]
    }

    init?(json: JSONValue) {
        if let name = json.stringValue {
            self.init(name)
        } else if let name = json["role"]?.stringValue {
            self.init(name, kept: json["kept"]?.stringValue.flatMap { Option(rawValue: $0) })
        } else {
            return nil
        }
    }
}

extension TargetServer {
    /// Joins the connected administrator to roles whose objects it must hand over, for the time of a restore. A membership
    /// that others gave it stays beside the one made here (PostgreSQL 16 keeps one for each who grants).
    ///
    /// - Throws: `PostgresError` when the administrator may not.
    public func join(_ roles: [JoinedRole]) async throws {
        let options = major >= 16 ? " WITH INHERIT TRUE, SET TRUE" : ""
        for role in roles { try await client.query(role.joinStatement + options) }
    }

    /// Which of these the administrator has to join, because it has not both the rights of them and the right to act as
    /// them. Whoever may create roles has, from PostgreSQL 16 on, neither by that alone.
    ///
    /// - Throws: `PostgresError`.
    public func unjoined(_ roles: [String]) async throws -> [JoinedRole] {
        if isSuperuser { return [] }
        let kinds = major >= 16 ? ["USAGE", "SET"] : ["USAGE"]
        let checks = kinds.map { "pg_catalog.pg_has_role(current_user, $1, '\($0)')" }.joined(separator: " AND ")
        var missing: [JoinedRole] = []
        for role in roles
        where role != user && !DatabaseRole.isReserved(role) && !missing.contains(where: { $0.name == role }) {
            guard try await !client.query("SELECT \(checks) AS has", [role]).single().bool("has") else { continue }
            missing.append(JoinedRole(role, kept: try await ownOption(of: role)))
        }
        return missing
    }

    /// Of a membership that the administrator gave itself, as `createrole_self_grant` makes it do.
    private func ownOption(of role: String) async throws -> JoinedRole.Option? {
        guard major >= 16 else { return nil }
        let own = try await client.query(
            """
            SELECT m.inherit_option AS inherits, m.set_option AS sets FROM pg_catalog.pg_auth_members m
            JOIN pg_catalog.pg_roles r ON r.oid = m.roleid
            WHERE r.rolname = $1 AND pg_catalog.pg_get_userbyid(m.member) = current_user
              AND m.grantor = m.member
            """, [role]
        ).rows.first
        guard let own else { return nil }
        return try own.bool("inherits") ? .inherit : own.bool("sets") ? .set : nil
    }

    /// Leaves roles; those that do not exist any more, or that the administrator does not belong to, are fine.
    public func leave(_ roles: [JoinedRole]) async throws {
        let joined = Set(
            try await client.query(
                """
                SELECT pg_catalog.pg_get_userbyid(roleid) AS role FROM pg_catalog.pg_auth_members
                WHERE pg_catalog.pg_get_userbyid(member) = current_user
                """
            ).rows.compactMap { $0.text("role") })
        for role in roles where joined.contains(role.name) { try await client.query(role.leaveStatement) }
    }

    /// Joins the owners of databases for the time of `body`: renaming, commenting on and dropping need that.
    public func asOwner<Value: Sendable>(of owners: [String], _ body: () async throws -> Value) async throws -> Value {
        let missing = try await unjoined(owners)
        try await join(missing)
        do {
            let value = try await body()
            try await leave(missing)
            return value
        } catch {
            let (settings, missing) = (client.settings, missing)
            await Task {
                try? await PostgresClient.with(settings) { try await TargetServer($0).leave(missing) }
            }.value
            throw error
        }
    }

    /// Gives the administrator back what it was a member of on the source, as far as it is not that already. That it may
    /// manage a role, which PostgreSQL 16 gives to who creates it, makes no member.
    ///
    /// - Throws: `PostgresError`.
    public func rejoin(_ memberships: [RoleMembership]) async throws {
        for membership in memberships where membership.member == user && membership.givesRights {
            let kinds =
                major >= 16
                ? [("USAGE", membership.withInherit), ("SET", membership.withSet)] : [("USAGE", nil)]
            let checks = kinds.filter { $0.1 != false }.map { "pg_catalog.pg_has_role(current_user, $1, '\($0.0)')" }
            let has = try await client.query(
                "SELECT \(checks.joined(separator: " AND ")) AS has", [membership.role]
            ).single().bool("has")
            guard !has else { continue }
            var wanted = membership
            wanted.withAdmin = false
            try await client.query(wanted.grantStatement(targetMajor: major))
        }
    }
}
