import GoFormats
import KopiaRepository
import PostgresDump
import RunnerContract

extension Restore {
    /// One table of the snapshot, into a schema of its own in the live database.
    func restore(table name: String, _ run: RestoreRun, _ context: RunContext) async throws {
        guard let tables = run.record?.tables else {
            throw PodRunnerError(
                .input, "the snapshot does not say which tables it has, so one of them cannot be taken out",
                hint:
                    "--table needs a snapshot made by pod-runner backup; restore the whole under another name (--dbname)"
            )
        }
        let table = try Self.find(name, in: tables)
        let schema = "restored_\(Self.compact(context.clock()))"
        let roles = run.record?.roles.roles.filter { !$0.isSuperuser }.map(\.name) ?? []
        let owner = run.record?.privileges?.owner(ofRelation: table.displayName)
        let restore = TableRestore(table: table, tables: tables, schema: schema, owner: owner)
        if plan { return try await printPlan(restore, run, context) }
        let live = try await PostgresClient.with(run.settings) { try await TargetServer($0).owner(of: run.database) }
        let outcome = try await PostgresClient.with(run.settings.with(database: run.database)) { client in
            try await restore.perform(
                on: client, joining: [live].compactMap { $0 } + roles,
                DumpFile(length: run.file.length) { [file = run.file, context] range, write in
                    try await file.forEachChunk(in: range) { chunk in
                        try await write(chunk)
                        context.pass("table-rows")
                    }
                })
        }
        guard outcome.differences.isEmpty else {
            throw run.verificationError(outcome.differences, what: "the restored rows are not those of the backup")
        }
        context.note(
            "table \(table.qualifiedName) is restored as \(SQLText.identifier(schema)).\(SQLText.identifier(table.table)) in database "
                + "\"\(run.database)\": \(Figures.count(table.rows, "row")), equal to the backup by hash")
        for line in Self.lines(outcome.leftOut) { context.note(line) }
        let report = Self.report(restore, run, outcome.leftOut)
        if output == .json { try await context.print(GoJSON.text(report)) }
        if let outputName {
            try await context.print(PhaseOutput(checking: outputName, value: GoJSON.text(report)).line)
        }
    }

    /// The dump is read; the server is only asked whether the database is there.
    private func printPlan(_ restore: TableRestore, _ run: RestoreRun, _ context: RunContext) async throws {
        let isThere = try await PostgresClient.with(run.settings) { client in
            try await TargetServer(client).exists(run.database)
        }
        let (statements, leftOut) = try await restore.plan(
            DumpFile(length: run.file.length) { [file = run.file] range, write in
                try await file.forEachChunk(in: range) { try await write($0) }
            })
        if output == .json {
            try await context.print(GoJSON.text(Self.report(restore, run, leftOut)))
        } else {
            try await context.print(
                "table \(restore.table.qualifiedName) would become \(SQLText.identifier(restore.schema)).\(SQLText.identifier(restore.table.table)) "
                    + "in database \"\(run.database)\": \(restore.table.rows) rows, \(statements) statements")
            for line in Self.lines(leftOut) { try await context.print(line) }
        }
        guard isThere else {
            throw PostgresError(
                .missingDatabase,
                "there is no database \"\(run.database)\" on \(run.settings.host):\(run.settings.port)",
                hint: "--table restores into a database that is there")
        }
    }

    private static func lines(_ leftOut: TableLeftOut) -> [String] {
        leftOut.kinds.isEmpty
            ? ["nothing of the table is left out"]
            : ["left out of the table: \(leftOut.summary)"] + leftOut.names.map { "  \($0.onOneLine)" }
    }

    private static func report(_ restore: TableRestore, _ run: RestoreRun, _ leftOut: TableLeftOut) -> JSONValue {
        let table = restore.table
        return [
            "database": .string(run.database), "snapshot": .string(run.snapshot), "schema": .string(restore.schema),
            "table": .string(table.table), "from": .string(table.qualifiedName), "rows": .integer(table.rows),
            "leftOut": .object(
                JSONObject(
                    leftOut.kinds.sorted { $0.key < $1.key }.map {
                        JSONObject.Member(key: $0.key, value: .integer(Int64($0.value)))
                    })),
            "leftOutNames": .array(leftOut.names.map { .string($0) }),
        ]
    }

    private static func find(_ name: String, in tables: TableDigests) throws -> TableDigest {
        let found = tables.tables.filter { $0.table == name || "\($0.schema).\($0.table)" == name }
        if let table = found.first, found.count == 1 { return table }
        let names = (found.isEmpty ? tables.tables : found).map { "\($0.schema).\($0.table)" }
        let some = names.prefix(20).joined(separator: ", ") + (names.count > 20 ? ", …" : "")
        throw PodRunnerError(
            .input,
            found.isEmpty
                ? "the snapshot has no table \"\(name)\"" : "the snapshot has \(found.count) tables \"\(name)\"",
            hint: names.isEmpty ? nil : "name one of: \(some)")
    }

    /// `20261125t215958`.
    private static func compact(_ time: Timestamp) -> String {
        String(time.description.prefix { $0 != "." && $0 != "Z" }.filter { $0 != "-" && $0 != ":" }).lowercased()
    }
}

extension TableDigest {
    /// As `quote_ident` writes it: `public.items`, `public."Items"`.
    var displayName: String {
        func quoted(_ name: String) -> String {
            let isPlain = name.utf8.allSatisfy {
                (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5f
            }
            return isPlain ? name : SQLText.identifier(name)
        }
        return "\(quoted(schema)).\(quoted(table))"
    }
}
