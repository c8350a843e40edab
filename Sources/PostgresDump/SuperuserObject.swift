public import GoFormats

/// Something in a database that PostgreSQL lets only a superuser make, or only a server that is set up for it, and that a
/// restore can do without: nothing else in a dump depends on it.
///
/// Providers of managed servers change that for roles of theirs, so a target is asked and not judged by its roles' attributes.
///
/// Source: PostgreSQL `src/backend/commands/event_trigger.c` `CreateEventTrigger`, `publicationcmds.c`
/// `CreatePublication`, `CheckAlterPublication`, `seclabel.c` `ExecSecLabelStmt`, `src/backend/catalog/aclchk.c`
/// `ExecAlterDefaultPrivilegesStmt`; `src/bin/pg_dump/pg_dump.c` `dumpEventTrigger`, `dumpPublication`,
/// `dumpPublicationNamespace`, `dumpSecLabel`, `dumpDefaultACL`.
public struct SuperuserObject: Sendable, Hashable, CustomStringConvertible {
    public enum Kind: String, Sendable {
        case eventTrigger = "event trigger"
        case publicationOfAllTables = "publication FOR ALL TABLES"
        /// From PostgreSQL 15 on.
        case publicationOfSchemas = "publication FOR TABLES IN SCHEMA"
        /// Of a superuser or a provider's role, which is the name: only its members may set them.
        case defaultPrivileges = "default privileges"
        /// Of a provider, which is the name: the server must have loaded it.
        case securityLabels = "security labels"

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
        case .defaultPrivileges: "default privileges of \(name)"
        case .securityLabels: "security labels of \(name)"
        }
    }

    /// Whether a default privilege of the backup is not there for want of this.
    public func covers(_ entry: PrivilegeRecord.Entry) -> Bool {
        guard kind == .defaultPrivileges, entry.kind == "default",
            let role = entry.object.firstRange(of: " of ")?.upperBound
        else { return false }
        return entry.object[role...] == name || entry.object[role...].hasPrefix("\(name) in ")
    }

    /// Those of extensions, which come with them, are left out; so are labels whose provider comes with an extension: its
    /// library is loaded when it is made.
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
            UNION ALL
            SELECT DISTINCT '\(Kind.defaultPrivileges.rawValue)', r.rolname::text
            FROM pg_catalog.pg_default_acl a JOIN pg_catalog.pg_roles r ON r.oid = a.defaclrole
            WHERE r.rolsuper OR r.rolname ~ '\(DatabaseRole.reservedPattern)'
            UNION ALL
            SELECT DISTINCT '\(Kind.securityLabels.rawValue)', l.provider FROM pg_catalog.pg_seclabel l
            WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = l.provider)
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
        func named(behind start: String, in text: some StringProtocol) -> Bool {
            text.hasPrefix(start)
                && SQLText.leadingIdentifier(Substring(text.dropFirst(start.count)))?.name == object.name
        }
        let label = "SECURITY LABEL FOR "
        switch object.kind {
        case .defaultPrivileges: return named(behind: "ALTER DEFAULT PRIVILEGES FOR ROLE ", in: head)
        case .securityLabels: return named(behind: label, in: head)
        case .eventTrigger, .publicationOfAllTables, .publicationOfSchemas: break
        }
        var rest = head[...]
        if rest.hasPrefix(label) {
            guard let (_, behind) = SQLText.leadingIdentifier(rest.dropFirst(label.count)) else { return false }
            rest = behind.drop { $0 == " " }
        }
        return ["CREATE ", "ALTER ", "COMMENT ON ", "ON "].contains {
            named(behind: $0 + object.kind.keyword + " ", in: rest)
        }
    }
}

extension TargetServer {
    /// Which of some objects cannot be made here by the connected role.
    ///
    /// The server says so to statements that it refuses either way, the privilege first: an event that there is none of, a
    /// parameter that no publication has, a role that is not there. They change nothing; the server's log has them as errors.
    ///
    /// - Throws: `PostgresError`.
    public func cannotMake(_ objects: [SuperuserObject]) async throws -> [SuperuserObject] {
        var refused: [SuperuserObject] = []
        var answers: [String: Bool] = [:]
        for object in objects {
            let question =
                switch object.kind {
                case .eventTrigger:
                    "CREATE EVENT TRIGGER karaffe_asks ON karaffe_asks EXECUTE FUNCTION pg_catalog.now()"
                case .publicationOfAllTables, .publicationOfSchemas:
                    // In a database where the role may create nothing the answer is no as well: PostgreSQL's own rule.
                    "CREATE PUBLICATION karaffe_asks FOR ALL TABLES WITH (karaffe_asks = 1)"
                case .securityLabels:
                    "SECURITY LABEL FOR \(SQLText.identifier(object.name)) ON ROLE karaffe_asks IS NULL"
                case .defaultPrivileges: ""
                }
            if question.isEmpty {
                if try await !maySetDefaults(of: object.name) { refused.append(object) }
                continue
            }
            if isSuperuser, object.kind != .securityLabels { continue }
            let answer: Bool
            if let known = answers[question] { answer = known } else { answer = try await isRefused(question) }
            answers[question] = answer
            if answer { refused.append(object) }
        }
        return refused
    }

    /// A role that is missing is made and joined, unless it is one that no restore makes.
    private func maySetDefaults(of role: String) async throws -> Bool {
        guard try await roleNames().contains(role) else { return !DatabaseRole.isReserved(role) }
        return try await client.query(
            """
            SELECT pg_catalog.pg_has_role(current_user, $1, '\(major >= 16 ? "USAGE" : "MEMBER")')
              OR (NOT rolsuper AND $2) AS may FROM pg_catalog.pg_roles WHERE rolname = $1
            """, [role, mayCreateRoles && !DatabaseRole.isReserved(role) ? "true" : "false"]
        ).single().bool("may")
    }

    /// For want of a privilege or of a provider of labels, and not for what is wrong with the statement or because the server
    /// takes no writes.
    private func isRefused(_ statement: String) async throws -> Bool {
        do {
            try await client.query(statement)
            return false
        } catch let error as PostgresError where ["42501", "22023"].contains(error.sqlState) {
            return true
        } catch let error as PostgresError where ["42601", "42704", "25006"].contains(error.sqlState) {
            return false
        }
    }
}

extension TargetPreflight {
    /// What of the dump only a superuser may make; nil when the backup does not tell.
    func superuserObjects() async throws -> PreflightCheck? {
        guard let objects = demand.superuserObjects else { return nil }
        guard !objects.isEmpty else { return PreflightCheck("superuser", .go, "nothing in the dump needs one") }
        let refused = try await server.cannotMake(objects)
        let names = refused.map(\.description).listed
        guard !refused.isEmpty else {
            return PreflightCheck(
                "superuser", .go, "\(server.user) may make \(objects.map(\.description).listed)")
        }
        let labels = refused.filter { $0.kind == .securityLabels }.map(\.name)
        let load = labels.isEmpty ? "" : "load \(labels.listed) on the server (shared_preload_libraries), "
        guard demand.leavesOutSuperuserObjects else {
            return PreflightCheck(
                "superuser", .noGo, "\(server.user) may not make \(names)",
                hint: load + (labels.count == refused.count ? "" : "restore as a superuser, ")
                    + "or leave exactly these out with --leave-out-superuser-objects")
        }
        return PreflightCheck(
            "superuser", .warning, "\(server.user) may not make \(names); left out, as asked for",
            hint: "make them by hand after the restore, as a superuser; the dump has the statements")
    }
}
