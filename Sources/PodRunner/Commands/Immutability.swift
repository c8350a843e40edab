import ArgumentParser
import GoFormats
import KopiaRepository
import RunnerContract

/// `immutability verify|extend`.
struct ImmutabilityGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "immutability",
        abstract: "Prove until when snapshots cannot be deleted by anybody, or make it longer.",
        discussion: """
            On S3 with object lock and on Azure with version-level immutability every blob that a snapshot needs carries a time before \
            which its version cannot be deleted. What a snapshot needs: the format blobs, all index blobs, epoch markers, the packs of all its \
            contents, and the packs of all manifests, because kopia lists no snapshots with one of them missing.
            """,
        subcommands: [Verify.self, Extend.self])

    struct Verify: PodRunnerAction {
        static let configuration = CommandConfiguration(
            abstract: "Say until when snapshots cannot be deleted, and name the weakest blob.",
            discussion: """
                Looks up the lock of every blob the snapshots need, at the storage itself and by its clock. A blob under a delete marker is \
                named as hidden, with the version that is left and what hides it. Writes nothing.

                Exit code 6 when a blob has no lock, is hidden or missing, or when a lock ends before --min has passed.
                """)

        @OptionGroup var repository: RepositoryOptions
        @OptionGroup var selection: SnapshotSelection
        @Option(
            name: [.customLong("min")],
            help: ArgumentHelp(
                "How long every blob must stay locked at least, from now on: 30d, 720h.", valueName: "time"))
        var minimum: String?
        @Flag(help: "As JSON.") var json = false

        mutating func validate() throws { _ = try Self.seconds(minimum, of: "--min") }

        /// - Throws: `ValidationError` for what is no span of time.
        static func seconds(_ text: String?, of flag: String) throws -> Int64? {
            guard let text else { return nil }
            guard let seconds = DurationText.parse(text) else {
                throw ValidationError("\(flag) is \"\(text)\", not a time such as 30d, 720h or 2w")
            }
            return seconds
        }

        func run(_ context: RunContext) async throws {
            let required = try Self.seconds(minimum, of: "--min").map { ImmutabilityRequirement.seconds($0) }
            let access = try await repository.resolve(context)
            let report = try await access.reporting {
                try await Repository.immutability(
                    at: access.location, password: access.password, identity: access.identity,
                    ofSnapshotsNamed: selection.snapshots, required: required ?? .now)
            }
            if json {
                try await context.print(GoJSON.text(report.json))
            } else {
                for line in report.lines { try await context.print(line) }
            }
            if let failure = report.failure { throw failure }
        }
    }

    struct Extend: PodRunnerAction {
        static let configuration = CommandConfiguration(
            abstract: "Lock the blobs that snapshots need for longer.",
            discussion: """
                Locks every blob that the snapshots need until the repository's retention period, or --for, has passed from now on; no lock \
                becomes shorter. What no snapshot needs is left to expire. Run it daily, or let kopia's maintenance do it \
                (`kopia maintenance set --extend-object-locks=true`), which extends all blobs.
                """)

        @OptionGroup var repository: RepositoryOptions
        @OptionGroup var selection: SnapshotSelection
        @Option(
            name: [.customLong("for")],
            help: ArgumentHelp("How long, from now on (default: the repository's period).", valueName: "time"))
        var period: String?
        @Option(
            help: ArgumentHelp(
                "GOVERNANCE, COMPLIANCE or Locked (default: the repository's mode); needs --for.", valueName: "mode"))
        var retentionMode: String?
        @Flag(help: "As JSON.") var json = false

        mutating func validate() throws {
            _ = try Verify.seconds(period, of: "--for")
            guard retentionMode == nil || period != nil else { throw ValidationError("--retention-mode needs --for") }
        }

        func run(_ context: RunContext) async throws {
            let seconds = try Verify.seconds(period, of: "--for")
            let access = try await repository.resolve(context)
            let result = try await access.open(.readWrite) { repository in
                var setting: RetentionSetting?
                if let seconds {
                    guard let mode = retentionMode ?? repository.status.retention?.mode else {
                        throw PodRunnerError(
                            .input, "the repository has no retention mode of its own", hint: "give --retention-mode")
                    }
                    setting = try RetentionSetting(mode: mode, periodSeconds: seconds)
                }
                return try await repository.extendLocks(of: selection.resolve(in: repository), retention: setting)
            }
            if json {
                try await context.print(GoJSON.text(result.json))
            } else {
                for failure in result.failures {
                    try await context.print("not extended: \(Listing.safe(failure.message))")
                }
                for problem in result.unreadable { try await context.print("unknown: \(Listing.safe(problem))") }
                try await context.print(
                    "\(result.blobCount - result.failures.count) blobs locked until \(Listing.time(result.until)) or later (\(result.mode))"
                )
            }
            guard result.failures.isEmpty, result.unreadable.isEmpty else {
                throw PodRunnerError(
                    .repository, "\(result.failures.count) of \(result.blobCount) blobs could not be locked for longer",
                    hint: result.failures.first?.hint)
            }
        }
    }
}

/// Which snapshots an answer is about.
struct SnapshotSelection: ParsableArguments, Sendable {
    @Argument(help: "Their IDs, or the beginnings of them.") var snapshots: [String] = []
    @Flag(help: "All snapshots, of every source.") var all = false

    mutating func validate() throws {
        guard all == snapshots.isEmpty else { throw ValidationError("give either snapshots or --all") }
    }

    func resolve(in repository: Repository) async throws -> [Snapshot] {
        if all { return try await repository.snapshots(includeIncomplete: true) }
        var chosen: [Snapshot] = []
        for name in snapshots { chosen.append(try await repository.snapshot(named: name)) }
        return chosen
    }
}
