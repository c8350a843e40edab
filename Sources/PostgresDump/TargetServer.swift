public import Secrets

/// The server a database is restored to, through a connection to its maintenance database.
public struct TargetServer: Sendable {
    public let client: PostgresClient
    public let user: String
    public let isSuperuser: Bool
    public let mayCreateDatabases: Bool
    public let mayCreateRoles: Bool
    public let isStandby: Bool

    public var major: Int { client.serverMajor }

    /// - Throws: `PostgresError`.
    public init(_ client: PostgresClient) async throws {
        let row = try await client.query(
            """
            SELECT r.rolname AS name, r.rolsuper AS is_super, r.rolcreatedb AS creates_databases,
                   r.rolcreaterole AS creates_roles, pg_catalog.pg_is_in_recovery() AS is_standby
            FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
            """
        ).single()
        self.client = client
        user = try row.required("name")
        isSuperuser = try row.bool("is_super")
        mayCreateDatabases = try row.bool("creates_databases") || isSuperuser
        mayCreateRoles = try row.bool("creates_roles") || isSuperuser
        isStandby = try row.bool("is_standby")
    }

    /// What is there under a name.
    public enum Occupancy: Sendable, Hashable {
        case absent
        case empty
        /// How many tables, views and sequences.
        case inUse(objects: Int64)
    }

    /// - Throws: `PostgresError`.
    public func occupancy(of database: String) async throws -> Occupancy {
        guard try await exists(database) else { return .absent }
        let count = try await PostgresClient.with(client.settings.with(database: database)) { client in
            try await client.query(
                """
                SELECT count(*)::text AS count FROM pg_catalog.pg_class c
                JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
                  AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
                  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                                  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
                                    AND d.deptype = 'e')
                """
            ).single().integer("count")
        }
        return count == 0 ? .empty : .inUse(objects: count)
    }

    public func exists(_ database: String) async throws -> Bool {
        try await !client.query(
            "SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1", [database]
        ).rows.isEmpty
    }

    public func roleNames() async throws -> Set<String> {
        Set(try await client.query("SELECT rolname FROM pg_catalog.pg_roles").rows.compactMap { $0.text("rolname") })
    }

    /// All of the server's.
    func memberships() async throws -> [RoleMembership] {
        try await client.query(
            """
            SELECT pg_catalog.to_json(m) AS membership, r.rolname AS role, p.rolname AS member
            FROM pg_catalog.pg_auth_members m
            JOIN pg_catalog.pg_roles r ON r.oid = m.roleid JOIN pg_catalog.pg_roles p ON p.oid = m.member
            """
        ).rows.map { try RoleMembership(row: $0) }
    }

    /// All of the server's, without settings and comments.
    public func roles() async throws -> [DatabaseRole] {
        try await client.query("SELECT pg_catalog.to_json(r) AS role FROM pg_catalog.pg_roles r").rows.map {
            DatabaseRole(catalog: try $0.json("role"))
        }
    }
}

// MARK: - Roles

extension TargetServer {
    /// Creates the roles that are missing and joins them to each other; roles that exist stay as they are.
    ///
    /// - Parameter drill: the run of a drill: its roles say in their comment, from the moment they exist, that they are to go.
    /// - Returns: what could not be done and why, for people.
    /// - Throws: `PostgresError` when a missing role cannot be created.
    public func createMissing(_ closure: RoleClosure, drill: String? = nil) async throws -> [String] {
        let existing = try await roleNames()
        var warnings: [String] = []
        for role in closure.roles where !existing.contains(role.name) {
            guard mayCreateRoles else {
                throw PostgresError(
                    .permission, "role \"\(role.name)\" is missing and \(user) may not create roles",
                    hint: "restore as an administrator with CREATEROLE")
            }
            var role = role
            if let drill {
                role.comment = nil
                let marker = SQLText.literal(Self.drillMarker + drill)
                // One message, one transaction.
                try await client.query(
                    "\(role.createStatement); COMMENT ON ROLE \(SQLText.identifier(role.name)) IS \(marker)")
            } else {
                try await client.query(role.createStatement)
            }
            for statement in role.settingStatements { await tolerate(statement, &warnings) }
            if !role.withheldAttributes.isEmpty {
                let attributes = role.withheldAttributes.joined(separator: ", ")
                warnings.append("role \"\(role.name)\" was created without \(attributes), which it had on the source")
            }
        }
        let present = try await roleNames()
        for membership in closure.memberships
        where membership.member != user && membership.role != user && present.contains(membership.member) {
            // A drill leaves those alone that were there before.
            if drill != nil, existing.contains(membership.member), existing.contains(membership.role) { continue }
            if let difference = membership.difference(targetMajor: major) { warnings.append(difference) }
            guard membership.isPossible(targetMajor: major) else { continue }
            await tolerate(membership.grantStatement(targetMajor: major), &warnings)
        }
        return warnings
    }

    private static let drillMarker = "karaffe restore drill "

    /// Roles that drills made, with their runs.
    ///
    /// - Throws: `PostgresError`.
    public func drillRoles() async throws -> [(name: String, run: String)] {
        try await client.query(
            """
            SELECT r.rolname AS name, s.description AS comment
            FROM pg_catalog.pg_roles r JOIN pg_catalog.pg_shdescription s
              ON s.objoid = r.oid AND s.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass
            WHERE pg_catalog.starts_with(s.description, $1) ORDER BY 1
            """, [Self.drillMarker]
        ).rows.map { row in
            (try row.required("name"), String(try row.required("comment").dropFirst(Self.drillMarker.count)))
        }
    }

    private func tolerate(_ statement: String, _ warnings: inout [String]) async {
        do {
            try await client.query(statement)
        } catch {
            warnings.append("\(statement): \(error)")
        }
    }

    /// Makes a role that can log in with a password, creating it when it is missing. The server gets a verifier. A role whose
    /// password ended in the meantime, made as the backup has it (one that was here stops the check), gets one without end.
    ///
    /// - Throws: `PostgresError`.
    public func ensureLogin(_ name: String, password: Secret) async throws {
        guard !DatabaseRole.isReserved(name) else {
            throw PostgresError(.settings, "\"\(name)\" is a reserved role and cannot be the application's user")
        }
        let verb = try await roleNames().contains(name) ? "ALTER" : "CREATE"
        if name == user {
            // Changing the password we are connected with would lock the caller out.
            return
        }
        let verifier = try client.scramVerifier(user: name, password: password)
        let hasEnded = try await !client.query(
            "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1 AND rolvaliduntil <= pg_catalog.now()", [name]
        ).rows.isEmpty
        try await client.query(
            "\(verb) ROLE \(SQLText.identifier(name)) WITH LOGIN PASSWORD \(SQLText.literal(verifier))"
                + (hasEnded ? " VALID UNTIL 'infinity'" : ""))
    }
}

// MARK: - Putting in place

extension TargetServer {
    /// A name for a database beside another: `app1db__restore_20261125t180000`, cut to PostgreSQL's 63 bytes.
    public static func sideName(_ database: String, _ suffix: String) -> String {
        let room = 63 - suffix.utf8.count
        var name = ""
        for character in database {
            guard name.utf8.count + character.utf8.count <= room else { break }
            name.append(character)
        }
        return name + suffix
    }

    public func drop(_ database: String) async throws {
        let force = major >= 13 ? " WITH (FORCE)" : ""
        try await client.query("DROP DATABASE IF EXISTS \(SQLText.identifier(database))\(force)")
    }
}

// MARK: - A role for the time of a restore

extension TargetServer {
    /// Makes a role that all owners of objects belong to. Without superuser an object can only be handed to a role that may
    /// create in its schema, a publication to one that may create in the database; and a dump gives that right at its end or, when
    /// it was taken away since, never.
    ///
    /// - Parameter database: the administrator's still.
    /// - Throws: `PostgresError`.
    public func makeHelper(_ name: String, members: [String], database: String) async throws {
        let role = SQLText.identifier(name)
        try await client.query("CREATE ROLE \(role) NOLOGIN")
        for member in members where member != user && !DatabaseRole.isReserved(member) {
            try await client.query("GRANT \(role) TO \(SQLText.identifier(member))")
        }
        try await client.query("GRANT \(role) TO CURRENT_USER")
        try await client.query("GRANT CREATE ON DATABASE \(SQLText.identifier(database)) TO \(role)")
    }

    /// Its rights in databases must be gone before (`DROP OWNED`, or the database dropped).
    public func dropHelper(_ name: String) async throws {
        if try await roleNames().contains(name) { try await client.query("DROP ROLE \(SQLText.identifier(name))") }
    }

    public func owner(of database: String) async throws -> String? {
        try await client.query(
            "SELECT pg_catalog.pg_get_userbyid(datdba) AS owner FROM pg_catalog.pg_database WHERE datname = $1",
            [database]
        ).rows.first?.text("owner")
    }
}

extension PostgresClient {
    /// Lets a role create objects in a schema. Of a schema that is not ours to give, PostgreSQL says so with the first
    /// object that needs it.
    public func letCreate(_ role: String, in schema: String) async throws {
        do {
            let mayAlready = try await query(
                "SELECT pg_catalog.has_schema_privilege($1, $2, 'CREATE') AS may", [role, schema]
            ).single().bool("may")
            if mayAlready { return }
            try await query("GRANT CREATE ON SCHEMA \(SQLText.identifier(schema)) TO \(SQLText.identifier(role))")
        } catch let error as PostgresError where error.code == .permission || error.sqlState == "3F000" {
            return
        }
    }

    /// Lets everybody create objects in the schema `public`, as up to PostgreSQL 14 everybody may: pg_dump of those versions
    /// leaves out what is the default there.
    public func openPublic() async throws {
        guard serverMajor >= 15 else { return }
        do {
            try await query("GRANT CREATE ON SCHEMA public TO PUBLIC")
        } catch let error as PostgresError where error.code == .permission {
            return
        }
    }
}
