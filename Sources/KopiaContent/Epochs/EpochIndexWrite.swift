public import KopiaBlob

/// The steps of writing an index into the current epoch, as a value: the caller does what `next` says, tells the
/// outcome, and asks again. No clock and no storage inside.
///
/// An index written into epoch E must be visible before anybody compacts E, which happens only from epoch E + 2 on.
/// Hence the listing must be young when writing begins, and is looked at again at the end.
///
/// Source: kopia `internal/epoch/epoch_manager.go`, `WriteIndex`; `kopia-format` §4.6.3.
public struct EpochIndexWrite: Sendable {
    /// A listing and how long it may be relied on.
    public struct Listing: Sendable {
        public let writeEpoch: Int
        /// On the caller's monotonic clock, counted from before the listing began.
        public let validUntil: Duration

        public init(writeEpoch: Int, validUntil: Duration) {
            self.writeEpoch = writeEpoch
            self.validUntil = validUntil
        }
    }

    public enum Step: Sendable, Hashable {
        /// List the epochs again, then call `next` with the new listing.
        case refresh
        /// Delete these blobs, which were written into an epoch that is over, then call `next`.
        case delete([BlobID])
        /// Put the shard under this name, then call `next`.
        case put(BlobID, shard: Int)
        /// The blobs are durable and in time.
        case done([BlobID])
        /// Two epochs went by during the write. What was written has been deleted; nothing is published.
        case tooSlow(writtenEpoch: Int, currentEpoch: Int)
    }

    private enum Phase: Sendable { case writing, verifying, discarding(currentEpoch: Int) }

    private let names: [String]
    private let refreshFrequency: Duration
    private var phase = Phase.writing
    private var written: [BlobID] = []
    private var writtenEpoch: Int?

    /// - Parameters:
    ///   - names: of the shards, without the epoch prefix: `<hash>-<session>-c<count>`.
    ///   - refreshFrequency: of the repository's epoch parameters.
    public init(names: [String], refreshFrequency: Duration) {
        self.names = names
        self.refreshFrequency = refreshFrequency
    }

    /// - Parameters:
    ///   - listing: the newest; nil when there is none yet.
    ///   - now: on the same clock as `validUntil`.
    public mutating func next(_ listing: Listing?, now: Duration) -> Step {
        switch phase {
        case .discarding(let currentEpoch):
            return .tooSlow(writtenEpoch: writtenEpoch ?? currentEpoch, currentEpoch: currentEpoch)
        case .verifying:
            guard let listing, let writtenEpoch else { return .refresh }
            if listing.writeEpoch < writtenEpoch + 2 { return .done(written) }
            phase = .discarding(currentEpoch: listing.writeEpoch)
            return .delete(written)
        case .writing:
            return nextWrite(listing, now: now)
        }
    }

    private mutating func nextWrite(_ listing: Listing?, now: Duration) -> Step {
        // Three quarters of the interval must remain when the first shard is put; later ones only need a valid listing.
        let needed = written.isEmpty || listing?.writeEpoch != writtenEpoch ? refreshFrequency * 3 / 4 : .nanoseconds(1)
        guard let listing, listing.validUntil >= now + needed else { return .refresh }
        if let writtenEpoch, writtenEpoch != listing.writeEpoch, !written.isEmpty {
            let stale = written
            written = []
            self.writtenEpoch = nil
            return .delete(stale)
        }
        writtenEpoch = listing.writeEpoch
        guard written.count < names.count else {
            phase = .verifying
            return .refresh
        }
        let shard = written.count
        guard let id = BlobID("\(IndexBlobName.uncompacted)\(listing.writeEpoch)_\(names[shard])") else {
            preconditionFailure("names of shards are hex digits, a session ID and a count")
        }
        written.append(id)
        return .put(id, shard: shard)
    }
}
