import ArgumentParser
import GoFormats
import KopiaRepository
import PostgresDump
import RunnerContract

/// `restore`.
struct Restore: PodRunnerAction {
    static let configuration = CommandConfiguration(
        abstract: "Bring a database back from a snapshot.",
        discussion: """
            Restores into a new database beside the target's name and puts it in place by renaming, so that a failure \
            leaves what was there untouched. Roles come first, then the database with its encoding, locale, owner, \
            settings and privileges, then the data. A database that is there and not empty is replaced only with --replace.

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

    @Option(help: ArgumentHelp("The application's role: it gets LOGIN and its password.", valueName: "name"))
    var appUser: String?

    @Option(help: ArgumentHelp("Environment variable with the application's password.", valueName: "name"))
    var appPasswordEnv: String?

    @Option(help: ArgumentHelp("File with the application's password.", valueName: "file"))
    var appPasswordFile: String?

    @Flag(help: "Replace a database that is not empty; its sessions are ended.")
    var replace = false

    @Flag(help: "Keep the replaced database beside the new one instead of dropping it.")
    var keepOld = false

    @Option(help: ArgumentHelp("Database to connect to for creating and renaming.", valueName: "name"))
    var maintenanceDb: String = "postgres"

    @Option(help: ArgumentHelp("Seconds between progress lines on standard error; 0 for none.", valueName: "seconds"))
    var heartbeat: Int = 5

    mutating func validate() throws {
        guard (0...3600).contains(heartbeat) else { throw ValidationError("--heartbeat must be from 0 to 3600") }
    }

    func run(_ context: RunContext) async throws {
        let place = try LocationPath(path)
        let id = try await snapshot.resolve(context)
        let (settings, database) = try connection.resolve(context)
        guard database.utf8.count <= 63 else {
            throw PodRunnerError(.input, "the database name \"\(database)\" is longer than PostgreSQL's 63 bytes")
        }
        let appPassword = try await applicationPassword(context)
        let access = try await repository.resolve(context)
        try await access.open(.readOnly) { repository in
            let found = try await repository.snapshot(named: id.description)
            let (dump, record) = try await Self.contents(of: found, file: place.file, in: repository)
            let file = try await repository.openFile(dump)
            let run = RestoreRun(
                settings: settings.with(database: maintenanceDb), database: database, record: record, file: file,
                application: appUser.flatMap { user in appPassword.map { (user, $0) } }, options: self, context: context
            )
            try await run.perform()
        }
    }

    private func applicationPassword(_ context: RunContext) async throws -> Secret? {
        let what = appPasswordFile == nil ? "--app-password-env" : "--app-password-file"
        let password = try await context.readSecret(file: appPasswordFile, variable: appPasswordEnv, what: what)
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
    private static func contents(
        of snapshot: Snapshot, file: String, in repository: Repository
    ) async throws -> (dump: DirectoryEntry, record: BackupRecord?) {
        guard snapshot.root.kind == .directory else { return (snapshot.root, nil) }
        let dump = try await repository.entry(at: file, in: snapshot)
        let all = try await repository.entries(of: snapshot.root)
        guard let entry = all.first(where: { $0.path == BackupRecord.fileName })?.entry else { return (dump, nil) }
        let record = try BackupRecord(parsing: await repository.openFile(entry).readAll(limit: 64 << 20))
        return (dump, record)
    }
}
