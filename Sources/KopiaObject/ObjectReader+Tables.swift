public import KopiaContent

/// Reading tables. An `ObjectReader` of a table has its text as bytes.
extension ObjectReader {
    /// Text of a table that has to be held as a whole.
    private static let tableLengthMax = 64 << 20
    /// Bytes of text fetched together.
    private static let batchLength = 1 << 20
    /// Bytes of text whose pieces are held.
    private static let blockLength = 64 << 10

    /// Pieces that get room before they are there.
    private static let expectedCountMax = 2 << 20

    private struct OtherForm: Error {}

    /// The table that this object holds.
    ///
    /// - Parameter id: the object that the table belongs to.
    func readTable(of id: ObjectID) async throws -> PieceTable {
        var text = PieceTable.TextReader()
        var table = PieceTable()
        do {
            try await forEachChunk(batchLength: Self.batchLength) { chunk in
                let isFirst = table.isEmpty
                if !text.add(chunk, { _ = table.append($0, length: $1) }) { throw OtherForm() }
                if isFirst { table.reserve(expectedCount(table.count, in: chunk.count)) }
            }
            if text.isDone { return table }
        } catch is OtherForm {
            // The slow road knows JSON, and what is wrong.
        }
        return try PieceTable(text: try await readAll(limit: Self.tableLengthMax), of: id)
    }

    /// Pieces of the whole text, by its beginning; what a text only claims to be long gets no more than 52 MB.
    private func expectedCount(_ count: Int, in textLength: Int) -> Int {
        let expected = Double(count) / Double(max(1, textLength)) * Double(length) + 16
        return Int(min(expected, Double(Self.expectedCountMax)))
    }

    /// Calls `body` with the ID of every content of an object, those of its tables first: for looking after all of them when
    /// the bytes do not matter. A content may come several times.
    ///
    /// Concurrency and memory: no table is held but those of tables; the text passes as when a table is read.
    ///
    /// - Throws: as `open`; whatever `body` throws.
    public static func forEachContent(
        of id: ObjectID, in contents: any ContentStore, _ body: (ContentID) async throws -> Void
    ) async throws {
        guard let tableObject = id.table else { return try await body(id.content) }
        let reader = try await open(tableObject, in: contents)
        for id in reader.tableContentIDs { try await body(id) }
        for id in reader.contentIDs { try await body(id) }
        var text = PieceTable.TextReader()
        do {
            try await reader.forEachChunk(batchLength: batchLength) { chunk in
                for start in stride(from: 0, to: chunk.count, by: blockLength) {
                    var pieces: [ContentID] = []
                    let block = Array(chunk[start..<min(chunk.count, start + blockLength)])
                    guard text.add(block, { object, _ in pieces.append(object.content) }) else { throw OtherForm() }
                    for id in pieces { try await body(id) }
                }
            }
            if text.isDone { return }
        } catch is OtherForm {}
        let table = try PieceTable(text: try await reader.readAll(limit: tableLengthMax), of: id)
        for index in 0..<table.count { try await body(table[index].object.content) }
    }
}
