import Dispatch
import Glibc

/// Runs a closure that may block for as long as the work lasts (a pump between a pipe and a queue, waiting for a child)
/// on a thread made for it.
///
/// Unlike `onBlockingThread` it cannot starve: Dispatch's pool stops growing at 255 threads, and when those wait
/// for one that has not started yet, nothing moves any more.
///
/// Concurrency and memory: one thread, ended with the closure; about 20 µs to start. Cancelling the caller's task does
/// not interrupt the closure.
///
/// - Throws: whatever the closure throws.
public func onDedicatedThread<Result: Sendable>(
    _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        startThread { continuation.resume(with: Swift.Result { try body() }) }
    }
}

/// Starts a thread of its own for `body` and returns at once. The owner must know from `body` itself when it ended.
public func startThread(_ body: @escaping @Sendable () -> Void) {
    let box = Unmanaged.passRetained(ThreadBody(body))
    var thread: pthread_t = 0
    let status = pthread_create(
        &thread, nil,
        { context in
            guard let context else { return nil }
            Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run()
            return nil
        }, box.toOpaque())
    if status == 0 {
        pthread_detach(thread)
    } else {
        // The system has no thread left for us; the pool may.
        box.release()
        DispatchQueue(label: "dedicated").async(execute: body)
    }
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}
