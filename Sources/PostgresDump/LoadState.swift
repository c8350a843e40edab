/// Where a load is in its dump.
///
/// Concurrency and memory: a value; holds what `DumpLexer`, `ParallelSection` and `CopyDigester` hold, and the names of the
/// dump's tables.
struct LoadState {
    /// The rows that come now.
    enum Rows: Sendable, Hashable {
        case none
        /// The COPY is run when the first of them, or their end, is there.
        case waiting(DumpStatement)
        case flowing(DumpStatement)
        /// Left out of what is read: only their end comes.
        case passedOver(RowsArea)
        /// Of a table that is not wanted.
        case unwanted
    }

    var selection: TableSelection?
    var lexer = DumpLexer()
    var digester: CopyDigester?
    var report = DumpLoader.Report()
    var rows = Rows.none
    /// Of the last COPY.
    private(set) var header: CopyHeader?
    /// Bytes of rows by table, as `ParallelSection.Unit.tables` names them.
    private(set) var weights: [String: Int] = [:]
    var section = ParallelSection()
    var session = SessionSettings()
    /// Still among the settings and DROPs a dump starts with.
    var isInStart = true
    /// Tables whose rows were passed over and must be read before anything but rows.
    private(set) var units: [ParallelSection.Unit] = []
    /// By their index in the record: of what units have read.
    var contents: [Int: RowsDigest] = [:]

    private let unwanted: [SuperuserObject]
    private let gathersRows: Bool
    /// Tables of this load that hold rows themselves.
    private var created: Set<TableName> = []
    /// Tables whose rows go in when all before them are in, because a check may read those.
    private var inOrder: Set<TableName> = []
    private var domainsInOrder: [[UInt8]] = []

    /// - Parameter gathersRows: whether rows that are passed over become units.
    init(selection: TableSelection?, unwanted: [SuperuserObject], key: RowHashKey?, gathersRows: Bool) {
        (self.selection, self.unwanted, self.gathersRows) = (selection, unwanted, gathersRows)
        digester = key.map { CopyDigester(key: $0) }
    }

    private var weightKey: String {
        func text(_ name: [UInt8]?) -> String { String(decoding: name ?? [], as: UTF8.self) }
        return "\(text(header?.schema))\u{0}\(text(header?.table))"
    }

    // MARK: Rows

    /// - Parameter wanted: the COPY to run for this one of the dump; nil when its rows are not wanted.
    mutating func begin(copy statement: DumpStatement, as wanted: DumpStatement?) {
        header = CopyHeader(statement.text)
        rows = wanted.map { .waiting($0) } ?? .unwanted
    }

    /// The COPY to run before these rows.
    mutating func takeWaiting() -> DumpStatement? {
        guard case .waiting(let statement) = rows else { return nil }
        rows = .none
        return statement
    }

    /// - Returns: the COPY they belong to; nil when nobody wants them.
    /// - Throws: `PostgresError.Code.otherDump` for rows where an area's end should be.
    mutating func received(_ count: Int) throws -> DumpStatement? {
        if case .passedOver(let area) = rows { throw area.error }
        guard case .flowing(let copy) = rows else { return nil }
        weights[weightKey, default: 0] += count
        return copy
    }

    /// Whether the rows of an area, before which the reader stands now, are left to a unit or to nobody.
    ///
    /// - Throws: `PostgresError.Code.otherDump` when they do not begin here.
    mutating func passOver(_ area: RowsArea) throws -> Bool {
        guard lexer.isBeforeRows, let header, area.isOf(header),
            digester.map({ $0.tables.count == area.index }) ?? true
        else { throw area.error }
        switch rows {
        case .waiting(let statement) where gathersRows:
            guard !inOrder.contains(header.name) else { return false }
            var unit = ParallelSection.Unit(statements: [statement], tables: [weightKey], isExclusive: true)
            unit.rows = area
            unit.isOfLoad = created.contains(header.name)
            units.append(unit)
            weights[weightKey, default: 0] += area.range.count
        case .unwanted: break
        default: return false
        }
        rows = .passedOver(area)
        report.bytes += Int64(area.range.count)
        lexer.passOver(rows: area.rows)
        digester?.passOver(bytes: Int64(area.range.count))
        return true
    }

    /// The units to run before a statement, which are forgotten.
    mutating func units(before statement: DumpStatement) -> [ParallelSection.Unit] {
        if statement.isCopyFromInput {
            guard let name = CopyHeader(statement.text)?.name, inOrder.contains(name) else { return [] }
        }
        return takeUnits()
    }

    mutating func takeUnits() -> [ParallelSection.Unit] {
        defer { units = [] }
        return units
    }

    /// After a statement has been run.
    mutating func ran(_ statement: DumpStatement) {
        report.statements += 1
        session.take(statement)
        guard gathersRows else { return }
        if let domain = statement.domainThatCallsFunctions { domainsInOrder.append(domain) }
        guard let table = CreatedTable(statement) else { return }
        if !table.isPartitioned { created.insert(table.name) }
        if table.callsFunctions || (table.inherits && !inOrder.isEmpty)
            || domainsInOrder.contains(where: { statement.text.firstRange(of: $0) != nil })
        {
            inOrder.insert(table.name)
        }
    }

    /// The digests of all tables.
    ///
    /// - Throws: `PostgresError.Code.dump` when the dump ends among the rows of a table.
    func tables() throws -> [TableDigest]? {
        guard var tables = try digester?.finish() else { return nil }
        for (index, content) in contents where tables.indices.contains(index) { tables[index].content = content }
        return tables
    }

    // MARK: Statements

    mutating func selected(_ statement: DumpStatement, targetMajor: Int) throws -> [DumpStatement] {
        guard wants(statement, targetMajor: targetMajor) else { return [] }
        let statement = statement.actingAsRole
        return try selection?.take(statement) ?? [statement]
    }

    private mutating func wants(_ statement: DumpStatement, targetMajor: Int) -> Bool {
        let text = statement.head
        if text.hasPrefix("SET ") {
            let name = text.dropFirst(4).prefix { $0 != " " && $0 != "=" }
            guard let since = DumpLoader.knownSettings[String(name)], since > targetMajor else { return true }
            report.leftOut.append(text)
            return false
        }
        if let object = unwanted.first(where: statement.concerns) {
            if !report.leftOutObjects.contains(object) { report.leftOutObjects.append(object) }
            return false
        }
        guard isInStart else { return true }
        if isDrop(text) {
            report.leftOutDrops += 1
            return false
        }
        if !text.hasPrefix("SELECT pg_catalog.set_config(") { isInStart = false }
        return true
    }

    /// A statement of the section `--clean` puts first. The schema `public` is there in a fresh database, and the dump makes
    /// it again when it drops it, so that one stays.
    private func isDrop(_ text: String) -> Bool {
        let schema = text.hasPrefix("DROP SCHEMA IF EXISTS ") ? "DROP SCHEMA IF EXISTS " : "DROP SCHEMA "
        guard ![schema + "public;", schema + "\"public\";"].contains(text) else { return false }
        return text.hasPrefix("DROP ") || (text.hasPrefix("ALTER ") && text.contains(" DROP "))
    }
}
