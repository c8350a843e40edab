import PostgresDump
import RunnerContract

/// What restores leave behind: half-built databases of runs that died, replaced databases that are kept for a while.
struct RestoreMaintenance: Sendable {
    let server: TargetServer
    let context: RunContext

    /// Puts in order what earlier restores of a database left; its lock is held.
    ///
    /// - Returns: the journal of a run of the same snapshot that died after its database was put in place, which is
    ///   finished now.
    func recover(_ database: String, snapshot: String) async throws -> RestoreJournal? {
        var placed: RestoreJournal?
        for found in try await server.journals() where found.journal.database == database {
            switch found.journal.kind {
            case .building:
                context.note(
                    "removing \(found.name), left by the restore of \(found.journal.startTime) in step "
                        + "\"\(found.journal.step)\"")
                try await remove(found.journal)
            case .placed:
                try await finish(found.journal)
                if found.journal.snapshot == snapshot { placed = found.journal }
            case .kept: break
            }
        }
        try await removeUnmarked(database)
        return placed
    }

    /// A run that died between creating its side database and marking it: an empty one with such a name.
    private func removeUnmarked(_ database: String) async throws {
        let names = try await server.client.query(
            """
            SELECT d.datname AS name FROM pg_catalog.pg_database d
            WHERE pg_catalog.starts_with(d.datname, $1 || '__restore_')
              AND substr(d.datname, length($1) + 11) ~ '^[0-9a-f]{12}$'
              AND pg_catalog.shobj_description(d.oid, 'pg_database') IS NULL
            """, [database]
        ).rows.compactMap { $0.text("name") }
        for name in names {
            // Sessions first: looking for objects makes one.
            let isQuiet = try await server.sessions(of: name).isEmpty
            guard isQuiet, try await server.occupancy(of: name) == .empty else {
                context.note("note: database \(name) looks like one of a restore, but is in use: it is left alone")
                continue
            }
            context.note("removing \(name), left by a restore in its first step")
            try await drop(name)
        }
    }

    /// Removes all a run has made, as long as its database is not in place. Roles that exist stay.
    func remove(_ journal: RestoreJournal) async throws {
        if journal.kind == .building { try await drop(journal.sideName) }
        try await server.leave(journal.joined)
        try await server.dropHelper(journal.helperRole)
        context.pass("unbuilt")
        try await removeDrillRoles(of: journal.run)
    }

    /// Drops the roles a drill made, which own nothing once its database is gone; without a run those of drills that died
    /// behind their database's end.
    func removeDrillRoles(of run: String? = nil) async throws {
        let roles = try await server.drillRoles()
        guard !roles.isEmpty else { return }
        let working = run == nil ? Set(try await server.journals().map(\.journal.run)) : []
        for role in roles where run.map({ $0 == role.run }) ?? !working.contains(role.run) {
            do {
                try await server.client.query("DROP ROLE IF EXISTS \(SQLText.identifier(role.name))")
                if run == nil { context.note("removed role \"\(role.name)\", left by a drill") }
            } catch let error as PostgresError {
                context.note(
                    "warning: role \"\(role.name)\", made by a drill, could not be dropped: \(error.message)\nhint: "
                        + "`restore --cleanup` tries again")
            }
        }
    }

    /// The last steps of a run whose database is in place.
    func finish(_ journal: RestoreJournal) async throws {
        let owners = try await owners(of: [journal.database])
        try await server.asOwner(of: owners) { try await server.comment(on: journal.database, journal.comment) }
        try await server.leave(journal.joined)
        try await server.dropHelper(journal.helperRole)
    }

    /// Drops kept databases whose time is over, and side databases nobody works on.
    ///
    /// - Parameters:
    ///   - locked: the database whose lock the caller has.
    ///   - all: kept ones whose time is not over as well.
    /// - Returns: their names.
    @discardableResult
    func dropExpired(locked: String? = nil, all: Bool = false) async throws -> [String] {
        let now = context.clock()
        var dropped: [String] = []
        for found in try await server.journals() {
            let journal = found.journal
            let isExpired = journal.kind == .kept && (all || (journal.keepUntil ?? now) <= now)
            guard isExpired || journal.kind == .building else { continue }
            if journal.database != locked {
                guard try await server.tryLock(journal.database) else { continue }
            }
            do {
                if journal.kind == .building { try await remove(journal) } else { try await drop(found.name) }
                dropped.append(found.name)
                context.note(
                    "dropped \(found.name), \(journal.kind == .kept ? "replaced" : "begun") \(journal.startTime)")
            } catch let error as PostgresError {
                // Somebody else's database must not cost this restore.
                context.note("warning: \(found.name) could not be dropped: \(error.message)")
            }
            if journal.database != locked { try await server.unlock(journal.database) }
        }
        try await removeDrillRoles()
        return dropped
    }

    func owners(of databases: [String]) async throws -> [String] {
        var owners: [String] = []
        for database in databases { owners += try await server.owner(of: database).map { [$0] } ?? [] }
        return owners
    }

    private func drop(_ database: String) async throws {
        try await server.asOwner(of: owners(of: [database])) { try await server.drop(database) }
    }
}
