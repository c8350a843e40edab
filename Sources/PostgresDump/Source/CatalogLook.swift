/// What the catalogs say about readability and about things that a dump lacks.
enum CatalogLook {
    typealias Counted = (count: Int64, findings: [SourceFinding])

    private static let isOurs = """
        n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                          WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
                            AND d.deptype = 'e')
        """

    /// Tables and sequences that cannot be read, or not wholly: pg_dump stops at each of them.
    static func relations(_ client: PostgresClient, isStandby: Bool) async throws -> Counted {
        let rows = try await client.query(
            """
            SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, c.relkind AS kind,
                   c.relpersistence = 'u' AS is_unlogged, c.reltablespace <> 0 AS is_placed,
                   pg_catalog.has_schema_privilege(n.oid, 'USAGE')
                     AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AS is_readable,
                   c.relkind IN ('r', 'p') AND pg_catalog.row_security_active(c.oid) AS is_filtered
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'S') AND \(isOurs) ORDER BY 1
            """
        ).rows
        func names(_ column: String, _ wanted: Bool, kinds: Set<String> = ["r", "p", "S"]) throws -> [String] {
            try rows.filter { try $0.bool(column) == wanted && kinds.contains($0.text("kind") ?? "") }
                .compactMap { $0.text("name") }
        }
        var findings: [SourceFinding] = []
        func add(
            _ severity: SourceFinding.Severity, _ code: String, _ what: String, _ names: [String], _ hint: String
        ) {
            guard !names.isEmpty else { return }
            findings.append(
                SourceFinding(severity, code, "\(what): \(SourceFinding.list(names))", hint: hint))
        }
        add(
            .error, "unreadable-tables", "tables or sequences that \(client.settings.user ?? "this user") cannot read",
            try names("is_readable", false), "GRANT pg_read_all_data (PostgreSQL 14 and newer), or dump as their owner")
        add(
            .error, "row-security", "tables of which row security would hide rows", try names("is_filtered", true),
            "dump as the tables' owner or as a role with BYPASSRLS")
        if isStandby {
            add(
                .warning, "unlogged-tables", "unlogged tables, which have no rows on a standby",
                try names("is_unlogged", true, kinds: ["r"]), "back up from the primary if their rows matter")
        }
        add(
            .note, "tablespaces", "tables in tablespaces of their own: a restore puts them into the default one",
            try names("is_placed", true, kinds: ["r", "p"]), "move them afterwards with ALTER TABLE … SET TABLESPACE")
        return (Int64(rows.count { $0.text("kind") == "r" }), findings)
    }

    static func largeObjects(_ client: PostgresClient) async throws -> Counted {
        let row = try await client.query(
            """
            WITH objects AS (
                SELECT lomowner, NOT (
                    pg_catalog.pg_has_role(lomowner, 'USAGE')
                    OR EXISTS (SELECT FROM pg_catalog.aclexplode(lomacl) a WHERE a.privilege_type = 'SELECT'
                               AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE')))) AS is_closed
                FROM pg_catalog.pg_largeobject_metadata)
            SELECT count(*) AS count, count(*) FILTER (WHERE is_closed) AS closed,
                   (SELECT pg_catalog.string_agg(DISTINCT pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(lomowner)), ', ')
                    FROM objects WHERE is_closed) AS owners
            FROM objects
            """
        ).single()
        let closed = try row.integer("closed")
        guard closed > 0 else { return (try row.integer("count"), []) }
        let user = client.settings.user
        return (
            try row.integer("count"),
            [
                SourceFinding(
                    .error, "unreadable-large-objects",
                    "\(closed) large \(closed == 1 ? "object" : "objects") that \(user ?? "this user") cannot read",
                    hint:
                        "pg_read_all_data does not cover them; on the primary: GRANT \(row.text("owners") ?? "their owner") TO "
                        + (user.map(SQLText.identifier) ?? "it"))
            ]
        )
    }

    /// Code, severity, what it is, the query for its names, and what to do.
    private static let kinds: [(String, SourceFinding.Severity, String, String, String)] = [
        (
            "subscriptions", .warning, "subscriptions, which are not dumped: a copy would start to replicate",
            """
            SELECT s.subname AS name FROM pg_catalog.pg_subscription s
            JOIN pg_catalog.pg_database d ON d.oid = s.subdbid AND d.datname = pg_catalog.current_database()
            """, "create them by hand after a restore, if they are wanted there"
        ),
        (
            "publications", .note,
            "publications; those FOR ALL TABLES or FOR TABLES IN SCHEMA need a superuser to restore",
            "SELECT pubname AS name FROM pg_catalog.pg_publication",
            "restore as a superuser, or leave those out: restore --leave-out-superuser-objects"
        ),
        (
            "event-triggers", .note, "event triggers, which need a superuser to restore",
            """
            SELECT e.evtname AS name FROM pg_catalog.pg_event_trigger e
            WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                              WHERE d.classid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass AND d.objid = e.oid
                                AND d.deptype = 'e')
            """, "restore as a superuser, or leave them out: restore --leave-out-superuser-objects"
        ),
        (
            "user-mappings", .warning, "user mappings of foreign servers whose passwords this user cannot see",
            """
            SELECT srvname || ' for ' || usename AS name FROM pg_catalog.pg_user_mappings WHERE umoptions IS NULL
            """, "set them by hand after a restore with ALTER USER MAPPING"
        ),
        (
            "foreign-servers", .note, "foreign servers, which a restore elsewhere would connect to",
            "SELECT srvname AS name FROM pg_catalog.pg_foreign_server", "look at their hosts after a restore"
        ),
        (
            "security-labels", .note, "security labels of providers that the target must have",
            "SELECT DISTINCT provider AS name FROM pg_catalog.pg_seclabels", "load the provider on the target first"
        ),
    ]

    /// What a dump lacks, or has but cannot be restored by everybody.
    static func leftOut(_ client: PostgresClient) async throws -> [SourceFinding] {
        var findings: [SourceFinding] = []
        for (code, severity, what, query, hint) in kinds {
            do {
                let names = try await client.query("\(query) ORDER BY 1").rows.compactMap { $0.text("name") }
                guard !names.isEmpty else { continue }
                findings.append(
                    SourceFinding(severity, code, "\(what): \(SourceFinding.list(names))", hint: hint))
            } catch let error as PostgresError where error.code == .permission {
                findings.append(SourceFinding(.note, code, "cannot be looked at: \(error.message)"))
            }
        }
        return findings
    }
}
