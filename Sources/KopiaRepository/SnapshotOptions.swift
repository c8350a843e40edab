public import GoFormats
public import KopiaObject
public import KopiaSnapshot

/// What a new snapshot is called and how its files are stored.
public struct SnapshotOptions: Sendable {
    /// At most 1024 characters.
    public var description = ""
    /// Without the prefix `tag:`.
    public var tags: [String: String] = [:]
    /// Retention never removes a pinned snapshot.
    public var pins: [String] = []
    /// Nil: the path of the source, as kopia names the root of a stream.
    public var rootName: String?
    public var rootMode = FileMode.everything
    /// Nil: the odd time that kopia gives the virtual root of a stream.
    public var rootModified: Timestamp?
    /// The one file that is added becomes the root itself, as kopia does with a source that is a file.
    public var rootIsOnlyFile = false
    /// kopia's name of a compressor (`zstd-fastest`, `none`); nil asks the policies.
    public var compression: String?
    /// A compressor's name, taken where `compression` is nil and no policy of the source chooses one, or none; the `none` that
    /// kopia writes into the global policy of every new repository is no choice. The policies' suffixes that are never
    /// compressed hold for it too.
    public var compressionUnlessChosen: String?
    /// Nil asks the policies, then the repository. Sizes that kopia has no name for are fine: it reads every cut.
    public var splitter: Splitter?
    /// What comes, where neither `splitter` nor a policy says how to cut it; nil leaves the choice to the repository.
    public var stream: StreamKind?
    /// Afterwards the policy of the source says that its snapshots are made by hand, as `kopia snapshot create
    /// --stdin-file` and kando leave it.
    public var marksSourceManual = true
    /// Whether packs that are shared with earlier snapshots must be in the storage before anything is published. False for a caller
    /// that looks at every blob of the snapshot afterwards, and can tell a hidden one from one that is gone.
    public var requiresSharedPacks = true
    /// How often a stream that is still running is protected by an incomplete snapshot against maintenance, which
    /// removes what nothing refers to; nil never.
    public var checkpointInterval: Duration? = .seconds(45 * 60)

    public init() {}
}

/// What is known of a stream before it is cut. Chunks are at least 64 KiB on average behind a server.
public enum StreamKind: Sendable, Hashable {
    /// A dump of which little changes from one time to the next: as `Splitter.forDump` cuts it for the size of the source's last snapshot
    /// with the same tag `database`, else for this size in bytes.
    case dump(expectedLength: Int64)
    /// As `Splitter.forStream` cuts it for the size of the source's largest snapshot: others of the same source must not
    /// change the cuts from one time to the next.
    case unknown
}

/// A published snapshot and what it took.
public struct WrittenSnapshot: Sendable, Hashable {
    public let snapshot: Snapshot
    /// Bytes of all files.
    public let logicalBytes: Int64
    /// Bytes of files and metadata that the repository had already.
    public let deduplicatedBytes: Int64
    /// Bytes that were added to the storage; through a server, plaintext that was sent to it.
    public let uploadedBytes: Int64
    /// What could not be done besides; the snapshot is whole. Sentences.
    public let warnings: [String]
}
