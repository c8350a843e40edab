/// Collects blocks of any size into chunks. Copies every byte once, into the chunk's own buffer, a step at a time, so
/// that little lies behind a cut and has to move.
struct ChunkCutter {
    private let splitter: Splitter
    private let step: Int
    private var chunk: [UInt8] = []
    /// Bytes of `chunk` in which there is no cut.
    private var tested = 0
    private var block: [UInt8] = []
    private var position = 0

    /// Bytes of the chunk being filled and of the last block.
    var heldCount: Int { chunk.count + block.count }

    init(splitter: Splitter) {
        self.splitter = splitter
        step = max(4 << 10, min(256 << 10, splitter.averageLength / 4))
        chunk.reserveCapacity(splitter.lengthMax)
    }

    /// - Parameter block: the next bytes of the stream; the one before must be used up (`nextCut` returned nil).
    mutating func begin(_ block: [UInt8]) {
        self.block = block
        position = 0
    }

    /// Length of the next chunk that ends in the block, or nil when the rest of it was taken in. `take` must follow.
    mutating func nextCut() -> Int? {
        while true {
            // A step may already hold more than one chunk.
            if chunk.count > tested {
                if let cut = chunk.withUnsafeBufferPointer({ splitter.cut(in: $0, tested: tested) }) { return cut }
                tested = chunk.count
            }
            guard position < block.count else { return nil }
            // Below that there is nothing to look for: take all of it at once.
            let wanted = max(step, splitter.lengthToLookAt - chunk.count)
            let end = min(block.count, position + wanted)
            chunk.append(contentsOf: block[position..<end])
            position = end
        }
    }

    /// What is left at the end of the stream.
    mutating func rest() -> [UInt8] {
        defer { chunk = [] }
        return chunk
    }

    /// The chunk that `nextCut` found.
    ///
    /// - Parameter spares: buffers that are no longer needed; one is taken for the chunk after it. Taken out of the
    ///   caller's hands, because with a second reference to it an array that is emptied gets new memory.
    mutating func take(_ cut: Int, reusing spares: inout [[UInt8]]) -> [UInt8] {
        var next = spares.popLast() ?? []
        next.removeAll(keepingCapacity: true)
        next.reserveCapacity(splitter.lengthMax)
        next.append(contentsOf: chunk[cut...])
        chunk.removeLast(chunk.count - cut)
        swap(&chunk, &next)
        tested = 0
        return next
    }
}
