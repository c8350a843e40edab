import KopiaRepository
import PostgresDump
import RunnerContract
import Synchronization

/// Before `--in-place` drops the live database.
extension RestoreRun {
    /// Reads the whole dump, compares it with its record, and runs all of it except the rows in a database beside the live one,
    /// which is removed again: what the server would refuse, for its version or for want of a right, it refuses while there
    /// is something to lose. An index or constraint that the rows violate shows only with the rows.
    ///
    /// - Parameter report: gets the roles that are made, and the warnings about them.
    /// - Throws: `RepositoryError`, `PostgresError`, `PodRunnerError` with exit code 6; the database is as it was.
    func rehearseSchema(_ server: TargetServer, _ plan: Plan, _ report: inout RestoreReport) async throws {
        context.note("reading the whole snapshot before anything is dropped, and trying all of it but the rows")
        var plan = plan
        var journal = newJournal(plan)
        do {
            try await makeSide(server, plan, &journal)
            try await prepareRoles(server, &plan, &journal, &report)
            try await enter("rehearse", &journal, server)
            try await loadSchema(server, plan, journal)
        } catch {
            await cleanUp(journal)
            throw error
        }
        await cleanUp(journal)
        context.pass("rehearsed")
    }

    private func loadSchema(_ server: TargetServer, _ plan: Plan, _ journal: RestoreJournal) async throws {
        let beat = Heartbeat("read", of: file.length, context)
        let state = Mutex((schema: DumpSchema(), digester: record?.tables.map { CopyDigester(key: $0.key) }))
        let unwanted = try await unwanted(server)
        try await beat.during(every: choices.heartbeat) {
            try await PostgresClient.with(side(journal)) { client in
                let loader = try await loader(client, plan, without: unwanted)
                // From its beginning to its end, by one reader.
                let dump = DumpFile(length: file.length) { [file, context] range, write in
                    try await file.forEachChunk(in: range) { chunk in
                        beat.add(chunk.count)
                        let text = try state.withLock { state in
                            try state.digester?.scan(chunk)
                            return try state.schema.scan(chunk)
                        }
                        try await write(text)
                        context.pass("read")
                    }
                    try await write(try state.withLock { try $0.schema.finish() })
                }
                _ = try await loader.load(dump)
            }
        }
        try compareDump(try state.withLock { try $0.digester?.finish() })
    }
}
