import HTTPTransport
import KopiaBlob
import Secrets
import Synchronization
import TestSupport
import Testing

@testable import KopiaCloud

/// How long a service that is away is waited for. Waiting is counted and costs nothing.
struct OutageTests {
    enum Kind: String, Sendable, CaseIterable { case busy = "answers 503", reset = "resets connections" }

    /// Answers everything with 200, except while it is away.
    private final class Service: Sendable {
        private struct State {
            var isAway = false
            var attempts = 0
            var waited = Duration.zero
        }
        private let state = Mutex(State())
        private let server: Mutex<LoopbackServer?> = Mutex(nil)
        private let lasts: Duration
        private let jitter: Double

        /// - Parameters:
        ///   - lasts: how long one must wait until it is back.
        ///   - jitter: the longest delays at 0, the shortest at 1.
        init(_ kind: Kind, lasts: Duration, jitter: Double) throws {
            (self.lasts, self.jitter) = (lasts, jitter)
            let server = try LoopbackServer { [self] connection, _ in
                while let request = try connection.readHead() {
                    _ = try connection.readBody(request)
                    let isAway = state.withLock { state in
                        if state.isAway { state.attempts += 1 }
                        return state.isAway
                    }
                    guard isAway else {
                        try connection.respond(200, body: Array("content".utf8))
                        continue
                    }
                    if kind == .reset { return connection.reset() }
                    try connection.respond(503)
                }
            }
            self.server.withLock { $0 = server }
        }

        func goAway() { state.withLock { $0.isAway = true } }
        /// Requests that met it while it was away.
        var attempts: Int { state.withLock { $0.attempts } }
        var waited: Duration { state.withLock { $0.waited } }

        private var environment: CloudEnvironment {
            CloudEnvironment(
                retryEnvironment: .init(
                    sleep: { [self] pause in
                        state.withLock { state in
                            state.waited += pause
                            if state.waited >= lasts { state.isAway = false }
                        }
                    }, random: { [self] in jitter }))
        }

        private func configuration() throws -> S3Configuration {
            var connection = CloudConnection()
            connection.proxy = .none
            let port = try #require(server.withLock { $0?.port })
            return try S3Configuration(bucket: "bucket", endpoint: "http://127.0.0.1:\(port)", connection: connection)
        }

        private static var source: S3CredentialSource {
            .fixed(S3Credentials(accessKeyID: "AKID", secretAccessKey: Secret("s3cr3t")))
        }

        func storage() throws -> S3BlobStorage {
            try S3BlobStorage(try configuration(), source: Self.source, environment: environment)
        }

        func objects() throws -> S3ObjectStore {
            try S3ObjectStore(try configuration(), source: Self.source, environment: environment)
        }
    }

    private static let id = BlobID("p0123")
    private static let forEver = Duration.seconds(100_000)

    /// With the shortest delays that jitter makes.
    @Test(arguments: Kind.allCases) func twoMinutesAreRiddenOutOnceTheServiceWasThere(_ kind: Kind) async throws {
        let service = try Service(kind, lasts: .seconds(120), jitter: 0.999)
        let storage = try service.storage()
        let id = try #require(Self.id)
        try await storage.put(id, [1])
        service.goAway()
        try await storage.put(id, pieces: [[2], [3]], retention: nil)
        #expect(service.waited >= .seconds(120))
        #expect(try await storage.get(id) == Array("content".utf8))
    }

    @Test(arguments: Kind.allCases, [0, 0.999])
    func whatDoesNotComeBackIsGivenUpAfterThreeMinutes(_ kind: Kind, _ jitter: Double) async throws {
        let service = try Service(kind, lasts: Self.forEver, jitter: jitter)
        let storage = try service.storage()
        let id = try #require(Self.id)
        try await storage.put(id, [1])
        service.goAway()
        let error = await #expect(throws: BlobError.self) { try await storage.put(id, [2]) }
        #expect(error?.isTransient == true)
        // A request on a connection that was kept is sent once more by libcurl when that is reset.
        #expect((19...20).contains(service.attempts))
        let waited = service.waited
        #expect(waited > .seconds(137) && waited < .seconds(184))
        // What comes after that does not wait as long once more.
        await #expect(throws: BlobError.self) { try await storage.delete(id) }
        #expect(service.waited - waited < .seconds(7.6))
    }

    @Test(arguments: Kind.allCases) func aServiceThatNeverAnsweredIsGivenUpSoon(_ kind: Kind) async throws {
        let service = try Service(kind, lasts: Self.forEver, jitter: 0)
        service.goAway()
        let storage = try service.storage()
        let id = try #require(Self.id)
        await #expect(throws: BlobError.self) { try await storage.get(id) }
        #expect(service.attempts == 10)
        #expect(service.waited < .seconds(7.6))
        // The next request is as unsure of it.
        await #expect(throws: BlobError.self) { try await storage.get(id) }
        #expect(service.attempts == 20)
    }

    @Test(arguments: [true, false]) func downloadsHaveTheSamePatience(_ wasThere: Bool) async throws {
        let service = try Service(.busy, lasts: .seconds(120), jitter: 0)
        let objects = try service.objects()
        if wasThere { try await objects.delete("x") }
        service.goAway()
        let received = Mutex<[UInt8]>([])
        do {
            try await objects.download("x") { bytes in received.withLock { $0 += bytes } }
            #expect(wasThere)
            #expect(received.withLock { $0 } == Array("content".utf8))
        } catch let error as BlobError {
            #expect(!wasThere, "\(error)")
            #expect(service.attempts == 10)
        }
    }
}
