import Synchronization

/// Where the rows of a dump come from, and with which key they are digested.
struct RowsSource: Sendable {
    let file: DumpFile
    let key: RowHashKey
}

extension DumpLoader {
    /// Loads the rows of an area.
    ///
    /// Into an empty table of this load they go frozen: emptied in the same transaction, so that a failure leaves nothing that
    /// another transaction could see, rows need no hint bits and no vacuum later on, and the visibility map is set.
    ///
    /// - Returns: what was read.
    /// - Throws: `PostgresError.Code.restore` with statement and line; what the file throws; `CancellationError`.
    ///
    /// Source: PostgreSQL documentation, COPY, "FREEZE"; `src/backend/commands/copyfrom.c`, `CopyFrom`.
    func load(
        _ area: RowsArea, _ statement: DumpStatement, isOfLoad: Bool, _ source: RowsSource, on client: PostgresClient
    ) async throws -> RowsDigest {
        let text = statement.text
        do {
            var isFrozen = false
            if isOfLoad, let frozen = FrozenCopy(text) {
                isFrozen = try await Self.attempt(statement, on: client) { try $0.begin(frozen) }
            }
            if !isFrozen {
                guard case .wantsRows = try await Self.attempt(statement, on: client, { try $0.run(statement: text) })
                else { throw PostgresError.oddCopy(statement) }
            }
            let digester = Mutex(RowsDigester(key: source.key))
            try await source.file.read(area.range) { chunk in
                let isEnd = digester.withLock { digester in chunk.withUnsafeBytes { digester.scan($0, from: 0).isEnd } }
                // Rows that end before their end are not those of the record.
                guard !isEnd else { throw area.error }
                try await Self.attempt(statement, on: client) { try $0.send(rows: chunk) }
            }
            try await Self.attempt(statement, on: client) { try $0.endRows() }
            if isFrozen { try await Self.attempt(statement, on: client) { _ = try $0.run(statement: "COMMIT") } }
            return digester.withLock { $0.content }
        } catch let error as PostgresError where error.sqlState != nil {
            // The connection may be used again, after a deadlock.
            _ = try? await client.onConnection { try $0.rollBack() }
            throw error
        }
    }
}

/// What loads rows frozen in place of a `COPY table FROM stdin;`.
struct FrozenCopy: Sendable, Hashable {
    let copy: [UInt8]
    let truncate: [UInt8]
    /// Has a row when the table has one.
    let look: [UInt8]

    /// Nil for a COPY that has options already.
    init?(_ statement: [UInt8]) {
        guard let header = CopyHeader(statement), !header.hasOptions,
            let semicolon = statement.lastIndex(of: UInt8(ascii: ";"))
        else { return nil }
        copy = statement[..<semicolon] + Array(" WITH (FREEZE);".utf8)
        truncate = Array("TRUNCATE TABLE ONLY ".utf8) + header.relation
        look = Array("SELECT FROM ONLY ".utf8) + header.relation + Array(" LIMIT 1".utf8)
    }

    /// What the server says where rows cannot go in so, though they can otherwise: privileges, partitioned and foreign tables,
    /// transactions that have seen too much.
    static let refusals: Set<String> = ["0A000", "42501", "42809", "55000", "25000"]
}

extension Connection {
    /// Begins a transaction with a COPY that freezes.
    ///
    /// - Returns: false, and nothing has happened, when the table has rows or the server refuses.
    /// - Throws: `ServerFailure`.
    fileprivate func begin(_ frozen: FrozenCopy) throws -> Bool {
        _ = try run(statement: "BEGIN ISOLATION LEVEL READ COMMITTED")
        do {
            guard try !hasRows(statement: frozen.look) else {
                try rollBack()
                return false
            }
            _ = try run(statement: frozen.truncate)
            guard case .wantsRows = try run(statement: frozen.copy) else {
                throw ServerFailure(sqlState: nil, message: "the server takes no rows for a COPY")
            }
            return true
        } catch let failure as ServerFailure where FrozenCopy.refusals.contains(failure.sqlState ?? "") {
            try rollBack()
            return false
        }
    }
}
