import TestSupport
import Testing

@testable import PodRunner

/// A storage service on this machine for commands: moto for S3, the double of Azure. Started once for all tests of this process.
struct CloudBench: Sendable {
    enum Kind: String, Sendable { case s3, azure }

    let kind: Kind
    private let port: Int
    private let service: Service

    /// Both are needed: the servers and the clients of `storage_tool.py`.
    static let isWanted = PythonTools.isWanted("moto_server")

    static let s3 = Result { try start(.s3) }
    static let azure = Result { try start(.azure) }

    static func get(_ kind: Kind) throws -> CloudBench { try kind == .s3 ? s3.get() : azure.get() }

    private static let account = "karaffetest"
    private static let key = "a2FyYWZmZS10ZXN0LWtleS0wMTIzNDU2Nzg5"

    private static func start(_ kind: Kind) throws -> CloudBench {
        let scratch = "\(CurrentEnvironment.value("TMPDIR") ?? "/tmp")/karaffe-cloud-\(UInt64.random(in: 0 ... .max))"
        try Files.makeFolder(scratch)
        switch kind {
        case .s3:
            let port = try unusedPort()
            let service = try Service(
                try PythonTools.require("moto_server"), ["-H", "127.0.0.1", "-p", "\(port)"],
                logPath: "\(scratch)/log", scratchFolder: scratch)
            try service.waitUntilReady(seconds: 60) { isListening(port: port) }
            return CloudBench(kind: kind, port: port, service: service)
        case .azure:
            let double = Fixture.path("../../CloudTestSupport/Fixtures/azure_double.py")
            let service = try Service(
                try PythonTools.require("python"), [double, account, key], logPath: "\(scratch)/log",
                scratchFolder: scratch)
            func announced() -> Int? {
                service.log.hasPrefix("PORT ") && service.log.hasSuffix("\n")
                    ? Int(service.log.dropFirst(5).dropLast()) : nil
            }
            try service.waitUntilReady(seconds: 60) { announced() != nil }
            return CloudBench(kind: kind, port: try #require(announced()), service: service)
        }
    }

    private var endpoint: String { "http://127.0.0.1:\(port)" + (kind == .s3 ? "" : "/\(Self.account)") }

    var environment: [String: String] {
        switch kind {
        case .s3: ["AWS_ACCESS_KEY_ID": "karaffe-test-id", "AWS_SECRET_ACCESS_KEY": "karaffe-test-secret-key"]
        case .azure: ["AZURE_STORAGE_ACCOUNT": Self.account, "AZURE_STORAGE_KEY": Self.key]
        }
    }

    /// A new bucket or container.
    func make(locking: Bool = true) throws -> String {
        let name = "karaffe-\(UInt32.random(in: 0 ... .max))-test"
        _ = try tool(locking ? "make-locking" : "make", name)
        return name
    }

    func url(_ container: String) -> String {
        let scheme = kind == .s3 ? "s3" : "azblob"
        return "\(scheme)://\(container)/repo?endpoint=\(endpoint)"
    }

    /// Runs `storage_tool.py`.
    func tool(_ command: String, _ container: String, _ arguments: String...) throws -> String {
        let run = try Program.run(
            try PythonTools.require("python"),
            [Fixture.path("storage_tool.py"), kind.rawValue, endpoint, command, container] + arguments,
            environment: environment.merging(["NO_PROXY": "127.0.0.1"]) { old, _ in old })
        guard run.exitCode == 0 else { throw TestSupportError("storage_tool.py \(command): \(run.output)") }
        return run.output
    }

    /// The object of a blob whose name starts so.
    func key(_ prefix: String, in container: String) throws -> String {
        let names = try tool("keys", container).split(separator: "\n").map(String.init)
        return try #require(names.first { $0.hasPrefix("repo/" + prefix) }, "\(names)")
    }
}
