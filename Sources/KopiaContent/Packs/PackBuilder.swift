public import KopiaBlob

/// A pack that is being filled.
///
/// | part             | bytes                                                                             |
/// |------------------|-----------------------------------------------------------------------------------|
/// | format replica   | only where the password cannot be changed: a framed copy of `kopia.repository`    |
/// | preamble         | 32 random bytes                                                                   |
/// | contents         | encrypted, one after another                                                      |
/// | padding          | 1 … 4096 random bytes up to a multiple of 4096                                    |
/// | local index      | the index of these contents and 32 random bytes, encrypted                        |
/// | trailer          | `PackTrailer`                                                                     |
///
/// Concurrency and memory: a value that keeps the encrypted contents as they were given, so that adding one copies
/// nothing; `finish` copies all of them once, into the bytes of the blob.
///
/// Source: kopia `repo/content/content_manager.go`, `preparePackDataContent`, `pack_blob`; `kopia-format` §3.6.
public struct PackBuilder: Sendable {
    static let preambleLength = 32
    static let paddingUnit = 4096
    static let localIndexTailLength = 32

    public let id: BlobID
    /// Replica and preamble, then the contents.
    private var pieces: [[UInt8]]
    /// Bytes so far: the offset of the next content.
    public private(set) var length: Int
    /// In the order of their offsets.
    public private(set) var entries: [IndexEntry] = []

    /// - Parameters:
    ///   - replica: the frame of the format blob; empty where none is wanted.
    ///   - randomBytes: the given number of unpredictable bytes.
    public init(id: BlobID, replica: [UInt8], randomBytes: (Int) -> [UInt8]) {
        self.id = id
        pieces = [replica + randomBytes(Self.preambleLength)]
        length = pieces[0].count
    }

    /// Adds an encrypted content; the entry's pack, offset and packed length are set here.
    ///
    /// - Returns: the entry as it goes into the index.
    public mutating func append(_ encrypted: [UInt8], _ entry: IndexEntry) -> IndexEntry {
        var placed = entry
        placed.pack = id
        placed.packOffset = UInt32(truncatingIfNeeded: length)
        placed.packedLength = UInt32(truncatingIfNeeded: encrypted.count)
        pieces.append(encrypted)
        entries.append(placed)
        length += encrypted.count
        return placed
    }

    /// The encrypted bytes of a content that was appended; nil for an offset that is none.
    public func encrypted(at offset: UInt32) -> [UInt8]? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].packOffset < offset { low = middle + 1 } else { high = middle }
        }
        return low < entries.count && entries[low].packOffset == offset ? pieces[low + 1] : nil
    }

    /// The bytes of the blob.
    ///
    /// - Parameters:
    ///   - seal: hash of the bytes given, whole, and their encryption with it as IV.
    /// - Throws: what `seal` throws, and `IndexError`.
    public func finish(
        _ version: PackIndex.Version, randomBytes: (Int) -> [UInt8],
        seal: ([UInt8]) throws -> (iv: [UInt8], encrypted: [UInt8])
    ) throws -> [UInt8] {
        let padding = Self.paddingUnit - length % Self.paddingUnit
        let paddingBytes = randomBytes(padding)
        let localIndex = try PackIndexBuilder(entries).encode(version) + randomBytes(Self.localIndexTailLength)
        let sealed = try seal(localIndex)
        let trailer = PackTrailer(
            localIndexIV: sealed.iv, localIndexOffset: Int64(length + padding),
            localIndexLength: Int64(sealed.encrypted.count)
        ).encoded
        var bytes: [UInt8] = []
        bytes.reserveCapacity(length + padding + sealed.encrypted.count + trailer.count)
        for piece in pieces { bytes += piece }
        bytes += paddingBytes
        bytes += sealed.encrypted
        bytes += trailer
        return bytes
    }
}
