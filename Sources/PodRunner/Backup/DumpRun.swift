import GoFormats
import KopiaRepository
import PostgresDump

/// The stream from one pg_dump into one snapshot.
struct DumpRun: Sendable {
    let job: BackupJob
    let session: DumpSession
    let dump: DumpOptions
    let estimate: DumpEstimate?
    /// The attempts before this one.
    let failed: [BackupAttempt]
    /// When the view of the data was taken.
    let start: Timestamp

    /// - Returns: the published snapshot, and what was in the dump.
    func perform(source: SnapshotSource) async throws -> (WrittenSnapshot, TableDigests) {
        let (options, context, repository) = (job.options, job.context, job.repository)
        let runID = RunID.make()
        let keys = try DumpKeys(of: repository, database: job.database)
        let progress = BackupProgress(
            tableCount: session.tableCount, estimate: estimate, name: job.isOneOfSeveral ? job.database : nil, context)
        var tables = TableDigests(key: keys.rows, settings: session.copySettings, tables: [])
        let written = try await progress.during(every: options.heartbeat) {
            try await repository.writeSnapshot(of: source, options: snapshotOptions(runID)) { writer in
                tables = try await stream(to: writer, keys: keys, progress: progress)
                var record = BackupRecord(
                    session: session, settings: dump.settings, options: dump, runID: runID, dumpFile: job.place.file,
                    dumpBytes: progress.bytes, tables: tables, startTime: start, endTime: context.clock())
                record.attempts =
                    failed + [BackupAttempt(dump.settings, from: start, to: record.endTime, error: nil)]
                let roles = session.roles.script(database: session.database.name)
                let instructions = RestoreInstructions.text(record: record, source: source)
                let (text, warning) = record.text(bytesMax: BackupRecord.bytesMax)
                if let warning { context.note("warning: \(warning)") }
                try await writer.addFile(BackupRecord.fileName, mode: .file, bytes: text)
                try await writer.addFile(BackupRecord.rolesFileName, mode: .file, bytes: Array(roles.utf8))
                try await writer.addFile(
                    BackupRecord.instructionsFileName, mode: .file, bytes: Array(instructions.utf8))
            }
        }
        return (written, tables)
    }

    private func stream(
        to writer: SnapshotWriter, keys: DumpKeys, progress: BackupProgress
    ) async throws -> TableDigests {
        var dump = dump
        dump.restrictKey = keys.restrict
        var digester = CopyDigester(key: keys.rows)
        func store(_ read: () async throws -> [UInt8]?) async throws {
            _ = try await writer.addFile(job.place.file) {
                guard let chunk = try await read() else { return nil }
                try digester.scan(chunk)
                progress.passed(chunk.count, tables: digester.tables.count, current: digester.current)
                return chunk
            }
        }
        if let folder = job.options.dumpFrom {
            let remote = RemoteDump(
                folder: folder, number: failed.count + 1, exitWait: job.options.dumpExitWait.duration)
            let version = try await remote.run(dump, standardError: job.context.errors, body: store)
            job.context.note("dumped by \(version.onOneLine) of another container")
        } else {
            try await DumpStream.with(dump, standardError: job.context.errors) { try await store($0.read) }
        }
        return try await session.digests(of: digester, key: keys.rows)
    }

    private func snapshotOptions(_ runID: String) throws -> SnapshotOptions {
        var options = try job.snapshotOptions()
        options.stream = .dump(expectedLength: session.source.sizeBytes)
        options.description = job.options.description ?? "PostgreSQL database \(job.database)"
        options.tags["run"] = runID
        // The folder kando would write, whatever the source is called.
        options.rootName = job.place.folder
        return options
    }
}
