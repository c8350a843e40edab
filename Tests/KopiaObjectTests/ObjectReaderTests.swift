import KopiaContent
import KopiaObject
import TestSupport
import Testing

@testable import KopiaObject

private let first = "00112233445566778899aabbccddeeff"
private let second = "ffeeddccbbaa99887766554433221100"

private func contentID(_ text: String) throws -> ContentID { try #require(ContentID(text)) }

struct PieceTableTests {
    /// Vector: reference §14.8, made with kopia's code.
    @Test func writesTheTableAsKopiaDoes() async throws {
        var writer = PieceTable.TextWriter()
        #expect(writer.append(try #require(ObjectID(first)), length: 2_097_152) == nil)
        #expect(writer.append(try #require(ObjectID(second)), length: 100) == nil)
        let text = writer.end()
        #expect(
            String(decoding: text, as: UTF8.self)
                == #"{"stream":"kopia:indirect","entries":[{"l":2097152,"o":"\#(first)"},"#
                + #"{"s":2097152,"l":100,"o":"\#(second)"}]}"# + "\n")
        let store = MemoryContentStore(hash: referenceHash)
        let id = try await store.write(text, prefix: UInt8(ascii: "x"), compression: 0)
        #expect(ObjectID(content: id).asTable.description == "Ix13039e7559614f7cc314c7c46a9c8216")
    }

    @Test(arguments: [
        #"{"stream":"kopia:indirect","entries":[{"l":5,"o":"@1"},{"s":5,"l":7,"o":"@2"}]}"#,
        #" { "entries" : [ {"o":"@1","l":5,"x":[{}]}, {"o":"D@2","s":5,"l":7} ], "more":1, "stream":"kopia:indirect"}"#,
        #"{"Stream":"kopia:indirect","Entries":[{"L":5,"O":"@1"},{"S":5,"L":7,"O":"@2"}]}"#,
        #"{"stream":"kopia:indirect","entries":[{"s":0,"l":5,"o":"@1"},{"s":5,"l":7,"o":"@2"}]}"# + "\n",
    ])
    func readsWhatAnyWriterMayWrite(template: String) throws {
        let text = template.replacing("@1", with: first).replacing("@2", with: second)
        let table = try PieceTable(text: Array(text.utf8), of: try #require(ObjectID("Ix" + first)))
        #expect(table.count == 2)
        #expect(table.length == 12)
        #expect(table[1].range == 5..<12)
        #expect(table[1].object.description == second)
    }

    @Test(arguments: [
        ("", "unexpected end of the text, expected a value at byte 0"),
        (#"{"stream":"kopia:directory","entries":[]}"#, "its stream is 'kopia:directory', not 'kopia:indirect'"),
        (#"{"stream":"kopia:indirect","entries":[]}"#, "it has no pieces"),
        (#"{"stream":"kopia:indirect","entries":null}"#, "it has no pieces"),
        (#"{"stream":"kopia:indirect","entries":[7]}"#, "piece 0 is no object"),
        (#"{"stream":"kopia:indirect","entries":[{"l":5,"o":"zz"}]}"#, "piece 0 is 'zz', no object ID"),
        (
            #"{"stream":"kopia:indirect","entries":[{"s":1,"l":5,"o":"@1"}]}"#,
            "piece 0 starts at 1, the one before ends at 0"
        ),
        (
            #"{"stream":"kopia:indirect","entries":[{"l":5,"o":"@1"},{"s":6,"l":7,"o":"@2"}]}"#,
            "piece 1 starts at 6, the one before ends at 5"
        ),
        (#"{"stream":"kopia:indirect","entries":[{"l":-5,"o":"@1"}]}"#, "piece 0 has length -5"),
        (#"{"stream":"kopia:indirect","entries":[{"l":268435457,"o":"@1"}]}"#, "piece 0 has length 268435457"),
        (#"{"stream":"kopia:indirect","entries":[{"l":5,"o":"Ix@1"}]}"#, "piece 0 is Ix@1, which is a table itself"),
        (
            #"{"stream":"kopia:indirect","entries":[{"l":5,"o":"@1"},{"s":5,"l":5,"o":"abcd"}]}"#,
            "piece 1 has a hash of 2 bytes, the first one 16"
        ),
    ])
    func saysWhatIsWrongWithATable(template: String, problem: String) throws {
        func fill(_ text: String) -> String { text.replacing("@1", with: first).replacing("@2", with: second) }
        let object = try #require(ObjectID("Ix" + first))
        let error = #expect(throws: ObjectError.self) {
            try PieceTable(text: Array(fill(template).utf8), of: object)
        }
        #expect(error?.code == .malformed)
        #expect(error?.message == "the table of object \(object) is malformed: \(fill(problem))")
    }

    /// Random changes of a good table give a table or an error, never a trap.
    @Test(arguments: 0..<200)
    func survivesGarbage(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var text = Array(
            #"{"stream":"kopia:indirect","entries":[{"l":5,"o":"\#(first)"},{"s":5,"l":7,"o":"\#(second)"}]}"#.utf8)
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let position = Int.random(in: 0..<text.count, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: text[position] = UInt8.random(in: 0...255, using: &random)
            case 1: text.removeSubrange(position..<min(text.count, position + 3))
            default: text.insert(contentsOf: Array("9999999999".utf8), at: position)
            }
        }
        let object = try #require(ObjectID("Ix" + first))
        if let table = try? PieceTable(text: text, of: object) { #expect(table.length >= 0) }
    }
}

/// Tables that arrive in blocks.
struct PieceTableBlockTests {
    private static func table(_ count: Int) throws -> (table: PieceTable, text: [UInt8]) {
        var table = PieceTable()
        var writer = PieceTable.TextWriter()
        var text: [UInt8] = []
        for number in 0..<count {
            let hex = String(number, radix: 16)
            let name = (number % 3 == 0 ? "Z" : "") + String(repeating: "0", count: 32 - hex.count) + hex
            let (object, length) = (try #require(ObjectID(name)), Int64(number % 7 == 0 ? 100_000 : 64))
            #expect(table.append(object, length: length) == nil)
            #expect(writer.append(object, length: length) == nil)
            if number % 50 == 0 { text += writer.take() }
        }
        return (table, text + writer.end())
    }

    @Test(arguments: [1, 2, 7, 90, 1000, 65_536])
    func anyBlocksGiveTheSameTable(blockLength: Int) throws {
        let (table, text) = try Self.table(300)
        var reader = PieceTable.TextReader()
        var read = PieceTable()
        for start in stride(from: 0, to: text.count, by: blockLength) {
            #expect(!reader.isDone)
            let block = Array(text[start..<min(text.count, start + blockLength)])
            let isTaken = reader.add(block) { #expect(read.append($0, length: $1) == nil) }
            #expect(isTaken)
        }
        #expect(reader.isDone)
        #expect(read.count == 300 && read.length == table.length)
        for number in 0..<300 { #expect(read[number] == table[number]) }
        let isMoreTaken = reader.add([UInt8(ascii: "x")]) { _, _ in }
        #expect(!isMoreTaken)
    }

    /// Of a table of a million pieces only the block and less than one piece wait.
    @Test func onlyAPieceOfTheTextIsHeld() throws {
        let (_, text) = try Self.table(20_000)
        var reader = PieceTable.TextReader()
        var count = 0
        for start in stride(from: 0, to: text.count, by: 4096) {
            let isTaken = reader.add(Array(text[start..<min(text.count, start + 4096)])) { _, _ in count += 1 }
            #expect(isTaken)
            #expect(reader.waitingCount <= PieceTable.TextReader.pieceTextMax)
        }
        #expect(reader.isDone)
        #expect(count == 20_000)
    }

    @Test(arguments: [
        " ", "{}", #"{"stream":"kopia:indirect","entries":[]}"#, #"{"stream":"kopia:indirect","entries":[{ "l":1}"#,
        #"{"stream":"kopia:indirect","entries":["# + String(repeating: "1", count: 600),
    ])
    func otherFormsAreLeftToTheSlowRoad(text: String) {
        for length in [1, 1000] {
            var reader = PieceTable.TextReader()
            let bytes = Array(text.utf8)
            let isTaken = stride(from: 0, to: bytes.count, by: length).allSatisfy {
                reader.add(Array(bytes[$0..<min(bytes.count, $0 + length)])) { _, _ in }
            }
            #expect(!isTaken)
            #expect(!reader.isDone)
        }
    }
}

struct ObjectReaderTests {
    /// Ranges from anywhere to anywhere give the same bytes as the whole.
    @Test(arguments: 0..<20)
    func readsAnyRange(seed: Int) async throws {
        let store = MemoryContentStore()
        let input = SeededBytes.rnd(21, 70_000)
        let writer = try ObjectWriter(
            contents: store, splitter: .dynamic(averageLength: 4 << 10), compression: 0, metadataCompression: 0,
            chunksInFlight: 2)
        let reader = try await ObjectReader.open(try await writer.write(input).id, in: store)
        var random = SeededGenerator(seed: UInt64(seed))
        let start = Int.random(in: 0...input.count, using: &random)
        let end = Int.random(in: start...input.count, using: &random)
        #expect(try await reader.read(Int64(start)..<Int64(end)) == Array(input[start..<end]))
        #expect(try await reader.read(Int64(start)..<Int64.max) == Array(input[start...]))
    }

    @Test func deliversChunksInOrderAndStopsWhenTheSinkFails() async throws {
        struct Full: Error {}
        let store = MemoryContentStore()
        let input = SeededBytes.repeated(SeededBytes.rnd(22, 100_003), 40 << 20)
        let writer = try ObjectWriter(
            contents: store, splitter: Splitter(name: "FIXED-1M"), compression: 0, metadataCompression: 0,
            chunksInFlight: 2)
        let reader = try await ObjectReader.open(try await writer.write(input).id, in: store)
        var position = 0
        await #expect(throws: Full.self) {
            try await reader.forEachChunk { chunk in
                #expect(chunk == Array(input[position..<position + chunk.count]))
                position += chunk.count
                if position > 30 << 20 { throw Full() }
            }
        }
        #expect(position == 31 << 20)
    }

    /// Of an object in chunks of 1 MiB: the batch that is delivered, and those ahead of it.
    @Test(arguments: [(1, 40), (4, 10), (16, 3), (1000, 2)])
    func severalReadersHoldWhatOneAloneWould(_ readers: Int, _ chunks: Int) async throws {
        let store = MemoryContentStore()
        let input = SeededBytes.repeated(SeededBytes.rnd(22, 100_003), 60 << 20)
        let writer = try ObjectWriter(
            contents: store, splitter: Splitter(name: "FIXED-1M"), compression: 0, metadataCompression: 0,
            chunksInFlight: 2)
        let reader = try await ObjectReader.open(try await writer.write(input).id, in: store)
        let before = store.readCount
        var (delivered, most) = (0, 0)
        try await reader.forEachChunk(readers: readers) { chunk in
            most = max(most, store.readCount - before - delivered)
            delivered += 1
            await Task.yield()
        }
        #expect(delivered == 60)
        #expect(most <= chunks)
    }

    @Test func aPieceOfAnotherLengthIsDamage() async throws {
        let store = MemoryContentStore()
        store.insert([1, 2, 3, 4], as: try contentID(first))
        store.insert([5, 6, 7], as: try contentID(second))
        let text =
            #"{"stream":"kopia:indirect","entries":[{"l":4,"o":"\#(first)"},{"s":4,"l":5,"o":"\#(second)"}]}"#
        store.insert(Array(text.utf8), as: try contentID("x" + first))
        let reader = try await ObjectReader.open(try #require(ObjectID("Ix" + first)), in: store)
        let error = await #expect(throws: ObjectError.self) { _ = try await reader.readAll(limit: 100) }
        #expect(error?.code == .damaged)
        #expect(error?.message == "object \(second) has 3 bytes, its table says 5")
    }

    @Test func aMissingContentIsAnErrorAlsoForAnEmptyObject() async throws {
        let store = MemoryContentStore()
        let error = await #expect(throws: ContentError.self) {
            _ = try await ObjectReader.open(try #require(ObjectID(first)), in: store)
        }
        #expect(error?.code == .notFound)
        #expect(error?.message == "content \(first) is in no index of the repository")
        store.insert([], as: try contentID(first))
        let reader = try await ObjectReader.open(try #require(ObjectID(first)), in: store)
        store.remove(try contentID(first))
        await #expect(throws: ContentError.self) { try await reader.forEachChunk { _ in } }
    }

    @Test func keepsToTheCallersLimit() async throws {
        let store = MemoryContentStore()
        store.insert([1, 2, 3], as: try contentID(first))
        let reader = try await ObjectReader.open(try #require(ObjectID(first)), in: store)
        let error = await #expect(throws: ObjectError.self) { _ = try await reader.readAll(limit: 2) }
        #expect(error?.message == "object \(first) has 3 bytes, more than the 2 expected")
    }

    @Test func compressedBytesWithoutACompressorAreDamage() async throws {
        let store = MemoryContentStore()
        store.insert([0, 0, 0x77, 0x77, 1], as: try contentID(first))
        let error = await #expect(throws: ObjectError.self) {
            _ = try await ObjectReader.open(try #require(ObjectID("Z" + first)), in: store)
        }
        #expect(error?.code == .unsupported)
        store.insert([0, 0], as: try contentID(second))
        let short = await #expect(throws: ObjectError.self) {
            _ = try await ObjectReader.open(try #require(ObjectID("Z" + second)), in: store)
        }
        #expect(short?.message == "object Z\(second) has 2 bytes and names no compressor")
    }
}
