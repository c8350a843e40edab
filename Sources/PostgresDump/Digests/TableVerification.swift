import CPQ
public import GoFormats

/// A table whose rows are not those the backup recorded.
public struct TableDifference: Sendable, Hashable, CustomStringConvertible {
    public let table: String
    /// Nil when the record does not know the table.
    public let expected: RowsDigest?
    /// Nil when the table is not there.
    public let found: RowsDigest?

    public var description: String {
        func text(_ digest: RowsDigest?) -> String {
            digest.map { "\($0.rows) rows \(TableDigest.text($0.hash))" } ?? "no such table"
        }
        return "\(table): expected \(text(expected)), found \(text(found))"
    }

    public var json: JSONValue {
        func value(_ digest: RowsDigest?) -> JSONValue {
            digest.map {
                ["rows": .integer($0.rows), "bytes": .integer($0.bytes), "hash": .string(TableDigest.text($0.hash))]
            } ?? .null
        }
        return ["table": .string(table), "expected": value(expected), "found": value(found)]
    }
}

extension TableDigests {
    /// What a dump has, compared with what was recorded when it was made. Both are in the order of the dump.
    ///
    /// - Parameter found: digests of the same key; names in an encoding other than UTF-8 may be garbled and then count as equal.
    public func differences(from found: [TableDigest]) -> [TableDifference] {
        var differences: [TableDifference] = []
        for position in 0..<max(tables.count, found.count) {
            let (wanted, got) = (tables[safe: position], found[safe: position])
            if let wanted, let got, Self.isSame(wanted, got) {
                guard wanted.content != got.content else { continue }
                differences.append(
                    TableDifference(table: wanted.qualifiedName, expected: wanted.content, found: got.content))
                continue
            }
            if let wanted {
                differences.append(
                    TableDifference(table: wanted.qualifiedName, expected: wanted.content, found: nil))
            }
            if let got {
                differences.append(TableDifference(table: got.qualifiedName, expected: nil, found: got.content))
            }
        }
        return differences
    }

    private static func isSame(_ wanted: TableDigest, _ got: TableDigest) -> Bool {
        func garbled(_ text: String) -> Bool { text.contains("\u{FFFD}") }
        if ([got.schema, got.table] + got.columns).contains(where: garbled) { return true }
        return wanted.schema == got.schema && wanted.table == got.table && wanted.columns == got.columns
    }

    /// Reads every table of a restored database over one connection and compares it with the record.
    ///
    /// Tables of extensions are left out: they hold rows of the extension's own.
    ///
    /// - Parameters:
    ///   - client: its settings are changed.
    ///   - progress: called with the bytes read since the last call, for each mebibyte and each table.
    /// - Throws: `PostgresError`; `CancellationError`.
    public func differences(
        in client: PostgresClient, progress: @escaping @Sendable (Int64) -> Void = { _ in }
    ) async throws -> [TableDifference] {
        let targets = try await targets(client)
        return try await differences(
            in: targets, TableReading.all(targets.map { ($0.table.bytes, nil) }, connections: 1), over: [client],
            progress)
    }

    /// As above over several connections, the largest tables first; one that outweighs the others by ranges of its blocks
    /// (`TableReading`).
    ///
    /// Concurrency and memory: for each connection what libpq holds of it and one row; two statements for each table.
    ///
    /// - Parameters:
    ///   - database: that nobody else writes to meanwhile.
    ///   - jobs: connections, fewer where the server has no more.
    ///   - begin: called with the number of tables and of connections.
    ///   - progress: called by all of them.
    /// - Returns: in the order of the dump.
    public func differences(
        in database: PostgresSettings, jobs: Int, begin: (Int, Int) -> Void = { _, _ in },
        progress: @escaping @Sendable (Int64) -> Void = { _ in }
    ) async throws -> [TableDifference] {
        try await differences(
            in: database, jobs: jobs, splitFrom: TableReading.splitFrom, begin: begin, progress: progress)
    }

    /// - Parameter splitFrom: bytes of rows from which on a table may be read by ranges.
    func differences(
        in database: PostgresSettings, jobs: Int, splitFrom: Int64, begin: (Int, Int) -> Void = { _, _ in },
        progress: @escaping @Sendable (Int64) -> Void = { _ in }
    ) async throws -> [TableDifference] {
        try await PostgresClient.with(database) { first in
            let targets = try await targets(first)
            let isWorthIt = jobs > 1 && targets.contains { $0.table.bytes >= splitFrom }
            let blocks = isWorthIt ? try await first.blocksOfTables() : [:]
            let readings = TableReading.all(
                targets.map { target in
                    // A table without a list of columns has generated ones, perhaps, that `*` would name.
                    let name = [target.table.schema, target.table.table]
                    return (target.table.bytes, target.table.columns.isEmpty ? nil : blocks[name])
                }, connections: jobs, splitFrom: splitFrom)
            return try await PostgresClient.with(database, connections: min(jobs, readings.count), besides: [first]) {
                begin(targets.count, $0.count)
                return try await differences(in: targets, readings, over: $0, progress)
            }
        }
    }

    private func differences(
        in targets: [Target], _ readings: [TableReading], over clients: [PostgresClient],
        _ progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> [TableDifference] {
        let withRanges = readings.contains { $0.blocks != nil }
        for client in clients { try await client.prepare(for: settings, withRanges: withRanges) }
        var found: [RowsDigest?] = Array(repeating: RowsDigest(), count: targets.count)
        try await readings.forEach(over: clients) { [key] reading, client in
            let target = targets[reading.position]
            let statement = reading.blocks.map { target.rangeStatement + $0.condition.utf8 } ?? target.statement
            return try await client.digest(copy: statement, key: key, progress: progress)
        } done: { reading, digest in
            found[reading.position] = digest.flatMap { found[reading.position]?.adding($0) }
        }
        return zip(targets, found).compactMap { target, found in
            guard found != target.table.content else { return nil }
            return TableDifference(table: target.table.qualifiedName, expected: target.table.content, found: found)
        }
    }

    /// A table to be read, and the statements for that in the database's encoding.
    private struct Target: Sendable {
        var table: TableDigest
        var statement: [UInt8]
        var rangeStatement: [UInt8]
    }

    private func targets(_ client: PostgresClient) async throws -> [Target] {
        let extensionTables = Set(
            try await client.query(
                """
                SELECT n.nspname || '.' || c.relname AS name FROM pg_catalog.pg_depend d
                JOIN pg_catalog.pg_class c ON c.oid = d.objid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'e'
                """
            ).rows.compactMap { $0.text("name") })
        let encoding = settings.values.first { $0.name == "client_encoding" }?.value ?? "UTF8"
        // Names are known as UTF-8, rows are wanted in the database's encoding.
        func encoded(_ text: String) async throws -> [UInt8] {
            let bytes = Array(text.utf8)
            guard bytes.contains(where: { $0 >= 0x80 }), encoding != "UTF8" else { return bytes }
            let hex = try await client.query(
                "SELECT pg_catalog.encode(pg_catalog.convert_to($1, $2), 'hex') AS text", [text, encoding]
            ).single().required("text")
            return Hex.decode(hex.utf8) ?? bytes
        }
        var targets: [Target] = []
        for table in tables where !extensionTables.contains("\(table.schema).\(table.table)") {
            targets.append(
                Target(
                    table: table, statement: try await encoded(table.copyStatement),
                    rangeStatement: try await encoded(table.rangeStatement)))
        }
        return targets
    }
}

extension Array {
    subscript(safe position: Int) -> Element? { indices.contains(position) ? self[position] : nil }
}

extension PostgresClient {
    /// - Returns: nil when there is no such table or column.
    func digest(
        copy statement: [UInt8], key: RowHashKey, progress: @escaping @Sendable (Int64) -> Void
    ) async throws -> RowsDigest? {
        do {
            return try await onConnection { try $0.digest(copy: statement, key: key, progress: progress) }
        } catch let failure as ServerFailure where ["42P01", "42703", "3F000"].contains(failure.sqlState) {
            return nil
        } catch let failure as ServerFailure {
            throw PostgresError(
                sqlState: failure.sqlState, serverMessage: "ERROR: \(failure.message)", context: "\(settings)",
                isConnecting: false)
        }
    }
}

extension Connection {
    /// The digest of what a `COPY … TO STDOUT` sends; libpq hands over one row at a time.
    fileprivate func digest(
        copy statement: [UInt8], key: RowHashKey, progress: (Int64) -> Void
    ) throws -> RowsDigest {
        guard case .sendsRows = try run(statement: statement) else {
            throw PostgresError(.query, "the server sends no rows for a COPY on \(place)")
        }
        return try withHandle { pointer in
            var digest = RowsDigest()
            var told: Int64 = 0
            while true {
                if digest.bytes - told >= 1 << 20 {
                    progress(digest.bytes - told)
                    told = digest.bytes
                }
                var buffer: UnsafeMutablePointer<CChar>?
                let count = PQgetCopyData(pointer, &buffer, 0)
                if count == -2 { throw ServerFailure(nil, pointer) }
                if count < 0 {
                    if let failure = endOfCopy(pointer) { throw failure }
                    progress(digest.bytes - told)
                    return digest
                }
                guard let buffer else { continue }
                digest.add(row: UnsafeRawBufferPointer(start: buffer, count: Int(count)), key: key)
                PQfreemem(buffer)
            }
        }
    }
}
