import KopiaBlob
import KopiaFormat
import Synchronization

/// Handing packs over while they fill, to a storage that takes blobs in parts: their bytes leave memory early, and the
/// sync at their end has little to wait for.
extension LocalContentStore {
    var packSize: Int { options.packSize ?? format.parameters.maxPackSize }

    /// A pack gets a writer, and its writer more, once it holds so many bytes that do not change any more; a smaller one is
    /// put as a whole. Never where the storage takes no parts, or must promise to keep the pack.
    var drainLength: Int { isDraining ? max(1, packSize / 20) : Int.max }

    private var isDraining: Bool { storage.takesBlobsInParts && format.retention == nil }

    /// Encrypted bytes in memory while packs are handed over: `write` waits before it encrypts a content that would pass
    /// this, unless nothing is under way that could make room. Of a longer content only two thirds of this count, or it would
    /// wait until nothing else is there: at most 1/15 of a pack and the longest content.
    private var packBytesMax: Int { packSize / 5 }

    /// Waits for room for the encrypted form of a content.
    ///
    /// - Returns: what to give to `freeRoom`.
    func reserveRoom(_ count: Int) async throws -> Int {
        guard isDraining else { return 0 }
        let bytes = packBytesMax
        while true {
            try Task.checkCancellation()
            let isReserved = state.withLock { state in
                guard !Self.mustWait(state, for: count, bytes) else { return false }
                state.reservedBytes += count
                return true
            }
            if isReserved { return count }
            await waitForUpload { Self.mustWait($0, for: count, bytes) }
        }
    }

    private static func mustWait(_ state: StoreState, for count: Int, _ bytes: Int) -> Bool {
        guard !state.drains.isEmpty || !state.uploads.isEmpty || state.reservedBytes > 0 else { return false }
        return state.packBytesInMemory + state.reservedBytes + min(count, bytes / 3 * 2) > bytes
    }

    /// The bytes are in a pack now, or given up.
    func freeRoom(_ count: Int) {
        guard count > 0 else { return }
        let waiters = state.withLock { state in
            state.reservedBytes -= count
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Owned by the store: the pack's upload and `close` await it.
    func startDrain(_ id: BlobID) {
        state.withLock { state in
            guard state.drains[id] == nil, state.filling.values.contains(where: { $0.id == id }) else { return }
            state.drains[id] = Task { await self.drain(id) }
        }
    }

    private func drain(_ id: BlobID) async {
        do {
            while let (pieces, offset) = nextPieces(id) {
                try await writer(id).write(pieces, at: Int64(offset))
                let waiters = state.withLock { state in
                    state.release(pieces.count, of: id)
                    return state.takeWaiters()
                }
                for waiter in waiters { waiter.resume() }
            }
        } catch {
            giveUp(id, error)
        }
    }

    /// Nil ends the drain: the pack is full, and its upload takes the rest, or there is little to write yet.
    private func nextPieces(_ id: BlobID) -> (pieces: [[UInt8]], offset: Int)? {
        let length = drainLength
        let (next, waiters) = state.withLock {
            state -> ((pieces: [[UInt8]], offset: Int)?, [CheckedContinuation<Void, Never>]) in
            if let pack = state.filling.values.first(where: { $0.id == id }), pack.completeLength >= length {
                return ((Array(pack.completePieces), pack.releasedLength), [])
            }
            state.drains[id] = nil
            return (nil, state.takeWaiters())
        }
        for waiter in waiters { waiter.resume() }
        return next
    }

    private func writer(_ id: BlobID) async throws -> any BlobWriter {
        if let writer = state.withLock({ $0.writers[id] }) { return writer }
        guard let writer = try await storage.makeWriter(id) else {
            throw BlobError(.unsupported, blob: id, "\(storage.displayName) does not take blob '\(id)' in parts")
        }
        state.withLock { $0.writers[id] = writer }
        return writer
    }

    /// Nothing is lost: what was not written is still there. The pack takes no more contents and waits, as one whose upload
    /// failed, for the next write or flush to try again.
    private func giveUp(_ id: BlobID, _ error: any Error) {
        let waiters = state.withLock { state in
            state.drains[id] = nil
            if let kind = state.filling.first(where: { $0.value.id == id })?.key,
                let pack = state.filling.removeValue(forKey: kind)
            {
                state.full[id] = FullPack(builder: pack)
                state.failed[id] = error
            }
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.resume() }
    }
}
