import CloudTestSupport
import GoFormats
import KopiaBlob
import KopiaCloud
import ProcessIO
import TestSupport
import Testing

extension IntegrationTests {
    /// Backups of a real database into a repository on S3, on Azure and behind a repository server, while the way there, or
    /// the service itself, fails: each succeeds, or ends with the exit code of the table and without a snapshot. Afterwards
    /// the repository verifies and the next backup works.
    @Suite(.enabled(if: PythonTools.isWanted("moto_server"), "run .ci/install-python-tools"))
    struct StorageFault {
        typealias Fault = FaultProxy.Fault

        /// About two million bytes, in chunks of 16 KiB.
        static let rows = 16_000
        /// More than opening a repository sends, less than the first pack has.
        private static let midUpload = 400_000

        struct Case: Sendable, CustomTestStringConvertible {
            let place: RemoteRepository.Kind
            let name: String
            var script: [Fault] = []
            /// Of the double of a repository server.
            var server: [KopiaServerDouble.Fault] = []
            var options: [String] = []
            /// What is said when it fails; nil when it survives.
            var failure: (exit: Int32, words: String)?
            var testDescription: String { "\(place.rawValue): \(name)" }
        }

        static let cases: [Case] =
            [RemoteRepository.Kind.s3, .azure].flatMap { place in
                [
                    Case(
                        place: place, name: "503, 429 and 500 in a row",
                        script: [
                            .cutRequest(afterBytes: midUpload), .status(503), .status(429), .status(500), .status(503),
                        ]),
                    Case(
                        place: place, name: "uploads cut in the middle",
                        script: [.cutRequest(afterBytes: midUpload), .cutRequest(afterBytes: 900_000), .reset]),
                    Case(
                        place: place, name: "answers that end early",
                        script: [
                            .truncateResponse(afterBytes: 300), .truncateResponse(afterBytes: 700),
                            .cutResponse(afterBytes: 1200), .truncateResponse(afterBytes: 0),
                        ]),
                    Case(
                        place: place, name: "an upload that nobody takes, an answer that does not come",
                        script: [
                            .stallResponse(afterBytes: 0), .stallRequest(afterBytes: midUpload),
                            .stallResponse(afterBytes: 10),
                        ], options: ["--storage-timeout", "2s"]),
                    Case(
                        place: place, name: "a slow line",
                        script: Array(repeating: .slow(bytesPerSecond: 4_000_000), count: 100)),
                ]
            }
            + [
                Case(
                    place: .s3, name: "gone for good",
                    script: [.cutRequest(afterBytes: midUpload)] + Array(repeating: .reset, count: 500),
                    options: ["--deadline", "9s"], failure: (143, "the deadline of 9s is over: nothing was published")),
                Case(
                    place: .s3, name: "not there at all", script: Array(repeating: .reset, count: 500),
                    failure: (5, "could not ")),
                Case(
                    place: .server, name: "sessions cut in the middle, and refused for a while",
                    script: [.cutRequest(afterBytes: midUpload), .reset, .reset, .cutResponse(afterBytes: 4000)]),
                Case(
                    place: .server, name: "a session that stands still",
                    script: [.stallRequest(afterBytes: midUpload), .stallResponse(afterBytes: 5000)],
                    options: ["--storage-timeout", "2s"]),
                Case(
                    place: .server, name: "a slow line",
                    script: Array(repeating: .slow(bytesPerSecond: 4_000_000), count: 100)),
                Case(
                    place: .server, name: "the server's storage answers 503 and 429",
                    server: [
                        .init("write", 20, "status", code: 14), .init("write", 60, "status", code: 14),
                        .init("flush", 0, "status", code: 13),
                    ]),
                Case(
                    place: .server, name: "a stream that ends without a status",
                    server: [.init("flush", 0, "nostatus")],
                    options: ["--storage-timeout", "4s"]),
                Case(
                    place: .server, name: "a write that is refused", server: [.init("write", 30, "error", code: 0)],
                    failure: (5, "could not write content")),
                Case(
                    place: .server, name: "gone for good",
                    script: [.cutRequest(afterBytes: midUpload)] + Array(repeating: .reset, count: 5000),
                    options: ["--deadline", "9s"], failure: (143, "the deadline of 9s is over: nothing was published")),
            ]

        @Test(arguments: cases) func aBackupSucceedsOrLeavesNothing(_ test: Case) async throws {
            let pair = try PostgresPair.running()
            try await Self.makeDatabase(pair)
            let remote = try await RemoteRepository.make(test.place)
            let runner = remote.runner(pair, database: Self.database + "db")
            try await remote.create()
            remote.proxy.setScript(test.script)
            try remote.server?.add(test.server)

            let outcome = try await runner.run(remote.backup(remote.proxied, test.options))
            remote.proxy.setScript([])
            #expect(try remote.server.map { try $0.state().faultsLeft } ?? 0 == 0)
            let isHarmful = test.script.contains { if case .slow = $0 { false } else { true } }
            #expect(remote.proxy.connections > 0 && (remote.proxy.harmed > 0) == isHarmful)

            let verified = try await runner.run(["repository", "verify"] + remote.direct)
            #expect(verified.exit == .exited(0), "\(verified.testDescription)")
            if let failure = test.failure {
                #expect(outcome.exit == .exited(failure.exit), "\(outcome.testDescription)")
                #expect(outcome.errors.contains(failure.words), "\(outcome.errors)")
                #expect(!outcome.output.contains("###Phase-output###"))
                #expect(try await remote.snapshotCount(runner) == 0)
            } else {
                #expect(outcome.exit == .exited(0), "\(outcome.testDescription)")
                #expect(outcome.output.contains("###Phase-output###"))
                #expect(try await remote.snapshotCount(runner) == 1)
            }
            let next = try await runner.run(remote.backup(remote.direct))
            #expect(next.exit == .exited(0), "\(next.testDescription)")
            #expect(try await remote.snapshotCount(runner) == (test.failure == nil ? 2 : 1))
        }

        /// Nobody can delete what was promised; where somebody hides a pack that the new snapshot shares with an older one,
        /// nothing is promised and no snapshot is left.
        @Test(arguments: [RemoteRepository.Kind.s3, .azure])
        func aPromiseOfImmutabilityIsKeptOrBroken(_ kind: RemoteRepository.Kind) async throws {
            let pair = try PostgresPair.running()
            try await Self.makeDatabase(pair)
            let remote = try await RemoteRepository.make(kind, hasObjectLock: true)
            let runner = remote.runner(pair, database: Self.database + "db")
            try await remote.create([
                "--retention-mode", kind == .s3 ? "COMPLIANCE" : "Locked", "--retention-period", "60d",
            ])
            let promising = remote.backup(
                remote.direct, ["--require-immutable-for", "30d", "--immutability-output", "lock"])
            let kept = try await runner.succeed(promising)
            let lines = kept.split(separator: "\n").map(String.init)
            #expect(lines.count == 2 && lines.allSatisfy { $0.hasPrefix("###Phase-output###: ") }, "\(kept)")
            let promise = try JSONParser.parse(String(try #require(lines.first).dropFirst(20)))
            #expect(promise["key"]?.stringValue == "lock")
            #expect(try JSONParser.parse(promise["value"]?.stringValue ?? "")["holds"] == true)
            try await runner.succeed(["immutability", "verify", "--all", "--min", "59d"] + remote.direct)

            // Too long a promise is refused before anything is dumped.
            let tooLong = try await runner.run(remote.backup(remote.direct, ["--require-immutable-for", "61d"]))
            #expect(tooLong.exit == .exited(6), "\(tooLong.testDescription)")

            // An attacker hides the pack with the rows: the locked version stays, and nobody finds it.
            let storage = try remote.storage()
            let pack = try #require(try await storage.list(prefix: "p").max { $0.length < $1.length }).id
            try await storage.delete(pack)
            let broken = try await runner.run(promising)
            #expect(broken.exit == .exited(6), "\(broken.testDescription)")
            #expect(broken.errors.contains("data pack \(pack) is hidden"), "\(broken.errors)")
            #expect(!broken.output.contains("###Phase-output###"))
            #expect(try await remote.snapshotCount(runner) == 1)

            // Brought back, and promised again.
            let version = try #require(try await storage.versions(prefix: pack.description).first { $0.length > 0 })
            try await storage.put(
                pack, try await storage.get(pack, version: version.version, range: nil),
                retention: BlobRetention(mode: kind == .s3 ? .compliance : .locked, periodSeconds: 60 * 86_400))
            try await runner.succeed(promising)
            try await runner.succeed(["repository", "verify"] + remote.direct)
            #expect(try await remote.snapshotCount(runner) == 2)
        }

        static let database = "remote"

        /// Once for all cases.
        static func makeDatabase(_ pair: PostgresPair) async throws {
            let known = try await pair.sql("SELECT 1 FROM pg_database WHERE datname = '\(database)db'")
            if known.trimmed.isEmpty { try await pair.makeApplication(database, password: "secret", rows: rows) }
        }
    }
}

/// A repository at a service, reached directly and through a proxy that harms connections.
struct RemoteRepository: Sendable {
    enum Kind: String, Sendable, CaseIterable { case s3 = "S3", azure = "Azure", server = "kopia server" }

    let kind: Kind
    /// Arguments that name it.
    let direct: [String]
    let proxied: [String]
    let proxy: FaultProxy
    let server: KopiaServerDouble?
    let environment: [String: String]
    /// Of the service.
    let bucket: String

    static func make(_ kind: Kind, hasObjectLock: Bool = false) async throws -> RemoteRepository {
        func made(
            _ port: Int, _ bucket: String, server: KopiaServerDouble? = nil, _ environment: [String: String],
            url: (Int) -> String, more: [String] = []
        ) throws -> RemoteRepository {
            let proxy = try FaultProxy(to: port)
            return RemoteRepository(
                kind: kind, direct: ["--repository", url(port)] + more,
                proxied: ["--repository", url(proxy.port)] + more,
                proxy: proxy, server: server, environment: environment, bucket: bucket)
        }
        switch kind {
        case .s3:
            let server = try S3Server.moto.get()
            let bucket = try await server.makeBucket(hasObjectLock: hasObjectLock)
            return try made(
                server.port, bucket,
                [
                    "AWS_ACCESS_KEY_ID": S3Server.accessKeyID, "AWS_SECRET_ACCESS_KEY": S3Server.secretKey,
                    "KOPIA_PASSWORD": "pass",
                ], url: { "s3://\(bucket)/repo?endpoint=http://127.0.0.1:\($0)" })
        case .azure:
            let double = try AzureDouble.withVersions.get()
            let container = try await double.makeContainer()
            let account = AzureDouble.account
            return try made(
                double.port, container, ["AZURE_STORAGE_KEY": AzureDouble.key, "KOPIA_PASSWORD": "pass"],
                url: { "azblob://\(container)/repo?account=\(account)&endpoint=http://127.0.0.1:\($0)/\(account)" })
        case .server:
            let double = try shared.get()
            try double.reset()
            let fingerprint = try double.fingerprint()
            return try made(
                double.port, "", server: double, ["KOPIA_PASSWORD": "client-password"],
                url: { "kopia+https://127.0.0.1:\($0)?fingerprint=\(fingerprint)" },
                more: ["--identity", "runner@client"])
        }
    }

    private static let shared = Result { try KopiaServerDouble() }

    func runner(_ pair: PostgresPair, database: String) -> Program {
        Program.podRunner.with(environment).with(pair.adminEnvironment(host: pair.standby, database: database))
    }

    func create(_ options: [String] = []) async throws {
        guard kind != .server else { return }
        try await Program.podRunner.with(environment).succeed(["repository", "create"] + direct + options)
    }

    func backup(_ place: [String], _ options: [String] = []) -> [String] {
        ["backup", "--path", "backup.sql", "--compression", "none", "--retries", "0"] + place + options
    }

    /// The blobs themselves, as somebody with the service's credentials sees them.
    func storage() throws -> any LockingBlobStorage {
        kind == .s3
            ? try S3Server.moto.get().storage(bucket: bucket, prefix: "repo/")
            : try AzureDouble.withVersions.get().storage(container: bucket, prefix: "repo/")
    }

    func snapshotCount(_ runner: Program) async throws -> Int {
        let listed = try await runner.succeed(["snapshot", "list", "--json"] + direct)
        return try JSONParser.parse(listed).arrayValue?.count ?? -1
    }
}
