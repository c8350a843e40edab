/// What the server brings: extensions, locales.
extension TargetPreflight {
    func extensions() async throws -> PreflightCheck {
        guard !demand.extensions.isEmpty else { return PreflightCheck("extensions", .go, "none needed") }
        let rows = try await server.client.query(
            """
            SELECT e.name, e.default_version, v.superuser AND NOT v.trusted AND e.installed_version IS NULL AS closed
            FROM pg_catalog.pg_available_extensions e
            LEFT JOIN pg_catalog.pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version
            """
        ).rows
        let offered = Dictionary(
            rows.compactMap { row in row.text("name").map { ($0, row.text("default_version") ?? "") } }
        ) {
            first, _ in first
        }
        let missing = demand.extensions.map(\.name).filter { offered[$0] == nil }
        guard missing.isEmpty else {
            return PreflightCheck(
                "extensions", .noGo, "the server does not offer \(missing.listed)",
                hint: "install them, or take them out of the source before the backup")
        }
        let allowed = try await server.client.query(
            "SELECT pg_catalog.lower(pg_catalog.current_setting('azure.extensions', true)) AS list"
        ).single().text("list")
        if let allowed {
            let list = Set(allowed.split(separator: ",").map { $0.split(separator: " ").joined() })
            let refused = demand.extensions.map(\.name).filter { $0 != "plpgsql" && !list.contains($0.lowercased()) }
            guard refused.isEmpty else {
                return PreflightCheck(
                    "extensions", .noGo, "not in azure.extensions: \(refused.listed)",
                    hint: "allow them in the server parameters")
            }
        }
        var refused: [String] = []
        if allowed == nil, !server.isSuperuser {
            for row in rows where row.text("closed") == "t" {
                guard let name = row.text("name"), demand.extensions.contains(where: { $0.name == name }) else {
                    continue
                }
                if try await mayNotMake(extension: name) { refused.append(name) }
            }
        }
        guard refused.isEmpty else {
            return PreflightCheck(
                "extensions", .noGo, "\(server.user) may not make \(refused.sorted().listed)",
                hint:
                    "restore as a superuser, or let the server trust them (trusted = true in the extension's control file)"
            )
        }
        let changed = demand.extensions.compactMap { wanted in
            offered[wanted.name].flatMap {
                $0 == wanted.version || wanted.version.isEmpty ? nil : "\(wanted.name) \(wanted.version) becomes \($0)"
            }
        }
        guard changed.isEmpty else { return PreflightCheck("extensions", .warning, changed.joined(separator: ", ")) }
        return PreflightCheck("extensions", .go, "offered: \(demand.extensions.map(\.name).listed)")
    }

    /// Tried and rolled back, because providers let their administrators make more than the catalogs say. One that is there
    /// already in the maintenance database cannot be tried.
    private func mayNotMake(extension name: String) async throws -> Bool {
        try await server.client.query("BEGIN")
        do {
            try await server.client.query("CREATE EXTENSION \(SQLText.identifier(name)) CASCADE")
            try await server.client.query("ROLLBACK")
            return false
        } catch let error as PostgresError where error.code == .permission || error.code == .query {
            try await server.client.query("ROLLBACK")
            return error.sqlState == "42501"
        }
    }

    func locale() async throws -> PreflightCheck {
        guard let properties = demand.properties else {
            return PreflightCheck("locale", .warning, "not recorded: the server's default is taken")
        }
        var text = "\(properties.encoding), \(properties.collate)"
        if let provider = LocaleProvider(properties) {
            if let obstacle = provider.obstacle(onMajor: server.major) { return obstacle }
            if provider == .icu || provider == .icuWithRules, try await !knowsICU() {
                return LocaleProvider.withoutICU(server.major)
            }
            text += ", \(provider.name) \(properties.locale ?? "")"
        }
        if ["C", "POSIX"].contains(properties.collate) { return PreflightCheck("locale", .go, text) }
        // The operating system's locales, as they were when the server was set up.
        let isKnown = try await server.client.query(
            """
            SELECT EXISTS (SELECT FROM pg_catalog.pg_collation WHERE $1::text IN (collcollate::text, collname::text))
                OR EXISTS (SELECT FROM pg_catalog.pg_database WHERE datcollate::text = $1::text) AS known
            """, [properties.collate]
        ).single().bool("known")
        if isKnown { return PreflightCheck("locale", .go, text) }
        return PreflightCheck(
            "locale", .warning, "\(text): the server does not list this locale",
            hint: "creating the database fails if the operating system lacks it")
    }

    /// Every server that was built with ICU has a collation of it, whose version it can tell.
    private func knowsICU() async throws -> Bool {
        try await server.client.query(
            """
            SELECT EXISTS (SELECT FROM pg_catalog.pg_collation WHERE collprovider = 'i' AND collname IN ('und-x-icu', 'unicode')
                           AND pg_catalog.pg_collation_actual_version(oid) IS NOT NULL) AS known
            """
        ).single().bool("known")
    }
}
