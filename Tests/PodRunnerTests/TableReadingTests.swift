import Testing

@testable import PostgresDump

@Suite struct TableReadingTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        /// MiB and blocks.
        let tables: [(Int64, Int64?)]
        var connections = 2
        /// Table, first block, last block, MiB.
        let readings: String
        var testDescription: String { id }
    }

    static let cases: [Case] = [
        Case(id: "nothing", tables: [], readings: ""),
        Case(
            id: "the largest first, equal ones as they come", tables: [(1, 9), (3, 9), (1, 9)], readings: "1:3 0:1 2:1"),
        Case(id: "small ones whole", tables: [(63, 9000), (1, 1)], readings: "0:63 1:1"),
        Case(id: "halves", tables: [(64, 8001)], readings: "0[0-4000]:32 0[4000-]:32"),
        Case(id: "one connection", tables: [(640, 8001)], connections: 1, readings: "0:640"),
        Case(id: "no blocks known", tables: [(640, nil), (64, 8)], readings: "0:640 1[0-4]:32 1[4-]:32"),
        Case(
            id: "fewer blocks than shares", tables: [(640, 3)], readings: "0[0-1]:213 0[1-2]:213 0[2-]:213"),
        Case(id: "one block", tables: [(640, 1), (640, 0)], readings: "0:640 1:640"),
        Case(
            id: "no larger than a share of all", tables: [(70, 9000), (20000, nil)], connections: 4,
            readings: "1:20000 0:70"),
        Case(
            id: "one larger than the others", tables: [(300, 3000), (1000, 32000)],
            readings: ranges(of: 0, 7, 3000, 42) + " " + ranges(of: 1, 24, 32000, 41)),
    ]

    private static func ranges(of table: Int, _ count: Int, _ blocks: Int, _ size: Int) -> String {
        let starts = (0..<count).map { "\($0 * blocks / count)" } + [""]
        return zip(starts, starts.dropFirst()).map { "\(table)[\($0)-\($1)]:\(size)" }.joined(separator: " ")
    }

    private static func text(_ reading: TableReading) -> String {
        let blocks = reading.blocks.map { "[\($0.start)-\($0.end.map { "\($0)" } ?? "")]" } ?? ""
        return "\(reading.position)\(blocks):\(reading.bytes >> 20)"
    }

    @Test(arguments: cases)
    func whatIsReadAndInWhichOrder(_ item: Case) {
        let readings = TableReading.all(
            item.tables.map { ($0.0 << 20, $0.1) }, connections: item.connections)
        #expect(readings.map(Self.text).joined(separator: " ") == item.readings)
    }

    /// Of any size, also of sizes that no server has.
    @Test(arguments: [
        (Int64(1) << 26, Int64(2), 2), (1 << 30, 7919, 3), (1 << 40, 134_217_728, 32), (.max, .max, 32), (.max, 5, 8),
    ])
    func rangesMeetAndAreFew(_ bytes: Int64, _ blocks: Int64, _ connections: Int) throws {
        let readings = TableReading.all([(bytes, blocks), (bytes, nil)], connections: connections)
        let ranges = readings.filter { $0.position == 0 }.compactMap(\.blocks).sorted { $0.start < $1.start }
        #expect(ranges.first?.start == 0)
        #expect(ranges.last?.end == nil)
        for (range, next) in zip(ranges, ranges.dropFirst()) {
            #expect(range.end == next.start)
            #expect(range.start < next.start)
        }
        #expect((2...16 * connections).contains(ranges.count))
    }

    @Test func aRangeIsReadWithoutTablesThatInherit() {
        let table = TableDigest(schema: "s\"", table: "t", columns: ["a", "B c"], content: RowsDigest())
        #expect(
            table.rangeStatement + TableReading.Blocks(start: 7, end: 9).condition
                == "COPY (SELECT \"a\", \"B c\" FROM ONLY \"s\"\"\".\"t\" WHERE ctid >= '(7,0)' AND ctid < '(9,0)') TO STDOUT"
        )
        #expect(TableReading.Blocks(start: 9, end: nil).condition == "ctid >= '(9,0)') TO STDOUT")
    }

    @Test func digestsOfPartsAddUp() throws {
        let key = try #require(RowHashKey(Array(0..<16)))
        let rows = (0..<100).map { Array("\($0)\tx".utf8) }
        var (whole, even, odd) = (RowsDigest(), RowsDigest(), RowsDigest())
        for (number, row) in rows.enumerated() {
            whole.add(row: row, key: key)
            if number % 2 == 0 { even.add(row: row, key: key) } else { odd.add(row: row, key: key) }
        }
        #expect(odd.adding(even) == whole)
        #expect(whole.adding(RowsDigest()) == whole)
        #expect(even.adding(even) != whole)
    }
}
