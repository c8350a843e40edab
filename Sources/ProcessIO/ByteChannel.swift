import Dispatch
import Synchronization

/// Hands chunks from one blocking thread to one task, at most `capacity` at a time: the thread waits when the task is
/// slow, so that the child's pipe fills and the child waits too.
final class ByteChannel: Sendable {
    private struct State {
        var chunks: [[UInt8]] = []
        var first = 0
        /// No more chunks will come.
        var isFinished = false
        /// Nobody will take any more.
        var isClosed = false
        var waiter: CheckedContinuation<[UInt8]?, any Error>?
    }

    private let state = Mutex(State())
    /// Counts free places. Starts at 0 and is raised, because Dispatch traps when a semaphore dies below its start.
    private let places = DispatchSemaphore(value: 0)

    init(capacity: Int) {
        for _ in 0..<capacity { places.signal() }
    }

    /// For the thread: blocks until there is a free place. False when nobody will take any more.
    func waitForPlace() -> Bool {
        places.wait()
        return state.withLock { !$0.isClosed }
    }

    /// For the thread, after `waitForPlace`.
    func put(_ chunk: [UInt8]) {
        let waiter = state.withLock { state -> CheckedContinuation<[UInt8]?, any Error>? in
            if state.isClosed { return nil }
            if let waiter = state.waiter {
                state.waiter = nil
                return waiter
            }
            state.chunks.append(chunk)
            return nil
        }
        guard let waiter else { return }
        places.signal()
        waiter.resume(returning: chunk)
    }

    /// For the thread: what was put is still delivered.
    func finish() {
        let waiter = state.withLock { state in
            state.isFinished = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: nil)
    }

    /// For the task: the thread's next `waitForPlace` returns false and everything undelivered is dropped.
    func close() {
        let waiter = state.withLock { state in
            state.isClosed = true
            state.chunks = []
            state.first = 0
            defer { state.waiter = nil }
            return state.waiter
        }
        places.signal()
        waiter?.resume(returning: nil)
    }

    /// For the task: the next chunk, nil after the last.
    ///
    /// - Throws: `CancellationError`.
    func next() async throws -> [UInt8]? {
        try Task.checkCancellation()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                enum Step { case wait, deliver([UInt8]?), cancelled }
                let step = state.withLock { state -> Step in
                    if Task.isCancelled { return .cancelled }
                    if state.first < state.chunks.count {
                        let chunk = state.chunks[state.first]
                        state.chunks[state.first] = []
                        state.first += 1
                        if state.first == state.chunks.count {
                            state.chunks.removeAll(keepingCapacity: true)
                            state.first = 0
                        }
                        return .deliver(chunk)
                    }
                    if state.isFinished || state.isClosed { return .deliver(nil) }
                    state.waiter = continuation
                    return .wait
                }
                switch step {
                case .wait: break
                case .cancelled: continuation.resume(throwing: CancellationError())
                case .deliver(let chunk):
                    if chunk != nil { places.signal() }
                    continuation.resume(returning: chunk)
                }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume(throwing: CancellationError())
        }
    }
}
