import CloudTestSupport
import GoFormats
import KopiaRepository
import TestSupport
import Testing

/// One S3 bucket that a real kopia and we work in. moto keeps versions and object locks; rclone checks every signature.
@Suite(
    .enabled("set KOPIA_EXE to a kopia program that knows 'repository create s3'") { await Kopia.knowsS3() },
    .enabled(if: PythonTools.isWanted("moto_server"), "run .ci/install-python-tools"), .serialized,
    .timeLimit(.minutes(10)))
struct SharedBucketTests {
    enum Maker: String, CaseIterable, Sendable { case kopia, ours }

    enum Service: String, CaseIterable, Sendable {
        case moto, rclone

        func server() throws -> S3Server { try self == .moto ? S3Server.moto.get() : S3Server.rclone.get() }
    }

    private static let password = "shared bucket"
    private static let dump = SeededBytes.dump(4, 60_000)
    private static let random = SeededBytes.rnd(9, 9_000_000)

    /// A bucket with a repository in it.
    private struct Place {
        let port: Int
        let bucket: String
        let folder: String

        func location() throws -> RepositoryLocation {
            try RepositoryLocation(
                url: "s3://\(bucket)/team/db?endpoint=http://127.0.0.1:\(port)&region=us-east-1",
                environment: [
                    "AWS_ACCESS_KEY_ID": S3Server.accessKeyID, "AWS_SECRET_ACCESS_KEY": S3Server.secretKey,
                    "no_proxy": "127.0.0.1",
                ])
        }

        /// - Parameter name: of a folder for its configuration and cache, so that no cache hides what is not there.
        func kopia(_ name: String, creating options: [String]? = nil) async throws -> Kopia {
            let home = "\(folder)/\(name)"
            try Files.makeFolder(home)
            return try await Kopia.connect(
                toBucket: bucket, prefix: "team/db/", port: port, in: home, password: SharedBucketTests.password,
                creating: options)
        }

        func open<Result: Sendable>(
            _ access: RepositoryAccess = .readWrite, _ body: (Repository) async throws -> Result
        ) async throws -> Result {
            try await Repository.with(
                at: try location(), password: RepositoryPassword(SharedBucketTests.password), access: access,
                identity: GoldenRepository.identity, body)
        }

        func push(_ path: String, _ bytes: [UInt8], splitter: Splitter? = nil) async throws -> Snapshot {
            try await open { repository in
                var options = SnapshotOptions()
                options.compression = "zstd-fastest"
                options.splitter = splitter
                return try await repository.writeSnapshot(
                    of: GoldenRepository.identity.source(path: path), options: options
                ) { try await $0.addFile("dump.sql", bytes: bytes) }.snapshot
            }
        }

        func pull(_ id: String) async throws -> [UInt8] {
            try await open(.readOnly) { repository in
                let snapshot = try await repository.snapshot(named: id)
                return try await repository.openFile(try await repository.entry(at: "dump.sql", in: snapshot))
                    .readAll(limit: 64 << 20)
            }
        }
    }

    private func makePlace(
        _ service: Service, in folder: borrowing TemporaryDirectory, hasObjectLock: Bool = false
    ) async throws -> Place {
        let server = try service.server()
        return Place(
            port: server.port, bucket: try await server.makeBucket(hasObjectLock: hasObjectLock), folder: folder.path)
    }

    private func snapshot(_ kopia: Kopia, _ path: String, _ bytes: [UInt8]) async throws -> String {
        let made = try JSONParser.parse(
            try await kopia.run(
                ["snapshot", "create", "--stdin-file", "dump.sql", path, "--json", "--no-auto-maintenance"],
                input: bytes))
        return try #require(made["id"]?.stringValue)
    }

    @Test(arguments: Service.allCases, Maker.allCases)
    func bothWriteAndBothRestore(_ service: Service, _ maker: Maker) async throws {
        let folder = try TemporaryDirectory()
        let place = try await makePlace(service, in: folder)
        let kopia: Kopia
        if maker == .kopia {
            kopia = try await place.kopia("first", creating: [])
        } else {
            try await Repository.create(
                at: try place.location(), password: RepositoryPassword(Self.password),
                identity: GoldenRepository.identity)
            kopia = try await place.kopia("first")
        }
        var written: [(id: String, bytes: [UInt8])] = []
        var first: Snapshot?
        // In turns, so that each finds what the other has written.
        for round in 0..<2 {
            let bytes = Self.dump + Self.random + [UInt8(round)]
            let ours = try await place.push("/ours", bytes, splitter: .dynamic(averageLength: 64 << 10))
            first = first ?? ours
            written.append((ours.id.description, bytes))
            written.append((try await snapshot(kopia, "/theirs", bytes + [7]), bytes + [7]))
        }
        written.append((try await place.push("/empty", []).id.description, []))
        let fresh = try await place.kopia("second")
        try await fresh.verifyEverything()
        for (index, (id, bytes)) in written.enumerated() {
            let target = "\(fresh.folder)/out\(index)"
            try await fresh.run(["snapshot", "restore", id, target])
            #expect(try Files.read("\(target)/dump.sql") == bytes)
            #expect(try await place.pull(id) == bytes)
        }
        let report = try await place.open(.readOnly) { try await $0.verify() }
        #expect(report.problems == [])
        // After either's maintenance the other finds everything.
        try await kopia.run(["maintenance", "run", "--full", "--safety=none"])
        for (id, bytes) in written { #expect(try await place.pull(id) == bytes) }
        let deleted = try #require(first).id
        #expect(try await place.open { try await $0.deleteSnapshot(deleted) })
        let last = try await place.kopia("third")
        try await last.verifyEverything()
        let listed = try await last.json(["snapshot", "list", "--all"]).arrayValue ?? []
        #expect(Set(listed.compactMap { $0["id"]?.stringValue }) == Set(written.dropFirst().map(\.id)))
    }

    /// What the repository's owner wants locked is locked by whoever writes it, and stays readable for both.
    @Test(arguments: Maker.allCases) func blobsOfBothAreLocked(_ maker: Maker) async throws {
        let folder = try TemporaryDirectory()
        let place = try await makePlace(.moto, in: folder, hasObjectLock: true)
        let kopia: Kopia
        if maker == .kopia {
            kopia = try await place.kopia(
                "first", creating: ["--retention-mode=GOVERNANCE", "--retention-period=72h"])
        } else {
            var options = Repository.CreateOptions()
            options.retention = try RetentionSetting(mode: "GOVERNANCE", periodSeconds: 72 * 3600)
            try await Repository.create(
                at: try place.location(), password: RepositoryPassword(Self.password), options: options,
                identity: GoldenRepository.identity)
            kopia = try await place.kopia("first")
        }
        let ours = try await place.push("/ours", Self.random)
        let theirs = try await snapshot(kopia, "/theirs", Self.dump)
        for id in [ours.id.description, theirs] {
            let report = try await Repository.immutability(
                at: try place.location(), password: RepositoryPassword(Self.password),
                identity: GoldenRepository.identity, ofSnapshotsNamed: [id], required: .seconds(71 * 3600))
            #expect(report.holds, "\(id): \(report.weak) \(report.unreadable)")
            #expect(report.blobCount > 0)
        }
        let fresh = try await place.kopia("second")
        try await fresh.verifyEverything()
        #expect(try await place.pull(theirs) == Self.dump)
        try await fresh.run(["snapshot", "restore", ours.id.description, "\(fresh.folder)/out"])
        #expect(try Files.read("\(fresh.folder)/out/dump.sql") == Self.random)
    }
}
