import GoFormats
import KopiaRepository
import PostgresDump
import RunnerContract

/// One database into one snapshot: as many attempts as it takes and is allowed, each a dump of its own.
struct BackupJob: Sendable {
    let settings: PostgresSettings
    let database: String
    let repository: Repository
    let place: LocationPath
    let identity: RepositoryIdentity
    let options: Backup
    /// Of several databases in one run.
    let isOneOfSeveral: Bool
    let deadline: BackupDeadline
    let context: RunContext

    struct Finished: Sendable {
        let written: WrittenSnapshot
        let tables: Int
        let rows: Int64
        let seconds: Double
        let attempts: Int
        /// The output line about the locks of the snapshot's blobs, where one was asked for.
        let promise: String?
    }

    private var source: SnapshotSource { identity.source(path: place.sourcePath(database: database)) }

    /// - Throws: the last attempt's `PostgresError`; `RepositoryError`; `CancellationError`.
    func perform() async throws -> Finished {
        let start = context.clock()
        let last = try await lastRecord()
        var attempts: [BackupAttempt] = []
        let servers = [settings] + (options.persistence.fallbackToPrimary.value.map { [settings.at($0)] } ?? [])
        for (number, server) in servers.enumerated() {
            let isLast = number == servers.count - 1
            var retries = 0
            while true {
                let time = context.clock()
                do {
                    return try await attempt(server, isFallback: number > 0, last: last, attempts, since: start)
                } catch let error as PostgresError where mayPass(error, retries, isLast: isLast) {
                    attempts.append(BackupAttempt(server, from: time, to: context.clock(), error: error))
                    context.note("attempt \(attempts.count) failed: \(error.message)")
                    guard retries < options.persistence.retries, error.code != .lagging else { break }
                    retries += 1
                    let delay = options.persistence.delay(before: retries)
                    context.note("trying again in \(delay), retry \(retries) of \(options.persistence.retries)")
                    try await Task.sleep(for: delay.duration)
                }
            }
            if !isLast { context.note("falling back to \(servers[number + 1].host), as --fallback-to-primary says") }
        }
        // Every round ends with a return, a throw or the next server.
        throw PodRunnerError(.database, "no attempt was made to back up \(settings)")
    }

    /// Whether there is anything left to try after this failure.
    private func mayPass(_ error: PostgresError, _ retries: Int, isLast: Bool) -> Bool {
        guard error.isTransient else { return false }
        if !isLast { return true }
        return retries < options.persistence.retries && error.code != .lagging
    }

    private func attempt(
        _ server: PostgresSettings, isFallback: Bool, last: BackupRecord?, _ failed: [BackupAttempt],
        since start: Timestamp
    ) async throws -> Finished {
        let barrier =
            isFallback ? ReplayBarrier(waitSeconds: 0) : try await options.freshness.barrier(server)
        return try await DumpSession.with(
            server,
            preparing: { client in
                try await barrier.wait(on: client) { context.note($0) }
                try await check(client)
            }
        ) { session in
            let time = context.clock()
            let program =
                options.dumpFrom != nil
                ? .elsewhere("pg_dump", serverMajor: session.source.serverMajor)
                : try await PostgresProgram.find(
                    "pg_dump", serverMajor: session.source.serverMajor, binaryFolder: options.connection.pgBinDir,
                    environment: context.environment)
            describe(session, server, program)
            let estimate = DumpEstimate(last: last, databaseBytes: session.source.sizeBytes)
            if let warning = deadline.warning(estimate, at: context.clock()) { context.note(warning) }
            var dump = DumpOptions(
                program: program, settings: server, snapshot: session.snapshot, lockWaitSeconds: options.lockWait,
                environment: context.environment)
            dump.scope = options.scope.scope
            let run = DumpRun(job: self, session: session, dump: dump, estimate: estimate, failed: failed, start: time)
            do {
                try await ClockCheck.run(repository, context)
                let required = try await options.immutability.prepare(repository)
                let (written, tables) = try await run.perform(source: source)
                for warning in written.warnings { context.note("warning: \(warning)") }
                let promise = try await options.immutability.keep(
                    written.snapshot, until: required, in: repository, context)
                return Finished(
                    written: written, tables: tables.tables.count, rows: tables.rows,
                    seconds: context.clock().secondsSince(start), attempts: failed.count + 1,
                    promise: promise)
            } catch {
                context.note("no snapshot was made")
                throw error
            }
        }
    }

    /// What would make the dump fail is said before it starts; the rest is told.
    private func check(_ client: PostgresClient) async throws {
        let check = try await SourceCheck.run(
            client, binaryFolder: options.connection.pgBinDir, environment: context.environment)
        for finding in check.findings where finding.severity != .note && finding.code != "no-pg-dump" {
            context.note("\(finding.severity.rawValue): \(finding.message.onOneLine)")
        }
        // Of a part of a database other parts need not be readable.
        let fatal = check.findings.filter { $0.severity == .error && $0.code != "no-pg-dump" }
        guard let first = fatal.first, options.scope.scope.tables.isEmpty else { return }
        throw PostgresError(.permission, "\(server(client)) cannot be dumped: \(first.message)", hint: first.hint)
    }

    private func server(_ client: PostgresClient) -> String { "\(client.settings)" }

    private func describe(_ session: DumpSession, _ server: PostgresSettings, _ program: PostgresProgram) {
        let source = session.source
        var line = "\(server): PostgreSQL \(source.serverVersionText), "
        line += source.isStandby ? "standby" : "primary"
        line += " at \(source.lsn)"
        if let lag = source.lagSeconds { line += ", \(Figures.seconds(lag)) behind" }
        context.note(
            "\(line); \(Figures.bytes(source.sizeBytes)) on disk; pg_dump \(program.version) (\(program.path))")
    }

    /// What the command line says about the snapshot, with the tag that tells databases of one source apart.
    func snapshotOptions() throws -> SnapshotOptions {
        var options = try options.snapshotOptions()
        options.tags["database"] = options.tags["database"] ?? database
        return options
    }

    /// The last complete backups of this database, the newest first: others may share its source.
    private func lastSnapshots() async throws -> [Snapshot] {
        let tag = try snapshotOptions().tags["database"]
        return try await repository.snapshots(source: source).filter { $0.tags["tag:database"] == tag }.reversed()
    }

    /// The record of the last backup of this database with the same scope, among the last few; nil without one. It serves an
    /// estimate only, so that one which cannot be read is told and does not stop the backup.
    func lastRecord() async throws -> BackupRecord? {
        do {
            for last in try await lastSnapshots().prefix(Self.recordsMax) {
                guard
                    let entry = try await repository.entries(of: last.root).first(where: {
                        $0.path == BackupRecord.fileName
                    })?.entry
                else { continue }
                let bytes = try await repository.openFile(entry).readAll(limit: BackupRecord.bytesMax)
                let record = try BackupRecord(parsing: bytes)
                if record.scope == options.scope.scope, record.database.name == database { return record }
            }
        } catch let error where error is RepositoryError || error is PodRunnerError {
            context.note(
                "warning: the last backup cannot be looked at, there is no estimate: \(PodRunnerError(error).message)")
        }
        return nil
    }

    /// Daily backups with an extra one of some tables in between find the whole one.
    private static let recordsMax = 4
}
