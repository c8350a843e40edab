import GoFormats
import PostgresDump
import RunnerContract

extension Restore {
    /// Puts the database back that the last restore replaced; what is there now is kept in its stead, so that a second undo
    /// takes the first back.
    func undo(_ settings: PostgresSettings, _ database: String, _ context: RunContext) async throws {
        try await PostgresClient.with(settings) { client in
            let server = try await TargetServer(client)
            try await server.lock(database)
            let maintenance = RestoreMaintenance(server: server, context: context)
            _ = try await maintenance.recover(database, snapshot: "")
            let kept = try await server.journals().filter {
                $0.journal.kind == .kept && $0.journal.database == database
            }
            guard let last = kept.max(by: { $0.journal.updateTime < $1.journal.updateTime }) else {
                throw PostgresError(
                    .restore, "no database replaced by a restore of \"\(database)\" is kept on \(settings)",
                    hint: "they are dropped when the time given by --keep-old is over")
            }
            let occupancy = try await server.occupancy(of: database)
            let live = occupancy == .absent ? nil : try await properties(settings, database)
            var journal = last.journal
            (journal.run, journal.step, journal.comment) = (RunID.make(), "undone", live?.comment)
            journal.updateTime = context.clock()
            journal.keepUntil = choices.keepUntil(context.clock())
            let swap = DatabaseSwap(
                incoming: last.name, name: database, outgoing: live == nil ? nil : journal.oldName,
                incomingComment: last.journal.comment, outgoingComment: journal.text)
            let owners = try await maintenance.owners(of: [database, last.name])
            let seconds = try await server.asOwner(of: owners) {
                try await swap.perform(on: server) { context.pass($0) }
            }
            context.note(
                "database \"\(database)\" is again what it was before the restore of \(last.journal.startTime); clients were "
                    + "away for \(Figures.seconds(seconds))")
            if live != nil {
                context.note("what was restored is kept as \(journal.oldName); another --undo puts it back")
            }
            try await maintenance.dropExpired(locked: database)
        }
    }

    private func properties(_ settings: PostgresSettings, _ database: String) async throws -> DatabaseProperties {
        try await PostgresClient.with(settings.with(database: database)) { try await DatabaseProperties.read(from: $0) }
    }

    /// Drops what has expired on the whole server.
    func cleanUp(_ context: RunContext) async throws {
        let settings = try connection.resolve(context, database: maintenanceDb)
        try await PostgresClient.with(settings) { client in
            let server = try await TargetServer(client)
            let maintenance = RestoreMaintenance(server: server, context: context)
            let dropped = try await maintenance.dropExpired(all: keepSeconds == 0)
            for left in try await server.journals() where left.journal.kind == .kept {
                let until = left.journal.keepUntil.map { "until \($0)" } ?? ""
                context.note("kept: \(left.name) \(until)\(left.bytes.map { ", \(Figures.bytes($0))" } ?? "")")
            }
            context.note("\(dropped.count) \(dropped.count == 1 ? "database" : "databases") dropped")
        }
    }
}
