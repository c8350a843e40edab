internal import HTTPTransport
internal import KopiaContent
internal import KopiaFormat
internal import KopiaManifest
internal import Synchronization

/// The sessions with one server, one after the other, and the calls that go through them: `ConnectionState` with sockets.
///
/// Concurrency and memory: may be used by any number of tasks. Requests overlap: at most `readsMax` calls that read, and
/// contents as `WriteJournal.Limits` says. Answers are always read as they come, whoever waits for them: a server that
/// cannot send an answer holds up everybody else's sessions.
final class ServerConnection: Sendable {
    let address: ServerAddress
    let credentials: ServerCredentials
    let options: ServerOptions
    let monitor: Monitor<ConnectionState>
    let environment: RetryPolicy.Environment
    /// One flush, put or deletion at a time: the server promises no order.
    let exclusive = AsyncGate(permits: 1)
    private let client: HTTPClient
    private let readGate: AsyncGate
    /// Continuations of calls, by ticket.
    private let waiters = Mutex<[UInt64: CheckedContinuation<Void, Never>]>([:])

    /// - Throws: `ServerError.Code.invalidAddress`.
    init(
        _ address: ServerAddress, _ credentials: ServerCredentials, _ options: ServerOptions,
        environment: RetryPolicy.Environment
    ) throws(ServerError) {
        self.address = address
        self.credentials = credentials
        self.options = options
        self.environment = environment
        monitor = Monitor(
            ConnectionState(
                server: address.description, user: credentials.description, limits: options.session,
                journal: options.journal))
        readGate = AsyncGate(permits: options.readsMax)
        var configuration = HTTPClientConfiguration()
        configuration.versions = .http2
        configuration.trust = address.trust
        configuration.lowSpeed = nil
        configuration.connectTimeout = options.connectTimeout
        configuration.receiveBufferBytes = 4 << 20
        do throws(HTTPError) {
            client = try HTTPClient(configuration)
        } catch {
            throw ServerError(.invalidAddress, error.message, hint: error.hint)
        }
    }

    private var now: ContinuousClock.Instant { .now }

    // MARK: Calls

    /// Requests that travel and are waited for together: a task for each small content would cost more than the content.
    static let groupMax = 16

    /// Requests that only read, and what `use` makes of each answer, in the order of the requests. An answer that is an
    /// error is an answer. `use` is called with the position of the request, away from the caller.
    ///
    /// - Throws: the failure of the connection, what `use` throws, `CancellationError`.
    func read<Result: Sendable>(
        _ requests: [Request], _ use: @escaping @Sendable (Int, [Response]) throws -> Result
    ) async throws -> [Result] {
        guard requests.count > Self.groupMax else { return try await readGroup(requests[...], use) }
        return try await withThrowingTaskGroup(of: (Int, [Result]).self) { group in
            let starts = Array(stride(from: 0, to: requests.count, by: Self.groupMax))
            for start in starts {
                group.addTask { (start, try await self.readGroup(requests[start...].prefix(Self.groupMax), use)) }
            }
            var results: [Int: [Result]] = [:]
            for try await (start, group) in group { results[start] = group }
            return starts.flatMap { results[$0] ?? [] }
        }
    }

    /// The same for one, as it is.
    func read(_ request: Request) async throws -> [Response] { try await read([request]) { $1 }.first ?? [] }

    @concurrent
    private func readGroup<Result: Sendable>(
        _ requests: ArraySlice<Request>, _ use: @Sendable (Int, [Response]) throws -> Result
    ) async throws -> [Result] {
        try await readGate.withPermit {
            let tickets = try monitor.update { state in try requests.map { try state.enqueue($0, isRepeatable: true) } }
            var results: [Result] = []
            results.reserveCapacity(tickets.count)
            do {
                for (position, ticket) in zip(requests.indices, tickets) {
                    results.append(try use(position, try await answer(to: ticket)))
                }
            } catch {
                monitor.update { state in
                    for ticket in tickets.dropFirst(results.count) { state.abandon(ticket) }
                }
                throw error
            }
            return results
        }
    }

    /// A request that comes after everything up to `sequence` in the journal, in the session that is open then.
    ///
    /// - Returns: the answer and the number of that session.
    /// - Throws: also `ConnectionState.SessionLost`.
    func change(_ request: Request, after sequence: UInt64) async throws -> (responses: [Response], generation: Int) {
        let (ticket, generation) = try await monitor.wait { try $0.enqueue(request, after: sequence) }
        return (try await answer(to: ticket), generation)
    }

    private func answer(to ticket: UInt64) async throws -> [Response] {
        while true {
            if Task.isCancelled {
                monitor.update { $0.abandon(ticket) }
                throw CancellationError()
            }
            if let result = monitor.take(ticket) { return try result.get() }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    waiters.withLock { $0[ticket] = continuation }
                    // It may have come, or nobody may want it any more, before the line above.
                    if Task.isCancelled || monitor.read({ $0.answers[ticket] != nil }) { wake(ticket) }
                }
            } onCancel: {
                wake(ticket)
            }
        }
    }

    private func wake(_ ticket: UInt64) { waiters.withLock { $0.removeValue(forKey: ticket) }?.resume() }

    private func wakeAnswered() {
        guard monitor.read({ $0.hasNewAnswers }) else { return }
        for ticket in monitor.update({ $0.takeNewAnswers() }) { wake(ticket) }
    }

    // MARK: Sessions

    /// Holds a session open until `close`, opening a new one whenever one breaks. Returns when there will be none.
    func run() async {
        var attempts = 0
        while true {
            let outcome = await runSession()
            let (hasProgress, wasOpen, isClosing) = monitor.update { state in
                (state.sessionEnded(), state.generation > 0, state.isClosing && !state.isDirty)
            }
            wakeAnswered()
            if Task.isCancelled { return fail(CancellationError()) }
            guard case .failure(let error) = outcome, !isClosing else {
                return fail(ServerError(.interrupted, "the connection with \(address) was closed"))
            }
            attempts = hasProgress ? 1 : attempts + 1
            let policy = wasOpen ? options.reconnecting : options.connecting
            guard error.isTransient, attempts < policy.attemptsMax else {
                return fail(attempts > 1 ? error.prefixed("gave up after \(attempts) attempts") : error)
            }
            options.onTrouble?(error.message)
            do {
                try await environment.sleep(policy.delay(afterAttempt: attempts, random: environment.random()))
            } catch {
                return fail(CancellationError())
            }
        }
    }

    private func fail(_ error: any Error) {
        monitor.update { $0.fail(error) }
        wakeAnswered()
    }

    private func runSession() async -> Result<Void, ServerError> {
        // Before anything can come back.
        let openingID = monitor.update { $0.beginSession(now: now) }
        do {
            let request = HTTPRequest(.post, address.sessionURL, headers: credentials.metadata)
            return try await client.withStream(request) { stream in
                try await withThrowingTaskGroup(of: Result<Void, ServerError>?.self) { group in
                    defer { group.cancelAll() }
                    group.addTask { try await self.sendAll(stream, openingID) }
                    group.addTask { try await self.receiveAll(stream) }
                    group.addTask { try await self.watch() }
                    for try await outcome in group {
                        if let outcome { return outcome }
                    }
                    return .failure(ServerError(.interrupted, "the session with \(address) ended", isTransient: true))
                }
            }
        } catch let error as HTTPError {
            return .failure(ServerError(error, server: address.description, wasOpen: false))
        } catch {
            return .failure(ServerError(.interrupted, "the session with \(address) was given up: \(error)"))
        }
    }

    /// Never the one to tell how a session ended: the status that comes back knows more.
    @concurrent
    private func sendAll(_ stream: HTTPStream, _ openingID: Int64) async throws -> Result<Void, ServerError>? {
        do {
            let opening = Request.open(purpose: options.purpose, isReadOnly: options.isReadOnly)
            try await stream.send(try frame(opening, id: openingID, lengthMax: options.session.messageBytesMax))
            while let batch = try await nextOutgoing() {
                var frames = FrameParts()
                for outgoing in batch {
                    do throws(ServerError) {
                        try append(outgoing, to: &frames)
                    } catch {
                        monitor.update { $0.refuse(outgoing, error) }
                        wakeAnswered()
                    }
                }
                try await stream.send(parts: frames.parts)
            }
            stream.finishSending()
        } catch is HTTPError {}
        return nil
    }

    private func append(_ outgoing: ConnectionState.Outgoing, to frames: inout FrameParts) throws(ServerError) {
        let lengthMax = options.session.messageBytesMax
        switch outgoing.body {
        case .request(let request): frames.append(try frame(request, id: outgoing.id, lengthMax: lengthMax))
        case .write(let id, let content):
            frames.append(
                try writingHead(
                    content.plaintext.count, prefix: id.prefix, compression: content.compression, id: outgoing.id,
                    lengthMax: lengthMax))
            frames.append(content.plaintext)
        }
    }

    /// Nil when our side is to be closed.
    private func nextOutgoing() async throws -> [ConnectionState.Outgoing]? {
        try await monitor.wait { state -> [ConnectionState.Outgoing]?? in
            let batch = state.nextOutgoing(now: self.now)
            if !batch.isEmpty { return .some(batch) }
            return state.close() ? .some(nil) : nil
        }
    }

    @concurrent
    private func receiveAll(_ stream: HTTPStream) async throws -> Result<Void, ServerError>? {
        do {
            let head = try await stream.head()
            if let outcome = pass({ $0.receivedHead(head) }) { return outcome }
            while let bytes = try await stream.receive() {
                if let outcome = pass({ $0.received(bytes, now: self.now) }) { return outcome }
            }
            return pass { $0.receivedEnd(stream.trailers) }
        } catch let error as HTTPError {
            return pass { $0.receivedFailure(error) }
        }
    }

    private func pass(_ body: (inout SessionState) -> [SessionState.Event]) -> Result<Void, ServerError>? {
        let (outcome, isNew) = monitor.update { state in
            let before = state.generation
            return (state.receive(now: now, body), state.generation != before)
        }
        if isNew { options.onTrouble?(nil) }
        wakeAnswered()
        return outcome
    }

    /// Looks for what is overdue.
    private func watch() async throws -> Result<Void, ServerError>? {
        let limits = options.session
        let pause = min(min(limits.silenceTimeout, limits.requestTimeout) / 4, limits.probeInterval / 2)
        while true {
            try await environment.sleep(pause)
            if let outcome = pass({ $0.tick(now: self.now) }) { return outcome }
        }
    }
}

extension Monitor where State == ConnectionState {
    /// Wakes nobody when there is nothing.
    fileprivate func take(_ ticket: UInt64) -> Result<[Response], any Error>? {
        read { $0.answers[ticket] != nil } ? update { $0.takeAnswer(ticket) } : nil
    }
}
