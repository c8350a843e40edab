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
/// Concurrency and memory: a value that keeps the pieces of long encrypted contents as they were given, so that adding one
/// copies nothing, and gathers short contents in pieces of a twentieth of a pack, at most 1 MiB; the blob is put as these pieces and never as one array.
/// Pieces that are on their way can be released before the pack is full.
///
/// Source: kopia `repo/content/content_manager.go`, `preparePackDataContent`, `pack_blob`; `kopia-format` §3.6.
public struct PackBuilder: Sendable {
    static let preambleLength = 32
    static let paddingUnit = 4096
    static let localIndexTailLength = 32

    public let id: BlobID
    static let sharedPieceCapacityMax = 1 << 20

    private let sharedPieceCapacity: Int
    /// Contents at least this long keep their own pieces.
    private var ownPieceLengthMin: Int { sharedPieceCapacity / 4 }

    /// Replica and preamble, then the contents; without those that were released.
    public private(set) var pieces: [[UInt8]]
    /// Where each piece starts.
    private var pieceOffsets = [0]
    /// Whether the last piece gathers short contents.
    private var isLastShared = false
    /// Bytes so far: the offset of the next content.
    public private(set) var length: Int
    /// In the order of their offsets.
    public private(set) var entries: [IndexEntry] = []

    /// - Parameters:
    ///   - replica: the frame of the format blob; empty where none is wanted.
    ///   - size: bytes at which the pack will be full.
    ///   - randomBytes: the given number of unpredictable bytes.
    public init(id: BlobID, replica: [UInt8], size: Int = 20 << 20, randomBytes: (Int) -> [UInt8]) {
        self.id = id
        sharedPieceCapacity = min(max(1, size / 20), Self.sharedPieceCapacityMax)
        pieces = [replica + randomBytes(Self.preambleLength)]
        length = pieces[0].count
    }

    /// Adds an encrypted content; the entry's pack, offset and packed length are set here.
    ///
    /// - Parameter encrypted: its bytes, one array after another.
    /// - Returns: the entry as it goes into the index.
    public mutating func append(_ encrypted: [[UInt8]], _ entry: IndexEntry) -> IndexEntry {
        let count = encrypted.reduce(0) { $0 + $1.count }
        var placed = entry
        placed.pack = id
        placed.packOffset = UInt32(truncatingIfNeeded: length)
        placed.packedLength = UInt32(truncatingIfNeeded: count)
        entries.append(placed)
        for piece in encrypted { add(piece, isShared: count < ownPieceLengthMin) }
        return placed
    }

    private mutating func add(_ piece: [UInt8], isShared: Bool) {
        defer { length += piece.count }
        guard isShared else {
            pieceOffsets.append(length)
            pieces.append(piece)
            isLastShared = false
            return
        }
        if !isLastShared || pieces[pieces.count - 1].count + piece.count > sharedPieceCapacity {
            var shared: [UInt8] = []
            shared.reserveCapacity(sharedPieceCapacity)
            pieceOffsets.append(length)
            pieces.append(shared)
            isLastShared = true
        }
        pieces[pieces.count - 1].append(contentsOf: piece)
    }

    // MARK: Releasing

    /// Where the pieces that are still here start.
    public var releasedLength: Int { pieceOffsets.first ?? length }

    /// The pieces that do not change any more.
    var completePieces: ArraySlice<[UInt8]> { isLastShared ? pieces.dropLast() : pieces[...] }

    /// Bytes of `completePieces`.
    var completeLength: Int { (isLastShared ? pieceOffsets.last ?? length : length) - releasedLength }

    /// Forgets the first pieces, which somebody else has now.
    mutating func release(_ count: Int) {
        pieces.removeFirst(count)
        pieceOffsets.removeFirst(count)
        if pieces.isEmpty { isLastShared = false }
    }

    // MARK: Reading

    /// Where the encrypted bytes of a content that was appended lie in the pack; nil for an offset that is none.
    func range(at offset: UInt32) -> Range<Int>? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].packOffset < offset { low = middle + 1 } else { high = middle }
        }
        guard low < entries.count, entries[low].packOffset == offset else { return nil }
        return Int(offset)..<Int(offset) + Int(entries[low].packedLength)
    }

    /// The encrypted bytes of a content that was appended; nil for an offset that is none, or when they were released.
    public func encrypted(at offset: UInt32) -> [UInt8]? {
        guard let range = range(at: offset), range.lowerBound >= releasedLength, !pieces.isEmpty else { return nil }
        var piece = 0
        var end = pieces.count
        while piece + 1 < end {
            let middle = (piece + end) / 2
            if pieceOffsets[middle] <= range.lowerBound { piece = middle } else { end = middle }
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        while bytes.count < range.count, piece < pieces.count {
            let start = range.lowerBound + bytes.count - pieceOffsets[piece]
            bytes += pieces[piece][start..<min(pieces[piece].count, start + range.count - bytes.count)]
            piece += 1
        }
        return bytes.count == range.count ? bytes : nil
    }

    /// What follows the contents: padding, local index, trailer.
    ///
    /// - Parameters:
    ///   - seal: hash of the bytes given, whole, and their encryption with it as IV.
    /// - Throws: what `seal` throws, and `IndexError`.
    public func tail(
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
        return paddingBytes + sealed.encrypted + trailer
    }
}
