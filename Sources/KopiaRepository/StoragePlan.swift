import GoFormats
import KopiaContent
import KopiaFormat
import KopiaObject
import KopiaSnapshot

/// How the files of one snapshot are cut and compressed: the options where they say so, else the policies, else the
/// repository.
struct StoragePlan: Sendable {
    let contents: any ContentStore
    let policy: EffectivePolicy
    /// Overrides the policy for all files.
    let compression: UInt32?
    /// Where no policy chooses.
    let compressionUnlessChosen: String?
    let metadataCompression: UInt32
    let splitter: Splitter?
    let chunksInFlight: Int
    let checkpointInterval: Duration?
    /// Publishes an incomplete snapshot with a part of one file.
    let checkpoint: @Sendable (SnapshotWriter, [String], WrittenObject) async throws -> Void

    func writer(forFileNamed name: String) throws -> ObjectWriter {
        let compression =
            try compression
            ?? Self.headerID(
                policy.compressor(forFileNamed: name, size: nil, unlessChosen: compressionUnlessChosen))
        return try ObjectWriter(
            contents: contents, splitter: splitter, compression: compression,
            metadataCompression: metadataCompression, chunksInFlight: chunksInFlight)
    }

    /// For symlinks.
    func metadataWriter() throws -> ObjectWriter {
        try ObjectWriter(
            contents: contents, compression: metadataCompression, metadataCompression: metadataCompression,
            chunksInFlight: 1)
    }

    /// - Throws: `RepositoryError.Code.invalidArgument` for a name that is not kopia's.
    static func headerID(_ name: String) throws(RepositoryError) -> UInt32 {
        guard let headerID = Compression.headerID(named: name) else {
            throw RepositoryError(
                .invalidArgument, "'\(name)' is not the name of a compressor",
                hint: "for example zstd-fastest, zstd, gzip or none")
        }
        return headerID
    }

    static func splitter(named name: String) throws(RepositoryError) -> Splitter {
        guard let splitter = Splitter(name: name) else {
            throw RepositoryError(
                .invalidArgument, "'\(name)' is not the name of a splitter", hint: "for example DYNAMIC-4M-BUZHASH")
        }
        return splitter
    }
}

extension Repository {
    /// Nil takes the repository's.
    private func splitter(
        for source: SnapshotSource, options: SnapshotOptions, policy: EffectivePolicy
    ) async throws -> Splitter? {
        if let splitter = options.splitter { return splitter }
        if let setting = policy.splitter { return try StoragePlan.splitter(named: setting.value) }
        guard let stream = options.stream else { return nil }
        let complete = try await snapshotStore.list(source: source).snapshots.filter { $0.incompleteReason == nil }
        let splitter: Splitter
        switch stream {
        case .dump(let expected):
            // The last dump tells more than a size on disk, with its indexes and dead rows.
            let last = complete.last { $0.tags["tag:database"] == options.tags["database"] }?.statistics.totalSize ?? 0
            splitter = Splitter.forDump(length: last > 0 ? last : expected)
        case .unknown:
            splitter = Splitter.forStream(length: complete.map(\.statistics.totalSize).max() ?? 0)
        }
        guard status.isServer, let larger = Splitter(nameOrSize: Self.chunksBehindServer) else { return splitter }
        return larger.lengthMin > splitter.lengthMin ? larger : splitter
    }

    /// The shortest average behind a server, where chunks are ours to choose. Each content is a request to the server and, unless
    /// that has a cache, another to its storage when it is read: contents of 16 KiB cost it twice the CPU time of these to read.
    static let chunksBehindServer = "64K"

    func storagePlan(
        for source: SnapshotSource, options: SnapshotOptions, checkpoints: Checkpoints
    ) async throws -> StoragePlan {
        let policy = try await PolicyStore(manifests: manifests).effective(for: source)
        return StoragePlan(
            contents: contents, policy: policy,
            compression: try options.compression.map { name throws(RepositoryError) in
                try StoragePlan.headerID(name)
            },
            compressionUnlessChosen: options.compressionUnlessChosen,
            metadataCompression: try StoragePlan.headerID(policy.metadataCompressor.value),
            splitter: try await splitter(for: source, options: options, policy: policy),
            chunksInFlight: parallelism,
            checkpointInterval: options.checkpointInterval,
            checkpoint: { writer, path, part in
                try await checkpoints.publish(writer: writer, path: path, part: part)
            })
    }
}
