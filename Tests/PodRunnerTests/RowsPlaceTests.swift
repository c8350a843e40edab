import GoFormats
import Testing

@testable import PostgresDump

/// Where in a dump the rows of a table lie.
extension CopyDigesterTests {
    static func digests(of dump: [UInt8], pieces: Int = .max) throws -> TableDigests {
        let key = try #require(key)
        var digester = CopyDigester(key: key)
        var position = 0
        while position < dump.count {
            let end = position + min(pieces, dump.count - position)
            try digester.scan(Array(dump[position..<end]))
            position = end
        }
        return TableDigests(
            key: key, settings: CopyTextSettings(encoding: "UTF8", monetaryLocale: "C"), tables: try digester.finish())
    }

    @Test(arguments: cases, [Int.max, 1, 2, 3, 5, 17])
    func everyTableSaysWhereItsRowsLie(_ item: Case, _ pieces: Int) throws {
        let dump = Array(item.dump.utf8)
        let found = try Self.digests(of: dump, pieces: pieces)
        let texts = try found.tables.map { table in
            let start = Int(try #require(table.at))
            return String(decoding: dump[start..<(start + Int(table.bytes) + 3)], as: UTF8.self)
        }
        #expect(texts == item.tables.map { $0.rows.map { "\($0)\n" }.joined() + "\\.\n" })
    }

    @Test func bytesOfOtherEncodingsAndCarriageReturnsCountAsTheyAre() throws {
        let rows = Array("a\r\n".utf8) + [0xe4, 0x0a] + Array("\\r\n".utf8)
        let dump = Array("SELECT 1;\nCOPY t (a) FROM stdin;\n".utf8) + rows + Array("\\.\n".utf8)
        let table = try #require(try Self.digests(of: dump, pieces: 3).tables.first)
        let start = Int(try #require(table.at))
        #expect(Array(dump[start..<(start + Int(table.bytes))]) == rows)
    }

    /// A record of before has no place of rows, and one more member in it changes no comparison.
    @Test func thePlaceIsKeptAndDoesNotCount() throws {
        let table = TableDigest(schema: "s", table: "t", columns: [], content: RowsDigest(), at: 1 << 60)
        let elsewhere = TableDigest(schema: "s", table: "t", columns: [], content: RowsDigest())
        #expect(table == elsewhere && table.hashValue == elsewhere.hashValue)
        for each in [table, elsewhere] {
            let read = try #require(TableDigest(json: try JSONParser.parse(GoJSON.text(each.json))))
            #expect(read.at == each.at)
        }
        #expect(elsewhere.json["at"] == nil)
    }
}
