import GoFormats

extension PrivilegeRecord {
    /// Three statements, whatever the number of objects and roles; a row for each different access list.
    ///
    /// - Throws: `PostgresError`.
    public static func read(from client: PostgresClient) async throws -> PrivilegeRecord {
        // Names are quoted where SQL needs it. Types in functions' arguments have their schema.
        try await client.query("SET search_path TO ''; SET quote_all_identifiers TO off")
        let groups = try await client.query(groupsSQL).rows.map { row in
            Group(
                kind: try row.required("kind"), owner: row.text("owner"),
                grants: try row.json("grants").arrayValue.map { try $0.map(grant) } ?? [],
                names: try row.json("names").arrayValue?.compactMap(\.stringValue) ?? [])
        }
        let defaults = try await client.query(defaultsSQL).rows.map { row in
            Entry(
                kind: "default", object: try row.required("object"), role: row.text("role") ?? "",
                privilege: row.text("privilege") ?? "", isGrantable: try row.bool("grantable"))
        }
        return PrivilegeRecord(groups: groups, defaults: defaults)
    }

    /// `["role", "SELECT", false]`.
    private static func grant(_ json: JSONValue) throws -> Grant {
        guard let parts = json.arrayValue, parts.count == 3, let role = parts[0].stringValue,
            let privilege = parts[1].stringValue, let isGrantable = parts[2].boolValue
        else { throw PostgresError(.query, "the server sent an access list in an unknown form") }
        return Grant(role: role, privilege: privilege, isGrantable: isGrantable)
    }

    private static let oursSQL = """
        WITH ours AS (
            SELECT n.oid, pg_catalog.quote_ident(n.nspname) AS name FROM pg_catalog.pg_namespace n
            WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')
        """

    private static func explode(_ list: String) -> String {
        """
        (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
                    CASE a.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(a.grantee) END, a.privilege_type, a.is_grantable))
                 FROM pg_catalog.aclexplode(\(list)) a)
        """
    }

    private static let groupsSQL =
        oursSQL + """
            ,
            objects AS (
                SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid AS class, c.oid,
                       CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
                                      WHEN 'f' THEN 'foreign table' ELSE 'table' END AS kind,
                       o.name || '.' || pg_catalog.quote_ident(c.relname) AS name, c.relowner AS owner,
                       coalesce(c.relacl, pg_catalog.acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)) AS acl
                FROM pg_catalog.pg_class c JOIN ours o ON o.oid = c.relnamespace
                WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
                UNION ALL
                SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid,
                       CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
                       o.name || '.' || pg_catalog.quote_ident(p.proname)
                       || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')',
                       p.proowner, coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))
                FROM pg_catalog.pg_proc p JOIN ours o ON o.oid = p.pronamespace
                UNION ALL
                SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, 'type', o.name || '.' || pg_catalog.quote_ident(t.typname),
                       t.typowner, coalesce(t.typacl, pg_catalog.acldefault('T', t.typowner))
                FROM pg_catalog.pg_type t JOIN ours o ON o.oid = t.typnamespace
                WHERE t.typtype IN ('d', 'e', 'r')
                   OR (t.typtype = 'c' AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
                UNION ALL
                SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass, n.oid, 'schema', o.name, n.nspowner,
                       coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))
                FROM pg_catalog.pg_namespace n JOIN ours o USING (oid)
                UNION ALL
                SELECT 'pg_catalog.pg_largeobject'::pg_catalog.regclass, l.oid, 'large object', l.oid::text, l.lomowner,
                       coalesce(l.lomacl, pg_catalog.acldefault('L', l.lomowner))
                FROM pg_catalog.pg_largeobject_metadata l
                UNION ALL
                SELECT 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, s.oid, 'server', pg_catalog.quote_ident(s.srvname),
                       s.srvowner, coalesce(s.srvacl, pg_catalog.acldefault('S', s.srvowner))
                FROM pg_catalog.pg_foreign_server s
                UNION ALL
                SELECT 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass, w.oid, 'foreign-data wrapper',
                       pg_catalog.quote_ident(w.fdwname), w.fdwowner, coalesce(w.fdwacl, pg_catalog.acldefault('F', w.fdwowner))
                FROM pg_catalog.pg_foreign_data_wrapper w
                UNION ALL
                SELECT 'pg_catalog.pg_language'::pg_catalog.regclass, l.oid, 'language', pg_catalog.quote_ident(l.lanname),
                       l.lanowner, coalesce(l.lanacl, pg_catalog.acldefault('l', l.lanowner))
                FROM pg_catalog.pg_language l WHERE l.lanispl
                UNION ALL
                SELECT 'pg_catalog.pg_database'::pg_catalog.regclass, d.oid, '\(database)', '', d.datdba,
                       coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))
                FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()),
            wanted AS (
                SELECT o.* FROM objects o
                WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                                  WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype = 'e')),
            columns AS (
                SELECT w.kind, w.name || ' column ' || pg_catalog.quote_ident(t.attname) AS name, t.attacl AS acl
                FROM wanted w JOIN pg_catalog.pg_attribute t ON t.attrelid = w.oid
                     AND w.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND t.attnum > 0 AND NOT t.attisdropped
                WHERE t.attacl IS NOT NULL),
            lists AS (
                SELECT kind, pg_catalog.pg_get_userbyid(owner)::text AS owner, acl, pg_catalog.json_agg(name) AS names
                FROM wanted GROUP BY kind, owner, acl
                UNION ALL
                SELECT kind, NULL, acl, pg_catalog.json_agg(name) FROM columns GROUP BY kind, acl)
            SELECT kind, owner, names, coalesce(\(explode("acl")), '[]') AS grants FROM lists
            """

    private static let defaultsSQL =
        oursSQL + """

            SELECT CASE f.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
                                        WHEN 'T' THEN 'types' WHEN 'L' THEN 'large objects' ELSE 'schemas' END
                   || ' of ' || pg_catalog.pg_get_userbyid(f.defaclrole)
                   || coalesce(' in ' || (SELECT o.name FROM ours o WHERE o.oid = f.defaclnamespace), '') AS object,
                   CASE a.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(a.grantee)::text END AS role,
                   a.privilege_type AS privilege, a.is_grantable AS grantable
            FROM pg_catalog.pg_default_acl f, pg_catalog.aclexplode(f.defaclacl) a
            """
}
