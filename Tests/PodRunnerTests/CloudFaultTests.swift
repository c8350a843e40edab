import CloudTestSupport
import GoFormats
import RunnerContract
import TestSupport
import Testing

@testable import PodRunner

/// A repository on a storage service, reached directly and through a proxy that harms connections.
struct CloudRepository {
    let service: String
    let direct: String
    let proxied: String
    let proxy: FaultProxy
    let environment: [String: String]

    static func make(_ service: String) async throws -> CloudRepository {
        switch service {
        case "Azure":
            let double = try AzureDouble.withVersions.get()
            let container = try await double.makeContainer()
            let proxy = try FaultProxy(to: double.port)
            func url(_ port: Int) -> String {
                "azblob://\(container)/repo?account=\(AzureDouble.account)&endpoint=http://127.0.0.1:\(port)/\(AzureDouble.account)"
            }
            return CloudRepository(
                service: service, direct: url(double.port), proxied: url(proxy.port), proxy: proxy,
                environment: ["AZURE_STORAGE_KEY": AzureDouble.key])
        default:
            let server = try (service == "S3 (moto)" ? S3Server.moto : S3Server.rclone).get()
            let bucket = try await server.makeBucket()
            let proxy = try FaultProxy(to: server.port)
            func url(_ port: Int) -> String { "s3://\(bucket)/repo?endpoint=http://127.0.0.1:\(port)" }
            return CloudRepository(
                service: service, direct: url(server.port), proxied: url(proxy.port), proxy: proxy,
                environment: ["AWS_ACCESS_KEY_ID": S3Server.accessKeyID, "AWS_SECRET_ACCESS_KEY": S3Server.secretKey])
        }
    }
}

/// Commands on repositories of storage services, also while the service fails.
@Suite(.enabled(if: PythonTools.isWanted("rclone"), "run .ci/install-python-tools"))
struct CloudRepositoryTests {
    static let services = ["S3 (rclone)", "S3 (moto)", "Azure"]

    @Test(arguments: services) func everyCommandWorksThere(_ service: String) async throws {
        var world = try World()
        let repository = try await CloudRepository.make(service)
        world.environment.merge(repository.environment) { $1 }
        let at = ["--repository", repository.direct]
        let bytes = SeededBytes.rnd(11, 3_000_000)
        try Files.write(bytes, world.path("in"))

        let missing = await world.run(["repository", "status"] + at)
        #expect(missing.code == 5)
        #expect(missing.errors.contains("there is no kopia repository in "))
        #expect(await world.run(["repository", "create"] + at).code == 0)
        let again = await world.run(["repository", "create"] + at)
        #expect(again.code == 5 && again.errors.contains("already holds a kopia repository"))
        #expect(await world.run(["repository", "status"] + at).code == 0)
        let pushed = await world.run(["location", "push", "-s", "a/b", "-"] + at, input: world.path("in"))
        try #require(pushed.code == 0, "\(pushed.errors)")
        let artifact = pushed.artifact
        let id = try KopiaSnapshotReference(parsing: artifact).id
        #expect(await world.run(["location", "pull", "-s", "b", "-k", artifact, "-"] + at).output == bytes)
        #expect(await world.run(["snapshot", "cat", id, "b"] + at).output == bytes)
        for arguments in [
            ["snapshot", "list"], ["snapshot", "show", id], ["snapshot", "verify", id], ["repository", "verify"],
            ["repository", "maintain"], ["snapshot", "expire", "--all"],
            ["snapshot", "restore", id, world.path("restored")],
        ] {
            let outcome = await world.run(arguments + at)
            #expect(outcome.code == 0, "\(arguments): \(outcome.errors)")
        }
        #expect(try Files.read(world.path("restored/b")) == bytes)
        for _ in 0..<2 { #expect(await world.run(["delete", "-k", artifact] + at).code == 0) }
        #expect(await world.run(["snapshot", "list", "--json"] + at).text == "[\n]")
    }

    @Test func aPrefixWithOtherThingsIsNotMadeARepository() async throws {
        var world = try World()
        let repository = try await CloudRepository.make("S3 (rclone)")
        world.environment.merge(repository.environment) { $1 }
        let bucket = String(repository.direct.dropFirst(5).prefix { $0 != "/" })
        let profile = ProfileText.make(
            type: "s3Compliant", bucket: bucket, endpoint: String(repository.direct.split(separator: "=").last ?? ""),
            prefix: "repo", credential: ProfileText.keyPair(S3Server.accessKeyID, S3Server.secretKey))
        try #require(await world.kando(["location", "push", "-p", profile, "-s", "letter.txt", "-"]).code == 0)
        let created = await world.run(["repository", "create", "--repository", repository.direct])
        #expect(created.code == 3)
        #expect(created.errors.contains("is not empty: it holds 'letter.txt'"))
    }

    struct Fault: Sendable, CustomTestStringConvertible {
        let service: String
        let name: String
        let script: [FaultProxy.Fault]
        let survives: Bool
        var testDescription: String { "\(service): \(name)" }
    }

    /// One fault a connection; connections are kept, so the first ones meet the opening, later ones the packs.
    static let faults: [Fault] = ["S3 (rclone)", "Azure"].flatMap { service in
        [
            Fault(
                service: service, name: "503 and 500, now and then",
                script: [.status(503), .none, .status(500), .status(503), .none, .status(503)], survives: true),
            Fault(
                service: service, name: "uploads cut in the middle",
                script: [
                    .cutRequest(afterBytes: 2_000_000), .cutRequest(afterBytes: 9_000_000),
                    .cutRequest(afterBytes: 4000),
                ],
                survives: true),
            Fault(
                service: service, name: "answers cut",
                script: [
                    .cutResponse(afterBytes: 5000), .cutResponse(afterBytes: 0), .cutResponse(afterBytes: 600),
                    .cutResponse(afterBytes: 30),
                ], survives: true),
            Fault(
                service: service, name: "a server that restarts",
                script: [.cutRequest(afterBytes: 3_000_000)]
                    + Array(repeating: .reset, count: 5), survives: true),
            Fault(
                service: service, name: "a server that goes away",
                script: [.cutRequest(afterBytes: 3_000_000)] + Array(repeating: .reset, count: 500), survives: false),
        ]
    }

    @Test(arguments: faults) func aBackupSucceedsOrLeavesNothing(_ fault: Fault) async throws {
        var world = try World()
        let repository = try await CloudRepository.make(fault.service)
        world.environment.merge(repository.environment) { $1 }
        let direct = ["--repository", repository.direct]
        try #require(await world.run(["repository", "create"] + direct).code == 0)
        // Two packs and what belongs to them.
        let bytes = SeededBytes.rnd(12, 30_000_000)
        try Files.write(bytes, world.path("in"))
        repository.proxy.setScript(fault.script)
        let pushed = await world.run(
            ["location", "push", "-s", "dump", "-", "--repository", repository.proxied], input: world.path("in"))
        repository.proxy.setScript([])

        // Whatever happened: the repository is sound, and every snapshot it lists is whole.
        let verified = await world.run(["repository", "verify"] + direct)
        #expect(verified.code == 0, "\(verified.errors)")
        let listed = await world.run(["snapshot", "list", "--json"] + direct)
        if fault.survives {
            try #require(pushed.code == 0, "\(pushed.errors)")
            let pulled = await world.run(["location", "pull", "-s", "dump", "-k", pushed.artifact, "-"] + direct)
            #expect(pulled.output == bytes)
            #expect(listed.text != "[\n]")
        } else {
            #expect(pushed.code == 5)
            #expect(!pushed.text.contains("###Phase-output###"))
            #expect(pushed.errors.hasPrefix("pod-runner: error: could not "))
            #expect(listed.text == "[\n]")
        }
    }
}
