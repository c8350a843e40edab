import GoFormats
import KopiaRepository
import TestSupport
import Testing

/// After our recovery of lost indexes the real kopia finds everything.
@Suite(.enabled(if: Kopia.isWanted, "set KOPIA_EXE to a kopia program"))
struct IndexRecoveryTests {
    private func recover(_ path: String, _ password: RepositoryPassword) async throws -> IndexRecovery {
        var options = IndexRecoveryOptions()
        options.commits = true
        options.deletesDamagedIndexes = true
        return try await Repository.recoverIndexes(
            at: .filesystem(path: path), password: password, identity: GoldenRepository.identity, options: options)
    }

    @Test(arguments: ["corrupt-index-missing", "corrupt-index-flipped"])
    func kopiaUsesADamagedRepositoryAgain(name: String) async throws {
        let golden = try GoldenRepository.named(name)
        let folder = try TemporaryDirectory()
        let path = folder.path + "/repository"
        try Files.copyTree(GoldenRepository.folder + name, to: path)
        _ = try await recover(path, golden.password)
        let kopia = try await Kopia.connect(
            to: path, in: folder.path, password: golden.facts["password"]?.stringValue ?? "")
        try await kopia.verifyEverything()
        let listed = try await kopia.json(["snapshot", "list", "--all"]).arrayValue ?? []
        #expect(listed.map { $0["id"]?.stringValue } == golden.snapshots.map(\.id))
    }

    /// Every index blob gone: what the packs say is all there was. Format 1 keeps other indexes than 2 and 3.
    @Test(arguments: [1, 2, 3])
    func packsAloneBringEverythingBack(formatVersion: Int) async throws {
        let folder = try TemporaryDirectory()
        let path = folder.path + "/repository"
        let location = RepositoryLocation.filesystem(path: path)
        let password = RepositoryPassword("secret")
        var options = Repository.CreateOptions()
        options.formatVersion = formatVersion
        try await Repository.create(
            at: location, password: password, options: options, identity: GoldenRepository.identity)
        var expected: [String] = []
        for day in 0..<3 {
            expected.append(
                try await Repository.with(
                    at: location, password: password, access: .readWrite, identity: GoldenRepository.identity
                ) { repository in
                    try await repository.writeSnapshot(of: GoldenRepository.identity.source(path: "/app")) { writer in
                        try await writer.addFile("dump", bytes: SeededBytes.rnd(UInt64(day), 300_000))
                    }
                }.snapshot.id.description)
        }
        for name in Files.names(path) where name == "x" || name == "n" { Files.removeTree("\(path)/\(name)") }
        let recovery = try await recover(path, password)
        #expect(recovery.unreadable.isEmpty)
        let kopia = try await Kopia.connect(to: path, in: folder.path, password: "secret")
        try await kopia.verifyEverything()
        let listed = try await kopia.json(["snapshot", "list", "--all"]).arrayValue ?? []
        #expect(listed.map { $0["id"]?.stringValue } == expected)
        try await kopia.run(["maintenance", "run", "--full"])
        try await kopia.verifyEverything()
    }
}
