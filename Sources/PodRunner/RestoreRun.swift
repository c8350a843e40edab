import Glibc
import GoFormats
import KopiaRepository
import PostgresDump
import RunnerContract
import Secrets

/// How a restore shall go, apart from what and where.
struct RestoreChoices: Sendable {
    var replace = false
    var inPlace = false
    /// Seconds the replaced database is kept.
    var keepSeconds: Int64 = 0
    /// Seconds between progress lines; 0 for none.
    var heartbeat = 5
    /// Connections that load rows, build indexes and constraints, analyze and compare.
    var jobs = 2
    /// Bytes of the server's storage, when somebody says.
    var targetSpace: Int64?
    /// Nothing is put in place.
    var isDrill = false
    /// Whether owners, privileges and rights that the backup has and the restored database has not are told and no error.
    var allowsLostRights = false
    /// Whether what only a superuser may make, and the connected role may not, is left out.
    var leavesOutSuperuserObjects = false

    /// When a database replaced now may be dropped, in whole seconds.
    func keepUntil(_ now: Timestamp) -> Timestamp { Timestamp(seconds: now.seconds).adding(seconds: keepSeconds) }
}

/// The steps of a restore on one server:
///
/// check → side database, journaled → roles → load → finish → ANALYZE → verify → swap → leave roles → drop what has expired.
///
/// Up to the swap the live database is not touched; whatever fails there, a signal too, removes the side database. The
/// swap is one transaction. A process that dies leaves a journal, and the next restore of the same database finds it.
struct RestoreRun: Sendable {
    /// To the maintenance database.
    let settings: PostgresSettings
    let database: String
    let snapshot: String
    /// With the successor in the place of its predecessor.
    let record: BackupRecord?
    let file: SnapshotFile
    let application: (user: String, password: Secret)?
    let choices: RestoreChoices
    let context: RunContext
    /// Who takes whose place.
    var succession: RoleSuccession?

    /// How to reach the database that is built. The connections of one step may not be gone yet when the next begins, and
    /// applications may take those that are free: no reason to throw away what took hours.
    func side(_ journal: RestoreJournal) -> PostgresSettings {
        var side = settings.with(database: journal.sideName)
        side.patience = .seconds(60)
        return side
    }

    /// What the database and its roles shall be: as recorded; without a record as in the database that is replaced.
    struct Plan: Sendable {
        var properties: DatabaseProperties?
        var roles = RoleClosure(roles: [], memberships: [])
        /// Of the database that is there.
        var liveOwner: String?
        var liveComment: String?
        /// Of the new database; nil for the administrator.
        var owner: String?
        var helper: String?
    }

    /// - Throws: `PostgresError`, `PodRunnerError`, `RepositoryError`, `CancellationError`.
    func perform() async throws -> RestoreReport {
        try await PostgresClient.with(settings) { client in
            let server = try await TargetServer(client)
            // A standby cannot even be locked.
            if server.isStandby { try await check(server) }
            try await server.lock(database)
            context.pass("locked")
            let maintenance = RestoreMaintenance(server: server, context: context)
            if let placed = try await maintenance.recover(database, snapshot: snapshot) {
                let report = try await reportEarlier(placed, server)
                try await maintenance.dropExpired(locked: database)
                return report
            }
            try await check(server)
            context.pass("checked")
            let occupancy = try await server.occupancy(of: database)
            return try await restore(server, occupancy)
        }
    }

    /// The drill: everything a restore does except putting the database in place. What it made is removed, missing roles
    /// that it made too.
    ///
    /// - Parameter report: filled as far as the drill comes.
    /// - Throws: as `perform`.
    func rehearse(_ report: inout RestoreReport) async throws {
        try await PostgresClient.with(settings) { client in
            let server = try await TargetServer(client)
            if server.isStandby { try await check(server) }
            try await server.lock(database)
            let maintenance = RestoreMaintenance(server: server, context: context)
            _ = try await maintenance.recover(database, snapshot: "")
            try await maintenance.removeDrillRoles()
            try await check(server)
            var plan = Plan(
                properties: record?.database, roles: record?.roles ?? RoleClosure(roles: [], memberships: []))
            var journal = newJournal(plan)
            journal.run = report.run
            do {
                try await build(server, &plan, &journal, &report)
            } catch {
                await cleanUp(journal)
                throw error
            }
            await cleanUp(journal)
        }
    }

    /// Of a drill that has not begun.
    func drillReport() -> RestoreReport {
        var report = RestoreReport(journal: newJournal(Plan()), server: settings, dumpBytes: file.length)
        report.isDrill = true
        return report
    }

    func newJournal(_ plan: Plan) -> RestoreJournal {
        RestoreJournal(
            kind: .building, run: RunID.make(), database: database, snapshot: snapshot, step: "check",
            startTime: context.clock(), comment: plan.properties?.comment)
    }

    /// From nothing to a complete and compared side database.
    private func build(
        _ server: TargetServer, _ plan: inout Plan, _ journal: inout RestoreJournal, _ report: inout RestoreReport
    ) async throws {
        try await makeSide(server, plan, &journal)
        try await prepareRoles(server, &plan, &journal, &report)
        try await fill(server, plan, &journal, &report)
    }

    private func fill(
        _ server: TargetServer, _ plan: Plan, _ journal: inout RestoreJournal, _ report: inout RestoreReport
    ) async throws {
        try await load(server, plan, &journal, &report)
        try await finish(server, plan, &journal, &report)
        try await analyze(server, &journal)
        try await verify(server, plan, &journal, &report)
    }

    private func restore(_ server: TargetServer, _ occupancy: TargetServer.Occupancy) async throws -> RestoreReport {
        var plan = try await plan(server, occupancy)
        var journal = newJournal(plan)
        var report = RestoreReport(journal: journal, server: settings, dumpBytes: file.length)
        var occupancy = occupancy
        var (isDropped, isSwapping) = (false, false)
        do {
            var rehearsal = report
            if choices.inPlace, occupancy != .absent { try await rehearseSchema(server, plan, &rehearsal) }
            try await makeSide(server, plan, &journal)
            try await prepareRoles(server, &plan, &journal, &report)
            report.createdRoles = Set(report.createdRoles + rehearsal.createdRoles).sorted()
            report.warnings = rehearsal.warnings + report.warnings.filter { !rehearsal.warnings.contains($0) }
            if choices.inPlace, occupancy != .absent {
                try await server.drop(database)
                (occupancy, isDropped) = (.absent, true)
                context.note("dropped database \"\(database)\" to make room: until the restore is done there is none")
                context.pass("dropped")
            }
            try await fill(server, plan, &journal, &report)
            // From here on a lost connection may leave either.
            isSwapping = true
            try await swap(server, occupancy, plan, &journal, &report)
        } catch {
            await cleanUp(journal)
            if isDropped {
                context.note(
                    "database \"\(database)\" was dropped and is not there: run the same restore again when what the error "
                        + "names is put right")
            } else if !isSwapping {
                context.note(
                    occupancy == .absent
                        ? "there is no database \"\(database)\", as before" : "database \"\(database)\" is as it was")
            }
            throw error
        }
        try await complete(server, plan, journal, occupancy, &report)
        return report
    }

    /// The run before this one was the same request and died after the swap: the database may have been written to since.
    private func reportEarlier(_ placed: RestoreJournal, _ server: TargetServer) async throws -> RestoreReport {
        context.note(
            "snapshot \(snapshot) is in place already: the restore of \(placed.startTime) was interrupted after the swap, "
                + "and what was left of it is done now")
        var report = RestoreReport(journal: placed, server: settings, dumpBytes: file.length)
        report.wasPlacedBefore = true
        report.kept = try await server.journals().first {
            $0.journal.kind == .kept && $0.journal.run == placed.run
                && ($0.journal.keepUntil ?? placed.startTime) > context.clock()
        }.map { RestoreReport.Kept(name: $0.name, bytes: $0.bytes, until: $0.journal.keepUntil) }
        try await tryLogin(to: database, &report)
        return report
    }

    /// Everything that can be known before anything is touched.
    ///
    /// - Throws: `PostgresError` with all that is in the way.
    private func check(_ server: TargetServer) async throws {
        let preflight = RestorePreflight(
            settings: settings, database: database,
            checks: try await TargetPreflight(server: server, demand: demand()).checks())
        for check in preflight.checks where check.verdict == .warning {
            context.note("warning: \(check.name): \(check.finding)\(check.hint.map { "\nhint: \($0)" } ?? "")")
        }
        if let obstacle = preflight.obstacle { throw obstacle }
    }

    /// The table alone, for `--plan`: nothing is changed.
    func preflight() async throws -> RestorePreflight {
        try await PostgresClient.with(settings) { client in
            let server = try await TargetServer(client)
            let checks = try await TargetPreflight(server: server, demand: demand()).checks()
            return RestorePreflight(settings: settings, database: database, checks: checks)
        }
    }

    private func demand() async throws -> RestoreDemand {
        var demand = RestoreDemand(
            database: database, properties: record?.database,
            roles: record?.roles ?? RoleClosure(roles: [], memberships: []), extensions: record?.extensions ?? [],
            sourceMajor: record?.serverMajor, databaseBytes: record?.databaseBytes, dumpBytes: file.length,
            applicationUser: application?.user, owners: record?.privileges?.owners,
            scope: record?.scope ?? DumpScope(), mayReplace: choices.replace,
            isInPlace: choices.inPlace, needs: record?.needs ?? [])
        demand.isDrill = choices.isDrill
        demand.succession = succession
        demand.keepsReplaced = choices.keepSeconds > 0 && !choices.inPlace

        demand.targetSpace = choices.targetSpace
        demand.leavesOutSuperuserObjects = choices.leavesOutSuperuserObjects
        if let record {
            demand.grantees = record.privileges?.roles
            demand.privileges = record.privileges
            demand.superuserObjects = record.superuserObjects
            demand.superuserNeeds = record.superuserNeeds
            demand.tablespaces = record.database.tablespaces
        } else {
            demand.tablespaces = try await file.tablespacesOfBeginning()
        }
        return demand
    }

    private func plan(_ server: TargetServer, _ occupancy: TargetServer.Occupancy) async throws -> Plan {
        var plan = Plan()
        if occupancy != .absent {
            let live = try await PostgresClient.with(settings.with(database: database)) { client in
                (try await DatabaseProperties.read(from: client), try await RoleClosure.read(from: client))
            }
            (plan.properties, plan.roles) = live
            (plan.liveOwner, plan.liveComment) = (live.0.owner, live.0.comment)
            // Of an earlier restore that died; the comment it replaced is in it.
            if let journal = live.0.comment.flatMap({ RestoreJournal(comment: $0) }) {
                plan.liveComment = journal.comment
                plan.properties?.comment = journal.comment
            }
        }
        if let record { (plan.properties, plan.roles) = (record.database, record.roles) }
        return plan
    }

    /// In a task of its own, because ours may be the cancelled one.
    func cleanUp(_ journal: RestoreJournal) async {
        let (settings, context) = (settings, context)
        await Task {
            do {
                try await PostgresClient.with(settings) { client in
                    let server = try await TargetServer(client)
                    try await RestoreMaintenance(server: server, context: context).remove(journal)
                }
            } catch {
                context.note(
                    "warning: \(journal.sideName) may be left on \(settings.host):\(settings.port); the next restore of "
                        + "database \"\(journal.database)\" removes it: \(error)")
            }
        }.value
    }
}
