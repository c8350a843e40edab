public import GoFormats

/// One thing looked at before a restore touches anything.
public struct PreflightCheck: Sendable, Hashable {
    public enum Verdict: String, Sendable {
        case go
        /// Go, but somebody should read it.
        case warning = "warn"
        case noGo = "no-go"
        /// The server does not say.
        case unknown
    }

    /// `extensions`, `space`.
    public let name: String
    public let verdict: Verdict
    /// One sentence.
    public let finding: String
    public let hint: String?

    public init(_ name: String, _ verdict: Verdict, _ finding: String, hint: String? = nil) {
        self.name = name
        self.verdict = verdict
        self.finding = finding
        self.hint = hint
    }

    public var json: JSONValue {
        [
            "check": .string(name), "verdict": .string(verdict.rawValue), "finding": .string(finding),
            "hint": hint.map { .string($0) } ?? .null,
        ]
    }
}

/// What a restore is going to need of a server.
public struct RestoreDemand: Sendable {
    /// The name the database gets.
    public var database: String
    /// What it was; nil for a dump without a record.
    public var properties: DatabaseProperties?
    public var roles: RoleClosure
    public var extensions: [DatabaseExtension]
    /// Of the server that was dumped.
    public var sourceMajor: Int?
    /// On the source's disk; nil when not recorded.
    public var databaseBytes: Int64?
    public var dumpBytes: Int64
    public var applicationUser: String?
    /// Roles that own objects in the dump; nil when not recorded.
    public var owners: Set<String>?
    /// Who owns something in the database, is granted something, or has default privileges; nil when not recorded. The
    /// schema `public` does not count: each provider gives it to somebody else.
    public var grantees: Set<String>?
    /// Owners and grants in the dump; nil when not recorded.
    public var privileges: PrivilegeRecord?
    /// The application's role in the place of another; `roles` and the rest have it already.
    public var succession: RoleSuccession?
    /// What in the dump only a superuser may make; nil when not recorded.
    public var superuserObjects: [SuperuserObject]?
    /// What else in the dump only a superuser may make, and cannot be left out; empty when not recorded.
    public var superuserNeeds: [SuperuserNeed] = []
    /// Whether what the role may not make of these is left out.
    public var leavesOutSuperuserObjects = false
    /// Tablespaces that the dump or the database's settings name.
    public var tablespaces: Set<String> = []
    /// Bytes of the server's storage, as somebody says: no statement tells.
    public var targetSpace: Int64?
    /// What the dump has of its database.
    public var scope: DumpScope
    public var mayReplace: Bool
    /// A database that is replaced can be put back for a while.
    public var keepsReplaced = false
    /// Nothing is put in place.
    public var isDrill = false
    public var isInPlace: Bool
    /// What in the dump only newer servers know.
    public var needs: [VersionNeed]

    public init(
        database: String, properties: DatabaseProperties?, roles: RoleClosure, extensions: [DatabaseExtension],
        sourceMajor: Int?, databaseBytes: Int64?, dumpBytes: Int64, applicationUser: String?, owners: Set<String>?,
        scope: DumpScope, mayReplace: Bool, isInPlace: Bool, needs: [VersionNeed]
    ) {
        self.database = database
        self.properties = properties
        self.roles = roles
        self.extensions = extensions
        self.sourceMajor = sourceMajor
        self.databaseBytes = databaseBytes
        self.dumpBytes = dumpBytes
        self.applicationUser = applicationUser
        self.owners = owners
        self.scope = scope
        self.mayReplace = mayReplace
        self.isInPlace = isInPlace
        self.needs = needs
    }
}

/// Looks at a target server with statements that change nothing.
///
/// Concurrency and memory: one connection to the maintenance database and one to the live one; a few rows each.
public struct TargetPreflight: Sendable {
    let server: TargetServer
    let demand: RestoreDemand

    public init(server: TargetServer, demand: RestoreDemand) {
        self.server = server
        self.demand = demand
    }

    /// All of them, in the order people read them.
    ///
    /// - Throws: `PostgresError` when the server cannot be asked.
    public func checks() async throws -> [PreflightCheck] {
        let occupancy = try await server.occupancy(of: demand.database)
        var checks = [try await version(occupancy), try await writable(), privileges()]
        checks.append(try await roles())
        if let application = application() { checks.append(application) }
        if let login = try await login() { checks.append(login) }
        checks.append(try await grantees())
        if let rights = try await rights() { checks.append(rights) }
        if let superuser = try await superuserObjects() { checks.append(superuser) }
        if let required = try await superuserNeeds() { checks.append(required) }
        checks.append(try await tablespaces())
        checks.append(try await extensions())
        checks.append(try await locale())
        checks.append(try await live(occupancy))
        checks.append(try await space())
        if occupancy != .absent { checks += try await liveDetails() }
        checks.append(try await leftovers())
        return checks
    }

    private func version(_ occupancy: TargetServer.Occupancy) async throws -> PreflightCheck {
        let text = try await server.client.query("SHOW server_version").single().required("server_version")
        guard let source = demand.sourceMajor else {
            return PreflightCheck("version", .go, "PostgreSQL \(text); the snapshot does not say what was dumped")
        }
        guard source > server.major else {
            return PreflightCheck("version", .go, "PostgreSQL \(text) takes the dump of \(source)")
        }
        let finding = "PostgreSQL \(text) is older than the \(source) that was dumped"
        let unknown = demand.needs.filter { $0.major > server.major }
        guard unknown.isEmpty else {
            return PreflightCheck(
                "version", .noGo, "\(finding) and does not know: \(unknown.map(\.description).joined(separator: "; "))",
                hint: "restore to PostgreSQL \(unknown.map(\.major).max() ?? source) or newer")
        }
        guard !demand.isInPlace || occupancy == .absent else {
            return PreflightCheck(
                "version", .noGo,
                "\(finding): should it refuse something in the dump, the database would have been dropped already",
                hint: "restore beside the database (without --in-place), or to PostgreSQL \(source) or newer")
        }
        return PreflightCheck(
            "version", .warning, finding,
            hint:
                "settings and privileges it does not know are left out by list; anything else that is new stops the restore"
        )
    }

    private func writable() async throws -> PreflightCheck {
        let row = try await server.client.query(
            """
            SELECT pg_catalog.pg_is_in_recovery() AS standby,
                   pg_catalog.current_setting('default_transaction_read_only') = 'on' AS read_only,
                   (SELECT source FROM pg_catalog.pg_settings WHERE name = 'default_transaction_read_only') AS source
            """
        ).single()
        if try row.bool("standby") {
            return PreflightCheck(
                "writable", .noGo, "\(server.client.settings) is on a standby, which takes no writes",
                hint: "restore to the primary: PGHOST must name the read-write host")
        }
        if try row.bool("read_only") {
            // `user`, `database`, `database user`; else the server's.
            let source = row.text("source") ?? ""
            if ["user", "database", "database user"].contains(source) {
                return PreflightCheck(
                    "writable", .noGo,
                    "\(server.user) is read-only in \(server.client.settings): default_transaction_read_only is set for the \(source)",
                    hint: source == "database"
                        ? "ALTER DATABASE \(SQLText.identifier(server.client.settings.database ?? "")) RESET default_transaction_read_only"
                        : "ALTER ROLE \(SQLText.identifier(server.user)) "
                            + (source == "user"
                                ? "" : "IN DATABASE \(SQLText.identifier(server.client.settings.database ?? "")) ")
                            + "RESET default_transaction_read_only")
            }
            return PreflightCheck(
                "writable", .noGo, "the server is read-only (default_transaction_read_only)",
                hint: "a flexible server is when its storage is nearly full: enlarge it")
        }
        return PreflightCheck("writable", .go, "a primary")
    }

    private func privileges() -> PreflightCheck {
        if server.isSuperuser { return PreflightCheck("privileges", .go, "\(server.user) is superuser") }
        guard server.mayCreateDatabases else {
            return PreflightCheck(
                "privileges", .noGo, "role \"\(server.user)\" may not create databases",
                hint: "restore as an administrator with CREATEDB")
        }
        guard server.mayCreateRoles else {
            return PreflightCheck(
                "privileges", .warning,
                "\(server.user) may create databases, not roles: objects go only to roles it belongs to already",
                hint: "restore as an administrator with CREATEROLE")
        }
        return PreflightCheck("privileges", .go, "\(server.user) may create databases and roles")
    }

    private func roles() async throws -> PreflightCheck {
        let present = try await server.roleNames()
        var wanted = demand.roles.roles.map(\.name)
        if let user = demand.applicationUser, !wanted.contains(user) { wanted.append(user) }
        let missing = wanted.filter { !present.contains($0) }
        if let user = demand.applicationUser, DatabaseRole.isReserved(user) {
            return PreflightCheck("roles", .noGo, "\"\(user)\" is a reserved role and cannot be the application's user")
        }
        if !missing.isEmpty, !server.mayCreateRoles {
            return PreflightCheck(
                "roles", .noGo, "missing: \(missing.listed); \(server.user) may not create roles",
                hint: "restore as an administrator with CREATEROLE, or create them")
        }
        let superusers = Set(
            try await server.client.query("SELECT rolname FROM pg_catalog.pg_roles WHERE rolsuper").rows.compactMap {
                $0.text("rolname")
            })
        let unreachable = (demand.owners ?? []).filter {
            superusers.contains($0) || (DatabaseRole.isReserved($0) && $0 != "pg_database_owner")
        }
        if !server.isSuperuser, !unreachable.isEmpty {
            return PreflightCheck(
                "roles", .noGo,
                "objects of the dump belong to \(unreachable.sorted().listed), to whom \(server.user) can hand nothing",
                hint: "restore as a superuser, or change the owners on the source (REASSIGN OWNED) and back up again")
        }
        if let obstacle = try await obstacle(of: wanted, superusers) { return obstacle }
        let plural = wanted.count == 1 ? "role" : "roles"
        return PreflightCheck(
            "roles", .go,
            missing.isEmpty
                ? "\(wanted.count) \(plural) needed, all there"
                : "\(wanted.count) \(plural) needed, to be made: \(missing.listed)")
    }

    /// Roles that no restore makes, because they belong to a provider, and that another provider's server lacks: the dump's
    /// GRANT would fail at its end, after hours.
    private func grantees() async throws -> PreflightCheck {
        guard let wanted = demand.grantees else {
            return PreflightCheck("grants", .unknown, "the snapshot does not say whom its grants name")
        }
        let present = try await server.roleNames()
        let made = Set(
            demand.roles.roles.map(\.name).filter { !DatabaseRole.isReserved($0) } + [demand.applicationUser ?? ""])
        let missing = wanted.filter { !$0.isEmpty && !present.contains($0) && !made.contains($0) }
        guard !missing.isEmpty else {
            return PreflightCheck(
                "grants", .go, "to \(wanted.count) \(wanted.count == 1 ? "role" : "roles") that exist or are made")
        }
        return PreflightCheck(
            "grants", .noGo,
            "owners or grants of the dump name \(missing.sorted().listed), which are not there and which a restore does not make",
            hint: "create them on the target, or revoke what they have on the source and back up again")
    }

    private func tablespaces() async throws -> PreflightCheck {
        guard !demand.tablespaces.isEmpty else {
            return PreflightCheck("tablespaces", .go, "the dump names none: everything goes to pg_default")
        }
        let present = Set(
            try await server.client.query("SELECT spcname FROM pg_catalog.pg_tablespace").rows.compactMap {
                $0.text("spcname")
            })
        let missing = demand.tablespaces.subtracting(present)
        guard !missing.isEmpty else {
            return PreflightCheck("tablespaces", .go, "there: \(demand.tablespaces.sorted().listed)")
        }
        if demand.properties != nil {
            return PreflightCheck(
                "tablespaces", .warning, "settings name tablespaces that are not there: \(missing.sorted().listed)",
                hint: "what they were for goes to pg_default; create them first (CREATE TABLESPACE) if it should not")
        }
        return PreflightCheck(
            "tablespaces", .noGo, "the dump names tablespaces that are not there: \(missing.sorted().listed)",
            hint: "create them on the target (CREATE TABLESPACE), or back up with pod-runner, which leaves them out")
    }

    private func live(_ occupancy: TargetServer.Occupancy) async throws -> PreflightCheck {
        let name = "database \"\(demand.database)\""
        if occupancy != .absent, !demand.isDrill, let fixed = try await immovable(name) { return fixed }
        switch occupancy {
        case .absent:
            let alike = try await server.client.query(
                """
                SELECT datname FROM pg_catalog.pg_database
                WHERE pg_catalog.lower(datname) = pg_catalog.lower($1) ORDER BY 1
                """, [demand.database]
            ).rows.compactMap { $0.text("datname") }
            let finding = "\(name) is not there and will be made"
            guard !alike.isEmpty else { return PreflightCheck("target", .go, finding) }
            return PreflightCheck(
                "target", .warning, "\(finding); there is \(alike.map { "\"\($0)\"" }.listed)",
                hint: "names of databases differ when their case does: is PGDATABASE as it should be?")
        case .empty: return PreflightCheck("target", .go, "\(name) is there and empty")
        case .inUse(let objects):
            let what =
                "\(name) is there and has \(objects == 1 ? "1 table, view or sequence" : "\(objects) tables, views and sequences")"
            if demand.isDrill { return PreflightCheck("target", .go, "\(what); the drill leaves it alone") }
            guard demand.mayReplace else {
                return PreflightCheck(
                    "target", .noGo, what, hint: "--replace puts the restored database in its place once it is complete"
                )
            }
            guard demand.scope.isWhole else {
                return PreflightCheck(
                    "target", .noGo,
                    "\(what); the snapshot has only a part of what was backed up and would replace all of it",
                    hint: "restore it under another name (--dbname), or one table of it with --table")
            }
            if let source = demand.properties?.name, source != demand.database {
                return Self.replacing(what, withOther: source, keepsReplaced: demand.keepsReplaced)
            }
            return PreflightCheck(
                "target", .go, demand.isInPlace ? "\(what); it is dropped first" : "\(what); it is replaced at the end")
        }
    }

    /// A snapshot of one database and the name of another: perhaps a copy for a test, perhaps the wrong line of a list.
    private static func replacing(_ what: String, withOther source: String, keepsReplaced: Bool) -> PreflightCheck {
        let finding = "\(what); the snapshot is of database \"\(source)\""
        guard keepsReplaced else {
            return PreflightCheck(
                "target", .noGo, "\(finding), and nothing of what it replaces would be kept",
                hint: "if that is meant, keep it for a while (--keep-old 24h, without --in-place), or drop it first")
        }
        return PreflightCheck(
            "target", .warning, "\(finding), which replaces it at the end",
            hint: "if that is not meant, `restore --undo` puts back what was there")
    }

    private func space() async throws -> PreflightCheck {
        let row = try await server.client.query(
            """
            SELECT coalesce(sum(CASE WHEN pg_catalog.has_database_privilege(oid, 'CONNECT')
                                     THEN pg_catalog.pg_database_size(oid) END), 0)::text AS used,
                   count(*) FILTER (WHERE NOT pg_catalog.has_database_privilege(oid, 'CONNECT'))::text AS hidden,
                   coalesce(sum(CASE WHEN datname = $1 AND pg_catalog.has_database_privilege(oid, 'CONNECT')
                                     THEN pg_catalog.pg_database_size(oid) END), 0)::text AS live
            FROM pg_catalog.pg_database
            """, [demand.database]
        ).single()
        let space = TargetSpace(
            needed: demand.databaseBytes, dumpBytes: demand.dumpBytes, used: try row.integer("used"),
            hiddenDatabases: try row.integer("hidden"), wal: try await walBytes(),
            freed: demand.isInPlace ? try row.integer("live") : 0, storage: demand.targetSpace)
        return space.check
    }

    /// Nil where the role may not look (`pg_monitor`).
    private func walBytes() async throws -> Int64? {
        do {
            return try await server.client.query(
                "SELECT coalesce(sum(size), 0)::bigint::text AS bytes FROM pg_catalog.pg_ls_waldir()"
            ).single().integer("bytes")
        } catch let error as PostgresError where error.code == .permission {
            return nil
        }
    }

    private func leftovers() async throws -> PreflightCheck {
        let found = try await server.journals().filter { $0.journal.database == demand.database }
        guard !found.isEmpty else { return PreflightCheck("leftovers", .go, "none of earlier restores") }
        let texts = found.map { found in
            let size = found.bytes.map { ", \(PreflightCheck.size($0))" } ?? ""
            return switch found.journal.kind {
            case .building: "\(found.name) of a restore that died or runs (removed first)"
            case .placed: "the last restore died after the swap (finished first)"
            case .kept: "\(found.name)\(size) kept until \(found.journal.keepUntil?.description ?? "?")"
            }
        }
        return PreflightCheck("leftovers", .go, texts.joined(separator: "; "))
    }
}
