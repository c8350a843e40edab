import HTTPTransport
import Synchronization
import TestSupport
import Testing

/// What goes wrong on the way, and that each of it is told apart.
struct FaultTests {
    private static func client(_ change: (inout HTTPClientConfiguration) -> Void = { _ in }) throws -> HTTPClient {
        var configuration = HTTPClientConfiguration()
        configuration.proxy = .none
        change(&configuration)
        return try HTTPClient(configuration)
    }

    private static func failure(
        _ client: HTTPClient, _ port: Int, host: String = "127.0.0.1", _ change: (inout HTTPRequest) -> Void = { _ in }
    ) async -> HTTPError? {
        var request = HTTPRequest(.get, HTTPURL(scheme: .http, host: host, port: port, path: "/p", query: "sig=s3cr3t"))
        change(&request)
        do {
            _ = try await client.execute(request, bodyLimit: 1 << 20)
            return nil
        } catch {
            return error as? HTTPError
        }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        /// Written after the request's head was read; then the connection ends.
        let response: String
        let isReset: Bool
        let code: HTTPError.Code
        let isTransient: Bool
        var testDescription: String { id }
    }

    @Test(arguments: [
        Case(id: "nothing", response: "", isReset: false, code: .reset, isTransient: true),
        Case(id: "reset", response: "", isReset: true, code: .reset, isTransient: true),
        Case(id: "half a head", response: "HTTP/1.1 200 OK\r\nA: b", isReset: false, code: .reset, isTransient: true),
        Case(
            id: "half a body", response: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", isReset: false,
            code: .reset, isTransient: true),
        Case(
            id: "half a chunk", response: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n123",
            isReset: false, code: .reset, isTransient: true),
        Case(
            id: "another protocol", response: "SSH-2.0-OpenSSH_9.2\r\n", isReset: false, code: .protocolViolation,
            isTransient: false),
    ])
    func aBrokenResponseIsToldApart(_ test: Case) async throws {
        let server = try LoopbackServer { connection, _ in
            _ = try connection.readHead()
            try connection.write(test.response)
            if test.isReset { connection.reset() }
        }
        let error = try #require(await Self.failure(try Self.client(), server.port))
        #expect(error.code == test.code, "\(error)")
        #expect(error.isTransient == test.isTransient)
        #expect(error.message.hasPrefix("GET http://127.0.0.1:\(server.port)/p: "))
        #expect(!"\(error)".contains("s3cr3t"))
    }

    @Test func nobodyListens() async throws {
        let port = try unusedPort()
        try await eventually { !isListening(port: port) }
        let error = try #require(await Self.failure(try Self.client(), port))
        #expect(error.code == .connect)
        #expect(error.isTransient)
        #expect(error.hint == "check host, port and firewall, and that the server is running")
    }

    @Test func anUnknownNameIsADNSError() async throws {
        let client = try Self.client()
        // The second attempt is as good as the first, and other requests are as well.
        for _ in 0..<3 {
            let error = try #require(await Self.failure(client, 80, host: "no-such-host.invalid"))
            #expect(error.code == .dns, "\(error)")
            #expect(error.isTransient)
        }
        let server = try LoopbackServer { connection, _ in
            _ = try connection.readHead()
            try connection.respond(200)
        }
        #expect(await Self.failure(client, server.port) == nil)
    }

    @Test func theRequestsTimeEnds() async throws {
        let server = try LoopbackServer { connection, _ in
            _ = try connection.readHead()
            _ = try connection.read()
        }
        let error = try #require(
            await Self.failure(try Self.client(), server.port) { $0.timeout = .milliseconds(100) })
        #expect(error.code == .timeout)
        #expect(error.isTransient)
    }

    @Test func aTransferThatStandsStillTimesOut() async throws {
        let server = try LoopbackServer { connection, _ in
            _ = try connection.readHead()
            try connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12")
            _ = try connection.read()
        }
        let client = try Self.client { $0.lowSpeed = .init(bytesPerSecond: 100, window: .milliseconds(500)) }
        let error = try #require(await Self.failure(client, server.port))
        #expect(error.code == .timeout)
        #expect(
            error.message
                == "GET http://127.0.0.1:\(server.port)/p: no answer in time: the connection stands still after 0 bytes sent and 2 received"
        )
    }

    /// libcurl tries again by itself when a connection it kept was closed by the server in the meantime.
    @Test func aDeadConnectionThatWasKeptIsNoError() async throws {
        let server = try LoopbackServer { connection, _ in
            guard let request = try connection.readHead() else { return }
            _ = try connection.readBody(request)
            try connection.respond(200)
        }
        let client = try Self.client()
        for _ in 0..<3 {
            let error = await Self.failure(client, server.port) {
                $0.method = .put
                $0.body = .bytes([1, 2, 3])
            }
            #expect(error == nil)
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// The server takes the whole body on the connection that was kept, and ends it without an answer.
    @Test func aBodyInPiecesIsSentAgainOnANewConnection() async throws {
        let bodies = Mutex<[[UInt8]]>([])
        let server = try LoopbackServer { connection, number in
            while let request = try connection.readHead() {
                let body = try connection.readBody(request)
                bodies.withLock { $0.append(body) }
                if number == 0, !body.isEmpty { return }
                try connection.respond(200)
            }
        }
        let client = try Self.client()
        #expect(await Self.failure(client, server.port) == nil)
        let pieces = [0, 1_000_000, 1, 0, 1_500_000, 300_000].enumerated().map {
            SeededBytes.rnd(UInt64($0.offset), $0.element)
        }
        let error = await Self.failure(client, server.port) {
            $0.method = .put
            $0.body = .pieces(pieces)
        }
        #expect(error == nil)
        let whole = Array(pieces.joined())
        #expect(bodies.withLock { $0 == [[], whole, whole] })
    }

    @Test(.timeLimit(.minutes(2)), arguments: [false, true])
    func cancellingEndsTheRequestAtOnce(_ isUnderway: Bool) async throws {
        let hasArrived = Mutex(false)
        let hasEnded = Mutex(false)
        let server = try LoopbackServer { connection, _ in
            _ = try connection.readHead()
            hasArrived.withLock { $0 = true }
            _ = try connection.read()
            hasEnded.withLock { $0 = true }
        }
        // Nothing but the cancellation ends it.
        let client = try Self.client { $0.lowSpeed = nil }
        let task = Task {
            try await client.execute(
                HTTPRequest(.get, HTTPURL(scheme: .http, host: "127.0.0.1", port: server.port)), bodyLimit: 10)
        }
        if isUnderway { try await eventually { hasArrived.withLock { $0 } } }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        if isUnderway { try await eventually { hasEnded.withLock { $0 } } }
    }

    @Test func aRequestThatWaitsForAPlaceCanBeCancelled() async throws {
        let server = try LoopbackServer { connection, _ in
            _ = try connection.readHead()
            _ = try connection.read()
        }
        let client = try Self.client { $0.requestsMax = 1 }
        let request = HTTPRequest(.get, HTTPURL(scheme: .http, host: "127.0.0.1", port: server.port))
        let first = Task { try await client.execute(request, bodyLimit: 10) }
        try await Task.sleep(for: .milliseconds(30))
        let second = Task { try await client.execute(request, bodyLimit: 10) }
        try await Task.sleep(for: .milliseconds(30))
        second.cancel()
        await #expect(throws: CancellationError.self) { try await second.value }
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
    }
}
