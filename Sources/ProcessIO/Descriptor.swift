import Glibc
import Synchronization

/// A descriptor of ours that is closed once, at the latest when the last reference goes.
final class Descriptor: Sendable {
    let number: Int32
    private let isClosed = Atomic(false)

    init(_ number: Int32) { self.number = number }

    deinit { close() }

    /// Only when no thread uses the number any more: the system gives it to somebody else.
    func close() {
        if !isClosed.exchange(true, ordering: .acquiringAndReleasing) { Glibc.close(number) }
    }
}

/// The two ends of a pipe, both closed in children.
struct Pipe {
    let read: Int32
    let write: Int32

    /// Bytes asked of the kernel for a pipe's buffer: fewer switches between us and a fast child.
    static let bufferSize: Int32 = 1 << 20

    /// Linux `F_SETPIPE_SZ`, which the C library only shows to GNU sources.
    private static let setPipeSize: Int32 = 1031

    /// A child started at this very moment cannot inherit the ends: subprocess closes all but the standard streams.
    init() throws(ChildError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw ChildError(.spawn, "", "cannot make a pipe: \(SystemError.text(errno))")
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (read, write) = (ends[0], ends[1])
    }

    /// Refused above a quota per user; the default size works as well, only slower.
    func enlarge() { _ = fcntl(write, Self.setPipeSize, Self.bufferSize) }

    static func makeNonBlocking(_ descriptor: Int32) {
        let flags = fcntl(descriptor, F_GETFL)
        if flags >= 0 { _ = fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) }
    }
}

/// The system's error numbers as text.
public enum SystemError {
    /// The C library's sentence for a number, without its locale.
    public static func text(_ number: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard strerror_r(number, &buffer, buffer.count) == 0 else { return "error \(number)" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
