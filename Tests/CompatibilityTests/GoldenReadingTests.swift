import GoFormats
import KopiaRepository
import TestSupport
import Testing

struct GoldenReadingTests {
    @Test(arguments: GoldenRepository.sound)
    func everyFileOfEverySnapshotReadsBack(_ golden: GoldenRepository) async throws {
        try await golden.open { repository in
            let snapshots = try await repository.snapshots(includeIncomplete: true)
            #expect(Set(snapshots.map(\.id.description)) == Set(golden.snapshots.map(\.id)))
            for expected in golden.snapshots {
                let snapshot = try await repository.snapshot(named: expected.id)
                #expect(snapshot.root.object.description == expected.root)
                #expect((snapshot.incompleteReason != nil) == expected.isIncomplete)
                try await check(expected, snapshot, in: repository)
            }
        }
    }

    private func check(
        _ expected: GoldenRepository.Snapshot, _ snapshot: Snapshot, in repository: Repository
    ) async throws {
        let entries = try await repository.entries(of: snapshot.root, recursive: true)
        #expect(entries.map(\.path) == expected.entries.map(\.path))
        for (entry, wanted) in zip(entries, expected.entries) {
            #expect(entry.entry.object.description == wanted.object, "\(wanted.path)")
            #expect(entry.entry.kind.rawValue == wanted.kind, "\(wanted.path)")
            #expect(entry.entry.mode.text == wanted.mode, "\(wanted.path)")
            guard let sha256 = wanted.sha256 else { continue }
            #expect(entry.entry.size == wanted.size, "\(wanted.path)")
            var bytes: [UInt8] = []
            try await repository.openFile(entry.entry).forEachChunk { bytes += $0 }
            #expect(SHA256.hex(bytes) == sha256, "\(wanted.path)")
        }
    }

    @Test func allRepositoriesAreThere() {
        #expect(GoldenRepository.all.count == 49)
        #expect(GoldenRepository.sound.count == 38)
    }
}
