import KopiaContent
import Synchronization
import TestSupport
import Testing

@testable import KopiaObject

private let x = UInt8(ascii: "x")

/// Names contents by their number and forgets them: only how much comes, and when, is looked at.
private final class CountingContentStore: ContentStore {
    private let state = Mutex((count: 0, bytes: 0, longest: 0))

    var count: Int { state.withLock { $0.count } }
    var bytes: Int { state.withLock { $0.bytes } }
    var longest: Int { state.withLock { $0.longest } }

    let defaultSplitter = "DYNAMIC-4M-BUZHASH"
    let supportsContentCompression = true
    var statistics: ContentStatistics { get async { ContentStatistics() } }

    @concurrent
    func write(_ plaintext: [UInt8], prefix: UInt8, compression: UInt32) async throws -> ContentID {
        let number = state.withLock { state in
            state = (state.count + 1, state.bytes + plaintext.count, max(state.longest, plaintext.count))
            return state.count
        }
        return contentID(number, prefix: prefix)
    }

    func read(_ id: ContentID) async throws -> [UInt8] { throw ContentError(.notFound, content: id, "forgotten") }
    func info(_ id: ContentID) async throws -> ContentInfo? { nil }
    func list(prefix: UInt8) async throws -> [ContentInfo] { [] }
    func flush() async throws {}
    func refresh() async throws {}
}

private func contentID(_ number: Int, prefix: UInt8 = 0) -> ContentID {
    ContentID(prefix: prefix, hash: (0..<16).map { UInt8(truncatingIfNeeded: (number &* 0x9E37_79B9) >> ($0 * 3)) })
}

/// The text of a table as one string, by another hand than the writer's.
private func text(of pieces: [(object: ObjectID, length: Int)]) -> [UInt8] {
    var start = 0
    var entries: [String] = []
    for piece in pieces {
        let members = [
            start == 0 ? nil : "\"s\":\(start)", piece.length == 0 ? nil : "\"l\":\(piece.length)",
            "\"o\":\"\(piece.object)\"",
        ]
        entries.append("{" + members.compactMap(\.self).joined(separator: ",") + "}")
        start += piece.length
    }
    return Array((#"{"stream":"kopia:indirect","entries":["# + entries.joined(separator: ",") + "]}\n").utf8)
}

struct TableWriterTests {
    struct Table: Sendable, CustomTestStringConvertible {
        let id: String
        let pieces: Int
        let splitter: String
        /// Of the whole object.
        let indirection: Int
        let textContents: ClosedRange<Int>
        var testDescription: String { id }
    }

    static let tables = [
        Table(id: "one piece", pieces: 1, splitter: "DYNAMIC-4M-BUZHASH", indirection: 0, textContents: 0...0),
        Table(id: "two", pieces: 2, splitter: "DYNAMIC-4M-BUZHASH", indirection: 1, textContents: 1...1),
        Table(
            id: "one content below 256 KiB", pieces: 3_500, splitter: "DYNAMIC-4M-BUZHASH", indirection: 1,
            textContents: 1...1),
        Table(id: "two levels", pieces: 20_000, splitter: "DYNAMIC-4M-BUZHASH", indirection: 2, textContents: 2...6),
        Table(id: "own splitter", pieces: 2_500, splitter: "FIXED-128K", indirection: 2, textContents: 2...2),
        Table(
            id: "three levels", pieces: 12_000, splitter: "DYNAMIC-4K-BUZHASH", indirection: 3, textContents: 130...300),
    ]

    /// What readers get as the text of the table is, byte for byte, the text of all pieces.
    @Test(arguments: tables)
    func theTextIsThatOfAllPieces(table: Table) async throws {
        let store = MemoryContentStore(defaultSplitter: table.splitter)
        var writer = TableWriter(contents: store, prefix: x, compression: 0x1101)
        let pieces = (0..<table.pieces).map { (object: ObjectID(content: contentID($0)), length: $0 % 9 * 1000 + 1) }
        for piece in pieces { try await writer.append(piece.object, length: Int64(piece.length)) }
        let written = try await writer.finish()
        #expect(written.id.indirection == table.indirection)
        #expect(written.chunkCount == table.pieces)
        #expect(written.length == pieces.reduce(0) { $0 + Int64($1.length) })
        guard let tableObject = written.id.table else { return }
        let reader = try await ObjectReader.open(tableObject, in: store)
        #expect(try await reader.readAll(limit: 8 << 20) == text(of: pieces))
        #expect(table.textContents.contains(reader.table.count))
        #expect(store.plaintexts.keys.allSatisfy { $0.prefix == x && store.compression(of: $0) == 0x1101 })
        let whole = try await ObjectReader.open(written.id, in: store)
        #expect((0..<table.pieces).allSatisfy { whole.table[$0].object == pieces[$0].object })
    }

    @Test(arguments: [
        ("DYNAMIC-4M-BUZHASH", "DYNAMIC-512K-BUZHASH"), ("DYNAMIC-1M-RABINKARP", "DYNAMIC-512K-BUZHASH"),
        ("FIXED-8M", "DYNAMIC-512K-BUZHASH"), ("unheard of", "DYNAMIC-512K-BUZHASH"), ("FIXED-1M", "FIXED-1M"),
        ("DYNAMIC-512K-RABINKARP", "DYNAMIC-512K-RABINKARP"), ("DYNAMIC-128K-BUZHASH", "DYNAMIC-128K-BUZHASH"),
    ])
    func tablesAreCutByTheRepositorysSplitterUpTo1MiB(repository: String, table: String) {
        #expect(TableWriter.splitter(for: repository).name == table)
    }

    /// A million pieces, of which at no time more than one chunk of text is held, and nothing of the text comes late.
    @Test func holdsTheSameForAnyNumberOfPieces() async throws {
        let store = CountingContentStore()
        var writer = TableWriter(contents: store, prefix: x, compression: 0)
        let object = ObjectID(content: contentID(7))
        var heldMax = 0
        for _ in 0..<1_000_000 {
            try await writer.append(object, length: 1)
            heldMax = max(heldMax, writer.heldCount)
        }
        #expect(heldMax <= (1 << 20) + (64 << 10) * 3)
        #expect(store.longest <= 1 << 20)
        #expect(store.bytes > 50_000_000)
        let before = store.bytes
        let written = try await writer.finish()
        #expect(store.bytes - before <= 2 << 20)
        #expect(written.length == 1_000_000 && written.id.indirection == 2)
    }

    /// After every piece: before the table, within a chunk of it, right after one, in the second level.
    @Test func aCopyCanBeFinishedAtAnyTime() async throws {
        let store = MemoryContentStore(defaultSplitter: "DYNAMIC-4K-BUZHASH")
        var writer = TableWriter(contents: store, prefix: x, compression: 0)
        let alone = MemoryContentStore(defaultSplitter: "DYNAMIC-4K-BUZHASH")
        var undisturbed = TableWriter(contents: alone, prefix: x, compression: 0)
        let pieces = (0..<1_500).map { (object: ObjectID(content: contentID($0)), length: 1 + $0 % 3) }
        for (number, piece) in pieces.enumerated() {
            try await writer.append(piece.object, length: Int64(piece.length))
            try await undisturbed.append(piece.object, length: Int64(piece.length))
            guard number < 4 || number % 53 == 0 else { continue }
            var copy = writer
            let written = try await copy.finish()
            #expect(written.chunkCount == number + 1)
            guard let table = written.id.table else {
                #expect(number == 0 && written.id == piece.object)
                continue
            }
            let bytes = try await ObjectReader.open(table, in: store).readAll(limit: 1 << 20)
            #expect(bytes == text(of: Array(pieces[...number])))
        }
        let written = try await writer.finish()
        #expect(written == (try await undisturbed.finish()))
        #expect(written.id.indirection >= 2)
    }

    @Test func aTableThatIsATableIsRefused() async throws {
        var writer = TableWriter(contents: MemoryContentStore(), prefix: x, compression: 0)
        let table = ObjectID(content: contentID(1, prefix: x)).asTable
        let error = await #expect(throws: ObjectError.self) { try await writer.append(table, length: 1) }
        #expect(error?.message == "the store returned an unusable ID: piece 0 is \(table), which is a table itself")
    }
}

struct ContentsOfObjectsTests {
    /// Through as many levels as there are.
    @Test(arguments: [0, 1, 3_000, 60_000, 2_000_000])
    func everyContentComesOnce(count: Int) async throws {
        let store = MemoryContentStore(defaultSplitter: "DYNAMIC-4K-BUZHASH")
        let writer = try ObjectWriter(
            contents: store, compression: 0, metadataCompression: 0, chunksInFlight: 2)
        let written = try await writer.write(SeededBytes.rnd(31, count))
        var contents: [ContentID] = []
        try await ObjectReader.forEachContent(of: written.id, in: store) { contents.append($0) }
        let reader = try await ObjectReader.open(written.id, in: store)
        #expect(contents == reader.tableContentIDs + Array(reader.contentIDs))
        #expect(Set(contents) == Set(store.plaintexts.keys))
    }

    @Test(arguments: [
        (#" {"entries":[{"o":"@1","l":5},{"o":"@2","s":5,"l":7}],"stream":"kopia:indirect"}"#, nil),
        (
            #"{"stream":"kopia:indirect","entries":[{"l":5,"o":"@1"}"#,
            "the table of object Ix@1 is malformed: unexpected end of the text, expected ',' or ']' at byte 84"
        ),
    ])
    func otherFormsAreReadToo(template: String, problem: String?) async throws {
        let (first, second) = (contentID(1), contentID(2))
        func fill(_ text: String) -> String {
            text.replacing("@1", with: "\(first)").replacing("@2", with: "\(second)")
        }
        let store = MemoryContentStore()
        let table = ContentID(prefix: x, hash: first.hash)
        store.insert(Array(fill(template).utf8), as: table)
        var contents: Set<ContentID> = []
        let object = ObjectID(content: table).asTable
        do {
            try await ObjectReader.forEachContent(of: object, in: store) { contents.insert($0) }
            #expect(problem == nil)
            #expect(contents == [table, first, second])
        } catch let error as ObjectError {
            #expect(problem.map(fill) == error.message)
        }
    }
}
