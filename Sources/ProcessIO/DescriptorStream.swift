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
    public static let chunkSize = 256 << 10
    /// What a pipe takes without blocking once it says that it is writable.
    private static let writeSize = 4096

    /// - Parameter name: for messages: `standard input`.
    /// - Throws: `DescriptorError` when the system has no descriptors left.
    public init(_ descriptor: Int32, name: String) throws {
        self.descriptor = descriptor
        self.name = name
        owned = nil
        (wakeRead, wakeWrite) = try Self.wakePipe(name)
    }

    /// Opens a file for reading.
    ///
    /// - Throws: `DescriptorError`.
    public convenience init(reading path: String) throws {
        try self.init(opening: path, flags: O_RDONLY, mode: 0)
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

    /// The next bytes, nil at the end.
    ///
    /// - Throws: `DescriptorError`; `CancellationError`.
    public func read() async throws -> [UInt8]? {
        try await cancellable { [self] in
            var failure: Int32 = 0
            while true {
                guard waits(for: POLLIN) else { return nil }
                let chunk = [UInt8](unsafeUninitializedCapacity: Self.chunkSize) { buffer, count in
                    let got = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
                    failure = got < 0 ? errno : 0
                    count = max(0, got)
                }
                if failure == 0 { return chunk.isEmpty ? nil : chunk }
                if failure != EINTR, failure != EAGAIN {
                    throw DescriptorError("cannot read \(name): \(SystemError.text(failure))", number: failure)
                }
            }
        }
    }

    /// Returns when the system has taken every byte.
    ///
    /// - Throws: `DescriptorError`; `CancellationError`.
    public func write(_ bytes: [UInt8]) async throws {
        _ = try await cancellable { [self] in
            try bytes.withUnsafeBytes { buffer in
                var offset = 0
                while offset < buffer.count, let start = buffer.baseAddress {
                    guard waits(for: POLLOUT) else { return }
                    let count = Glibc.write(descriptor, start + offset, min(Self.writeSize, buffer.count - offset))
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
            var byte: UInt8 = 0
            _ = Glibc.write(wakeWrite.number, &byte, 1)
        }
        try Task.checkCancellation()
        return value
    }

    /// False when the task was cancelled meanwhile.
    private func waits(for events: Int32) -> Bool {
        var polled = [
            pollfd(fd: descriptor, events: Int16(events), revents: 0),
            pollfd(fd: wakeRead.number, events: Int16(POLLIN), revents: 0),
        ]
        while poll(&polled, 2, -1) < 0 && errno == EINTR {}
        return polled[1].revents == 0
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
