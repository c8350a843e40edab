import GoFormats
import KopiaBlob
import KopiaContent
import KopiaFormat
import KopiaManifest
import KopiaRepository
import KopiaSnapshot
import TestSupport
import Testing

@Suite(.enabled(if: Kopia.isWanted, "set KOPIA_EXE to a kopia program"))
struct RetentionAgainstKopiaTests {
    /// 150 snapshots over 900 days, one in ten incomplete, under three policies: the reasons must be kopia's.
    @Test(arguments: [
        [], ["--keep-latest=3", "--keep-hourly=0", "--keep-weekly=8", "--keep-monthly=5"],
        [
            "--keep-latest=0", "--keep-hourly=0", "--keep-daily=0", "--keep-weekly=0", "--keep-monthly=0",
            "--keep-annual=0",
        ],
    ])
    func theReasonsAreKopias(policy: [String]) async throws {
        let folder = try TemporaryDirectory()
        let repositoryFolder = folder.path + "/repository"
        try Files.makeFolder(repositoryFolder)
        let kopia = try await Kopia.connect(to: repositoryFolder, in: folder.path, password: "secret", creating: [])
        if !policy.isEmpty { try await kopia.run(["policy", "set", "--global"] + policy) }
        try await addSnapshots(to: repositoryFolder)
        let listed = try #require(
            try await kopia.json(["snapshot", "list", "--all", "--incomplete", "--show-identical"]).arrayValue)
        #expect(listed.count == 150)
        let expected = Dictionary(
            uniqueKeysWithValues: listed.map { item in
                (
                    item["id"]?.stringValue ?? "",
                    (item["retentionReason"]?.arrayValue ?? []).compactMap(\.stringValue)
                )
            })
        try await Repository.with(
            at: .filesystem(path: repositoryFolder), password: RepositoryPassword("secret"),
            identity: GoldenRepository.identity
        ) { repository in
            let snapshots = try await repository.snapshots(includeIncomplete: true)
            let reasons = try await repository.retentionReasons(for: snapshots)
            for (snapshot, ours) in zip(snapshots, reasons) {
                #expect(ours == expected[snapshot.id.description], "\(snapshot.startTime)")
            }
        }
    }

    private func addSnapshots(to path: String) async throws {
        let storage = try await FilesystemBlobStorage.open(path: path)
        let format = try await RepositoryFormat.open(storage, password: Password("secret"))
        let contents = try await LocalContentStore.open(storage, format: format)
        let manifests = ContentManifestStore(contents: contents)
        let directory = try Directory(of: [], modified: Timestamp(seconds: 0))
        let root = DirectoryEntry(
            name: "x", kind: .directory, mode: .everything,
            object: try await directory.write(to: contents, compression: 0), summary: directory.summary)
        let source = GoldenRepository.identity.source(path: "/x")
        var word: UInt64 = 7
        for number in 0..<150 {
            word = word &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let time = Timestamp(seconds: 1_700_000_000 + Int64(word >> 33) % (900 * 86_400))
            var draft = SnapshotDraft(source: source, startTime: time, endTime: time, root: root)
            if number % 10 == 3 { draft.incompleteReason = "checkpoint" }
            _ = try await SnapshotStore(manifests: manifests).put(draft)
        }
        try await manifests.flush()
        await contents.close()
    }
}
