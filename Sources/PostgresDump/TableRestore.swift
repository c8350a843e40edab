import Synchronization

/// Takes one table out of a dump: what makes it, its sequences, defaults, rows, constraints, indexes and comments, under
/// another schema.
///
/// Foreign keys, triggers, rules, policies and grants stay out: they would tie the table to the live ones.
///
/// Names are told by their quotes, so the dump must be one with every identifier quoted (`--quote-all-identifiers`).
///
/// Concurrency and memory: a value; holds the statements of the dump's sequences until it knows whose they are.
struct TableSelection: Sendable {
    let schema: String
    let table: String
    /// Where the table goes.
    let target: String

    private var sequences: [String: [DumpStatement]] = [:]
    private var owned: Set<String> = []
    private var isInStart = true
    private(set) var isFound = false
    private(set) var leftOut = TableLeftOut()

    init(schema: String, table: String, target: String) {
        self.schema = schema
        self.table = table
        self.target = target
    }

    private var name: String { "\(SQLText.identifier(schema)).\(SQLText.identifier(table))" }

    /// The statements to run now, rewritten; often none.
    ///
    /// - Throws: `PostgresError.Code.restore` for a table that cannot stand alone.
    mutating func take(_ statement: DumpStatement) throws -> [DumpStatement] {
        let text = statement.head
        if text.hasPrefix("SET ") || (isInStart && text.hasPrefix("SELECT pg_catalog.set_config(")) {
            return [statement]
        }
        isInStart = false
        let type = statement.entry?.type ?? ""
        if statement.isCopyFromInput {
            return text.hasPrefix("COPY \(name) (") || text.hasPrefix("COPY \(name) FROM") ? [rewritten(statement)] : []
        }
        switch type {
        case "TABLE" where statement.entry?.name == table && statement.entry?.schema == schema:
            try checkStandsAlone(statement)
            isFound = true
            return [rewritten(statement)]
        case "SEQUENCE": return takeSequence(statement, text)
        case "SEQUENCE OWNED BY" where text.contains(" OWNED BY \(name)."):
            guard let sequence = statement.entry?.name else { return [] }
            owned.insert(sequence)
            return ((sequences.removeValue(forKey: sequence) ?? []) + [statement]).map(rewritten)
        case "SEQUENCE SET":
            guard let sequence = statement.entry?.name, statement.entry?.schema == schema, owned.contains(sequence)
            else {
                return []
            }
            return [rewritten(statement)]
        case "DEFAULT" where text.hasPrefix("ALTER TABLE ONLY \(name) "),
            "CONSTRAINT" where text.hasPrefix("ALTER TABLE ONLY \(name)\n"),
            "CHECK CONSTRAINT" where text.hasPrefix("ALTER TABLE \(name)\n"),
            "INDEX" where text.contains(" ON \(name) "),
            "COMMENT"
        where text.hasPrefix("COMMENT ON TABLE \(name) IS ") || text.hasPrefix("COMMENT ON COLUMN \(name)."):
            return [rewritten(statement)]
        default:
            if text.contains(name) { leftOut.add(statement) }
            return []
        }
    }

    private mutating func takeSequence(_ statement: DumpStatement, _ text: String) -> [DumpStatement] {
        guard let sequence = statement.entry?.name, statement.entry?.schema == schema else { return [] }
        // A column that is an identity makes its sequence itself.
        if text.hasPrefix("ALTER TABLE \(name) ALTER COLUMN ") {
            owned.insert(sequence)
            return [rewritten(statement)]
        }
        if owned.contains(sequence) { return [rewritten(statement)] }
        sequences[sequence, default: []].append(statement)
        return []
    }

    private func checkStandsAlone(_ statement: DumpStatement) throws {
        let text = String(decoding: statement.text, as: UTF8.self)
        guard text.hasPrefix("CREATE ") else { return }
        guard !text.contains("\nPARTITION BY ") else {
            throw PostgresError(
                .restore, "table \(name) is partitioned and holds no rows itself",
                hint: "name one of its partitions with --table")
        }
        guard !text.contains("\nINHERITS (") else {
            throw PostgresError(
                .restore, "table \(name) inherits from another, whose live table would show the restored rows",
                hint: "restore the whole database under another name (--dbname) and copy from there")
        }
    }

    private func rewritten(_ statement: DumpStatement) -> DumpStatement {
        var statement = statement
        for object in [table] + owned {
            let old = "\(SQLText.identifier(schema)).\(SQLText.identifier(object))"
            let new = "\(SQLText.identifier(target)).\(SQLText.identifier(object))"
            statement.text = statement.text.replacing(Array(old.utf8), with: Array(new.utf8))
        }
        return statement
    }
}

/// What of a table's own a restore of that table alone leaves out.
///
/// Concurrency and memory: a value; names of at most `limit` objects.
public struct TableLeftOut: Sendable, Hashable {
    public static let limit = 100

    /// `foreign keys`, `triggers`, `policies`, `grants`, …, with their number.
    public private(set) var kinds: [String: Int] = [:]
    /// `foreign keys: items items_owner_fkey`, in the order of the dump.
    public private(set) var names: [String] = []

    private static let kindOfType = [
        "FK CONSTRAINT": "foreign keys", "TRIGGER": "triggers", "POLICY": "policies", "ROW SECURITY": "row security",
        "ACL": "grants", "RULE": "rules", "VIEW": "views", "MATERIALIZED VIEW": "views", "STATISTICS": "statistics",
        "PUBLICATION TABLE": "publications", "INDEX ATTACH": "partition indexes", "TABLE ATTACH": "partitions",
        "FUNCTION": "functions", "PROCEDURE": "functions",
    ]

    mutating func add(_ statement: DumpStatement) {
        let type = statement.entry?.type ?? ""
        let kind = Self.kindOfType[type] ?? (type.isEmpty ? "statements" : type.lowercased())
        kinds[kind, default: 0] += 1
        guard names.count < Self.limit, let entry = statement.entry else { return }
        let text = "\(kind): \(entry.name)"
        if names.last != text { names.append(text) }
    }

    /// `2 foreign keys, 1 triggers`; empty for nothing.
    public var summary: String {
        kinds.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
    }
}

extension [UInt8] {
    func replacing(_ old: [UInt8], with new: [UInt8]) -> [UInt8] {
        guard let first = old.first, count >= old.count else { return self }
        var result: [UInt8] = []
        var position = 0
        while position < count {
            if self[position] == first, position + old.count <= count,
                self[position..<(position + old.count)].elementsEqual(old)
            {
                result += new
                position += old.count
            } else {
                result.append(self[position])
                position += 1
            }
        }
        return result
    }
}

/// Puts one table of a dump into a schema of its own in a database, in one transaction: all of it or nothing. Rows of other large
/// tables are not read, when the record says where they lie.
public struct TableRestore: Sendable {
    public let table: TableDigest
    public let tables: TableDigests
    /// The schema that is made.
    public let schema: String
    /// Of the table, and so of the schema; nil for the administrator.
    public let owner: String?
    /// As `DumpLoader.largeTable`: other tables with so many bytes of rows are not read.
    var largeTable = DumpLoader.largeTableDefault

    public init(table: TableDigest, tables: TableDigests, schema: String, owner: String?) {
        self.table = table
        self.tables = tables
        self.schema = schema
        self.owner = owner
    }

    /// What `perform` would do, from the dump alone: nothing is asked of a server. Rows of large tables are not read.
    ///
    /// - Throws: `PostgresError.Code.restore` for a table that cannot stand alone or that the dump does not make; `.otherDump`
    ///   when rows do not lie where the record says; what `file` throws.
    public func plan(_ file: DumpFile) async throws -> (statements: Int, leftOut: TableLeftOut) {
        let selection = TableSelection(schema: table.schema, table: table.table, target: schema)
        let state = Mutex(
            (
                statements: 0,
                load: LoadState(selection: selection, unwanted: [], key: nil, gathersRows: false)
            ))
        let areas = try tables.areas(ofAtLeast: largeTable, in: file.length)
        try await file.read(areas, passingOver: { area in try state.withLock { try $0.load.passOver(area) } }) {
            chunk in
            try state.withLock { state in
                var pieces: [DumpLexer.Piece] = []
                try state.load.lexer.feed(chunk) { pieces.append($0) }
                for piece in pieces {
                    switch piece {
                    case .statement(let statement):
                        if statement.isCopyFromInput { state.load.begin(copy: statement, as: nil) }
                        state.statements +=
                            try state.load.selection?.take(statement).count { statement in
                                !["SET ", "SELECT pg_catalog.set_config("].contains(where: statement.head.hasPrefix)
                            } ?? 0
                    case .rows(let bytes): _ = try state.load.received(bytes.count)
                    case .endOfRows: state.load.rows = .none
                    }
                }
            }
        }
        return try state.withLock { state in
            guard let selection = state.load.selection, selection.isFound else { throw notThere }
            return (state.statements, selection.leftOut)
        }
    }

    private var notThere: PostgresError {
        PostgresError(.restore, "the dump does not make table \(table.qualifiedName)")
    }

    /// The administrator joins the roles it must hand over to in the same transaction and leaves them at its end: nobody else ever sees
    /// it as their member, and a process that dies leaves nothing of it. While it lasts, others who grant or revoke these roles wait.
    ///
    /// - Parameter roles: whose objects are made, and the database's owner; those that are not there are left aside.
    /// - Returns: what was left out.
    /// - Throws: `PostgresError`; what `file` throws. Rows that are not those of the backup come back as differences.
    public func perform(
        on client: PostgresClient, joining roles: [String], _ file: DumpFile
    ) async throws -> (leftOut: TableLeftOut, differences: [TableDifference]) {
        try await client.query("BEGIN")
        let server = try await TargetServer(client)
        let present = try await server.roleNames()
        let joined = try await server.unjoined(roles.filter(present.contains))
        try await server.join(joined)
        let authorization = owner.map { " AUTHORIZATION \(SQLText.identifier($0))" } ?? ""
        try await client.query("CREATE SCHEMA \(SQLText.identifier(schema))\(authorization)")
        var loader = DumpLoader(client)
        loader.selection = TableSelection(schema: table.schema, table: table.table, target: schema)
        loader.largeTable = largeTable
        let report = try await loader.load(file, recorded: tables)
        guard report.foundTable else { throw notThere }
        var moved = table
        moved.schema = schema
        let only = TableDigests(key: tables.key, settings: tables.settings, tables: [moved])
        let differences = try await only.differences(in: client)
        guard differences.isEmpty else {
            try await client.query("ROLLBACK")
            return (report.leftOutOfTable, differences)
        }
        try await server.leave(joined)
        try await client.query("COMMIT")
        return (report.leftOutOfTable, differences)
    }
}
