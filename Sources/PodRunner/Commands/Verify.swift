import ArgumentParser
import GoFormats
import KopiaRepository
import PostgresDump
import RunnerContract

/// `verify`.
struct Verify: PodRunnerAction {
    static let configuration = CommandConfiguration(
        abstract: "Prove that a backup can be restored.",
        discussion: """
            Without --restore-into: reads every byte of the snapshot. With it: the drill, a whole restore into a database of \
            that name followed by __restore_…, on the server of PGHOST; rows are compared by hash, owners and grants with what \
            was recorded. Everything made is removed again, and the report, of a failed drill too, is stored beside the \
            snapshot, in a snapshot of its own with the tags drill:SNAPSHOT and result:passed or result:failed. What a drill \
            that was killed left the next one removes, or restore --cleanup.

            Exit code 6 when rows, owners or grants differ, or the snapshot is damaged.
            """)

    @OptionGroup(title: "Repository") var repository: RepositoryOptions
    @OptionGroup(title: "Snapshot") var snapshot: SnapshotArgument
    @OptionGroup(title: "Server of the drill") var connection: ConnectionOptions

    @Option(help: ArgumentHelp("Do the drill, with this name for its database.", valueName: "name"))
    var restoreInto: String?

    @Option(
        name: [.customShort("s", allowingJoined: true), .customLong("path")],
        help: ArgumentHelp("The dump's path, as given to backup.", valueName: "path"))
    var path: String = "backup.sql"

    @OptionGroup var superuserObjects: SuperuserObjectsOption
    @OptionGroup var parallelism: JobsOption

    @Option(help: ArgumentHelp("Database to connect to for creating and dropping.", valueName: "name"))
    var maintenanceDb: String = "postgres"

    @Flag(inversion: .prefixedNo, help: "Store the drill's report in the repository.")
    var store = true

    @Flag(help: "Print the report as JSON.")
    var json = false

    @Option(
        name: .customLong("output-name"),
        help: ArgumentHelp("Print the drill's report as this key's output line.", valueName: "key"))
    var outputName: String?

    @Option(help: ArgumentHelp("Seconds between progress lines on standard error; 0 for none.", valueName: "seconds"))
    var heartbeat: Int = 5

    mutating func validate() throws {
        guard (0...3600).contains(heartbeat) else { throw ValidationError("--heartbeat must be from 0 to 3600") }
    }

    func run(_ context: RunContext) async throws {
        if let outputName { _ = try PhaseOutput(checking: outputName, value: "") }
        let place = try LocationPath(path)
        let id = try await snapshot.resolve(context)
        let access = try await repository.resolve(context)
        guard let restoreInto else {
            var extent = VerificationExtent()
            (extent.readData, extent.json) = (true, json)
            return try await extent.verify(access, snapshots: [id.description], context)
        }
        guard !restoreInto.isEmpty, restoreInto.utf8.count <= 40 else {
            throw PodRunnerError(.input, "--restore-into is \"\(restoreInto)\", not a name of 1 to 40 bytes")
        }
        let settings = try connection.resolve(context, database: maintenanceDb)
        try await access.open(store ? .readWrite : .readOnly) { repository in
            let found = try await repository.snapshot(named: id.description)
            let (dump, record) = try await Restore.contents(of: found, file: place.file, in: repository)
            let file = try await repository.openFile(dump)
            let run = RestoreRun(
                settings: settings, database: restoreInto, snapshot: id.description, record: record, file: file,
                application: nil,
                choices: RestoreChoices(
                    replace: true, heartbeat: heartbeat, jobs: parallelism.jobs, isDrill: true,
                    leavesOutSuperuserObjects: superuserObjects.leaveOutSuperuserObjects), context: context)
            var report = run.drillReport()
            do {
                try await PodRunnerError.namingDamage(
                    of: id.description, .verification,
                    hint: "try another snapshot (`snapshot verify` says which are whole)"
                ) { try await run.rehearse(&report) }
            } catch let error where !(error is CancellationError) {
                let failure = PodRunnerError(error)
                report.failure = (failure.exitCode.rawValue, failure.description)
                report.endTime = context.clock()
                await keepFailed(report, beside: found, in: repository, context)
                if json { try await context.print(GoJSON.text(report.json)) }
                throw error
            }
            report.endTime = context.clock()
            for line in report.lines { context.note(line) }
            if store { try await keep(report, beside: found, in: repository, context) }
            if json { try await context.print(GoJSON.text(report.json)) }
            if let outputName {
                try await context.print(PhaseOutput(checking: outputName, value: GoJSON.text(report.json)).line)
            }
        }
    }

    /// That the report cannot be stored must not hide why the drill failed.
    private func keepFailed(
        _ report: RestoreReport, beside snapshot: Snapshot, in repository: Repository, _ context: RunContext
    ) async {
        guard store else { return }
        do {
            try await keep(report, beside: snapshot, in: repository, context)
        } catch {
            context.note("warning: the report of the failed drill could not be stored: \(error)")
        }
    }

    /// A snapshot of its own: a snapshot cannot change, and its own source keeps retention from counting drills as backups.
    private func keep(
        _ report: RestoreReport, beside snapshot: Snapshot, in repository: Repository, _ context: RunContext
    ) async throws {
        let source = SnapshotSource(
            host: snapshot.source.host, userName: snapshot.source.userName, path: snapshot.source.path + "/drills")
        var options = SnapshotOptions()
        let outcome = report.failure == nil ? "passed" : "failed"
        options.description = "Restore drill of snapshot \(report.snapshot)\(report.failure == nil ? "" : ", failed")"
        options.tags = ["drill": report.snapshot, "run": report.run, "result": outcome]
        let written = try await repository.writeSnapshot(of: source, options: options) { writer in
            try await writer.addFile("drill.json", mode: .file, bytes: Array(GoJSON.text(report.json).utf8))
        }
        context.note("the report is stored as snapshot \(written.snapshot.id) of \(source)")
    }
}
