internal import HTTPTransport
internal import KopiaContent
internal import KopiaManifest

/// What outlives a session: who waits for an answer, what is not durable yet, and what a new session is sent after the
/// old one broke. A plain value; `ServerConnection` adds sockets and waiting.
///
/// - Repeatable calls (all that only read) are sent again in the next session. Others fail with `SessionLost`: whoever made
///   them must look what became of them.
/// - Contents that were not flushed are sent again, in the order they came.
/// - A call that must come after writes is let through only when those are answered in the session that is open.
struct ConnectionState {
    typealias Instant = ContinuousClock.Instant

    /// The session ended before the answer; there will be another.
    struct SessionLost: Error, Equatable {}

    /// What the sender sends next.
    struct Outgoing {
        let id: Int64
        let asker: SessionState.Asker
        let body: Body

        enum Body {
            case request(Request)
            /// Put into a message outside of any lock.
            case write(ContentID, WriteJournal.Content)
        }
    }

    /// Manifests put and deleted since the last flush, all in the session `generation`.
    struct Unflushed: Equatable {
        var puts: [ManifestID] = []
        var deletions: [ManifestID] = []
        var generation = 0
        var isEmpty: Bool { puts.isEmpty && deletions.isEmpty }
    }

    private enum Waiting { case call(UInt64), step(WriteJournal.Step), probe }

    private struct Call {
        let request: Request
        let isRepeatable: Bool
    }

    private let server: String
    private let user: String
    private let limits: SessionState.Limits
    private(set) var session: SessionState?
    private(set) var parameters: SessionParameters?
    /// Sessions that were opened so far.
    private(set) var generation = 0
    private(set) var journal: WriteJournal
    private var known = KnownContents()
    private var existence = ExistencePolicy()
    private var outbox: [Waiting] = []
    private var outboxStart = 0
    private var calls: [UInt64: Call] = [:]
    private var nextTicket: UInt64 = 1
    /// Answers nobody has taken yet.
    private(set) var answers: [UInt64: Result<[Response], any Error>] = [:]
    /// Those of them whose caller was not woken yet.
    private var newAnswers: [UInt64] = []
    /// Something was sent since the last flush that needs one.
    private(set) var isDirty = false
    /// Answered since this was last asked; a session that gets nothing done does not count as one that works.
    private var hasProgress = false
    var unflushed = Unflushed()
    private(set) var statistics = ContentStatistics()
    /// A write the server did not take: nothing can be published any more.
    private var writeFailure: ServerError?
    private var backgroundFailure: (any Error)?
    /// There will be no further session.
    private(set) var failure: (any Error)?
    private(set) var isClosing = false

    init(server: String, user: String, limits: SessionState.Limits, journal: WriteJournal.Limits) {
        self.server = server
        self.user = user
        self.limits = limits
        self.journal = WriteJournal(journal)
    }

    var isOpen: Bool { session?.isOpen ?? false }

    // MARK: Calls

    /// - Throws: the failure of the connection.
    mutating func enqueue(_ request: Request, isRepeatable: Bool) throws -> UInt64 {
        if let failure { throw failure }
        let ticket = nextTicket
        nextTicket += 1
        calls[ticket] = Call(request: request, isRepeatable: isRepeatable)
        outbox.append(.call(ticket))
        return ticket
    }

    /// A call that may only be executed after everything up to `sequence` in the journal. Nil while that is not answered.
    ///
    /// - Throws: the failure of the connection or of a write.
    mutating func enqueue(_ request: Request, after sequence: UInt64) throws -> (ticket: UInt64, generation: Int)? {
        try checkWrites()
        guard isOpen, journal.isAnswered(upTo: sequence) else { return nil }
        isDirty = true
        return (try enqueue(request, isRepeatable: false), generation)
    }

    /// Nobody waits for it any more.
    mutating func abandon(_ ticket: UInt64) {
        calls[ticket] = nil
        answers[ticket] = nil
    }

    /// Nil while there is none.
    mutating func takeAnswer(_ ticket: UInt64) -> Result<[Response], any Error>? { answers.removeValue(forKey: ticket) }

    private mutating func finish(_ ticket: UInt64, _ result: Result<[Response], any Error>) {
        guard calls.removeValue(forKey: ticket) != nil else { return }
        answers[ticket] = result
        newAnswers.append(ticket)
    }

    var hasNewAnswers: Bool { !newAnswers.isEmpty }

    mutating func takeNewAnswers() -> [UInt64] {
        defer { newAnswers = [] }
        return newAnswers
    }

    /// - Throws: the failure of the connection or of a write.
    func checkWrites() throws {
        if let failure { throw failure }
        if let writeFailure { throw writeFailure }
        if let backgroundFailure { throw backgroundFailure }
    }

    // MARK: Contents

    /// True when the content was taken or is there already; false while there is no room.
    ///
    /// - Throws: the failure of the connection or of a write.
    mutating func write(_ id: ContentID, _ content: WriteJournal.Content, now: Instant) throws -> Bool {
        try checkWrites()
        let count = Int64(content.plaintext.count)
        if known.length(of: id, now: now) != nil {
            statistics.bytesWritten += count
            statistics.bytesDeduplicated += count
            return true
        }
        let checks = existence.asks(length: content.plaintext.count)
        switch journal.admit(id, content, checks: checks) {
        case .full: return false
        case .alreadyThere: statistics.bytesDeduplicated += count
        case .step(let step): outbox.append(.step(step))
        }
        statistics.bytesWritten += count
        return true
    }

    /// Bytes of a content that the server was seen to have a short while ago.
    mutating func knownLength(of id: ContentID, now: Instant) -> Int? { known.length(of: id, now: now) }

    /// A flush that was sent when everything up to `sequence` was answered has succeeded.
    mutating func flushed(upTo sequence: UInt64, inSession generation: Int, now: Instant) {
        for (id, length) in journal.flushed(upTo: sequence) { known.insert(id, length: length, now: now) }
        if unflushed.generation == generation { unflushed = Unflushed() }
        isDirty = !journal.isEmpty
    }

    // MARK: The session's side

    mutating func beginSession(now: Instant) -> Int64 {
        var session = SessionState(server: server, user: user, limits: limits)
        defer { self.session = session }
        return session.open(now: now)
    }

    /// What is to be sent now, at most about `batchBytes` or one content that is larger; empty when there is nothing, or no
    /// session to send it in.
    mutating func nextOutgoing(now: Instant) -> [Outgoing] {
        guard isOpen else { return [] }
        var batch: [Outgoing] = []
        var bytes = 0
        while outboxStart < outbox.count, bytes < Self.batchBytes {
            let next = outbox[outboxStart]
            outboxStart += 1
            if outboxStart > 1024, outboxStart * 2 > outbox.count {
                outbox.removeFirst(outboxStart)
                outboxStart = 0
            }
            guard let outgoing = outgoing(next, now) else { continue }
            batch.append(outgoing)
            bytes += Self.requestBytes
            if case .write(_, let content) = outgoing.body { bytes += content.plaintext.count }
        }
        return batch
    }

    /// More at a time would save nothing.
    private static let batchBytes = 256 << 10
    /// What a request that holds no content counts for.
    private static let requestBytes = 1 << 10

    private mutating func outgoing(_ waiting: Waiting, _ now: Instant) -> Outgoing? {
        switch waiting {
        case .probe: return send(.request(.probe), .probe, for: .probe, now)
        case .call(let ticket):
            guard let call = calls[ticket] else { return nil }
            return send(.request(call.request), call.request, for: .call(ticket), now)
        case .step(.check(let id)):
            guard journal.content(id) != nil else { return nil }
            let request = Request.info(id)
            return send(.request(request), request, for: .check(id), now)
        case .step(.write(let id)):
            guard let content = journal.content(id) else { return nil }
            isDirty = true
            statistics.bytesUploaded += Int64(content.plaintext.count)
            return send(.write(id, content), .writeContent(KopiaRepository_WriteContentRequest()), for: .write(id), now)
        }
    }

    private mutating func send(
        _ body: Outgoing.Body, _ request: Request, for asker: SessionState.Asker, _ now: Instant
    ) -> Outgoing? {
        guard let id = session?.send(request, for: asker, now: now) else { return nil }
        return Outgoing(id: id, asker: asker, body: body)
    }

    /// The message could not be made.
    mutating func refuse(_ outgoing: Outgoing, _ error: ServerError) {
        session?.withdraw(outgoing.id)
        switch outgoing.asker {
        case .call(let ticket): finish(ticket, .failure(error))
        case .probe, .opening: break
        case .check, .write: writeFailure = writeFailure ?? error
        }
    }

    /// Passes something that was received to the session and acts on what it makes of it.
    ///
    /// - Returns: the outcome when the session has ended.
    mutating func receive(
        now: Instant, _ pass: (inout SessionState) -> [SessionState.Event]
    ) -> Result<Void, ServerError>? {
        guard var session else { return nil }
        self.session = nil
        let events = pass(&session)
        self.session = session
        var outcome: Result<Void, ServerError>?
        for event in events {
            switch event {
            case .opened(let parameters): outcome = outcome ?? opened(parameters)
            case .answered(let asker, _, let responses): answered(asker, responses, now)
            case .quiet: outbox.append(.probe)
            case .closed: outcome = outcome ?? .success(())
            case .failed(let error): outcome = outcome ?? .failure(error)
            }
        }
        return outcome
    }

    private mutating func opened(_ parameters: SessionParameters) -> Result<Void, ServerError>? {
        guard self.parameters == nil || self.parameters == parameters else {
            return .failure(
                ServerError(
                    .refused, "\(server) now serves another repository than when this began",
                    hint: "nothing was published; run it again"))
        }
        self.parameters = parameters
        generation += 1
        return nil
    }

    private mutating func answered(_ asker: SessionState.Asker, _ responses: [Response], _ now: Instant) {
        switch asker {
        case .opening, .probe: break
        case .call(let ticket):
            hasProgress = true
            finish(ticket, .success(responses))
        case .check(let id): checked(id, responses.last, now)
        case .write(let id): written(id, responses.last)
        }
    }

    private mutating func checked(_ id: ContentID, _ response: Response?, _ now: Instant) {
        let isThere: Bool
        switch response {
        case .getContentInfo(let answer): isThere = !answer.info.deleted
        case .error(let error) where error.code == .contentNotFound: isThere = false
        case .error(let error):
            writeFailure = writeFailure ?? ServerError(error, server: server, user: user, "look for content \(id)")
            return
        default: return
        }
        existence.answered(isThere: isThere)
        let length = journal.content(id)?.plaintext.count
        if let step = journal.checked(id, isThere: isThere) { outbox.append(.step(step)) }
        guard isThere, let length else { return }
        hasProgress = true
        statistics.bytesDeduplicated += Int64(length)
        known.insert(id, length: length, now: now)
    }

    private mutating func written(_ id: ContentID, _ response: Response?) {
        switch response {
        case .writeContent(let answer) where answer.contentID == id.description: journal.written(id)
        case .writeContent(let answer):
            writeFailure =
                writeFailure
                ?? ServerError(
                    .protocolViolation,
                    "\(server) calls content \(id) '\(answer.contentID)': both sides hash differently, or bytes were altered",
                    hint: "nothing was published; run it again, and look at the server if it happens again")
        case .error(let error):
            writeFailure = writeFailure ?? ServerError(error, server: server, user: user, "write content \(id)")
        default: break
        }
    }

    /// Makes ready for the next session.
    ///
    /// - Returns: whether this one got something done.
    mutating func sessionEnded() -> Bool {
        defer { hasProgress = false }
        session = nil
        let steps = journal.restart()
        (outbox, outboxStart) = (steps.map { .step($0) }, 0)
        for (ticket, call) in calls.sorted(by: { $0.key < $1.key }) {
            if call.isRepeatable {
                outbox.append(.call(ticket))
            } else {
                finish(ticket, .failure(SessionLost()))
            }
        }
        return hasProgress
    }

    // MARK: The end

    /// A flush in the background has failed.
    mutating func failWrites(_ error: any Error) {
        if failure == nil, backgroundFailure == nil { backgroundFailure = error }
    }

    /// There will be no further session: everybody who waits learns why.
    mutating func fail(_ error: any Error) {
        failure = failure ?? error
        session = nil
        for ticket in Array(calls.keys) { finish(ticket, .failure(error)) }
    }

    mutating func requestClose() { isClosing = true }

    /// True when our side may be closed now: that publishes whatever was not flushed, so there must be nothing.
    mutating func close() -> Bool {
        guard isClosing, !isDirty, outboxStart == outbox.count else { return false }
        return session?.close() ?? false
    }
}

extension ServerError {
    /// An answer that is an error.
    ///
    /// - Parameter what: completes "… cannot".
    init(_ error: ErrorResponse, server: String, user: String, _ what: String) {
        switch error.code {
        case .accessDenied:
            self.init(
                .accessDenied, "\(server) does not let \(user) \(what): \(error.message)",
                hint: "snapshots and policies belong to the user and host in their name; "
                    + "'kopia server acl list' shows who may do what")
        default:
            let isUnknown = error.message.contains("unhandled session request")
            self.init(
                isUnknown ? .unsupported : .refused, "\(server) could not \(what): \(error.message)",
                hint: isUnknown ? "the server is too old for this" : "look at the server's log")
        }
    }
}
