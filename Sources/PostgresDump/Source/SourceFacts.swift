public import GoFormats

/// What is known of the source when a dump starts, all seen by one exported snapshot.
public struct SourceFacts: Sendable, Hashable {
    /// 150020 for 15.20.
    public let serverVersion: Int
    /// As the server writes it: `15.20 (Debian 15.20-0+deb12u1)`.
    public let serverVersionText: String
    public let isStandby: Bool
    /// Replayed position on a standby, written position on a primary: `0/3000148`.
    public let lsn: String
    /// Seconds the standby is behind: 0 when it receives from the primary and has replayed all of it, else the age of the
    /// last replayed transaction; nil on a primary or when unknown. The age alone would make the standby of an idle primary
    /// look late; the positions alone would make a standby look fresh whose connection to the primary is broken.
    public let lagSeconds: Double?
    public let systemTime: Timestamp
    public let sizeBytes: Int64

    public var serverMajor: Int { serverVersion / 10_000 }

    /// - Throws: `PostgresError`.
    public static func read(from client: PostgresClient) async throws -> SourceFacts {
        let row = try await client.query(
            """
            SELECT pg_catalog.current_setting('server_version') AS version_text,
                   pg_catalog.pg_is_in_recovery() AS is_standby,
                   CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                        ELSE pg_catalog.pg_current_wal_lsn() END::text AS lsn,
                   CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN NULL
                        WHEN pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn()
                             AND EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver) THEN 0
                        ELSE extract(epoch FROM pg_catalog.clock_timestamp()
                             - pg_catalog.pg_last_xact_replay_timestamp())::float8 END::text AS lag,
                   extract(epoch FROM pg_catalog.clock_timestamp())::bigint::text AS now,
                   pg_catalog.pg_database_size(pg_catalog.current_database())::text AS size
            """
        ).single()
        return SourceFacts(
            serverVersion: client.serverVersion, serverVersionText: try row.required("version_text"),
            isStandby: try row.bool("is_standby"), lsn: row.text("lsn") ?? "",
            lagSeconds: row.text("lag").flatMap { Double($0) },
            systemTime: Timestamp(seconds: try row.integer("now")), sizeBytes: try row.integer("size"))
    }
}

/// One extension of a database.
public struct DatabaseExtension: Sendable, Hashable {
    public let name: String
    public let version: String
    public let schema: String

    public init(name: String, version: String, schema: String) {
        self.name = name
        self.version = version
        self.schema = schema
    }

    /// - Throws: `PostgresError`.
    public static func all(in client: PostgresClient) async throws -> [DatabaseExtension] {
        try await client.query(
            """
            SELECT e.extname AS name, e.extversion AS version, n.nspname AS schema
            FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
            ORDER BY e.extname
            """
        ).rows.map {
            DatabaseExtension(
                name: try $0.required("name"), version: try $0.required("version"), schema: try $0.required("schema"))
        }
    }

    public var json: JSONValue {
        ["name": .string(name), "version": .string(version), "schema": .string(schema)]
    }

    public init?(json: JSONValue) {
        guard let name = json["name"]?.stringValue else { return nil }
        self.init(
            name: name, version: json["version"]?.stringValue ?? "", schema: json["schema"]?.stringValue ?? "")
    }
}
