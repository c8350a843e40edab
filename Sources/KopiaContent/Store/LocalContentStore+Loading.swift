import GoFormats
import KopiaBlob
import KopiaFormat
import Synchronization

/// Finding and loading index blobs.
extension LocalContentStore {
    /// Index blobs fetched at a time, as kopia does.
    static let parallelIndexFetches = 5
    static let loadAttemptsMax = 10
    /// From so many epochs on all their index blobs are listed at once.
    static let separateEpochListsMax = 8
    private static let defaultEpochRefresh = Duration.seconds(1200)

    /// Loads the index blobs that are active now. When what is loaded is still active, only new ones are fetched.
    ///
    /// - Throws: `ContentError.Code.damagedIndex`; what the storage throws.
    public func refresh() async throws {
        let format = try await checkedFormat()
        try await indexGate.withPermit { try await loadIndexes(format) }
    }

    /// As `refresh`, unless somebody has done so within `interval`.
    func refresh(olderThan interval: Duration) async throws {
        let format = try await checkedFormat()
        try await indexGate.withPermit {
            let now = environment.uptime()
            let isFresh = state.withLock { $0.refreshedAt.map { now - $0 < interval } ?? false }
            if !isFresh { try await loadIndexes(format) }
        }
    }

    private func loadIndexes(_ format: RepositoryFormat) async throws {
        var pause = Duration.milliseconds(100)
        for attempt in 1... {
            do {
                return try await loadIndexesOnce(format)
            } catch let error as BlobError where error.code == .notFound && attempt < Self.loadAttemptsMax {
                // Compacted away between the listing and the fetch: the next listing names its replacement.
                try await environment.sleep(pause)
                pause *= 2
            } catch let error as BlobError where error.code == .notFound {
                throw ContentError(
                    .damagedIndex, blob: error.blob?.description,
                    "index blob '\(error.blob?.description ?? "")' is listed but was gone in \(attempt) attempts to read it",
                    hint: "check whether maintenance of the repository runs all the time, then try again")
            }
        }
    }

    private func loadIndexesOnce(_ format: RepositoryFormat) async throws {
        let startedAt = environment.uptime()
        let (active, watermark) = try await activeIndexBlobs(format)
        let (committed, loaded) = state.withLock { ($0.committed, $0.loadedIndexBlobs) }
        let names = Set(active.map(\.id))
        let isGrowing = loaded.isSubset(of: names)
        var merged = isGrowing ? committed : MergedIndex(hashLength: crypto.hashLength)
        let wanted = active.filter { !isGrowing || !loaded.contains($0.id) }
        let damaged = try await fetchIndexes(wanted) { merged.add($0) }
        merged.trim()
        let result = merged
        state.withLock { state in
            state.committed = result
            state.loadedIndexBlobs = names.subtracting(damaged.compactMap { $0.blob.flatMap(BlobID.init) })
            state.damagedIndexes = damaged
            state.deletionWatermark = watermark
            state.refreshedAt = startedAt
        }
    }

    /// Fetches, decrypts and reads index blobs, a few at a time; `add` is called for each as it comes.
    ///
    /// - Returns: what is wrong with those that could not be read, where the options allow to go on.
    private func fetchIndexes(
        _ blobs: [BlobMetadata], add: (PackIndex) -> Void
    ) async throws -> [ContentError] {
        var damaged: [ContentError] = []
        try await withThrowingTaskGroup(of: Result<PackIndex, ContentError>.self) { group in
            var next = 0
            func startOne() {
                guard next < blobs.count else { return }
                let blob = blobs[next]
                next += 1
                group.addTask { try await self.fetchIndex(blob) }
            }
            for _ in 0..<Self.parallelIndexFetches { startOne() }
            while let outcome = try await group.next() {
                startOne()
                switch outcome {
                case .success(let index): add(index)
                case .failure(let error):
                    guard options.skipsDamagedIndexes else { throw error }
                    damaged.append(error)
                }
            }
        }
        return damaged
    }

    @concurrent private func fetchIndex(_ blob: BlobMetadata) async throws -> Result<PackIndex, ContentError> {
        let stored = try await storage.get(blob.id)
        do {
            return .success(try PackIndex(decoding: crypto.openBlob(blob.id, stored)))
        } catch {
            let reason = (error as? FormatError)?.message ?? "\(error)"
            return .failure(
                ContentError(
                    .damagedIndex, blob: blob.id.description,
                    "index blob '\(blob.id)' of \(stored.count) bytes, stored \(blob.timestamp), cannot be read: \(reason)",
                    hint:
                        "restore the blob from a copy of the storage, or rebuild the index from the packs with 'repository recover-index'"
                ))
        }
    }

    // MARK: Which blobs

    private func activeIndexBlobs(
        _ format: RepositoryFormat
    ) async throws -> (blobs: [BlobMetadata], watermark: Int64) {
        guard format.parameters.epochParameters.isEnabled else { return (try await activeLegacyIndexBlobs(), 0) }
        let frequency = Self.epochRefreshFrequency(format)
        for _ in 1...Self.loadAttemptsMax {
            let validUntil = environment.uptime() + frequency
            let state = try await epochState()
            let uncompacted = try await uncompactedIndexBlobs(state)
            if environment.uptime() <= validUntil {
                return (state.activeIndexBlobs(uncompacted: uncompacted), state.deletionWatermark)
            }
        }
        throw ContentError(
            .tooSlow,
            "listing the index blobs of \(storage.displayName) took longer than the \(frequency) for which a listing is good",
            hint: "check the connection to the storage")
    }

    static func epochRefreshFrequency(_ format: RepositoryFormat) -> Duration {
        let nanoseconds = format.parameters.epochParameters.epochRefreshFrequencyNanoseconds
        return nanoseconds > 0 ? .nanoseconds(nanoseconds) : defaultEpochRefresh
    }

    private func epochState() async throws -> EpochState {
        async let markers = storage.list(prefix: IndexBlobName.marker)
        async let watermarks = storage.list(prefix: IndexBlobName.watermark)
        async let singles = storage.list(prefix: IndexBlobName.single)
        async let ranges = storage.list(prefix: IndexBlobName.range)
        return try await EpochState(markers: markers, watermarks: watermarks, singles: singles, ranges: ranges)
    }

    private func uncompactedIndexBlobs(_ epochs: EpochState) async throws -> [BlobMetadata] {
        guard let wanted = epochs.epochsToList(limit: Self.separateEpochListsMax) else {
            return try await storage.list(prefix: IndexBlobName.uncompacted)
        }
        return try await withThrowingTaskGroup(of: [BlobMetadata].self) { group in
            for epoch in wanted {
                group.addTask { try await self.storage.list(prefix: "\(IndexBlobName.uncompacted)\(epoch)_") }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    private func activeLegacyIndexBlobs() async throws -> [BlobMetadata] {
        // Logs first: one that appears after the indexes were listed would name outputs the listing lacks.
        let logBlobs = try await storage.list(prefix: LegacyIndexes.compactionLogPrefix)
        let indexes = try await storage.list(prefix: LegacyIndexes.indexPrefix)
        var logs: [LegacyIndexes.CompactionLog] = []
        for blob in logBlobs {
            let stored = try await storage.get(blob.id)
            do {
                logs.append(try LegacyIndexes.CompactionLog(decoding: crypto.openBlob(blob.id, stored)))
            } catch {
                let reason = (error as? FormatError)?.message ?? "\(error)"
                throw ContentError(
                    .damagedIndex, blob: blob.id.description,
                    "compaction log '\(blob.id)' of \(stored.count) bytes cannot be read: \(reason)",
                    hint: "restore the blob from a copy of the storage")
            }
        }
        return LegacyIndexes.active(indexes: indexes, logs: logs)
    }
}
