import BlockingIO
import Glibc
import Synchronization

/// What a child gets on its standard input.
public enum ChildInput: Sendable {
    /// `/dev/null`.
    case nothing
    case bytes([UInt8])
    /// Called once in a task of its own; the child sees the end of its input when it returns. When it throws, the child
    /// is ended *before* its input is closed, so that it never takes a part for the whole, and the error is `withChild`'s.
    /// It is cancelled when the child ends first.
    case producer(@Sendable (ChildInputWriter) async throws -> Void)
}

/// Writes to the standard input of a child. Valid during the producer's call.
public struct ChildInputWriter: Sendable {
    let descriptor: Descriptor
    let child: ChildProcess
    let name: String

    /// Returns when the pipe has taken every byte: about 1 MiB may still be unread by the child.
    ///
    /// - Throws: `ChildError.Code.closedInput` when the child has closed its input or ended; `CancellationError`.
    public func write(_ bytes: [UInt8]) async throws {
        try Task.checkCancellation()
        // What the pipe takes at once needs no thread; the rest goes from one thread, because the reader makes room in
        // steps of a page.
        var state = Self.writeSome(bytes, from: 0, to: descriptor.number)
        if case .full(let offset) = state {
            state = try await onDedicatedThread { [descriptor, child] in
                var state = WriteState.full(offset)
                while case .full(let offset) = state {
                    guard Self.waitForPlace(descriptor.number, ended: child.ended.number) else { return .closed }
                    state = Self.writeSome(bytes, from: offset, to: descriptor.number)
                }
                return state
            }
        }
        try Task.checkCancellation()
        if case .closed = state { throw ChildError(.closedInput, name, "\(name) stopped reading its input") }
    }

    private enum WriteState: Sendable {
        case done
        /// The pipe is full from this offset on.
        case full(Int)
        case closed
    }

    /// The descriptor does not block, so this is fit for the cooperative pool.
    private static func writeSome(_ bytes: [UInt8], from start: Int, to descriptor: Int32) -> WriteState {
        bytes.withUnsafeBytes { buffer in
            var offset = start
            while offset < buffer.count, let base = buffer.baseAddress {
                let count = Glibc.write(descriptor, base + offset, buffer.count - offset)
                if count >= 0 {
                    offset += count
                } else if errno == EAGAIN {
                    return .full(offset)
                } else if errno != EINTR {
                    return .closed
                }
            }
            return .done
        }
    }

    /// False when the child has ended.
    private static func waitForPlace(_ descriptor: Int32, ended: Int32) -> Bool {
        var polled = [
            pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0),
            pollfd(fd: ended, events: Int16(POLLIN), revents: 0),
        ]
        while poll(&polled, 2, -1) < 0 && errno == EINTR {}
        return polled[1].revents == 0
    }
}

/// The standard output of a running child. Valid during `withChild`'s body; for one reader at a time.
///
/// Concurrency and memory: a thread of its own reads ahead at most `chunkCount` chunks of at most `chunkSize` bytes.
public struct ChildOutput: Sendable {
    /// Largest chunk, in bytes.
    public static let chunkSize = 256 << 10
    /// Chunks read ahead.
    public static let chunkCount = 4

    let channel: ByteChannel
    let child: ChildProcess

    /// The next bytes, nil at the end of the stream. The end says nothing about success: a child that was killed also
    /// ends its stream. Ask `exit()` before believing the bytes.
    ///
    /// - Throws: `CancellationError`.
    public func read() async throws -> [UInt8]? { try await channel.next() }

    /// Waits for the child to end. Drops what is unread, so call it after the end of the stream.
    ///
    /// - Throws: `CancellationError`.
    public func exit() async throws -> ChildExit {
        channel.close()
        guard let exit = await child.waitForExit() else { throw CancellationError() }
        try Task.checkCancellation()
        return exit
    }

    /// Asks the child's process group to end: SIGTERM, and SIGKILL after the command's grace.
    public func terminate() { child.terminate() }

    public var processIdentifier: Int32 { child.processIdentifier }
}

/// Reads a pipe on a blocking thread.
enum PipePump {
    /// Milliseconds without data after which a pipe that outlived the child is taken as ended: a process that left the
    /// child's group may hold it open for ever.
    static let lingerMilliseconds: Int32 = 200

    /// Blocks until the pipe's end, giving each chunk to `deliver`, which returns false to stop.
    static func run(
        _ descriptor: Descriptor, ended: Int32, chunkSize: Int, waitForPlace: () -> Bool, deliver: ([UInt8]) -> Void
    ) {
        var hasEnded = false
        while waitForPlace() {
            reading: while true {
                var failure: Int32 = 0
                let chunk = [UInt8](unsafeUninitializedCapacity: chunkSize) { buffer, count in
                    let got = Glibc.read(descriptor.number, buffer.baseAddress, buffer.count)
                    failure = got < 0 ? errno : 0
                    count = max(0, got)
                }
                switch failure {
                case 0:
                    if chunk.isEmpty { return }
                    deliver(chunk)
                    break reading
                case EINTR: continue
                case EAGAIN:
                    guard wait(descriptor.number, ended: ended, hasEnded: &hasEnded) else { return }
                default: return
                }
            }
        }
    }

    /// False when the pipe is to be taken as ended.
    private static func wait(_ descriptor: Int32, ended: Int32, hasEnded: inout Bool) -> Bool {
        if hasEnded {
            var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            return poll(&polled, 1, lingerMilliseconds) != 0
        }
        var polled = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: ended, events: Int16(POLLIN), revents: 0),
        ]
        _ = poll(&polled, 2, -1)
        hasEnded = polled[1].revents != 0
        return true
    }
}

/// The last bytes of a stream.
final class Tail: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var hasDropped = false
    }

    private let state = Mutex(State())
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    func append(_ chunk: [UInt8]) {
        state.withLock { state in
            state.bytes.append(contentsOf: chunk)
            // Trimmed at twice the limit, so that the cost per byte stays constant.
            guard state.bytes.count > 2 * limit else { return }
            state.bytes.removeFirst(state.bytes.count - limit)
            state.hasDropped = true
        }
    }

    /// At most the limit; starts after a line break when something was dropped.
    var bytes: [UInt8] {
        state.withLock { state in
            var bytes = state.bytes[...]
            let hasDropped = state.hasDropped || bytes.count > limit
            if bytes.count > limit { bytes = bytes.suffix(limit) }
            if hasDropped, let lineBreak = bytes.firstIndex(of: 0x0a), lineBreak + 1 < bytes.endIndex {
                bytes = bytes[(lineBreak + 1)...]
            }
            return Array(bytes)
        }
    }
}
