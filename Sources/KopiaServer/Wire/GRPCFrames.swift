/// The frames of a gRPC stream: one byte for compression, four for the length (big-endian), then the message.
///
/// Source: gRPC over HTTP/2, `grpc/doc/PROTOCOL-HTTP2.md`, Length-Prefixed-Message.
enum GRPCFrame {
    static let headerLength = 5

    /// The bytes before a message of `length` bytes.
    static func header(length: Int) -> [UInt8] {
        let length = UInt32(truncatingIfNeeded: length)
        return [
            0, UInt8(length >> 24), UInt8(length >> 16 & 255), UInt8(length >> 8 & 255), UInt8(length & 255),
        ]
    }
}

/// Puts messages together from pieces of a stream, wherever it is cut. A plain value.
///
/// Memory: the message being filled, at most `lengthMax` bytes.
struct GRPCFrameReader {
    enum Problem: Error, Equatable {
        /// The first byte of a frame is neither 0 nor 1.
        case malformed(flag: UInt8)
        /// A compressed message, though nobody asked for compression.
        case compressed
        case tooLarge(length: Int)
    }

    let lengthMax: Int
    private var header: [UInt8] = []
    private var message: [UInt8] = []
    private var missing = 0

    init(lengthMax: Int) { self.lengthMax = lengthMax }

    /// Whether the stream may end here.
    var isBetweenMessages: Bool { header.isEmpty }

    /// The messages that are complete now, in order.
    mutating func append(_ bytes: [UInt8]) throws(Problem) -> [[UInt8]] {
        var messages: [[UInt8]] = []
        var rest = bytes[...]
        while true {
            if header.count < GRPCFrame.headerLength {
                let taken = rest.prefix(GRPCFrame.headerLength - header.count)
                header.append(contentsOf: taken)
                rest = rest.dropFirst(taken.count)
                guard header.count == GRPCFrame.headerLength else { return messages }
                try begin()
            }
            let taken = rest.prefix(missing)
            message.append(contentsOf: taken)
            missing -= taken.count
            rest = rest.dropFirst(taken.count)
            guard missing == 0 else { return messages }
            messages.append(message)
            message = []
            header = []
        }
    }

    private mutating func begin() throws(Problem) {
        guard header[0] <= 1 else { throw .malformed(flag: header[0]) }
        guard header[0] == 0 else { throw .compressed }
        let length = header[1...].reduce(0) { $0 << 8 | Int($1) }
        guard length <= lengthMax else { throw .tooLarge(length: length) }
        missing = length
        // What is announced need not come: no more than this in advance.
        message.reserveCapacity(min(length, 4 << 20))
    }
}
