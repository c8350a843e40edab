import Glibc
import GoFormats
import KopiaRepository
import RunnerContract
import Synchronization
import TestSupport
import Testing

@testable import PodRunner

/// `snapshot restore` and `snapshot expire`.
@Suite struct RestoreTreeTests {
    /// A folder with files, links, modes and times, pushed as a snapshot.
    private func pushedTree(_ world: borrowing World) async throws -> String {
        let root = world.path("tree")
        for folder in ["", "/sub", "/sub/closed"] { try Files.makeFolder(root + folder) }
        try Files.write(Array("hello\n".utf8), "\(root)/hello.txt")
        try Files.write([], "\(root)/sub/empty")
        try Files.write(SeededBytes.rnd(1, 100_000), "\(root)/sub/closed/data")
        symlink("../hello.txt", "\(root)/sub/link")
        chmod("\(root)/hello.txt", 0o640)
        chmod("\(root)/sub/empty", 0o755)
        for (path, seconds) in [("/hello.txt", 1_000_000_001), ("/sub/link", 1_000_000_002), ("/sub/empty", 5)] {
            setTime("\(root)\(path)", seconds)
        }
        chmod("\(root)/sub/closed", 0o550)
        setTime("\(root)/sub/closed", 1_000_000_003)
        setTime("\(root)/sub", 1_000_000_004)
        let pushed = await world.run(["location", "push", "-s", "x", root] + world.repository)
        chmod("\(root)/sub/closed", 0o750)
        try #require(pushed.code == 0, "\(pushed.errors)")
        return try KopiaSnapshotReference(parsing: pushed.artifact).id
    }

    private func setTime(_ path: String, _ seconds: Int) {
        let time = timespec(tv_sec: seconds, tv_nsec: 123_456_789)
        utimensat(AT_FDCWD, path, [time, time], AT_SYMLINK_NOFOLLOW)
    }

    private func facts(_ path: String) -> String {
        var status = stat()
        guard lstat(path, &status) == 0 else { return "missing" }
        let mode = String(status.st_mode & 0o7777, radix: 8)
        return "\(mode) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
    }

    @Test func filesLinksPermissionsAndTimesComeBack() async throws {
        let world = try await worldWithRepository()
        let id = try await pushedTree(world)
        let target = world.path("restored")
        let restored = await world.run(["snapshot", "restore", id, target] + world.repository)
        try #require(restored.code == 0, "\(restored.errors)")
        #expect(restored.errors == "restored 3 files, 2 folders and 1 links, 100 KB, to \(target)\n")
        #expect(try Files.read("\(target)/hello.txt") == Array("hello\n".utf8))
        #expect(try Files.read("\(target)/sub/closed/data") == SeededBytes.rnd(1, 100_000))
        #expect(facts("\(target)/hello.txt") == "640 1000000001.123456789")
        #expect(facts("\(target)/sub/empty") == "755 5.123456789")
        #expect(facts("\(target)/sub/link") == "777 1000000002.123456789")
        #expect(facts("\(target)/sub/closed") == "550 1000000003.123456789")
        #expect(facts("\(target)/sub") == "755 1000000004.123456789")
        chmod("\(target)/sub/closed", 0o750)
    }

    @Test func permissionsAndTimesCanBeLeftAlone() async throws {
        let world = try await worldWithRepository()
        let id = try await pushedTree(world)
        let target = world.path("restored")
        let restored = await world.run(
            ["snapshot", "restore", id, target, "--skip-owners", "--skip-permissions", "--skip-times"]
                + world.repository)
        try #require(restored.code == 0, "\(restored.errors)")
        let mask = umask(0o022)
        _ = umask(mask)
        #expect(facts("\(target)/hello.txt").hasPrefix(String(0o666 & ~mask, radix: 8) + " "))
        #expect(facts("\(target)/sub/closed").hasPrefix(String(0o777 & ~mask, radix: 8) + " "))
        #expect(!facts("\(target)/hello.txt").hasSuffix(" 1000000001.123456789"))
    }

    /// An entry as kopia stores it: another owner, and set-user-ID.
    @Test(arguments: [true, false])
    func ownersComeBackAndSetUserIDOnlyWithThem(skipping: Bool) async throws {
        let world = try await worldWithRepository()
        try Files.write([1], world.path("file"))
        let setUserID: UInt32 = 0o40000000
        let entry = DirectoryEntry(
            name: "file", kind: .file, mode: FileMode(bits: 0o755 | setUserID),
            modified: Timestamp(seconds: 1_000_000_000),
            userID: getuid() + 4711, groupID: getgid() + 4712,
            object: try #require(ObjectID(String(repeating: "0", count: 32))))
        try RestoredAttributes(owners: !skipping).set(entry, of: world.path("file"), shownAs: "file")
        var status = stat()
        #expect(lstat(world.path("file"), &status) == 0)
        let isGiven = getuid() == 0 && !skipping
        #expect(status.st_uid == (isGiven ? 4711 : getuid()))
        #expect(status.st_gid == (isGiven ? getgid() + 4712 : getgid()))
        #expect(status.st_mode & 0o7777 == (isGiven ? 0o4755 : 0o755))
        #expect(status.st_mtim.tv_sec == 1_000_000_000)
    }

    @Test func nothingIsOverwrittenUnlessAskedFor() async throws {
        let world = try await worldWithRepository()
        let id = try await pushedTree(world)
        let target = world.path("restored")
        try Files.makeFolder(target)
        try Files.write([1], "\(target)/mine")
        try Files.write([2], "\(target)/hello.txt")
        let refused = await world.run(["snapshot", "restore", id, target] + world.repository)
        #expect(refused.code == 3)
        #expect(refused.errors.hasPrefix("pod-runner: error: \(target) exists and is not an empty folder\nhint: "))
        #expect(Files.names(target) == ["hello.txt", "mine"])
        #expect(try Files.read("\(target)/hello.txt") == [2])
        let replaced = await world.run(["snapshot", "restore", id, target, "--overwrite"] + world.repository)
        #expect(replaced.code == 0)
        #expect(try Files.read("\(target)/hello.txt") == Array("hello\n".utf8))
        #expect(try Files.read("\(target)/mine") == [1])
        chmod("\(target)/sub/closed", 0o750)
    }

    /// What a link points to is not the snapshot's to write to, nor are other names of the same file.
    @Test func linksInTheTargetAreReplacedNotFollowed() async throws {
        let world = try await worldWithRepository()
        let id = try await pushedTree(world)
        let target = world.path("restored")
        try Files.makeFolder(target)
        try Files.write([7], world.path("outside"))
        symlink(world.path("outside"), "\(target)/hello.txt")
        let one = await world.run(["snapshot", "restore", id, target, "--overwrite"] + world.repository)
        #expect(one.code == 0)
        #expect(try Files.read(world.path("outside")) == [7])
        #expect(try Files.read("\(target)/hello.txt") == Array("hello\n".utf8))
        chmod("\(target)/sub/closed", 0o750)
        // A link in place of a folder stops it.
        let second = world.path("second")
        try Files.makeFolder(second)
        symlink(world.folder.path, "\(second)/sub")
        let refused = await world.run(["snapshot", "restore", id, second, "--overwrite"] + world.repository)
        #expect(refused.code == 3)
        #expect(refused.errors.contains("cannot make the folder \(second)/sub: "))
    }

    @Test func aPartOfASnapshotCanBeRestored() async throws {
        let world = try await worldWithRepository()
        let id = try await pushedTree(world)
        let file = world.path("one")
        let restored = await world.run(["snapshot", "restore", id, file, "--path", "sub/empty"] + world.repository)
        #expect(restored.code == 0)
        #expect(facts(file) == "755 5.123456789")
        let again = await world.run(["snapshot", "restore", id, file, "--path", "hello.txt"] + world.repository)
        #expect(again.code == 3)
        #expect(try Files.read(file) == [])
    }

    @Test(arguments: ["..", "a/../b", "../x", "", "a//b", ".", "a\0b", "/etc"])
    func pathsThatLeadElsewhereAreRefused(path: String) {
        #expect(throws: PodRunnerError.self) { try TreeRestore.checked(path) }
    }

    @Test func theRootOfAStreamLeavesTheTargetFolderAlone() async throws {
        let world = try await worldWithRepository()
        try Files.write([1], world.path("in"))
        let pushed = await world.run(
            ["location", "push", "-s", "a/x", "-"] + world.repository, input: world.path("in"))
        let id = try KopiaSnapshotReference(parsing: pushed.artifact).id
        let target = world.path("restored")
        let restored = await world.run(["snapshot", "restore", id, target] + world.repository)
        #expect(restored.code == 0)
        #expect(facts(target).hasPrefix("755 "))
        #expect(try Files.read("\(target)/x") == [1])
    }

    // MARK: Expire

    /// One snapshot a day, in the order they were made.
    ///
    /// - Parameter databases: the tag `database` of each.
    private func pushedDays(
        _ world: borrowing World, databases: [String?], pinning pinned: Int? = nil
    ) async throws -> [String] {
        let day = Mutex(0)
        return try await Repository.with(
            at: .filesystem(path: world.repositoryPath), password: RepositoryPassword(World.password),
            access: .readWrite, identity: RepositoryAccessPoint.defaultIdentity,
            clock: { Timestamp(seconds: 1_769_904_000 + Int64(day.withLock { $0 }) * 86_400) }
        ) { repository in
            var ids: [String] = []
            for (number, database) in databases.enumerated() {
                day.withLock { $0 = number }
                var options = SnapshotOptions()
                options.pins = number == pinned ? ["audit"] : []
                options.tags = database.map { ["database": $0] } ?? [:]
                let written = try await repository.writeSnapshot(
                    of: RepositoryAccessPoint.defaultIdentity.source(path: "/app"), options: options
                ) { try await $0.addFile("x", bytes: [UInt8(number)]) }
                ids.append(written.snapshot.id.description)
            }
            return ids
        }
    }

    /// kopia's standard policy keeps, of one snapshot a day from Sunday 2026-02-01 to Monday 2026-02-16, the latest ten (7th to
    /// 16th), the last of each week (1st, 8th, 15th, 16th), and of the month and the year.
    @Test func whatRetentionDoesNotKeepGoesAndPinnedOnesStay() async throws {
        let world = try await worldWithRepository()
        let ids = try await pushedDays(world, databases: Array(repeating: nil, count: 16), pinning: 1)
        let gone = [2, 3, 4, 5].map { ids[$0] }
        let before = world.repositoryFiles()
        let shown = await world.run(["snapshot", "expire", "--all"] + world.repository)
        #expect(shown.code == 0)
        #expect(shown.lines.map { $0.split(separator: " ")[2] } == gone.map { $0[...] })
        #expect(shown.errors == "nothing was deleted; give --delete to do it\n")
        #expect(world.repositoryFiles() == before)
        let other = await world.run(
            ["snapshot", "expire", "--source", "a@b:/c", "--delete"] + world.repository)
        #expect(other.errors == "retention keeps every snapshot\n")
        let deleted = await world.run(["snapshot", "expire", "--all", "--delete", "--json"] + world.repository)
        #expect(deleted.code == 0)
        let json = try JSONParser.parse(deleted.text)
        #expect(json["deleted"] == true)
        #expect(json["snapshots"]?.arrayValue?.compactMap { $0["id"]?.stringValue } == gone)
        let left = await world.run(["snapshot", "list", "--json"] + world.repository)
        let remaining = try JSONParser.parse(left.text).arrayValue ?? []
        #expect(remaining.compactMap { $0["id"]?.stringValue } == ids.filter { !gone.contains($0) })
    }

    /// Of a database that rests the last backups stay, however many newer ones of others the source has.
    @Test func newerSnapshotsOfOneDatabaseDoNotPushOutAnother() async throws {
        let world = try await worldWithRepository()
        let databases = ["resting", "resting"] + Array(repeating: "busy", count: 16) + [nil]
        let ids = try await pushedDays(world, databases: databases)
        let shown = await world.run(["snapshot", "expire", "--all", "--json"] + world.repository)
        let expired =
            try JSONParser.parse(shown.text)["snapshots"]?.arrayValue?.compactMap { $0["id"]?.stringValue } ?? []
        #expect(!expired.isEmpty)
        #expect(expired.allSatisfy { ids[2..<18].contains($0) })
    }

    @Test(arguments: [["--all", "--source", "a@b:/c"], [], ["--all", "--delete", "--dry-run"]])
    func expireNeedsToKnowWhatToLookAt(arguments: [String]) async throws {
        let world = try World()
        #expect(await world.run(["snapshot", "expire"] + arguments + world.repository).code == 2)
    }
}
