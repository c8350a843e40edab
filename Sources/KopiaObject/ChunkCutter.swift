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
    private var spare: [UInt8]?

    init(splitter: Splitter) {
        self.splitter = splitter
        step = max(4 << 10, min(256 << 10, splitter.averageLength / 4))
        chunk.reserveCapacity(splitter.lengthMax)
    }

    /// - Parameter block: the next bytes of the stream; the one before must be used up (`nextChunk` returned nil).
    mutating func begin(_ block: [UInt8]) {
        self.block = block
        position = 0
    }

    /// The next chunk that ends in the block, or nil when the rest of it was taken in.
    mutating func nextChunk() -> [UInt8]? {
        while true {
            // A step may already hold more than one chunk.
            if chunk.count > tested {
                if let cut = chunk.withUnsafeBufferPointer({ splitter.cut(in: $0, tested: tested) }) {
                    return split(at: cut)
                }
                tested = chunk.count
            }
            guard position < block.count else { return nil }
            // Below the shortest length there is nothing to look for: take all of that at once.
            let wanted = max(step, splitter.lengthMin - chunk.count)
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

    /// Gives back a buffer that is no longer needed.
    mutating func recycle(_ buffer: [UInt8]?) {
        guard let buffer, spare == nil else { return }
        spare = buffer
    }

    private mutating func split(at cut: Int) -> [UInt8] {
        var next = spare ?? []
        spare = nil
        next.removeAll(keepingCapacity: true)
        next.reserveCapacity(splitter.lengthMax)
        next.append(contentsOf: chunk[cut...])
        chunk.removeLast(chunk.count - cut)
        swap(&chunk, &next)
        tested = 0
        return next
    }
}
