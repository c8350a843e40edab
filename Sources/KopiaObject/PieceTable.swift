import KopiaContent

/// One piece of an object: a direct object and where its bytes belong.
struct Piece: Sendable, Hashable {
    let object: ObjectID
    /// Bytes of the whole object.
    let range: Range<Int64>

    var length: Int { Int(range.count) }
}

/// How many pieces came and how long they are together; each is looked at before it counts.
struct PieceSum: Sendable {
    /// Content lengths have 28 bits in every index.
    static let pieceLengthMax: Int64 = 1 << 28

    private(set) var count = 0
    /// Bytes of the whole object.
    private(set) var length: Int64 = 0
    /// Bytes of a hash; 0 before the first piece.
    private(set) var hashLength = 0

    /// - Parameters:
    ///   - object: direct.
    ///   - length: 0 only for the single piece of an empty object.
    /// - Returns: nil, or what is wrong with the piece.
    mutating func add(_ object: ObjectID, length: Int64) -> String? {
        guard object.indirection == 0 else { return "piece \(count) is \(object), which is a table itself" }
        guard length >= 0, length <= Self.pieceLengthMax else { return "piece \(count) has length \(length)" }
        if count == 0 { hashLength = object.content.hash.count }
        guard object.content.hash.count == hashLength else {
            return "piece \(count) has a hash of \(object.content.hash.count) bytes, the first one \(hashLength)"
        }
        let (end, overflow) = self.length.addingReportingOverflow(length)
        guard !overflow else { return "the pieces up to \(count) are longer than 64 bits can say" }
        count += 1
        self.length = end
        return nil
    }
}

/// The pieces of an object in order, contiguous from 0.
///
/// Concurrency and memory: 8 bytes and the content ID's hash and prefix for each piece, in two flat arrays: 26 bytes with
/// 128-bit hashes, so that a million pieces fit into 26 MB.
struct PieceTable: Sendable {
    private var ends: [Int64] = []
    /// For each piece: 1 when compressed by the object layer, the content prefix, the hash.
    private var keys: [UInt8] = []
    private var sum = PieceSum()

    var count: Int { sum.count }
    var isEmpty: Bool { sum.count == 0 }
    /// Bytes of the whole object.
    var length: Int64 { sum.length }

    subscript(_ index: Int) -> Piece {
        let stride = sum.hashLength + 2
        let key = keys[index * stride..<(index + 1) * stride]
        let content = ContentID(prefix: key[key.startIndex + 1], hash: Array(key.dropFirst(2)))
        let object = ObjectID(indirection: 0, isCompressed: key[key.startIndex] == 1, content: content)
        return Piece(object: object, range: (index == 0 ? 0 : ends[index - 1])..<ends[index])
    }

    /// - Returns: nil, or what is wrong with the piece.
    mutating func append(_ object: ObjectID, length: Int64) -> String? {
        if let problem = sum.add(object, length: length) { return problem }
        ends.append(sum.length)
        keys.append(object.isCompressed ? 1 : 0)
        keys.append(object.content.prefix)
        keys.append(contentsOf: object.content.hash)
        return nil
    }

    /// Makes room for pieces that are expected, those that are there included: an array that grows by doubling is there twice
    /// each time, and half empty in the end. When there are none yet the length of their hashes is not known, and nothing
    /// happens.
    mutating func reserve(_ count: Int) {
        guard !isEmpty else { return }
        ends.reserveCapacity(count)
        keys.reserveCapacity(count * (sum.hashLength + 2))
    }

    /// The piece that holds the byte at `offset`; `count` when it lies behind the end.
    func index(at offset: Int64) -> Int {
        var low = 0
        var high = ends.count
        while low < high {
            let middle = (low + high) / 2
            if ends[middle] > offset { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
