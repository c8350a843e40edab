import GoFormats
import KopiaRepository
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

@Suite(.enabled(if: Kopia.isWanted, "set KOPIA_EXE to a kopia program"))
struct KopiaReadsOursTests {
    private static let password = "pässwörd with spaces"
    private static let files: [(String, [UInt8])] = [
        ("backup.sql", SeededBytes.dump(7, 40_000)), ("empty", []), ("one", [7]),
        ("random.bin", SeededBytes.rnd(3, 300_000)), ("zeros", Array(repeating: 0, count: 9 << 20)),
        ("sub/deep/näme 文 <&>.txt", Array("utf-8\n".utf8)),
    ]

    @Test(arguments: WrittenCase.all)
    func verifiesListsAndRestoresWhatWeWrote(_ item: WrittenCase) async throws {
        let folder = try TemporaryDirectory()
        let location = RepositoryLocation.filesystem(path: folder.path + "/repository")
        let password = RepositoryPassword(Self.password)
        let identity = GoldenRepository.identity
        try await Repository.create(at: location, password: password, options: item.options, identity: identity)
        let written = try await Repository.with(
            at: location, password: password, access: .readWrite, identity: identity
        ) { repository in
            var written: [WrittenSnapshot] = []
            for round in 0..<2 {
                written.append(try await write(item, round: round, into: repository))
            }
            return written
        }
        // The second day adds only metadata.
        #expect(written[1].logicalBytes == Int64(Self.files.reduce(0) { $0 + $1.1.count }))
        #expect(written[1].uploadedBytes < 40_000)

        let kopia = try await Kopia.connect(
            to: folder.path + "/repository", in: folder.path, password: Self.password)
        try await kopia.verifyEverything()
        let list = try #require(try await kopia.json(["snapshot", "list", "--all"]).arrayValue)
        #expect(list.map { $0["id"]?.stringValue } == written.map(\.snapshot.id.description))
        #expect(list.map { $0["description"]?.stringValue } == ["day 0", "day 1"])
        #expect(list[0]["tags"] == ["tag:app": "one"])
        #expect(list.allSatisfy { $0["pins"] == ["keep"] })
        let target = folder.path + "/restored"
        try await kopia.run(["snapshot", "restore", written[1].snapshot.id.description, target])
        for (path, bytes) in Self.files { #expect(try Files.read("\(target)/\(path)") == bytes, "\(path)") }
        #expect(linkTarget("\(target)/link") == "backup.sql")
        // Afterwards kopia's own maintenance must find nothing wrong, nor break anything.
        try await kopia.run(["maintenance", "run", "--full", "--safety=none"])
        try await kopia.verifyEverything()
        try await readBack(written[1], at: location)
    }

    private func write(_ item: WrittenCase, round: Int, into repository: Repository) async throws -> WrittenSnapshot {
        var options = SnapshotOptions()
        options.description = "day \(round)"
        options.tags = ["app": "one"]
        options.pins = ["keep"]
        options.compression = item.compression
        options.splitter = item.splitter
        return try await repository.writeSnapshot(
            of: GoldenRepository.identity.source(path: "/kanister-backups"), options: options
        ) { writer in
            for (path, bytes) in Self.files {
                var position = 0
                try await writer.addFile(path) {
                    guard position < bytes.count else { return nil }
                    defer { position += 100_000 }
                    return Array(bytes[position..<min(bytes.count, position + 100_000)])
                }
            }
            try await writer.addSymlink("link", target: "backup.sql")
            try writer.addDirectory("empty-folder")
        }
    }

    private func readBack(_ written: WrittenSnapshot, at location: RepositoryLocation) async throws {
        try await Repository.with(
            at: location, password: RepositoryPassword(Self.password), identity: GoldenRepository.identity
        ) { repository in
            let snapshot = try await repository.snapshot(named: written.snapshot.id.description)
            for (path, bytes) in Self.files {
                let file = try await repository.openFile(try await repository.entry(at: path, in: snapshot))
                #expect(try await file.readAll(limit: 64 << 20) == bytes, "\(path)")
            }
        }
    }

    private func linkTarget(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink(path, &buffer, buffer.count)
        return count < 0 ? nil : String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
