import Synchronization

/// Runs a plain dump on a database, statement by statement.
///
/// The first error ends it. psql's own commands are never run (`DumpLexer`). Left out, because a database newer or older
/// than the dump needs it: settings by list, and the DROPs a `--clean` dump starts with; and `unwanted` objects.
///
/// Concurrency and memory: one connection, on which one statement or one chunk of rows runs at a time; with `jobs` more than
/// one as many for the time rows of large tables are loaded, and indexes and constraints are built (`ParallelSection`). Each
/// that loads rows holds what `DumpFile.read` reads ahead, one chunk and the state of a hash.
///
/// Source: PostgreSQL `src/bin/pg_dump/pg_backup_archiver.c`, `RestoreArchive`, `_doSetFixedOutputState`.
public struct DumpLoader: Sendable {
    /// Settings a dump may make and the first major that knows them.
    public static let knownSettings: [String: Int] = [
        "idle_in_transaction_session_timeout": 10, "default_table_access_method": 12, "default_toast_compression": 14,
        "transaction_timeout": 17,
    ]

    /// What a finished load says.
    public struct Report: Sendable, Hashable {
        public var bytes: Int64 = 0
        public var statements = 0
        /// Statements left out because the target does not know them.
        public var leftOut: [String] = []
        /// Those of `unwanted` that the dump has.
        public var leftOutObjects: [SuperuserObject] = []
        /// DROPs of a `--clean` dump, left out because the database is new.
        public var leftOutDrops = 0
        /// Warnings of the server, 100 at most.
        public var warnings: [String] = []
        /// What was in the dump, in its order, when there was a record to compare it with.
        public var tables: [TableDigest]?
        var foundTable = true
        var leftOutOfTable = TableLeftOut()
    }

    let client: PostgresClient
    /// Run after each `CREATE SCHEMA` with the schema's name.
    public var afterSchema: @Sendable (String) async throws -> Void = { _ in }
    /// A role that takes the place of another in the dump.
    public var succession: RoleSuccession?
    /// Left out, with whatever the dump says of them.
    public var unwanted: [SuperuserObject] = []
    /// How many connections load rows and build indexes and constraints, 1 for the loader's own.
    public var jobs = 1
    /// Bytes of rows from which on a table is loaded beside others, and not read where it is not wanted. Each such table is a
    /// range of its own to read, which on distant storage costs a round trip and, with kopia's own chunks, two of 4 MiB.
    public var largeTable = Self.largeTableDefault
    static let largeTableDefault: Int64 = 4 << 20
    /// Called with the number of tables whose rows are loaded now, and of connections.
    public var beforeRows: @Sendable (Int, Int) -> Void = { _, _ in }
    /// Called with the number of indexes and constraints that are built now, and of connections.
    public var beforeSection: @Sendable (Int, Int) -> Void = { _, _ in }
    /// Called after each index or constraint.
    public var afterUnit: @Sendable () -> Void = {}
    /// The one table to take; nil for everything.
    var selection: TableSelection?

    /// - Parameter client: to the database that is restored, used by nobody else meanwhile.
    public init(_ client: PostgresClient) { self.client = client }

    /// Runs the whole dump.
    ///
    /// With a record that says where rows lie, and `jobs` more than one, the rows of large tables are read and sent over several
    /// connections, each table by one, so that they come to lie in the order of the dump; with a `selection` those of other
    /// tables are not read.
    ///
    /// - Parameters:
    ///   - file: read by `jobs` + 1 readers at once at most.
    ///   - recorded: the digests that were made with the dump; whether they are those of the dump the caller compares.
    /// - Throws: `PostgresError.Code.restore` with statement and line; `.otherDump` when rows do not lie where the record says;
    ///   what `file` throws; `CancellationError`.
    public func load(_ file: DumpFile, recorded: TableDigests? = nil) async throws -> Report {
        let gathersRows = jobs > 1 && selection == nil
        let areas =
            gathersRows || selection != nil
            ? try recorded?.areas(ofAtLeast: largeTable, in: file.length) ?? [] : []
        let source = recorded.map { RowsSource(file: file, key: $0.key) }
        let state = Mutex(
            LoadState(
                selection: selection, unwanted: unwanted, key: selection == nil ? recorded?.key : nil,
                gathersRows: gathersRows && !areas.isEmpty))
        try await file.read(areas, passingOver: { area in try state.withLock { try $0.passOver(area) } }) { chunk in
            let pieces = try state.withLock { state in
                state.report.bytes += Int64(chunk.count)
                try state.digester?.scan(chunk)
                var pieces: [DumpLexer.Piece] = []
                try state.lexer.feed(chunk) { pieces.append($0) }
                return pieces
            }
            for piece in pieces { try await perform(piece, source, state) }
        }
        let rest = try state.withLock { state in
            var pieces: [DumpLexer.Piece] = []
            try state.lexer.finish { pieces.append($0) }
            guard state.lexer.isComplete else {
                throw PostgresError.incompleteDump(bytes: state.report.bytes)
            }
            return pieces
        }
        for piece in rest { try await perform(piece, source, state) }
        try await run(state.withLock { $0.takeUnits() }, source, state)
        try await run(state.withLock { $0.section.finish() }, source, state)
        return try state.withLock { state in
            var report = state.report
            report.warnings += client.connection.warnings.take()
            report.tables = try state.tables()
            if let selection = state.selection {
                (report.foundTable, report.leftOutOfTable) = (selection.isFound, selection.leftOut)
            }
            return report
        }
    }

    private func perform(
        _ piece: DumpLexer.Piece, _ source: RowsSource?, _ state: borrowing Mutex<LoadState>
    ) async throws {
        switch piece {
        case .statement(let statement):
            let selected = try state.withLock { try $0.selected(statement, targetMajor: client.serverMajor) }.map {
                succession.map($0.naming) ?? $0
            }
            if statement.isCopyFromInput {
                state.withLock { $0.begin(copy: statement, as: selected.first) }
            }
            for wanted in selected {
                try await run(state.withLock { $0.units(before: wanted) }, source, state)
                if jobs > 1 {
                    let (isTaken, ready) = state.withLock { $0.section.take(wanted) }
                    try await run(ready, source, state)
                    if isTaken { continue }
                }
                if !wanted.isCopyFromInput { try await perform(wanted, state) }
            }
        case .rows(let bytes):
            if let waiting = state.withLock({ $0.takeWaiting() }) { try await perform(waiting, state) }
            guard let copy = try state.withLock({ try $0.received(bytes.count) }) else { return }
            try await attempt(copy) { try $0.send(rows: bytes) }
        case .endOfRows:
            if let waiting = state.withLock({ $0.takeWaiting() }) { try await perform(waiting, state) }
            if case .flowing(let copy) = state.withLock({ $0.rows }) { try await attempt(copy) { try $0.endRows() } }
            state.withLock { $0.rows = .none }
        }
    }

    private func run(
        _ units: [ParallelSection.Unit], _ source: RowsSource?, _ state: borrowing Mutex<LoadState>
    ) async throws {
        guard !units.isEmpty else { return }
        let (session, weights) = state.withLock { ($0.session, $0.weights) }
        let done = try await run(units, source, session: session, weights: weights)
        state.withLock { state in
            state.report.statements += units.reduce(0) { $0 + $1.statements.count }
            state.report.warnings = (state.report.warnings + done.warnings).suffix(100)
            state.contents.merge(done.contents) { $1 }
        }
    }

    private func perform(_ statement: DumpStatement, _ state: borrowing Mutex<LoadState>) async throws {
        let text = statement.text(targetMajor: client.serverMajor)
        guard !text.isEmpty else {
            state.withLock { $0.report.leftOut.append(statement.excerpt) }
            return
        }
        if text.count != statement.text.count {
            state.withLock { $0.report.leftOut.append("MAINTAIN of \(statement.excerpt)") }
        }
        let outcome: StatementOutcome
        do {
            outcome = try await attempt(statement) { try $0.run(statement: text) }
        } catch let error as PostgresError where error.sqlState == "42501" {
            var isHarmless = statement.isHarmlessWithoutPermission
            if !isHarmless { isHarmless = try await client.isGrantOnForeignObject(statement) }
            guard isHarmless else { throw error }
            state.withLock { $0.report.leftOut.append(statement.excerpt) }
            return
        }
        switch (outcome, statement.isCopyFromInput) {
        case (.done, false): break
        case (.wantsRows, true):
            state.withLock { $0.rows = .flowing(statement) }
        default: throw PostgresError.oddCopy(statement)
        }
        state.withLock { $0.ran(statement) }
        if let name = statement.createdSchema { try await afterSchema(name) }
    }

    private func attempt<Value: Sendable>(
        _ statement: DumpStatement, _ body: @escaping @Sendable (Connection) throws -> Value
    ) async throws -> Value {
        try await Self.attempt(statement, on: client, body)
    }

    static func attempt<Value: Sendable>(
        _ statement: DumpStatement, on client: PostgresClient, _ body: @escaping @Sendable (Connection) throws -> Value
    ) async throws -> Value {
        do {
            return try await client.onConnection(body)
        } catch let failure as ServerFailure {
            throw PostgresError(failure, statement: statement, place: "\(client.settings)")
        }
    }
}

/// What a dump names before its first rows, of a snapshot that has no record.
///
/// Concurrency and memory: a value; reads 64 MiB at most.
public struct DumpBeginning: Sendable {
    private var lexer = DumpLexer()
    private var bytes = 0
    public private(set) var tablespaces: Set<String> = []
    /// Nothing more is looked for.
    public private(set) var isOver = false

    public init() {}

    public mutating func scan(_ chunk: [UInt8]) {
        guard !isOver else { return }
        bytes += chunk.count
        var found: Set<String> = []
        var sawRows = false
        do {
            try lexer.feed(chunk) { piece in
                guard case .statement(let statement) = piece else { return }
                if statement.isCopyFromInput { sawRows = true }
                let prefix = "SET default_tablespace = "
                guard statement.head.hasPrefix(prefix) else { return }
                let value = statement.head.dropFirst(prefix.count).prefix { $0 != ";" }.filter {
                    $0 != "'" && $0 != "\""
                }
                if !value.isEmpty { found.insert(value) }
            }
        } catch {
            // The load says what is wrong with the dump, with its line.
            isOver = true
        }
        tablespaces.formUnion(found)
        if sawRows || bytes > 64 << 20 { isOver = true }
    }
}

extension PostgresError {
    static func oddCopy(_ statement: DumpStatement) -> PostgresError {
        PostgresError(
            .restore, "line \(statement.line) of the dump copies rows in a way no dump does: \(statement.excerpt)")
    }

    static func incompleteDump(bytes: Int64) -> PostgresError {
        PostgresError(
            .restore, "the dump is incomplete: it has pg_dump's beginning but not its end (\(bytes) bytes)",
            hint: "the program that made it died while dumping; restore another snapshot")
    }
}

extension DumpStatement {
    /// Its first 1000 bytes as text.
    var head: String { String(decoding: text.prefix(1000), as: UTF8.self) }

    /// A managed server's extensions belong to its provider, and only an owner may comment on them. The schema `public` of a
    /// new database belongs to a role of the server's (`PrivilegeRecord.owners`): what the dump says of it and cannot be done is
    /// found when the privileges are compared.
    var isHarmlessWithoutPermission: Bool {
        guard let end = head.firstIndex(of: ";") else { return false }
        let line = head[..<end].filter { $0 != "\"" }
        return line.hasPrefix("COMMENT ON EXTENSION ") || line.hasPrefix("ALTER SCHEMA public OWNER TO ")
            || line.hasPrefix("COMMENT ON SCHEMA public ")
            || ((line.hasPrefix("GRANT ") || line.hasPrefix("REVOKE ")) && line.contains(" ON SCHEMA public "))
    }

    /// For messages, in one line.
    var excerpt: String {
        let head = String(decoding: text.prefix(300), as: UTF8.self)
        let line = head.split(whereSeparator: \.isNewline).joined(separator: " ").replacingControlCharacters
        return text.count > 300 ? line + " …" : line
    }

    /// The name in `CREATE SCHEMA name;`.
    var createdSchema: String? {
        let prefix = "CREATE SCHEMA "
        guard head.hasPrefix(prefix) else { return nil }
        var rest = head.dropFirst(prefix.count).drop { $0 == " " }
        if rest.hasPrefix("IF NOT EXISTS ") { rest = rest.dropFirst("IF NOT EXISTS ".count) }
        return SQLText.leadingIdentifier(rest)?.name
    }
}

extension PostgresError {
    /// A statement of a dump that failed.
    init(_ failure: ServerFailure, statement: DumpStatement, place: String) {
        var line = statement.line
        if let position = failure.position {
            let before = String(decoding: statement.text, as: UTF8.self).unicodeScalars.prefix(max(0, position - 1))
            line += before.count { $0 == "\n" }
        } else if statement.isCopyFromInput, let row = failure.context.flatMap(Self.copyLine) {
            line += row
        }
        var message = "restore into \(place) failed at line \(line) of the dump: ERROR: \(failure.message)"
        if let detail = failure.detail { message += "\ndetail: \(detail)" }
        message += "\nstatement: \(statement.excerpt)"
        if let state = failure.sqlState { message += "\nSQLSTATE: \(state)" }
        switch failure.sqlState {
        case nil, "57P01", "57P02", "57P03", "08006", "08003":
            self.init(
                .restore, message, hint: "the connection to the server was lost; trying again may help",
                sqlState: failure.sqlState, isTransient: true)
        case "53100":
            self.init(
                .restore, message,
                hint:
                    "the server has no room: enlarge its storage, drop kept old databases (restore --cleanup), or see "
                    + "--in-place", sqlState: failure.sqlState)
        case "53400", "53200", "53300":
            self.init(
                .restore, message, hint: "the server ran out of a resource; trying again later may help",
                sqlState: failure.sqlState, isTransient: true)
        case let state? where state.hasPrefix("XX") || state.hasPrefix("58"):
            self.init(
                .restore, message,
                hint: failure.hint ?? "the trouble is the server's own, not the dump's: look at its log and its disk",
                sqlState: state)
        default: self.init(.restore, message, hint: failure.hint, sqlState: failure.sqlState)
        }
    }

    /// `COPY items, line 3, column id: "x"` → 3.
    private static func copyLine(_ context: String) -> Int? {
        let marker = ", line "
        guard context.hasPrefix("COPY "),
            let start = context.indices.first(where: { context[$0...].hasPrefix(marker) })
        else { return nil }
        return Int(context[start...].dropFirst(marker.count).prefix { $0.isNumber && $0.isASCII })
    }
}
