public import KopiaContent

/// Reads one object: as a whole, any range of it, or as a stream with read-ahead. Every piece must have exactly the
/// length that the table promises, and the table must be contiguous: no byte is ever made up.
///
/// Concurrency and memory: a value; all calls may run concurrently. Holds the table, 26 bytes a piece (`PieceTable`). While
/// a table is read its text passes in 5 blocks of 1 MiB or one larger content, however many pieces it has; only a text that is
/// not exactly as kopia writes it is held as a whole, up to 64 MiB.
///
/// Source: kopia `repo/object/object_reader.go`.
public struct ObjectReader: Sendable {
    public let id: ObjectID
    /// Bytes.
    public let length: Int64

    /// The contents that hold its tables, at most a few; empty for a direct object.
    public let tableContentIDs: [ContentID]

    private let contents: any ContentStore
    let table: PieceTable

    /// Loads the table, recursively when it is an indirect object itself.
    ///
    /// - Throws: `ObjectError.Code.malformed`, `.damaged`; `ContentError.Code.notFound` for a content that no index
    ///   names; whatever reading a content throws.
    public static func open(_ id: ObjectID, in contents: any ContentStore) async throws -> ObjectReader {
        var table = PieceTable()
        var tableContentIDs: [ContentID] = []
        if let tableObject = id.table {
            let tableReader = try await open(tableObject, in: contents)
            table = try await tableReader.readTable(of: id)
            tableContentIDs = tableReader.tableContentIDs + tableReader.contentIDs
        } else {
            let length: Int64
            if id.isCompressed {
                // Only the compressed stream knows.
                length = Int64(try await readPiece(id, expectedLength: nil, in: contents).count)
            } else {
                guard let info = try await contents.info(id.content) else { throw notFound(id.content) }
                length = info.originalLength
            }
            if let problem = table.append(id, length: length) {
                throw ObjectError(.malformed, object: id, "object \(id) cannot be read: \(problem)")
            }
        }
        return ObjectReader(
            id: id, length: table.length, tableContentIDs: tableContentIDs, contents: contents, table: table)
    }

    /// The IDs of the contents that hold the object's bytes, without those of its tables.
    public var contentIDs: some Sequence<ContentID> {
        let table = self.table
        return (0..<table.count).lazy.map { table[$0].object.content }
    }

    /// - Throws: `ObjectError.Code.tooLarge` when the object has more bytes than `limit`; as `forEachChunk`.
    public func readAll(limit: Int) async throws -> [UInt8] {
        guard length <= Int64(limit) else {
            throw ObjectError(
                .tooLarge, object: id, "object \(id) has \(length) bytes, more than the \(limit) expected")
        }
        return try await read(0..<length)
    }

    /// The bytes of a range, which is clamped to the object.
    ///
    /// Concurrency and memory: holds the range and the read-ahead of `forEachChunk`.
    public func read(_ range: Range<Int64>) async throws -> [UInt8] {
        let range = range.clamped(to: 0..<length)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(range.count))
        try await forEachChunk(in: range) { bytes.append(contentsOf: $0) }
        return bytes
    }

    /// Calls `body` with the bytes of the object (or of a range of it) in order, a chunk or several small ones at a time,
    /// never none.
    ///
    /// Concurrency and memory: while `body` works, up to 4 batches of contents are fetched ahead, each of 8 MiB or one
    /// larger content: about 40 MiB with chunks of any usual size. `body` runs on the caller's side, one call at a time.
    ///
    /// - Parameter readers: how many such calls at once shall hold that together: batches are so many times smaller, and fewer
    ///   when contents are larger than that. Each holds one content ahead and one in `body` at least.
    /// - Throws: `ObjectError.Code.damaged` when a piece has another length than promised; whatever reading a content or
    ///   `body` throws; `CancellationError`. Bytes before the failing chunk were delivered.
    public func forEachChunk(
        in range: Range<Int64>? = nil, readers: Int = 1, _ body: ([UInt8]) async throws -> Void
    ) async throws {
        let batchLength = ReadPlan.batchLength / max(1, readers)
        try await forEachChunk(
            in: range, batchLength: batchLength,
            aheadMax: readers > 1 ? ReadPlan.batchesInFlight * batchLength : .max, body)
    }

    /// - Parameters:
    ///   - batchLength: bytes fetched together.
    ///   - aheadMax: no further batch is fetched while so many bytes are.
    func forEachChunk(
        in range: Range<Int64>? = nil, batchLength: Int, aheadMax: Int = .max,
        _ body: ([UInt8]) async throws -> Void
    ) async throws {
        let range = (range ?? 0..<length).clamped(to: 0..<length)
        guard !range.isEmpty else { return try await checkEmpty() }
        var plan = ReadPlan(table: table, range: range, batchLength: batchLength)
        try await withThrowingTaskGroup(of: (Int, [[UInt8]]).self) { group in
            var ready: [Int: [[UInt8]]] = [:]
            // Of the batches that are fetched and not delivered.
            var lengths: [Int: Int] = [:]
            var ahead = 0
            var started = 0
            var delivered = 0
            func fill() {
                while lengths.count < ReadPlan.batchesInFlight, lengths.isEmpty || ahead < aheadMax,
                    let batch = plan.nextBatch()
                {
                    let number = started
                    group.addTask { (number, try await fetch(batch)) }
                    lengths[number] = batch.length
                    ahead += batch.length
                    started += 1
                }
            }
            fill()
            while delivered < started {
                try Task.checkCancellation()
                guard let chunks = ready.removeValue(forKey: delivered) else {
                    if let (number, chunks) = try await group.next() { ready[number] = chunks }
                    continue
                }
                ahead -= lengths.removeValue(forKey: delivered) ?? 0
                delivered += 1
                fill()
                for chunk in chunks { try await body(chunk) }
            }
        }
    }

    /// Looks at every content of the object, going on after a bad one: for verifying.
    ///
    /// - Parameters:
    ///   - reading: reads and checks all bytes; else only looks whether the contents are in the index.
    ///   - problem: called for each content that is missing, cannot be read or has another length.
    /// - Throws: `CancellationError`.
    public func forEachProblem(
        reading: Bool, _ problem: (ContentID, any Error) throws -> Void
    ) async throws {
        if reading {
            // Fast as long as nothing is wrong.
            do {
                try await forEachChunk { _ in }
                return
            } catch let error as CancellationError {
                throw error
            } catch {}
        }
        for index in 0..<table.count {
            try Task.checkCancellation()
            let piece = table[index]
            do {
                if reading {
                    _ = try await Self.readPiece(piece.object, expectedLength: piece.length, in: contents)
                } else if try await contents.info(piece.object.content) == nil {
                    throw Self.notFound(piece.object.content)
                }
            } catch let error as CancellationError {
                throw error
            } catch {
                try problem(piece.object.content, error)
            }
        }
    }

    private static func notFound(_ content: ContentID) -> ContentError {
        ContentError(
            .notFound, content: content, "content \(content) is in no index of the repository",
            hint: "its index blob is missing, or it was removed by maintenance; run a verification")
    }

    /// An empty object still has a content, and a missing one must not look like an empty file.
    private func checkEmpty() async throws {
        if length == 0, table.count == 1 {
            _ = try await Self.readPiece(table[0].object, expectedLength: 0, in: contents)
        }
    }

    @concurrent
    private func fetch(_ batch: ReadPlan.Batch) async throws -> [[UInt8]] {
        var chunks: [[UInt8]]
        if batch.pieces.contains(where: \.object.isCompressed) {
            chunks = []
            for piece in batch.pieces {
                chunks.append(
                    try await Self.readPiece(piece.object, expectedLength: piece.length, in: contents))
            }
        } else {
            chunks = try await contents.read(batch.pieces.map(\.object.content))
        }
        for (piece, chunk) in zip(batch.pieces, chunks) where chunk.count != piece.length {
            throw Self.wrongLength(of: piece.object, chunk.count, expected: piece.length)
        }
        guard chunks.count == batch.pieces.count else {
            throw ObjectError(.damaged, object: id, "the store returned too few contents for object \(id)")
        }
        if let last = chunks.indices.last {
            chunks[last].removeLast(batch.trimEnd)
            chunks[0].removeFirst(batch.trimStart)
        }
        return Self.joinSmall(chunks)
    }

    /// What the caller does with a block, such as writing it to a pipe, costs far more than copying a few KiB.
    private static func joinSmall(_ chunks: [[UInt8]]) -> [[UInt8]] {
        let length = chunks.reduce(0) { $0 + $1.count }
        guard chunks.count > 1, length / chunks.count < 256 << 10 else { return chunks }
        var blocks: [[UInt8]] = []
        for chunk in chunks {
            if blocks.isEmpty || blocks[blocks.count - 1].count + chunk.count > 1 << 20 {
                var block: [UInt8] = []
                block.reserveCapacity(max(chunk.count, min(1 << 20, length)))
                blocks.append(block)
            }
            blocks[blocks.count - 1] += chunk
        }
        return blocks
    }

    private static func readPiece(
        _ piece: ObjectID, expectedLength: Int?, in contents: any ContentStore
    ) async throws -> [UInt8] {
        let stored = try await contents.read(piece.content)
        if piece.isCompressed {
            return try ObjectCompression.decompress(stored, of: piece, expectedLength: expectedLength)
        }
        if let expectedLength, stored.count != expectedLength {
            throw wrongLength(of: piece, stored.count, expected: expectedLength)
        }
        return stored
    }

    private static func wrongLength(of piece: ObjectID, _ length: Int, expected: Int) -> ObjectError {
        ObjectError(
            .damaged, object: piece, "object \(piece) has \(length) bytes, its table says \(expected)",
            hint: "the table or the content was written wrongly; run a verification")
    }
}

/// Which pieces are read together.
struct ReadPlan {
    struct Batch: Sendable {
        var pieces: [Piece] = []
        /// Bytes of the first and of the last piece that were not asked for.
        var trimStart = 0
        var trimEnd = 0
        /// Of the pieces, in bytes.
        var length: Int { pieces.reduce(0) { $0 + $1.length } }
    }

    static let batchesInFlight = 4
    static let batchLength = 8 << 20
    /// More in one request gains nothing.
    static let batchCountMax = 1024

    private let table: PieceTable
    private let range: Range<Int64>
    private let batchLength: Int
    private var next: Int

    /// - Parameter range: within the object, not empty.
    init(table: PieceTable, range: Range<Int64>, batchLength: Int) {
        self.table = table
        self.range = range
        self.batchLength = batchLength
        next = table.index(at: range.lowerBound)
    }

    mutating func nextBatch() -> Batch? {
        var batch = Batch()
        var length = 0
        while next < table.count, batch.pieces.count < Self.batchCountMax {
            let piece = table[next]
            guard piece.range.lowerBound < range.upperBound else { break }
            guard batch.pieces.isEmpty || length + piece.length <= batchLength else { break }
            next += 1
            if piece.length == 0 { continue }
            if piece.range.lowerBound < range.lowerBound {
                batch.trimStart = Int(range.lowerBound - piece.range.lowerBound)
            }
            if piece.range.upperBound > range.upperBound {
                batch.trimEnd = Int(piece.range.upperBound - range.upperBound)
            }
            length += piece.length
            batch.pieces.append(piece)
        }
        return batch.pieces.isEmpty ? nil : batch
    }
}
