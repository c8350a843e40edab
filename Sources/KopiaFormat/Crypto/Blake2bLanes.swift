internal import CBlake2b

/// Keyed BLAKE2b with 32 bytes of digest of several messages side by side, one in each lane of the processor's vectors:
/// with AVX-512 three times as fast as one after another, with AVX2 half as fast again.
///
/// Why not libcrypto: it hashes one message at a time, and one message cannot use vectors, because each step needs what
/// the step before made.
///
/// Concurrency and memory: a value; a call holds 32 bytes for each message, and about 4 KiB.
///
/// Source: RFC 7693. Vectors: libcrypto, in `Blake2bLanesTests`.
package struct Blake2bLanes: Sendable {
    private let key: SecretBytes
    package let laneCount: Int

    /// What this processor has: 8, 4, or 1.
    package static let laneCountMax = Int(blake2b_lane_count())
    /// Below that one after another is as fast.
    private static let messageCountMin = 3
    /// Pointers held at once.
    private static let messageCountMax = 32
    package static let digestLength = 32

    /// - Parameter laneCount: 1, 4 or 8, at most `laneCountMax`.
    /// - Returns: nil for a key that is not 1 … 64 bytes long, and for another number of lanes.
    package init?(key: SecretBytes, laneCount: Int = laneCountMax) {
        guard (1...64).contains(key.bytes.count), [1, 4, 8].contains(laneCount), laneCount <= Self.laneCountMax else {
            return nil
        }
        self.key = key
        self.laneCount = laneCount
    }

    /// Whether this is faster than one after another.
    func isWorthwhile(for messages: [[UInt8]]) -> Bool { laneCount > 1 && messages.count >= Self.messageCountMin }

    /// The digests in the order of the messages.
    ///
    /// - Returns: nil when a message is empty.
    package func digests(of messages: [[UInt8]]) -> [[UInt8]]? {
        guard messages.allSatisfy({ !$0.isEmpty }) else { return nil }
        // Long ones first: the lanes end together.
        let order = messages.indices.sorted { messages[$0].count > messages[$1].count }
        var digests = [[UInt8]](repeating: [], count: messages.count)
        var first = 0
        while first < order.count {
            let part = order[first..<min(first + Self.messageCountMax, order.count)]
            first = part.endIndex
            let lengths = part.map { messages[$0].count }
            let joined = [UInt8](unsafeUninitializedCapacity: part.count * Self.digestLength) { output, count in
                count = part.count * Self.digestLength
                Self.withPointers(to: part[...], of: messages, []) { pointers in
                    blake2b_lanes_hash(
                        laneCount, key.bytes, key.bytes.count, pointers, lengths, lengths.count, output.baseAddress)
                }
            }
            for (number, position) in part.enumerated() {
                digests[position] = Array(joined[number * Self.digestLength..<(number + 1) * Self.digestLength])
            }
        }
        return digests
    }

    private static func withPointers(
        to positions: ArraySlice<Int>, of messages: [[UInt8]], _ pointers: [UnsafePointer<UInt8>?],
        _ body: ([UnsafePointer<UInt8>?]) -> Void
    ) {
        guard let position = positions.first else { return body(pointers) }
        messages[position].withUnsafeBufferPointer {
            withPointers(to: positions.dropFirst(), of: messages, pointers + [$0.baseAddress], body)
        }
    }
}
