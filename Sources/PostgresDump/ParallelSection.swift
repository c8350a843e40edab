/// Gathers neighbouring statements of a dump that may run at the same time over several connections: what builds indexes
/// and constraints, which is most of the work behind the rows.
///
/// | statements | run |
/// |---|---|
/// | `INDEX`, `CONSTRAINT` (primary keys, unique, exclusion) | together with each other |
/// | `FK CONSTRAINT` | together with each other, after those before them |
/// | what belongs to an index or constraint: CLUSTER, REPLICA IDENTITY, COMMENT | after it, on its connection |
/// | everything else, `INDEX ATTACH` and foreign keys of partitioned tables too | alone, after all before it |
///
/// Two that need one table for themselves never run together; an index leaves its table to other indexes.
///
/// Concurrency and memory: a value; holds at most `limit` statements of at most `statementLimit` bytes.
///
/// Source: PostgreSQL documentation, "Explicit Locking"; `src/bin/pg_dump/pg_backup_archiver.c`,
/// `identify_locking_dependencies`; `src/bin/pg_dump/pg_dump.c`, `dumpIndex`, `dumpConstraint`.
struct ParallelSection: Sendable {
    /// One object and what belongs to it, run in order on one connection.
    struct Unit: Sendable, Hashable {
        var statements: [DumpStatement]
        /// `schema`, NUL, `table`.
        var tables: Set<String>
        /// Nothing else may work on these tables meanwhile.
        var isExclusive: Bool
        /// What the one statement, a COPY, copies.
        var rows: RowsArea?
        /// Whether this load has made the table of the COPY.
        var isOfLoad = false

        func conflicts(with other: Unit) -> Bool {
            (isExclusive || other.isExclusive) && !tables.isDisjoint(with: other.tables)
        }
    }

    enum Phase: Sendable, Hashable {
        case indexes, foreignKeys
    }

    static let limit = 2048
    static let statementLimit = 64 << 10

    private var units: [Unit] = []
    private var phase = Phase.indexes
    private var count = 0

    /// - Returns: whether the statement was taken in; if so, or if not, the units that have to be run before anything else.
    mutating func take(_ statement: DumpStatement) -> (isTaken: Bool, ready: [Unit]) {
        if belongsToLast(statement) {
            units[units.count - 1].statements.append(statement)
            if !statement.head.hasPrefix("COMMENT ") { units[units.count - 1].isExclusive = true }
            count += 1
            return (true, [])
        }
        guard statement.text.count <= Self.statementLimit, let work = statement.parallelWork else {
            return (false, finish())
        }
        var ready: [Unit] = []
        if work.phase != phase || count >= Self.limit { ready = finish() }
        phase = work.phase
        units.append(work.unit)
        count += 1
        return (true, ready)
    }

    /// The units gathered so far, which are forgotten.
    mutating func finish() -> [Unit] {
        defer { (units, count) = ([], 0) }
        return units
    }

    private func belongsToLast(_ statement: DumpStatement) -> Bool {
        guard count < 2 * Self.limit, statement.text.count <= Self.statementLimit,
            let entry = statement.entry, let last = units.last?.statements.first?.entry
        else { return false }
        if entry == last { return statement.head.hasPrefix("ALTER ") && statement.parallelWork == nil }
        guard entry.type == "COMMENT", entry.schema == last.schema else { return false }
        // The comment's entry has the names quoted where the statement has them so.
        let name = entry.name.filter { $0 != "\"" }
        let object = last.name.filter { $0 != "\"" }
        if last.type == "INDEX" { return name == "INDEX \(object)" }
        // `CONSTRAINT items_pkey ON items`, of the entry `items items_pkey`.
        guard name.hasPrefix("CONSTRAINT "), let on = name.lastRange(of: " ON ") else { return false }
        return object == "\(name[on.upperBound...]) \(name[..<on.lowerBound].dropFirst("CONSTRAINT ".count))"
    }
}

extension DumpStatement {
    /// Nil for whatever must run alone.
    var parallelWork: (phase: ParallelSection.Phase, unit: ParallelSection.Unit)? {
        switch entry?.type {
        case "INDEX":
            guard let table = indexedTable else { return nil }
            return (.indexes, ParallelSection.Unit(statements: [self], tables: [table], isExclusive: false))
        case "CONSTRAINT":
            guard let (table, definition) = constraint,
                ["PRIMARY KEY ", "UNIQUE ", "EXCLUDE "].contains(where: definition.hasPrefix)
            else { return nil }
            return (.indexes, ParallelSection.Unit(statements: [self], tables: [table], isExclusive: true))
        case "FK CONSTRAINT":
            guard let (table, definition) = constraint, let other = Self.referencedTable(definition) else { return nil }
            return (.foreignKeys, ParallelSection.Unit(statements: [self], tables: [table, other], isExclusive: true))
        default: return nil
        }
    }

    /// Of `CREATE INDEX name ON ONLY schema.table USING …`.
    private var indexedTable: String? {
        let text = head
        guard let create = ["CREATE INDEX ", "CREATE UNIQUE INDEX "].first(where: text.hasPrefix),
            let (_, rest) = SQLText.leadingIdentifier(text.dropFirst(create.count)), rest.hasPrefix(" ON ")
        else { return nil }
        var table = rest.dropFirst(4)
        if table.hasPrefix("ONLY ") { table = table.dropFirst(5) }
        return Self.qualifiedName(table)?.name
    }

    /// Of `ALTER TABLE ONLY schema.table ADD CONSTRAINT name definition`. Without ONLY it goes down to partitions.
    private var constraint: (table: String, definition: Substring)? {
        let text = head
        let (alter, add) = ("ALTER TABLE ONLY ", "\n    ADD CONSTRAINT ")
        guard text.hasPrefix(alter), let (table, rest) = Self.qualifiedName(text.dropFirst(alter.count)),
            rest.hasPrefix(add), let (_, definition) = SQLText.leadingIdentifier(rest.dropFirst(add.count))
        else { return nil }
        return (table, definition.drop { $0 == " " })
    }

    /// Of `FOREIGN KEY (a, b) REFERENCES schema.table(…)`.
    private static func referencedTable(_ definition: Substring) -> String? {
        guard definition.hasPrefix("FOREIGN KEY (") else { return nil }
        var rest = definition.dropFirst("FOREIGN KEY (".count)
        while let (_, next) = SQLText.leadingIdentifier(rest) {
            if next.hasPrefix(") REFERENCES ") { return qualifiedName(next.dropFirst(") REFERENCES ".count))?.name }
            guard next.hasPrefix(", ") else { return nil }
            rest = next.dropFirst(2)
        }
        return nil
    }

    private static func qualifiedName(_ text: Substring) -> (name: String, rest: Substring)? {
        guard let (first, rest) = SQLText.leadingIdentifier(text) else { return nil }
        guard rest.hasPrefix("."), let (second, behind) = SQLText.leadingIdentifier(rest.dropFirst()) else {
            return ("\u{0}\(first)", rest)
        }
        return ("\(first)\u{0}\(second)", behind)
    }
}
