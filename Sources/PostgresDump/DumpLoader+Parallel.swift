extension DumpLoader {
    /// Runs units over several connections, those of the largest tables first; the first error ends them all.
    ///
    /// - Parameters:
    ///   - session: what the dump has set so far, for every connection.
    ///   - weights: bytes of rows by table.
    /// - Returns: warnings of the server, and what was in the areas of rows, by their index.
    /// - Throws: `PostgresError.Code.restore` with statement and line; `CancellationError`.
    func run(
        _ units: [ParallelSection.Unit], _ source: RowsSource?, session: SessionSettings, weights: [String: Int]
    ) async throws -> (warnings: [String], contents: [Int: RowsDigest]) {
        let heaviest = units.enumerated().map {
            (index: $0, unit: $1, weight: $1.tables.map { weights[$0] ?? 0 }.max() ?? 0)
        }
        .sorted { ($1.weight, $0.index) < ($0.weight, $1.index) }.map(\.unit)
        return try await PostgresClient.with(client.settings, connections: min(jobs, units.count)) { clients in
            if units.contains(where: { $0.rows != nil }) {
                beforeRows(units.count, clients.count)
            } else {
                beforeSection(units.count, clients.count)
            }
            for client in clients { try await client.apply(session) }
            var pending = heaviest
            var running: [Int: ParallelSection.Unit] = [:]
            var idle = Array(clients.indices)
            var again: [ParallelSection.Unit] = []
            var contents: [Int: RowsDigest] = [:]
            func take(_ outcome: UnitOutcome) {
                if let rest = outcome.rest { again.append(rest) }
                if let (index, content) = outcome.content { contents[index] = content }
            }
            try await withThrowingTaskGroup(of: (worker: Int, outcome: UnitOutcome).self) { group in
                while true {
                    while let worker = idle.last,
                        let next = pending.firstIndex(where: { unit in
                            !running.values.contains { $0.conflicts(with: unit) }
                        })
                    {
                        idle.removeLast()
                        let unit = pending.remove(at: next)
                        running[worker] = unit
                        let client = clients[worker]
                        group.addTask { (worker, try await self.run(unit, source, on: client, mayDeadlock: true)) }
                    }
                    guard let done = try await group.next() else { break }
                    take(done.outcome)
                    running[done.worker] = nil
                    idle.append(done.worker)
                }
            }
            for unit in again { take(try await run(unit, source, on: clients[0], mayDeadlock: false)) }
            return (clients.flatMap { $0.connection.warnings.take() }, contents)
        }
    }

    private struct UnitOutcome: Sendable {
        /// What is left when it was the victim of a deadlock, of which nothing stays: partitions and functions lock more tables
        /// than a statement names.
        var rest: ParallelSection.Unit?
        var content: (index: Int, RowsDigest)?
    }

    private func run(
        _ unit: ParallelSection.Unit, _ source: RowsSource?, on client: PostgresClient, mayDeadlock: Bool
    ) async throws -> UnitOutcome {
        for (index, statement) in unit.statements.enumerated() {
            do {
                if let area = unit.rows, let source {
                    let content = try await load(area, statement, isOfLoad: unit.isOfLoad, source, on: client)
                    return UnitOutcome(content: (area.index, content))
                }
                try await perform(alone: statement, on: client)
            } catch let error as PostgresError where error.sqlState == "40P01" && mayDeadlock {
                var rest = unit
                rest.statements.removeFirst(index)
                return UnitOutcome(rest: rest)
            }
        }
        afterUnit()
        return UnitOutcome()
    }

    private func perform(alone statement: DumpStatement, on client: PostgresClient) async throws {
        let text = statement.text
        guard case .done = try await Self.attempt(statement, on: client, { try $0.run(statement: text) }) else {
            throw PostgresError.oddCopy(statement)
        }
    }
}

/// What the `SET` and `set_config` of a dump have made of its session, the last of each name: a connection beside needs the
/// same.
struct SessionSettings: Sendable, Hashable {
    private(set) var statements: [String] = []

    mutating func take(_ statement: DumpStatement) {
        let text = String(decoding: statement.text, as: UTF8.self)
        let call = "SELECT pg_catalog.set_config('"
        let key: String
        if text.hasPrefix("SET ") {
            key = String(text.prefix { $0 != "=" })
        } else if text.hasPrefix(call) {
            key = call + text.dropFirst(call.count).prefix { $0 != "'" }
        } else {
            return
        }
        statements.removeAll { $0.hasPrefix(key) }
        statements.append(text)
    }
}

extension PostgresClient {
    func apply(_ session: SessionSettings) async throws {
        for statement in session.statements { try await query(statement) }
    }
}

// MARK: - ANALYZE

extension PostgresClient {
    /// Analyzes every table of a database over several connections, the largest first.
    ///
    /// A partitioned table stands for its partitions, which PostgreSQL then analyzes too. What the role may not analyze is
    /// passed over by the server.
    ///
    /// - Parameter progress: called with the number of tables that are done and of all.
    /// - Throws: `PostgresError`; `CancellationError`.
    public static func analyze(
        _ settings: PostgresSettings, jobs: Int, progress: (Int, Int) -> Void = { _, _ in }
    ) async throws {
        let tables = try await PostgresClient.with(settings) { client in
            try await client.query(
                """
                SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name
                FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND c.relpersistence <> 't'
                  AND NOT c.relisshared AND n.nspname !~ '^pg_toast'
                ORDER BY c.relkind = 'p' DESC, pg_catalog.pg_relation_size(c.oid) DESC, 1
                """
            ).rows.map { try $0.required("name") }
        }
        try await with(settings, connections: min(jobs, tables.count)) { clients in
            var done = 0
            progress(done, tables.count)
            try await tables.forEach(over: clients) { table, client in
                try await client.query("ANALYZE \(table)")
            } done: { _, _ in
                done += 1
                progress(done, tables.count)
            }
        }
    }
}
