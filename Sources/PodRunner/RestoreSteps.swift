import GoFormats
import KopiaRepository
import PostgresDump
import RunnerContract
import Synchronization

extension SnapshotFile {
    /// Tablespaces named before the first rows, where a dump makes its tables, in its first 64 MiB.
    func tablespacesOfBeginning() async throws -> Set<String> {
        struct Seen: Error {}
        let mentions = Mutex(DumpBeginning())
        do {
            try await forEachChunk { chunk in
                let isOver = mentions.withLock { mentions in
                    mentions.scan(chunk)
                    return mentions.isOver
                }
                if isOver { throw Seen() }
            }
        } catch is Seen {}
        return mentions.withLock { $0.tablespaces }
    }
}

extension RestoreRun {
    /// A new database beside the live one. The administrator's at first, because roles come after the journal.
    func makeSide(_ server: TargetServer, _ plan: Plan, _ journal: inout RestoreJournal) async throws {
        let name = journal.sideName
        let create =
            plan.properties?.createStatement(name: name, owner: nil, targetMajor: server.major)
            ?? "CREATE DATABASE \(SQLText.identifier(name)) TEMPLATE template0"
        try await server.client.query(create)
        context.pass("side-created")
        try await enter("roles", &journal, server)
        context.pass("journaled")
    }

    /// Roles first: with them there, objects get their owners and privileges as dumped.
    func prepareRoles(
        _ server: TargetServer, _ plan: inout Plan, _ journal: inout RestoreJournal, _ report: inout RestoreReport
    ) async throws {
        let before = try await server.roleNames()
        report.warnings += try await server.createMissing(plan.roles, drill: report.isDrill ? journal.run : nil)
        if let application { try await server.ensureLogin(application.user, password: application.password) }
        let present = try await server.roleNames()
        report.createdRoles = present.subtracting(before).sorted()
        report.withLogin = Set(plan.roles.roles.filter(\.canLogin).map(\.name))
        context.pass("roles")

        // A superuser of the source is an ordinary role here when this restore made it.
        let superusers = Set(try await server.roles().filter(\.isSuperuser).map(\.name))
        var needed = plan.roles.roles.map(\.name).filter { present.contains($0) && !superusers.contains($0) }
        let recorded = plan.properties?.owner
        let owner =
            recorded.flatMap { present.contains($0) && !DatabaseRole.isReserved($0) ? $0 : nil } ?? application?.user
        for role in [owner, application?.user].compactMap({ $0 }) where !needed.contains(role) { needed.append(role) }
        plan.owner = owner == server.user ? nil : owner
        // To rename the live database one must belong to its owner as well.
        journal.joined = try await server.unjoined(needed + [plan.liveOwner].compactMap { $0 })
        try await enter("join", &journal, server)
        try await server.join(journal.joined)
        context.pass("joined")
        if !server.isSuperuser, server.mayCreateRoles {
            plan.helper = journal.helperRole
            try await server.makeHelper(journal.helperRole, members: needed, database: journal.sideName)
        }
        context.pass("helper")
        if let owner = plan.owner {
            try await server.client.query(
                "ALTER DATABASE \(SQLText.identifier(journal.sideName)) OWNER TO \(SQLText.identifier(owner))")
        }
        context.pass("owned")
        // What no catalog tells (pg_hba.conf, for one) is better known now than after the load.
        try await tryLoginAside(journal, &report)
        report.loginRole = nil
    }

    func load(
        _ server: TargetServer, _ plan: Plan, _ journal: inout RestoreJournal, _ report: inout RestoreReport
    ) async throws {
        try await enter("load", &journal, server)
        context.note("restoring into \(journal.sideName)")
        let beat = Heartbeat("restored", of: file.length, context)
        let side = self.side(journal)
        let unwanted = try await unwanted(server)
        let loaded = try await beat.during(every: choices.heartbeat) {
            try await PostgresClient.with(side) { client in
                var loader = try await loader(client, plan, without: unwanted)
                loader.jobs = choices.jobs
                loader.beforeRows = { [context] count, connections in
                    context.note(
                        "loading the rows of \(Figures.count(count, "large table")) over "
                            + Figures.count(connections, "connection"))
                }
                loader.beforeSection = { [context] count, connections in
                    beat.willBuild(count)
                    context.note(
                        "building \(count == 1 ? "1 index or constraint" : "\(count) indexes and constraints") over "
                            + Figures.count(connections, "connection"))
                }
                loader.afterUnit = { [context] in
                    beat.hasBuilt()
                    context.pass("built")
                }
                // The one reader that waits while the others work counts, too.
                let readers = choices.jobs > 1 ? choices.jobs + 1 : 1
                let dump = DumpFile(length: file.length) { [file, context] range, write in
                    try await file.forEachChunk(in: range, readers: readers) { chunk in
                        beat.add(chunk.count)
                        try await write(chunk)
                        context.pass("rows")
                    }
                }
                return try await loader.load(dump, recorded: record?.tables)
            }
        }
        for statement in loaded.leftOut {
            report.warnings.append("left out, unknown or not allowed here: \(statement)")
        }
        report.leftOutObjects = loaded.leftOutObjects.map(\.description)
        report.warnings += loaded.warnings.map { "the server warned: \($0)" }
        report.statements = loaded.statements
        if loaded.leftOutDrops > 0 { context.note("left out \(loaded.leftOutDrops) DROPs: the database is new") }
        context.pass("loaded")
        try compareDump(loaded.tables)
    }

    /// What the loader leaves out because nobody could make it here.
    func unwanted(_ server: TargetServer) async throws -> [SuperuserObject] {
        choices.leavesOutSuperuserObjects ? try await server.cannotMake(record?.superuserObjects ?? []) : []
    }

    /// - Parameter client: to a new database, which is made ready for what the dump will do in it.
    func loader(
        _ client: PostgresClient, _ plan: Plan, without unwanted: [SuperuserObject]
    ) async throws -> DumpLoader {
        try await client.liftTimeLimits()
        var loader = DumpLoader(client)
        loader.unwanted = unwanted
        loader.succession = succession
        if let helper = plan.helper {
            try await client.letCreate(helper, in: "public")
            loader.afterSchema = { try await client.letCreate(helper, in: $0) }
        }
        if record?.privileges?.isPublicOpen == true { try await client.openPublic() }
        return loader
    }

    /// - Parameter found: what was read of the dump; nil where there was no record to read it for.
    /// - Throws: `PodRunnerError` with exit code 6 when the record says otherwise.
    func compareDump(_ found: [TableDigest]?) throws {
        guard let tables = record?.tables, let found else { return }
        let differences = tables.differences(from: found)
        guard differences.isEmpty else {
            throw verificationError(
                differences, what: "the dump in the snapshot is not the one that was recorded with it")
        }
    }

    /// Settings, privileges and limits of the database itself; its comment comes last of all.
    func finish(
        _ server: TargetServer, _ plan: Plan, _ journal: inout RestoreJournal, _ report: inout RestoreReport
    ) async throws {
        try await enter("finish", &journal, server)
        if let helper = plan.helper {
            try await PostgresClient.with(side(journal)) { client in
                _ = try await client.query("DROP OWNED BY \(SQLText.identifier(helper))")
            }
            try await server.dropHelper(helper)
        }
        if var properties = plan.properties {
            properties.comment = nil
            let present = try await server.roleNames()
            let statements = properties.finishingStatements(
                database: journal.sideName, owner: plan.owner ?? server.user, hasRole: present.contains)
            for statement in statements {
                do {
                    try await server.client.query(statement)
                } catch let error as PostgresError where error.code == .permission || error.code == .query {
                    // Settings that only a superuser may give must not cost the data.
                    report.warnings.append("\(statement): \(error.message)")
                }
            }
        }
        context.pass("finished")
    }

    func analyze(_ server: TargetServer, _ journal: inout RestoreJournal) async throws {
        try await enter("analyze", &journal, server)
        let done = Mutex((0, 0))
        try await context.showing(
            every: choices.heartbeat, bytes: { 0 },
            line: { _, _ in done.withLock { "analyzed \($0.0) of \(Figures.count($0.1, "table"))" } }
        ) {
            try await PostgresClient.analyze(side(journal), jobs: choices.jobs) {
                (count, all) in done.withLock { $0 = (count, all) }
            }
        }
        context.pass("analyzed")
    }

    func swap(
        _ server: TargetServer, _ occupancy: TargetServer.Occupancy, _ plan: Plan, _ journal: inout RestoreJournal,
        _ report: inout RestoreReport
    ) async throws {
        try await enter("swap", &journal, server)
        var placed = journal
        (placed.kind, placed.step) = (.placed, "placed")
        var kept = journal
        (kept.kind, kept.step, kept.joined, kept.comment) = (.kept, "kept", [], plan.liveComment)
        kept.keepUntil = choices.keepUntil(context.clock())
        let swap = DatabaseSwap(
            incoming: journal.sideName, name: database, outgoing: occupancy == .absent ? nil : journal.oldName,
            incomingComment: placed.text, outgoingComment: kept.text)
        let context = context
        report.swapSeconds = try await swap.perform(on: server) { context.pass($0) }
        journal = placed
        context.pass("placed")
    }

    /// The database is in place: what fails here is told, not thrown, and the next run does it again.
    func complete(
        _ server: TargetServer, _ plan: Plan, _ journal: RestoreJournal, _ occupancy: TargetServer.Occupancy,
        _ report: inout RestoreReport
    ) async throws {
        let maintenance = RestoreMaintenance(server: server, context: context)
        do {
            try await tryLogin(to: database, &report)
        } catch let error as PostgresError {
            report.warnings.append("after the database was put in place: \(error.message)")
        }
        do {
            try await maintenance.finish(journal)
            context.pass("left")
            // An administrator of the same name gets back what it was a member of when the backup was made.
            try await server.rejoin(plan.roles.memberships)
            context.pass("done")
            if occupancy != .absent {
                report.kept = RestoreReport.Kept(
                    name: journal.oldName, bytes: nil, until: choices.keepUntil(context.clock()))
            }
            for dropped in try await maintenance.dropExpired(locked: database) where dropped == journal.oldName {
                report.kept = nil
            }
        } catch let error as PostgresError {
            report.warnings.append("after the database was put in place: \(error.message)")
        }
    }

    /// Into the side database. Where pg_hba.conf lists databases it has not this one's name: then the attempt at the end tells.
    func tryLoginAside(_ journal: RestoreJournal, _ report: inout RestoreReport) async throws {
        do {
            try await tryLogin(to: journal.sideName, &report)
        } catch let error as PostgresError where error.message.contains("pg_hba.conf") {
            let warning =
                "whether the application can log in shows only when the database has its name: \(error.message)"
            if !report.warnings.contains(where: { $0.hasPrefix("whether the application") }) {
                report.warnings.append(warning)
            }
        }
    }

    /// Tries what the application will do first. Where all its connections are in use, most likely by itself, there is nothing
    /// to try, and nothing wrong with its login.
    func tryLogin(to database: String, _ report: inout RestoreReport) async throws {
        guard let application else { return }
        var login = settings.with(database: database)
        login.patience = .seconds(5)
        login["user"] = application.user
        login.password = application.password
        do {
            try await PostgresClient.with(login) { client in _ = try await client.query("SELECT 1") }
        } catch let error as PostgresError where error.sqlState == "53300" {
            let warning = "the login of the application's role \"\(application.user)\" was not tried: "
            report.warnings.removeAll { $0.hasPrefix(warning) }
            return report.warnings.append(warning + error.message)
        } catch let error as PostgresError {
            throw PostgresError(
                error.code, "the application's role \"\(application.user)\" cannot log in: \(error.message)",
                hint: "look at the role (pg_roles), its settings, and whether pg_hba.conf lets it in from here",
                sqlState: error.sqlState, isTransient: error.isTransient)
        }
        report.loginRole = application.user
    }

    func enter(_ step: String, _ journal: inout RestoreJournal, _ server: TargetServer) async throws {
        journal.step = step
        journal.updateTime = context.clock()
        try await server.write(journal, on: journal.sideName)
    }
}
