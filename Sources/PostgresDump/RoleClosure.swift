public import GoFormats

/// A role that a database needs, without its password.
public struct DatabaseRole: Sendable, Hashable {
    public var name: String
    public var canLogin: Bool
    public var inherits: Bool
    public var createsDatabases: Bool
    public var createsRoles: Bool
    /// The three that only a superuser can give: recorded, never given on restore.
    public var isSuperuser: Bool
    public var isReplication: Bool
    public var bypassesRowSecurity: Bool
    /// −1 for no limit.
    public var connectionLimit: Int64
    /// `infinity` or a time with zone; nil without end.
    public var validUntil: String?
    /// `name=value` of `ALTER ROLE … SET`.
    public var settings: [String]
    public var comment: String? = nil

    /// The beginnings of the names that PostgreSQL and the cloud providers keep for themselves: `pg_monitor`,
    /// `azure_pg_admin`, `azuresu`, `rds_superuser`, `rdsadmin`, `rdsrepladmin`, `cloudsqlsuperuser`, `alloydbsuperuser`.
    static let reservedPrefixes = ["pg_", "azure", "rds_", "rdsadmin", "rdsrepladmin", "cloudsql", "alloydb"]

    /// The same as a regular expression of PostgreSQL's.
    static let reservedPattern = "^(\(reservedPrefixes.joined(separator: "|")))"

    /// Roles of the system or of a cloud provider: never created, altered or granted away.
    public static func isReserved(_ name: String) -> Bool { reservedPrefixes.contains { name.hasPrefix($0) } }
}

/// `member` belongs to `role`.
public struct RoleMembership: Sendable, Hashable {
    public var role: String
    public var member: String
    public var withAdmin: Bool
    /// From PostgreSQL 16 on; nil before.
    public var withInherit: Bool?
    public var withSet: Bool?
}

/// The roles that the objects of one database refer to, the members of those, and the roles they all belong to.
///
/// Source: PostgreSQL `pg_shdepend` (owners, privileges, default privileges, policies, user mappings), `pg_auth_members`.
public struct RoleClosure: Sendable, Hashable {
    public var roles: [DatabaseRole]
    public var memberships: [RoleMembership]

    public init(roles: [DatabaseRole], memberships: [RoleMembership]) {
        self.roles = roles
        self.memberships = memberships
    }

    /// Superusers and reserved roles are not followed: both would lead to the whole server. The connected administrator
    /// counts as a role only where the database itself needs it, but what of the closure it belongs to is remembered.
    /// What else the members belong to is not this database's, except where it leads to PostgreSQL's roles that may read or write
    /// everything. A role that a setting makes others act as (`ALTER ROLE …
    /// SET role`) is needed by them.
    private static let closureSQL = """
        WITH RECURSIVE
        database AS (
            SELECT oid, datdba FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()),
        followed AS (
            SELECT oid FROM pg_catalog.pg_roles
            WHERE NOT rolsuper AND rolname !~ '\(DatabaseRole.reservedPattern)'),
        needed AS (
            SELECT DISTINCT s.refobjid AS oid FROM pg_catalog.pg_shdepend s, database d
            WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
              AND (s.dbid = d.oid
                   OR (s.dbid = 0 AND s.classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND s.objid = d.oid))
            UNION SELECT datdba FROM database
            UNION SELECT s.setrole FROM pg_catalog.pg_db_role_setting s, database d
            WHERE s.setdatabase = d.oid AND s.setrole <> 0
            UNION SELECT t.oid FROM pg_catalog.pg_db_role_setting s, database d,
                                    pg_catalog.unnest(s.setconfig) AS c(setting), pg_catalog.pg_roles t
            WHERE s.setdatabase = d.oid AND c.setting = 'role=' || t.rolname),
        members AS (
            SELECT oid FROM needed
            UNION
            SELECT m.member FROM pg_catalog.pg_auth_members m JOIN members ON m.roleid = members.oid
            JOIN followed f ON f.oid = members.oid
            JOIN pg_catalog.pg_roles r ON r.oid = m.member AND r.rolname <> current_user AND NOT r.rolsuper),
        groups AS (
            SELECT oid FROM needed
            UNION
            SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN groups ON m.member = groups.oid
            JOIN followed f ON f.oid = groups.oid),
        readers AS (
            SELECT oid FROM pg_catalog.pg_roles
            WHERE rolname IN ('pg_read_all_data', 'pg_write_all_data', 'pg_maintain')
            UNION
            SELECT m.member FROM pg_catalog.pg_auth_members m JOIN readers ON m.roleid = readers.oid
            JOIN followed f ON f.oid = m.member),
        through AS (
            SELECT oid FROM members
            UNION
            SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN through ON m.member = through.oid
            JOIN readers ON readers.oid = m.roleid),
        own AS (SELECT oid FROM through UNION SELECT oid FROM groups),
        closure AS (
            SELECT oid FROM own
            UNION
            SELECT t.oid FROM own JOIN pg_catalog.pg_db_role_setting s ON s.setrole = own.oid AND s.setdatabase = 0,
                              pg_catalog.unnest(s.setconfig) AS c(setting), pg_catalog.pg_roles t
            WHERE c.setting = 'role=' || t.rolname AND NOT t.rolsuper)
        """

    /// - Throws: `PostgresError`.
    public static func read(from client: PostgresClient) async throws -> RoleClosure {
        let roles = try await client.query(
            closureSQL + """

                SELECT pg_catalog.to_json(r) AS role, s.setconfig IS NOT NULL AS has_settings,
                       pg_catalog.to_json(s.setconfig) AS settings,
                       pg_catalog.shobj_description(r.oid, 'pg_authid') AS comment
                FROM pg_catalog.pg_roles r JOIN closure USING (oid)
                LEFT JOIN pg_catalog.pg_db_role_setting s ON s.setrole = r.oid AND s.setdatabase = 0
                WHERE r.rolname !~ '\(DatabaseRole.reservedPattern)' ORDER BY r.rolname
                """
        ).rows.map { row in
            let role = try row.json("role")
            return DatabaseRole(
                catalog: role,
                settings: try row.bool("has_settings")
                    ? (try row.json("settings").arrayValue ?? []).compactMap(\.stringValue) : [],
                comment: row.text("comment"))
        }
        let memberships = try await client.query(
            closureSQL + """

                SELECT pg_catalog.to_json(m) AS membership, r.rolname AS role, p.rolname AS member
                FROM pg_catalog.pg_auth_members m
                JOIN pg_catalog.pg_roles r ON r.oid = m.roleid JOIN pg_catalog.pg_roles p ON p.oid = m.member
                JOIN closure a ON a.oid = m.roleid LEFT JOIN closure b ON b.oid = m.member
                WHERE (b.oid IS NOT NULL OR p.rolname = current_user) AND NOT p.rolsuper AND p.rolname !~ '\(DatabaseRole.reservedPattern)' ORDER BY r.rolname, p.rolname
                """
        ).rows.map { try RoleMembership(row: $0) }
        return RoleClosure(roles: roles, memberships: RoleMembership.merged(memberships))
    }
}

extension DatabaseRole {
    /// A row of `pg_roles` as JSON.
    init(catalog role: JSONValue, settings: [String] = [], comment: String? = nil) {
        self.init(
            name: role["rolname"]?.stringValue ?? "", canLogin: role["rolcanlogin"]?.boolValue ?? false,
            inherits: role["rolinherit"]?.boolValue ?? true,
            createsDatabases: role["rolcreatedb"]?.boolValue ?? false,
            createsRoles: role["rolcreaterole"]?.boolValue ?? false,
            isSuperuser: role["rolsuper"]?.boolValue ?? false,
            isReplication: role["rolreplication"]?.boolValue ?? false,
            bypassesRowSecurity: role["rolbypassrls"]?.boolValue ?? false,
            connectionLimit: role["rolconnlimit"]?.integerValue ?? -1,
            validUntil: role["rolvaliduntil"]?.stringValue, settings: settings, comment: comment)
    }
}

// MARK: - As statements

extension DatabaseRole {
    /// `CREATE ROLE` with what a CREATEROLE admin may give.
    public var createStatement: String {
        var sql = "CREATE ROLE \(SQLText.identifier(name)) \(canLogin ? "LOGIN" : "NOLOGIN")"
        sql += inherits ? " INHERIT" : " NOINHERIT"
        if createsDatabases { sql += " CREATEDB" }
        if createsRoles { sql += " CREATEROLE" }
        if connectionLimit != -1 { sql += " CONNECTION LIMIT \(connectionLimit)" }
        if let validUntil { sql += " VALID UNTIL \(SQLText.literal(validUntil))" }
        return sql
    }

    /// Settings and comment.
    public var settingStatements: [String] {
        let statements = settings.map { setting in
            let (name, value) = setting.splitSetting
            return "ALTER ROLE \(SQLText.identifier(self.name)) SET \(SQLText.settingName(name)) TO "
                + SQLText.settingValue(name: name, stored: value)
        }
        guard let comment else { return statements }
        return statements + ["COMMENT ON ROLE \(SQLText.identifier(name)) IS \(SQLText.literal(comment))"]
    }

    /// What it may do on the server: `LOGIN`, `CREATEDB`, …
    public var attributes: Set<String> {
        Set(withheldAttributes).union(canLogin ? ["LOGIN"] : []).union(createsDatabases ? ["CREATEDB"] : [])
            .union(createsRoles ? ["CREATEROLE"] : [])
    }

    /// Attributes that are recorded and not given: `SUPERUSER`, …
    public var withheldAttributes: [String] {
        (isSuperuser ? ["SUPERUSER"] : []) + (isReplication ? ["REPLICATION"] : [])
            + (bypassesRowSecurity ? ["BYPASSRLS"] : [])
    }
}

extension RoleMembership {
    /// `role`, `member`, and the row of `pg_auth_members` as JSON.
    init(row: PostgresRow) throws {
        let membership = try row.json("membership")
        self.init(
            role: try row.required("role"), member: try row.required("member"),
            withAdmin: membership["admin_option"]?.boolValue ?? false,
            withInherit: membership["inherit_option"]?.boolValue, withSet: membership["set_option"]?.boolValue)
    }

    /// One for each role and member, with what any of them gives: from PostgreSQL 16 on each who grants makes one.
    static func merged(_ memberships: [RoleMembership]) -> [RoleMembership] {
        func either(_ left: Bool?, _ right: Bool?) -> Bool? {
            left == nil && right == nil ? nil : left ?? false || right ?? false
        }
        var merged: [RoleMembership] = []
        for next in memberships {
            let same = merged.firstIndex { $0.role == next.role && $0.member == next.member }
            guard let same else {
                merged.append(next)
                continue
            }
            merged[same].withAdmin = merged[same].withAdmin || next.withAdmin
            merged[same].withInherit = either(merged[same].withInherit, next.withInherit)
            merged[same].withSet = either(merged[same].withSet, next.withSet)
        }
        return merged
    }

    /// Whether it gives the role's rights or lets act as it, and not only manage it.
    public var givesRights: Bool { withInherit != false || withSet != false }

    /// Before PostgreSQL 16 every membership gives rights, so that one which gave none must not be made.
    public func isPossible(targetMajor: Int) -> Bool { targetMajor >= 16 || givesRights }

    /// What an older server cannot express, for people.
    func difference(targetMajor: Int) -> String? {
        guard targetMajor < 16 else { return nil }
        guard givesRights else {
            return
                "\(member) could manage \(role) without belonging to it, which PostgreSQL \(targetMajor) cannot: left out"
        }
        guard withInherit == false || withSet == false else { return nil }
        let lacks = withInherit == false ? "INHERIT" : "SET"
        return
            "\(member) belonged to \(role) without \(lacks), which PostgreSQL \(targetMajor) cannot: it belongs to it wholly"
    }

    /// - Parameter targetMajor: the options exist from 16 on.
    public func grantStatement(targetMajor: Int) -> String {
        let grant = "GRANT \(SQLText.identifier(role)) TO \(SQLText.identifier(member))"
        var options: [String] = withAdmin ? [targetMajor >= 16 ? "ADMIN TRUE" : "ADMIN OPTION"] : []
        if targetMajor >= 16 {
            if let withInherit { options.append("INHERIT \(withInherit ? "TRUE" : "FALSE")") }
            if let withSet { options.append("SET \(withSet ? "TRUE" : "FALSE")") }
        }
        return options.isEmpty ? grant : "\(grant) WITH \(options.joined(separator: ", "))"
    }
}

extension RoleClosure {
    /// An SQL script for people and stock `psql`: creates what is missing, leaves what is there, without passwords.
    public func script(database: String) -> String {
        let title = database.replacingControlCharacters
        var text = """
            -- Roles that the database \(title) needs. Roles that exist are left as they are.
            -- Passwords are not included: set them afterwards with ALTER ROLE … PASSWORD.


            """
        for role in roles {
            if !role.withheldAttributes.isEmpty {
                let name = role.name.replacingControlCharacters
                text += "-- \(name) also had \(role.withheldAttributes.joined(separator: ", ")) on the source.\n"
            }
            let body = """

                BEGIN
                  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = \(SQLText.literal(role.name))) THEN
                    \(([role.createStatement] + role.settingStatements).map { "\($0);" }.joined(separator: "\n    "))
                  END IF;
                END
                """
            text += "DO \(SQLText.dollarQuoted(body + "\n"));\n"
        }
        let names = Set(roles.map(\.name))
        for membership in memberships where names.contains(membership.member) {
            let old = membership.grantStatement(targetMajor: 15)
            let new = membership.grantStatement(targetMajor: 16)
            guard membership.withInherit == false || membership.withSet == false else {
                text += "\(old);\n"
                continue
            }
            // Text, because an older server cannot even read the newer statement.
            let orElse = membership.givesRights ? "\n  ELSE\n    \(old);" : ""
            let body = """

                BEGIN
                  IF pg_catalog.current_setting('server_version_num')::int >= 160000 THEN
                    EXECUTE \(SQLText.literal(new));\(orElse)
                  END IF;
                END
                """
            text += "DO \(SQLText.dollarQuoted(body + "\n"));\n"
        }
        return text
    }
}

extension String {
    /// Safe in a comment of one line.
    var replacingControlCharacters: String {
        var text = String.UnicodeScalarView()
        for scalar in unicodeScalars { text.append(scalar.value < 0x20 || scalar.value == 0x7f ? "?" : scalar) }
        return String(text)
    }
}

// MARK: - As JSON

extension RoleClosure {
    public var json: JSONValue {
        func optional(_ flag: Bool?) -> JSONValue { flag.map { .bool($0) } ?? .null }
        return [
            "roles": .array(
                roles.map { role in
                    [
                        "name": .string(role.name), "login": .bool(role.canLogin), "inherit": .bool(role.inherits),
                        "createdb": .bool(role.createsDatabases), "createrole": .bool(role.createsRoles),
                        "superuser": .bool(role.isSuperuser), "replication": .bool(role.isReplication),
                        "bypassrls": .bool(role.bypassesRowSecurity),
                        "connectionLimit": .integer(role.connectionLimit),
                        "validUntil": role.validUntil.map { .string($0) } ?? .null,
                        "settings": .array(role.settings.map { .string($0) }),
                        "comment": role.comment.map { .string($0) } ?? .null,
                    ]
                }),
            "memberships": .array(
                memberships.map {
                    [
                        "role": .string($0.role), "member": .string($0.member), "admin": .bool($0.withAdmin),
                        "inherit": optional($0.withInherit), "set": optional($0.withSet),
                    ]
                }),
        ]
    }

    /// Roles without a name and reserved ones are left out.
    public init(json: JSONValue) {
        roles = (json["roles"]?.arrayValue ?? []).compactMap { role in
            guard let name = role["name"]?.stringValue, !name.isEmpty, !DatabaseRole.isReserved(name) else {
                return nil
            }
            return DatabaseRole(
                name: name, canLogin: role["login"]?.boolValue ?? false,
                inherits: role["inherit"]?.boolValue ?? true,
                createsDatabases: role["createdb"]?.boolValue ?? false,
                createsRoles: role["createrole"]?.boolValue ?? false,
                isSuperuser: role["superuser"]?.boolValue ?? false,
                isReplication: role["replication"]?.boolValue ?? false,
                bypassesRowSecurity: role["bypassrls"]?.boolValue ?? false,
                connectionLimit: role["connectionLimit"]?.integerValue ?? -1,
                validUntil: role["validUntil"]?.stringValue,
                settings: (role["settings"]?.arrayValue ?? []).compactMap(\.stringValue),
                comment: role["comment"]?.stringValue)
        }
        memberships = (json["memberships"]?.arrayValue ?? []).compactMap { membership in
            guard let role = membership["role"]?.stringValue, let member = membership["member"]?.stringValue else {
                return nil
            }
            return RoleMembership(
                role: role, member: member, withAdmin: membership["admin"]?.boolValue ?? false,
                withInherit: membership["inherit"]?.boolValue, withSet: membership["set"]?.boolValue)
        }
    }
}
