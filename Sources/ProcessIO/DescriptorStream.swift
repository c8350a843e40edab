import BlockingIO
import Glibc

/// A descriptor that is not ours alone (standard input, standard output) or a file: reads and writes that can be
/// cancelled while they wait.
///
/// Concurrency and memory: one call at a time. Does not close the descriptor unless it opened it.
public final class DescriptorStream: Sendable {
    private let descriptor: Int32
    private let owned: Descriptor?
    private let wakeRead: Descriptor
    private let wakeWrite: Descriptor
    private let name: String

    /// Largest chunk of `read()`, in bytes.
    public static let chunkSize = 1 << 20
    /// `F_SETPIPE_SZ`, which the C library module does not show.
    private static let setPipeSize: Int32 = 1031
    /// What a pipe takes without blocking once it says that it is writable.
    private static let pipeWriteSize = 4096
    private static let fileWriteSize = 1 << 20

    /// - Parameter name: for messages: `standard input`.
    /// - Throws: `DescriptorError` when the system has no descriptors left.
    public init(_ descriptor: Int32, name: String) throws {
        self.descriptor = descriptor
        self.name = name
        owned = nil
        // Fewer and larger steps; not everybody may have so large a pipe, and a file is none.
        _ = fcntl(descriptor, Self.setPipeSize, Int32(Self.chunkSize))
        (wakeRead, wakeWrite) = try Self.wakePipe(name)
    }

    /// Opens a file for reading.
    ///
    /// - Throws: `DescriptorError`.
    public convenience init(reading path: String) throws {
        try self.init(opening: path, flags: O_RDONLY, mode: 0)
    }

    /// Opens the reading end of a named pipe without waiting for a writer; `read()` waits, for the first one and then
    /// until the last one is gone.
    ///
    /// - Throws: `DescriptorError`.
    public convenience init(readingPipe path: String) throws {
        try self.init(opening: path, flags: O_RDONLY | O_NONBLOCK, mode: 0)
    }

    /// Opens a file for writing, empty; made when missing.
    ///
    /// - Throws: `DescriptorError`.
    public convenience init(writing path: String, mode: UInt32 = 0o644) throws {
        try self.init(opening: path, flags: O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
    }

    /// Makes a file for writing that must not exist yet, not even as a symbolic link.
    ///
    /// - Throws: `DescriptorError`.
    public convenience init(creating path: String, mode: UInt32 = 0o644) throws {
        try self.init(opening: path, flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
    }

    private init(opening path: String, flags: Int32, mode: UInt32) throws {
        let number = open(path, flags | O_CLOEXEC, mode)
        guard number >= 0 else {
            throw DescriptorError("cannot open \(path): \(SystemError.text(errno))", number: errno)
        }
        descriptor = number
        owned = Descriptor(number)
        name = path
        (wakeRead, wakeWrite) = try Self.wakePipe(path)
    }

    private static func wakePipe(_ name: String) throws -> (Descriptor, Descriptor) {
        do {
            let pipe = try Pipe()
            return (Descriptor(pipe.read), Descriptor(pipe.write))
        } catch {
            throw DescriptorError("cannot wait for \(name): \(error)", number: EMFILE)
        }
    }

    /// The next bytes, as many as are there; nil at the end.
    ///
    /// - Throws: `DescriptorError`; `CancellationError`.
    public func read() async throws -> [UInt8]? {
        guard case .bytes(let chunk) = try await arrival(within: -1) else { return nil }
        return chunk
    }

    /// What a read that does not wait for ever found.
    public enum Arrival: Sendable, Hashable {
        case bytes([UInt8])
        case end
        /// Nothing came in time, and somebody may still write.
        case nothing
    }

    /// As `read`, but gives up after a while.
    ///
    /// - Parameter milliseconds: -1 waits for ever.
    /// - Throws: `DescriptorError`; `CancellationError`.
    public func arrival(within milliseconds: Int32) async throws -> Arrival {
        try await cancellable { [self] in try nextChunk(Self.chunkSize, within: milliseconds) }
    }

    /// Blocks until there is something.
    private func nextChunk(_ size: Int, within milliseconds: Int32) throws -> Arrival {
        var failure: Int32 = 0
        while true {
            guard waits(for: POLLIN, milliseconds) else { return .nothing }
            let chunk = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                failure = 0
                repeat {
                    let got = Glibc.read(descriptor, buffer.baseAddress.map { $0 + count }, buffer.count - count)
                    if got < 0, count == 0 { failure = errno }
                    // An error or the end shows again with the next read.
                    guard got > 0 else { return }
                    count += got
                } while count < buffer.count && isReadable
            }
            if failure == 0 { return chunk.isEmpty ? .end : .bytes(chunk) }
            if failure != EINTR, failure != EAGAIN {
                throw DescriptorError("cannot read \(name): \(SystemError.text(failure))", number: failure)
            }
        }
    }

    /// Runs `body` while a thread reads ahead of it, so that whoever computes on the bytes never waits for the next ones
    /// to be fetched. For a stream that is read to its end or given up: afterwards nothing more can be read from it.
    ///
    /// Concurrency and memory: one thread until `body` returns; at most `ChildOutput.chunkCount` chunks of at most
    /// `ChildOutput.chunkSize` bytes ahead. `next` is for one caller at a time: the next bytes, nil at the end.
    ///
    /// - Throws: what `body` throws; from `next` `DescriptorError` and `CancellationError`.
    public func readingAhead<Value>(
        _ body: (_ next: () async throws -> [UInt8]?) async throws -> Value
    ) async throws -> Value {
        let channel = ByteChannel(capacity: ChildOutput.chunkCount)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                defer { channel.finish() }
                try await onDedicatedThread { [self] in try pump(into: channel) }
            }
            // The thread waits for bytes or for a place; both waits end here, also when the task was cancelled.
            defer {
                channel.close()
                wake()
            }
            return try await body {
                if let chunk = try await channel.next() { return chunk }
                // The end, or why there is nothing more.
                while try await group.next() != nil {}
                return nil
            }
        }
    }

    private func pump(into channel: ByteChannel) throws {
        while channel.waitForPlace() {
            guard case .bytes(let chunk) = try nextChunk(ChildOutput.chunkSize, within: -1) else { return }
            channel.put(chunk)
        }
    }

    private func wake() {
        var byte: UInt8 = 0
        _ = Glibc.write(wakeWrite.number, &byte, 1)
    }

    /// Returns when the system has taken every byte.
    ///
    /// - Throws: `DescriptorError`; `CancellationError`.
    public func write(_ bytes: [UInt8]) async throws {
        _ = try await cancellable { [self] in
            let (target, step) = writingEnd()
            defer { withExtendedLifetime(target) {} }
            try bytes.withUnsafeBytes { buffer in
                var offset = 0
                while offset < buffer.count, let start = buffer.baseAddress {
                    guard waits(for: POLLOUT) else { return }
                    let count = Glibc.write(
                        target?.number ?? descriptor, start + offset, min(step, buffer.count - offset))
                    if count >= 0 {
                        offset += count
                    } else if errno != EINTR, errno != EAGAIN {
                        throw DescriptorError("cannot write \(name): \(SystemError.text(errno))", number: errno)
                    }
                }
            }
        }
    }

    /// Makes a file that was written durable.
    ///
    /// - Throws: `DescriptorError`.
    public func synchronize() async throws {
        try await onBlockingThread { [self] in
            if fsync(descriptor) != 0, errno != EINVAL, errno != EROFS {
                throw DescriptorError("cannot make \(name) durable: \(SystemError.text(errno))", number: errno)
            }
        }
    }

    private func cancellable<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try Task.checkCancellation()
        let value = try await withTaskCancellationHandler {
            try await onDedicatedThread(body)
        } onCancel: {
            wake()
        }
        try Task.checkCancellation()
        return value
    }

    /// Where to write and how much at a time, so that no write blocks. Whether a pipe blocks is a property that all its
    /// users share, ours must not change it; opened once more under `/proc` it has its own.
    private func writingEnd() -> (Descriptor?, Int) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return (nil, Self.pipeWriteSize) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return (nil, Self.fileWriteSize)
        // /dev/null; a terminal may stop.
        case S_IFCHR where isatty(descriptor) == 0: return (nil, Self.fileWriteSize)
        case S_IFIFO where fcntl(descriptor, F_GETFL) & O_ACCMODE == O_WRONLY:
            let number = open("/proc/self/fd/\(descriptor)", O_WRONLY | O_NONBLOCK | O_CLOEXEC)
            return number < 0 ? (nil, Self.pipeWriteSize) : (Descriptor(number), Self.fileWriteSize)
        default: return (nil, Self.pipeWriteSize)
        }
    }

    /// Whether a read returns at once.
    private var isReadable: Bool {
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, 0) > 0 && polled.revents & Int16(POLLIN) != 0
    }

    /// False when the task was cancelled or the time was over meanwhile.
    private func waits(for events: Int32, _ milliseconds: Int32 = -1) -> Bool {
        var polled = [
            pollfd(fd: descriptor, events: Int16(events), revents: 0),
            pollfd(fd: wakeRead.number, events: Int16(POLLIN), revents: 0),
        ]
        var ready: Int32
        repeat { ready = poll(&polled, 2, milliseconds) } while ready < 0 && errno == EINTR
        return ready != 0 && polled[1].revents == 0
    }
}

/// What the system refused to do with a descriptor or a file.
public struct DescriptorError: Error, Sendable, Hashable, CustomStringConvertible {
    public let message: String
    /// The system's `errno`.
    public let number: Int32

    init(_ message: String, number: Int32) {
        self.message = message
        self.number = number
    }

    public var isBrokenPipe: Bool { number == EPIPE }
    public var description: String { message }
}
