import GoFormats
import KopiaRepository
import TestSupport
import Testing

/// Through a real `kopia server`: what we push, kopia restores, and the reverse.
@Suite(.enabled(if: Kopia.isWanted, "set KOPIA_EXE to a kopia program"), .serialized, .timeLimit(.minutes(10)))
struct ServerTests {
    private func withServer(_ body: (RealServer) async throws -> Void) async throws {
        let folder = try TemporaryDirectory()
        let server = try await RealServer.start(in: folder.path)
        try await body(server)
        await server.kill()
    }

    private static let dump = SeededBytes.dump(3, 150_000)
    private static let random = SeededBytes.rnd(8, 12_000_000)

    @concurrent
    private func push(
        _ server: RealServer, _ path: String, _ bytes: [UInt8], splitter: Splitter? = nil,
        identity: RepositoryIdentity = RealServer.identity,
        before: @escaping @Sendable (_ offset: Int) async throws -> Void = { _ in }
    ) async throws -> WrittenSnapshot {
        try await Repository.with(
            at: try await server.location(), password: RepositoryPassword(RealServer.userPassword), access: .readWrite,
            identity: identity
        ) { repository in
            var options = SnapshotOptions()
            options.compression = "zstd-fastest"
            options.splitter = splitter
            return try await repository.writeSnapshot(of: identity.source(path: path), options: options) { writer in
                var offset = 0
                try await writer.addFile("dump.sql") {
                    try await before(offset)
                    guard offset < bytes.count else { return nil }
                    let end = min(bytes.count, offset + 200_000)
                    defer { offset = end }
                    return Array(bytes[offset..<end])
                }
            }
        }
    }

    private func pull(_ server: RealServer, _ id: String) async throws -> [UInt8] {
        try await Repository.with(
            at: try await server.location(), password: RepositoryPassword(RealServer.userPassword),
            identity: RealServer.identity
        ) { repository in
            let snapshot = try await repository.snapshot(named: id)
            return try await repository.openFile(try await repository.entry(at: "dump.sql", in: snapshot))
                .readAll(limit: 256 << 20)
        }
    }

    @Test func whatWePushKopiaRestores() async throws {
        try await withServer { server in
            let client = try await server.client()
            var written: [(WrittenSnapshot, [UInt8])] = []
            for (path, bytes) in [("/pg/dump", Self.dump), ("/pg/random", Self.random), ("/pg/empty", [])] {
                written.append((try await push(server, path, bytes), bytes))
            }
            // Small chunks, a table over them, and most of them there already.
            let small = try await push(
                server, "/pg/small", Self.dump + Self.random, splitter: .dynamic(averageLength: 16 << 10))
            let again = try await push(
                server, "/pg/small", Self.dump + [1] + Self.random, splitter: .dynamic(averageLength: 16 << 10))
            #expect(again.uploadedBytes * 5 < small.uploadedBytes)
            written += [(small, Self.dump + Self.random), (again, Self.dump + [1] + Self.random)]
            for kopia in [client, server.operatorKopia] {
                try await kopia.run(["snapshot", "verify", "--verify-files-percent=100"])
                for (index, (snapshot, bytes)) in written.enumerated() {
                    let target = "\(kopia.folder)/out\(index)"
                    try await kopia.run(["snapshot", "restore", snapshot.snapshot.id.description, target])
                    #expect(try Files.read("\(target)/dump.sql") == bytes)
                }
            }
            for (snapshot, bytes) in written {
                #expect(try await pull(server, snapshot.snapshot.id.description) == bytes)
            }
            // After the maintenance that a server's owner runs, everything is there still.
            try await server.operatorKopia.run(["maintenance", "run", "--full", "--safety=none"])
            try await server.operatorKopia.verifyEverything()
        }
    }

    @Test func whatKopiaPushesWePull() async throws {
        try await withServer { server in
            let client = try await server.client()
            for (path, bytes) in [("/pg/dump", Self.dump), ("/pg/random", Self.random), ("/pg/empty", [])] {
                let made = try JSONParser.parse(
                    try await client.run(
                        ["snapshot", "create", "--stdin-file", "dump.sql", path, "--json"], input: bytes))
                let id = try #require(made["id"]?.stringValue)
                #expect(try await pull(server, id) == bytes)
                // The same cuts, the same hashes: one object, which nobody stores twice.
                let ours = try await push(server, path, bytes)
                let theirs = try await server.open { try await $0.snapshot(named: id) }
                let entries = try await server.open { repository in
                    [
                        try await repository.entry(at: "dump.sql", in: theirs).object,
                        try await repository.entry(at: "dump.sql", in: ours.snapshot).object,
                    ]
                }
                #expect(entries[0] == entries[1])
                #expect(ours.uploadedBytes < 10_000)
            }
            let listed = try await server.open { try await $0.snapshots().count }
            #expect(listed == 6)
            let report = try await server.open { try await $0.verify() }
            #expect(report.problems == [])
        }
    }

    /// The key of pg_dump's restrict line must not change with the way to the repository: dumps would differ.
    @Test func keysAreTheSameAsWithoutTheServer() async throws {
        try await withServer { server in
            let through = try await server.open { try $0.derivedKey(for: "test") }
            let direct = try await Repository.with(
                at: .filesystem(path: "\(server.folder)/repository"),
                password: RepositoryPassword(RealServer.repositoryPassword), identity: RealServer.identity
            ) { try $0.derivedKey(for: "test") }
            #expect(try #require(through) == #require(direct))
        }
    }

    @Test func theServerIsKilledAndStartedAgainDuringAPush() async throws {
        try await withServer { server in
            let bytes = Self.random + Self.dump
            let written = try await push(server, "/pg/app", bytes) { offset in
                if offset == 6_000_000 { try await server.restart() }
                if offset == 10_000_000 { await server.kill() }
                if offset == 11_000_000 { try await server.restart() }
            }
            #expect(try await pull(server, written.snapshot.id.description) == bytes)
            let client = try await server.client()
            try await client.run(["snapshot", "verify", "--verify-files-percent=100"])
            #expect(try await client.json(["snapshot", "list", "--all"]).arrayValue?.count == 1)
        }
    }

    @Test func oursAndKopiasClientPushAtOnce() async throws {
        try await withServer { server in
            let client = try await server.client("other")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<2 {
                    group.addTask {
                        for round in 0..<3 {
                            let bytes = Self.dump + SeededBytes.rnd(UInt64(writer * 10 + round), 300_000)
                            let written = try await push(server, "/ours/\(writer)", bytes)
                            #expect(try await pull(server, written.snapshot.id.description) == bytes)
                        }
                    }
                }
                group.addTask {
                    for round in 0..<3 {
                        try await client.run(
                            ["snapshot", "create", "--stdin-file", "dump.sql", "/theirs"],
                            input: Self.dump + SeededBytes.rnd(UInt64(100 + round), 300_000))
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await server.operatorKopia.json(["snapshot", "list", "--all"]).arrayValue?.count == 9)
            try await server.operatorKopia.run(["snapshot", "verify", "--verify-files-percent=100"])
        }
    }

    @Test func whatIsDeletedIsGoneForKopiaAndFreedByItsMaintenance() async throws {
        try await withServer { server in
            let first = try await push(server, "/pg/app", Self.random)
            let second = try await push(server, "/pg/app", Self.dump)
            #expect(try await server.open { try await $0.deleteSnapshot(first.snapshot.id) })
            #expect(try await server.open { try await $0.deleteSnapshot(first.snapshot.id) } == false)
            let listed = try await server.client().json(["snapshot", "list", "--all"]).arrayValue ?? []
            #expect(listed.map { $0["id"]?.stringValue } == [second.snapshot.id.description])
            await server.kill()
            try await server.operatorKopia.run(["maintenance", "run", "--full", "--safety=none"])
            try await server.operatorKopia.verifyEverything()
            try await server.restart()
            #expect(try await pull(server, second.snapshot.id.description) == Self.dump)
        }
    }

    /// Snapshots of other users are neither shown nor to be had.
    @Test func othersSnapshotsStayTheirs() async throws {
        try await withServer { server in
            let written = try await push(server, "/pg/app", [1, 2, 3])
            let other = RepositoryIdentity(userName: "other", host: "client")
            #expect(try await server.open(other) { try await $0.snapshots().count } == 0)
            let error = try await #require(throws: RepositoryError.self) {
                _ = try await server.open(other) { try await $0.deleteSnapshot(written.snapshot.id) }
            }
            #expect(error.code == .accessDenied, "\(error)")
            let foreign = try await #require(throws: RepositoryError.self) {
                _ = try await push(
                    server, "/pg/app", [1], identity: RepositoryIdentity(userName: "nobody", host: "client"))
            }
            #expect(foreign.code == .wrongPassword)
            let wrong = try await #require(throws: RepositoryError.self) {
                try await server.open(password: "guess") { _ in }
            }
            #expect(wrong.code == .wrongPassword)
            #expect(wrong.message.hasSuffix("does not let runner@client in: access denied for runner@client"))
        }
    }
}
