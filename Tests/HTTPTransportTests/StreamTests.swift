import HTTPTransport
import Synchronization
import TestSupport
import Testing

/// Two-way streams over HTTP/2, against a server made of somebody else's HTTP/2 library.
@Suite(.enabled(if: PythonTools.isWanted("python"), "run .ci/install-python-tools"), .timeLimit(.minutes(3)))
struct StreamTests {
    enum Wire: String, Sendable, CaseIterable { case plain, tls }

    /// Started once for all tests of this process; ends with it.
    private struct Server: Sendable {
        let service: Service
        let ports: [Wire: Int]

        static let shared = Result {
            let scratch = "\(CurrentEnvironment.value("TMPDIR") ?? "/tmp")/karaffe-h2-\(UInt64.random(in: 0 ... .max))"
            try Files.makeFolder(scratch)
            let made = try Program.run(
                "openssl",
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    "\(scratch)/key.pem", "-out", "\(scratch)/cert.pem", "-days", "2", "-subj", "/CN=localhost",
                ])
            guard made.exitCode == 0 else { throw TestSupportError("openssl: \(made.output)") }
            let service = try Service(
                try PythonTools.require("python"),
                [Fixture.path("h2_double.py"), "\(scratch)/cert.pem", "\(scratch)/key.pem"],
                logPath: "\(scratch)/log", scratchFolder: scratch)
            func announced() -> [Int] {
                guard service.log.hasPrefix("PORTS "), service.log.hasSuffix("\n") else { return [] }
                return service.log.dropFirst(6).dropLast().split(separator: " ").compactMap { Int($0) }
            }
            try service.waitUntilReady(seconds: 60) { announced().count == 2 }
            let ports = announced()
            guard ports.count == 2 else { throw TestSupportError("no ports: \(service.log)") }
            return Server(service: service, ports: [.plain: ports[0], .tls: ports[1]])
        }
    }

    private let client: HTTPClient
    private let ports: [Wire: Int]

    init() throws {
        var configuration = HTTPClientConfiguration()
        configuration.proxy = .none
        configuration.versions = .http2
        configuration.trust = .anything
        configuration.receiveBufferBytes = 256 << 10
        client = try HTTPClient(configuration)
        ports = try Server.shared.get().ports
    }

    private func request(_ path: String, _ wire: Wire) -> HTTPRequest {
        HTTPRequest(
            .post,
            HTTPURL(scheme: wire == .tls ? .https : .http, host: "127.0.0.1", port: ports[wire], path: path),
            headers: ["content-type": "application/grpc", "te": "trailers"])
    }

    private func receive(_ stream: HTTPStream, _ count: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count, let piece = try await stream.receive() { bytes.append(contentsOf: piece) }
        return bytes
    }

    private final class Counter: Sendable { let value = Mutex(0) }

    @Test(arguments: Wire.allCases)
    func questionsAndAnswersAlternate(_ wire: Wire) async throws {
        try await client.withStream(request("/echo", wire)) { stream in
            let head = try await stream.head()
            #expect(head.status == 200)
            #expect(head.version == .http2)
            for number in 0..<200 {
                let question = [UInt8](repeating: UInt8(number), count: number * 37 + 1)
                try await stream.send(question)
                #expect(try await receive(stream, question.count) == question)
            }
            stream.finishSending()
            #expect(try await stream.receive() == nil)
            #expect(stream.trailers["grpc-status"] == "0")
            #expect(stream.trailers["x-bytes"] == "\((0..<200).map { $0 * 37 + 1 }.reduce(0, +))")
        }
    }

    @Test(arguments: Wire.allCases)
    func bothDirectionsMoveAtTheSameTime(_ wire: Wire) async throws {
        let piece = SeededBytes.rnd(4, 1 << 18)
        let received = try await client.withStream(request("/echo", wire)) { stream in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for _ in 0..<6 { try await stream.send(piece) }
                    stream.finishSending()
                }
                var received: [UInt8] = []
                while let next = try await stream.receive() { received.append(contentsOf: next) }
                try await group.waitForAll()
                return received
            }
        }
        #expect(received.count == 6 << 18)
        #expect(received == Array(repeatElement(piece, count: 6).joined()))
    }

    @Test(arguments: Wire.allCases)
    func manyStreamsShareTheClient(_ wire: Wire) async throws {
        try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<20 {
                group.addTask {
                    try await client.withStream(request("/echo", wire)) { stream in
                        var count = 0
                        for _ in 0..<20 {
                            try await stream.send([UInt8](repeating: UInt8(number), count: 3000))
                            let answer = try await receive(stream, 3000)
                            #expect(answer == [UInt8](repeating: UInt8(number), count: 3000))
                            count += answer.count
                        }
                        return count
                    }
                }
            }
            for try await count in group { #expect(count == 60_000) }
        }
    }

    @Test(arguments: Wire.allCases)
    func aRefusalWithoutABodyEndsTheSendingSide(_ wire: Wire) async throws {
        for _ in 0..<20 {
            try await client.withStream(request("/refuse", wire)) { stream in
                let head = try await stream.head()
                #expect(head.headers["grpc-status"] == "7")
                #expect(head.headers["grpc-message"] == "no")
                for _ in 0..<5 { try await stream.send([UInt8](repeating: 1, count: 100_000)) }
                #expect(try await stream.receive() == nil)
            }
        }
    }

    /// Each message must arrive to its last byte although nothing follows it.
    @Test(arguments: [100_000, 700_000, 3_000_000], Wire.allCases)
    func aLargeMessageArrivesWholeBeforeTheNextOne(_ size: Int, _ wire: Wire) async throws {
        var request = request("/message/\(size)", wire)
        request.timeout = .seconds(60)
        try await client.withStream(request) { stream in
            for _ in 0..<5 {
                try await stream.send([UInt8](repeating: 1, count: size))
                #expect(try await receive(stream, 2) == Array("ok".utf8))
            }
        }
    }

    /// The other order of ends: the server's answer is complete while ours still goes on.
    @Test(arguments: Wire.allCases)
    func anAnswerThatEndsFirstIsWholeWhenWeEndLater(_ wire: Wire) async throws {
        for _ in 0..<20 {
            try await client.withStream(request("/early", wire)) { stream in
                _ = try await stream.head()
                #expect(try await receive(stream, 5) == Array("early".utf8))
                try await stream.send([1, 2, 3])
                stream.finishSending()
                #expect(try await stream.receive() == nil)
            }
        }
    }

    @Test(arguments: Wire.allCases)
    func aServerThatDoesNotReadHoldsTheSenderBack(_ wire: Wire) async throws {
        let sent = Counter()
        try await client.withStream(request("/stall", wire)) { stream in
            _ = try await stream.head()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for _ in 0..<200 {
                        try await stream.send([UInt8](repeating: 1, count: 1 << 20))
                        sent.value.withLock { $0 += 1 }
                    }
                }
                try await Task.sleep(for: .milliseconds(400))
                group.cancelAll()
                await #expect(throws: CancellationError.self) { try await group.waitForAll() }
            }
        }
        // The first window, libcurl's buffer and the kernel's; far from the 200 MiB.
        #expect(sent.value.withLock { $0 } < 16)
    }

    @Test(arguments: Wire.allCases)
    func aReaderThatIsSlowHoldsTheServerBackAndLosesNothing(_ wire: Wire) async throws {
        try await client.withStream(request("/flood", wire)) { stream in
            stream.finishSending()
            var count = 0
            for _ in 0..<5 {
                count += try await stream.receive()?.count ?? 0
                try await Task.sleep(for: .milliseconds(30))
            }
            while let next = try await stream.receive() { count += next.count }
            #expect(count == 8 << 20)
            #expect(stream.trailers["grpc-status"] == "0")
        }
    }

    @Test(arguments: ["/reset", "/goaway"], Wire.allCases)
    func aBrokenStreamIsATransientError(_ path: String, _ wire: Wire) async throws {
        do {
            try await client.withStream(request(path, wire)) { stream in
                _ = try await stream.head()
                try await stream.send([1, 2, 3])
                while try await stream.receive() != nil {}
            }
            Issue.record("it should have failed")
        } catch let error as HTTPError {
            #expect(error.code == .reset, "\(error)")
            #expect(error.isTransient)
        }
    }

    @Test(arguments: Wire.allCases)
    func cancellingAReaderEndsTheStreamAtOnce(_ wire: Wire) async throws {
        let task = Task {
            try await client.withStream(request("/echo", wire)) { stream in
                _ = try await stream.head()
                _ = try await stream.receive()
            }
        }
        try await Task.sleep(for: .milliseconds(100))
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    /// A connection may die without a word. What is given up on it must not leave it to the next request.
    @Test func aStreamThatStandsStillTakesNoOtherWithIt() async throws {
        let proxy = try FaultProxy(to: try #require(ports[.tls]), script: [.stallRequest(afterBytes: 100_000)])
        let request = HTTPRequest(
            .post, HTTPURL(scheme: .https, host: "127.0.0.1", port: proxy.port, path: "/echo"),
            headers: ["content-type": "application/grpc", "te": "trailers"])
        let stuck = Task {
            try await client.withStream(request) { stream in
                while true { try await stream.send([UInt8](repeating: 1, count: 50_000)) }
            }
        }
        try await eventually { proxy.harmed == 1 }
        stuck.cancel()
        await #expect(throws: CancellationError.self) { try await stuck.value }
        var next = request
        next.timeout = .seconds(30)
        let answer = try await client.withStream(next) { stream in
            try await stream.send([1, 2, 3])
            return try await receive(stream, 3)
        }
        #expect(answer == [1, 2, 3])
        #expect(proxy.connections == 2)
    }

    @Test(arguments: Wire.allCases)
    func theRequestsTimeHoldsForStreams(_ wire: Wire) async throws {
        var request = request("/echo", wire)
        request.timeout = .milliseconds(200)
        do {
            try await client.withStream(request) { stream in
                _ = try await stream.head()
                _ = try await stream.receive()
            }
            Issue.record("it should have failed")
        } catch let error as HTTPError {
            #expect(error.code == .timeout)
        }
    }
}
