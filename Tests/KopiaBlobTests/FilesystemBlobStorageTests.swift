import Glibc
import GoFormats
import KopiaBlob
import TestSupport
import Testing

@Suite struct FilesystemBlobStorageTests: ~Copyable {
    let directory: TemporaryDirectory
    var root: String { directory.path + "/repo" }

    init() throws { directory = try TemporaryDirectory() }

    static func id(_ text: String) throws -> BlobID { try #require(BlobID(text)) }
    static let longID = "p0123456789abcdef0123456789abcdef-s0011223344556677144"

    // MARK: Opening and creating

    @Test func aMissingFolderIsNotARepository() async {
        let path = root
        let error = await #expect(throws: BlobError.self) { _ = try await FilesystemBlobStorage.open(path: path) }
        #expect(error?.code == .invalidStorage)
        #expect(error?.message == "there is no repository at '\(path)': the folder does not exist")
        #expect(!Files.exists(path))
    }

    @Test func aFileIsNotAFolder() async throws {
        let path = root
        try Files.write([1], path)
        for call in [
            { try await FilesystemBlobStorage.open(path: path) },
            { try await FilesystemBlobStorage.create(path: path) },
        ] as [@Sendable () async throws -> FilesystemBlobStorage] {
            let error = await #expect(throws: BlobError.self) { _ = try await call() }
            #expect(error?.code == .invalidStorage)
            #expect(error?.message == "'\(path)' is not a folder")
        }
    }

    @Test func anEmptyFolderIsNotARepository() async throws {
        let path = root
        try Files.makeFolder(path)
        let error = await #expect(throws: BlobError.self) { _ = try await FilesystemBlobStorage.open(path: path) }
        #expect(
            error?.description == """
                '\(path)' is not a kopia repository: it has neither '.shards' nor 'kopia.repository.f'
                hint: check the path; a repository is only created when asked for
                """)
        #expect(Files.names(path).isEmpty)
    }

    @Test func creatingMakesFoldersAndTheShardsFile() async throws {
        let path = root + "/a/b"
        let storage = try await FilesystemBlobStorage.create(path: path)
        #expect(storage.displayName == "file://\(path)")
        #expect(Files.names(path) == [".shards"])
        #expect(
            String(decoding: try Files.read(path + "/.shards"), as: UTF8.self)
                == "{\"default\":[1,3],\"maxNonShardedLength\":20}\n")
        // Somebody stopped after this: it can be done again.
        _ = try await FilesystemBlobStorage.create(path: path, layout: .legacy)
    }

    @Test(arguments: [
        ("other.txt", "is not empty: it holds 'other.txt'"), ("kopia.repository.f", "already holds a kopia repository"),
    ])
    func aFolderInUseIsNotTaken(_ name: String, _ reason: String) async throws {
        let path = root
        try Files.makeFolder(path)
        try Files.write([], path + "/" + name)
        let error = await #expect(throws: BlobError.self) { _ = try await FilesystemBlobStorage.create(path: path) }
        #expect(error?.code == .invalidStorage)
        #expect(error?.message == "'\(path)' \(reason)")
        #expect(Files.names(path) == [name])
    }

    @Test func aMalformedShardsFileIsExplained() async throws {
        let path = root
        try Files.makeFolder(path)
        try Files.write(Array("{".utf8), path + "/.shards")
        let error = await #expect(throws: BlobError.self) { _ = try await FilesystemBlobStorage.open(path: path) }
        #expect(error?.code == .invalidStorage)
        #expect(error?.message.hasPrefix("'\(path)/.shards' does not say how blobs are spread over folders:") == true)
    }

    /// Repositories from before kopia 0.9.
    @Test func withoutShardsFileTheOldLayoutIsUsedAndTheFileWrittenWithTheFirstBlob() async throws {
        let path = root
        try Files.makeFolder(path)
        try Files.write([1], path + "/kopia.repository.f")
        let storage = try await FilesystemBlobStorage.open(path: path)
        #expect(storage.layout == .legacy)
        #expect(Files.names(path) == ["kopia.repository.f"], "opening writes nothing")
        try await storage.put(try Self.id(Self.longID), [5])
        #expect(Files.names(path) == [".shards", "kopia.repository.f", "p01"])
        #expect(try Files.read(path + "/p01/234/56789abcdef0123456789abcdef-s0011223344556677144.f") == [5])
    }

    @Test func pathsThatCannotBeAreRefused() async {
        for path in ["", "/tmp/a\0b"] {
            let error = await #expect(throws: BlobError.self) { _ = try await FilesystemBlobStorage.open(path: path) }
            #expect(error?.message == "the path of the repository is empty or holds a NUL byte")
        }
    }

    // MARK: Files

    @Test func filesAndFoldersAreForTheOwnerOnly() async throws {
        let storage = try await FilesystemBlobStorage.create(path: root)
        try await storage.put(try Self.id(Self.longID), [1, 2])
        var status = stat()
        #expect(stat(root + "/p/012/3456789abcdef0123456789abcdef-s0011223344556677144.f", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        #expect(stat(root + "/p/012", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o700)
    }

    @Test func whatIsNotABlobIsInvisible() async throws {
        let storage = try await FilesystemBlobStorage.create(path: root)
        let blob = try Self.id(Self.longID)
        try await storage.put(blob, [1, 2])
        try Files.write([0], root + "/p/012/foreign.txt")
        try Files.write([0], root + "/p/012/3456789abcdef.f.tmp.0123456789abcdef")
        try Files.write([0], root + "/.f")
        try Files.write([0], root + "/with space.f")
        try Files.makeFolder(root + "/folder.f")
        symlink(root + "/p/012/3456789abcdef0123456789abcdef-s0011223344556677144.f", root + "/link.f")
        symlink(root + "/p", root + "/q")
        #expect(try await storage.list(prefix: "").map(\.id) == [blob])
        for name in ["link", "folder"] {
            let id = try Self.id(name)
            await #expect(throws: BlobError.self) { _ = try await storage.get(id) }
        }
    }

    @Test func aFolderThatCannotHoldThePrefixIsNotLookedInto() async throws {
        let storage = try await FilesystemBlobStorage.create(path: root)
        for name in ["p", "q", "x"] { try await storage.put(try Self.id(name + Self.longID.dropFirst()), [1]) }
        // Whoever opened it would fail.
        Files.removeTree(root + "/q/012")
        symlink("/nonexistent", root + "/q/012")
        #expect(try await storage.list(prefix: "p").count == 1)
        #expect(try await storage.list(prefix: "").count == 2)
    }

    @Test func nothingIsLeftOfAPutThatFails() async throws {
        let storage = try await FilesystemBlobStorage.create(path: root)
        // A folder is in the way of the final name.
        try Files.makeFolder(root + "/xe1.f")
        let id = try Self.id("xe1")
        let error = await #expect(throws: BlobError.self) { try await storage.put(id, [1, 2, 3]) }
        #expect(error?.code == .io)
        #expect(error?.blob == id)
        #expect(error?.message == "could not write blob 'xe1': rename '\(root)/xe1.f': Is a directory")
        #expect(Files.names(root) == [".shards", "xe1.f"])
    }

    /// A small file system of its own, for example a tmpfs of 256 KiB.
    @Test(.enabled(if: getenv("SMALL_DISK") != nil, "set SMALL_DISK to a folder on a file system of less than 1 MiB"))
    func aFullDiskIsSaidAndLeavesNothing() async throws {
        let disk = try #require(getenv("SMALL_DISK").map { String(cString: $0) })
        let storage = try await FilesystemBlobStorage.create(path: disk + "/repo")
        defer { Files.removeTree(disk + "/repo") }
        let id = try Self.id(Self.longID)
        let error = await #expect(throws: BlobError.self) {
            try await storage.put(id, [UInt8](repeating: 1, count: 1 << 20))
        }
        #expect(error?.code == .noSpace)
        #expect(error?.message.hasPrefix("could not write blob '\(id)': write '\(disk)/repo/p/012/") == true)
        #expect(error?.message.hasSuffix("No space left on device") == true)
        #expect(Files.names(disk + "/repo/p/012").isEmpty)
        try await storage.put(id, [1])
    }

    @Test func aFolderRemovedByOthersIsMadeAgain() async throws {
        let storage = try await FilesystemBlobStorage.create(path: root)
        let id = try Self.id(Self.longID)
        try await storage.put(id, [1])
        Files.removeTree(root + "/p")
        try await storage.put(id, [2])
        #expect(try await storage.get(id) == [2])
    }

    @Test func retentionIsRefused() async throws {
        let storage = try await FilesystemBlobStorage.create(path: root)
        let id = try Self.id("xe1")
        let error = await #expect(throws: BlobError.self) {
            try await storage.put(id, [1], retention: BlobRetention(mode: .governance, periodSeconds: 86_400))
        }
        #expect(error?.code == .unsupported)
        #expect(
            error?.message
                == "a filesystem repository cannot keep blob 'xe1' from being deleted, which its retention settings ask for"
        )
        #expect(try await storage.list(prefix: "").isEmpty)
    }

    @Test func errorsNameBlobPathAndReason() async throws {
        let storage = try await FilesystemBlobStorage.create(path: root)
        let id = try Self.id("xe7")
        let missing = await #expect(throws: BlobError.self) { _ = try await storage.get(id) }
        #expect(missing?.message == "blob 'xe7' is not in file://\(root)")
        try await storage.put(id, [1, 2, 3])
        let range = await #expect(throws: BlobError.self) { _ = try await storage.get(id, range: 2..<5) }
        #expect(range?.message == "blob 'xe7' has 3 bytes; bytes 2 to 5 were asked for")
        let long = try Self.id(String(repeating: "z", count: 400))
        let name = await #expect(throws: BlobError.self) { try await storage.put(long, [1]) }
        #expect(name?.code == .io)
        #expect(name?.message.hasSuffix("File name too long") == true)
    }

    @Test func aCancelledTaskTouchesNothing() async throws {
        let storage = try await FilesystemBlobStorage.create(path: root)
        let id = try Self.id("xe1")
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await storage.put(id, [1])
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try await storage.list(prefix: "").isEmpty)
    }

    @Test func timestampsAreTheFilesTimes() async throws {
        let storage = try await FilesystemBlobStorage.create(path: root)
        let id = try Self.id("xe1")
        try await storage.put(id, [1])
        var times = (timespec(tv_sec: 5, tv_nsec: 0), timespec(tv_sec: 1_700_000_000, tv_nsec: 123_456_789))
        let result = withUnsafeBytes(of: &times) {
            utimensat(AT_FDCWD, root + "/xe1.f", $0.assumingMemoryBound(to: timespec.self).baseAddress, 0)
        }
        #expect(result == 0)
        #expect(
            try await storage.metadata(of: id).timestamp
                == Timestamp(seconds: 1_700_000_000, nanoseconds: 123_456_789))
    }
}
