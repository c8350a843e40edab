internal import Synchronization

/// A value that tasks change and wait for.
///
/// Concurrency and memory: `update` holds a lock for as long as its closure runs; every change wakes everybody who waits.
final class Monitor<State>: Sendable {
    private struct Guarded {
        var state: State
        /// Counts changes, so that one between looking and waiting is not missed.
        var version: UInt64 = 0
        var nextWaiter: UInt64 = 0
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    }

    private let guarded: Mutex<Guarded>

    init(_ state: sending State) { guarded = Mutex(Guarded(state: state)) }

    func read<Result: Sendable>(_ body: (borrowing State) throws -> Result) rethrows -> Result {
        try guarded.withLock { try body($0.state) }
    }

    func update<Result: Sendable>(_ body: (inout State) throws -> Result) rethrows -> Result {
        let (result, waiters) = try guarded.withLock { guarded in
            let result = try body(&guarded.state)
            guarded.version &+= 1
            defer { guarded.waiters = [:] }
            return (result, Array(guarded.waiters.values))
        }
        for waiter in waiters { waiter.resume() }
        return result
    }

    /// Calls `attempt` now and after every change, until it gives something. An attempt that gives nothing must not have
    /// changed anything.
    ///
    /// - Throws: what `attempt` throws, `CancellationError`.
    @discardableResult
    func wait<Result: Sendable>(_ attempt: (inout State) throws -> Result?) async throws -> Result {
        while true {
            try Task.checkCancellation()
            let (result, seen, waiters) = try guarded.withLock { guarded in
                let seen = guarded.version
                guard let result = try attempt(&guarded.state) else {
                    return (Result?.none, seen, [CheckedContinuation<Void, Never>]())
                }
                guarded.version &+= 1
                defer { guarded.waiters = [:] }
                return (result, seen, Array(guarded.waiters.values))
            }
            for waiter in waiters { waiter.resume() }
            if let result { return result }
            await change(since: seen)
        }
    }

    private func change(since seen: UInt64) async {
        let number = guarded.withLock { guarded in
            guarded.nextWaiter &+= 1
            return guarded.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isStale = guarded.withLock { guarded in
                    if guarded.version != seen || Task.isCancelled { return true }
                    guarded.waiters[number] = continuation
                    return false
                }
                if isStale { continuation.resume() }
            }
        } onCancel: {
            guarded.withLock { $0.waiters.removeValue(forKey: number) }?.resume()
        }
    }
}
