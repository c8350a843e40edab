import GoFormats
import KopiaRepository
import RunnerContract
import TestSupport
import Testing

@testable import PodRunner

/// `immutability verify|extend`, `repository create --retention-mode`, and what `backup` promises, against moto and the double of Azure.
@Suite(.enabled(if: CloudBench.isWanted, "run .ci/install-python-tools"))
struct ImmutabilityTests {
    /// A repository with a retention of 31 days, in a bucket or container that locks.
    private struct Locked: ~Copyable {
        let world: World
        let bench: CloudBench
        let container: String
        var repository: [String] { ["--repository", bench.url(container)] }

        private init(_ bench: CloudBench) throws {
            let container = try bench.make()
            var world = try World()
            world.environment.merge(bench.environment) { _, new in new }
            self.world = world
            self.bench = bench
            self.container = container
        }

        static func make(
            _ kind: CloudBench.Kind, mode: String? = "COMPLIANCE", period: String = "31d"
        ) async throws -> Locked {
            let locked = try Locked(try CloudBench.get(kind))
            let retention = mode.map { ["--retention-mode", $0, "--retention-period", period] } ?? []
            let created = await locked.world.run(["repository", "create"] + retention + locked.repository)
            try #require(created.code == 0, "\(created.errors)")
            return locked
        }

        func push(_ text: String) async throws -> String {
            try Files.write(Array(text.utf8), world.path("in"))
            let pushed = await world.run(
                ["location", "push", "-s", "db/dump", "-"] + repository, input: world.path("in"))
            try #require(pushed.code == 0, "\(pushed.errors)")
            return try KopiaSnapshotReference(parsing: pushed.artifact).id
        }

        func verify(_ arguments: String...) async -> World.Outcome {
            await world.run(["immutability", "verify"] + arguments + repository)
        }
    }

    @Test(arguments: [(CloudBench.Kind.s3, "COMPLIANCE"), (.s3, "governance"), (.azure, "Locked")])
    func aSnapshotIsUndeletableForTheRetentionPeriod(kind: CloudBench.Kind, mode: String) async throws {
        let locked = try await Locked.make(kind, mode: mode)
        let id = try await locked.push("rows")
        let shown = await locked.verify(id)
        #expect(shown.code == 0, "\(shown.errors)")
        #expect(shown.errors == "")
        let except = mode == "governance" ? ", except by those who may bypass governance" : ""
        #expect(shown.lines[0].hasPrefix("snapshot \(id): undeletable until "))
        // Both clocks count whole seconds: a fast push is looked at in the second it was locked in.
        #expect(["30 d 23 h", "31 d"].contains { shown.lines[0].contains(" (\($0))\(except); weakest: ") })
        #expect(shown.lines[1].hasPrefix("looked at "))
        #expect(shown.lines[1].contains("1 format, 1 configuration, 3 index, 1 data pack, "))
        #expect(shown.lines[1].hasSuffix(", by the storage's clock"))
        #expect(await locked.verify("--all", "--min", "30d").code == 0)

        let tooShort = await locked.verify(id, "--min", "32d", "--json")
        #expect(tooShort.code == 6)
        let report = try JSONParser.parse(tooShort.text)
        #expect(report["holds"] == false)
        #expect(report["unconditional"] == .bool(mode != "governance"))
        #expect(report["locksVersions"] == true)
        #expect(report["weakBlobs"] == report["blobs"])
        #expect(report["weakest"]?["mode"]?.stringValue?.lowercased() == mode.lowercased())
        let until = try #require(report["undeletableUntil"]?.stringValue.flatMap { Timestamp(rfc3339: $0) })
        #expect(abs(until.secondsSince(.now()) - 31 * 86_400) < 600)
        #expect(tooShort.errors.contains("hint: lock it for longer with 'immutability extend'"))
    }

    /// One blob that anybody can delete is enough, whatever it holds.
    @Test(arguments: [
        (CloudBench.Kind.s3, "p", "data pack"), (.s3, "q", "metadata pack"), (.s3, "xn0_", "index"),
        (.s3, "kopia.repository", "format"), (.azure, "p", "data pack"), (.azure, "xn0_", "index"),
    ])
    func anUnlockedBlobIsNamed(kind: CloudBench.Kind, prefix: String, name: String) async throws {
        let locked = try await Locked.make(kind)
        let id = try await locked.push("rows")
        let key = try locked.bench.key(prefix, in: locked.container)
        _ = try locked.bench.tool("overwrite", locked.container, key)
        let blob = key.dropFirst(5)
        let shown = await locked.verify(id)
        #expect(shown.code == 6)
        #expect(shown.lines[0] == "\(name) \(blob): is not locked: deletable now")
        #expect(shown.lines[1] == "snapshot \(id): DELETABLE NOW")
        #expect(
            shown.errors.hasPrefix(
                "pod-runner: error: snapshot \(id): \(name) \(blob) is not locked: deletable now\nhint: "))
        // Extending repairs it.
        let extended = await locked.world.run(["immutability", "extend", id] + locked.repository)
        #expect(extended.code == 0, "\(extended.errors)")
        #expect(await locked.verify(id, "--min", "30d").code == 0)
    }

    /// A delete marker on top of a locked pack: nothing is lost, but nobody finds it.
    @Test func aHiddenBlobIsNamedWithWhatBringsItBack() async throws {
        let locked = try await Locked.make(.s3)
        let id = try await locked.push("rows")
        let key = try locked.bench.key("p", in: locked.container)
        _ = try locked.bench.tool("delete", locked.container, key)
        let shown = await locked.verify(id, "--json")
        #expect(shown.code == 6)
        let weakest = try #require(try JSONParser.parse(shown.text)["weakest"])
        #expect(weakest["state"] == "hidden")
        #expect(weakest["blob"] == .string(String(key.dropFirst(5))))
        #expect(weakest["mode"] == "COMPLIANCE")
        let marker = try #require(weakest["deleteMarker"]?.stringValue)
        #expect(shown.errors.contains("is hidden since "))
        #expect(shown.errors.contains("delete the marker, which is version \(marker) of it"))
        _ = try locked.bench.tool("delete", locked.container, key, marker)
        #expect(await locked.verify(id).code == 0)
    }

    /// Without its metadata or its index a snapshot is not even found; what hides it is named all the same.
    @Test(arguments: ["q", "xn0_"])
    func aSnapshotThatIsHiddenItselfIsExplained(prefix: String) async throws {
        let locked = try await Locked.make(.s3)
        let id = try await locked.push("rows")
        for name in try locked.bench.tool("keys", locked.container).split(separator: "\n")
        where name.hasPrefix("repo/" + prefix) {
            _ = try locked.bench.tool("delete", locked.container, String(name))
        }
        let shown = await locked.verify(id)
        #expect(shown.code == 6)
        if prefix == "q" {
            #expect(shown.lines[0].hasPrefix("unknown: the snapshots cannot be looked up: "))
            #expect(shown.lines[1].hasPrefix("metadata pack q"))
            #expect(shown.errors.contains("hint: delete the marker, which is version "))
        } else {
            #expect(shown.lines[0].hasPrefix("unknown: there is no snapshot '\(id)' in "))
            #expect(shown.lines[0].contains("; but 3 index blobs were deleted and are still there as versions, "))
        }
        #expect(shown.lines.contains("no snapshots: DELETABLE NOW"))
    }

    /// After everything was deleted that can be, the past is still readable, and only readable.
    @Test(arguments: [CloudBench.Kind.s3, .azure])
    func whatWasDeletedIsReadAsItWas(kind: CloudBench.Kind) async throws {
        let locked = try await Locked.make(kind, mode: kind == .s3 ? "COMPLIANCE" : "Locked")
        let id = try await locked.push("rows")
        // The services date versions in whole seconds or finer: the next second is after all of them, and what
        // is deleted within that second may be dated at its start.
        let before = Timestamp(seconds: Timestamp.now().seconds + 1)
        while Timestamp.now().seconds <= before.seconds { try await Task.sleep(for: .milliseconds(50)) }
        for name in try locked.bench.tool("keys", locked.container).split(separator: "\n") {
            let command = kind == .s3 ? "delete" : "hide"
            _ = try locked.bench.tool(command, locked.container, String(name))
        }
        let lost = await locked.world.run(["snapshot", "list"] + locked.repository)
        #expect(lost.code == 5)
        let past = ["--point-in-time", before.description] + locked.repository
        let read = await locked.world.run(["snapshot", "cat", id, "dump"] + past)
        #expect(read.text == "rows", "\(read.errors)")
        #expect(await locked.world.run(["repository", "verify"] + past).code == 0)
        #expect(await locked.world.run(["snapshot", "delete", id] + past).code == 3)
        #expect(await locked.world.run(["immutability", "verify", id] + past).code == 3)
        let tooEarly = ["--point-in-time", "2020-01-01T00:00:00Z"] + locked.repository
        #expect(await locked.world.run(["snapshot", "list"] + tooEarly).code == 5)
    }

    @Test func aFolderHasNoPast() async throws {
        let world = try await worldWithRepository()
        let outcome = await world.run(
            ["snapshot", "list", "--point-in-time", "2026-01-01T00:00:00Z"] + world.repository)
        #expect(outcome.code == 3)
        #expect(outcome.errors.contains("no versions are kept there"))
        #expect(await world.run(["snapshot", "list", "--point-in-time", "now"] + world.repository).code == 3)
    }

    @Test(arguments: [(299.0, false), (-299, false), (301, true), (-4000, true)])
    func clocksThatDifferByMoreThanFiveMinutesAreSaid(skew: Double, isSaid: Bool) {
        #expect((ClockCheck.text(skew: skew) != nil) == isSaid)
        if skew == -4000 {
            #expect(ClockCheck.text(skew: skew) == "this machine's clock is 1 h 6 min behind the storage's")
        }
    }

    @Test func aSnapshotThatNeverWasIsTheCallersMistake() async throws {
        let locked = try await Locked.make(.s3)
        #expect(await locked.verify("0000000000").code == 3)
    }

    /// What an older snapshot shares with a newer one is locked only from its own time on, until it is extended.
    @Test(arguments: [CloudBench.Kind.s3, .azure])
    func extendingReachesEveryBlobASnapshotNeeds(kind: CloudBench.Kind) async throws {
        let locked = try await Locked.make(kind, mode: kind == .s3 ? "GOVERNANCE" : "Locked", period: "2d")
        let first = try await locked.push("rows")
        let second = try await locked.push("rows")
        #expect(await locked.verify(second, "--min", "40d").code == 6)
        let mode = kind == .s3 ? "COMPLIANCE" : "Locked"
        let extended = await locked.world.run(
            ["immutability", "extend", second, "--for", "41d", "--retention-mode", mode, "--json"] + locked.repository)
        #expect(extended.code == 0, "\(extended.errors)")
        #expect(try JSONParser.parse(extended.text)["mode"] == .string(mode))
        let report = await locked.verify(second, "--min", "40d", "--json")
        #expect(report.code == 0, "\(report.errors)")
        #expect(try JSONParser.parse(report.text)["unconditional"] == true)
        // The first snapshot's own directory lies in a pack that only it needs.
        _ = first
        let shorter = await locked.world.run(["immutability", "extend", "--all"] + locked.repository)
        #expect(shorter.code == 0)
        #expect(await locked.verify(second, "--min", "40d").code == 0)
    }

    @Test func aFolderKeepsNoLocks() async throws {
        let world = try await worldWithRepository()
        try Files.write([1], world.path("in"))
        let pushed = await world.run(["location", "push", "-s", "x", "-"] + world.repository, input: world.path("in"))
        let id = try KopiaSnapshotReference(parsing: pushed.artifact).id
        let shown = await world.run(["immutability", "verify", id] + world.repository)
        #expect(shown.code == 6)
        #expect(
            shown.errors.hasPrefix(
                "pod-runner: error: no storage lock: deletable now (a folder keeps no locks: file://\(world.repositoryPath))"
            ))
        let extended = await world.run(["immutability", "extend", id] + world.repository)
        #expect(extended.code == 6)
        #expect(extended.errors.contains("folders keep no locks"))
    }

    @Test func aRetentionNeedsAStorageThatLocks() async throws {
        var world = try World()
        let retention = ["--retention-mode", "COMPLIANCE", "--retention-period", "30d"]
        let folder = await world.run(["repository", "create"] + retention + world.repository)
        #expect(folder.code == 3)
        #expect(folder.errors.contains("a folder keeps no locks"))
        #expect(!Files.exists(world.repositoryPath))
        let bench = try CloudBench.get(.s3)
        let bucket = try bench.make(locking: false)
        world.environment.merge(bench.environment) { _, new in new }
        let refused = await world.run(["repository", "create"] + retention + ["--repository", bench.url(bucket)])
        #expect(refused.code == 3)
        #expect(refused.errors.contains("cannot have a retention: it keeps no versions of them"))
        #expect(try bench.tool("keys", bucket) == "")
    }

    @Test(arguments: [
        ["repository", "create", "--retention-mode", "COMPLIANCE"],
        ["repository", "create", "--retention-mode", "COMPLIANCE", "--retention-period", "soon"],
        ["immutability", "verify"], ["immutability", "verify", "x", "--all"],
        ["immutability", "verify", "--all", "--min", "3"], ["immutability", "extend", "--all", "--for", "d"],
        ["immutability", "extend", "--all", "--retention-mode", "COMPLIANCE"],
        ["backup", "--require-immutable-for", "1x"],
    ])
    func wrongCommandLinesAreRefused(arguments: [String]) async throws {
        let world = try World()
        #expect(await world.run(arguments + world.repository).code == 2)
    }

    @Test(arguments: [("FOREVER", "30d"), ("COMPLIANCE", "23h")])
    func wrongRetentionsAreRefused(mode: String, period: String) async throws {
        let world = try World()
        let outcome = await world.run(
            ["repository", "create", "--retention-mode", mode, "--retention-period", period] + world.repository)
        #expect(outcome.code == 3)
    }

    // MARK: Backup

    private func options(require time: String? = nil, output key: String? = nil) -> ImmutabilityOptions {
        var options = ImmutabilityOptions()
        options.requireImmutableFor = time
        options.immutabilityOutput = key
        return options
    }

    private func open<Result>(
        _ locked: borrowing Locked, _ body: (Repository) async throws -> Result
    ) async throws -> Result {
        let location = try RepositoryLocation(
            url: locked.bench.url(locked.container), environment: locked.bench.environment)
        return try await Repository.with(
            at: location, password: RepositoryPassword(World.password), access: .readWrite,
            identity: RepositoryAccessPoint.defaultIdentity, body)
    }

    private func snapshot(_ repository: Repository) async throws -> Snapshot {
        try await repository.writeSnapshot(of: RepositoryAccessPoint.defaultIdentity.source(path: "/db")) { writer in
            try await writer.addFile("dump", bytes: Array("rows".utf8))
        }.snapshot
    }

    private var context: RunContext {
        RunContext(environment: [:], input: { throw TestSupportError("no input") }, output: { _ in }, errors: { _ in })
    }

    /// Chunks of an older backup are locked for a shorter time: they are extended, then the promise holds.
    @Test(arguments: [CloudBench.Kind.s3, .azure])
    func aBackupKeepsItsPromise(kind: CloudBench.Kind) async throws {
        let locked = try await Locked.make(kind, mode: kind == .s3 ? "COMPLIANCE" : "Locked", period: "30d")
        _ = try await locked.push("rows")
        let options = options(require: "30d", output: "lock")
        let line = try await open(locked) { repository in
            let required = try await options.prepare(repository)
            return try await options.keep(snapshot(repository), until: required, in: repository, context)
        }
        let text = try #require(line)
        #expect(text.hasPrefix("###Phase-output###: {\"key\":\"lock\",\"value\":\""))
        let value = try JSONParser.parse(String(text.dropFirst(20)))["value"]?.stringValue ?? ""
        let report = try JSONParser.parse(value)
        #expect(report["holds"] == true)
        #expect(report["weakest"]?["until"] == report["undeletableUntil"])
    }

    @Test func whatCannotBePromisedIsSaidBeforeAnythingIsWritten() async throws {
        let locked = try await Locked.make(.s3, period: "7d")
        let options = options(require: "30d")
        let error = await #expect(throws: RepositoryError.self) {
            try await open(locked) { _ = try await options.prepare($0) }
        }
        #expect(PodRunnerError(try #require(error)).exitCode == .verification)
        #expect(error?.message.hasSuffix("locks blobs for 168 hours, 720 are required") == true)
        let without = try await Locked.make(.s3, mode: nil)
        let second = await #expect(throws: RepositoryError.self) {
            try await open(without) { _ = try await options.prepare($0) }
        }
        #expect(second?.message.contains("asks for no retention") == true)
    }

    /// A promise that does not hold leaves no snapshot.
    @Test func aBrokenPromiseLeavesNoSnapshot() async throws {
        let locked = try await Locked.make(.s3, period: "30d")
        let kept = try await locked.push("rows")
        let key = try locked.bench.key("p", in: locked.container)
        let options = options(require: "30d")
        let bench = locked.bench
        let container = locked.container
        try await open(locked) { repository in
            let required = try await options.prepare(repository)
            let snapshot = try await snapshot(repository)
            // Somebody hides a pack that both snapshots need; it cannot be locked for longer.
            _ = try bench.tool("delete", container, key)
            let error = await #expect(throws: PodRunnerError.self) {
                _ = try await options.keep(snapshot, until: required, in: repository, context)
            }
            #expect(error?.exitCode == .verification)
            #expect(error?.message.contains("is hidden since ") == true)
        }
        let left = await locked.world.run(["snapshot", "list", "--json"] + locked.repository)
        #expect(try JSONParser.parse(left.text).arrayValue?.map { $0["id"]?.stringValue } == [kept])
    }

    @Test func outputsNeedKeysOfTheirOwn() throws {
        #expect(throws: PodRunnerError.self) { try options(output: "a").check(outputName: "a") }
        #expect(throws: PhaseOutputKeyError.self) {
            try options(output: "a b").check(outputName: "c")
        }
    }
}

@Suite struct DurationTextTests {
    @Test(arguments: [
        ("30d", 2_592_000), ("720h", 2_592_000), ("2w", 1_209_600), ("1d12h", 129_600), ("90m", 5400), ("0s", 0),
    ])
    func spansOfTime(text: String, seconds: Int64) { #expect(DurationText.parse(text) == seconds) }

    @Test(arguments: ["", "30", "d", "-1d", "1x", "1h1d", "1d1d", " 1d", "1.5d", "999999999999d", "99999999999w"])
    func whatIsNone(text: String) { #expect(DurationText.parse(text) == nil) }

    @Test(arguments: [(2_592_000, "30 d"), (90_061, "1 d 1 h"), (61, "1 min 1 s"), (0, "0 s"), (3_600, "1 h")])
    func forPeople(seconds: Int64, text: String) { #expect(DurationText.text(seconds) == text) }
}
