public import KopiaContent

/// What `ObjectWriter` stored.
public struct WrittenObject: Sendable, Hashable {
    public let id: ObjectID
    /// Bytes.
    public let length: Int64
    /// Pieces, without those of tables.
    public let chunkCount: Int
}

/// Stores streams as objects: cuts them, stores the chunks concurrently, and keeps the order only in the table, which is
/// written while the stream goes on.
///
/// Concurrency and memory: a value; several objects may be written at once. One stream holds the chunk being filled and
/// `chunksInFlight` chunks being hashed, compressed and encrypted: at most `(chunksInFlight + 1) × splitter.lengthMax`
/// bytes, plus the block that `next` returned, plus what `TableWriter` says: at most a few MiB, however long the stream is.
/// Chunks shorter than 2 MiB travel together: `batchLength` bytes and a chunk in place of one chunk. Behind a chunk that takes long, the IDs of
/// up to 16,384 others wait for their turn. `next` is not called while all of that is in use. Buffers are reused.
///
/// Source: kopia `repo/object/object_writer.go`.
public struct ObjectWriter: Sendable {
    private let contents: any ContentStore
    private let splitter: Splitter
    private let prefix: UInt8
    private let compression: UInt32
    private let metadataCompression: UInt32
    fileprivate let chunksInFlight: Int

    /// Chunks that may be stored behind one that is not, some 100 bytes each: while the store publishes an index, one write
    /// waits for that and the others go on.
    var chunksAheadMax = 16_384

    /// Bytes of small chunks that one task stores, 512 KiB … 2 MiB: sixteen chunks, which the store can hash side by side. Fewer, and
    /// tasks would cost more than their work.
    fileprivate let batchLength: Int

    /// - Parameters:
    ///   - splitter: nil takes the repository's.
    ///   - prefix: 0 for files, `k` for directories.
    ///   - compression: header ID of a compressor for the bytes, 0 for none.
    ///   - metadataCompression: the same for the tables.
    ///   - chunksInFlight: at least 1.
    /// - Throws: `ObjectError.Code.unsupported` when the repository's splitter is unknown.
    public init(
        contents: any ContentStore, splitter: Splitter? = nil, prefix: UInt8 = 0, compression: UInt32,
        metadataCompression: UInt32, chunksInFlight: Int
    ) throws(ObjectError) {
        self.contents = contents
        if let splitter { self.splitter = splitter } else { self.splitter = try Self.defaultSplitter(of: contents) }
        batchLength = min(max(16 * self.splitter.averageLength, 512 << 10), 2 << 20)
        self.prefix = prefix
        self.compression = compression
        self.metadataCompression = metadataCompression
        self.chunksInFlight = max(1, chunksInFlight)
    }

    private static func defaultSplitter(of contents: any ContentStore) throws(ObjectError) -> Splitter {
        guard let splitter = Splitter(name: contents.defaultSplitter) else {
            throw ObjectError(
                .unsupported, "the repository's splitter '\(contents.defaultSplitter)' is unknown",
                hint: "this program knows FIXED-128K … FIXED-8M and DYNAMIC-128K … DYNAMIC-8M with BUZHASH or RABINKARP"
            )
        }
        return splitter
    }

    /// Stores bytes that are in memory anyway.
    public func write(_ bytes: [UInt8]) async throws -> WrittenObject {
        var block: [UInt8]? = bytes
        return try await write {
            defer { block = nil }
            return block
        }
    }

    /// Stores what `next` returns, block by block, until it returns nil. Blocks may have any size.
    ///
    /// The contents are durable only after the store's `flush`.
    ///
    /// - Parameters:
    ///   - checkpointInterval: how often `checkpoint` is called; nil never.
    ///   - checkpoint: gets the object of everything cut so far; bytes not cut yet are missing.
    /// - Throws: whatever `next`, `checkpoint` or the store throws; `CancellationError`. Contents stored until then are
    ///   garbage that maintenance removes.
    public func write(
        from next: () async throws -> [UInt8]?, checkpointInterval: Duration? = nil,
        checkpoint: (WrittenObject) async throws -> Void = { _ in }
    ) async throws -> WrittenObject {
        try await withThrowingTaskGroup(of: StoredBatch.self) { group in
            var line = ChunkLine(writer: self)
            var cutter = ChunkCutter(splitter: splitter)
            var lastCheckpoint = ContinuousClock.now
            while let block = try await next() {
                try Task.checkCancellation()
                cutter.begin(block)
                while let cut = cutter.nextCut() {
                    // Before the next chunk begins, so that a buffer is free for it.
                    try await line.makeRoom(for: cut, &group)
                    try await line.store(cutter.take(cut, reusing: &line.spares), in: &group)
                    guard let checkpointInterval, ContinuousClock.now - lastCheckpoint >= checkpointInterval else {
                        continue
                    }
                    try await line.drain(&group)
                    // Of a copy: the table goes on where it is.
                    var table = line.table
                    try await checkpoint(try await table.finish())
                    lastCheckpoint = ContinuousClock.now
                }
            }
            try Task.checkCancellation()
            let rest = cutter.rest()
            if !rest.isEmpty || line.chunkCount == 0 { try await line.store(rest, in: &group) }
            try await line.drain(&group)
            return try await line.table.finish()
        }
    }

    fileprivate var newTable: TableWriter {
        TableWriter(
            contents: contents, prefix: prefix == 0 ? UInt8(ascii: "x") : prefix, compression: metadataCompression)
    }

    /// Hashes, compresses and stores chunks, away from the caller.
    @concurrent
    fileprivate func store(_ batch: [[UInt8]], number: Int) async throws -> StoredBatch {
        let objects: [ObjectID]
        if contents.supportsContentCompression {
            objects = try await contents.write(batch, prefix: prefix, compression: compression).map {
                ObjectID(content: $0)
            }
        } else {
            var stored: [ObjectID] = []
            for chunk in batch { stored.append(try await storeCompressed(chunk)) }
            objects = stored
        }
        return StoredBatch(number: number, objects: objects, lengths: batch.map(\.count), buffer: batch.last ?? [])
    }

    /// Where contents are not compressed, the object is.
    private func storeCompressed(_ chunk: [UInt8]) async throws -> ObjectID {
        // Contents with a prefix are never compressed there.
        guard compression != 0, prefix == 0,
            let compressed = try ObjectCompression.compress(chunk, with: compression)
        else { return ObjectID(content: try await contents.write(chunk, prefix: prefix, compression: 0)) }
        let content = try await contents.write(compressed, prefix: 0, compression: 0)
        return ObjectID(indirection: 0, isCompressed: true, content: content)
    }
}

private struct StoredBatch: Sendable {
    let number: Int
    let objects: [ObjectID]
    let lengths: [Int]
    /// Handed back for the next chunk.
    var buffer: [UInt8]
}

/// The chunks between cutter and table: bounded, stored in any order, entered in order.
private struct ChunkLine {
    private let writer: ObjectWriter
    var table: TableWriter
    private(set) var chunkCount = 0
    /// Small chunks that wait for more.
    private var gathered: [[UInt8]] = []
    private var gatheredLength = 0
    private var startedBatches = 0
    private var enteredBatches = 0
    private var inFlight = 0
    private var ahead: [Int: StoredBatch] = [:]
    /// Buffers that nobody needs any more; with those in use never more than chunks in flight and one.
    var spares: [[UInt8]] = []
    private let limit: Int

    init(writer: ObjectWriter) {
        self.writer = writer
        limit = writer.chunksInFlight
        table = writer.newTable
    }

    private var isFull: Bool { inFlight >= limit || inFlight > 0 && chunkCount - table.count > writer.chunksAheadMax }

    mutating func store(_ chunk: [UInt8], in group: inout ThrowingTaskGroup<StoredBatch, any Error>) async throws {
        chunkCount += 1
        gathered.append(chunk)
        gatheredLength += chunk.count
        if gatheredLength >= writer.batchLength { try await send(&group) }
    }

    /// Waits until a chunk of this length can be sent without waiting, if it is to be sent at once.
    mutating func makeRoom(
        for length: Int, _ group: inout ThrowingTaskGroup<StoredBatch, any Error>
    ) async throws {
        guard gatheredLength + length >= writer.batchLength else { return }
        while isFull { try await receive(&group) }
    }

    private mutating func send(_ group: inout ThrowingTaskGroup<StoredBatch, any Error>) async throws {
        while isFull { try await receive(&group) }
        let (number, batch) = (startedBatches, gathered)
        group.addTask { [writer] in try await writer.store(batch, number: number) }
        startedBatches += 1
        inFlight += 1
        gathered = []
        gatheredLength = 0
    }

    mutating func drain(_ group: inout ThrowingTaskGroup<StoredBatch, any Error>) async throws {
        if !gathered.isEmpty { try await send(&group) }
        while inFlight > 0 { try await receive(&group) }
    }

    private mutating func receive(_ group: inout ThrowingTaskGroup<StoredBatch, any Error>) async throws {
        guard var stored = try await group.next() else { return }
        inFlight -= 1
        // Not kept until its turn: behind a slow chunk any number of others may be done.
        if spares.count <= limit { spares.append(stored.buffer) }
        stored.buffer = []
        ahead[stored.number] = stored
        while let next = ahead.removeValue(forKey: enteredBatches) {
            enteredBatches += 1
            for (object, length) in zip(next.objects, next.lengths) {
                try await table.append(object, length: Int64(length))
            }
        }
    }
}
