public import GoFormats

/// Something in a database that servers before a major do not know, so that they refuse its dump. The list is what could
/// be found in the catalogs: the source of a function may use more.
public struct VersionNeed: Sendable, Hashable, CustomStringConvertible {
    /// `virtual generated columns`.
    public let what: String
    /// The first that knows it.
    public let major: Int
    /// The first ten.
    public let objects: [String]

    public var description: String { "\(what) (\(objects.listed); PostgreSQL \(major))" }

    /// Rows `what`, `object`. Each is asked only of servers that can have it, whose catalogs have the columns.
    private static let queries: [(major: Int, sql: String)] = [
        (
            15,
            """
            SELECT 'UNIQUE NULLS NOT DISTINCT' AS what, pg_catalog.format('%I.%I', n.nspname, c.relname) AS object
            FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
            JOIN ours n ON n.oid = c.relnamespace WHERE i.indnullsnotdistinct
            """
        ),
        (
            17,
            """
            SELECT 'collations of the provider builtin', pg_catalog.format('%I.%I', n.nspname, c.collname)
            FROM pg_catalog.pg_collation c JOIN ours n ON n.oid = c.collnamespace WHERE c.collprovider = 'b'
            """
        ),
        (
            18,
            """
            SELECT 'virtual generated columns', pg_catalog.format('%I.%I.%I', n.nspname, c.relname, a.attname)
            FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
            JOIN ours n ON n.oid = c.relnamespace
            WHERE a.attgenerated = 'v' AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f')
            UNION ALL
            SELECT CASE WHEN NOT k.conenforced THEN 'constraints that are NOT ENFORCED'
                        WHEN k.conperiod THEN 'constraints WITHOUT OVERLAPS or of a PERIOD'
                        ELSE 'NOT NULL constraints that are NOT VALID or NO INHERIT' END,
                   pg_catalog.format('%I.%I', n.nspname, k.conname)
            FROM pg_catalog.pg_constraint k JOIN ours n ON n.oid = k.connamespace
            WHERE NOT k.conenforced OR k.conperiod OR (k.contype = 'n' AND (NOT k.convalidated OR k.connoinherit))
            UNION ALL
            SELECT 'default privileges of large objects', pg_catalog.pg_get_userbyid(defaclrole)::text
            FROM pg_catalog.pg_default_acl WHERE defaclobjtype = 'L'
            """
        ),
    ]

    /// - Throws: `PostgresError`.
    static func all(in client: PostgresClient) async throws -> [VersionNeed] {
        var needs: [VersionNeed] = []
        for (major, sql) in queries where client.serverMajor >= major {
            let rows = try await client.query(
                """
                WITH ours AS (
                    SELECT oid, nspname FROM pg_catalog.pg_namespace
                    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
                found(what, object) AS (\(sql))
                SELECT what, object, row_number() OVER (PARTITION BY what ORDER BY object) AS place FROM found
                ORDER BY what, object
                """
            ).rows
            for (what, rows) in Dictionary(grouping: rows, by: { $0.text("what") ?? "" }).sorted(by: { $0.key < $1.key }
            ) {
                needs.append(
                    VersionNeed(what: what, major: major, objects: rows.prefix(10).compactMap { $0.text("object") }))
            }
        }
        return needs
    }

    public var json: JSONValue {
        ["what": .string(what), "major": .integer(Int64(major)), "objects": .array(objects.map { .string($0) })]
    }

    public init(what: String, major: Int, objects: [String]) {
        self.what = what
        self.major = major
        self.objects = objects
    }

    public init?(json: JSONValue) {
        guard let what = json["what"]?.stringValue, let major = json["major"]?.integerValue else { return nil }
        self.init(
            what: what, major: Int(clamping: major),
            objects: (json["objects"]?.arrayValue ?? []).prefix(10).compactMap(\.stringValue))
    }
}
