public import GoFormats

/// Something in a database that PostgreSQL lets only a superuser make, and that a restore can do without: nothing else in a
/// dump depends on it.
///
/// Providers of managed servers change that for roles of theirs, so a target is asked and not judged by its roles' attributes.
///
/// Source: PostgreSQL `src/backend/commands/event_trigger.c` `CreateEventTrigger`, `publicationcmds.c`
/// `CreatePublication`, `CheckAlterPublication`; `src/bin/pg_dump/pg_dump.c` `dumpEventTrigger`, `dumpPublication`,
/// `dumpPublicationNamespace`.
public struct SuperuserObject: Sendable, Hashable, CustomStringConvertible {
    public enum Kind: String, Sendable {
        case eventTrigger = "event trigger"
        case publicationOfAllTables = "publication FOR ALL TABLES"
        /// From PostgreSQL 15 on.
        case publicationOfSchemas = "publication FOR TABLES IN SCHEMA"

        /// As the statements of a dump name it.
        fileprivate var keyword: String { self == .eventTrigger ? "EVENT TRIGGER" : "PUBLICATION" }
    }

    public let kind: Kind
    public let name: String

    public init(_ kind: Kind, _ name: String) {
        self.kind = kind
        self.name = name
    }

    /// `publication everything FOR ALL TABLES`.
    public var description: String {
        switch kind {
        case .eventTrigger: "event trigger \(name)"
        case .publicationOfAllTables: "publication \(name) FOR ALL TABLES"
        case .publicationOfSchemas: "publication \(name) FOR TABLES IN SCHEMA"
        }
    }

    /// Those of extensions, which come with them, are left out.
    ///
    /// - Throws: `PostgresError`.
    static func all(in client: PostgresClient) async throws -> [SuperuserObject] {
        var sql = """
            SELECT '\(Kind.eventTrigger.rawValue)' AS kind, e.evtname::text AS name FROM pg_catalog.pg_event_trigger e
            WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                              WHERE d.classid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass AND d.objid = e.oid
                                AND d.deptype = 'e')
            UNION ALL
            SELECT '\(Kind.publicationOfAllTables.rawValue)', p.pubname::text FROM pg_catalog.pg_publication p
            WHERE p.puballtables
            """
        if client.serverMajor >= 15 {
            sql += """

                UNION ALL
                SELECT '\(Kind.publicationOfSchemas.rawValue)', p.pubname::text FROM pg_catalog.pg_publication p
                WHERE EXISTS (SELECT FROM pg_catalog.pg_publication_namespace n WHERE n.pnpubid = p.oid)
                """
        }
        return try await client.query(sql + "\nORDER BY 1, 2").rows.compactMap { row in
            Kind(rawValue: try row.required("kind")).map { SuperuserObject($0, row.text("name") ?? "") }
        }
    }

    public var json: JSONValue { ["kind": .string(kind.rawValue), "name": .string(name)] }

    /// Nil for kinds that this program does not know.
    public init?(json: JSONValue) {
        guard let kind = json["kind"]?.stringValue.flatMap({ Kind(rawValue: $0) }),
            let name = json["name"]?.stringValue
        else { return nil }
        self.init(kind, name)
    }
}

extension DumpStatement {
    /// Whether it makes the object, changes it, or says something of it.
    func concerns(_ object: SuperuserObject) -> Bool {
        var rest = head[...]
        if rest.hasPrefix("SECURITY LABEL FOR ") {
            guard let (_, behind) = SQLText.leadingIdentifier(rest.dropFirst("SECURITY LABEL FOR ".count)) else {
                return false
            }
            rest = behind.drop { $0 == " " }
        }
        for verb in ["CREATE ", "ALTER ", "COMMENT ON ", "ON "] {
            let start = verb + object.kind.keyword + " "
            guard rest.hasPrefix(start) else { continue }
            return SQLText.leadingIdentifier(rest.dropFirst(start.count))?.name == object.name
        }
        return false
    }
}

extension TargetServer {
    /// Which of some objects the connected role may not make.
    ///
    /// The server says so to statements that it refuses either way, the privilege first: an event that there is none of, a
    /// parameter that no publication has. They change nothing; the server's log has them as errors.
    ///
    /// - Throws: `PostgresError`.
    public func cannotMake(_ objects: [SuperuserObject]) async throws -> [SuperuserObject] {
        guard !isSuperuser, !objects.isEmpty else { return [] }
        var refused: [Bool: Bool] = [:]
        for isTrigger in Set(objects.map { $0.kind == .eventTrigger }) {
            // In a database where the role may create nothing the answer is no as well: PostgreSQL's own rule.
            refused[isTrigger] = try await isRefused(
                isTrigger
                    ? "CREATE EVENT TRIGGER karaffe_asks ON karaffe_asks EXECUTE FUNCTION pg_catalog.now()"
                    : "CREATE PUBLICATION karaffe_asks FOR ALL TABLES WITH (karaffe_asks = 1)")
        }
        return objects.filter { refused[$0.kind == .eventTrigger] == true }
    }

    /// For want of a privilege, and not for what is wrong with the statement or because the server takes no writes.
    private func isRefused(_ statement: String) async throws -> Bool {
        do {
            try await client.query(statement)
            return false
        } catch let error as PostgresError where error.sqlState == "42501" {
            return true
        } catch let error as PostgresError where ["42601", "25006"].contains(error.sqlState) {
            return false
        }
    }
}

extension TargetPreflight {
    /// What of the dump only a superuser may make; nil when the backup does not tell.
    func superuserObjects() async throws -> PreflightCheck? {
        guard let objects = demand.superuserObjects else { return nil }
        guard !objects.isEmpty else { return PreflightCheck("superuser", .go, "nothing in the dump needs one") }
        let refused = try await server.cannotMake(objects).map(\.description)
        guard !refused.isEmpty else {
            return PreflightCheck(
                "superuser", .go, "\(server.user) may make \(objects.map(\.description).listed)")
        }
        guard demand.leavesOutSuperuserObjects else {
            return PreflightCheck(
                "superuser", .noGo, "\(server.user) may not make \(refused.listed)",
                hint: "restore as a superuser, or leave exactly these out with --leave-out-superuser-objects")
        }
        return PreflightCheck(
            "superuser", .warning, "\(server.user) may not make \(refused.listed); left out, as asked for",
            hint: "make them by hand after the restore, as a superuser; the dump has the statements")
    }
}
