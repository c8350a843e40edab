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

            The connection comes from PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE and libpq's other variables.
            """)

    @OptionGroup(title: "Repository") var repository: RepositoryOptions
    @OptionGroup(title: "Source database") var connection: ConnectionOptions
    @OptionGroup(title: "Immutability") var immutability: ImmutabilityOptions

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
            "kopia's name of a compression, none, or policy for what the repository's policies say.",
            valueName: "name"))
    var compression: String = "zstd-fastest"

    @Option(
        help: ArgumentHelp(
            "How to cut the dump into chunks (default: the policies' way, else small chunks, by the size of the last dump).",
            discussion: "kopia's name of a splitter, or the average size of a chunk: 16K, 1M.", valueName: "name"))
    var splitter: String?

    @Option(help: ArgumentHelp("How long to wait for table locks before giving up.", valueName: "seconds"))
    var lockWait: Int = 120

    @Option(help: ArgumentHelp("Seconds between progress lines on standard error; 0 for none.", valueName: "seconds"))
    var heartbeat: Int = 5

    mutating func validate() throws {
        guard (1...86_400).contains(lockWait) else { throw ValidationError("--lock-wait must be from 1 to 86400") }
        try Splitter.validate(splitter)
        guard (0...3600).contains(heartbeat) else { throw ValidationError("--heartbeat must be from 0 to 3600") }
    }

    func run(_ context: RunContext) async throws {
        _ = try PhaseOutput(checking: outputName, value: "")
        try immutability.check(outputName: outputName)
        let place = try LocationPath(path)
        guard
            ![BackupRecord.fileName, BackupRecord.rolesFileName, BackupRecord.instructionsFileName].contains(place.file)
        else {
            throw PodRunnerError(.input, "the dump cannot be named \(place.file): the snapshot has a file of that name")
        }
        var options = SnapshotOptions()
        options.tags = try parsedTags()
        options.pins = pin
        options.compression = compression == "policy" ? nil : compression
        options.splitter = splitter.flatMap { Splitter(nameOrSize: $0) }
        let (settings, database) = try connection.resolve(context)
        let access = try await repository.resolve(context)
        let start = context.clock()
        let (written, promise) = try await DumpSession.with(settings) { session in
            let program = try await PostgresProgram.find(
                "pg_dump", serverMajor: session.source.serverMajor, binaryFolder: connection.pgBinDir,
                environment: context.environment)
            let dump = DumpOptions(
                program: program, settings: settings, snapshot: session.snapshot, lockWaitSeconds: lockWait,
                environment: context.environment)
            describe(session, settings, program, context)
            let run = BackupRun(
                session: session, dump: dump, place: place, access: access, context: context, heartbeat: heartbeat,
                runID: RunID.make(), startTime: start, immutability: immutability)
            var options = options
            options.expectedLength = session.source.sizeBytes
            options.description = description ?? "PostgreSQL database \(database)"
            options.tags["run"] = run.runID
            options.tags["database"] = options.tags["database"] ?? database
            do {
                return try await run.perform(options)
            } catch {
                context.note("no snapshot was made")
                throw error
            }
        }
        let seconds = context.clock().secondsSince(start)
        for warning in written.warnings { context.note("warning: \(warning)") }
        context.note(
            "snapshot \(written.snapshot.id) of \(written.snapshot.source): \(Figures.bytes(written.logicalBytes)), "
                + "\(Figures.bytes(written.uploadedBytes)) added, \(Figures.seconds(seconds))")
        if let promise { try await context.print(promise) }
        try await context.print(Location.Push.outputLine(outputName, written))
    }

    private func describe(
        _ session: DumpSession, _ settings: PostgresSettings, _ program: PostgresProgram, _ context: RunContext
    ) {
        let source = session.source
        var line = "\(settings): PostgreSQL \(source.serverVersionText), "
        line += source.isStandby ? "standby" : "primary"
        line += " at \(source.lsn)"
        if let lag = source.lagSeconds { line += ", \(Figures.seconds(lag)) behind" }
        context.note(
            "\(line); \(Figures.bytes(source.sizeBytes)) on disk; pg_dump \(program.version) (\(program.path))")
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

/// The stream from pg_dump into one snapshot.
private struct BackupRun: Sendable {
    let session: DumpSession
    let dump: DumpOptions
    let place: LocationPath
    let access: RepositoryAccessPoint
    let context: RunContext
    let heartbeat: Int
    let runID: String
    let startTime: Timestamp
    let immutability: ImmutabilityOptions

    /// - Returns: the snapshot, and the output line about its locks where one was asked for.
    func perform(_ options: SnapshotOptions) async throws -> (WrittenSnapshot, promise: String?) {
        let source = access.identity.source(path: place.sourcePath(database: session.database.name))
        var options = options
        // The folder kando would write, whatever the source is called.
        options.rootName = place.folder
        let beat = Heartbeat("dumped", context)
        return try await access.open(.readWrite) { repository in
            let required = try await immutability.prepare(repository)
            let written = try await beat.during(every: heartbeat) {
                try await repository.writeSnapshot(of: source, options: options) { writer in
                    let keys = try DumpKeys(of: repository, database: session.database.name)
                    var dump = dump
                    dump.restrictKey = keys.restrict
                    var digester = CopyDigester(key: keys.rows)
                    try await DumpStream.with(dump, standardError: context.errors) { stream in
                        _ = try await writer.addFile(place.file) {
                            guard let chunk = try await stream.read() else { return nil }
                            beat.add(chunk.count)
                            digester.scan(chunk)
                            return chunk
                        }
                    }
                    let tables = try await session.digests(of: digester, key: keys.rows)
                    let record = BackupRecord(
                        session: session, settings: dump.settings, options: dump, runID: runID, dumpFile: place.file,
                        dumpBytes: beat.total, tables: tables, startTime: startTime, endTime: context.clock())
                    let roles = session.roles.script(database: session.database.name)
                    let instructions = RestoreInstructions.text(record: record, source: source)
                    try await writer.addFile(BackupRecord.fileName, mode: .file, bytes: record.text)
                    try await writer.addFile(BackupRecord.rolesFileName, mode: .file, bytes: Array(roles.utf8))
                    try await writer.addFile(
                        BackupRecord.instructionsFileName, mode: .file, bytes: Array(instructions.utf8))
                }
            }
            return (
                written, try await immutability.keep(written.snapshot, until: required, in: repository, context)
            )
        }
    }
}

/// The keys a dump needs, from the repository's secret: stable, so that an unchanged database has an unchanged dump and
/// equal digests mean equal rows, and unknown to the database's server.
struct DumpKeys: Sendable {
    /// 64 hexadecimal digits.
    let restrict: String
    let rows: RowHashKey

    /// - Throws: `RepositoryError`.
    init(of repository: Repository, database: String) throws {
        func key(_ purpose: String, _ length: Int) throws -> [UInt8] {
            if let key = try repository.derivedKey(for: purpose, length: length) { return key.bytes }
            var generator = SystemRandomNumberGenerator()
            return (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
        }
        restrict = Hex.encode(try key("pg_dump restrict key " + database, 32))
        guard let rows = RowHashKey(try key("row hash", 16)) else {
            throw PodRunnerError(.repository, "the repository gave a row hash key of another length than 16 bytes")
        }
        self.rows = rows
    }
}

/// Names one run: in tags, in side databases, as a key that nobody can guess.
enum RunID {
    /// 32 hexadecimal digits, from the system's random numbers.
    static func make() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<2).map { _ in
            let text = String(generator.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }.joined()
    }
}
