/// The database that is there.
extension TargetPreflight {
    func liveDetails() async throws -> [PreflightCheck] {
        let sessions = try await server.sessions(of: demand.database)
        let superusers = Set(
            try await server.client.query("SELECT rolname FROM pg_catalog.pg_roles WHERE rolsuper").rows.compactMap {
                $0.text("rolname")
            })
        let live = demand.database
        let counts = try await server.client.query(
            """
            SELECT (SELECT count(*) FROM pg_catalog.pg_prepared_xacts WHERE database = $1)::text AS prepared,
                   (SELECT count(*) FROM pg_catalog.pg_replication_slots WHERE database = $1)::text AS slots,
                   (SELECT count(*) FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
                    WHERE d.datname = $1)::text AS subscriptions,
                   (SELECT t.spcname FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace
                    WHERE d.datname = $1) AS tablespace,
                   (SELECT d.datallowconn FROM pg_catalog.pg_database d WHERE d.datname = $1) AS allows
            """, [live]
        ).single()
        return [
            connected(sessions, superusers), try replication(counts), try tablespace(counts),
            try await contents(allowed: counts.bool("allows")),
        ]
    }

    /// What keeps the live database from being renamed, and so from being replaced; nil for nothing.
    ///
    /// - Parameter name: of the database, for people.
    func immovable(_ name: String) async throws -> PreflightCheck? {
        guard demand.database != server.client.settings.database else {
            return PreflightCheck(
                "target", .noGo, "\(name) cannot be replaced through a connection to itself",
                hint: "PGDATABASE or --dbname names the database to restore, --maintenance-db another one")
        }
        let row = try await server.client.query(
            """
            SELECT d.datistemplate AS template, pg_catalog.pg_get_userbyid(d.datdba) AS owner, r.rolsuper AS super,
                   pg_catalog.pg_has_role(current_user, d.datdba, 'MEMBER') AS acts,
                   \(server.major >= 16
                        ? "pg_catalog.pg_has_role(current_user, d.datdba, 'MEMBER WITH ADMIN OPTION')" : "true") AS manages
            FROM pg_catalog.pg_database d JOIN pg_catalog.pg_roles r ON r.oid = d.datdba WHERE d.datname = $1
            """, [demand.database]
        ).single()
        if try row.bool("template") {
            return PreflightCheck(
                "target", .noGo, "\(name) is a template", hint: "restore under another name (--dbname)")
        }
        let owner = try row.required("owner")
        let mayJoin =
            try server.mayCreateRoles && row.bool("manages") && !row.bool("super") && !DatabaseRole.isReserved(owner)
        guard try !server.isSuperuser && !row.bool("acts") && !mayJoin else { return nil }
        return PreflightCheck(
            "target", .noGo, "\(name) belongs to \(owner), in whose name \(server.user) cannot act",
            hint: "as its owner or a superuser: ALTER DATABASE \(SQLText.identifier(demand.database)) OWNER TO "
                + SQLText.identifier(server.user))
    }

    private func connected(_ sessions: [DatabaseSession], _ superusers: Set<String>) -> PreflightCheck {
        guard !sessions.isEmpty else { return PreflightCheck("connected", .go, "nobody") }
        let roles = Dictionary(grouping: sessions, by: \.role).map { "\($0.key) \($0.value.count)" }.sorted()
        let foreign = server.isSuperuser ? [] : sessions.filter { superusers.contains($0.role) }
        let finding = "\(sessions.count): \(roles.listed)"
        guard foreign.isEmpty else {
            return PreflightCheck(
                "connected", .warning,
                "\(finding); \(foreign[0].description) is a superuser's, which \(server.user) cannot end",
                hint: "the swap waits 20 seconds for it and then gives up; the database stays as it is")
        }
        return PreflightCheck("connected", .go, "\(finding); they are disconnected for the swap")
    }

    private func replication(_ counts: PostgresRow) throws -> PreflightCheck {
        let (prepared, slots) = (try counts.integer("prepared"), try counts.integer("slots"))
        let subscriptions = try counts.integer("subscriptions")
        guard prepared == 0 else {
            return PreflightCheck(
                "replication", .noGo,
                "\(prepared) prepared \(prepared == 1 ? "transaction keeps" : "transactions keep") the database from being renamed",
                hint: "COMMIT PREPARED or ROLLBACK PREPARED (pg_prepared_xacts)")
        }
        guard subscriptions == 0 else {
            return PreflightCheck(
                "replication", .noGo,
                "\(subscriptions) \(subscriptions == 1 ? "subscription receives" : "subscriptions receive") into the database: what comes in would go to the replaced one",
                hint: "drop or disable what receives, restore, then make it again")
        }
        guard slots == 0 else {
            return PreflightCheck(
                "replication", .warning,
                "\(slots) logical replication \(slots == 1 ? "slot stays" : "slots stay") with the replaced database",
                hint: "what reads them must be set up again; the replaced database cannot be dropped before them")
        }
        return PreflightCheck("replication", .go, "no prepared transactions, subscriptions or logical slots")
    }

    private func tablespace(_ counts: PostgresRow) throws -> PreflightCheck {
        let tablespace = try counts.required("tablespace")
        guard tablespace != "pg_default" else { return PreflightCheck("tablespace", .go, "pg_default") }
        return PreflightCheck(
            "tablespace", .warning, "the database is in \(tablespace), the restored one will be in pg_default")
    }

    /// What is in the live database and cannot come back from a dump.
    private func contents(allowed: Bool) async throws -> PreflightCheck {
        guard allowed else {
            return PreflightCheck("contents", .warning, "the database takes no connections and cannot be looked into")
        }
        let row = try await PostgresClient.with(server.client.settings.with(database: demand.database)) { client in
            try await client.query(
                """
                SELECT (SELECT count(*) FROM pg_catalog.pg_publication)::text AS publications,
                       (SELECT count(*) FROM pg_catalog.pg_event_trigger)::text AS triggers,
                       (SELECT count(*) FROM pg_catalog.pg_foreign_server)::text AS servers
                """
            ).single()
        }
        let found = [("publications", "publication"), ("triggers", "event trigger"), ("servers", "foreign server")]
            .compactMap { column, name in
                row.text(column).flatMap { $0 == "0" ? nil : "\($0) \(name)\($0 == "1" ? "" : "s")" }
            }
        guard !found.isEmpty else {
            return PreflightCheck("contents", .go, "no publications, event triggers or foreign servers")
        }
        return PreflightCheck(
            "contents", .warning, "the database has \(found.listed)",
            hint:
                "they come back as far as the dump has them and \(server.user) may make them; passwords of user mappings do not"
        )
    }
}
