public import KopiaBlob

/// Where a content lies: one line of a pack index.
///
/// Source: kopia `repo/content/index/info.go`; `kopia-format` §4.1.
public struct IndexEntry: Sendable, Hashable {
    public var id: ContentID
    /// The pack blob that holds it.
    public var pack: BlobID
    /// Bytes from the start of the pack; below 2^31 when read, below 2^30 when written.
    public var packOffset: UInt32
    /// Bytes it takes in the pack.
    public var packedLength: UInt32
    /// Bytes of the plaintext. Index version 1 does not record it: there it is the packed length less the encryption
    /// overhead of 28 bytes.
    public var originalLength: UInt32
    /// Seconds since 1970, 48 bits at most.
    public var timestampSeconds: Int64
    public var isDeleted: Bool
    /// Format version of the repository when it was written.
    public var formatVersion: UInt8
    /// Header ID of the compressor; 0 for none.
    public var compression: UInt32
    /// Always 0; readers refuse others.
    public var encryptionKeyID: UInt8

    public init(
        id: ContentID, pack: BlobID, packOffset: UInt32, packedLength: UInt32, originalLength: UInt32,
        timestampSeconds: Int64, isDeleted: Bool = false, formatVersion: UInt8 = 3, compression: UInt32 = 0,
        encryptionKeyID: UInt8 = 0
    ) {
        self.id = id
        self.pack = pack
        self.packOffset = packOffset
        self.packedLength = packedLength
        self.originalLength = originalLength
        self.timestampSeconds = timestampSeconds
        self.isDeleted = isDeleted
        self.formatVersion = formatVersion
        self.compression = compression
        self.encryptionKeyID = encryptionKeyID
    }

    /// Whether this entry wins over another of the same content: the larger timestamp; then the one that is not
    /// deleted; then the larger pack ID.
    ///
    /// Source: kopia `repo/content/index/merged.go`, `contentInfoGreaterThanStruct`; `kopia-format` §4.5.
    public func supersedes(_ other: IndexEntry) -> Bool {
        if timestampSeconds != other.timestampSeconds { return timestampSeconds > other.timestampSeconds }
        if isDeleted != other.isDeleted { return !isDeleted }
        return other.pack < pack
    }

    /// Whether the deletion watermark hides it: deleted at or before `watermark`, seconds since 1970.
    public func isHidden(byWatermark watermark: Int64) -> Bool { isDeleted && timestampSeconds <= watermark }
}
