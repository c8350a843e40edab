import KopiaRepository
import PostgresDump
import RunnerContract

/// The steps of a restore on one server: check, roles, side database, data, finish, put in place. Everything made on the
/// way is removed when a step fails.
struct RestoreRun: Sendable {
    /// To the maintenance database.
    let settings: PostgresSettings
    let database: String
    let record: BackupRecord?
    let file: SnapshotFile
    let application: (user: String, password: Secret)?
    let options: Restore
    let context: RunContext
    private let runID = RunID.make()

    init(
        settings: PostgresSettings, database: String, record: BackupRecord?, file: SnapshotFile,
        application: (user: String, password: Secret)?, options: Restore, context: RunContext
    ) {
        self.settings = settings
        self.database = database
        self.record = record
        self.file = file
        self.application = application
        self.options = options
        self.context = context
    }

    private var sideName: String { TargetServer.sideName(database, "__restore_\(runID.prefix(12))") }
    private var oldName: String { TargetServer.sideName(database, "__old_\(runID.prefix(12))") }

    func perform() async throws {
        try await PostgresClient.with(settings) { client in
            let server = try await TargetServer(client)
            let program = try await PostgresProgram.find(
                "psql", serverMajor: server.major, binaryFolder: options.connection.pgBinDir,
                environment: context.environment, acceptsOlder: true)
            let occupancy = try await check(server)
            let plan = try await plan(occupancy)
            var joined: [String] = []
            do {
                let owner = try await prepareRoles(server, plan, &joined)
                try await build(server, program, plan, owner)
                try await putInPlace(server, occupancy)
            } catch {
                await cleanUp(leaving: joined)
                throw error
            }
            try await leave(server, joined, plan)
        }
        context.note("database \"\(database)\" is in place on \(settings.host):\(settings.port)")
    }

    /// An administrator of the same name gets back what it was a member of when the backup was made. The database is in
    /// place: what fails here is told, not thrown.
    private func leave(_ server: TargetServer, _ joined: [String], _ plan: Plan) async throws {
        do {
            try await server.leave(joined)
            var again: [String] = []
            try await server.join(
                plan.roles.memberships.filter { $0.member == server.user }.map(\.role), joined: &again)
        } catch let error as PostgresError {
            context.note("warning: memberships of \(server.user): \(error.message)")
        }
    }

    /// Everything that can be known before anything is touched.
    private func check(_ server: TargetServer) async throws -> TargetServer.Occupancy {
        guard server.mayCreateDatabases else {
            throw PostgresError(
                .permission, "role \"\(server.user)\" may not create databases on \(settings)",
                hint: "restore as an administrator with CREATEDB")
        }
        let occupancy = try await server.occupancy(of: database)
        if case .inUse(let objects) = occupancy, !options.replace {
            throw PostgresError(
                .targetInUse,
                "database \"\(database)\" on \(settings.host):\(settings.port) is there and has \(objects) tables, "
                    + "views and sequences",
                hint: "--replace puts the restored database in its place once it is complete")
        }
        guard let record else { return occupancy }
        let missing = try await server.missingExtensions(of: record.extensions)
        guard missing.isEmpty else {
            throw PostgresError(
                .restore, "the server does not offer the extensions \(missing.joined(separator: ", "))",
                hint: "install them, or allow them in the server's settings (azure.extensions)")
        }
        if record.serverMajor > server.major {
            context.note(
                "warning: the dump is of PostgreSQL \(record.serverMajor), the target is \(server.major): "
                    + "what only the newer version knows will fail")
        }
        return occupancy
    }

    /// What the database and its roles shall be: as recorded; without a record as in the database that is replaced.
    private struct Plan: Sendable {
        var properties: DatabaseProperties?
        var roles = RoleClosure(roles: [], memberships: [])
    }

    private func plan(_ occupancy: TargetServer.Occupancy) async throws -> Plan {
        if let record { return Plan(properties: record.database, roles: record.roles) }
        guard occupancy != .absent else { return Plan() }
        return try await PostgresClient.with(settings.with(database: database)) { client in
            Plan(
                properties: try await DatabaseProperties.read(from: client),
                roles: try await RoleClosure.read(from: client))
        }
    }

    /// Roles first: with them there, objects get their owners and privileges as dumped.
    ///
    /// - Returns: the new database's owner; nil for the administrator.
    private func prepareRoles(_ server: TargetServer, _ plan: Plan, _ joined: inout [String]) async throws -> String? {
        for warning in try await server.createMissing(plan.roles) { context.note("warning: \(warning)") }
        if let application {
            try await server.ensureLogin(application.user, password: application.password)
        }
        let present = try await server.roleNames()
        var needed = plan.roles.roles.filter { !$0.isSuperuser && present.contains($0.name) }.map(\.name)
        let recorded = plan.properties?.owner
        let owner =
            recorded.flatMap { present.contains($0) && !DatabaseRole.isReserved($0) ? $0 : nil } ?? application?.user
        for role in [owner, application?.user].compactMap({ $0 }) where !needed.contains(role) { needed.append(role) }
        try await server.join(needed, joined: &joined)
        return owner == server.user ? nil : owner
    }

    private func build(
        _ server: TargetServer, _ program: PostgresProgram, _ plan: Plan, _ owner: String?
    ) async throws {
        if let properties = plan.properties {
            try await server.client.query(
                properties.createStatement(name: sideName, owner: owner, targetMajor: server.major))
        } else {
            let ownership = owner.map { " OWNER \(SQLText.identifier($0))" } ?? ""
            try await server.client.query(
                "CREATE DATABASE \(SQLText.identifier(sideName)) TEMPLATE template0\(ownership)")
        }
        context.note("restoring into \(sideName) with psql \(program.version) (\(program.path))")
        let side = settings.with(database: sideName)
        try await load(side, program, targetMajor: server.major)
        try await PostgresClient.with(side) { client in _ = try await client.query("ANALYZE") }
        guard let properties = plan.properties else { return }
        let present = try await server.roleNames()
        let statements = properties.finishingStatements(
            database: sideName, owner: owner ?? server.user, hasRole: present.contains)
        for statement in statements {
            do {
                try await server.client.query(statement)
            } catch let error as PostgresError where error.code == .permission || error.code == .query {
                // Settings that only a superuser may give must not cost the data.
                context.note("warning: \(statement): \(error.message)")
            }
        }
    }

    private func load(_ side: PostgresSettings, _ program: PostgresProgram, targetMajor: Int) async throws {
        let restore = RestoreOptions(
            program: program, settings: side, targetMajor: targetMajor, environment: context.environment,
            restrictKey: runID)
        let beat = Heartbeat("restored", context)
        let report = try await beat.during(every: options.heartbeat) {
            try await restore.run(standardError: context.errors) { [file] write in
                try await file.forEachChunk { chunk in
                    beat.add(chunk.count)
                    try await write(chunk)
                }
            }
        }
        for statement in report.leftOut { context.note("left out, unknown to this server: \(statement)") }
        if report.leftOutDrops > 0 { context.note("left out \(report.leftOutDrops) DROPs: the database is new") }
    }

    private func putInPlace(_ server: TargetServer, _ occupancy: TargetServer.Occupancy) async throws {
        try await server.putInPlace(sideName, as: database, old: oldName)
        guard occupancy != .absent else { return }
        if options.keepOld {
            context.note("the replaced database is kept as \(oldName), closed to connections")
            return
        }
        do {
            try await server.drop(oldName)
        } catch let error as PostgresError {
            // The restore itself is done.
            context.note("warning: the replaced database \(oldName) could not be dropped: \(error.message)")
        }
    }

    /// In a task of its own, because ours may be the cancelled one.
    private func cleanUp(leaving joined: [String]) async {
        let (settings, sideName, context) = (settings, sideName, context)
        await Task {
            do {
                try await PostgresClient.with(settings) { client in
                    let server = try await TargetServer(client)
                    try await server.drop(sideName)
                    try await server.leave(joined)
                }
            } catch {
                context.note("warning: \(sideName) may be left on \(settings.host):\(settings.port): \(error)")
            }
        }.value
    }
}
