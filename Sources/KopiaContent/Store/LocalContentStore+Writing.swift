import GoFormats
import KopiaBlob
import KopiaFormat
import Synchronization

/// Writing contents into packs and packs into the storage.
extension LocalContentStore {
    @concurrent public func write(
        _ plaintext: [UInt8], prefix: UInt8, compression: UInt32
    ) async throws -> ContentID {
        try await write([plaintext], prefix: prefix, compression: compression)[0]
    }

    @concurrent public func write(
        _ plaintexts: [[UInt8]], prefix: UInt8, compression: UInt32
    ) async throws -> [ContentID] {
        try requireWritable()
        for plaintext in plaintexts { try Self.checkLength(plaintext) }
        let ids = try crypto.hashes(plaintexts).map { ContentID(prefix: prefix, hash: $0) }
        for (plaintext, id) in zip(plaintexts, ids) {
            try await storeUnlessThere(plaintext, id, try await prepareToWrite(), compression: compression)
        }
        return ids
    }

    private static func checkLength(_ plaintext: [UInt8]) throws(ContentError) {
        guard plaintext.count < 1 << 28 - 64 else {
            throw ContentError(
                .unsupported,
                "a content of \(plaintext.count) bytes is too long: the limit is 2^28 bytes with its encryption")
        }
    }

    private func storeUnlessThere(
        _ plaintext: [UInt8], _ id: ContentID, _ format: RepositoryFormat, compression: UInt32
    ) async throws {
        let known = state.withLock { state -> IndexEntry? in
            state.statistics.bytesWritten += Int64(plaintext.count)
            let known = state.entry(id)
            if let known, !known.isDeleted { state.statistics.bytesDeduplicated += Int64(plaintext.count) }
            return known
        }
        if let known, !known.isDeleted { return }
        try await store(plaintext, id, format, compression: compression, replacing: known)
    }

    /// Appends a content again that is there already.
    func rewrite(_ plaintext: [UInt8], replacing entry: IndexEntry) async throws {
        let format = try await prepareToWrite()
        try await store(plaintext, entry.id, format, compression: entry.compression, replacing: entry)
    }

    /// Compresses, encrypts and appends a content to the open pack of its kind.
    ///
    /// - Parameter replacing: the entry that is there, deleted, or to be moved; its timestamp is passed.
    private func store(
        _ plaintext: [UInt8], _ id: ContentID, _ format: RepositoryFormat, compression: UInt32, replacing: IndexEntry?
    ) async throws {
        let wish = format.parameters.indexVersion >= 2 ? compression : 0
        var compressed = try crypto.compress(plaintext, headerID: wish)
        let reserved = try await reserveRoom(crypto.encryptedLength(of: compressed.bytes.count))
        defer { freeRoom(reserved) }
        let encrypted = try crypto.encryptInPieces(compressed.bytes.span.bytes, iv: EncryptionIV(hash: id.hash))
        // Without compression it is the caller's own array.
        if compressed.headerID != 0 { crypto.reuse(&compressed.bytes) }
        let header = compressed.headerID
        let next = try state.withLock { state -> NextStep? in
            if let current = state.entry(id), current != replacing, !current.isDeleted {
                state.statistics.bytesDeduplicated += Int64(plaintext.count)
                return nil
            }
            let kind = PackKind(prefix: id.prefix)
            var pack = try state.filling.removeValue(forKey: kind) ?? newPack(kind, format, &state)
            let entry = pack.append(
                encrypted,
                IndexEntry(
                    id: id, pack: pack.id, packOffset: 0, packedLength: 0, originalLength: UInt32(plaintext.count),
                    timestampSeconds: max(environment.now().seconds, (replacing?.timestampSeconds ?? -1) + 1, 0),
                    formatVersion: UInt8(truncatingIfNeeded: format.parameters.version),
                    compression: header))
            state.pendingEntries[id] = entry
            if state.indexFlushedAt == nil { state.indexFlushedAt = environment.uptime() }
            guard pack.length >= packSize else {
                state.filling[kind] = pack
                return pack.completeLength >= drainLength ? .drain(pack.id) : nil
            }
            state.full[pack.id] = FullPack(builder: pack)
            return .upload(pack.id)
        }
        switch next {
        case .upload(let pack): startUpload(pack)
        case .drain(let pack): startDrain(pack)
        case nil: break
        }
    }

    private enum NextStep {
        case upload(BlobID), drain(BlobID)
    }

    private func newPack(
        _ kind: PackKind, _ format: RepositoryFormat, _ state: inout StoreState
    ) throws -> PackBuilder {
        let replica = try format.packReplicaFrame()
        let session = state.session ?? WriteSession(random: environment.randomBytes(8), now: environment.now())
        state.session = session
        state.sessions[session.id] = session
        let name = "\(kind.rawValue)\(hexadecimal(environment.randomBytes(16)))-\(session.id)"
        guard let id = BlobID(name) else { preconditionFailure("hex digits and a session ID make a blob ID") }
        return PackBuilder(id: id, replica: replica, size: packSize, randomBytes: environment.randomBytes)
    }

    // MARK: Before each write

    /// Failed packs first, then room for another, a format and indexes that are not too old, and an index flush if due.
    private func prepareToWrite() async throws -> RepositoryFormat {
        let format = try await checkedFormat()
        try await waitForRoom()
        let now = environment.uptime()
        let (isRefreshDue, isFlushDue) = state.withLock { state -> (Bool, Bool) in
            let isRefreshDue = state.refreshedAt.map { now - $0 >= Self.indexRefreshInterval } ?? true
            // Claimed here so that of many tasks one does it: each flush ends the packs that are being filled.
            let isFlushDue =
                !state.isFlushClaimed
                && (state.indexFlushedAt.map { now - $0 >= Self.indexFlushInterval } ?? false
                    || state.unpublished.entryCount >= Self.unpublishedEntriesMax)
            if isFlushDue { state.isFlushClaimed = true }
            return (isRefreshDue, isFlushDue)
        }
        defer { if isFlushDue { state.withLock { $0.isFlushClaimed = false } } }
        if isRefreshDue { try await refresh(olderThan: Self.indexRefreshInterval) }
        if isFlushDue { try await flush() }
        return format
    }

    /// Returns once fewer than `packsInFlightMax` packs wait for the storage, and these and the ones being filled hold
    /// less than `packsInFlightMax` times the size of a pack.
    private func waitForRoom() async throws {
        while true {
            try Task.checkCancellation()
            try await retryFailedPacks()
            let packs = options.packsInFlightMax
            let bytes = packs * packSize
            let isFull = { @Sendable (state: StoreState) in
                state.full.count >= packs || (!state.full.isEmpty && state.packBytesInMemory >= bytes)
            }
            if !state.withLock({ isFull($0) }) { return }
            await waitForUpload { isFull($0) && $0.failed.isEmpty }
        }
    }

    /// Suspends until an upload or a drain makes progress, the state no longer asks for it, or the task is cancelled.
    func waitForUpload(while isNeeded: @Sendable (StoreState) -> Bool) async {
        let number = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let mustWait = state.withLock { state in
                    guard !Task.isCancelled, isNeeded(state) else { return false }
                    state.waiters[number] = continuation
                    return true
                }
                if !mustWait { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: number) }?.resume()
        }
    }

    /// Returns once none of these packs is being uploaded; whether they are durable then is not said.
    ///
    /// - Throws: `CancellationError` as soon as the task is cancelled; the uploads go on.
    func waitForUploads(_ packs: Set<BlobID>) async throws {
        while true {
            try Task.checkCancellation()
            if state.withLock({ packs.isDisjoint(with: $0.uploads.keys) }) { return }
            await waitForUpload { !packs.isDisjoint(with: $0.uploads.keys) }
        }
    }

    // MARK: Uploads

    /// Owned by the store: `flush` and `close` await it.
    func startUpload(_ id: BlobID) {
        state.withLock { state in
            state.uploads[id] = Task { await self.upload(id) }
        }
    }

    private func upload(_ id: BlobID) async {
        await state.withLock { $0.drains[id] }?.value
        var failure: (any Error)?
        do { try await put(id) } catch { failure = error }
        let waiters = state.withLock { state in
            if let failure { state.failed[id] = failure } else { state.packIsDurable(id) }
            state.uploads[id] = nil
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Puts the session marker if there is none, then the pack: what its writer has not got, or the whole.
    @concurrent private func put(_ id: BlobID) async throws {
        let format = try await checkedFormat()
        guard let tail = try finish(id, format) else { return }
        if let session = Self.sessionID(of: id) { try await ensureMarker(session) }
        guard let writer = state.withLock({ $0.full[id] == nil ? nil : $0.writers[id] }) else {
            return try await putWhole(id, tail, format)
        }
        let length = try await handOver(id, tail, to: writer)
        try await writer.finish()
        state.withLock { $0.statistics.bytesUploaded += Int64(length) }
    }

    private func putWhole(_ id: BlobID, _ tail: [UInt8], _ format: RepositoryFormat) async throws {
        guard let builder = state.withLock({ $0.full[id]?.builder }) else { return }
        guard builder.releasedLength == 0 else {
            throw ContentError(.notCommitted, blob: id.description, "pack '\(id)' was given up: the store is closed")
        }
        try await storage.put(
            id, pieces: builder.pieces + [tail], retention: BlobRetention.covers(id) ? format.retention : nil)
        state.withLock { $0.statistics.bytesUploaded += Int64(builder.length + tail.count) }
    }

    /// Gives a full pack's writer what it has not got. A function of its own, so that nothing holds the pieces during the
    /// sync that follows.
    ///
    /// - Returns: bytes of the whole pack.
    private func handOver(_ id: BlobID, _ tail: [UInt8], to writer: any BlobWriter) async throws -> Int {
        guard let builder = state.withLock({ $0.full[id]?.builder }) else { return 0 }
        try await writer.write(builder.pieces + [tail], at: Int64(builder.releasedLength))
        let waiters = state.withLock { state in
            state.release(builder.pieces.count, of: id)
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.resume() }
        return builder.length + tail.count
    }

    /// What follows the contents of a full pack. It is kept, so that a retry puts the same bytes under the same name.
    private func finish(_ id: BlobID, _ format: RepositoryFormat) throws -> [UInt8]? {
        guard let pack = state.withLock({ $0.full[id] }) else { return nil }
        if let tail = pack.tail { return tail }
        let version: PackIndex.Version = format.parameters.indexVersion >= 2 ? .v2 : .v1
        let tail = try pack.builder.tail(version, randomBytes: environment.randomBytes) { localIndex in
            let hash = try crypto.hash(localIndex)
            return (hash, try crypto.encrypt(localIndex, iv: EncryptionIV(hash)))
        }
        state.withLock { $0.full[id]?.tail = tail }
        return tail
    }

    func put(_ id: BlobID, _ bytes: [UInt8], _ format: RepositoryFormat) async throws {
        try await storage.put(id, bytes, retention: BlobRetention.covers(id) ? format.retention : nil)
        state.withLock { $0.statistics.bytesUploaded += Int64(bytes.count) }
    }

    /// Tries packs again whose upload failed: the same bytes under the same name.
    ///
    /// - Throws: what the storage says this time.
    func retryFailedPacks() async throws {
        let failed = state.withLock { state in
            defer { state.failed = [:] }
            return Set(state.failed.keys)
        }
        if failed.isEmpty { return }
        for id in failed { startUpload(id) }
        try await waitForUploads(failed)
        let failure = state.withLock { $0.failed.first { failed.contains($0.key) }?.value }
        if let failure { throw failure }
    }

    // MARK: Session markers

    static func sessionID(of pack: BlobID) -> String? {
        pack.description.split(separator: "-").dropFirst().first { $0.hasPrefix("s") }.map(String.init)
    }

    /// The marker is durable before the first pack of its session.
    private func ensureMarker(_ sessionID: String) async throws {
        try await markerGate.withPermit {
            let session = state.withLock { state in state.markers[sessionID] == nil ? state.sessions[sessionID] : nil }
            guard let session else { return }
            let marker = session.marker(username: options.username, hostname: options.hostname)
            let sealed = try crypto.sealBlob(prefix: "s", suffix: sessionID, plaintext: marker)
            try await put(sealed.id, sealed.bytes, format)
            state.withLock { $0.markers[sessionID] = sealed.id }
        }
    }
}
