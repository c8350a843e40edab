import GoFormats
public import KopiaBlob
import KopiaFormat
import Synchronization

/// How the packs in the storage compare with what the indexes say.
public struct PackComparison: Sendable {
    /// A pack that the indexes need and the storage does not have, or has too short.
    public struct BrokenPack: Sendable, Hashable {
        public let pack: BlobID
        /// Bytes in the storage; nil when it is missing.
        public let length: Int64?
        /// Bytes that the contents in it need.
        public let neededLength: Int64
        /// Contents that the indexes place in it, deleted ones included.
        public let contentCount: Int
    }

    /// In ID order.
    public var broken: [BrokenPack] = []
    /// Packs that no index names, in ID order: left by a writer that crashed or is still running, superseded before a
    /// compaction, or the sign of a lost index blob. Contents in their local indexes that no index has tell which.
    public var unindexed: [BlobMetadata] = []
}

/// What some contents need of the pack they lie in.
public struct PackNeed: Sendable, Hashable {
    /// Bytes it must have at least.
    public private(set) var length: Int64 = 0
    public private(set) var contentCount = 0

    mutating func add(_ end: Int64) {
        length = max(length, end)
        contentCount += 1
    }
}

/// Verifying, and what to do when something is lost.
extension LocalContentStore {
    /// Lists the packs and compares them with the indexes. A lost index blob shows here and nowhere else: contents that
    /// no index names do not exist for a reader.
    ///
    /// Memory: about 150 bytes a pack.
    public func comparePacks() async throws -> PackComparison {
        _ = try await checkedFormat()
        async let data = storage.list(prefix: PackKind.data.rawValue)
        async let metadata = storage.list(prefix: PackKind.metadata.rawValue)
        var stored: [BlobID: BlobMetadata] = [:]
        for blob in try await data + metadata { stored[blob.id] = blob }
        var needed: [BlobID: (length: Int64, contentCount: Int)] = [:]
        forEachEntry { entry in
            let known = needed[entry.pack] ?? (0, 0)
            needed[entry.pack] = (max(known.length, entry.packRange.upperBound), known.contentCount + 1)
        }
        let (unfinished, indexes) = state.withLock { state in
            (
                Set(state.full.keys).union(state.filling.values.map(\.id)),
                [state.committed, state.unpublished] + [state.publishing].compactMap(\.self)
            )
        }
        // A pack may be named and not needed: all its contents are in other packs, too.
        func isNamed(_ pack: BlobID) -> Bool { indexes.contains { $0.namesPack(pack) } }
        var comparison = PackComparison()
        for (pack, need) in needed.sorted(by: { $0.key < $1.key }) where !unfinished.contains(pack) {
            let length = stored[pack]?.length
            if let length, length >= need.length { continue }
            comparison.broken.append(
                .init(pack: pack, length: length, neededLength: need.length, contentCount: need.contentCount))
        }
        comparison.unindexed = stored.values.filter { !isNamed($0.id) && !unfinished.contains($0.id) }
            .sorted { $0.id < $1.id }
        return comparison
    }

    /// Where contents lie.
    ///
    /// - Parameter needs: gets, for each pack, how many bytes it must have and how many of the contents are in it. Contents that
    ///   no index names are left out.
    public func collectPacks(of ids: [ContentID], into needs: inout [BlobID: PackNeed]) {
        let entries = state.withLock { state in ids.compactMap { state.visibleEntry($0) } }
        for entry in entries { needs[entry.pack, default: PackNeed()].add(entry.packRange.upperBound) }
    }

    /// Of some packs, those that the storage lacks or has too short: somebody lost or deleted them, and the indexes still name
    /// them. A few are asked for one by one, many are looked for in a listing first.
    ///
    /// - Returns: in ID order.
    /// - Throws: `BlobError`, `CancellationError`.
    @concurrent public func brokenPacks(among needs: [BlobID: PackNeed]) async throws -> [PackComparison.BrokenPack] {
        var suspects = needs
        if needs.count > Self.packsAskedForMax {
            for kind in [PackKind.data, .metadata] {
                for blob in try await storage.list(prefix: kind.rawValue) {
                    if let need = needs[blob.id], blob.length >= need.length { suspects[blob.id] = nil }
                }
            }
        }
        var broken: [PackComparison.BrokenPack] = []
        for (pack, need) in suspects.sorted(by: { $0.key < $1.key }) {
            var length: Int64?
            do {
                length = try await storage.metadata(of: pack).length
            } catch let error as BlobError where error.code == .notFound {}
            if let length, length >= need.length { continue }
            broken.append(
                .init(pack: pack, length: length, neededLength: need.length, contentCount: need.contentCount))
        }
        return broken
    }

    private static var packsAskedForMax: Int { 16 }

    /// The index blobs that count now; those that could not be read are left out.
    public var activeIndexBlobs: Set<BlobID> { state.withLock { $0.loadedIndexBlobs } }

    /// The pack a content lies in; nil when no index names it.
    public func pack(of id: ContentID) -> BlobID? { state.withLock { $0.visibleEntry(id) }?.pack }

    /// The entries of the index that every pack carries at its end: what a lost index blob said about it.
    ///
    /// - Throws: `ContentError.Code.damaged` when the pack has no intact local index.
    @concurrent public func localIndex(ofPack pack: BlobID) async throws -> [IndexEntry] {
        let length = try await storage.metadata(of: pack).length
        func damaged(_ reason: String) -> ContentError {
            ContentError(
                .damaged, blob: pack.description,
                "the local index of pack '\(pack)' of \(length) bytes cannot be read: \(reason)",
                hint: "the contents of this pack can only be found through index blobs")
        }
        do {
            let tail = try await storage.get(pack, range: max(0, length - Int64(PackTrailer.lengthMax))..<length)
            let trailer = try PackTrailer(tail: tail, packLength: length)
            let end = trailer.localIndexOffset + trailer.localIndexLength
            let stored = try await storage.get(pack, range: trailer.localIndexOffset..<end)
            let plaintext = try crypto.decrypt(stored, iv: EncryptionIV(trailer.localIndexIV))
            return try PackIndex(decoding: plaintext).entries
        } catch let error as IndexError {
            throw damaged(error.description)
        } catch let error as FormatError {
            throw damaged(error.message)
        }
    }

    /// Takes entries found in packs into the index; `flush` publishes them. They keep their timestamps, so that
    /// deletions recorded elsewhere still win or lose.
    public func addRecovered(_ entries: [IndexEntry]) throws {
        try requireWritable()
        state.withLock { state in
            state.unpublished.add(entries.filter { state.entry($0.id).map($0.supersedes) ?? true })
        }
    }

    /// Writes deleted contents again, so that garbage collection leaves them alone: for contents that a snapshot about
    /// to be published refers to. Contents that are not deleted are left as they are.
    ///
    /// - Returns: how many were written again.
    /// - Throws: `ContentError.Code.notFound` when a content does not exist any more.
    @concurrent public func undelete(_ ids: [ContentID]) async throws -> Int {
        try requireWritable()
        var count = 0
        for id in ids {
            if let entry = state.withLock({ $0.visibleEntry(id) }), !entry.isDeleted { continue }
            let plaintext = try await read(id)
            guard let entry = state.withLock({ $0.visibleEntry(id) }), entry.isDeleted else { continue }
            try await rewrite(plaintext, replacing: entry)
            count += 1
        }
        return count
    }

    /// Marks contents as deleted, as garbage collection does; `flush` publishes it. They stay readable until a deletion
    /// watermark passes them. Contents that are absent or deleted are left as they are.
    ///
    /// - Precondition: what was written has been flushed, so that every entry names a durable pack.
    public func markDeleted(_ ids: [ContentID]) throws {
        try requireWritable()
        let now = environment.now().seconds
        state.withLock { state in
            var deletions: [IndexEntry] = []
            for id in ids {
                guard var entry = state.visibleEntry(id), !entry.isDeleted, state.pendingEntries[id] == nil else {
                    continue
                }
                entry.isDeleted = true
                entry.timestampSeconds = max(now, entry.timestampSeconds + 1)
                deletions.append(entry)
            }
            state.unpublished.add(deletions)
        }
    }
}
