import HTTPTransport
import KopiaContent
import SwiftProtobuf
import TestSupport
import Testing

@testable import KopiaServer

/// One session without a socket.
struct SessionStateTests {
    static let start = ContinuousClock.now
    private var state: SessionState

    init() {
        var limits = SessionState.Limits()
        limits.requestTimeout = .seconds(60)
        limits.silenceTimeout = .seconds(20)
        limits.answerBytesMax = 3000
        limits.messageBytesMax = 2000
        state = SessionState(server: "repository server s:1", user: "u@h", limits: limits)
    }

    static func head(_ fields: HTTPHeaders = ["content-type": "application/grpc"], status: Int = 200)
        -> HTTPResponseHead
    {
        HTTPResponseHead(status: status, headers: fields, version: .http2)
    }

    static func message(_ id: Int64, hasMore: Bool = false, _ body: Response?) throws -> [UInt8] {
        var response = SessionResponse()
        (response.requestID, response.hasMore_p, response.response) = (id, hasMore, body)
        let bytes: [UInt8] = try response.serializedBytes()
        return GRPCFrame.header(length: bytes.count) + bytes
    }

    static let parameters = KopiaRepository_InitializeSessionResponse.with {
        $0.parameters = .with {
            ($0.hashFunction, $0.splitter, $0.supportsContentCompression) = ("BLAKE2B-256-128", "FIXED-1M", true)
        }
    }

    /// Opened, with nothing on its way.
    private mutating func open() throws {
        let result1 = state.open(now: Self.start)
        #expect(result1 == 1)
        let result2 = state.receivedHead(Self.head())
        #expect(result2.isEmpty)
        let events = state.received(try Self.message(1, .initializeSession(Self.parameters)), now: Self.start)
        guard case .opened(let parameters)? = events.first else {
            Issue.record("not opened: \(events)")
            return
        }
        #expect(parameters.splitter == "FIXED-1M")
        #expect(state.isOpen)
    }

    private func failure(_ events: [SessionState.Event]) -> ServerError? {
        guard events.count == 1, case .failed(let error)? = events.first else { return nil }
        return error
    }

    private static let flush = Request.flushEverything
    private static let flushed = Response.flush(KopiaRepository_FlushResponse())

    @Test mutating func answersAreMatchedByIDInAnyOrder() throws {
        try open()
        let result3 = state.send(Self.flush, for: .call(7), now: Self.start)
        #expect(result3 == 2)
        let result4 = state.send(.find([:], pageSize: 0), for: .call(8), now: Self.start)
        #expect(result4 == 3)
        #expect(state.owed == [.call(7), .call(8)])
        let both = try Self.message(3, .findManifests(.init())) + Self.message(2, Self.flushed)
        let askers = state.received(both, now: Self.start).compactMap { event -> SessionState.Asker? in
            if case .answered(let asker, _, _) = event { asker } else { nil }
        }
        #expect(askers == [.call(8), .call(7)])
        #expect(state.owedCount == 0)
    }

    @Test(arguments: [1, 2, 3, 7, 64, 1 << 20])
    mutating func messagesAreFoundHoweverTheStreamIsCut(_ size: Int) throws {
        try open()
        var stream: [UInt8] = []
        for number in 0..<40 {
            let id = state.send(Self.flush, for: .call(UInt64(number)), now: Self.start)
            stream += try Self.message(id, Self.flushed)
        }
        var count = 0
        for start in stride(from: 0, to: stream.count, by: size) {
            count += state.received(Array(stream[start..<min(stream.count, start + size)]), now: Self.start).count
        }
        #expect(count == 40)
    }

    @Test mutating func anAnswerInPartsIsGivenWhole() throws {
        try open()
        _ = state.send(.find([:], pageSize: 1), for: .call(1), now: Self.start)
        let page = Response.findManifests(.with { $0.metadata = [.with { $0.id = "a" }] })
        let result5 = state.received(try Self.message(2, hasMore: true, page), now: Self.start)
        #expect(result5.isEmpty)
        let result6 = state.received(try Self.message(2, hasMore: true, page), now: Self.start)
        #expect(result6.isEmpty)
        let events = state.received(try Self.message(2, page), now: Self.start)
        guard case .answered(_, _, let parts)? = events.first else {
            Issue.record("no answer")
            return
        }
        #expect(parts.count == 3)
    }

    @Test mutating func anAnswerGivenTwiceCountsOnce() throws {
        try open()
        _ = state.send(Self.flush, for: .call(1), now: Self.start)
        let message = try Self.message(2, Self.flushed)
        let result7 = state.received(message + message, now: Self.start)
        #expect(result7.count == 1)
        let result8 = state.received(message, now: Self.start)
        #expect(result8.isEmpty)
        #expect(state.isOpen)
    }

    // MARK: What ends a session

    struct Violation: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]
        let code: ServerError.Code
        let text: String

        static let all: [Violation] = [
            make(
                "unknown ID", try? message(9, flushed), .protocolViolation, "answered request 9, which was never sent"),
            make("ID 0", try? message(0, flushed), .protocolViolation, "answered request 0"),
            make(
                "other kind", try? message(2, .getContent(.init())), .protocolViolation,
                "answer to request 2 is not one to a flush"),
            make("no body", try? message(2, nil), .protocolViolation, "answer to request 2 is not one to a flush"),
            make("no protobuf", GRPCFrame.header(length: 3) + [255, 255, 255], .protocolViolation, "is no response"),
            make("compressed", [1, 0, 0, 0, 1, 0], .protocolViolation, "compressed messages"),
            make("no gRPC", Array("HTTP/".utf8), .protocolViolation, "a frame begins with 72"),
            make("too large", GRPCFrame.header(length: 2001), .tooLarge, "a message of 2001 bytes; the limit is 2000"),
            make("larger than memory", [0, 255, 255, 255, 255], .tooLarge, "a message of 4294967295 bytes"),
            make(
                "too many parts",
                (try? message(
                    3, hasMore: true,
                    .findManifests(.with { $0.metadata = [.with { $0.id = String(repeating: "a", count: 1600) }] })))
                    .map { $0 + $0 }, .protocolViolation, "has more than 3000 bytes"),
        ]

        private static func make(
            _ name: String, _ bytes: [UInt8]?, _ code: ServerError.Code, _ text: String
        ) -> Violation {
            Violation(testDescription: name, bytes: bytes ?? [], code: code, text: text)
        }
    }

    @Test(arguments: Violation.all) mutating func aViolationEndsTheSession(_ violation: Violation) throws {
        try open()
        _ = state.send(Self.flush, for: .call(1), now: Self.start)
        _ = state.send(.find([:], pageSize: 0), for: .call(2), now: Self.start)
        let events = state.received(violation.bytes, now: Self.start)
        let error = try #require(failure(events))
        #expect(error.code == violation.code)
        #expect(!error.isTransient)
        #expect(error.message.contains(violation.text), "\(error.message)")
        #expect(state.isEnded)
        let result9 = state.received(try Self.message(2, Self.flushed), now: Self.start)
        #expect(result9.isEmpty)
        let result10 = state.receivedEnd(["grpc-status": "0"])
        #expect(result10.isEmpty)
    }

    struct Ending: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var isOpen = true
        let trailers: HTTPHeaders
        let code: ServerError.Code
        let isTransient: Bool
        let text: String

        static let all = [
            Ending(
                testDescription: "no status", trailers: [:], code: .interrupted, isTransient: true,
                text: "without a status"),
            Ending(
                testDescription: "status that is no number", trailers: ["grpc-status": "x"], code: .interrupted,
                isTransient: true, text: "without a status"),
            Ending(
                testDescription: "OK too early", trailers: ["grpc-status": "0"], code: .interrupted, isTransient: true,
                text: "ended the session: OK"),
            Ending(
                testDescription: "wrong password", isOpen: false,
                trailers: ["grpc-status": "7", "grpc-message": "access denied for u%40h"], code: .credentials,
                isTransient: false, text: "does not let u@h in: access denied for u@h"),
            Ending(
                testDescription: "no right", trailers: ["grpc-status": "7", "grpc-message": "no"], code: .accessDenied,
                isTransient: false, text: "ended the session of u@h: PERMISSION_DENIED, no"),
            Ending(
                testDescription: "no such method", isOpen: false, trailers: ["grpc-status": "12"],
                code: .notARepositoryServer, isTransient: false, text: "does not know kopia's repository sessions"),
            Ending(
                testDescription: "going away", trailers: ["grpc-status": "14", "grpc-message": "closing"],
                code: .unreachable, isTransient: true, text: "UNAVAILABLE, closing"),
            Ending(
                testDescription: "message too large", trailers: ["grpc-status": "8"], code: .tooLarge,
                isTransient: false, text: "RESOURCE_EXHAUSTED"),
            Ending(
                testDescription: "refused at the start", isOpen: false,
                trailers: ["grpc-status": "2", "grpc-message": "missing initialization request"], code: .refused,
                isTransient: false, text: "refused a session: UNKNOWN, missing initialization request"),
            Ending(
                testDescription: "unknown later", trailers: ["grpc-status": "2"], code: .interrupted,
                isTransient: true, text: "UNKNOWN"),
            Ending(
                testDescription: "status from the future", trailers: ["grpc-status": "99"], code: .refused,
                isTransient: false, text: "status 99"),
        ]
    }

    @Test(arguments: Ending.all) mutating func anEndThatWasNotAskedForIsAnError(_ ending: Ending) throws {
        if ending.isOpen { try open() } else { _ = state.open(now: Self.start) }
        let events = state.receivedEnd(ending.trailers)
        let error = try #require(failure(events))
        #expect(error.code == ending.code)
        #expect(error.isTransient == ending.isTransient)
        #expect(error.message.contains(ending.text), "\(error.message)")
    }

    /// A call that is refused at once has its status in the header.
    @Test mutating func aStatusInTheHeadEndsTheSession() throws {
        _ = state.open(now: Self.start)
        let head = Self.head([
            "content-type": "application/grpc", "grpc-status": "7", "grpc-message": "missing credentials",
        ])
        let events = state.receivedHead(head)
        let error = try #require(failure(events))
        #expect(error.code == .credentials)
        #expect(error.message.contains("missing credentials"))
    }

    @Test(
        arguments: [
            (head(["content-type": "text/html"], status: 404), ServerError.Code.notARepositoryServer, false),
            (head(["content-type": "text/html"]), .notARepositoryServer, false),
            (head([:], status: 503), .unreachable, true),
            (
                HTTPResponseHead(status: 200, headers: ["content-type": "application/grpc"], version: .http1),
                .notARepositoryServer, false
            ),
        ])
    mutating func whatIsNoGRPCIsSaidSo(_ head: HTTPResponseHead, _ code: ServerError.Code, _ isTransient: Bool) throws {
        _ = state.open(now: Self.start)
        let events = state.receivedHead(head)
        let error = try #require(failure(events))
        #expect(error.code == code)
        #expect(error.isTransient == isTransient)
    }

    // MARK: Time

    @Test mutating func silenceEndsTheSessionOnlyWhenSomethingIsOwed() throws {
        try open()
        let result11 = state.tick(now: Self.start + .seconds(1000))
        #expect(result11.isEmpty)
        _ = state.send(Self.flush, for: .call(1), now: Self.start + .seconds(1000))
        let result12 = state.tick(now: Self.start + .seconds(1014))
        #expect(result12.isEmpty)
        let events = state.tick(now: Self.start + .seconds(1020))
        let error = try #require(failure(events))
        #expect(error.code == .interrupted)
        #expect(error.isTransient)
        #expect(error.message.contains("has said nothing for 20 s"))
    }

    /// Once each interval, and only while something is owed and nothing is heard.
    @Test mutating func aQuietServerIsAskedWhetherItIsThere() throws {
        try open()
        let idle = state.tick(now: Self.start + .seconds(1000))
        #expect(idle.isEmpty)
        _ = state.send(Self.flush, for: .call(1), now: Self.start + .seconds(1000))
        var asked: [Int] = []
        for second in 1000..<1020 {
            let events = state.tick(now: Self.start + .seconds(second))
            for event in events {
                guard case .quiet = event else { throw TestSupportError("\(event)") }
                asked.append(second)
                _ = state.send(Self.flush, for: .probe, now: Self.start + .seconds(second))
            }
        }
        #expect(asked == [1015])
    }

    @Test func aSessionThatDoesNotOpenIsGivenUpSooner() throws {
        var state = SessionState(server: "repository server s", user: "u@h")
        _ = state.open(now: Self.start)
        let before = state.tick(now: Self.start + .seconds(59))
        #expect(before.isEmpty)
        let events = state.tick(now: Self.start + .seconds(60))
        let error = try #require(failure(events))
        #expect(error.code == .unreachable)
        #expect(error.message == "repository server s has said nothing for 60 s")
    }

    @Test mutating func oneAnswerThatNeverComesEndsTheSession() throws {
        try open()
        _ = state.send(Self.flush, for: .call(1), now: Self.start)
        for second in stride(from: 10, through: 50, by: 10) {
            let now = Self.start + .seconds(second)
            let id = state.send(Self.flush, for: .call(2), now: now)
            _ = state.received(try Self.message(id, Self.flushed), now: now)
            let result13 = state.tick(now: now)
            #expect(result13.isEmpty)
        }
        let events = state.tick(now: Self.start + .seconds(60))
        let error = try #require(failure(events))
        #expect(error.message.contains("has not answered a flush for 60 s"))
        #expect(error.isTransient)
    }

    // MARK: Closing

    @Test mutating func ourSideIsClosedOnlyWhenNothingIsOwed() throws {
        try open()
        _ = state.send(Self.flush, for: .call(1), now: Self.start)
        let result14 = state.close()
        #expect(!result14)
        _ = state.received(try Self.message(2, Self.flushed), now: Self.start)
        let result15 = state.close()
        #expect(result15)
        guard case .closed? = state.receivedEnd(["grpc-status": "0"]).first else {
            Issue.record("not closed")
            return
        }
    }

    @Test mutating func aHalfMessageAtTheEndIsAnError() throws {
        try open()
        let result16 = state.close()
        #expect(result16)
        _ = state.received([0, 0], now: Self.start)
        let events = state.receivedEnd(["grpc-status": "0"])
        #expect(failure(events)?.code == .interrupted)
    }

    @Test mutating func anUnknownHashFunctionIsRefused() throws {
        _ = state.open(now: Self.start)
        var parameters = Self.parameters
        parameters.parameters.hashFunction = "SHA-9"
        let events = state.received(try Self.message(1, .initializeSession(parameters)), now: Self.start)
        let error = try #require(failure(events))
        #expect(error.code == .unsupported)
        #expect(error.message == "the repository of repository server s:1 uses the hash function 'SHA-9'")
    }
}
