import KopiaBlob
import KopiaFormat
import Synchronization

/// Publishing: packs, then indexes.
extension LocalContentStore {
    static let verifyAttemptsMax = 5
    static let writeEpochRefreshesMax = 20

    @concurrent public func flush() async throws {
        if options.isReadOnly { return }
        try await flushGate.withPermit { try await flushSerially() }
    }

    private func flushSerially() async throws {
        let format = try await checkedFormat()
        let (detached, session) = state.withLock { state -> ([BlobID], WriteSession?) in
            // From here on writes go to new packs of a new session: they belong to the next flush.
            let packs = Array(state.filling.values)
            state.filling = [:]
            for pack in packs { state.full[pack.id] = FullPack(builder: pack) }
            defer { state.session = nil }
            return (packs.map(\.id), state.session)
        }
        for id in detached { startUpload(id) }
        do {
            try await waitForUploads(state.withLock { Set($0.full.keys) })
            try await retryFailedPacks()
            try await publish(format, session)
        } catch {
            // The session goes on, so that the next attempt writes under the same names.
            state.withLock { $0.session = $0.session ?? session }
            throw error
        }
    }

    /// Writes the index of everything whose packs are durable.
    private func publish(_ format: RepositoryFormat, _ session: WriteSession?) async throws {
        let publishing = state.withLock { state -> MergedIndex in
            let publishing = state.unpublished
            state.publishing = publishing
            state.unpublished = MergedIndex(hashLength: crypto.hashLength)
            return publishing
        }
        guard publishing.entryCount > 0 else {
            state.withLock { $0.publishing = nil }
            return
        }
        do {
            let written = try await writeIndex(publishing, format, session)
            try await verifyListed(written)
            try await commit(publishing, written)
        } catch {
            state.withLock { state in
                state.publishing = nil
                for part in MergedIndex.parts { state.unpublished.add(publishing, part: part) }
            }
            throw error
        }
        await removeMarkers()
    }

    private func commit(_ publishing: MergedIndex, _ written: [BlobID: Int]) async throws {
        // Merged outside the lock: readers go on with the old table meanwhile. Part by part: of each only the old or the new
        // one stays, and what is in neither is found in `publishing`.
        let mergeIn: @Sendable (MergedIndex, Int) -> MergedIndex = { committed, part in
            var merged = committed
            merged.add(publishing, part: part)
            return merged
        }
        try await indexGate.withPermit {
            for part in MergedIndex.parts {
                let merged = mergeIn(state.withLock { $0.committed }, part)
                state.withLock { $0.committed = merged }
            }
            state.withLock { state in
                state.loadedIndexBlobs.formUnion(written.keys)
                state.publishing = nil
                state.indexFlushedAt = state.pendingEntries.isEmpty ? nil : environment.uptime()
            }
        }
    }

    /// Removes the markers of sessions all of whose packs are published. A marker that cannot be removed is left to
    /// maintenance: the contents are published either way.
    private func removeMarkers() async {
        let finished = state.withLock { state -> [BlobID] in
            let open = Set(
                (state.full.keys.map(\.self) + state.filling.values.map(\.id)).compactMap(Self.sessionID)
                    + [state.session?.id].compactMap(\.self))
            let done = state.markers.filter { !open.contains($0.key) && state.unpublished.entryCount == 0 }
            for id in done.keys {
                state.markers[id] = nil
                state.sessions[id] = nil
            }
            return Array(done.values)
        }
        for marker in finished { try? await storage.delete(marker) }
    }

    // MARK: Index blobs

    /// - Returns: the blobs written and their lengths.
    private func writeIndex(
        _ entries: MergedIndex, _ format: RepositoryFormat, _ session: WriteSession?
    ) async throws -> [BlobID: Int] {
        let version: PackIndex.Version = format.parameters.indexVersion >= 2 ? .v2 : .v1
        var shards = try IndexEncoder.encode(entries, version)
        let sessionID =
            session?.id ?? WriteSession(random: environment.randomBytes(8), now: environment.now()).id
        guard format.parameters.epochParameters.isEnabled else {
            return try await writeLegacyIndex(shards, sessionID, format)
        }
        var names: [String] = []
        var bodies: [[UInt8]] = []
        for number in shards.indices {
            // The epoch is put in front of the name when it is known; name and bytes do not depend on it.
            let sealed = try crypto.sealBlob(
                prefix: "", suffix: "\(sessionID)-c\(shards.count)", plaintext: shards[number])
            // It is not needed any more, the sealed one is until it is stored.
            shards[number] = []
            names.append(sealed.id.description)
            bodies.append(sealed.bytes)
        }
        return try await writeEpochIndex(names, bodies, format)
    }

    private func writeLegacyIndex(
        _ shards: [[UInt8]], _ sessionID: String, _ format: RepositoryFormat
    ) async throws -> [BlobID: Int] {
        var written: [BlobID: Int] = [:]
        for shard in shards {
            let sealed = try crypto.sealBlob(prefix: LegacyIndexes.indexPrefix, suffix: sessionID, plaintext: shard)
            try await put(sealed.id, sealed.bytes, format)
            written[sealed.id] = sealed.bytes.count
        }
        return written
    }

    private func writeEpochIndex(
        _ names: [String], _ bodies: [[UInt8]], _ format: RepositoryFormat
    ) async throws -> [BlobID: Int] {
        let frequency = Self.epochRefreshFrequency(format)
        var write = EpochIndexWrite(names: names, refreshFrequency: frequency)
        var listing = state.withLock { $0.writeEpoch }
        var written: [BlobID: Int] = [:]
        var refreshes = 0
        while true {
            switch write.next(listing, now: environment.uptime()) {
            case .refresh:
                refreshes += 1
                guard refreshes <= Self.writeEpochRefreshesMax else {
                    try await discard(written)
                    throw ContentError(
                        .notCommitted,
                        "the index could not be written: a listing of the epochs is good for \(frequency), and \(refreshes - 1) were too slow or found a new epoch",
                        hint: "check the connection to the storage, then write again")
                }
                let fresh = try await listWriteEpoch(frequency)
                listing = fresh
                state.withLock { $0.writeEpoch = fresh }
            case .delete(let stale):
                try await discard(written.filter { stale.contains($0.key) })
                for id in stale { written[id] = nil }
            case .put(let id, let shard):
                // Counted before it is known to be there: if it fails, it may be there all the same.
                written[id] = bodies[shard].count
                do { try await put(id, bodies[shard], format) } catch {
                    try? await discard(written)
                    throw error
                }
            case .done: return written
            case .tooSlow(let writtenEpoch, let currentEpoch):
                throw ContentError(
                    .notCommitted,
                    "the index was written in epoch \(writtenEpoch), but epoch \(currentEpoch) has begun meanwhile: it was removed, nothing is published",
                    hint: "the storage is extremely slow or this machine slept; write again")
            }
        }
    }

    private func discard(_ written: [BlobID: Int]) async throws {
        for id in written.keys { try await storage.delete(id) }
    }

    private func listWriteEpoch(_ frequency: Duration) async throws -> EpochIndexWrite.Listing {
        let validUntil = environment.uptime() + frequency
        let markers = try await storage.list(prefix: IndexBlobName.marker)
        let epochs = EpochState(markers: markers, watermarks: [], singles: [], ranges: [])
        return EpochIndexWrite.Listing(writeEpoch: epochs.writeEpoch, validUntil: validUntil)
    }

    /// An index blob that the storage does not list does not exist for anybody else.
    private func verifyListed(_ written: [BlobID: Int]) async throws {
        for (id, length) in written {
            var pause = Duration.milliseconds(200)
            for attempt in 1... {
                let found = try await storage.list(prefix: id.description).first { $0.id == id }
                if let found, found.length == Int64(length) { break }
                guard attempt < Self.verifyAttemptsMax else {
                    throw ContentError(
                        .notCommitted, blob: id.description,
                        "index blob '\(id)' of \(length) bytes was written, but \(storage.displayName) \(found.map { "lists it with \($0.length) bytes" } ?? "does not list it")",
                        hint: "the storage may be inconsistent; check it, then write again")
                }
                try await environment.sleep(pause)
                pause *= 2
            }
        }
    }
}
