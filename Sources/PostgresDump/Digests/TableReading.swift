/// One statement of a comparison: the rows of a table, or those in a range of its blocks.
///
/// Digests of ranges add up to that of the table, because a digest is a sum over the rows in any order. The ranges of a
/// table meet and leave nothing out: the first begins at block 0, the last is open.
///
/// They are read by several statements, so the table must not change meanwhile. No snapshot is shared for that: the digest is
/// compared with the record, and whoever writes to a database that is restored makes a difference in any case, whether
/// one statement reads the table or many. An UPDATE that changes no value, or a VACUUM FULL, may move rows between ranges: also a
/// difference then, and nothing is put in place. A transaction for the snapshot would hold a lock on every table to its end, and
/// could not pass over a table that is missing.
///
/// Source: PostgreSQL 14, `src/backend/executor/nodeTidrangescan.c`, the scan that reads only the blocks in question.
struct TableReading: Sendable, Hashable {
    /// Blocks of the main fork; `end` nil for what is behind, too.
    struct Blocks: Sendable, Hashable {
        var start: Int64
        var end: Int64?
    }

    /// The first major that scans ranges of ctid.
    static let rangesSince = 14
    /// A table with fewer bytes of rows, as recorded, is never split.
    static let splitFrom: Int64 = 64 << 20
    /// Ranges for each connection, if all of the database were one table: what one connection has left to read when the
    /// others are done is at most such a share.
    static let rangesForEach: Int64 = 16

    /// Where the table is among those that are compared.
    var position: Int
    /// Nil for all of it.
    var blocks: Blocks?
    /// Of the rows, as recorded; an even share of them for a range.
    var bytes: Int64

    /// What is to be read, the largest first: at most `rangesForEach` readings for each connection, and one for each table.
    ///
    /// - Parameters:
    ///   - tables: bytes of rows, and how many blocks the table has, nil for what has to be read as a whole.
    ///   - splitFrom: bytes.
    static func all(
        _ tables: [(bytes: Int64, blocks: Int64?)], connections: Int, splitFrom: Int64 = TableReading.splitFrom
    ) -> [TableReading] {
        let total = tables.reduce(Int64(0)) { sum, table in
            let (next, isOver) = sum.addingReportingOverflow(max(0, table.bytes))
            return isOver ? .max : next
        }
        let share = max(total / (rangesForEach * Int64(max(1, connections))), splitFrom / 2, 1)
        var readings: [TableReading] = []
        for (position, table) in tables.enumerated() {
            let count = min(table.blocks ?? 1, table.bytes / share)
            guard connections > 1, table.bytes >= splitFrom, count > 1, let blocks = table.blocks else {
                readings.append(TableReading(position: position, bytes: table.bytes))
                continue
            }
            func start(_ number: Int64) -> Int64 { blocks / count * number + blocks % count * number / count }
            for number in 0..<count {
                readings.append(
                    TableReading(
                        position: position,
                        blocks: Blocks(start: start(number), end: number + 1 < count ? start(number + 1) : nil),
                        bytes: table.bytes / count))
            }
        }
        return readings.enumerated().sorted { ($1.element.bytes, $0.offset) < ($0.element.bytes, $1.offset) }
            .map(\.element)
    }
}

extension TableReading.Blocks {
    /// What stands behind `TableDigest.rangeStatement`.
    var condition: String {
        "ctid >= '(\(start),0)'\(end.map { " AND ctid < '(\($0),0)'" } ?? "")) TO STDOUT"
    }
}

extension TableDigest {
    /// The statement whose rows are some of those of `copyStatement`, with the same text, up to the condition. Without
    /// ONLY, tables that inherit would be read too.
    var rangeStatement: String {
        "COPY (SELECT \(columns.map(SQLText.identifier).joined(separator: ", ")) FROM ONLY \(qualifiedName) WHERE "
    }
}

extension PostgresClient {
    /// Blocks of every table that can be read by ranges of them, by schema and name. Tables of other access methods know no
    /// blocks, partitioned and foreign ones have none.
    func blocksOfTables() async throws -> [[String]: Int64] {
        guard serverMajor >= TableReading.rangesSince else { return [:] }
        var blocks: [[String]: Int64] = [:]
        for row in try await query(
            """
            SELECT n.nspname AS schema, c.relname AS name,
                   pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::pg_catalog.int8 AS blocks
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_catalog.pg_am a ON a.oid = c.relam
            WHERE c.relkind = 'r' AND a.amname = 'heap' AND c.relpersistence <> 't'
            """
        ).rows {
            blocks[[try row.required("schema"), try row.required("name")]] = row.text("blocks").flatMap { Int64($0) }
        }
        return blocks
    }

    /// What a comparison needs of its session: the dump's settings, all rows or an error, and, whatever role or database
    /// have set, ranges of blocks that are read without the rest of the table.
    func prepare(for settings: CopyTextSettings, withRanges: Bool) async throws {
        try await liftTimeLimits()
        let scans = withRanges ? ["SET enable_tidscan = on", "SET enable_seqscan = off"] : []
        try await query((settings.statements + ["SET row_security = off"] + scans).joined(separator: "; "))
    }
}
