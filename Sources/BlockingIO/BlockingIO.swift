import Dispatch

/// Runs a closure that blocks in a system call (read, fsync, waitpid, libpq, libcurl) on a thread of its own, so that
/// the cooperative pool, which has one thread per core, stays free for computing.
///
/// Concurrency and memory: the threads come from Dispatch's pool for queues of their own, which grows to 255. Its global
/// queue would not do: on Linux the cooperative pool runs on that one, and a write that waits for a disk would take a core
/// away from it. The caller suspends; cancelling its task does not interrupt the closure, so a closure that may block
/// for long needs a way to be woken (closing the descriptor, killing the child).
///
/// - Throws: whatever the closure throws.
public func onBlockingThread<Result: Sendable>(
    _ body: @escaping @Sendable () throws -> Result
) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue(label: "blocking").async {
            continuation.resume(with: Swift.Result { try body() })
        }
    }
}
