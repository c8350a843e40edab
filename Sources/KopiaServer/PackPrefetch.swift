internal import KopiaContent
internal import Synchronization

/// Has a server take whole packs into its cache before small contents are read out of them. Without it the server fetches
/// each content from its storage alone and writes it into its cache as a file of its own, which costs it five times as much
/// as reading it out of a cached pack.
///
/// Where contents lie is not known here, so a few of those that are wanted are asked for. A pack is worth it when several
/// of them lie in it. It is only a wish: whatever goes wrong with it shows when the contents are read.
///
/// Concurrency and memory: one prefetch at a time, others wait for it, most often for the same pack. Remembers at most
/// `packsMax` names of packs, 64 bytes each.
///
/// Source: kopia `repo/content/content_prefetch.go` (hint `blobs`: always the whole pack), `internal/cache/content_cache.go`.
final class PackPrefetch: Sendable {
    /// Fewer contents in one call are large ones, or few.
    static let contentsMin = 16
    static let samples = 16
    /// A pack in which so many of the samples lie is wanted.
    static let samplesInPackMin = 4
    static let packsMax = 1 << 14

    private let connection: ServerConnection
    private let gate = AsyncGate(permits: 1)
    private let packs = Mutex<Set<String>>([])

    init(_ connection: ServerConnection) { self.connection = connection }

    /// Which of `count` contents are asked for: evenly spread.
    static func sample(of count: Int) -> [Int] { (0..<samples).map { (2 * $0 + 1) * count / (2 * samples) } }

    /// A content of each pack that is wanted, by the packs in which the samples lie.
    static func wanted(_ samples: [(id: ContentID, pack: String)]) -> [(id: ContentID, pack: String)] {
        var seen: [String: Int] = [:]
        // The last sample that is needed speaks for its pack.
        return samples.filter { sample in
            seen[sample.pack, default: 0] += 1
            return seen[sample.pack] == samplesInPackMin
        }
    }

    /// Returns when what is worth it lies in the server's cache.
    ///
    /// - Throws: the failure of the connection, `CancellationError`.
    func prepare(_ ids: [ContentID]) async throws {
        guard ids.count >= Self.contentsMin else { return }
        let sample = Self.sample(of: ids.count).map { ids[$0] }
        let packsOfSample = try await connection.read(sample.map { .info($0) }) { _, responses in
            if case .getContentInfo(let answer)? = responses.last { answer.info.packBlobID } else { "" }
        }
        let wanted = Self.wanted(zip(sample, packsOfSample).filter { !$0.1.isEmpty }.map { (id: $0, pack: $1) })
        guard !wanted.isEmpty else { return }
        try await gate.withPermit {
            let missing = packs.withLock { packs in wanted.filter { !packs.contains($0.pack) } }
            guard !missing.isEmpty else { return }
            _ = try await connection.read(.prefetch(missing.map(\.id), hint: "blobs"))
            packs.withLock { packs in
                if packs.count + missing.count > Self.packsMax { packs = [] }
                packs.formUnion(missing.map(\.pack))
            }
        }
    }
}
