internal import Synchronization

/// Buffers for what encoders make, used again: each has room for a whole chunk, of which compression fills a third, and a new
/// mapping for each would cost a page fault every 4 KiB.
///
/// Concurrency and memory: at most 8 idle ones, each as long as the longest chunk it served.
enum OutputBuffers {
    private static let idle = Mutex<[[UInt8]]>([])
    private static let idleMax = 8
    /// Shorter arrays the allocator finds again by itself.
    private static let lengthMin = 1 << 20

    /// An empty array with room for so many bytes.
    static func take(_ capacity: Int) -> [UInt8] {
        var buffer = capacity < lengthMin ? [] : idle.withLock { $0.popLast() } ?? []
        if buffer.capacity < capacity {
            buffer = []
            buffer.reserveCapacity(capacity)
        }
        return buffer
    }

    /// Takes an array that is no longer needed and leaves an empty one.
    static func give(_ buffer: inout [UInt8]) {
        var given: [UInt8] = []
        swap(&given, &buffer)
        guard given.capacity >= lengthMin else { return }
        given.removeAll(keepingCapacity: true)
        idle.withLock { idle in
            if idle.count < idleMax { idle.append(given) }
        }
    }
}
