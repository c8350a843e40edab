public import GoFormats

/// What `pg_dump` without `--create` leaves out: how the database itself was made and set up.
public struct DatabaseProperties: Sendable, Hashable {
    public struct Grant: Sendable, Hashable {
        /// Empty for PUBLIC.
        public let grantee: String
        /// `CONNECT`, `CREATE`, `TEMPORARY`.
        public let privilege: String
        public let isGrantable: Bool
    }

    /// A `name=value` of `ALTER DATABASE … SET` or `ALTER ROLE … IN DATABASE … SET`.
    public struct Setting: Sendable, Hashable {
        /// Nil for the whole database.
        public let role: String?
        public let name: String
        public let value: String
    }

    public var name: String
    public var owner: String
    public var encoding: String
    public var collate: String
    public var characterType: String
    /// `c` libc, `i` ICU, `b` builtin.
    public var localeProvider: String
    /// Of ICU and builtin.
    public var locale: String?
    public var icuRules: String?
    /// −1 for no limit.
    public var connectionLimit: Int64
    public var comment: String?
    /// Nil when the privileges are the defaults.
    public var grants: [Grant]?
    public var settings: [Setting]

    /// Those that settings name, as `default_tablespace` does.
    public var tablespaces: Set<String> {
        Set(
            settings.filter { ["default_tablespace", "temp_tablespaces"].contains($0.name.lowercased()) }
                .flatMap { $0.value.split(whereSeparator: { ", \"".contains($0) }).map(String.init) })
    }

    /// The properties of the database the client is connected to. Columns that only some versions have are looked for
    /// by name.
    ///
    /// - Throws: `PostgresError`.
    public static func read(from client: PostgresClient) async throws -> DatabaseProperties {
        let row = try await client.query(
            """
            SELECT pg_catalog.to_json(d) AS database, pg_catalog.pg_get_userbyid(d.datdba) AS owner,
                   pg_catalog.pg_encoding_to_char(d.encoding) AS encoding,
                   pg_catalog.shobj_description(d.oid, 'pg_database') AS comment,
                   (d.datacl IS NOT NULL) AS has_acl
            FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()
            """
        ).single()
        let database = try row.json("database")
        let name = database["datname"]?.stringValue ?? ""
        return DatabaseProperties(
            name: name, owner: try row.required("owner"), encoding: try row.required("encoding"),
            collate: database["datcollate"]?.stringValue ?? "C",
            characterType: database["datctype"]?.stringValue ?? "C",
            localeProvider: database["datlocprovider"]?.stringValue ?? "c",
            locale: database["datlocale"]?.stringValue ?? database["daticulocale"]?.stringValue,
            icuRules: database["daticurules"]?.stringValue,
            connectionLimit: database["datconnlimit"]?.integerValue ?? -1, comment: row.text("comment"),
            grants: try row.bool("has_acl") ? try await readGrants(from: client) : nil,
            settings: try await readSettings(from: client))
    }

    private static func readGrants(from client: PostgresClient) async throws -> [Grant] {
        try await client.query(
            """
            SELECT CASE a.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(a.grantee) END AS grantee,
                   a.privilege_type AS privilege, a.is_grantable
            FROM pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) a
            WHERE d.datname = pg_catalog.current_database() ORDER BY 1, 2
            """
        ).rows.map {
            Grant(
                grantee: try $0.required("grantee"), privilege: try $0.required("privilege"),
                isGrantable: try $0.bool("is_grantable"))
        }
    }

    private static func readSettings(from client: PostgresClient) async throws -> [Setting] {
        try await client.query(
            """
            SELECT r.rolname AS role, pg_catalog.unnest(s.setconfig) AS setting
            FROM pg_catalog.pg_db_role_setting s
            JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
            LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
            WHERE d.datname = pg_catalog.current_database() AND (s.setrole = 0 OR r.oid IS NOT NULL)
            ORDER BY r.rolname NULLS FIRST
            """
        ).rows.compactMap { row in
            let (name, value) = try row.required("setting").splitSetting
            return Setting(role: row.text("role"), name: name, value: value)
        }
    }
}

extension String {
    /// `name=value` as the catalogs keep it.
    var splitSetting: (name: String, value: String) {
        let parts = split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
    }
}

// MARK: - As statements

extension DatabaseProperties {
    /// `CREATE DATABASE` from template0.
    ///
    /// - Parameters:
    ///   - name: the name to create, which may be another than the recorded one.
    ///   - targetMajor: locale provider clauses exist from 15 on.
    public func createStatement(name: String, owner: String?, targetMajor: Int) -> String {
        var sql = "CREATE DATABASE \(SQLText.identifier(name)) TEMPLATE template0"
        if let owner { sql += " OWNER \(SQLText.identifier(owner))" }
        sql += " ENCODING \(SQLText.literal(encoding))"
        sql += " LC_COLLATE \(SQLText.literal(collate)) LC_CTYPE \(SQLText.literal(characterType))"
        guard targetMajor >= 15 else { return sql }
        switch localeProvider {
        case "i":
            sql += " LOCALE_PROVIDER icu"
            if let locale { sql += " ICU_LOCALE \(SQLText.literal(locale))" }
            if let icuRules, targetMajor >= 16 { sql += " ICU_RULES \(SQLText.literal(icuRules))" }
        case "b" where targetMajor >= 17:
            sql += " LOCALE_PROVIDER builtin"
            if let locale { sql += " BUILTIN_LOCALE \(SQLText.literal(locale))" }
        default: sql += " LOCALE_PROVIDER libc"
        }
        return sql
    }

    /// What comes after the data: privileges, settings, comment, connection limit.
    ///
    /// - Parameter roles: settings and grants of roles outside are left out.
    public func finishingStatements(database: String, owner: String, hasRole: (String) -> Bool) -> [String] {
        let target = "DATABASE \(SQLText.identifier(database))"
        var statements: [String] = []
        if let grants {
            statements.append("REVOKE ALL ON \(target) FROM PUBLIC")
            statements.append("REVOKE ALL ON \(target) FROM \(SQLText.identifier(owner))")
            for grant in grants where grant.grantee.isEmpty || hasRole(grant.grantee) {
                let grantee = grant.grantee.isEmpty ? "PUBLIC" : SQLText.identifier(grant.grantee)
                guard ["CONNECT", "CREATE", "TEMPORARY", "TEMP"].contains(grant.privilege) else { continue }
                let option = grant.isGrantable && !grant.grantee.isEmpty ? " WITH GRANT OPTION" : ""
                statements.append("GRANT \(grant.privilege) ON \(target) TO \(grantee)\(option)")
            }
        }
        for setting in settings {
            let value = SQLText.settingValue(name: setting.name, stored: setting.value)
            let assignment = "SET \(SQLText.settingName(setting.name)) TO \(value)"
            if let role = setting.role {
                guard hasRole(role) else { continue }
                statements.append("ALTER ROLE \(SQLText.identifier(role)) IN \(target) \(assignment)")
            } else {
                statements.append("ALTER \(target) \(assignment)")
            }
        }
        if let comment { statements.append("COMMENT ON \(target) IS \(SQLText.literal(comment))") }
        if connectionLimit != -1 { statements.append("ALTER \(target) CONNECTION LIMIT \(connectionLimit)") }
        return statements
    }
}

// MARK: - As JSON

extension DatabaseProperties {
    public var json: JSONValue {
        func optional(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
        return [
            "name": .string(name), "owner": .string(owner), "encoding": .string(encoding),
            "collate": .string(collate), "ctype": .string(characterType),
            "localeProvider": .string(localeProvider), "locale": optional(locale), "icuRules": optional(icuRules),
            "connectionLimit": .integer(connectionLimit), "comment": optional(comment),
            "grants": grants.map { grants in
                .array(
                    grants.map {
                        [
                            "grantee": .string($0.grantee), "privilege": .string($0.privilege),
                            "grantable": .bool($0.isGrantable),
                        ]
                    })
            } ?? .null,
            "settings": .array(
                settings.map {
                    ["role": optional($0.role), "name": .string($0.name), "value": .string($0.value)]
                }),
        ]
    }

    /// Nil when a member that cannot be missing is.
    public init?(json: JSONValue) {
        guard let name = json["name"]?.stringValue, let owner = json["owner"]?.stringValue,
            let encoding = json["encoding"]?.stringValue
        else { return nil }
        self.init(
            name: name, owner: owner, encoding: encoding, collate: json["collate"]?.stringValue ?? "C",
            characterType: json["ctype"]?.stringValue ?? "C",
            localeProvider: json["localeProvider"]?.stringValue ?? "c", locale: json["locale"]?.stringValue,
            icuRules: json["icuRules"]?.stringValue,
            connectionLimit: json["connectionLimit"]?.integerValue ?? -1, comment: json["comment"]?.stringValue,
            grants: json["grants"]?.arrayValue?.compactMap { grant in
                guard let grantee = grant["grantee"]?.stringValue, let privilege = grant["privilege"]?.stringValue
                else { return nil }
                return Grant(
                    grantee: grantee, privilege: privilege, isGrantable: grant["grantable"]?.boolValue ?? false)
            },
            settings: (json["settings"]?.arrayValue ?? []).compactMap { setting in
                guard let name = setting["name"]?.stringValue, let value = setting["value"]?.stringValue else {
                    return nil
                }
                return Setting(role: setting["role"]?.stringValue, name: name, value: value)
            })
    }
}
