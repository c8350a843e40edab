/// `REED-SOLOMON-CRC32`: wraps encrypted bytes so that some damage can be undone.
///
/// The input, preceded by its length (u32be) and padded with zeros, is cut into blocks of data shards. Stored are first
/// the parity shards of all blocks, then the data shards of all blocks, each as `u32be CRC-32 ‖ shard`. A shard whose
/// CRC does not match counts as lost; as many lost shards per block as there are parity shards can be recomputed.
///
/// | length + 4 | blocks | shards | shard size | trailing zeros |
/// |---|---|---|---|---|
/// | ≤ `smallMax` | 1 | 6 + 2 | ceil(L / 6) | stored |
/// | ≤ `blockMax` | 1 | data + parity | ceil(L / data) | stored |
/// | more | ceil(L / (data × maxShard)) | data + parity | maxShard | not stored; a cut shard's CRC covers them |
///
/// Concurrency and memory: immutable; a call holds a padded copy of its input and one block besides the output.
///
/// Source: kopia `repo/ecc/ecc_rs_crc.go`, `ecc_rs_crc_params.go`; `kopia-format` §8.
/// Vectors: `Tests/KopiaFormatTests/Fixtures/ecc-vectors.json`.
struct ErrorCorrection: Sendable {
    let overheadPercent: Int
    let maxShard: Int
    private let small = ReedSolomon(data: 6, parity: 2)
    private let large: ReedSolomon
    private static let checksumLength = 4
    private static let lengthLength = 4

    var dataShards: Int { large.data }
    var parityShards: Int { large.parity }

    /// - Parameter overheadPercent: 1 … 100.
    init(overheadPercent: Int) throws(FormatError) {
        guard (1...100).contains(overheadPercent) else {
            throw FormatError(.unsupported, "error correction of \(overheadPercent) % is not between 1 and 100")
        }
        self.overheadPercent = overheadPercent
        maxShard =
            switch overheadPercent {
            case 1: 1024
            case 2: 512
            case 3: 256
            case 4...6: 128
            default: 64
            }
        // kopia computes in 32 bits; some results depend on it.
        let free = max(Float(0.01), Float(overheadPercent) - Float(400) / Float(maxShard))
        var data = 128
        var parity = min(max(Int((Float(data) * free / 100).rounded(.down)), 1), 128)
        if parity == 1 {
            parity = 2
            data = min(max(Int((Float(200) / free).rounded(.down)), 128), 254)
        }
        large = ReedSolomon(data: data, parity: parity)
    }

    // MARK: The layout

    private struct Layout {
        let code: ReedSolomon
        let blocks: Int
        let shardSize: Int
        let storesPadding: Bool

        var storedShard: Int { checksumLength + shardSize }
        var blockBytes: Int { code.data * shardSize }
        var parityBytes: Int { blocks * code.parity * storedShard }
    }

    private static func quotientUp(_ value: Int, _ divisor: Int) -> Int { (value + divisor - 1) / divisor }

    private var smallMax: Int { 8 * (large.data + large.parity) }
    private var smallStoredMax: Int { 8 * (Self.checksumLength + Self.quotientUp(smallMax, 6)) }
    private var blockMax: Int { large.data * maxShard }
    private var blockStoredMax: Int { (large.data + large.parity) * (Self.checksumLength + maxShard) }

    /// For `length` bytes with their length field.
    private func layout(length: Int) -> Layout {
        if length <= smallMax {
            return Layout(code: small, blocks: 1, shardSize: Self.quotientUp(length, 6), storesPadding: true)
        }
        if length <= blockMax {
            return Layout(
                code: large, blocks: 1, shardSize: Self.quotientUp(length, large.data), storesPadding: true)
        }
        return Layout(
            code: large, blocks: Self.quotientUp(length, blockMax), shardSize: maxShard, storesPadding: false)
    }

    private func layout(stored: Int) -> Layout {
        func shard(_ shards: Int) -> Int { max(Self.quotientUp(stored, shards), 5) - Self.checksumLength }
        if stored <= smallStoredMax { return Layout(code: small, blocks: 1, shardSize: shard(8), storesPadding: true) }
        if stored <= blockStoredMax {
            return Layout(
                code: large, blocks: 1, shardSize: shard(large.data + large.parity), storesPadding: true)
        }
        return Layout(
            code: large, blocks: Self.quotientUp(stored, blockStoredMax), shardSize: maxShard, storesPadding: false)
    }

    /// Bytes `encode` makes of so many.
    func encodedLength(of count: Int) -> Int {
        let layout = layout(length: count + Self.lengthLength)
        if layout.storesPadding { return (layout.code.data + layout.code.parity) * layout.storedShard }
        let length = count + Self.lengthLength
        return layout.parityBytes + length + Self.checksumLength * Self.quotientUp(length, layout.shardSize)
    }

    // MARK: Encoding

    func encode(_ input: RawSpan, appendingTo output: inout [UInt8]) throws(FormatError) {
        guard input.byteCount <= Int(Int32.max) else {
            throw FormatError(.unsupported, "\(input.byteCount) bytes are too many for error correction")
        }
        let layout = layout(length: input.byteCount + Self.lengthLength)
        // Copy no. 1: shards must be contiguous behind the length field, and padded.
        var padded = [UInt8]()
        padded.reserveCapacity(layout.blocks * layout.blockBytes)
        for shift in [24, 16, 8, 0] { padded.append(UInt8(truncatingIfNeeded: input.byteCount >> shift)) }
        input.withUnsafeBytes { padded.append(contentsOf: $0) }
        let length = padded.count
        padded.append(contentsOf: repeatElement(0, count: layout.blocks * layout.blockBytes - length))
        let total = encodedLength(of: input.byteCount)
        output.append(addingCapacity: total) { (span: inout OutputSpan<UInt8>) in
            span.withUnsafeMutableBufferPointer { buffer, filled in
                padded.withUnsafeBytes { padded in
                    Self.fill(
                        UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[0..<total]),
                        padded, length, layout)
                }
                filled = total
            }
        }
    }

    private static func fill(
        _ target: UnsafeMutableRawBufferPointer, _ padded: UnsafeRawBufferPointer, _ length: Int, _ layout: Layout
    ) {
        let shardSize = layout.shardSize
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: shardSize) { sums in
            for block in 0..<layout.blocks {
                let start = block * layout.blockBytes
                // Zeros give nothing: what was padded need not be looked at.
                let used = min(layout.blockBytes, length - start)
                let bytes = UnsafeRawBufferPointer(rebasing: padded[start..<start + used])
                layout.code.forEachParity(of: bytes, shardSize: shardSize, sums: sums) { row, sums, shift in
                    let place = (block * layout.code.parity + row) * layout.storedShard
                    for position in 0..<shardSize {
                        target[place + checksumLength + position] = UInt8(
                            truncatingIfNeeded: sums[position] &>> UInt64(shift))
                    }
                    let shard = target[place + checksumLength..<place + layout.storedShard]
                    store(checksum(UnsafeRawBufferPointer(rebasing: shard)), target, at: place)
                }
            }
        }
        var place = layout.parityBytes
        var start = 0
        while place < target.count {
            let shard = UnsafeRawBufferPointer(rebasing: padded[start..<start + shardSize])
            store(checksum(shard), target, at: place)
            let count = min(shardSize, target.count - place - checksumLength)
            UnsafeMutableRawBufferPointer(rebasing: target[place + checksumLength..<place + checksumLength + count])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: shard[0..<count]))
            place += checksumLength + count
            start += shardSize
        }
    }

    private static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 { CRC32.ieee.checksum(bytes) }

    private static func store(_ value: UInt32, _ target: UnsafeMutableRawBufferPointer, at place: Int) {
        target.storeBytes(of: value.bigEndian, toByteOffset: place, as: UInt32.self)
    }

    // MARK: Decoding

    /// What was encoded, and how many damaged shards had to be recomputed.
    ///
    /// - Throws: `FormatError.Code.authenticationFailed` when more is damaged than can be repaired.
    func decode(_ stored: RawSpan) throws(FormatError) -> (bytes: [UInt8], repaired: Int) {
        let layout = layout(stored: stored.byteCount)
        var shards = ShardReader(stored: stored.withUnsafeBytes { Array($0) }, layout: layout)
        var repaired = 0
        for block in 0..<layout.blocks {
            let lost = shards.lostData(inBlock: block)
            if lost.isEmpty { continue }
            guard shards.repair(lost, inBlock: block) else {
                throw FormatError(
                    .authenticationFailed,
                    "\(stored.byteCount) stored bytes are damaged beyond what error correction can repair: block \(block + 1) of \(layout.blocks) lost \(lost.count) of \(layout.code.data) data shards",
                    hint: "restore the blob from a copy of the storage")
            }
            repaired += lost.count
        }
        let data = shards.data
        let length = data.prefix(Self.lengthLength).reduce(0) { $0 << 8 | Int($1) }
        guard data.count >= Self.lengthLength, length <= data.count - Self.lengthLength else {
            throw FormatError(
                .authenticationFailed,
                "\(stored.byteCount) stored bytes say they hold \(length) bytes, which cannot be: they were cut short")
        }
        return (Array(data[Self.lengthLength..<Self.lengthLength + length]), repaired)
    }

    /// The stored shards taken apart: data without checksums, padded; parity left where it is.
    private struct ShardReader {
        let stored: [UInt8]
        let layout: Layout
        private(set) var data: [UInt8] = []
        private var lost: [Int: [Int]] = [:]

        init(stored: [UInt8], layout: Layout) {
            self.stored = stored
            self.layout = layout
            let total = layout.blocks * layout.blockBytes
            data.reserveCapacity(total)
            var place = layout.parityBytes
            var shard = 0
            while data.count < total {
                let start = data.count
                let from = min(place + checksumLength, stored.count)
                data.append(contentsOf: stored[from..<min(from + layout.shardSize, stored.count)])
                data.append(contentsOf: repeatElement(0, count: start + layout.shardSize - data.count))
                // Where padding is not stored, shards behind the end are zeros and sound.
                let isPadding = !layout.storesPadding && place >= stored.count
                if !isPadding, checksum(stored, at: place) != crc(data[start...]) {
                    lost[shard / layout.code.data, default: []].append(shard % layout.code.data)
                }
                place += layout.storedShard
                shard += 1
            }
        }

        func lostData(inBlock block: Int) -> [Int] { lost[block] ?? [] }

        mutating func repair(_ lost: [Int], inBlock block: Int) -> Bool {
            var intact: [(number: Int, bytes: ArraySlice<UInt8>)] = []
            for row in 0..<layout.code.parity where intact.count < lost.count {
                let place = (block * layout.code.parity + row) * layout.storedShard
                guard place + layout.storedShard <= stored.count else { continue }
                let bytes = stored[place + checksumLength..<place + layout.storedShard]
                if checksum(stored, at: place) == crc(bytes) { intact.append((row, bytes)) }
            }
            let range = block * layout.blockBytes..<(block + 1) * layout.blockBytes
            var bytes = Array(data[range])
            guard layout.code.reconstruct(&bytes, shardSize: layout.shardSize, lost: lost, intactParity: intact) else {
                return false
            }
            data.replaceSubrange(range, with: bytes)
            return true
        }

        private func crc(_ bytes: ArraySlice<UInt8>) -> UInt32 {
            bytes.withUnsafeBytes { ErrorCorrection.checksum($0) }
        }

        /// Nil behind the end.
        private func checksum(_ bytes: [UInt8], at place: Int) -> UInt32? {
            guard place + checksumLength <= bytes.count else { return nil }
            return bytes[place..<place + checksumLength].reduce(0) { $0 << 8 | UInt32($1) }
        }
    }
}
