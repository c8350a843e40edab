public import KopiaBlob

/// What a listing of a repository's epoch blobs means. A plain value: the same listing gives the same state.
///
/// Source: kopia `internal/epoch/epoch_manager.go`, `epoch_range.go`; `kopia-format` §4.6.
public struct EpochState: Sendable, Hashable {
    /// Epochs `first … last` in one compacted set.
    public struct RangeSet: Sendable, Hashable {
        public let epochs: ClosedRange<Int>
        public let blobs: [BlobMetadata]
    }

    /// W: indexes written now belong to it.
    public let writeEpoch: Int
    /// Entries deleted at or before this time, seconds since 1970, do not exist; 0 when there is none.
    public let deletionWatermark: Int64
    /// The chain of range sets from epoch 0 on, ascending, without gaps.
    public let ranges: [RangeSet]
    /// Complete compacted sets of settled epochs after the ranges.
    public let singles: [Int: [BlobMetadata]]

    /// - Parameters:
    ///   - markers: the blobs with prefix `xe`, in any order; names that do not parse are ignored, here and below.
    ///   - watermarks: those with prefix `xw`.
    ///   - singles: those with prefix `xs`.
    ///   - ranges: those with prefix `xr`.
    public init(markers: [BlobMetadata], watermarks: [BlobMetadata], singles: [BlobMetadata], ranges: [BlobMetadata]) {
        let epoch = markers.compactMap { IndexBlobName.number(of: $0.id, after: IndexBlobName.marker) }.max() ?? 0
        writeEpoch = epoch
        deletionWatermark = Int64(
            watermarks.compactMap { IndexBlobName.number(of: $0.id, after: IndexBlobName.watermark) }.max() ?? 0)
        self.ranges = Self.longestChain(ranges)
        var byEpoch: [Int: [BlobMetadata]] = [:]
        for blob in singles {
            if let epoch = IndexBlobName.number(of: blob.id, after: IndexBlobName.single) {
                byEpoch[epoch, default: []].append(blob)
            }
        }
        let start = Self.firstEpochAfter(self.ranges)
        self.singles = byEpoch.filter { $0.key >= start && $0.key <= epoch - 2 }
            .mapValues(IndexBlobName.completeSet).filter { !$0.value.isEmpty }
    }

    /// The first epoch that no range set in use covers.
    public var firstUncoveredEpoch: Int { Self.firstEpochAfter(ranges) }

    /// Epochs whose `xn` blobs must be looked at: neither covered nor compacted, up to one after the write epoch. Nil
    /// when there are more than `limit`: then list all `xn` blobs at once.
    func epochsToList(limit: Int) -> [Int]? {
        let epochs = firstUncoveredEpoch..<max(firstUncoveredEpoch, writeEpoch + 2)
        guard epochs.count - singles.count <= limit else { return nil }
        return epochs.filter { singles[$0] == nil }
    }

    /// The index blobs that together say everything.
    ///
    /// - Parameter uncompacted: `xn` blobs of at least the epochs that are not compacted; others are ignored.
    public func activeIndexBlobs(uncompacted: [BlobMetadata]) -> [BlobMetadata] {
        let start = firstUncoveredEpoch
        var active = Self.used(ranges).flatMap(\.blobs)
        for epoch in singles.keys.sorted() { active += singles[epoch] ?? [] }
        active += uncompacted.filter { blob in
            guard let epoch = IndexBlobName.number(of: blob.id, after: IndexBlobName.uncompacted) else { return false }
            return epoch >= start && epoch <= writeEpoch + 1 && singles[epoch] == nil
        }
        return active
    }

    /// kopia skips a range that covers only the epoch it starts at; so do we, because then the blobs of that epoch say
    /// the same.
    private static func used(_ ranges: [RangeSet]) -> [RangeSet] {
        var used: [RangeSet] = []
        var start = 0
        for range in ranges where range.epochs.upperBound > start {
            used.append(range)
            start = range.epochs.upperBound + 1
        }
        return used
    }

    private static func firstEpochAfter(_ ranges: [RangeSet]) -> Int {
        used(ranges).last.map { $0.epochs.upperBound + 1 } ?? 0
    }

    /// Of all chains of complete sets that begin at 0 and leave no gap: the one that reaches furthest, and of those the
    /// one with the fewest sets. Older repositories have cumulative ranges (0–7, 0–14, …), which this covers too.
    private static func longestChain(_ blobs: [BlobMetadata]) -> [RangeSet] {
        var byRange: [ClosedRange<Int>: [BlobMetadata]] = [:]
        for blob in blobs {
            if let range = IndexBlobName.range(of: blob.id) { byRange[range, default: []].append(blob) }
        }
        let sets = byRange.map { RangeSet(epochs: $0.key, blobs: IndexBlobName.completeSet($0.value)) }
            .filter { !$0.blobs.isEmpty }
            .sorted { ($0.epochs.lowerBound, $0.epochs.upperBound) < ($1.epochs.lowerBound, $1.epochs.upperBound) }
        // By first epoch ascending, so that whatever ends just before a set has been looked at already.
        var chains: [Int: (sets: Int, last: RangeSet)] = [:]
        for set in sets {
            let previous = set.epochs.lowerBound == 0 ? 0 : chains[set.epochs.lowerBound - 1]?.sets
            guard let previous else { continue }
            if let known = chains[set.epochs.upperBound], known.sets <= previous + 1 { continue }
            chains[set.epochs.upperBound] = (previous + 1, set)
        }
        guard let end = chains.keys.max(), end > 0 else { return [] }
        var chain: [RangeSet] = []
        var next = end
        while let link = chains[next] {
            chain.append(link.last)
            if link.last.epochs.lowerBound == 0 { break }
            next = link.last.epochs.lowerBound - 1
        }
        return chain.reversed()
    }
}
