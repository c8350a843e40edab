public import GoFormats

/// Who owns what in a database and who may do what there: owners, effective access lists, default privileges.
///
/// Objects that have the same owner and the same access list are kept as one group, so that the record grows with the names
/// of the objects and with the number of *different* access lists, not with objects times roles: 10,000 tables that 20 roles may
/// read and write are their names and one list, 0.3 MB of `karaffe.json`. Where every object has a list of its own
/// there are as many lists as the dump has groups of GRANT statements.
///
/// What counts is the difference of two of them, said in lines such as
///
///     table public.items belongs to app
///     SELECT on table public.items to reader
///     new tables of app in public: SELECT to reader
///
/// Access lists that are not set count as what PostgreSQL takes for them, so that a list that is set to the default is no
/// difference. Objects of the system and of extensions are left out.
///
/// Source: PostgreSQL documentation, "Privileges", `acldefault`, `aclexplode`; catalogs `pg_class`, `pg_attribute`, `pg_proc`,
/// `pg_namespace`, `pg_type`, `pg_largeobject_metadata`, `pg_foreign_server`, `pg_foreign_data_wrapper`, `pg_language`,
/// `pg_database`, `pg_default_acl`.
public struct PrivilegeRecord: Sendable, Hashable {
    /// One line of an access list.
    public struct Grant: Sendable, Hashable, Comparable {
        /// Empty for PUBLIC.
        public var role: String
        /// `SELECT`.
        public var privilege: String
        public var isGrantable: Bool

        public static func < (left: Grant, right: Grant) -> Bool {
            (left.role, left.privilege, left.isGrantable ? 1 : 0) < (
                right.role, right.privilege, right.isGrantable ? 1 : 0
            )
        }
    }

    /// Objects of one kind with the same owner and access list.
    public struct Group: Sendable, Hashable {
        /// `table`, `materialized view`, …; a column counts as its table's kind.
        public var kind: String
        /// Nil for columns, which nobody owns.
        public var owner: String?
        /// Sorted. What the owner has is in it, in records made since there are groups.
        public var grants: [Grant]
        /// Sorted: `public.items`, `public.items column name`; empty for the database itself.
        public var names: [String]

        /// `table public.items`.
        func object(_ name: String) -> String { name.isEmpty ? kind : "\(kind) \(name)" }
        public var objects: [String] { names.map(object) }
    }

    /// Something that can be lost, for people.
    public struct Entry: Sendable, Hashable, Comparable {
        /// `owner`, `grant`, `default`.
        public var kind: String
        /// `table public.items`.
        public var object: String
        /// Owner, or who is granted something; empty for PUBLIC.
        public var role: String
        /// `SELECT`; empty for owners.
        public var privilege: String
        public var isGrantable: Bool

        public static func < (left: Entry, right: Entry) -> Bool { left.sortKey < right.sortKey }
        private var sortKey: String { "\(kind)\u{0}\(object)\u{0}\(role)\u{0}\(privilege)" }

        public var description: String {
            let name = role.isEmpty ? "PUBLIC" : role
            if kind == "owner" { return "\(object) belongs to \(name)" }
            let option = isGrantable ? " with grant option" : ""
            return kind == "default"
                ? "new \(object): \(privilege) to \(name)\(option)" : "\(privilege) on \(object) to \(name)\(option)"
        }
    }

    /// Sorted by kind, owner and grants; each combination of these once.
    public private(set) var groups: [Group]
    /// Default privileges; sorted.
    public var defaults: [Entry]
    /// False in records of before, which leave out what owners have and the database itself: too little to say what roles can do.
    public var isComplete = true

    public init(groups: [Group], defaults: [Entry]) {
        struct Key: Hashable {
            var kind: String
            var owner: String?
            var grants: [Grant]
        }
        var names: [Key: [String]] = [:]
        for group in groups {
            names[Key(kind: group.kind, owner: group.owner, grants: Set(group.grants).sorted()), default: []] +=
                group.names
        }
        self.groups = names.map { Group(kind: $0.kind, owner: $0.owner, grants: $0.grants, names: $1.sorted()) }
            .sorted {
                ($0.kind, $0.owner ?? "", $0.names.first ?? "") < ($1.kind, $1.owner ?? "", $1.names.first ?? "")
            }
        self.defaults = defaults.sorted()
    }

    /// Roles that own anything but the schema `public`, which every server gives to one of its own: up to PostgreSQL 14 to its
    /// superuser, since then to the database's owner. The database's own owner is elsewhere (`DatabaseProperties`).
    public var owners: Set<String> { Set(groups.filter(\.isOfDump).compactMap(\.owner)) }

    /// Who owns something, is granted something or has default privileges; not in the schema `public` and the database itself.
    public var roles: Set<String> {
        var roles = owners.union(defaults.map(\.role))
        for group in groups where group.isOfDump { roles.formUnion(group.grants.map(\.role)) }
        return roles
    }

    public static let publicSchema = "schema public"
    /// The object that is the database itself, whatever its name.
    public static let database = "database"

    public var databaseOwner: String? { groups.first { $0.kind == Self.database }?.owner }
    public var ownerOfPublic: String? { groups.first { $0.kind == "schema" && $0.names.contains("public") }?.owner }

    /// Whether everybody may create objects in the schema `public`: the default up to PostgreSQL 14.
    public var isPublicOpen: Bool {
        groups.contains { group in
            group.kind == "schema" && group.names.contains("public")
                && group.grants.contains { $0.role.isEmpty && $0.privilege == "CREATE" }
        }
    }

    /// Of a table, view or sequence with this name as `quote_ident` writes it, `public.items`; nil when there is none.
    public func owner(ofRelation name: String) -> String? {
        groups.first { $0.owner != nil && Self.relationKinds.contains($0.kind) && $0.names.contains(name) }?.owner
    }

    static let relationKinds: Set = ["table", "view", "materialized view", "foreign table", "sequence"]

    /// Owners, grants and default privileges.
    public var count: Int {
        groups.reduce(defaults.count) { sum, group in
            let grants = group.grants.count { $0.role != group.owner }
            return sum + group.names.count * (grants + (group.owner == nil ? 0 : 1))
        }
    }

    /// Where each object is in `groups`.
    var positions: [String: Int] {
        var positions: [String: Int] = [:]
        positions.reserveCapacity(groups.reduce(0) { $0 + $1.names.count })
        for (index, group) in groups.enumerated() {
            for name in group.names { positions[group.object(name)] = index }
        }
        return positions
    }

    /// The table of a column; nil for what is no column.
    static func table(ofColumn object: String) -> String? {
        object.lastRange(of: " column ").map { String(object[..<$0.lowerBound]) }
    }

    /// What is here and not there.
    ///
    /// - Parameter isPart: whether only objects that are there count, and no default privileges: pg_dump of some tables leaves
    ///   out the rest.
    public func lost(in other: PrivilegeRecord, isPart: Bool = false) -> [Entry] {
        let positions = other.positions
        var lost: [Entry] = []
        // What is missing is the same for all objects that share a list here and share one there.
        var missing: [[Int]: [Grant]] = [:]
        for (index, group) in groups.enumerated() {
            for name in group.names {
                let object = group.object(name)
                let position = positions[object]
                if isPart, position == nil, positions[Self.table(ofColumn: object) ?? ""] == nil { continue }
                let there = position.map { other.groups[$0] }
                if let owner = group.owner, there?.owner != owner {
                    lost.append(Entry(kind: "owner", object: object, role: owner, privilege: "", isGrantable: false))
                }
                let pair = [index, position ?? -1]
                let grants = missing[pair] ?? group.grants(notIn: there)
                missing[pair] = grants
                lost += grants.map {
                    Entry(
                        kind: "grant", object: object, role: $0.role, privilege: $0.privilege,
                        isGrantable: $0.isGrantable)
                }
            }
        }
        if !isPart {
            let there = Set(other.defaults)
            lost += defaults.filter { entry in
                var more = entry
                more.isGrantable = true
                return !there.contains(entry) && !there.contains(more)
            }
        }
        return lost.sorted()
    }
}

extension PrivilegeRecord.Group {
    /// Not the schema that every database has, and not the database itself.
    fileprivate var isOfDump: Bool {
        kind != PrivilegeRecord.database && !(kind == "schema" && names == ["public"])
    }

    /// Of the grants to others than the owner. With grant option is more than without.
    fileprivate func grants(notIn other: Self?) -> [PrivilegeRecord.Grant] {
        let there = Set(other?.grants ?? [])
        return grants.filter { grant in
            guard grant.role != owner else { return false }
            var more = grant
            more.isGrantable = true
            return !there.contains(grant) && !there.contains(more)
        }
    }
}

// MARK: - As JSON

extension PrivilegeRecord {
    public var json: JSONValue {
        func text(_ role: String?) -> JSONValue { role.map { .string($0) } ?? .null }
        return [
            "groups": .array(
                groups.map { group in
                    var grants: [JSONValue] = []
                    for role in Set(group.grants.map(\.role)).sorted() {
                        let mine = group.grants.filter { $0.role == role }
                        grants.append([
                            "role": .string(role), "may": .array(mine.map { .string($0.privilege) }),
                            "grantable": .array(mine.filter(\.isGrantable).map { .string($0.privilege) }),
                        ])
                    }
                    return [
                        "kind": .string(group.kind), "owner": text(group.owner), "grants": .array(grants),
                        "names": .array(group.names.map { .string($0) }),
                    ]
                }),
            "defaults": .array(
                defaults.map {
                    [
                        "object": .string($0.object), "role": .string($0.role), "privilege": .string($0.privilege),
                        "grantable": .bool($0.isGrantable),
                    ]
                }),
        ]
    }

    /// Nil unless it is an object, or a list as records of before have it; entries without an object are left out.
    public init?(json: JSONValue) {
        if let list = json.arrayValue {
            self.init(ofBefore: list)
            return
        }
        guard let groups = json["groups"]?.arrayValue else { return nil }
        self.init(
            groups: groups.compactMap { group in
                guard let kind = group["kind"]?.stringValue else { return nil }
                let grants = (group["grants"]?.arrayValue ?? []).flatMap { grant -> [Grant] in
                    guard let role = grant["role"]?.stringValue else { return [] }
                    let grantable = Set((grant["grantable"]?.arrayValue ?? []).compactMap(\.stringValue))
                    return (grant["may"]?.arrayValue ?? []).compactMap(\.stringValue).map {
                        Grant(role: role, privilege: $0, isGrantable: grantable.contains($0))
                    }
                }
                return Group(
                    kind: kind, owner: group["owner"]?.stringValue, grants: grants,
                    names: (group["names"]?.arrayValue ?? []).compactMap(\.stringValue))
            },
            defaults: (json["defaults"]?.arrayValue ?? []).compactMap { Entry(json: $0, kind: "default") })
    }

    /// A list with an element for each owner and each grant.
    private init(ofBefore list: [JSONValue]) {
        var (owners, grants, defaults): ([String: String], [String: [Grant]], [Entry]) = ([:], [:], [])
        for element in list {
            guard let entry = Entry(json: element, kind: element["kind"]?.stringValue ?? "") else { continue }
            switch entry.kind {
            case "owner": owners[entry.object] = entry.role
            case "grant":
                grants[entry.object, default: []].append(
                    Grant(role: entry.role, privilege: entry.privilege, isGrantable: entry.isGrantable))
            case "default": defaults.append(entry)
            default: continue
            }
        }
        let kinds = ["materialized view", "foreign table", "large object"]
        self.init(
            groups: Set(owners.keys).union(grants.keys).map { object in
                let kind = kinds.first { object.hasPrefix($0 + " ") } ?? String(object.prefix { $0 != " " })
                return Group(
                    kind: kind, owner: owners[object], grants: grants[object] ?? [],
                    names: [String(object.dropFirst(kind.count + 1))])
            }, defaults: defaults)
        isComplete = false
    }
}

extension PrivilegeRecord.Entry {
    fileprivate init?(json: JSONValue, kind: String) {
        guard let object = json["object"]?.stringValue else { return nil }
        self.init(
            kind: kind, object: object, role: json["role"]?.stringValue ?? "",
            privilege: json["privilege"]?.stringValue ?? "", isGrantable: json["grantable"]?.boolValue ?? false)
    }
}
