import KopiaContent

/// Writes the table of an object while its pieces come, and the table of that table when it has more than one chunk, and so
/// on: no level keeps its pieces.
///
/// Where tables are cut is of no importance to readers. By the repository's splitter, kopia's choice, a chunk of text may
/// have 8 MiB, and so much lies in memory for as long as the stream runs; tables are therefore cut by `splitter(for:)`. A
/// text below its shortest chunk is one content either way: 256 KiB, or about 3,500 pieces.
///
/// Concurrency and memory: a value; a copy can be finished while the original goes on. For each level that has begun, up to
/// 64 KiB of text that was not looked at, one chunk being filled, of at most 1 MiB, and while `append` stores one that
/// chunk and its stored form. A level begins with the first chunk of the one below: of a million pieces the second holds 20 KB.
///
/// Source: kopia `repo/object/object_writer.go`, `writeIndirectObject`.
struct TableWriter: Sendable {
    private let store: TableStore
    private let splitter: Splitter
    /// The pieces of the object, then the chunks of the text before, each with its text.
    private var levels: [Level]

    init(contents: any ContentStore, prefix: UInt8, compression: UInt32) {
        store = TableStore(contents: contents, prefix: prefix, compression: compression)
        splitter = Self.splitter(for: contents.defaultSplitter)
        levels = [Level(splitter)]
    }

    /// Of a repository whose chunks have at most 1 MiB its own, else chunks of 256 KiB … 1 MiB.
    static func splitter(for repository: String) -> Splitter {
        guard let own = Splitter(name: repository), own.lengthMax <= 1 << 20 else {
            return .dynamic(averageLength: 512 << 10)
        }
        return own
    }

    /// Pieces of the object so far.
    var count: Int { levels[0].text.pieces.count }

    /// Bytes of text held.
    var heldCount: Int { levels.reduce(0) { $0 + $1.heldCount } }

    /// Returns when the text is taken in; it may have stored a chunk.
    ///
    /// - Throws: `ObjectError.Code.malformed` for a piece that no table can name; what the store throws.
    mutating func append(_ object: ObjectID, length: Int64) async throws {
        try await append(object, length: length, to: 0)
    }

    /// Stores what is left of the tables. Nothing must be appended after it; a copy may be.
    ///
    /// - Returns: the object of all pieces: the piece itself when there is one.
    /// - Throws: what the store throws.
    mutating func finish() async throws -> WrittenObject {
        let pieces = levels[0].text.pieces
        return WrittenObject(id: try await finish(0), length: pieces.length, chunkCount: pieces.count)
    }

    private mutating func append(_ object: ObjectID, length: Int64, to level: Int) async throws {
        if level == levels.count { levels.append(Level(splitter)) }
        if let problem = levels[level].text.append(object, length: length) {
            throw ObjectError(.malformed, object: object, "the store returned an unusable ID: \(problem)")
        }
        if levels[level].first == nil { levels[level].first = object }
        guard levels[level].text.waitingCount >= Level.blockLength else { return }
        levels[level].takeIn(levels[level].text.take())
        try await storeChunks(of: level)
    }

    private mutating func storeChunks(of level: Int) async throws {
        while let chunk = levels[level].nextChunk() {
            try await append(try await store.write(chunk), length: Int64(chunk.count), to: level + 1)
        }
    }

    private mutating func finish(_ level: Int) async throws -> ObjectID {
        if levels[level].text.pieces.count == 1, let only = levels[level].first { return only }
        levels[level].takeIn(levels[level].text.end())
        try await storeChunks(of: level)
        let rest = levels[level].rest()
        if !rest.isEmpty {
            try await append(try await store.write(rest), length: Int64(rest.count), to: level + 1)
        }
        return try await finish(level + 1).asTable
    }

    private struct Level: Sendable {
        static let blockLength = 64 << 10

        /// The object itself while it is the only piece.
        var first: ObjectID?
        var text = PieceTable.TextWriter()
        /// Nil until there is something to cut: most objects have one piece.
        private var cutter: ChunkCutter?
        private let splitter: Splitter

        init(_ splitter: Splitter) { self.splitter = splitter }

        var heldCount: Int { text.waitingCount + (cutter?.heldCount ?? 0) }

        mutating func takeIn(_ block: [UInt8]) {
            if cutter == nil { cutter = ChunkCutter(splitter: splitter) }
            cutter?.begin(block)
        }

        mutating func nextChunk() -> [UInt8]? {
            guard let cut = cutter?.nextCut() else { return nil }
            var none: [[UInt8]] = []
            return cutter?.take(cut, reusing: &none)
        }

        mutating func rest() -> [UInt8] { cutter?.rest() ?? [] }
    }
}

/// Where the chunks of tables go.
private struct TableStore: Sendable {
    let contents: any ContentStore
    let prefix: UInt8
    let compression: UInt32

    @concurrent
    func write(_ chunk: [UInt8]) async throws -> ObjectID {
        // Contents with a prefix are never compressed by the object layer.
        let compression = contents.supportsContentCompression ? compression : 0
        return ObjectID(content: try await contents.write(chunk, prefix: prefix, compression: compression))
    }
}
