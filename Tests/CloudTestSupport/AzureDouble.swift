internal import GoFormats
internal import HTTPTransport
internal import KopiaBlob
package import KopiaCloud
import Secrets
internal import TestSupport

/// The double of Azure Blob Storage (`Fixtures/azure_double.py`), started once for all tests of this process.
package struct AzureDouble: Sendable {
    package let port: Int
    private let service: Service

    package static let account = "karaffetest"
    package static let key = "a2FyYWZmZS10ZXN0LWtleS0wMTIzNDU2Nzg5"

    /// What the double takes as a token of Entra ID.
    package static let token = "entra-token-for-tests"

    /// Whether tests with it should run.
    package static var isWanted: Bool { Program.find("python3") != nil || CurrentEnvironment.requiresServices }

    package static let withVersions = Result { try start([]) }
    package static let withoutVersions = Result { try start(["--no-versions"]) }

    package static func start(_ flags: [String]) throws -> AzureDouble {
        guard let python = Program.find("python3") else { throw TestSupportError("'python3' is not installed") }
        let scratch = "\(CurrentEnvironment.value("TMPDIR") ?? "/tmp")/karaffe-azure-\(UInt64.random(in: 0 ... .max))"
        try Files.makeFolder(scratch)
        let service = try Service(
            python, [Fixture.path("azure_double.py"), "--bearer=\(token)"] + flags + [account, key],
            logPath: "\(scratch)/log",
            scratchFolder: scratch)
        func announced() -> Int? {
            service.log.hasPrefix("PORT ") && service.log.hasSuffix("\n")
                ? Int(service.log.dropFirst(5).dropLast()) : nil
        }
        try service.waitUntilReady(seconds: 60) { announced() != nil }
        guard let port = announced() else { throw TestSupportError("the double says no port: \(service.log)") }
        return AzureDouble(port: port, service: service)
    }

    package static func configuration(
        container: String, prefix: String = "repo/", port: Int
    ) throws -> AzureConfiguration {
        var connection = CloudConnection()
        connection.proxy = .none
        return try AzureConfiguration(
            account: account, container: container, prefix: prefix, endpoint: "http://127.0.0.1:\(port)/\(account)",
            connection: connection)
    }

    package func makeContainer() async throws -> String {
        let container = "karaffe-\(UInt32.random(in: 0 ... .max))"
        let configuration = try Self.configuration(container: container, port: port)
        var request = HTTPRequest(.put, configuration.url(query: "restype=container"), body: .bytes([]))
        request.headers["x-ms-version"] = AzureBlobStorage.apiVersion
        request.headers["x-ms-date"] = HTTPDate.format(.now())
        try SharedKey(account: Self.account, .sharedKey(Secret(Self.key)))?.sign(&request, contentLength: 0)
        let response = try await configuration.connection.client().execute(request, bodyLimit: 1 << 20)
        guard response.status == 201 else {
            throw TestSupportError("no container: \(response.status) \(String(decoding: response.body, as: UTF8.self))")
        }
        return container
    }

    package func storage(
        container: String, prefix: String = "repo/", key: String = AzureDouble.key,
        environment: CloudEnvironment = .system, port: Int? = nil, listPageMax: Int = 5000
    ) throws -> AzureBlobStorage {
        try AzureBlobStorage(
            try Self.configuration(container: container, prefix: prefix, port: port ?? self.port),
            credentials: try .sharedKey(Secret(key)), environment: environment, listPageMax: listPageMax)
    }

    /// Runs Microsoft's own client: `check`, `read`, `versions` or `write`.
    package func officialClient(_ container: String, _ arguments: String...) throws -> String {
        let run = try Program.run(
            try PythonTools.require("python"),
            [
                Fixture.path("azure_crosscheck.py"), "http://127.0.0.1:\(port)/\(Self.account)", Self.account, Self.key,
                container,
            ] + arguments)
        guard run.exitCode == 0 else { throw TestSupportError("azure_crosscheck.py: \(run.output)") }
        return run.output
    }
}
