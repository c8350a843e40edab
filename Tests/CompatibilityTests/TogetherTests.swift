import GoFormats
import KopiaRepository
import TestSupport
import Testing

/// kopia at work in the same repository at the same time.
@Suite(.enabled(if: Kopia.isWanted, "set KOPIA_EXE to a kopia program"))
struct TogetherTests {
    private static let password = "together"

    private func withRepository(
        _ body: (_ folder: String, _ location: RepositoryLocation, _ kopia: Kopia) async throws -> Void
    ) async throws {
        let folder = try TemporaryDirectory()
        let path = folder.path + "/repository"
        let location = RepositoryLocation.filesystem(path: path)
        try await Repository.create(
            at: location, password: RepositoryPassword(Self.password), identity: GoldenRepository.identity)
        let kopia = try await Kopia.connect(to: path, in: folder.path, password: Self.password)
        try await body(folder.path, location, kopia)
    }

    private func open<Result: Sendable>(
        _ location: RepositoryLocation, _ body: (Repository) async throws -> Result
    ) async throws -> Result {
        try await Repository.with(
            at: location, password: RepositoryPassword(Self.password), access: .readWrite,
            identity: GoldenRepository.identity, body)
    }

    /// All three write what the others write, too: each content several times, at the same time.
    @Test func twoOfOursAndKopiaWriteAtOnce() async throws {
        try await withRepository { _, location, kopia in
            let rounds = 4
            func content(_ writer: Int, _ round: Int) -> [UInt8] {
                SeededBytes.dump(1, 10_000) + SeededBytes.rnd(UInt64(writer * 100 + round), 200_000)
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<2 {
                    group.addTask {
                        try await open(location) { repository in
                            for round in 0..<rounds {
                                var options = SnapshotOptions()
                                options.splitter = .dynamic(averageLength: 64 << 10)
                                try await repository.writeSnapshot(
                                    of: GoldenRepository.identity.source(path: "/ours/\(writer)"), options: options
                                ) { try await $0.addFile("dump.sql", bytes: content(writer, round)) }
                            }
                        }
                    }
                }
                group.addTask {
                    for round in 0..<rounds {
                        try await kopia.run(
                            [
                                "snapshot", "create", "--stdin-file", "dump.sql", "/theirs", "--no-auto-maintenance",
                            ], input: content(7, round))
                    }
                }
                try await group.waitForAll()
            }
            try await kopia.verifyEverything()
            let listed = try await kopia.json(["snapshot", "list", "--all"]).arrayValue ?? []
            #expect(listed.count == 3 * rounds)
            try await kopia.run(["maintenance", "run", "--full", "--safety=none"])
            try await kopia.verifyEverything()
            try await open(location) { repository in
                #expect(try await repository.verify().problems.filter { $0.severity == .damage } == [])
                for snapshot in try await repository.snapshots() {
                    let writer = snapshot.source.path == "/theirs" ? 7 : snapshot.source.path.hasSuffix("0") ? 0 : 1
                    let bytes = try await repository.openFile(
                        try await repository.entry(at: "dump.sql", in: snapshot)
                    ).readAll(limit: 16 << 20)
                    #expect((0..<rounds).contains { content(writer, $0) == bytes })
                }
            }
        }
    }

    /// Garbage collection without any safety while a stream is under way: what the checkpoints hold survives it.
    @Test func checkpointsProtectAStreamAgainstKopiasGarbageCollection() async throws {
        try await withRepository { _, location, kopia in
            let bytes = SeededBytes.rnd(5, 3_000_000)
            var options = SnapshotOptions()
            options.splitter = .dynamic(averageLength: 64 << 10)
            options.checkpointInterval = .zero
            let runs = 3
            let written = try await open(location) { repository in
                var position = 0
                return try await repository.writeSnapshot(
                    of: GoldenRepository.identity.source(path: "/ours"), options: options
                ) { writer in
                    try await writer.addFile("dump.sql") {
                        if position > 0, position % 750_000 == 0, position / 750_000 <= runs {
                            try await kopia.run(["maintenance", "run", "--full", "--safety=none"])
                        }
                        guard position < bytes.count else { return nil }
                        defer { position += 250_000 }
                        return Array(bytes[position..<min(bytes.count, position + 250_000)])
                    }
                }
            }
            try await kopia.verifyEverything()
            try await open(location) { repository in
                #expect(try await repository.verify().problems.filter { $0.severity == .damage } == [])
                #expect(try await repository.snapshots(includeIncomplete: true).map(\.id) == [written.snapshot.id])
                let entry = try await repository.entry(at: "dump.sql", in: written.snapshot)
                #expect(try await repository.openFile(entry).readAll(limit: 8 << 20) == bytes)
            }
        }
    }

    /// Without checkpoints the same removes what was stored: then nothing may be published.
    @Test func whatIsGoneStopsThePublication() async throws {
        try await withRepository { _, location, kopia in
            let error = await #expect(throws: RepositoryError.self) {
                try await open(location) { repository in
                    try await repository.writeSnapshot(of: GoldenRepository.identity.source(path: "/ours")) { writer in
                        try await writer.addFile("first", bytes: SeededBytes.rnd(6, 100_000))
                        // Another snapshot's end publishes the contents of this one, too, which nothing refers to yet.
                        let other = try await repository.writeSnapshot(
                            of: GoldenRepository.identity.source(path: "/other")
                        ) { try await $0.addFile("x", bytes: [1]) }
                        try await repository.deleteSnapshot(other.snapshot.id)
                        // The first run marks, the second forgets what was marked before: by times in whole seconds.
                        for _ in 0..<2 {
                            try await kopia.run(["maintenance", "run", "--full", "--safety=none"])
                            try await Task.sleep(for: .milliseconds(1100))
                        }
                    }
                }
            }
            #expect(error?.code == .notCommitted)
            try await kopia.verifyEverything()
            let (snapshots, report) = try await open(location) { repository in
                (try await repository.snapshots(includeIncomplete: true), try await repository.verify())
            }
            #expect(snapshots == [])
            #expect(report.problems.filter { $0.severity == .damage } == [])
        }
    }
}
