import Synchronization

/// The last 16 KiB of a program's messages while it runs.
final class ErrorText: Sendable {
    private let bytes = Mutex<[UInt8]>([])
    private static let limit = 16 << 10

    func append(_ chunk: [UInt8]) {
        bytes.withLock { bytes in
            bytes += chunk
            if bytes.count > 2 * Self.limit { bytes.removeFirst(bytes.count - Self.limit) }
        }
    }

    var text: String { bytes.withLock { String(decoding: $0.suffix(Self.limit), as: UTF8.self) }.trimmingLines }
}
