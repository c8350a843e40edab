import GoFormats
import KopiaContent
import KopiaFormat
import KopiaManifest
import KopiaObject
import KopiaSnapshot
import Synchronization
import TestSupport
import Testing

@testable import KopiaRepository

private let identity = RepositoryIdentity(userName: "runner", host: "fixture")
private let source = identity.source(path: "/kanister-backups")

/// A repository over contents in memory.
private func repository(
    _ contents: MemoryContentStore, access: RepositoryAccess = .readWrite, isServer: Bool = false
) -> Repository {
    let status = RepositoryStatus(
        location: "memory:", isServer: isServer, uniqueID: "00", formatVersion: 3, indexVersion: 2, hash: "",
        encryption: "",
        keyDerivation: "", splitter: contents.defaultSplitter, packSizeMax: 0, usesEpochs: true,
        allowsPasswordChange: true, isReadOnly: access == .readOnly, identity: identity.description)
    let ticks = Mutex<Int64>(1_700_000_000)
    let clock: @Sendable () -> Timestamp = {
        ticks.withLock { seconds in
            seconds += 1
            return Timestamp(seconds: seconds)
        }
    }
    return Repository(
        contents: contents, manifests: ContentManifestStore(contents: contents, clock: clock), status: status,
        identity: identity, access: access, clock: clock, parallelism: 2)
}

struct SnapshotWritingTests {
    /// The shape kando writes and finds.
    @Test func aStreamBecomesASnapshotAsKandoMakesIt() async throws {
        let contents = MemoryContentStore()
        let repository = repository(contents)
        var options = SnapshotOptions()
        options.description = "Kanister Database Backup"
        options.tags = ["db": "app"]
        let bytes = SeededBytes.rnd(1, 10_000)
        let written = try await repository.writeSnapshot(of: source, options: options) { writer in
            try await writer.addFile("backup.sql", bytes: bytes)
        }
        let snapshot = try #require(try await repository.snapshots().first)
        #expect(snapshot == written.snapshot)
        #expect(written.logicalBytes == 10_000)
        #expect(snapshot.description == "Kanister Database Backup")
        #expect(snapshot.tags == ["tag:db": "app"])
        #expect(snapshot.root.name == "/kanister-backups")
        #expect(snapshot.root.mode.text == "0777")
        #expect(snapshot.root.modified?.description == "1754-08-30T22:43:41.128654848Z")
        #expect(snapshot.statistics.fileCount == 1)
        #expect(snapshot.statistics.totalSize == 10_000)
        let entry = try await repository.entry(at: "/backup.sql", in: snapshot)
        #expect(entry.mode.text == "0777")
        #expect(try await repository.openFile(entry).readAll(limit: 10_000) == bytes)
        let manifests = try await repository.manifests.find(labels: ["type": "snapshot"])
        #expect(
            manifests.map(\.labels) == [
                [
                    "type": "snapshot", "hostname": "fixture", "username": "runner", "path": "/kanister-backups",
                    "tag:db": "app",
                ]
            ])
        #expect(manifests.first?.payload["id"] == "")
        let policies = try await PolicyStore(manifests: repository.manifests).effective(for: source)
        #expect(policies.isManual.value)
    }

    /// Flag, then policy, then the caller's own standard.
    @Test(
        arguments: [
            (nil, nil, "zstd-fastest"), (nil, "gzip", "gzip"), (nil, "none", "none"), ("zstd", "gzip", "zstd"),
            ("none", nil, "none"),
        ] as [(String?, String?, String)])
    func whoChoosesTheCompression(_ flag: String?, _ policy: String?, _ expected: String) async throws {
        let contents = MemoryContentStore()
        let repository = repository(contents)
        if let policy {
            let json: JSONValue = ["compression": ["compressorName": .string(policy)]]
            try await PolicyStore(manifests: repository.manifests).set(
                try #require(json.objectValue), for: .path(source))
        }
        var options = SnapshotOptions()
        options.compression = flag
        options.compressionUnlessChosen = "zstd-fastest"
        let bytes = SeededBytes.dump(1, 100)
        try await repository.writeSnapshot(of: source, options: options) { writer in
            try await writer.addFile("backup.sql", bytes: bytes)
        }
        let id = try #require(contents.plaintexts.first { $0.value == bytes }?.key)
        #expect(contents.compression(of: id) == Compression.headerID(named: expected))
    }

    @Test func foldersAppearByThemselves() async throws {
        let repository = repository(MemoryContentStore())
        let written = try await repository.writeSnapshot(of: source) { writer in
            try await writer.addFile("b/c/file", bytes: [1])
            try await writer.addFile("a", bytes: [2, 3])
            try await writer.addSymlink("b/link", target: "../a")
            try writer.addDirectory("b", mode: FileMode(bits: 0o700))
            try writer.addDirectory("empty")
        }
        let entries = try await repository.entries(of: written.snapshot.root, recursive: true)
        #expect(entries.map(\.path) == ["b", "b/c", "b/c/file", "b/link", "empty", "a"])
        #expect(entries.map(\.entry.mode.text) == ["0700", "0755", "0777", "0777", "0755", "0777"])
        #expect(try await repository.openFile(entries[3].entry).readAll(limit: 10) == Array("../a".utf8))
        #expect(written.snapshot.root.summary?.directories == 4)
        #expect(try await repository.entries(of: written.snapshot.root).map(\.path) == ["b", "empty", "a"])
    }

    /// A day on which the size on disk says "large" and the last dump says "small", and the other way round.
    @Test(arguments: [(nil, 1 << 20, 16), (nil, 1 << 40, 1), (200_000, 1 << 40, 16)] as [(Int?, Int64, Int)])
    func chunksAreAsSmallAsTheLastDumpAllows(last: Int?, expected: Int64, countMin: Int) async throws {
        let repository = repository(MemoryContentStore())
        if let last {
            try await repository.writeSnapshot(of: source) { writer in
                try await writer.addFile("dump.sql", bytes: SeededBytes.rnd(8, last))
            }
        }
        var options = SnapshotOptions()
        options.stream = .dump(expectedLength: expected)
        let written = try await repository.writeSnapshot(of: source, options: options) { writer in
            try await writer.addFile("dump.sql", bytes: SeededBytes.rnd(9, 500_000))
        }
        let entry = try await repository.entry(at: "dump.sql", in: written.snapshot)
        let reader = try await ObjectReader.open(entry.object, in: repository.contents)
        let count = Array(reader.contentIDs).count
        #expect(countMin == 1 ? count == 1 : count >= countMin)
    }

    /// Databases share a source: what another one's dump is like says nothing.
    @Test(arguments: [("small", 16), ("large", 1)])
    func chunksFollowTheLastDumpOfTheSameDatabase(database: String, countMin: Int) async throws {
        let repository = repository(MemoryContentStore())
        for (name, size) in [("small", Int64(1) << 20), ("large", 1 << 40), ("other", 1 << 45)] {
            try await publish(name, totalSize: size, in: repository)
        }
        var options = SnapshotOptions()
        options.stream = .dump(expectedLength: 1 << 30)
        options.tags["database"] = database
        let count = try await chunkCount(options, in: repository)
        #expect(countMin == 1 ? count == 1 : count >= countMin)
    }

    /// The largest counts, not the last: two streams of one source would change each other's cuts every day.
    @Test(arguments: [([], 2...8), ([1 << 40, 1 << 20], 1...1)] as [([Int64], ClosedRange<Int>)])
    func chunksOfAnyStreamFollowTheLargest(sizes: [Int64], expected: ClosedRange<Int>) async throws {
        let repository = repository(MemoryContentStore())
        for size in sizes { try await publish("any", totalSize: size, in: repository) }
        var options = SnapshotOptions()
        options.stream = .unknown
        #expect(expected.contains(try await chunkCount(options, in: repository)))
    }

    /// A snapshot that says it had so many bytes.
    private func publish(_ database: String, totalSize: Int64, in repository: Repository) async throws {
        let written = try await repository.writeSnapshot(of: source) { writer in
            try await writer.addFile("dump.sql", bytes: [1])
        }
        let snapshot = written.snapshot
        var draft = SnapshotDraft(
            source: source, startTime: snapshot.startTime, endTime: snapshot.endTime, root: snapshot.root)
        draft.statistics.totalSize = totalSize
        draft.tags["database"] = database
        _ = try await repository.snapshotStore.put(draft)
    }

    /// Of 500,000 bytes.
    private func chunkCount(_ options: SnapshotOptions, in repository: Repository) async throws -> Int {
        let written = try await repository.writeSnapshot(of: source, options: options) { writer in
            try await writer.addFile("dump.sql", bytes: SeededBytes.rnd(9, 500_000))
        }
        let entry = try await repository.entry(at: "dump.sql", in: written.snapshot)
        return Array(try await ObjectReader.open(entry.object, in: repository.contents).contentIDs).count
    }

    @Test func chunksAreLargerBehindAServer() async throws {
        let bytes = SeededBytes.rnd(10, 2_000_000)
        var counts: [Int] = []
        for isServer in [false, true] {
            let repository = repository(MemoryContentStore(), isServer: isServer)
            var options = SnapshotOptions()
            options.stream = .dump(expectedLength: 1 << 20)
            let written = try await repository.writeSnapshot(of: source, options: options) { writer in
                try await writer.addFile("dump.sql", bytes: bytes)
            }
            let entry = try await repository.entry(at: "dump.sql", in: written.snapshot)
            counts.append(Array(try await ObjectReader.open(entry.object, in: repository.contents).contentIDs).count)
        }
        // None is shorter than 32 KiB but the last, none longer than 128 KiB.
        #expect((2_000_000 / (128 << 10)...2_000_000 / (32 << 10) + 1).contains(counts[1]))
        #expect(counts[1] * 2 < counts[0])
    }

    @Test func theSecondTimeNothingIsStoredTwice() async throws {
        let contents = MemoryContentStore()
        let repository = repository(contents)
        let bytes = SeededBytes.rnd(2, 100_000)
        let time = Timestamp(seconds: 1_700_000_000)
        var written: [WrittenSnapshot] = []
        for _ in 0..<2 {
            written.append(
                try await repository.writeSnapshot(of: source) { writer in
                    try await writer.addFile("x", modified: time, bytes: bytes)
                })
        }
        #expect(written[0].snapshot.root.object == written[1].snapshot.root.object)
        #expect(written[1].deduplicatedBytes > 100_000)
        #expect(written[1].uploadedBytes < 1_000)
        // The policy that says "manual" is written once.
        #expect(try await repository.manifests.find(labels: ["type": "policy"]).count == 1)
    }

    @Test(arguments: [
        ("", "'' cannot be a path inside a snapshot"), ("/x", "'/x' cannot be a path inside a snapshot"),
        ("a/../b", "'a/../b' cannot be a path inside a snapshot"), ("taken", "'taken' is in the snapshot already"),
        ("taken/below", "'taken/below' is in the snapshot already"), ("folder", "'folder' is in the snapshot already"),
    ])
    func refusesAPath(path: String, message: String) async throws {
        let contents = MemoryContentStore()
        let error = await #expect(throws: RepositoryError.self) {
            try await repository(contents).writeSnapshot(of: source) { writer in
                try await writer.addFile("taken", bytes: [1])
                try await writer.addFile("folder/x", bytes: [2])
                try await writer.addFile(path, bytes: [3])
            }
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message == message)
        #expect(contents.flushCount == 0)
    }

    static let refused: [(@Sendable (inout SnapshotOptions) -> Void, String)] = [
        (
            { $0.description = String(repeating: "x", count: 1_025) },
            "the description has 1025 characters, the limit is 1024"
        ),
        ({ $0.compression = "zip" }, "'zip' is not the name of a compressor"),
        ({ $0.tags = ["": "x"] }, "a tag has an empty key"),
    ]

    @Test(arguments: refused.indices)
    func refusesWhatKopiaWouldNotTakeBeforeAnythingIsStored(position: Int) async throws {
        let (change, message) = Self.refused[position]
        let contents = MemoryContentStore()
        var options = SnapshotOptions()
        change(&options)
        let error = await #expect(throws: RepositoryError.self) {
            try await repository(contents).writeSnapshot(of: source, options: options) { writer in
                try await writer.addFile("x", bytes: [1])
            }
        }
        #expect(error?.message == message)
        #expect(contents.plaintexts.isEmpty)
    }

    @Test func aReadOnlyRepositoryRefuses() async throws {
        let repository = repository(MemoryContentStore(), access: .readOnly)
        let error = await #expect(throws: RepositoryError.self) {
            try await repository.writeSnapshot(of: source) { _ in }
        }
        #expect(error?.code == .readOnly)
        #expect(
            error?.message
                == "cannot write a snapshot of runner@fixture:/kanister-backups: the repository is open for reading only"
        )
        await #expect(throws: RepositoryError.self) {
            try await repository.deleteSnapshot(try #require(ManifestID("aa")))
        }
    }

    @Test func deletingTwiceIsNoError() async throws {
        let contents = MemoryContentStore()
        let repository = repository(contents)
        let written = try await repository.writeSnapshot(of: source) { try await $0.addFile("x", bytes: [1]) }
        #expect(try await repository.deleteSnapshot(written.snapshot.id))
        #expect(try await !repository.deleteSnapshot(written.snapshot.id))
        #expect(try await repository.snapshots().isEmpty)
        let policy = try #require(try await repository.manifests.find(labels: ["type": "policy"]).first)
        #expect(try await !repository.deleteSnapshot(policy.id))
        #expect(try await repository.manifests.get(policy.id) != nil)
    }
}

struct PublishingTests {
    private struct Died: Error, Equatable {}

    @Test func whenTheProducerFailsNothingIsPublished() async throws {
        let contents = MemoryContentStore()
        let repository = repository(contents)
        var blocks = 3
        await #expect(throws: Died()) {
            try await repository.writeSnapshot(of: source) { writer in
                try await writer.addFile("dump") {
                    blocks -= 1
                    if blocks == 0 { throw Died() }
                    return SeededBytes.rnd(1, 100_000)
                }
            }
        }
        #expect(try await repository.snapshots(includeIncomplete: true).isEmpty)
        #expect(contents.plaintexts.keys.allSatisfy { $0.prefix != UInt8(ascii: "m") })
    }

    @Test func whenTheBodyFailsAfterTheStreamNothingIsPublished() async throws {
        let repository = repository(MemoryContentStore())
        await #expect(throws: Died()) {
            try await repository.writeSnapshot(of: source) { writer in
                try await writer.addFile("dump", bytes: [1])
                throw Died()
            }
        }
        #expect(try await repository.snapshots(includeIncomplete: true).isEmpty)
    }

    @Test func whenTheTaskIsCancelledNothingIsPublished() async throws {
        let repository = repository(MemoryContentStore())
        let task = Task {
            try await repository.writeSnapshot(of: source) { writer in
                try await writer.addFile("dump", bytes: [1])
                withUnsafeCurrentTask { $0?.cancel() }
            }
        }
        await #expect(throws: CancellationError.self) { _ = try await task.value }
        #expect(try await repository.snapshots(includeIncomplete: true).isEmpty)
    }

    /// Contents, index, then the manifest: when it is written, everything it refers to must be durable.
    @Test func theManifestIsWrittenAfterEverythingElseIsDurable() async throws {
        let unflushed = Mutex<[Int]>([])
        let box = Mutex<MemoryContentStore?>(nil)
        let contents = MemoryContentStore(beforeWrite: { bytes in
            guard bytes.starts(with: [0x1f, 0x8b]), let store = box.withLock({ $0 }) else { return }
            let all = store.plaintexts.keys.filter { $0.prefix != UInt8(ascii: "m") }
            var visible = 0
            for prefix in [0, UInt8(ascii: "k"), UInt8(ascii: "x")] {
                visible += try await store.list(prefix: prefix).count
            }
            unflushed.withLock { $0.append(all.count - visible) }
        })
        box.withLock { $0 = contents }
        let repository = repository(contents)
        var options = SnapshotOptions()
        options.splitter = .dynamic(averageLength: 4 << 10)
        try await repository.writeSnapshot(of: source, options: options) { writer in
            try await writer.addFile("dump", bytes: SeededBytes.rnd(3, 100_000))
        }
        #expect(unflushed.withLock { $0 } == [0])
        box.withLock { $0 = nil }
    }

    /// Maintenance marks contents that nothing refers to yet.
    @Test func contentsMarkedAsDeletedMeanwhileAreWrittenAgain() async throws {
        let contents = MemoryContentStore()
        let repository = repository(contents)
        var options = SnapshotOptions()
        options.splitter = .dynamic(averageLength: 4 << 10)
        let bytes = SeededBytes.rnd(4, 50_000)
        let written = try await repository.writeSnapshot(of: source, options: options) { writer in
            try await writer.addFile("dump", bytes: bytes)
            for id in contents.plaintexts.keys { contents.markDeleted(id) }
        }
        for id in contents.plaintexts.keys { #expect(try await contents.info(id)?.isDeleted == false) }
        let entry = try await repository.entry(at: "dump", in: written.snapshot)
        #expect(try await repository.openFile(entry).readAll(limit: 50_000) == bytes)
    }

    @Test func aContentThatIsGoneStopsThePublication() async throws {
        let contents = MemoryContentStore()
        let repository = repository(contents)
        let error = await #expect(throws: RepositoryError.self) {
            try await repository.writeSnapshot(of: source) { writer in
                try await writer.addFile("dump", bytes: SeededBytes.rnd(5, 1_000))
                for id in contents.plaintexts.keys { contents.remove(id) }
            }
        }
        #expect(error?.code == .damaged || error?.code == .notCommitted)
        #expect(try await repository.snapshots(includeIncomplete: true).isEmpty)
    }

    @Test func aLongStreamIsProtectedByAnIncompleteSnapshotUntilItIsDone() async throws {
        let contents = MemoryContentStore()
        let repository = repository(contents)
        var options = SnapshotOptions()
        options.splitter = .dynamic(averageLength: 4 << 10)
        options.checkpointInterval = .zero
        let bytes = SeededBytes.rnd(6, 60_000)
        let seen = Mutex<[(String, Int64)]>([])
        var position = 0
        let written = try await repository.writeSnapshot(of: source, options: options) { writer in
            try await writer.addFile("small", bytes: [1])
            try await writer.addFile("dump") {
                guard position < bytes.count else { return nil }
                defer { position += 10_000 }
                let partial = try await repository.snapshots(includeIncomplete: true)
                for snapshot in partial {
                    #expect(snapshot.incompleteReason == "checkpoint")
                    let entries = try await repository.entries(of: snapshot.root)
                    seen.withLock { $0.append((entries.map(\.path).joined(separator: " "), snapshot.totalSize)) }
                }
                #expect(partial.count <= 1)
                return Array(bytes[position..<position + 10_000])
            }
        }
        let checkpoints = seen.withLock { $0 }
        #expect(checkpoints.count >= 4)
        #expect(checkpoints.allSatisfy { $0.0.hasPrefix(".checkpointed.dump.") && $0.0.hasSuffix(" small") })
        #expect(try await repository.snapshots(includeIncomplete: true).map(\.id) == [written.snapshot.id])
    }

    @Test func aCheckpointGoesWithTheStreamThatFails() async throws {
        let repository = repository(MemoryContentStore())
        var options = SnapshotOptions()
        options.splitter = .dynamic(averageLength: 4 << 10)
        options.checkpointInterval = .zero
        var blocks = 5
        await #expect(throws: Died()) {
            try await repository.writeSnapshot(of: source, options: options) { writer in
                try await writer.addFile("dump") {
                    blocks -= 1
                    if blocks == 0 { throw Died() }
                    return SeededBytes.rnd(UInt64(blocks), 20_000)
                }
            }
        }
        #expect(try await repository.snapshots(includeIncomplete: true).isEmpty)
    }
}
