import Synchronization

/// Puts a database in the place of another in one transaction: nobody ever finds neither, a crash leaves the old one, and
/// the journals change together with the names.
///
/// The first rename takes the lock that connecting needs, so from then on nobody can come in; sessions that are there
/// are ended by a second connection while the rename waits for them. Clients are away for a few tenths of a second.
///
/// Source: PostgreSQL `src/backend/commands/dbcommands.c`, `RenameDatabase` (takes AccessExclusiveLock on the database, waits 5
/// seconds for other sessions, is allowed in a transaction block); `src/backend/utils/init/postinit.c`, `InitPostgres`.
public struct DatabaseSwap: Sendable {
    /// Takes the name.
    public var incoming: String
    public var name: String
    /// Gets the name of what is there now; nil when nothing is there.
    public var outgoing: String?
    /// Comments after the swap.
    public var incomingComment: String?
    public var outgoingComment: String?

    public init(
        incoming: String, name: String, outgoing: String?, incomingComment: String?, outgoingComment: String?
    ) {
        self.incoming = incoming
        self.name = name
        self.outgoing = outgoing
        self.incomingComment = incomingComment
        self.outgoingComment = outgoingComment
    }

    private static let attempts = 4

    /// - Parameter pass: called at named points within, for tests that end the process there.
    /// - Returns: seconds from the first session that was ended to the end.
    /// - Throws: `PostgresError.Code.targetInUse` with who is connected when sessions do not end; else `PostgresError`.
    public func perform(
        on server: TargetServer, pass: @escaping @Sendable (String) -> Void = { _ in }
    ) async throws -> Double {
        let start = ContinuousClock.now
        let databases = try await server.oids(of: [name, incoming])
        return try await PostgresClient.with(server.client.settings) { second in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    while !Task.isCancelled {
                        try await second.endSessions(of: databases)
                        do { try await Task.sleep(for: .milliseconds(20)) } catch { return }
                    }
                }
                pass("terminating")
                defer { group.cancelAll() }
                for attempt in 1...Self.attempts {
                    do {
                        try await exchange(server.client, pass)
                        break
                    } catch let error as PostgresError where error.sqlState == "55006" {
                        try await server.client.query("ROLLBACK")
                        guard attempt < Self.attempts else { throw try await inUse(second, databases, error) }
                    } catch {
                        // Cancelled or failed: nothing has happened. A lost connection rolls back by itself.
                        _ = try? await server.client.query("ROLLBACK")
                        throw error
                    }
                }
                let elapsed = ContinuousClock.now - start
                return Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18
            }
        }
    }

    private func exchange(_ client: PostgresClient, _ pass: @Sendable (String) -> Void) async throws {
        let (live, side) = (SQLText.identifier(name), SQLText.identifier(incoming))
        try await client.query("BEGIN")
        if let outgoing {
            try await client.query("ALTER DATABASE \(live) WITH ALLOW_CONNECTIONS false")
            pass("blocked")
            try await client.query("ALTER DATABASE \(live) RENAME TO \(SQLText.identifier(outgoing))")
            try await client.query(TargetServer.commentStatement(outgoing, outgoingComment))
            pass("renamed-old")
        }
        try await client.query("ALTER DATABASE \(side) RENAME TO \(live)")
        try await client.query("ALTER DATABASE \(live) WITH ALLOW_CONNECTIONS true")
        try await client.query(TargetServer.commentStatement(name, incomingComment))
        pass("renamed-new")
        try await client.query("COMMIT")
    }

    private func inUse(
        _ client: PostgresClient, _ databases: [String], _ error: PostgresError
    ) async throws -> PostgresError {
        let sessions = try await client.sessions(of: databases).prefix(5).map(\.description).joined(separator: "; ")
        return PostgresError(
            .targetInUse,
            "database \"\(name)\" could not be replaced, sessions do not end: \(sessions.isEmpty ? error.message : sessions)",
            hint: "stop what is connected, then try again; the database is as it was", sqlState: error.sqlState,
            isTransient: true)
    }
}

/// A session of a database, for people.
public struct DatabaseSession: Sendable, Hashable, CustomStringConvertible {
    public let pid: String
    public let role: String
    public let application: String
    public let address: String
    public let state: String

    public var description: String {
        "process \(pid) of \(role)\(application.isEmpty ? "" : " (\(application))") from \(address), \(state)"
    }
}

extension PostgresClient {
    /// Sessions of clients in databases, without ours.
    func sessions(of databases: [String]) async throws -> [DatabaseSession] {
        try await query(
            """
            SELECT pid::text AS pid, coalesce(usename, '?') AS role, coalesce(application_name, '') AS application,
                   coalesce(client_addr::text, 'a socket') AS address, coalesce(state, '?') AS state
            FROM pg_catalog.pg_stat_activity
            WHERE datid::text = ANY (pg_catalog.string_to_array($1, ',')) AND pid <> pg_catalog.pg_backend_pid()
            ORDER BY backend_start
            """, [databases.joined(separator: ",")]
        ).rows.map { row in
            DatabaseSession(
                pid: try row.required("pid"), role: try row.required("role"),
                application: try row.required("application").replacingControlCharacters,
                address: try row.required("address"), state: try row.required("state"))
        }
    }

    /// Ends what may be ended. Sessions of superusers are not ours to end: the rename then says that they are there.
    func endSessions(of databases: [String]) async throws {
        for session in try await sessions(of: databases) {
            do {
                try await query("SELECT pg_catalog.pg_terminate_backend($1::int)", [session.pid])
            } catch let error as PostgresError where error.code == .permission {
                continue
            }
        }
    }
}

extension TargetServer {
    /// OIDs, as text, of those that exist.
    func oids(of databases: [String]) async throws -> [String] {
        var found: [String] = []
        for database in databases {
            found += try await client.query(
                "SELECT oid::text AS oid FROM pg_catalog.pg_database WHERE datname = $1", [database]
            ).rows.compactMap { $0.text("oid") }
        }
        return found
    }

    /// Who is connected to a database.
    public func sessions(of database: String) async throws -> [DatabaseSession] {
        try await client.sessions(of: try await oids(of: [database]))
    }
}
