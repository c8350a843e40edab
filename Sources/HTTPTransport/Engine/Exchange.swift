internal import Synchronization

/// One request in flight: an `ExchangeState` behind a lock, and the waiting around it.
///
/// Concurrency and memory: one task may send while another receives. Cancelling a task that waits here aborts the whole
/// exchange: the connection is closed (HTTP/1) or the stream reset (HTTP/2), and nothing is waited for.
final class Exchange: Sendable {
    let request: HTTPRequest

    private struct Guarded {
        var state: ExchangeState
        /// Counts changes, so that one between looking and waiting is not missed.
        var version: UInt64 = 0
        var waiters: [CheckedContinuation<Void, Never>] = []
        /// Makes the connection's thread look at this exchange.
        var alert: (@Sendable (Exchange) -> Void)?
        /// It was told and has not looked yet; telling it again would only fill its inbox.
        var isAlerted = false

        mutating func takeAlert() -> (@Sendable (Exchange) -> Void)? {
            guard state.needsAttention, !isAlerted, let alert else { return nil }
            isAlerted = true
            return alert
        }
    }

    private let guarded: Mutex<Guarded>

    init(_ request: HTTPRequest, _ receiving: ExchangeState.Receiving) {
        self.request = request
        guarded = Mutex(Guarded(state: ExchangeState(receiving)))
    }

    func setAlert(_ alert: @escaping @Sendable (Exchange) -> Void) { guarded.withLock { $0.alert = alert } }

    /// For the connection's thread, before it looks: from now on it wants to be told again.
    func beginAttending() { guarded.withLock { $0.isAlerted = false } }

    /// Changes the state and wakes whoever waits for it to change.
    func update<Result>(_ change: (inout ExchangeState) throws -> sending Result) rethrows -> sending Result {
        let (result, waiters) = try guarded.withLock { guarded in
            let result = try change(&guarded.state)
            guarded.version &+= 1
            defer { guarded.waiters = [] }
            return (result, guarded.waiters)
        }
        for waiter in waiters { waiter.resume() }
        return result
    }

    /// Like `update`, for what no waiting task can tell: wakes nobody.
    func quietly<Result>(_ change: (inout ExchangeState) throws -> sending Result) rethrows -> sending Result {
        try guarded.withLock { try change(&$0.state) }
    }

    /// Like `update`, by a task: also wakes the connection's thread when it has something to do now.
    private func updateFromTask<Result>(
        _ change: (inout ExchangeState) throws -> sending Result
    ) rethrows -> sending Result {
        let (result, waiters, alert) = try guarded.withLock { guarded in
            let result = try change(&guarded.state)
            guarded.version &+= 1
            defer { guarded.waiters = [] }
            return (result, guarded.waiters, guarded.takeAlert())
        }
        for waiter in waiters { waiter.resume() }
        alert?(self)
        return result
    }

    func abort(_ error: any Error) { updateFromTask { $0.abort(error) } }

    /// Waits until everything before was taken by the connection.
    func send(_ parts: [[UInt8]]) async throws {
        try await wait { try $0.offer(parts) ? true : nil }
    }

    func finishSending() { updateFromTask { $0.finishSending() } }

    func head() async throws -> HTTPResponseHead { try await wait { try $0.headWhenThere() } }

    /// Nil after the last chunk.
    func receive() async throws -> [UInt8]? {
        switch try await wait({ try $0.take() }) {
        case .bytes(let chunk): return chunk
        case .end: return nil
        }
    }

    func whole() async throws -> HTTPResponse {
        let body = try await wait { try $0.takeWhole() }
        return HTTPResponse(head: try await head(), body: body)
    }

    var trailers: HTTPHeaders { guarded.withLock { $0.state.trailers } }

    /// Calls `attempt` now and after every change, until it gives something.
    @discardableResult private func wait<Result: Sendable>(
        _ attempt: (inout ExchangeState) throws -> Result?
    ) async throws -> Result {
        while true {
            try checkCancellation()
            let seen = guarded.withLock { $0.version }
            // Nothing of a refused attempt changes the state, so it must not count as a change either.
            if let result = try attemptNow(attempt) { return result }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isStale = guarded.withLock { guarded in
                        if guarded.version != seen { return true }
                        guarded.waiters.append(continuation)
                        return false
                    }
                    if isStale { continuation.resume() }
                }
            } onCancel: {
                abort(CancellationError())
            }
        }
    }

    private func attemptNow<Result: Sendable>(
        _ attempt: (inout ExchangeState) throws -> Result?
    ) throws -> Result? {
        var alert: (@Sendable (Exchange) -> Void)?
        var waiters: [CheckedContinuation<Void, Never>] = []
        let result = try guarded.withLock { guarded -> Result? in
            guard let result = try attempt(&guarded.state) else { return nil }
            guarded.version &+= 1
            swap(&waiters, &guarded.waiters)
            alert = guarded.takeAlert()
            return result
        }
        for waiter in waiters { waiter.resume() }
        alert?(self)
        return result
    }

    private func checkCancellation() throws {
        guard Task.isCancelled else { return }
        abort(CancellationError())
        throw CancellationError()
    }
}
