public import GoFormats

/// Who owns what in a database and who may do what: owners, effective access lists, default privileges.
///
/// Kept as sorted lines, because what counts is the difference of two of them:
///
///     owner table public.items: app
///     grant table public.items: SELECT to reader by app
///     default tables of app in public: SELECT to reader
///
/// Access lists that are not set count as what PostgreSQL takes for them, so that a list that is set to the default is no
/// difference. Objects of the system and of extensions are left out.
///
/// Source: PostgreSQL documentation, "Privileges", `acldefault`, `aclexplode`; catalogs `pg_class`, `pg_attribute`, `pg_proc`,
/// `pg_namespace`, `pg_type`, `pg_largeobject_metadata`, `pg_foreign_server`, `pg_foreign_data_wrapper`, `pg_language`,
/// `pg_default_acl`.
public struct PrivilegeRecord: Sendable, Hashable {
    public struct Entry: Sendable, Hashable, Comparable {
        /// `owner`, `grant`, `default`.
        public var kind: String
        /// `table public.items`.
        public var object: String
        /// Owner, or who is granted something; empty for PUBLIC.
        public var role: String
        /// `SELECT`; empty for owners.
        public var privilege: String
        public var isGrantable: Bool

        public static func < (left: Entry, right: Entry) -> Bool { left.sortKey < right.sortKey }
        private var sortKey: String { "\(kind)\u{0}\(object)\u{0}\(role)\u{0}\(privilege)" }

        public var description: String {
            let name = role.isEmpty ? "PUBLIC" : role
            if kind == "owner" { return "\(object) belongs to \(name)" }
            let option = isGrantable ? " with grant option" : ""
            return kind == "default"
                ? "new \(object): \(privilege) to \(name)\(option)" : "\(privilege) on \(object) to \(name)\(option)"
        }
    }

    public var entries: [Entry]

    public init(entries: [Entry]) { self.entries = entries }

    /// Roles that own anything but the schema `public`, which every server gives to one of its own: up to PostgreSQL 14 to its
    /// superuser, since then to the database's owner.
    public var owners: Set<String> {
        Set(entries.filter { $0.kind == "owner" && $0.object != Self.publicSchema }.map(\.role))
    }

    public static let publicSchema = "schema public"

    /// Whether everybody may create objects in the schema `public`: the default up to PostgreSQL 14.
    public var isPublicOpen: Bool {
        entries.contains {
            $0.kind == "grant" && $0.object == Self.publicSchema && $0.role.isEmpty && $0.privilege == "CREATE"
        }
    }

    /// What is here and not there.
    ///
    /// - Parameter part: when given, only objects that it has count, and no default privileges: pg_dump of some tables leaves
    ///   out the rest.
    public func lost(in other: PrivilegeRecord, onlyOf part: PrivilegeRecord? = nil) -> [Entry] {
        let there = Set(other.entries)
        let known = part.map { Set($0.entries.filter { $0.kind == "owner" }.map(\.object)) }
        return entries.filter { entry in
            guard !there.contains(entry) else { return false }
            if let known {
                let object = entry.object.lastRange(of: " column ").map { String(entry.object[..<$0.lowerBound]) }
                guard entry.kind != "default", known.contains(entry.object) || known.contains(object ?? "") else {
                    return false
                }
            }
            // With grant option is more than without.
            var more = entry
            more.isGrantable = true
            return !there.contains(more)
        }
    }

    /// - Throws: `PostgresError`.
    public static func read(from client: PostgresClient) async throws -> PrivilegeRecord {
        let rows = try await client.query(sql).rows
        return PrivilegeRecord(
            entries: try rows.map { row in
                Entry(
                    kind: try row.required("kind"), object: try row.required("object"), role: row.text("role") ?? "",
                    privilege: row.text("privilege") ?? "", isGrantable: try row.bool("grantable"))
            }.sorted())
    }

    /// Names are quoted where SQL needs it; functions with their argument types. `search_path` is emptied so that
    /// types have their schema.
    private static let sql = """
        SET search_path TO ''; SET quote_all_identifiers TO off;
        WITH ours AS (
            SELECT n.oid, pg_catalog.quote_ident(n.nspname) AS name FROM pg_catalog.pg_namespace n
            WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'),
        objects AS (
            SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid AS class, c.oid,
                   CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
                                  WHEN 'f' THEN 'foreign table' ELSE 'table' END
                   || ' ' || o.name || '.' || pg_catalog.quote_ident(c.relname) AS object,
                   c.relowner AS owner,
                   coalesce(c.relacl, pg_catalog.acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)) AS acl
            FROM pg_catalog.pg_class c JOIN ours o ON o.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
            UNION ALL
            SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid,
                   CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END
                   || ' ' || o.name || '.' || pg_catalog.quote_ident(p.proname)
                   || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')',
                   p.proowner, coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))
            FROM pg_catalog.pg_proc p JOIN ours o ON o.oid = p.pronamespace
            UNION ALL
            SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, 'type ' || o.name || '.' || pg_catalog.quote_ident(t.typname),
                   t.typowner, coalesce(t.typacl, pg_catalog.acldefault('T', t.typowner))
            FROM pg_catalog.pg_type t JOIN ours o ON o.oid = t.typnamespace
            WHERE t.typtype IN ('d', 'e', 'r')
               OR (t.typtype = 'c' AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
            UNION ALL
            SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass, n.oid, 'schema ' || o.name, n.nspowner,
                   coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))
            FROM pg_catalog.pg_namespace n JOIN ours o USING (oid)
            UNION ALL
            SELECT 'pg_catalog.pg_largeobject'::pg_catalog.regclass, l.oid, 'large object ' || l.oid, l.lomowner,
                   coalesce(l.lomacl, pg_catalog.acldefault('L', l.lomowner))
            FROM pg_catalog.pg_largeobject_metadata l
            UNION ALL
            SELECT 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, s.oid, 'server ' || pg_catalog.quote_ident(s.srvname),
                   s.srvowner, coalesce(s.srvacl, pg_catalog.acldefault('S', s.srvowner))
            FROM pg_catalog.pg_foreign_server s),
        wanted AS (
            SELECT o.* FROM objects o
            WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                              WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype = 'e'))
        SELECT 'owner' AS kind, object, pg_catalog.pg_get_userbyid(owner)::text AS role, NULL AS privilege, false AS grantable
        FROM wanted
        UNION ALL
        SELECT 'grant', w.object, CASE a.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(a.grantee)::text END,
               a.privilege_type, a.is_grantable
        FROM wanted w, pg_catalog.aclexplode(w.acl) a WHERE a.grantee <> w.owner
        UNION ALL
        SELECT 'grant', w.object || ' column ' || pg_catalog.quote_ident(t.attname),
               CASE a.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(a.grantee)::text END, a.privilege_type, a.is_grantable
        FROM wanted w JOIN pg_catalog.pg_attribute t ON t.attrelid = w.oid AND w.class = 'pg_catalog.pg_class'::pg_catalog.regclass
             AND t.attnum > 0 AND NOT t.attisdropped, pg_catalog.aclexplode(t.attacl) a
        UNION ALL
        SELECT 'default', CASE f.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
                                               WHEN 'T' THEN 'types' WHEN 'L' THEN 'large objects' ELSE 'schemas' END
               || ' of ' || pg_catalog.pg_get_userbyid(f.defaclrole)
               || coalesce(' in ' || (SELECT o.name FROM ours o WHERE o.oid = f.defaclnamespace), ''),
               CASE a.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(a.grantee)::text END, a.privilege_type, a.is_grantable
        FROM pg_catalog.pg_default_acl f, pg_catalog.aclexplode(f.defaclacl) a
        """

    public var json: JSONValue {
        .array(
            entries.map { entry in
                [
                    "kind": .string(entry.kind), "object": .string(entry.object), "role": .string(entry.role),
                    "privilege": .string(entry.privilege), "grantable": .bool(entry.isGrantable),
                ]
            })
    }

    /// Nil unless it is a list; entries without an object are left out.
    public init?(json: JSONValue) {
        guard let list = json.arrayValue else { return nil }
        entries = list.compactMap { entry in
            guard let kind = entry["kind"]?.stringValue, let object = entry["object"]?.stringValue else { return nil }
            return Entry(
                kind: kind, object: object, role: entry["role"]?.stringValue ?? "",
                privilege: entry["privilege"]?.stringValue ?? "", isGrantable: entry["grantable"]?.boolValue ?? false)
        }
    }
}
