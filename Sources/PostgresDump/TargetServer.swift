/// The server a database is restored to, through a connection to its maintenance database.
public struct TargetServer: Sendable {
    public let client: PostgresClient
    public let user: String
    public let isSuperuser: Bool
    public let mayCreateDatabases: Bool
    public let mayCreateRoles: Bool

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
        if try row.bool("is_standby") {
            throw PostgresError(
                .restore, "\(client.settings) is on a standby, which takes no writes",
                hint: "restore to the primary: PGHOST must name the read-write host")
        }
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

    /// The extensions of a snapshot that this server does not offer.
    public func missingExtensions(of wanted: [DatabaseExtension]) async throws -> [String] {
        let offered = Set(
            try await client.query("SELECT name FROM pg_catalog.pg_available_extensions").rows.compactMap {
                $0.text("name")
            })
        return wanted.map(\.name).filter { !offered.contains($0) }
    }
}

// MARK: - Roles

extension TargetServer {
    /// Creates the roles that are missing and joins them to each other; roles that exist stay as they are.
    ///
    /// - Returns: what could not be done and why, for people.
    /// - Throws: `PostgresError` when a missing role cannot be created.
    public func createMissing(_ closure: RoleClosure) async throws -> [String] {
        let existing = try await roleNames()
        var warnings: [String] = []
        for role in closure.roles where !existing.contains(role.name) {
            guard mayCreateRoles else {
                throw PostgresError(
                    .permission, "role \"\(role.name)\" is missing and \(user) may not create roles",
                    hint: "restore as an administrator with CREATEROLE")
            }
            try await client.query(role.createStatement)
            for statement in role.settingStatements { await tolerate(statement, &warnings) }
            if !role.withheldAttributes.isEmpty {
                let attributes = role.withheldAttributes.joined(separator: ", ")
                warnings.append("role \"\(role.name)\" was created without \(attributes), which it had on the source")
            }
        }
        let present = try await roleNames()
        for membership in closure.memberships
        where membership.member != user && membership.role != user && present.contains(membership.member) {
            await tolerate(membership.grantStatement(targetMajor: major), &warnings)
        }
        return warnings
    }

    private func tolerate(_ statement: String, _ warnings: inout [String]) async {
        do {
            try await client.query(statement)
        } catch {
            warnings.append("\(statement): \(error)")
        }
    }

    /// Makes a role that can log in with a password, creating it when it is missing. The server gets a verifier.
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
        try await client.query(
            "\(verb) ROLE \(SQLText.identifier(name)) WITH LOGIN PASSWORD \(SQLText.literal(verifier))")
    }

    /// Joins the connected administrator to roles whose objects it must hand over, for the time of a restore.
    ///
    /// - Parameter joined: gets the roles that were joined now and are to be left again, also when a later one fails.
    /// - Throws: `PostgresError` when the administrator may not.
    public func join(_ roles: [String], joined: inout [String]) async throws {
        if isSuperuser { return }
        for role in roles where role != user && !DatabaseRole.isReserved(role) {
            let kinds = major >= 16 ? ["USAGE", "SET"] : ["USAGE"]
            let checks = kinds.map { "pg_catalog.pg_has_role(current_user, $1, '\($0)')" }.joined(separator: " AND ")
            if try await client.query("SELECT \(checks) AS has", [role]).single().bool("has") { continue }
            let options = major >= 16 ? " WITH INHERIT TRUE, SET TRUE" : ""
            try await client.query("GRANT \(SQLText.identifier(role)) TO CURRENT_USER\(options)")
            joined.append(role)
        }
    }

    public func leave(_ roles: [String]) async throws {
        for role in roles { try await client.query("REVOKE \(SQLText.identifier(role)) FROM CURRENT_USER") }
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

    /// Renames `restored` to `database`; a database of that name is renamed to `old` first, its sessions ended.
    /// When the second rename fails, the first is taken back.
    ///
    /// - Throws: `PostgresError`.
    public func putInPlace(_ restored: String, as database: String, old: String) async throws {
        let (name, aside) = (SQLText.identifier(database), SQLText.identifier(old))
        let isOccupied = try await exists(database)
        if isOccupied {
            try await client.query("ALTER DATABASE \(name) WITH ALLOW_CONNECTIONS false")
            do {
                try await endSessions(of: database)
                try await client.query("ALTER DATABASE \(name) RENAME TO \(aside)")
            } catch {
                try await client.query("ALTER DATABASE \(name) WITH ALLOW_CONNECTIONS true")
                throw error
            }
        }
        do {
            try await endSessions(of: restored)
            try await client.query("ALTER DATABASE \(SQLText.identifier(restored)) RENAME TO \(name)")
        } catch {
            if isOccupied {
                try await client.query("ALTER DATABASE \(aside) RENAME TO \(name)")
                try await client.query("ALTER DATABASE \(name) WITH ALLOW_CONNECTIONS true")
            }
            throw error
        }
    }

    /// Ends every session of a database and waits until they are gone, 10 seconds at most.
    private func endSessions(of database: String) async throws {
        for _ in 0..<100 {
            let left = try await client.query(
                """
                SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
                WHERE datname = $1 AND pid <> pg_catalog.pg_backend_pid()
                """, [database]
            ).rows.count
            if left == 0 { return }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw PostgresError(
            .restore, "sessions of database \"\(database)\" did not end within 10 seconds",
            hint: "stop the application, then try again", isTransient: true)
    }
}
