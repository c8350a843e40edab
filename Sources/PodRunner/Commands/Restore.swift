import ArgumentParser
import GoFormats
import KopiaRepository
import PostgresDump
import RunnerContract
import Secrets

/// `restore`.
struct Restore: PodRunnerAction {
    static let configuration = CommandConfiguration(
        abstract: "Bring a database back from a snapshot.",
        discussion: """
            Restores into a new database beside the target's name and puts it in place by renaming, in one transaction, so \
            that a failure or a crash leaves what was there untouched; run it again after a crash. Roles come first, then \
            the database with its encoding, locale, owner, settings and privileges, then the data. A database that is \
            there and not empty is replaced only with --replace, and kept for --keep-old; --undo puts it back.

            Snapshots made by kando hold the dump alone: then only the application's role is made. Connect as an \
            administrator who may create databases and roles; PGDATABASE names the database to restore.
            """)

    @OptionGroup(title: "Repository") var repository: RepositoryOptions
    @OptionGroup(title: "Snapshot") var snapshot: SnapshotArgument
    @OptionGroup(title: "Target database") var connection: ConnectionOptions

    @Option(
        name: [.customShort("s", allowingJoined: true), .customLong("path")],
        help: ArgumentHelp("The dump's path, as given to backup.", valueName: "path"))
    var path: String = "backup.sql"

    @Option(
        help: ArgumentHelp(
            "The application's role: it gets LOGIN and its password.",
            discussion: """
                One that the backup does not know, as of a copy with credentials of its own, takes the place of the role that owned \
                the database or what is in it: it owns, may and grants what that did, and that role is left alone. Not where \
                the database comes back under its own name and that role is there.
                """, valueName: "name"))
    var appUser: String?

    @Option(help: ArgumentHelp("Environment variable with the application's password.", valueName: "name"))
    var appPasswordEnv: String?

    @Option(help: ArgumentHelp("File with the application's password.", valueName: "file"))
    var appPasswordFile: String?

    @Flag(help: "Replace a database that is not empty; its sessions are ended.")
    var replace = false

    @Option(
        help: ArgumentHelp(
            "How long the replaced database is kept beside the new one: 30m, 24h, 7d; 0 drops it at once.",
            discussion: "It takes room on the server. The first restore or --cleanup after that time drops it.",
            valueName: "time"))
    var keepOld: String = "24h"

    @Flag(help: "Only look whether the restore would work and print go or no-go (exit 4); changes nothing.")
    var plan = false

    @Option(help: ArgumentHelp("What to print on standard output: nothing, or json.", valueName: "format"))
    var output: OutputFormat = .none

    @Option(
        name: .customLong("output-name"),
        help: ArgumentHelp("Print the report as this key's output line.", valueName: "key"))
    var outputName: String?

    enum OutputFormat: String, ExpressibleByArgument, Sendable {
        case none, json
    }

    @Option(
        help: ArgumentHelp(
            "Restore only this table, into a new schema restored_TIME of the database that is there.",
            discussion: """
                With its rows, sequences, defaults, constraints and indexes; without foreign keys, triggers, policies and grants. \
                SCHEMA.TABLE, or TABLE where that is unique; none is the same as no --table. The live tables are not touched. \
                What is left out is named, with --plan before anything is done.
                """, valueName: "name"))
    var table: String?

    @Flag(
        help: ArgumentHelp(
            "For servers without room for both: drop the live database first. Needs --yes-drop-first.",
            discussion: """
                A weaker promise: the snapshot is read and checked as a whole before, and all of it but the rows tried in a \
                database beside, but from the drop to the end of the restore there is no database, and if the restore fails \
                there is none until the next one succeeds. Nothing is kept, and --undo has nothing to put back.
                """))
    var inPlace = false

    @Flag(help: "With --in-place: yes, drop the live database before the restored one is complete.")
    var yesDropFirst = false

    @Flag(help: "Put the database that the last restore replaced back in place. Needs no snapshot.")
    var undo = false

    @Flag(
        help: """
            Drop replaced databases whose time is over and what restores that died left, of the whole server; with \
            --keep-old 0 those whose time is not over too. Needs no snapshot.
            """)
    var cleanup = false

    @Flag(
        help: ArgumentHelp(
            "Restore although owners, privileges or rights of roles are lost, and name them.",
            discussion: """
                Without it such a loss ends the restore with exit code 6 before anything is replaced: for example a role that is \
                here already and does not inherit, or a membership that the administrator may not give.
                """))
    var allowLostRights = false

    @OptionGroup var superuserObjects: SuperuserObjectsOption
    @OptionGroup var parallelism: JobsOption

    @Option(
        help: ArgumentHelp(
            "Size of the server's storage: 64G, 2T; none where it is not known. Then the check of the target says whether the restore fits.",
            discussion: """
                No statement tells it. A restore beside the live database that would use more than 95 of 100 parts is refused \
                before anything is touched; from 85 on there is a warning.
                """, valueName: "size"))
    var targetSpace: String?

    @Option(help: ArgumentHelp("Database to connect to for creating and renaming.", valueName: "name"))
    var maintenanceDb: String = "postgres"

    @Option(help: ArgumentHelp("Seconds between progress lines on standard error; 0 for none.", valueName: "seconds"))
    var heartbeat: Int = 5

    mutating func validate() throws {
        guard (0...3600).contains(heartbeat) else { throw ValidationError("--heartbeat must be from 0 to 3600") }
        guard Self.seconds(keepOld) != nil else {
            throw ValidationError("--keep-old is \"\(keepOld)\", not a time such as 30m, 24h or 7d, or 0")
        }
        guard !inPlace || yesDropFirst || plan else {
            throw ValidationError(
                "--in-place drops the live database before the restored one is complete; give --yes-drop-first as well")
        }
        guard targetSpace == nil || targetSpace == "none" || Self.bytes(targetSpace ?? "") != nil else {
            throw ValidationError("--target-space is \"\(targetSpace ?? "")\", not a size such as 64G or 2T")
        }
        guard !(undo && cleanup) else { throw ValidationError("--undo and --cleanup cannot be given together") }
    }

    /// Of `--keep-old`.
    var keepSeconds: Int64 { Self.seconds(keepOld) ?? 0 }

    var choices: RestoreChoices {
        RestoreChoices(
            replace: replace, inPlace: inPlace, keepSeconds: keepSeconds, heartbeat: heartbeat, jobs: parallelism.jobs,
            targetSpace: targetSpace.flatMap(Self.bytes), allowsLostRights: allowLostRights,
            leavesOutSuperuserObjects: superuserObjects.leaveOutSuperuserObjects)
    }

    /// `512M`, `64G`, `64GiB`, `2T`, in powers of 1024; at most 2⁵⁰.
    static func bytes(_ text: String) -> Int64? {
        let units: [Character: Int64] = ["M": 1 << 20, "G": 1 << 30, "T": 1 << 40]
        let short = text.hasSuffix("iB") ? text.dropLast(2) : text[...]
        guard let unit = short.last.flatMap({ units[$0] }), let number = Int64(short.dropLast()),
            (1...(1 << 50) / unit).contains(number)
        else { return nil }
        return number * unit
    }

    /// `90s`, `30m`, `24h`, `7d`, `0`; at most ten years.
    static func seconds(_ text: String) -> Int64? {
        if text == "0" { return 0 }
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        guard let unit = text.last.flatMap({ units[$0] }), let number = Int64(text.dropLast()),
            (0...315_360_000).contains(number), number * unit <= 315_360_000
        else { return nil }
        return number * unit
    }

    func run(_ context: RunContext) async throws {
        if let outputName { _ = try PhaseOutput(checking: outputName, value: "") }
        if cleanup { return try await cleanUp(context) }
        let (settings, database) = try connection.resolve(context)
        if undo { return try await undo(settings.with(database: maintenanceDb), database, context) }
        let place = try LocationPath(path)
        let id = try await snapshot.resolve(context, of: database)
        guard database.utf8.count <= 63 else {
            throw PodRunnerError(.input, "the database name \"\(database)\" is longer than PostgreSQL's 63 bytes")
        }
        let appPassword = try await applicationPassword(context)
        let access = try await repository.resolve(context)
        // What --in-place drops is dropped after the whole snapshot was read.
        let hint =
            "\(plan || inPlace ? "" : "database \"\(database)\" is as it was; ")restore another snapshot (`snapshot verify` says which are whole)"
        try await PodRunnerError.namingDamage(of: id.description, .repository, hint: hint) {
            try await access.open(.readOnly) { repository in
                let found = try await repository.snapshot(named: id.description)
                let (dump, record) = try await Self.contents(of: found, file: place.file, in: repository)
                let file = try await repository.openFile(dump)
                let isTable = table != nil && table != "none"
                let succession = isTable ? nil : try await succession(settings, database, record)
                let run = RestoreRun(
                    settings: settings.with(database: maintenanceDb), database: database, snapshot: id.description,
                    record: succession.flatMap { record?.after($0) } ?? record, file: file,
                    application: appUser.flatMap { user in appPassword.map { (user, $0) } },
                    choices: choices, context: context, succession: succession)
                if let table, table != "none" { return try await restore(table: table, run, context) }
                if plan { return try await printPlan(run.preflight(), context) }
                var report = try await run.perform()
                report.endTime = context.clock()
                for line in report.lines { context.note(line) }
                if output == .json { try await context.print(GoJSON.text(report.json)) }
                if let outputName {
                    try await context.print(PhaseOutput(checking: outputName, value: GoJSON.text(report.json)).line)
                }
            }
        }
    }

    /// Of the database itself, not a copy of it, nobody takes the owner's place while that one is there: others may belong to it,
    /// and the application's role may have had its rights in a way that no backup records.
    private func succession(
        _ settings: PostgresSettings, _ database: String, _ record: BackupRecord?
    ) async throws -> RoleSuccession? {
        guard let record, let succession = record.succession(by: appUser, administrator: settings.user) else {
            return nil
        }
        guard record.database.name == database else { return succession }
        let roles = try await PostgresClient.with(settings.with(database: maintenanceDb)) {
            try await TargetServer($0).roleNames()
        }
        return roles.contains(succession.predecessor) ? nil : succession
    }

    private func printPlan(_ preflight: RestorePreflight, _ context: RunContext) async throws {
        if output == .json {
            try await context.print(GoJSON.text(preflight.json))
        } else {
            for line in preflight.lines { try await context.print(line) }
        }
        if let obstacle = preflight.obstacle { throw obstacle }
    }

    private func applicationPassword(_ context: RunContext) async throws -> Secret? {
        let what = appPasswordFile == nil ? "--app-password-env" : "--app-password-file"
        let password = try await context.readSecret(file: appPasswordFile, variable: appPasswordEnv, what: what)
        if let appUser {
            guard !appUser.isEmpty else {
                throw PodRunnerError(
                    .input, "the name of the application's role is empty", hint: "look at what --app-user gets")
            }
            try ConnectionOptions.checkEnd(of: appUser, what: "the name of the application's role")
        }
        guard (appUser == nil) == (password == nil) else {
            throw PodRunnerError(
                .usage, "--app-user and its password belong together",
                hint: "give --app-user with --app-password-env or --app-password-file")
        }
        if let password, password.revealed.isEmpty {
            throw PodRunnerError(.input, "the password of \(appUser ?? "") is empty")
        }
        return password
    }

    /// The dump's entry, and the record beside it when pod-runner made the snapshot.
    static func contents(
        of snapshot: Snapshot, file: String, in repository: Repository
    ) async throws -> (dump: DirectoryEntry, record: BackupRecord?) {
        guard snapshot.root.kind == .directory else { return (snapshot.root, nil) }
        let dump = try await repository.entry(at: file, in: snapshot)
        let all = try await repository.entries(of: snapshot.root)
        guard let entry = all.first(where: { $0.path == BackupRecord.fileName })?.entry else { return (dump, nil) }
        let record = try BackupRecord(parsing: await repository.openFile(entry).readAll(limit: BackupRecord.bytesMax))
        return (dump, record)
    }
}
