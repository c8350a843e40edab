import BlockingIO
import Glibc
import Synchronization

/// A write to a pipe that nobody reads reports EPIPE instead of killing the process.
public enum BrokenPipes {
    private static let done: Void = { _ = signal(SIGPIPE, SIG_IGN) }()

    /// To be called first thing in `main`. Children get the default back.
    public static func ignore() { done }
}

/// The work was ended by a signal sent to this process.
public struct Interrupted: Error, Sendable, Hashable, CustomStringConvertible {
    /// SIGINT or SIGTERM.
    public let signal: Int32

    public init(signal: Int32) { self.signal = signal }

    /// 130 or 143, as shells report it.
    public var exitCode: Int32 { 128 &+ signal }
    public var description: String { signal == SIGINT ? "interrupted" : "terminated" }
}

/// Runs `body` so that SIGINT and SIGTERM cancel it, and a second signal ends the process at once, together with the
/// process groups of its children.
///
/// Handlers are those of the whole process: one call at a time, in `main`.
///
/// - Throws: `Interrupted` in place of the body's `CancellationError` when a signal was the reason; else what the body
///   throws. A body that finished before it noticed the signal is finished.
public func withInterruption<Value: Sendable>(
    _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    BrokenPipes.ignore()
    let pipe = try Pipe()
    let (readEnd, writeEnd) = (Descriptor(pipe.read), Descriptor(pipe.write))
    let received = Mutex<Int32?>(nil)
    // Before the work starts: a signal that comes first waits in the pipe.
    SignalPipe.install(writeEnd.number)
    let work = Task { try await body() }
    // Ends when the pipe's write end is closed below.
    async let watching: Void = onDedicatedThread {
        SignalPipe.watch(readEnd) { signal in
            let isSecond = received.withLock { received in
                defer { received = received ?? signal }
                return received != nil
            }
            if isSecond {
                LiveGroups.killAll()
                _exit(128 &+ signal)
            }
            work.cancel()
        }
    }
    let result = await withTaskCancellationHandler {
        await work.result
    } onCancel: {
        work.cancel()
    }
    SignalPipe.restore()
    writeEnd.close()
    try await watching
    do {
        return try result.get()
    } catch let error as CancellationError {
        if let signal = received.withLock({ $0 }) { throw Interrupted(signal: signal) }
        throw error
    }
}

/// The way from a signal handler to a thread.
private enum SignalPipe {
    private static let watched = [SIGINT, SIGTERM]
    nonisolated(unsafe) private static var previous: [sigaction] = []

    static func install(_ writeEnd: Int32) {
        // Both globals are made here, so that no handler has to.
        _ = handlersRunning.load(ordering: .relaxed)
        signalPipeEnd.store(writeEnd, ordering: .sequentiallyConsistent)
        previous = watched.map { number in
            var action = sigaction()
            action.__sigaction_handler.sa_handler = { number in
                // Only async-signal-safe calls here.
                let savedErrno = errno
                handlersRunning.add(1, ordering: .sequentiallyConsistent)
                let end = signalPipeEnd.load(ordering: .sequentiallyConsistent)
                var byte = UInt8(truncatingIfNeeded: number)
                if end >= 0 { _ = write(end, &byte, 1) }
                handlersRunning.subtract(1, ordering: .sequentiallyConsistent)
                errno = savedErrno
            }
            action.sa_flags = SA_RESTART
            var old = sigaction()
            sigaction(number, &action, &old)
            return old
        }
    }

    /// Returns when no handler uses the pipe any more, whatever thread it runs on: its end may be closed then.
    static func restore() {
        for (number, action) in zip(watched, previous) {
            var action = action
            sigaction(number, &action, nil)
        }
        previous = []
        signalPipeEnd.store(-1, ordering: .sequentiallyConsistent)
        // A handler takes microseconds; one on this thread is over before this is reached.
        while handlersRunning.load(ordering: .sequentiallyConsistent) > 0 { sched_yield() }
    }

    static func watch(_ readEnd: Descriptor, _ handle: (Int32) -> Void) {
        var byte: UInt8 = 0
        while true {
            let count = read(readEnd.number, &byte, 1)
            if count == 1 {
                handle(Int32(byte))
            } else if count == 0 || errno != EINTR {
                return
            }
        }
    }
}

/// Where handlers write; -1 when nobody reads. Handlers run on any thread, and one that has begun goes on after another
/// thread removed them.
private let signalPipeEnd = Atomic<Int32>(-1)
private let handlersRunning = Atomic(0)
