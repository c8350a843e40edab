/// Collects what a decoder produces, up to a limit. Grows with what really comes, so that a stream claiming to be large
/// costs nothing until it is.
struct BoundedOutput {
    private(set) var bytes: [UInt8] = []
    let lengthMax: Int
    private static let stepMin = 16 << 10

    /// - Parameter guess: length of the input; the first growth allows four times that.
    init(lengthMax: Int, guess: Int) {
        self.lengthMax = lengthMax
        bytes.reserveCapacity(
            min(lengthMax &+ 1, max(Self.stepMin, guess.multipliedReportingOverflow(by: 4).partialValue)))
    }

    var count: Int { bytes.count }
    /// More than the limit was produced: stop.
    var isOverLimit: Bool { bytes.count > lengthMax }

    /// Calls `body` with room for at least one byte, which may be the one that proves the limit is passed.
    mutating func extend(_ body: (UnsafeMutableRawBufferPointer, inout Int) -> Int) -> Int {
        let free = bytes.capacity - bytes.count
        let wanted = free > 0 ? free : max(Self.stepMin, bytes.count)
        let room = max(1, min(wanted, lengthMax &+ 1 &- bytes.count))
        var result = 0
        bytes.append(addingCapacity: room) { (span: inout OutputSpan<UInt8>) in
            span.withUnsafeMutableBufferPointer { buffer, filled in
                var count = 0
                result = body(
                    UnsafeMutableRawBufferPointer(
                        rebasing: UnsafeMutableRawBufferPointer(buffer)[0..<min(room, buffer.count)]), &count)
                filled = count
            }
        }
        return result
    }
}
