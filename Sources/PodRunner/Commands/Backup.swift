import ArgumentParser
import GoFormats
import KopiaRepository
import PostgresDump
import RunnerContract

/// `backup`.
struct Backup: PodRunnerAction {
    static let configuration = CommandConfiguration(
        abstract: "Dump a database into a snapshot.",
        discussion: """
            Checks the source, runs pg_dump and streams it into the repository. The snapshot appears only after pg_dump has \
            succeeded and everything is durable; then the output line is printed, last. The snapshot also holds karaffe.json \
            (what was dumped, when, from where), roles.sql and RESTORE.md (the way back without this program).

            The connection comes from PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE and libpq's other variables. With \
            PGSSLROOTCERT and no PGSSLMODE the server is checked (verify-full).

            With --database or --all-databases the output line's value is an array with the snapshot of each database. One that \
            fails does not stop the others: all that is wrong is said in one run, and the exit code is that of the first \
            that failed. Such a run prints no output line, and the snapshots it made are removed again, because nobody would \
            ever delete them; what they stored makes the next run short. With --keep-partial they stay, and the output line has \
            them and the errors of the others.

            'pod-runner check' looks at the source without dumping it.
            """)

    @OptionGroup(title: "Repository") var repository: RepositoryOptions
    @OptionGroup(title: "Source database") var connection: ConnectionOptions
    @OptionGroup(title: "Immutability") var immutability: ImmutabilityOptions
    @OptionGroup(title: "Several databases") var databases: DatabaseOptions
    @OptionGroup(title: "What is dumped") var scope: ScopeOptions
    @OptionGroup(title: "Freshness of a standby") var freshness: FreshnessOptions
    @OptionGroup(title: "Failures and time") var persistence: PersistenceOptions

    @Option(
        name: [.customShort("s", allowingJoined: true), .customLong("path")],
        help: ArgumentHelp("Folder and name of the dump in the repository.", valueName: "path"))
    var path: String = "backup.sql"

    @Option(
        name: [.customShort("o", allowingJoined: true), .customLong("output-name")],
        help: ArgumentHelp("Key of the output line.", valueName: "key"))
    var outputName: String = "kopiaOutput"

    @Option(help: ArgumentHelp("The snapshot's description (default: names the database).", valueName: "text"))
    var description: String?

    @Option(help: ArgumentHelp("A tag; may be repeated.", valueName: "key:value"))
    var tags: [String] = []

    @Option(help: ArgumentHelp("A pin: retention never removes the snapshot; may be repeated.", valueName: "name"))
    var pin: [String] = []

    @Option(
        help: ArgumentHelp(
            "kopia's name of a compression, none, or policy (default: what a policy chooses, else zstd-fastest).",
            discussion:
                "kopia gives every new repository a global policy with none, which is no choice here; policy takes that, too.",
            valueName: "name"))
    var compression: String?

    @Option(
        help: ArgumentHelp(
            "How to cut the dump into chunks (default: the policies' way, else small chunks, by the size of the last dump).",
            discussion:
                "kopia's name of a splitter, or the average size of a chunk: 24K, 1M. Small chunks keep the next day's backup small; behind a repository server the default is at least 64K, because each chunk is a request to it.",
            valueName: "name"))
    var splitter: String?

    @Option(help: ArgumentHelp("How long to wait for table locks before giving up.", valueName: "seconds"))
    var lockWait: Int = 120

    @Option(
        help: ArgumentHelp(
            "Another container runs pg_dump, as this shared folder's scripts say.",
            discussion:
                "For MultiContainerRun with a stock postgres image; blueprints/flexible-mcr-bp.yaml has the other side. The dump "
                + "counts only when that pg_dump has said that it succeeded.",
            valueName: "folder"))
    var dumpFrom: String?

    @Option(
        help: ArgumentHelp(
            "How long that container may take to say how pg_dump ended, once the dump is at its end.", valueName: "time"
        ))
    var dumpExitWait = TimeSpan(seconds: 30)

    @Option(help: ArgumentHelp("Seconds between progress lines on standard error; 0 for none.", valueName: "seconds"))
    var heartbeat: Int = 5

    mutating func validate() throws {
        guard (1...86_400).contains(lockWait) else { throw ValidationError("--lock-wait must be from 1 to 86400") }
        try Splitter.validate(splitter)
        if dumpFrom != nil, databases.areSeveral {
            throw ValidationError("--dump-from serves one database, not --database or --all-databases")
        }
        guard (0...3600).contains(heartbeat) else { throw ValidationError("--heartbeat must be from 0 to 3600") }
    }

    func run(_ context: RunContext) async throws {
        let deadline = BackupDeadline(span: persistence.deadline.value, start: context.clock())
        if let dumpFrom { try RemoteDump.announce(folder: dumpFrom) }
        // Whatever happens here: the other container must not wait for ever.
        defer { if let dumpFrom { RemoteDump.finish(folder: dumpFrom) } }
        _ = try PhaseOutput(checking: outputName, value: "")
        try immutability.check(outputName: outputName)
        let place = try LocationPath(path)
        guard
            ![BackupRecord.fileName, BackupRecord.rolesFileName, BackupRecord.instructionsFileName].contains(place.file)
        else {
            throw PodRunnerError(.input, "the dump cannot be named \(place.file): the snapshot has a file of that name")
        }
        _ = try snapshotOptions()
        let settings = try connection.settings(context, needsDatabase: !databases.areSeveral)
        let access = try await repository.resolve(context)
        let lines = try await deadline.within(isPartial: databases.keepPartial) {
            try await access.open(.readWrite) { repository in
                func job(_ database: String) -> BackupJob {
                    BackupJob(
                        settings: settings.with(database: database), database: database, repository: repository,
                        place: place, identity: access.identity, options: self,
                        isOneOfSeveral: databases.areSeveral, deadline: deadline, context: context)
                }
                if databases.areSeveral { return [try await several(settings, repository, context, job)] }
                let finished = try await job(settings.database ?? "").perform()
                context.note(BackupReport.line(finished))
                return [finished.promise, try Location.Push.outputLine(outputName, finished.written)]
                    .compactMap { $0 }
            }
        }
        for line in lines { try await context.print(line) }
    }

    /// - Returns: the output line.
    private func several(
        _ settings: PostgresSettings, _ repository: Repository, _ context: RunContext, _ job: (String) -> BackupJob
    ) async throws -> String {
        let run = SeveralBackups(repository: repository, keepsPartial: databases.keepPartial, context: context)
        let report = try await run.perform(try await databaseNames(settings, context).map(job))
        let line = try PhaseOutput(checking: outputName, value: report.value).line
        do {
            try report.check()
        } catch {
            if databases.keepPartial { try await context.print(line) }
            throw error
        }
        return line
    }

    private func databaseNames(_ settings: PostgresSettings, _ context: RunContext) async throws -> [String] {
        guard databases.allDatabases else { return databases.database }
        let names = try await PostgresClient.with(
            settings.database == nil ? settings.with(database: "postgres") : settings
        ) {
            try await DatabaseList.all(on: $0)
        }
        guard !names.isEmpty else {
            throw PodRunnerError(
                .input, "there is no database to back up on \(settings.host):\(settings.port)",
                hint: "databases named postgres, templates and those of cloud providers are left out")
        }
        context.note("\(Figures.count(names.count, "database")) on \(settings.host):\(settings.port)")
        return names
    }

    /// What the command line says about the snapshot.
    func snapshotOptions() throws -> SnapshotOptions {
        var options = SnapshotOptions()
        options.tags = try parsedTags()
        options.pins = pin
        options.compression = compression == "policy" ? nil : compression
        // The promise looks at every blob itself.
        options.requiresSharedPacks = immutability.requireImmutableFor == nil
        options.compressionUnlessChosen = compression == nil ? "zstd-fastest" : nil
        options.splitter = splitter.flatMap { Splitter(nameOrSize: $0) }
        return options
    }

    private func parsedTags() throws -> [String: String] {
        var parsed: [String: String] = [:]
        for tag in tags {
            guard let colon = tag.firstIndex(of: ":"), colon != tag.startIndex else {
                throw PodRunnerError(.input, "the tag \"\(tag)\" is not key:value")
            }
            parsed[String(tag[..<colon])] = String(tag[tag.index(after: colon)...])
        }
        return parsed
    }
}
