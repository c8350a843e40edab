import GoFormats
import HTTPTransport
import KopiaBlob
import Secrets
import Synchronization
import TestSupport
import Testing

@testable import KopiaCloud

/// Answers of a scripted server: what each means, and how often is tried.
struct S3AnswerTests {
    private static let id = BlobID("p0123")
    private static let time = Timestamp(rfc3339: "2026-02-03T04:05:06Z")

    /// Counts sleeps instead of sleeping.
    private final class Sleeps: Sendable {
        let all = Mutex<[Duration]>([])
        var environment: CloudEnvironment {
            let time = S3AnswerTests.time ?? Timestamp(seconds: 0)
            return CloudEnvironment(
                retryEnvironment: .init(
                    sleep: { [self] duration in all.withLock { $0.append(duration) } }, random: { 0 }),
                clock: { time })
        }
    }

    private static func storage(_ port: Int, _ environment: CloudEnvironment = .system) throws -> S3BlobStorage {
        var connection = CloudConnection()
        connection.proxy = .none
        return try S3BlobStorage(
            try S3Configuration(
                bucket: "bucket", prefix: "a b/", endpoint: "http://127.0.0.1:\(port)", connection: connection),
            source: .fixed(S3Credentials(accessKeyID: "AKID", secretAccessKey: Secret("s3cr3t"))),
            environment: environment)
    }

    private static func error(_ call: () async throws -> Void) async -> BlobError? {
        do {
            try await call()
            return nil
        } catch { return error as? BlobError }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        let status: Int
        var fields: [String] = []
        let body: String
        let expected: BlobError
        let attempts: Int
        var testDescription: String { id }
    }

    private static func xml(_ code: String, _ message: String = "why") -> String {
        "<?xml version=\"1.0\"?><Error><Code>\(code)</Code><Message>\(message)</Message></Error>"
    }

    private static func expected(
        _ code: BlobError.Code, _ reason: String, hint: String? = nil, isTransient: Bool = false
    ) -> BlobError {
        BlobError(
            code, blob: id, "could not read blob 'p0123' from s3://bucket/a b/: \(reason)", hint: hint,
            isTransient: isTransient)
    }

    @Test(arguments: [
        Case(
            id: "missing", status: 404, body: xml("NoSuchKey"),
            expected: BlobError(.notFound, blob: id, "blob 'p0123' is not in s3://bucket/a b/"), attempts: 1),
        Case(
            id: "no bucket", status: 404, body: xml("NoSuchBucket"),
            expected: expected(
                .invalidStorage, "NoSuchBucket (status 404): why",
                hint: "create the bucket 'bucket' first, or check its name, the endpoint and the region"), attempts: 1),
        Case(
            id: "wrong secret", status: 403, body: xml("SignatureDoesNotMatch"),
            expected: expected(
                .accessDenied, "SignatureDoesNotMatch (status 403): why",
                hint: "check the access key, the secret key and the session token"), attempts: 1),
        Case(
            id: "no permission", status: 403, body: xml("AccessDenied", "Access &lt;Denied&gt;"),
            expected: expected(
                .accessDenied, "AccessDenied (status 403): Access <Denied>",
                hint: "check the credentials, and that they may read, write, list and delete in this bucket"),
            attempts: 1),
        Case(
            id: "another region", status: 400, fields: ["x-amz-bucket-region: eu-west-1"],
            body: xml("AuthorizationHeaderMalformed"),
            expected: expected(
                .invalidStorage, "AuthorizationHeaderMalformed (status 400): why",
                hint: "the bucket is in region 'eu-west-1'; this is 'us-east-1'"), attempts: 1),
        Case(
            id: "range", status: 416, fields: ["Content-Range: bytes */7"], body: xml("InvalidRange"),
            expected: BlobError(
                .invalidRange, blob: id, "blob 'p0123' has 7 bytes; bytes 5 to 10 were asked for"), attempts: 1),
        Case(
            id: "slow down", status: 503, body: xml("SlowDown"),
            expected: expected(.io, "SlowDown (status 503): why", isTransient: true), attempts: 10),
        Case(
            id: "no XML", status: 500, body: "oops",
            expected: expected(.io, "status 500", isTransient: true), attempts: 10),
        Case(
            id: "request timeout", status: 400, body: xml("RequestTimeout"),
            expected: expected(.io, "RequestTimeout (status 400): why", isTransient: true), attempts: 10),
        Case(id: "bad request", status: 400, body: "", expected: expected(.io, "status 400"), attempts: 1),
        Case(
            id: "full", status: 507, body: "",
            expected: expected(.noSpace, "status 507", hint: "free space on the storage server"), attempts: 1),
    ])
    func errorAnswersAreToldApart(_ test: Case) async throws {
        let attempts = Mutex(0)
        let server = try LoopbackServer { connection, _ in
            while let request = try connection.readHead() {
                _ = try connection.readBody(request)
                attempts.withLock { $0 += 1 }
                try connection.respond(test.status, fields: test.fields, body: Array(test.body.utf8))
            }
        }
        let sleeps = Sleeps()
        let storage = try Self.storage(server.port, sleeps.environment)
        let id = try #require(Self.id)
        let error = try #require(await Self.error { _ = try await storage.get(id, range: 5..<10) })
        #expect(error.code == test.expected.code)
        #expect(error.description == test.expected.description)
        #expect(error.blob == test.expected.blob)
        #expect(error.isTransient == test.expected.isTransient)
        #expect(attempts.withLock { $0 } == test.attempts)
        #expect(sleeps.all.withLock { $0.count } == test.attempts - 1)
    }

    @Test func aTransientAnswerIsTriedAgainAndTheServersWishHonoured() async throws {
        let requests = Mutex<[String]>([])
        let server = try LoopbackServer { connection, _ in
            while let request = try connection.readHead() {
                let body = try connection.readBody(request)
                let number = requests.withLock { requests in
                    requests.append(
                        "\(request.method) \(request.target) \(body.count) \(request.field("Content-MD5") ?? "-")")
                    return requests.count
                }
                switch number {
                case 1: return try connection.respond(503, fields: ["Retry-After: 7", "Connection: close"])
                case 2: return connection.reset()
                default: try connection.respond(200)
                }
            }
        }
        let sleeps = Sleeps()
        try await Self.storage(server.port, sleeps.environment).put(try #require(Self.id), Array("hello".utf8))
        let expected = "PUT /bucket/a%20b/p0123 5 XUFAKrxLKna5cZ2REBfFkg=="
        #expect(requests.withLock { $0 } == [expected, expected, expected])
        #expect(sleeps.all.withLock { $0 } == [.seconds(7), .milliseconds(150)])
    }

    @Test func theLastAttemptsErrorIsTheCallers() async throws {
        let port = try unusedPort()
        let sleeps = Sleeps()
        let storage = try Self.storage(port, sleeps.environment)
        let error = try #require(await Self.error { _ = try await storage.list(prefix: "p") })
        #expect(error.code == .io)
        #expect(error.isTransient)
        #expect(
            error.message.hasPrefix(
                "could not list blobs 'p…' in s3://bucket/a b/: GET http://127.0.0.1:\(port)/bucket: no connection"))
        #expect(sleeps.all.withLock { $0.count } == 9)
    }

    @Test func retentionIsSentWithThePut() async throws {
        let fields = Mutex<[String]>([])
        let server = try LoopbackServer { connection, _ in
            while let request = try connection.readHead() {
                _ = try connection.readBody(request)
                fields.withLock { fields in
                    fields = request.fields.map { "\($0.name.lowercased()): \($0.value)" }
                        .filter { $0.hasPrefix("x-amz-object-lock") || $0.hasPrefix("content-t") }
                }
                try connection.respond(200)
            }
        }
        let storage = try Self.storage(server.port, Sleeps().environment)
        try await storage.put(
            try #require(Self.id), [1], retention: BlobRetention(mode: .compliance, periodSeconds: 86_400))
        #expect(
            fields.withLock { $0 } == [
                "content-type: application/x-kopia", "x-amz-object-lock-mode: COMPLIANCE",
                "x-amz-object-lock-retain-until-date: 2026-02-04T04:05:06Z",
            ])
    }

    @Test func aModeOfAnotherServiceIsRefused() async throws {
        let storage = try Self.storage(try unusedPort())
        let id = try #require(Self.id)
        let error = try #require(
            await Self.error {
                try await storage.put(id, [1], retention: BlobRetention(mode: .locked, periodSeconds: 86_400))
            })
        #expect(error.code == .unsupported)
        #expect(
            error.description
                == "blob 'p0123': S3 has no retention mode 'Locked'\nhint: set the repository's retention mode to COMPLIANCE or GOVERNANCE"
        )
    }

    struct ListCase: Sendable, CustomTestStringConvertible {
        let id: String
        let body: String
        let reason: String
        var testDescription: String { id }
    }

    @Test(arguments: [
        ListCase(
            id: "not XML", body: "{}", reason: "the list is not XML: an element is missing, at byte 0"),
        ListCase(id: "another document", body: "<html/>", reason: "the answer is 'html', not a list"),
        ListCase(
            id: "no token", body: "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
            reason: "the list goes on but does not say where"),
        ListCase(
            id: "the same token for ever",
            body:
                "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>",
            reason: "the same page was announced twice"),
        ListCase(
            id: "an entry without a size",
            body: "<ListBucketResult><Contents><Key>a b/x</Key></Contents></ListBucketResult>",
            reason: "an entry of the list has no name, size or time"),
    ])
    func aListThatCannotBeIsRefused(_ test: ListCase) async throws {
        let server = try LoopbackServer { connection, _ in
            while try connection.readHead() != nil { try connection.respond(200, body: Array(test.body.utf8)) }
        }
        let storage = try Self.storage(server.port, Sleeps().environment)
        let error = try #require(await Self.error { _ = try await storage.list(prefix: "x") })
        #expect(error.message == "could not list blobs 'x…' in s3://bucket/a b/: \(test.reason)")
    }

    @Test(arguments: [200, 206])
    func aServiceThatIgnoresRangesIsUnderstood(_ status: Int) async throws {
        let server = try LoopbackServer { connection, _ in
            while try connection.readHead() != nil { try connection.respond(status, body: Array("0123456789".utf8)) }
        }
        let storage = try Self.storage(server.port)
        let id = try #require(Self.id)
        if status == 200 {
            #expect(try await storage.get(id, range: 2..<5) == Array("234".utf8))
        } else {
            let error = try #require(await Self.error { _ = try await storage.get(id, range: 2..<5) })
            #expect(error.code == .invalidRange)
        }
    }

    @Test func addressesForBothStyles() throws {
        var configuration = try S3Configuration(bucket: "bkt", region: "eu-central-1")
        #expect(configuration.url(key: "a/p 1").wireText == "https://bkt.s3.eu-central-1.amazonaws.com/a/p%201")
        #expect(
            configuration.url(query: "list-type=2").wireText == "https://bkt.s3.eu-central-1.amazonaws.com/?list-type=2"
        )
        configuration = try S3Configuration(bucket: "b.k.t", region: "eu-central-1")
        #expect(configuration.url(key: "k").wireText == "https://s3.eu-central-1.amazonaws.com/b.k.t/k")
        configuration = try S3Configuration(bucket: "bkt", endpoint: "minio.local:9000")
        #expect(configuration.url(key: "k").wireText == "https://minio.local:9000/bkt/k")
        #expect(throws: BlobError.self) { try S3Configuration(bucket: "a/b") }
        #expect(throws: BlobError.self) { try S3Configuration(bucket: "bkt", endpoint: "http://") }
    }
}
