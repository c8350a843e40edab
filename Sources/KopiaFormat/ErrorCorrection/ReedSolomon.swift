/// A systematic Reed–Solomon code over GF(2^8): parity shards from data shards, and lost data shards from the others.
///
/// The code is the Vandermonde matrix V[r][c] = r^c times the inverse of its top square. In other words: the data shards
/// are the values of a polynomial at 0, 1, … data - 1, the parity shards its values at the next points. So a parity row
/// is made of Lagrange's basis polynomials, and no matrix need be inverted.
///
/// Concurrency and memory: immutable after `init`; `ceil(parity / 8) × data × 2 KiB` of tables.
///
/// Source: `kopia-format` §8.2 (the default of the library kopia uses). Vectors: parity rows in §8.2, `ecc-vectors.json`.
final class ReedSolomon: Sendable {
    let data: Int
    let parity: Int
    /// Row of parity shard × column of data shard.
    let rows: [[UInt8]]
    /// For each group of eight parity shards, data shard and byte: the products with the group's coefficients, one per
    /// byte of the word. One look-up serves eight shards.
    private let tables: [[UInt64]]
    private static let groupSize = 8

    /// - Parameters:
    ///   - data: 1 … 254.
    ///   - parity: 1 … 256 - data.
    init(data: Int, parity: Int) {
        precondition(data > 0 && parity > 0 && data + parity <= 256, "a code has 2 to 256 shards")
        self.data = data
        self.parity = parity
        rows = (data..<data + parity).map { Self.basis(data: data, at: $0) }
        var tables: [[UInt64]] = []
        for group in stride(from: 0, to: parity, by: Self.groupSize) {
            var table = [UInt64](repeating: 0, count: data * 256)
            for shard in 0..<data {
                for row in group..<min(group + Self.groupSize, parity) {
                    let coefficient = rows[row][shard]
                    for byte in 1..<256 {
                        let product = GaloisField.product(coefficient, UInt8(truncatingIfNeeded: byte))
                        table[shard * 256 + byte] |= UInt64(product) << UInt64(8 * (row - group))
                    }
                }
            }
            tables.append(table)
        }
        self.tables = tables
    }

    /// Lagrange's basis polynomials over the points 0 … data - 1, at `point`, which is none of them.
    private static func basis(data: Int, at point: Int) -> [UInt8] {
        (0..<data).map { column in
            var (numerator, denominator): (UInt8, UInt8) = (1, 1)
            for other in 0..<data where other != column {
                numerator = GaloisField.product(numerator, UInt8(truncatingIfNeeded: point ^ other))
                denominator = GaloisField.product(denominator, UInt8(truncatingIfNeeded: column ^ other))
            }
            return GaloisField.quotient(numerator, by: denominator)
        }
    }

    /// Computes all parity shards of one block.
    ///
    /// - Parameters:
    ///   - block: `data × shardSize` bytes, shard after shard. Shards past the end count as zeros.
    ///   - put: gets each parity shard's number, and its bytes in the low, second, … byte of each word.
    func forEachParity(
        of block: UnsafeRawBufferPointer, shardSize: Int, sums: UnsafeMutableBufferPointer<UInt64>,
        put: (Int, UnsafeMutableBufferPointer<UInt64>, Int) -> Void
    ) {
        for (group, table) in tables.enumerated() {
            sums.update(repeating: 0)
            table.withUnsafeBufferPointer { table in
                guard let tableBase = table.baseAddress, let sumsBase = sums.baseAddress, let base = block.baseAddress
                else { return }
                for shard in 0..<data {
                    let start = shard * shardSize
                    let count = min(shardSize, block.count - start)
                    guard count > 0 else { break }
                    let products = tableBase + shard * 256
                    let bytes = (base + start).assumingMemoryBound(to: UInt8.self)
                    for position in 0..<count { sumsBase[position] ^= products[Int(bytes[position])] }
                }
            }
            let first = group * Self.groupSize
            for row in first..<min(first + Self.groupSize, parity) { put(row, sums, 8 * (row - first)) }
        }
    }

    /// Computes lost data shards in place.
    ///
    /// - Parameters:
    ///   - block: the data shards, `shardSize` bytes each; the lost ones are overwritten.
    ///   - lost: numbers of the lost data shards.
    ///   - intactParity: number and bytes of parity shards that are there.
    /// - Returns: false when there are fewer of them than lost shards.
    func reconstruct(
        _ block: inout [UInt8], shardSize: Int, lost: [Int], intactParity: [(number: Int, bytes: ArraySlice<UInt8>)]
    ) -> Bool {
        guard lost.count <= intactParity.count else { return false }
        let used = intactParity.prefix(lost.count)
        // parity - (what the intact data give) = (coefficients of the lost shards) × (lost shards)
        guard let inverse = GaloisField.inverse(used.map { parity in lost.map { rows[parity.number][$0] } }) else {
            return false
        }
        let isLost = Set(lost)
        let remainders = used.map { parity in
            var sum = Array(parity.bytes)
            for shard in 0..<data where !isLost.contains(shard) {
                add(block[shard * shardSize..<(shard + 1) * shardSize], times: rows[parity.number][shard], to: &sum)
            }
            return sum
        }
        for (position, shard) in lost.enumerated() {
            var bytes = [UInt8](repeating: 0, count: shardSize)
            for (equation, remainder) in remainders.enumerated() {
                add(remainder[...], times: inverse[position][equation], to: &bytes)
            }
            block.replaceSubrange(shard * shardSize..<(shard + 1) * shardSize, with: bytes)
        }
        return true
    }

    private func add(_ bytes: ArraySlice<UInt8>, times coefficient: UInt8, to sum: inout [UInt8]) {
        if coefficient == 0 { return }
        let products = (0..<256).map { GaloisField.product(coefficient, UInt8(truncatingIfNeeded: $0)) }
        for (position, byte) in bytes.enumerated() { sum[position] ^= products[Int(byte)] }
    }
}
