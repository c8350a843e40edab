public import GoFormats

/// Something in a database that PostgreSQL lets only a superuser make, and that other objects may depend on, so that no restore
/// can leave it out.
///
/// Source: PostgreSQL `src/backend/commands`: `typecmds.c` `DefineType`, `opclasscmds.c` `DefineOpClass`, `tsearchcmds.c`
/// `DefineTSParser`, `DefineTSTemplate`, `amcmds.c` `CreateAccessMethod`, `foreigncmds.c` `CreateForeignDataWrapper`,
/// `proclang.c` `CreateProceduralLanguage`, `functioncmds.c` `CreateFunction`, `CreateCast`; `utils/misc/guc.c`
/// `set_config_option`.
public struct SuperuserNeed: Sendable, Hashable, CustomStringConvertible {
    public enum Kind: String, Sendable, CaseIterable {
        case baseTypes = "base types"
        case operatorClasses = "operator classes"
        case textSearch = "text search parsers and templates"
        case accessMethods = "access methods"
        case foreignDataWrappers = "foreign-data wrappers"
        case languages = "languages"
        /// WITHOUT FUNCTION, or between two of the server's own types.
        case casts = "casts"
        /// The name is the language's.
        case functions = "functions in language"
        /// The name is the setting's.
        case settings = "functions that set"
    }

    public let kind: Kind
    /// Empty where the kind says it all.
    public let name: String
    /// The first ten.
    public let objects: [String]

    public init(_ kind: Kind, _ name: String = "", objects: [String]) {
        self.kind = kind
        self.name = name
        self.objects = objects
    }

    /// `functions in language internal (public.shout)`.
    public var description: String { "\(kind.rawValue)\(name.isEmpty ? "" : " \(name)") (\(objects.listed))" }

    /// Rows `kind`, `name`, `object`; objects of extensions are left out at the end, by catalog and OID.
    private static let sql = """
        WITH ours AS (
            SELECT oid, nspname FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
        found(kind, name, catalog, oid, object) AS (
            SELECT '\(Kind.baseTypes.rawValue)', '', 'pg_type'::regclass, t.oid, pg_catalog.format('%I.%I', n.nspname, t.typname)
            FROM pg_catalog.pg_type t JOIN ours n ON n.oid = t.typnamespace
            WHERE t.typtype = 'b' AND t.typinput <> 'pg_catalog.array_in'::pg_catalog.regproc
            UNION ALL
            SELECT '\(Kind.operatorClasses.rawValue)', '', 'pg_opclass'::regclass, c.oid, pg_catalog.format('%I.%I', n.nspname, c.opcname)
            FROM pg_catalog.pg_opclass c JOIN ours n ON n.oid = c.opcnamespace
            UNION ALL
            SELECT '\(Kind.operatorClasses.rawValue)', '', 'pg_opfamily'::regclass, f.oid, pg_catalog.format('%I.%I', n.nspname, f.opfname)
            FROM pg_catalog.pg_opfamily f JOIN ours n ON n.oid = f.opfnamespace
            UNION ALL
            SELECT '\(Kind.textSearch.rawValue)', '', 'pg_ts_template'::regclass, s.oid, pg_catalog.format('%I.%I', n.nspname, s.tmplname)
            FROM pg_catalog.pg_ts_template s JOIN ours n ON n.oid = s.tmplnamespace
            UNION ALL
            SELECT '\(Kind.textSearch.rawValue)', '', 'pg_ts_parser'::regclass, s.oid, pg_catalog.format('%I.%I', n.nspname, s.prsname)
            FROM pg_catalog.pg_ts_parser s JOIN ours n ON n.oid = s.prsnamespace
            UNION ALL
            SELECT '\(Kind.accessMethods.rawValue)', '', 'pg_am'::regclass, oid, amname::text FROM pg_catalog.pg_am WHERE oid >= 16384
            UNION ALL
            SELECT '\(Kind.foreignDataWrappers.rawValue)', '', 'pg_foreign_data_wrapper'::regclass, oid, fdwname::text
            FROM pg_catalog.pg_foreign_data_wrapper WHERE oid >= 16384
            UNION ALL
            SELECT '\(Kind.languages.rawValue)', '', 'pg_language'::regclass, oid, lanname::text
            FROM pg_catalog.pg_language WHERE oid >= 16384
            UNION ALL
            SELECT '\(Kind.casts.rawValue)', '', 'pg_cast'::regclass, oid,
                   pg_catalog.format('%s AS %s', castsource::regtype, casttarget::regtype)
            FROM pg_catalog.pg_cast WHERE oid >= 16384 AND (castmethod = 'b' OR (castsource < 16384 AND casttarget < 16384))
            UNION ALL
            SELECT '\(Kind.functions.rawValue)', l.lanname::text, 'pg_proc'::regclass, p.oid, pg_catalog.format('%I.%I', n.nspname, p.proname)
            FROM pg_catalog.pg_proc p JOIN ours n ON n.oid = p.pronamespace JOIN pg_catalog.pg_language l ON l.oid = p.prolang
            WHERE NOT l.lanpltrusted AND p.prokind <> 'a'
            UNION ALL
            SELECT '\(Kind.settings.rawValue)', s.name, 'pg_proc'::regclass, p.oid, pg_catalog.format('%I.%I', n.nspname, p.proname)
            FROM pg_catalog.pg_proc p JOIN ours n ON n.oid = p.pronamespace, pg_catalog.unnest(p.proconfig) AS c(setting)
            JOIN pg_catalog.pg_settings s ON s.name = pg_catalog.split_part(c.setting, '=', 1)
            WHERE s.context = 'superuser')
        SELECT DISTINCT kind, name, object FROM found f
        WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                          WHERE d.classid = f.catalog AND d.objid = f.oid AND d.deptype = 'e')
        ORDER BY 1, 2, 3
        """

    /// - Throws: `PostgresError`.
    static func all(in client: PostgresClient) async throws -> [SuperuserNeed] {
        var needs: [SuperuserNeed] = []
        for row in try await client.query(sql).rows {
            guard let kind = Kind(rawValue: try row.required("kind")), let object = row.text("object") else { continue }
            let name = row.text("name") ?? ""
            if let last = needs.last, last.kind == kind, last.name == name {
                if last.objects.count < 10 {
                    needs[needs.count - 1] = SuperuserNeed(kind, name, objects: last.objects + [object])
                }
            } else {
                needs.append(SuperuserNeed(kind, name, objects: [object]))
            }
        }
        return needs
    }

    public var json: JSONValue {
        [
            "kind": .string(kind.rawValue), "name": .string(name), "objects": .array(objects.map { .string($0) }),
        ]
    }

    /// Nil for kinds that this program does not know.
    public init?(json: JSONValue) {
        guard let kind = json["kind"]?.stringValue.flatMap({ Kind(rawValue: $0) }) else { return nil }
        self.init(
            kind, json["name"]?.stringValue ?? "",
            objects: (json["objects"]?.arrayValue ?? []).prefix(10).compactMap(\.stringValue))
    }

    /// A statement that a server refuses either way, the privilege first.
    fileprivate var question: String {
        switch kind {
        case .baseTypes, .casts: "CREATE TYPE pg_temp.karaffe_asks (INPUT = karaffe_asks, OUTPUT = karaffe_asks)"
        case .operatorClasses:
            "CREATE OPERATOR CLASS pg_temp.karaffe_asks FOR TYPE pg_catalog.int4 USING btree AS STORAGE karaffe_asks"
        case .textSearch: "CREATE TEXT SEARCH TEMPLATE pg_temp.karaffe_asks (LEXIZE = karaffe_asks)"
        case .accessMethods: "CREATE ACCESS METHOD karaffe_asks TYPE INDEX HANDLER karaffe_asks"
        case .foreignDataWrappers: "CREATE FOREIGN DATA WRAPPER karaffe_asks HANDLER karaffe_asks"
        case .languages: "CREATE LANGUAGE karaffe_asks HANDLER karaffe_asks"
        // Language c stands for those that an extension brings, which the maintenance database need not have.
        case .functions:
            "CREATE FUNCTION pg_temp.karaffe_asks() RETURNS pg_catalog.int4 LANGUAGE c AS 'karaffe_asks', 'karaffe_asks'"
        // Says that it does nothing outside a transaction, after the privilege.
        case .settings: "SET LOCAL \(SQLText.settingName(name)) TO DEFAULT"
        }
    }
}

extension TargetPreflight {
    /// What the connected role may not make and the dump cannot do without; nil for nothing, or when it is not recorded.
    func superuserNeeds() async throws -> PreflightCheck? {
        guard !server.isSuperuser, !demand.superuserNeeds.isEmpty else { return nil }
        // Without that right the answer to some questions would be no for want of it.
        let asks = try await server.client.query(
            "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY') AS may"
        ).single().bool("may")
        guard asks else { return nil }
        var refused: [String] = []
        for need in demand.superuserNeeds where try await isRefused(need) { refused.append(need.description) }
        guard !refused.isEmpty else { return nil }
        return PreflightCheck(
            "required", .noGo, "\(server.user) may not make \(refused.joined(separator: ", "))",
            hint: "restore as a superuser: what depends on these could not be made without them")
    }

    private func isRefused(_ need: SuperuserNeed) async throws -> Bool {
        do {
            try await server.client.query(need.question)
            return false
        } catch let error as PostgresError where error.code == .permission || error.code == .query {
            return error.sqlState == "42501"
        }
    }
}
