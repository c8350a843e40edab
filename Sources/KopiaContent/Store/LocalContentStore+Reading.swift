import KopiaBlob
import KopiaFormat
import Synchronization

/// Looking up and reading contents.
extension LocalContentStore {
    /// Bytes between two contents of a pack that are fetched along rather than asked for separately.
    static let coalescingGapMax: Int64 = 64 << 10
    /// Bytes of one ranged read.
    static let coalescedBytesMax: Int64 = 16 << 20
    /// Encrypted bytes that one task decrypts.
    static let decodingBatchBytes = 512 << 10
    /// Ranged reads at a time.
    static let parallelReads = 8

    public func info(_ id: ContentID) async throws -> ContentInfo? {
        state.withLock { $0.visibleEntry(id) }.map(ContentInfo.init)
    }

    public func list(prefix: UInt8) async throws -> [ContentInfo] {
        var found: [ContentInfo] = []
        forEachEntry(prefix: prefix) { if !$0.isDeleted { found.append(ContentInfo($0)) } }
        return found
    }

    /// Calls `body` for the entry of each content that the watermark does not hide, deleted ones included, in ID order.
    ///
    /// - Parameter prefix: only contents with this prefix byte; nil for all.
    public func forEachEntry(prefix: UInt8? = nil, _ body: (IndexEntry) throws -> Void) rethrows {
        let (committed, recent, pending, watermark) = state.withLock { state in
            (
                state.committed, [state.publishing, state.unpublished], Array(state.pendingEntries.values),
                state.deletionWatermark
            )
        }
        var index = committed
        for more in recent {
            var entries: [IndexEntry] = []
            more?.forEach(prefix: prefix) { entries.append($0) }
            index.add(entries)
        }
        index.add(pending)
        try index.forEach(prefix: prefix) { entry in
            if !entry.isHidden(byWatermark: watermark) { try body(entry) }
        }
    }

    @concurrent public func read(_ id: ContentID) async throws -> [UInt8] {
        _ = try await checkedFormat()
        guard let found = state.withLock({ $0.visibleEntry(id) }) else {
            try await refresh(olderThan: Self.refreshOnMissInterval)
            guard let found = state.withLock({ $0.visibleEntry(id) }) else { throw notFound(id) }
            return try decode(found, try await fetch(found))
        }
        do {
            return try decode(found, try await fetch(found))
        } catch let error as BlobError where error.code == .notFound {
            // The index is older than a maintenance run that moved the content, or the pack is lost.
            try await refresh(olderThan: .zero)
            guard let current = state.withLock({ $0.visibleEntry(id) }) else { throw notFound(id) }
            do {
                return try decode(current, try await fetch(current))
            } catch let error as BlobError where error.code == .notFound {
                throw damaged(current, "the pack is missing in \(storage.displayName)")
            }
        }
    }

    /// Contents of a pack that lie within `coalescingGapMax` of each other are fetched by one request; requests and
    /// decryption run in parallel.
    @concurrent public func read(_ ids: [ContentID]) async throws -> [[UInt8]] {
        _ = try await checkedFormat()
        let (spans, single) = plan(ids)
        var plaintexts: [[UInt8]] = Array(repeating: [], count: ids.count)
        try await withThrowingTaskGroup(of: [(Int, [UInt8])].self) { group in
            var running = 0
            func collectOne() async throws {
                guard let results = try await group.next() else { return }
                running -= 1
                for (position, plaintext) in results { plaintexts[position] = plaintext }
            }
            for span in spans {
                if running >= Self.parallelReads { try await collectOne() }
                group.addTask { try await self.read(span) }
                running += 1
            }
            for position in single {
                if running >= Self.parallelReads { try await collectOne() }
                group.addTask { [(position, try await self.read(ids[position]))] }
                running += 1
            }
            while running > 0 { try await collectOne() }
        }
        return plaintexts
    }

    // MARK: Ranges of packs

    /// Contents that one request fetches.
    struct PackSpan: Sendable {
        var pack: BlobID
        var range: Range<Int64>
        var items: [Item]

        struct Item: Sendable {
            /// In the list that was asked for.
            var position: Int
            var entry: IndexEntry
        }
    }

    /// Sorts the contents into spans; what is not found or not in the storage yet is read one by one.
    func plan(_ ids: [ContentID]) -> (spans: [PackSpan], single: [Int]) {
        var single: [Int] = []
        var items: [PackSpan.Item] = []
        state.withLock { state in
            for (position, id) in ids.enumerated() {
                if let entry = state.visibleEntry(id), state.pendingEntries[id] == nil {
                    items.append(PackSpan.Item(position: position, entry: entry))
                } else {
                    single.append(position)
                }
            }
        }
        items.sort { ($0.entry.pack, $0.entry.packOffset) < ($1.entry.pack, $1.entry.packOffset) }
        var spans: [PackSpan] = []
        for item in items {
            let range = item.entry.packRange
            if let last = spans.last, last.pack == item.entry.pack,
                range.lowerBound - last.range.upperBound <= Self.coalescingGapMax,
                max(range.upperBound, last.range.upperBound) - last.range.lowerBound <= Self.coalescedBytesMax
            {
                spans[spans.count - 1].range = last.range.lowerBound..<max(range.upperBound, last.range.upperBound)
                spans[spans.count - 1].items.append(item)
            } else {
                spans.append(PackSpan(pack: item.entry.pack, range: range, items: [item]))
            }
        }
        return (spans, single)
    }

    /// When the request as a whole fails, each content is read by itself: that finds a moved one, and says exactly
    /// which one is damaged.
    @concurrent private func read(_ span: PackSpan) async throws -> [(Int, [UInt8])] {
        let bytes: [UInt8]
        do {
            bytes = try await storage.get(span.pack, range: span.range)
            guard bytes.count == span.range.count else {
                throw BlobError(.invalidRange, blob: span.pack, "pack '\(span.pack)' is shorter than its index says")
            }
        } catch let error as BlobError where error.code == .notFound || error.code == .invalidRange {
            var results: [(Int, [UInt8])] = []
            for item in span.items { results.append((item.position, try await read(item.entry.id))) }
            return results
        }
        return try await withThrowingTaskGroup(of: [(Int, [UInt8])].self) { group in
            for batch in batches(span) {
                group.addTask {
                    try batch.map { ($0.position, try self.decode($0.entry, in: bytes, of: span)) }
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    private func decode(_ entry: IndexEntry, in bytes: [UInt8], of span: PackSpan) throws -> [UInt8] {
        let start = Int(entry.packRange.lowerBound - span.range.lowerBound)
        let stored = bytes.span.bytes
        return try decode(entry, stored.extracting(start..<(start + Int(entry.packedLength))))
    }

    /// The contents of a span in pieces that keep a core busy long enough to be worth a task.
    private func batches(_ span: PackSpan) -> [ArraySlice<PackSpan.Item>] {
        var batches: [ArraySlice<PackSpan.Item>] = []
        var start = 0
        var length = 0
        for (position, item) in span.items.enumerated() {
            length += Int(item.entry.packedLength)
            guard length >= Self.decodingBatchBytes else { continue }
            batches.append(span.items[start...position])
            start = position + 1
            length = 0
        }
        if start < span.items.count { batches.append(span.items[start...]) }
        return batches
    }

    /// The stored bytes of a content, from the storage or from a pack that is not there yet.
    func fetch(_ entry: IndexEntry) async throws -> [UInt8] {
        do {
            switch state.withLock({ $0.pendingBytes(entry) }) {
            case .here(let bytes): return bytes
            case .written(let writer, let range): return try await writer.read(range)
            case nil: break
            }
            let bytes = try await storage.get(entry.pack, range: entry.packRange)
            guard bytes.count == Int(entry.packedLength) else {
                throw damaged(entry, "the storage returned \(bytes.count) bytes")
            }
            return bytes
        } catch let error as BlobError where error.code == .invalidRange {
            throw damaged(entry, "the pack ends before it: \(error.message)")
        }
    }

    /// Decrypts and decompresses.
    ///
    /// - Throws: `ContentError.Code.damaged`.
    func decode(_ entry: IndexEntry, _ stored: [UInt8]) throws -> [UInt8] { try decode(entry, stored.span.bytes) }

    private func decode(_ entry: IndexEntry, _ stored: RawSpan) throws -> [UInt8] {
        guard entry.encryptionKeyID == 0 else {
            throw damaged(entry, "its index entry names encryption key \(entry.encryptionKeyID), only 0 exists")
        }
        do {
            let decrypted = try crypto.decrypt(stored, iv: EncryptionIV(hash: entry.id.hash))
            guard entry.compression != 0 else {
                guard decrypted.count == Int(entry.originalLength) else {
                    throw damaged(
                        entry, "it has \(decrypted.count) bytes where the index says \(entry.originalLength)")
                }
                return decrypted
            }
            return try crypto.decompress(
                decrypted, headerID: entry.compression, expectedLength: Int(entry.originalLength))
        } catch let error as FormatError where error.code == .unsupported {
            throw ContentError(
                .unsupported, content: entry.id, blob: entry.pack.description,
                "content \(entry.id) of pack '\(entry.pack)' cannot be read: \(error.message)", hint: error.hint)
        } catch let error as FormatError {
            throw damaged(entry, error.message)
        }
    }

    // MARK: Errors

    private func notFound(_ id: ContentID) -> ContentError {
        ContentError(
            .notFound, content: id, "content \(id) is in no index of \(storage.displayName)",
            hint: "an index blob may be missing; 'repository recover-index' rebuilds indexes from packs")
    }

    func damaged(_ entry: IndexEntry, _ reason: String) -> ContentError {
        ContentError(
            .damaged, content: entry.id, blob: entry.pack.description,
            "content \(entry.id), \(entry.packedLength) bytes at offset \(entry.packOffset) of pack '\(entry.pack)', cannot be read: \(reason)",
            hint: "restore the pack from a copy of the storage; other contents are not affected")
    }
}

extension IndexEntry {
    /// Where the content lies in its pack.
    var packRange: Range<Int64> { Int64(packOffset)..<(Int64(packOffset) + Int64(packedLength)) }
}

extension ContentInfo {
    init(_ entry: IndexEntry) {
        self.init(
            id: entry.id, originalLength: Int64(entry.originalLength), packedLength: Int64(entry.packedLength),
            isDeleted: entry.isDeleted)
    }
}
