import HTTPTransport
import Synchronization
import TestSupport
import Testing

/// Against a server of our own that can misbehave. Loopback only.
struct ClientTests {
    private static func client(_ change: (inout HTTPClientConfiguration) -> Void = { _ in }) throws -> HTTPClient {
        var configuration = HTTPClientConfiguration()
        configuration.proxy = .none
        change(&configuration)
        return try HTTPClient(configuration)
    }

    private static func url(_ server: LoopbackServer, _ path: String = "/", query: String? = nil) -> HTTPURL {
        HTTPURL(scheme: .http, host: "127.0.0.1", port: server.port, path: path, query: query)
    }

    /// Answers every request with its method, target and body's size.
    private static func echo() throws -> LoopbackServer {
        try LoopbackServer { connection, number in
            while let request = try connection.readHead() {
                let body = try connection.readBody(request)
                try connection.respond(
                    200, fields: ["X-Connection: \(number)"],
                    body: request.method == "HEAD"
                        ? [] : Array("\(request.method) \(request.target) \(body.count)".utf8))
            }
        }
    }

    @Test(arguments: [HTTPMethod.get, .put, .post, .delete, .patch])
    func methodTargetAndBodyArriveAsGiven(_ method: HTTPMethod) async throws {
        let server = try Self.echo()
        let hasBody = method != .get && method != .delete
        let response = try await Self.client().execute(
            HTTPRequest(
                method, Self.url(server, "/a%2Fb/../c//d", query: "x=%20&y"),
                body: hasBody ? .bytes([UInt8](repeating: 7, count: 3_000_000)) : .none), bodyLimit: 1000)
        #expect(response.status == 200)
        #expect(
            String(decoding: response.body, as: UTF8.self)
                == "\(method) /a%2Fb/../c//d?x=%20&y \(hasBody ? 3_000_000 : 0)")
    }

    /// Lengths around those of libcurl's buffer, which is 2 MiB.
    @Test(arguments: [
        [], [0], [0, 5, 0], [1, 2, 3], [2 << 20, 1], [1, 2 << 20, 0, 2 << 20, 7], [300_000, 1_000_000, 4_000_000],
    ])
    func piecesArriveAsOneBody(_ lengths: [Int]) async throws {
        let received = Mutex<[UInt8]>([])
        let server = try LoopbackServer { connection, _ in
            guard let request = try connection.readHead() else { return }
            let body = try connection.readBody(request)
            received.withLock { $0 = body }
            try connection.respond(200, body: Array("\(request.field("Content-Length") ?? "none")".utf8))
        }
        let pieces = lengths.enumerated().map { SeededBytes.rnd(UInt64($0.offset), $0.element) }
        let whole = Array(pieces.joined())
        let response = try await Self.client().execute(
            HTTPRequest(.put, Self.url(server), body: .pieces(pieces)), bodyLimit: 100)
        #expect(String(decoding: response.body, as: UTF8.self) == "\(whole.count)")
        #expect(received.withLock { $0 == whole })
    }

    @Test func nothingIsSentThatWasNotAskedFor() async throws {
        let seen = Mutex<[String]>([])
        let server = try LoopbackServer { connection, _ in
            guard let request = try connection.readHead() else { return }
            _ = try connection.readBody(request)
            seen.withLock { $0 = request.fields.map { "\($0.name): \($0.value)" } }
            try connection.respond(204)
        }
        _ = try await Self.client().execute(
            HTTPRequest(.put, Self.url(server), headers: ["X-Empty": "", "X-A": "b"], body: .bytes([1, 2])),
            bodyLimit: 0)
        #expect(
            seen.withLock { $0 } == [
                "Host: 127.0.0.1:\(server.port)", "User-Agent: karaffe", "X-Empty: ", "X-A: b", "Content-Length: 2",
            ])
    }

    @Test func connectionsAreReused() async throws {
        let server = try Self.echo()
        let client = try Self.client()
        var connections: Set<String> = []
        for _ in 0..<5 {
            let response = try await client.execute(HTTPRequest(.get, Self.url(server)), bodyLimit: 100)
            connections.insert(response.headers["x-connection"] ?? "?")
        }
        #expect(connections == ["0"])
    }

    @Test func atMostSoManyRequestsAreOnTheWay() async throws {
        let load = Mutex((now: 0, most: 0))
        let server = try LoopbackServer { connection, _ in
            while try connection.readHead() != nil {
                load.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
                usleepMilliseconds(5)
                load.withLock { $0.now -= 1 }
                try connection.respond(200)
            }
        }
        let client = try Self.client { $0.requestsMax = 4 }
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<60 {
                group.addTask { try await client.execute(HTTPRequest(.get, Self.url(server)), bodyLimit: 10).status }
            }
            for try await status in group { #expect(status == 200) }
        }
        #expect(load.withLock { $0.most } <= 4)
        #expect(load.withLock { $0.most } > 1)
    }

    @Test(arguments: [nil, 2_600_000] as [Int64?])
    func aBodyIsStreamedWithAndWithoutKnownLength(_ length: Int64?) async throws {
        let server = try Self.echo()
        let counter = Mutex(0)
        let body = HTTPBody.stream(length: length) {
            let number = counter.withLock { value in
                value += 1
                return value
            }
            return number <= 26 ? [UInt8](repeating: 1, count: 100_000) : nil
        }
        let response = try await Self.client().execute(HTTPRequest(.put, Self.url(server), body: body), bodyLimit: 100)
        #expect(String(decoding: response.body, as: UTF8.self) == "PUT / 2600000")
    }

    @Test(arguments: [
        (10, "the body has 5 bytes; 10 were announced"), (3, "the body has at least 5 bytes; 3 were announced"),
    ])
    func aBodyOfAnotherLengthThanAnnouncedIsAnError(_ announced: Int64, _ message: String) async throws {
        let server = try Self.echo()
        let isFirst = Mutex(true)
        let body = HTTPBody.stream(length: announced) {
            isFirst.withLock { first in
                defer { first = false }
                return first ? [1, 2, 3, 4, 5] : nil
            }
        }
        let url = Self.url(server)
        await #expect(throws: HTTPError(.invalidRequest, "PUT \(url): \(message)")) {
            try await Self.client().execute(HTTPRequest(.put, url, body: body), bodyLimit: 100)
        }
    }

    @Test func aProducersErrorIsTheRequestsError() async throws {
        struct DumpFailed: Error {}
        let server = try Self.echo()
        await #expect(throws: DumpFailed.self) {
            try await Self.client().execute(
                HTTPRequest(.put, Self.url(server), body: .stream(length: nil) { throw DumpFailed() }), bodyLimit: 10)
        }
    }

    @Test func aResponseOverTheLimitIsAnError() async throws {
        let server = try LoopbackServer { connection, _ in
            _ = try connection.readHead()
            try connection.respond(200, body: [UInt8](repeating: 0, count: 101))
        }
        let url = Self.url(server, "/big", query: "sig=secret")
        await #expect(throws: HTTPError(.tooLarge, "GET \(url): the response is larger than 100 bytes")) {
            try await Self.client().execute(HTTPRequest(.get, url), bodyLimit: 100)
        }
    }

    @Test func aResponseIsReadPieceByPieceAndTheServerHeldBack() async throws {
        let total = 64 << 20
        let sent = Mutex(0)
        let server = try LoopbackServer { connection, _ in
            _ = try connection.readHead()
            try connection.write("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
            let piece = [UInt8](repeating: 9, count: 1 << 20)
            for _ in 0..<64 {
                try connection.write(piece)
                sent.withLock { $0 += piece.count }
            }
        }
        let client = try Self.client { $0.receiveBufferBytes = 256 << 10 }
        let received = try await client.withResponse(to: HTTPRequest(.get, Self.url(server))) { head, body in
            #expect(head.status == 200)
            let first = try await body.next()
            try await Task.sleep(for: .milliseconds(300))
            // Socket buffers of both ends, ours and libcurl's; far from the whole.
            #expect(sent.withLock { $0 } < 24 << 20)
            var count = first?.count ?? 0
            while let chunk = try await body.next() { count += chunk.count }
            return count
        }
        #expect(received == total)
    }

    @Test func leavingAResponseEarlyEndsTheConnection() async throws {
        let hasEnded = Mutex(false)
        let server = try LoopbackServer { connection, _ in
            _ = try connection.readHead()
            try connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            while (try? connection.write([UInt8](repeating: 9, count: 1 << 16))) != nil {}
            hasEnded.withLock { $0 = true }
        }
        let client = try Self.client()
        let size = try await client.withResponse(to: HTTPRequest(.get, Self.url(server))) { _, body in
            try await body.next()?.count ?? 0
        }
        #expect(size > 0)
        try await eventually { hasEnded.withLock { $0 } }
    }

    @Test func anEarlyRefusalIsSeenThoughTheBodyIsNotSent() async throws {
        let server = try LoopbackServer { connection, _ in
            _ = try connection.readHead()
            try connection.respond(403, fields: ["Connection: close"], body: Array("no".utf8))
            usleepMilliseconds(200)
        }
        let body = HTTPBody.stream(length: nil) {
            try await Task.sleep(for: .seconds(60))
            return [1]
        }
        let response = try await Self.client().execute(HTTPRequest(.put, Self.url(server), body: body), bodyLimit: 10)
        #expect(response.status == 403)
        #expect(response.body == Array("no".utf8))
    }

    @Test func aHeaderFieldCannotSmuggleAnother() async throws {
        let server = try Self.echo()
        let url = Self.url(server)
        await #expect(
            throws: HTTPError(.invalidRequest, "GET \(url): the header field 'X-A' holds a control character")
        ) {
            try await Self.client().execute(HTTPRequest(.get, url, headers: ["X-A": "a\r\nX-B: c"]), bodyLimit: 10)
        }
    }
}

/// Waits until it holds, at most thirty seconds.
func eventually(_ condition: () -> Bool) async throws {
    for _ in 0..<3000 {
        if condition() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    Issue.record("it did not become true within thirty seconds")
}
