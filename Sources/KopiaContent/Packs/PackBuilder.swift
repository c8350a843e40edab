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
/// Concurrency and memory: a value that keeps large encrypted contents as they were given, so that adding one copies
/// nothing, and gathers small ones in pieces of 1 MiB; the blob is put as these pieces and never as one array.
///
/// Source: kopia `repo/content/content_manager.go`, `preparePackDataContent`, `pack_blob`; `kopia-format` §3.6.
public struct PackBuilder: Sendable {
    static let preambleLength = 32
    static let paddingUnit = 4096
    static let localIndexTailLength = 32

    public let id: BlobID
    /// A content at least this long is a piece of its own.
    static let ownPieceLengthMin = 256 << 10
    static let sharedPieceCapacity = 1 << 20

    /// Replica and preamble, then the contents.
    private var pieces: [[UInt8]]
    /// Where each piece starts.
    private var pieceOffsets = [0]
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
        add(encrypted)
        entries.append(placed)
        length += encrypted.count
        return placed
    }

    private mutating func add(_ encrypted: [UInt8]) {
        let last = pieces.count - 1
        // The first piece is short; the last one has room only when it was made for that.
        let isShared = last > 0 && pieces[last].capacity - pieces[last].count >= encrypted.count
        guard encrypted.count < Self.ownPieceLengthMin else {
            pieceOffsets.append(length)
            pieces.append(encrypted)
            return
        }
        if !isShared || pieces[last].count >= Self.sharedPieceCapacity {
            var piece: [UInt8] = []
            piece.reserveCapacity(Self.sharedPieceCapacity)
            pieceOffsets.append(length)
            pieces.append(piece)
        }
        pieces[pieces.count - 1].append(contentsOf: encrypted)
    }

    /// The encrypted bytes of a content that was appended; nil for an offset that is none.
    public func encrypted(at offset: UInt32) -> [UInt8]? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].packOffset < offset { low = middle + 1 } else { high = middle }
        }
        guard low < entries.count, entries[low].packOffset == offset else { return nil }
        var piece = 0
        var end = pieces.count
        while piece + 1 < end {
            let middle = (piece + end) / 2
            if pieceOffsets[middle] <= Int(offset) { piece = middle } else { end = middle }
        }
        let start = Int(offset) - pieceOffsets[piece]
        let count = Int(entries[low].packedLength)
        guard start + count <= pieces[piece].count else { return nil }
        return start == 0 && count == pieces[piece].count ? pieces[piece] : Array(pieces[piece][start..<start + count])
    }

    /// The bytes of the blob, to be put one after another.
    ///
    /// - Parameters:
    ///   - seal: hash of the bytes given, whole, and their encryption with it as IV.
    /// - Throws: what `seal` throws, and `IndexError`.
    public func finish(
        _ version: PackIndex.Version, randomBytes: (Int) -> [UInt8],
        seal: ([UInt8]) throws -> (iv: [UInt8], encrypted: [UInt8])
    ) throws -> [[UInt8]] {
        let padding = Self.paddingUnit - length % Self.paddingUnit
        let paddingBytes = randomBytes(padding)
        let localIndex = try PackIndexBuilder(entries).encode(version) + randomBytes(Self.localIndexTailLength)
        let sealed = try seal(localIndex)
        let trailer = PackTrailer(
            localIndexIV: sealed.iv, localIndexOffset: Int64(length + padding),
            localIndexLength: Int64(sealed.encrypted.count)
        ).encoded
        return pieces + [paddingBytes + sealed.encrypted + trailer]
    }
}
