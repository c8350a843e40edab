import Glibc
import GoFormats
import KopiaRepository
import RunnerContract
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

    /// Days in the order they were made.
    private func pushedDays(_ world: borrowing World, pinning pinned: Int) async throws -> [String] {
        var ids: [String] = []
        try await Repository.with(
            at: .filesystem(path: world.repositoryPath), password: RepositoryPassword(World.password),
            access: .readWrite, identity: RepositoryAccessPoint.defaultIdentity
        ) { repository in
            for day in 0..<14 {
                var options = SnapshotOptions()
                options.pins = day == pinned ? ["audit"] : []
                let written = try await repository.writeSnapshot(
                    of: RepositoryAccessPoint.defaultIdentity.source(path: "/app"), options: options
                ) { try await $0.addFile("x", bytes: [UInt8(day)]) }
                ids.append(written.snapshot.id.description)
            }
        }
        return ids
    }

    /// All of one moment: kopia's standard policy keeps the latest ten, and here the other periods add none.
    @Test func whatRetentionDoesNotKeepGoesAndPinnedOnesStay() async throws {
        let world = try await worldWithRepository()
        let ids = try await pushedDays(world, pinning: 1)
        let before = world.repositoryFiles()
        let shown = await world.run(["snapshot", "expire", "--all"] + world.repository)
        #expect(shown.code == 0)
        #expect(shown.lines.map { $0.split(separator: " ")[2] } == [ids[0], ids[2], ids[3]].map { $0[...] })
        #expect(shown.errors == "nothing was deleted; give --delete to do it\n")
        #expect(world.repositoryFiles() == before)
        let other = await world.run(
            ["snapshot", "expire", "--source", "a@b:/c", "--delete"] + world.repository)
        #expect(other.errors == "retention keeps every snapshot\n")
        let deleted = await world.run(["snapshot", "expire", "--all", "--delete", "--json"] + world.repository)
        #expect(deleted.code == 0)
        let json = try JSONParser.parse(deleted.text)
        #expect(json["deleted"] == true)
        #expect(json["snapshots"]?.arrayValue?.compactMap { $0["id"]?.stringValue } == [ids[0], ids[2], ids[3]])
        let left = await world.run(["snapshot", "list", "--json"] + world.repository)
        let remaining = try JSONParser.parse(left.text).arrayValue ?? []
        #expect(remaining.compactMap { $0["id"]?.stringValue } == [ids[1]] + ids[4...])
    }

    @Test(arguments: [["--all", "--source", "a@b:/c"], [], ["--all", "--delete", "--dry-run"]])
    func expireNeedsToKnowWhatToLookAt(arguments: [String]) async throws {
        let world = try World()
        #expect(await world.run(["snapshot", "expire"] + arguments + world.repository).code == 2)
    }
}
