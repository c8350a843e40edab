import KopiaBlob
import TestSupport
import Testing

@Suite struct BlobWriterTests: ~Copyable {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    static let id = "p0123456789abcdef0123456789abcdef-s0011223344556677144"

    private func storage() async throws -> FilesystemBlobStorage {
        try await FilesystemBlobStorage.create(path: directory.path + "/repo")
    }

    private func files() -> [String] {
        Files.names(directory.path + "/repo/p/012").filter { $0.contains("3456789abcdef") }
    }

    /// Lengths around the writer's buffer of 1 MiB and the 4096 bytes of direct writes.
    @Test(arguments: [
        [0], [1], [4095], [4096], [4097], [1 << 20], [1 << 20 - 1, 2], [1 << 20 + 1], [3 << 20],
        [700_000, 0, 700_000, 5],
        [5, 2_500_000, 4096, 1],
    ])
    func piecesBecomeTheBlob(lengths: [Int]) async throws {
        let storage = try await storage()
        let id = try #require(BlobID(Self.id))
        let writer = try #require(try await storage.makeWriter(id))
        let pieces = lengths.enumerated().map { SeededBytes.rnd(UInt64($0.offset), $0.element) }
        let whole = Array(pieces.joined())
        var offset: Int64 = 0
        for piece in pieces {
            try await writer.write([piece], at: offset)
            offset += Int64(piece.count)
            #expect(try await writer.read(0..<offset) == Array(whole[..<Int(offset)]))
            let middle = offset / 2
            #expect(try await writer.read(middle..<offset) == Array(whole[Int(middle)..<Int(offset)]))
        }
        let error = await #expect(throws: BlobError.self) { _ = try await writer.read(0..<(offset + 1)) }
        #expect(error?.blob == id)
        // Nobody sees it yet.
        #expect(try await storage.list(prefix: "").isEmpty)
        try await writer.finish()
        #expect(try await storage.get(id) == whole)
        #expect(try await storage.metadata(of: id).length == Int64(whole.count))
        #expect(try await writer.read(0..<offset) == whole)
        try await writer.finish()
        await writer.discard()
        #expect(try await storage.get(id) == whole)
        #expect(files().count == 1)
    }

    @Test func bytesThatWereTakenAreSkipped() async throws {
        let storage = try await storage()
        let id = try #require(BlobID(Self.id))
        let writer = try #require(try await storage.makeWriter(id))
        let bytes = SeededBytes.rnd(1, 3_000_000)
        try await writer.write([Array(bytes[..<1_500_000])], at: 0)
        try await writer.write([Array(bytes[..<1_000_000]), Array(bytes[1_000_000...])], at: 0)
        try await writer.write([Array(bytes[2_000_000...])], at: 2_000_000)
        try await writer.finish()
        #expect(try await storage.get(id) == bytes)
    }

    @Test(arguments: [true, false]) func whatIsNotFinishedLeavesNothing(isDiscarded: Bool) async throws {
        let storage = try await storage()
        let id = try #require(BlobID(Self.id))
        do {
            let writer = try #require(try await storage.makeWriter(id))
            try await writer.write([SeededBytes.rnd(1, 3_000_000)], at: 0)
            #expect(files().count == 1)
            if isDiscarded {
                await writer.discard()
                #expect(files().isEmpty)
            }
        }
        // The thread of the last write may hold the writer a moment longer than we do.
        for _ in 0..<5_000 where !files().isEmpty { try await Task.sleep(for: .milliseconds(1)) }
        #expect(files().isEmpty)
        #expect(try await storage.list(prefix: "").isEmpty)
    }

    @Test func anExistingBlobIsReplacedAtOnce() async throws {
        let storage = try await storage()
        let id = try #require(BlobID(Self.id))
        try await storage.put(id, [1, 2, 3])
        let writer = try #require(try await storage.makeWriter(id))
        try await writer.write([[4, 5, 6, 7]], at: 0)
        #expect(try await storage.get(id) == [1, 2, 3])
        try await writer.finish()
        #expect(try await storage.get(id) == [4, 5, 6, 7])
    }
}
