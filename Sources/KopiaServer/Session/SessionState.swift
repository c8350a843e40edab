internal import HTTPTransport
internal import KopiaContent
internal import SwiftProtobuf

/// One session with a server, from the first byte to the status: every rule of the protocol and none of the waiting.
///
/// ```
/// idle → opening → open → closing → ended
///          └────────┴────────┴──── anything the server or the network does wrong ──→ ended
/// ```
///
/// - The first request opens the session; nothing else is sent before it is answered.
/// - Requests have IDs from 1 upward. Responses come in any order; one without its request, or of another kind, ends the
///   session. A second response to a request that was answered is ignored.
/// - Our side is closed only when nothing is on its way: the server drops what is.
/// - The end of the stream counts as an end only with a status; without one it was cut.
///
/// Time is handed in. Each request has a deadline of its own, and there is one for a server that says nothing at all
/// though it owes something.
///
/// Source: kopia `internal/server/grpc_session.go`, `repo/grpc_repository_client.go`; gRPC over HTTP/2.
package struct SessionState {
    typealias Instant = ContinuousClock.Instant

    /// Who asked: what the owner of this state keeps beside it.
    enum Asker: Sendable, Hashable {
        case opening
        /// Somebody waits for the answer.
        case call(UInt64)
        /// Whether a content exists.
        case check(ContentID)
        case write(ContentID)
        /// Nobody: it is sent to see whether the stream is still there.
        case probe
    }

    enum Event: Sendable {
        case opened(SessionParameters)
        /// The last part of the answer is here.
        case answered(Asker, Request, [Response])
        /// Nothing was heard for a while though something is owed: `Request.probe` is to be sent.
        case quiet
        /// Ended as we wanted it.
        case closed
        case failed(ServerError)
    }

    package struct Limits: Sendable, Hashable {
        /// Bytes of a message, in either direction.
        package var messageBytesMax = 20 << 20
        /// Bytes of an answer in several messages.
        package var answerBytesMax = 256 << 20
        package var requestTimeout: Duration = .seconds(900)
        /// Nothing at all received though something is owed.
        package var silenceTimeout: Duration = .seconds(300)
        /// The same until the session is open, where nothing can be sent to see whether the stream is still there.
        package var openingTimeout: Duration = .seconds(60)
        /// Nothing at all received for that long: something is sent. libcurl notices only then that a stream has ended
        /// without a status.
        package var probeInterval: Duration = .seconds(15)
    }

    private struct Pending {
        let asker: Asker
        let request: Request
        let sentAt: Instant
        var parts: [Response] = []
        var partBytes = 0
    }

    private enum Phase { case idle, opening, open, closing, ended }

    private let server: String
    private let user: String
    private let limits: Limits
    private var phase = Phase.idle
    private var frames: GRPCFrameReader
    private var nextID: Int64 = 1
    private var pending: [Int64: Pending] = [:]
    private var lastHeard: Instant?
    private var lastProbe: Instant?

    /// - Parameters:
    ///   - server: its address, for messages.
    ///   - user: `user@host`, for messages.
    init(server: String, user: String, limits: Limits = Limits()) {
        self.server = server
        self.user = user
        self.limits = limits
        frames = GRPCFrameReader(lengthMax: limits.messageBytesMax)
    }

    var isOpen: Bool { phase == .open }
    var isEnded: Bool { phase == .ended }
    /// Requests without a whole answer.
    var owedCount: Int { pending.count }
    var owed: [Asker] { pending.sorted { $0.key < $1.key }.map(\.value.asker) }

    // MARK: Sending

    /// Begins the session. Gives the ID of its first request, which is `Request.open`.
    mutating func open(now: Instant) -> Int64 {
        phase = .opening
        return register(.initializeSession(KopiaRepository_InitializeSessionRequest()), for: .opening, now: now)
    }

    /// The ID of a request that is sent now. The session must be open.
    ///
    /// - Parameter request: without the bytes of a content, which are not needed here.
    mutating func send(_ request: Request, for asker: Asker, now: Instant) -> Int64 {
        precondition(phase == .open, "a request goes to an open session")
        return register(request, for: asker, now: now)
    }

    /// The request was not sent after all.
    mutating func withdraw(_ id: Int64) { pending[id] = nil }

    /// True when our side may be closed now.
    mutating func close() -> Bool {
        guard phase == .open, pending.isEmpty else { return false }
        phase = .closing
        return true
    }

    private mutating func register(_ request: Request, for asker: Asker, now: Instant) -> Int64 {
        if pending.isEmpty { lastHeard = now }
        defer { nextID += 1 }
        pending[nextID] = Pending(asker: asker, request: request, sentAt: now)
        return nextID
    }

    // MARK: Receiving

    /// Status and header fields of the response.
    mutating func receivedHead(_ head: HTTPResponseHead) -> [Event] {
        guard phase != .ended else { return [] }
        // A call that is refused at once has its status here, and no trailers.
        if let status = GRPCStatus(code: head.headers["grpc-status"], message: head.headers["grpc-message"]) {
            return fail(status.error(isOpen: phase == .open, server: server, user: user))
        }
        let type = head.headers["content-type"] ?? ""
        guard head.status == 200, type.hasPrefix("application/grpc") else {
            return fail(
                ServerError(
                    [502, 503, 504].contains(head.status) ? .unreachable : .notARepositoryServer,
                    "\(server) answers with HTTP status \(head.status) and \(type.isEmpty ? "no content type" : type), "
                        + "not as a kopia repository server",
                    hint: "check host and port; 'kopia server start' serves repositories by gRPC over HTTP/2 and TLS",
                    isTransient: [502, 503, 504].contains(head.status)))
        }
        guard head.version == .http2 else {
            return fail(
                ServerError(
                    .notARepositoryServer, "\(server) does not speak HTTP/2",
                    hint: "check host and port, and that no proxy between takes HTTP/2 apart"))
        }
        return []
    }

    mutating func received(_ bytes: [UInt8], now: Instant) -> [Event] {
        guard phase != .ended else { return [] }
        lastHeard = now
        let messages: [[UInt8]]
        do throws(GRPCFrameReader.Problem) {
            messages = try frames.append(bytes)
        } catch {
            return fail(describe(error))
        }
        var events: [Event] = []
        for message in messages {
            guard let response = try? SessionResponse(serializedBytes: message) else {
                return events + fail(violation("a message of \(message.count) bytes is no response"))
            }
            events += take(response, length: message.count)
            if phase == .ended { break }
        }
        return events
    }

    private mutating func take(_ response: SessionResponse, length: Int) -> [Event] {
        let id = response.requestID
        guard var answered = pending[id] else {
            // Said twice: the first time counted.
            if id > 0, id < nextID { return [] }
            return fail(violation("it answered request \(id), which was never sent"))
        }
        guard let body = response.response, answered.request.isAnswered(by: body) else {
            return fail(violation("its answer to request \(id) is not one to \(answered.request.name)"))
        }
        answered.parts.append(body)
        answered.partBytes += length
        guard answered.partBytes <= limits.answerBytesMax else {
            return fail(
                violation("its answer to \(answered.request.name) has more than \(limits.answerBytesMax) bytes"))
        }
        guard !response.hasMore_p else {
            pending[id] = answered
            return []
        }
        pending[id] = nil
        if case .opening = answered.asker { return opened(body) }
        return [.answered(answered.asker, answered.request, answered.parts)]
    }

    private mutating func opened(_ body: Response) -> [Event] {
        switch body {
        case .initializeSession(let answer):
            do throws(ServerError) {
                let parameters = try SessionParameters(answer, server: server)
                phase = .open
                return [.opened(parameters)]
            } catch {
                return fail(error)
            }
        case .error(let error):
            return fail(ServerError(.refused, "\(server) refused a session: \(error.message)"))
        default:
            return []
        }
    }

    /// The stream has ended in order, with these fields after the body.
    mutating func receivedEnd(_ trailers: HTTPHeaders) -> [Event] {
        guard phase != .ended else { return [] }
        guard let status = GRPCStatus(code: trailers["grpc-status"], message: trailers["grpc-message"]) else {
            return fail(
                ServerError(
                    .interrupted, "\(server) ended the session without a status",
                    hint: "a proxy between may have cut it", isTransient: true))
        }
        guard status.code == GRPCStatus.ok, phase == .closing, pending.isEmpty, frames.isBetweenMessages else {
            return fail(status.error(isOpen: phase != .opening, server: server, user: user))
        }
        phase = .ended
        return [.closed]
    }

    /// The connection failed.
    mutating func receivedFailure(_ error: HTTPError) -> [Event] {
        guard phase != .ended else { return [] }
        return fail(ServerError(error, server: server, wasOpen: phase == .open || phase == .closing))
    }

    // MARK: Time

    /// What is overdue ends the session.
    mutating func tick(now: Instant) -> [Event] {
        guard phase != .ended, let oldest = pending.values.min(by: { $0.sentAt < $1.sentAt }) else { return [] }
        let silenceMax = phase == .opening ? min(limits.openingTimeout, limits.silenceTimeout) : limits.silenceTimeout
        if let lastHeard, lastHeard.duration(to: now) >= silenceMax {
            return fail(late("\(server) has said nothing for \(silenceMax.components.seconds) s"))
        }
        if oldest.sentAt.duration(to: now) >= limits.requestTimeout {
            let seconds = limits.requestTimeout.components.seconds
            return fail(late("\(server) has not answered \(oldest.request.name) for \(seconds) s"))
        }
        let quietSince = [lastHeard, lastProbe].compactMap(\.self).max()
        if phase == .open, let quietSince, quietSince.duration(to: now) >= limits.probeInterval {
            lastProbe = now
            return [.quiet]
        }
        return []
    }

    private func late(_ message: String) -> ServerError {
        ServerError(
            phase == .opening ? .unreachable : .interrupted, message,
            hint: "look at the server's log; its storage may stand still", isTransient: true)
    }

    // MARK: Failing

    private mutating func fail(_ error: ServerError) -> [Event] {
        phase = .ended
        return [.failed(error)]
    }

    private func violation(_ what: String) -> ServerError {
        ServerError(
            .protocolViolation, "\(server) breaks the rules of a repository session: \(what)",
            hint: "nothing it says can be trusted; check which program and version it is")
    }

    private func describe(_ problem: GRPCFrameReader.Problem) -> ServerError {
        switch problem {
        case .malformed(let flag): return violation("a frame begins with \(flag), not 0 or 1")
        case .compressed: return violation("it sends compressed messages, which were not asked for")
        case .tooLarge(let length):
            return ServerError(
                .tooLarge, "\(server) sends a message of \(length) bytes; the limit is \(limits.messageBytesMax)")
        }
    }
}

extension ServerError {
    /// What a failure of the connection means for a session.
    init(_ error: HTTPError, server: String, wasOpen: Bool) {
        switch error.code {
        case .certificate:
            self.init(
                .certificate, "the certificate of \(server) is not accepted: \(error.message)",
                hint: "its SHA-256 must be the fingerprint you gave, which 'kopia server start' prints as "
                    + "SERVER CERT SHA256; without a fingerprint an authority of this machine must have issued it")
        case .tls, .protocolViolation:
            self.init(
                .notARepositoryServer, "no session with \(server): \(error.message)",
                hint: "check host and port; a kopia repository server speaks TLS and HTTP/2", isTransient: wasOpen)
        case .dns, .connect:
            self.init(
                .unreachable, "\(server) cannot be reached: \(error.message)", hint: error.hint, isTransient: true)
        default:
            self.init(
                wasOpen ? .interrupted : .unreachable, "the session with \(server) was cut: \(error.message)",
                hint: error.hint, isTransient: error.isTransient || wasOpen)
        }
    }
}
