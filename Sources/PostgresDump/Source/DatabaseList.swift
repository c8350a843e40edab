/// The databases of a server.
public enum DatabaseList {
    /// Databases of the system or of a cloud provider, and the one for maintenance: nobody's data.
    public static let reserved: Set<String> = [
        "postgres", "template0", "template1", "azure_maintenance", "azure_sys", "rdsadmin", "cloudsqladmin",
        "alloydbadmin", "alloydbmetadata",
    ]

    /// Those that may be connected to and hold somebody's data, by name.
    ///
    /// - Parameter client: connected to any database of the server.
    /// - Throws: `PostgresError`.
    public static func all(on client: PostgresClient) async throws -> [String] {
        try await client.query(
            """
            SELECT datname AS name FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate
              AND pg_catalog.has_database_privilege(oid, 'CONNECT')
            ORDER BY datname COLLATE "C"
            """
        ).rows.compactMap { $0.text("name") }.filter { !reserved.contains($0) }
    }
}
