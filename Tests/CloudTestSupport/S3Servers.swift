internal import GoFormats
internal import HTTPTransport
internal import KopiaBlob
package import KopiaCloud
import Secrets
internal import TestSupport

/// Real S3 servers of other people, started once for all tests of this process; they end with it.
package struct S3Server: Sendable {
    package let port: Int
    private let service: Service

    package static let accessKeyID = "karaffe-test-id"
    package static let secretKey = "karaffe-test-secret-key"
    package static let credentials = S3Credentials(
        accessKeyID: accessKeyID, secretAccessKey: Secret(secretKey))

    /// Versions, object lock; checks no signatures.
    package static let moto = Result {
        try start("moto_server") { port, _ in ["-H", "127.0.0.1", "-p", "\(port)"] }
    }

    /// Checks signatures strictly; neither versions nor locks.
    package static let rclone = Result {
        try start("rclone") { port, folder in
            [
                "serve", "s3", "--auth-key", "\(accessKeyID),\(secretKey)",
                "--addr",
                "127.0.0.1:\(port)", "--config", "\(folder)/../rclone.conf", folder,
            ]
        }
    }

    /// A server of its own for one test, which may stop it.
    package static func start(_ program: String, _ arguments: (Int, String) -> [String]) throws -> S3Server {
        let path = try PythonTools.require(program)
        let port = try unusedPort()
        let scratch = "\(CurrentEnvironment.value("TMPDIR") ?? "/tmp")/karaffe-s3-\(UInt64.random(in: 0 ... .max))"
        try Files.makeFolder(scratch)
        try Files.makeFolder("\(scratch)/data")
        let service = try Service(
            path, arguments(port, "\(scratch)/data"), logPath: "\(scratch)/log", scratchFolder: scratch)
        try service.waitUntilReady(seconds: 60) { isListening(port: port) }
        return S3Server(port: port, service: service)
    }

    package func configuration(bucket: String, prefix: String = "", port: Int? = nil) throws -> S3Configuration {
        var connection = CloudConnection()
        connection.proxy = .none
        return try S3Configuration(
            bucket: bucket, prefix: prefix, endpoint: "http://127.0.0.1:\(port ?? self.port)", connection: connection)
    }

    /// A new bucket's name.
    package func makeBucket(hasObjectLock: Bool = false) async throws -> String {
        let bucket = "karaffe-\(UInt32.random(in: 0 ... .max))-test"
        let configuration = try configuration(bucket: bucket)
        var request = HTTPRequest(.put, configuration.url(), body: .bytes([]))
        if hasObjectLock { request.headers["x-amz-bucket-object-lock-enabled"] = "true" }
        try SignatureV4(credentials: Self.credentials, region: configuration.region).sign(
            &request, payloadHash: SHA256.hex([]), at: .now())
        let response = try await configuration.connection.client().execute(request, bodyLimit: 1 << 20)
        guard response.head.isSuccess else {
            throw TestSupportError("no bucket: \(response.status) \(String(decoding: response.body, as: UTF8.self))")
        }
        return bucket
    }

    /// - Parameter port: of a proxy in front of this server.
    package func storage(
        bucket: String, prefix: String = "repo/", environment: CloudEnvironment = .system, port: Int? = nil,
        listPageMax: Int = 1000
    ) throws -> S3BlobStorage {
        try S3BlobStorage(
            try configuration(bucket: bucket, prefix: prefix, port: port), source: .fixed(Self.credentials),
            environment: environment, listPageMax: listPageMax)
    }
}
