import GoFormats
import KopiaBlob
import KopiaContent

/// What the indexes lost and packs can still tell.
public struct IndexRecovery: Sendable, Hashable {
    /// A pack with contents that no index has any more.
    public struct Pack: Sendable, Hashable {
        public let id: String
        public let contentCount: Int
        /// Those of them that hold manifests: without them snapshots are hidden.
        public let manifestCount: Int
    }

    /// A pack whose own index cannot be read.
    public struct UnreadablePack: Sendable, Hashable {
        public let id: String
        /// A whole sentence.
        public let message: String
    }

    public internal(set) var packCount = 0
    /// In ID order.
    public internal(set) var packs: [Pack] = []
    public internal(set) var unreadable: [UnreadablePack] = []
    /// Packs of writers that are at work, or were interrupted less than four days ago: left alone.
    public internal(set) var unfinishedPackCount = 0
    /// Contents not newer than the deletion watermark, which maintenance may have dropped on purpose: left alone unless asked for.
    public internal(set) var droppedContentCount = 0
    /// Index blobs that cannot be read. As long as they are there the repository does not open.
    public internal(set) var damagedIndexes: [String] = []
    /// Whether an index of what was found has been written.
    public internal(set) var isCommitted = false
    /// Damaged index blobs that were deleted.
    public internal(set) var deletedIndexes: [String] = []

    public var contentCount: Int { packs.reduce(0) { $0 + $1.contentCount } }
    public var manifestCount: Int { packs.reduce(0) { $0 + $1.manifestCount } }
}

/// How a recovery goes about it. As it is, nothing is written.
public struct IndexRecoveryOptions: Sendable {
    /// Writes an index of what was found.
    public var commits = false
    /// After the commit, deletes index blobs that cannot be read.
    public var deletesDamagedIndexes = false
    /// Also contents not newer than the deletion watermark. What maintenance dropped on purpose comes back with them: mostly
    /// garbage that it will drop again, but also manifests of snapshots deleted long ago, whose data may be gone.
    public var includesDropped = false

    public init() {}
}

extension Repository {
    /// Looks for contents that packs hold and no index names, and writes an index of them again: for lost or damaged index
    /// blobs. Every pack ends with an index of its own. Entries keep their times, so that deletions recorded elsewhere and
    /// newer copies still win; doing it twice changes nothing.
    ///
    /// Nobody else should write meanwhile: a pack that is just being published looks like one that was lost.
    ///
    /// Concurrency and memory: 8 packs are read at a time, each with its own index; entries are published 100,000 at a time,
    /// data before metadata.
    ///
    /// - Throws: `RepositoryError` when the repository cannot be opened at all or the index cannot be written.
    ///
    /// Source: kopia `repo/content/content_index_recovery.go`, `cli/command_index_recover.go`.
    public static func recoverIndexes(
        at location: RepositoryLocation, password: RepositoryPassword, identity: RepositoryIdentity,
        options: IndexRecoveryOptions = IndexRecoveryOptions()
    ) async throws -> IndexRecovery {
        try await with(
            at: location, password: password, access: options.commits ? .readWrite : .readOnly, identity: identity,
            skipsDamagedIndexes: true
        ) { repository in
            try await repository.recoverIndexes(options: options)
        }
    }

    /// As above, in the repository that is open.
    func recoverIndexes(options: IndexRecoveryOptions) async throws -> IndexRecovery {
        try await translatingErrors {
            guard let blobs else {
                throw RepositoryError(
                    .invalidArgument, "indexes are recovered from packs, and a repository server shows none",
                    hint: "run this on the server's own storage")
            }
            return try await IndexRecoverer(blobs: blobs, options: options).run()
        }
    }
}

private struct IndexRecoverer {
    let blobs: Repository.BlobSide
    let options: IndexRecoveryOptions

    private static let packsAtOnce = 8
    private static let publishedAtOnce = 100_000
    /// As long as kopia's maintenance believes a session's marker.
    private static let sessionSeconds: Double = 96 * 3600

    func run() async throws -> IndexRecovery {
        var recovery = IndexRecovery()
        recovery.damagedIndexes = blobs.contents.damagedIndexes.compactMap(\.blob).sorted()
        let sessions = try await runningSessions()
        let watermark = try await blobs.storage.list(prefix: "xw")
            .compactMap { Int64($0.id.description.dropFirst(2)) }.max()
        // Data first: a manifest that appears must not point at contents that do not.
        for prefix in ["p", "q"] {
            let packs = try await blobs.storage.list(prefix: prefix).map(\.id).sorted()
            recovery.packCount += packs.count
            let finished = packs.filter { pack in !sessions.contains(where: { pack.description.hasSuffix("-\($0)") }) }
            recovery.unfinishedPackCount += packs.count - finished.count
            try await recover(finished, watermark: options.includesDropped ? nil : watermark, &recovery)
        }
        if options.commits {
            try await blobs.contents.flush()
            recovery.isCommitted = true
            if options.deletesDamagedIndexes { try await deleteDamaged(&recovery) }
        }
        return recovery
    }

    /// Sessions whose markers are there and young by the storage's own clock.
    private func runningSessions() async throws -> Set<String> {
        let markers = try await blobs.storage.list(prefix: "s")
        let newest = try await (blobs.storage.list(prefix: "p") + blobs.storage.list(prefix: "q") + markers)
            .map(\.timestamp).max()
        var sessions: Set<String> = []
        for marker in markers {
            guard let session = marker.id.description.split(separator: "-").last, let newest,
                newest.secondsSince(marker.timestamp) < Self.sessionSeconds
            else { continue }
            sessions.insert(String(session))
        }
        return sessions
    }

    private func recover(_ packs: [BlobID], watermark: Int64?, _ recovery: inout IndexRecovery) async throws {
        let contents = blobs.contents
        var waiting = 0
        try await withThrowingTaskGroup(of: (BlobID, Result<[IndexEntry], ContentError>).self) { group in
            var next = 0
            func startOne() {
                guard next < packs.count else { return }
                let pack = packs[next]
                next += 1
                group.addTask {
                    do { return (pack, .success(try await contents.localIndex(ofPack: pack))) } catch let error
                        as ContentError
                    {
                        return (pack, .failure(error))
                    }
                }
            }
            for _ in 0..<Self.packsAtOnce { startOne() }
            while let (pack, outcome) = try await group.next() {
                startOne()
                switch outcome {
                case .failure(let error):
                    recovery.unreadable.append(.init(id: pack.description, message: error.message))
                case .success(let entries):
                    let lost = try await self.lost(entries, watermark: watermark, &recovery)
                    guard !lost.isEmpty else { continue }
                    recovery.packs.append(
                        .init(
                            id: pack.description, contentCount: lost.count,
                            manifestCount: lost.count { $0.id.prefix == UInt8(ascii: "m") }))
                    guard options.commits else { continue }
                    try contents.addRecovered(lost)
                    waiting += lost.count
                    if waiting >= Self.publishedAtOnce {
                        try await contents.flush()
                        waiting = 0
                    }
                }
            }
        }
        recovery.packs.sort { $0.id < $1.id }
        recovery.unreadable.sort { $0.id < $1.id }
    }

    /// Those that no index has. A content that an index has elsewhere, or deleted, is not lost.
    private func lost(
        _ entries: [IndexEntry], watermark: Int64?, _ recovery: inout IndexRecovery
    ) async throws -> [IndexEntry] {
        var lost: [IndexEntry] = []
        for entry in entries where try await blobs.contents.info(entry.id) == nil {
            if let watermark, entry.timestampSeconds <= watermark {
                recovery.droppedContentCount += 1
            } else {
                lost.append(entry)
            }
        }
        return lost
    }

    private func deleteDamaged(_ recovery: inout IndexRecovery) async throws {
        for name in recovery.damagedIndexes {
            guard let id = BlobID(name) else { continue }
            try await blobs.storage.delete(id)
            recovery.deletedIndexes.append(name)
        }
    }
}
