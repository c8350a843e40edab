import GoFormats
import KopiaRepository
import TestSupport
import Testing

@Suite(.enabled(if: Kopia.isWanted, "set KOPIA_EXE to a kopia program"))
struct WeReadKopiasTests {
    private static let password = "secret"
    private static let dump = SeededBytes.dump(11, 150_000)

    /// The same stream must give the same objects, and each side must find the other's contents.
    @Test(arguments: ["DYNAMIC-4M-BUZHASH", "DYNAMIC-1M-RABINKARP", "FIXED-2M"])
    func theSameStreamIsTheSameObject(splitter: String) async throws {
        let folder = try TemporaryDirectory()
        let repositoryFolder = folder.path + "/repository"
        try Files.makeFolder(repositoryFolder)
        let kopia = try await Kopia.connect(
            to: repositoryFolder, in: folder.path, password: Self.password,
            creating: ["--object-splitter=\(splitter)"])
        try await kopia.run(["policy", "set", "/pg/app", "--compression=zstd"])
        try await kopia.run(
            ["snapshot", "create", "--stdin-file", "dump.sql", "/pg/app", "--no-auto-maintenance"], input: Self.dump)
        try await Repository.with(
            at: .filesystem(path: repositoryFolder), password: RepositoryPassword(Self.password), access: .readWrite,
            identity: GoldenRepository.identity
        ) { repository in
            let theirs = try #require(try await repository.snapshots().first)
            let entry = try await repository.entry(at: "dump.sql", in: theirs)
            #expect(try await repository.openFile(entry).readAll(limit: 64 << 20) == Self.dump)
            let ours = try await repository.writeSnapshot(of: theirs.source) { writer in
                try await writer.addFile("dump.sql", modified: entry.modified, bytes: Self.dump)
            }
            #expect(ours.snapshot.root.object == theirs.root.object)
            #expect(ours.snapshot.root.name == theirs.root.name)
            #expect(ours.snapshot.root.modified == theirs.root.modified)
            #expect(ours.uploadedBytes < 20_000)
        }
        try await kopia.run(
            ["snapshot", "create", "--stdin-file", "dump.sql", "/pg/app", "--no-auto-maintenance"],
            input: Self.dump + Array("one more line\n".utf8))
        try await kopia.verifyEverything()
        #expect(try await kopia.json(["snapshot", "list", "--all"]).arrayValue?.count == 3)
        // The policy that kopia wrote is still there, once.
        let policies = try await kopia.json(["policy", "list"]).arrayValue ?? []
        let own = policies.filter { $0["target"]?["path"]?.stringValue == "/pg/app" }
        #expect(own.count == 1)
    }

    @Test func aCompressionPolicyOfKopiaIsHonoured() async throws {
        let folder = try TemporaryDirectory()
        let repositoryFolder = folder.path + "/repository"
        try Files.makeFolder(repositoryFolder)
        let kopia = try await Kopia.connect(
            to: repositoryFolder, in: folder.path, password: Self.password, creating: [])
        try await kopia.run(["policy", "set", "/pg/app", "--compression=zstd", "--add-never-compress=.raw"])
        let uploaded = try await Repository.with(
            at: .filesystem(path: repositoryFolder), password: RepositoryPassword(Self.password), access: .readWrite,
            identity: GoldenRepository.identity
        ) { repository in
            var uploaded: [Int64] = []
            for name in ["dump.sql", "dump.raw"] {
                let written = try await repository.writeSnapshot(
                    of: GoldenRepository.identity.source(path: "/pg/app")
                ) { writer in
                    try await writer.addFile(name, bytes: SeededBytes.dump(name == "dump.sql" ? 1 : 2, 20_000))
                }
                uploaded.append(written.uploadedBytes)
            }
            return uploaded
        }
        #expect(uploaded[0] < 1_000_000)
        #expect(uploaded[1] > 1_800_000)
        try await kopia.verifyEverything()
    }
}
