/// What each role of a database can really do there: through what it owns, what it is granted, what PUBLIC is granted, and
/// whatever it has through other roles.
///
/// Computed from access lists and memberships, on both sides of a restore in the same way, so that a backup need record
/// neither a role nor an object twice. Rules:
///
/// - A role has the rights of the roles it belongs to where the membership inherits: as each GRANT says from PostgreSQL 16 on,
///   before that as the member says (`INHERIT`).
/// - The database's owner belongs to `pg_database_owner`; members of `pg_read_all_data`, `pg_write_all_data` and `pg_maintain` have
///   what those give on tables and schemas.
/// - Left aside on both sides, because a restore neither makes nor keeps it: SUPERUSER, the roles of cloud providers
///   (`azure_pg_admin`, …) with what they give, and the connected administrator with what is had through it, which joins
///   roles for the time of a restore.
/// - What a superuser of the target can do is not counted at all: it has everything.
///
/// Concurrency and memory: a value; a set of privileges for each role and *different* access list. Objects that share their lists
/// on both sides are compared once.
///
/// Source: PostgreSQL 15 and 18 `src/backend/utils/adt/acl.c` `roles_is_member_of`, `src/backend/catalog/aclchk.c`
/// `pg_class_aclmask_ext`, `pg_namespace_aclmask_ext`. Judged by `has_table_privilege` and its kin in `EffectiveRightsTests`.
public struct EffectiveRights: Sendable {
    let privileges: PrivilegeRecord
    let major: Int
    /// Each role with the roles whose rights it has, itself among them.
    let reach: [String: Set<String>]
    /// Memberships that let act as a role (`SET ROLE`).
    let acting: [String: Set<String>]
    public let superusers: Set<String>
    /// Roles with a membership, also those that are not among the roles, as the administrator of a backup.
    private let members: Set<String>

    /// - Parameters:
    ///   - databaseOwner: who belongs to `pg_database_owner`.
    ///   - administrator: whose memberships do not count.
    ///   - superusers: beside those among the roles.
    public init(
        privileges: PrivilegeRecord, roles: RoleClosure, databaseOwner: String, major: Int,
        administrator: String? = nil, superusers: Set<String> = []
    ) {
        self.privileges = privileges
        self.major = major
        self.superusers = superusers.union(roles.roles.filter(\.isSuperuser).map(\.name))
        members = Set(roles.memberships.map(\.member))
        let inheriting = Dictionary(roles.roles.map { ($0.name, $0.inherits) }, uniquingKeysWith: { first, _ in first })
        var (inherited, settable): ([String: Set<String>], [String: Set<String>]) = ([:], [:])
        for membership in roles.memberships
        where membership.member != administrator && !DatabaseRole.isProviders(membership.role) {
            if membership.withInherit ?? inheriting[membership.member] ?? true {
                inherited[membership.member, default: []].insert(membership.role)
            }
            if membership.withSet ?? true { settable[membership.member, default: []].insert(membership.role) }
        }
        // Up to PostgreSQL 15 a role that does not inherit has not even that.
        if major >= 16 || inheriting[databaseOwner] ?? true {
            inherited[databaseOwner, default: []].insert("pg_database_owner")
        }
        let names = Set(roles.roles.map(\.name)).union([""])
        reach = Dictionary(uniqueKeysWithValues: names.map { ($0, Self.closure(of: $0, over: inherited)) })
        acting = Dictionary(uniqueKeysWithValues: names.map { ($0, Self.closure(of: $0, over: settable)) })
    }

    private static func closure(of role: String, over edges: [String: Set<String>]) -> Set<String> {
        var (found, open): (Set<String>, [String]) = ([role], [role])
        while let next = open.popLast() {
            for role in edges[next] ?? [] where found.insert(role).inserted { open.append(role) }
        }
        return found
    }

    /// Names of roles, without PUBLIC.
    public var roles: Set<String> { Set(reach.keys).subtracting([""]) }

    /// What a role may do with the objects of a group. Ownership is `OWNER`.
    ///
    /// - Parameter role: empty for PUBLIC.
    func rights(of role: String, on group: PrivilegeRecord.Group) -> Set<String> {
        let through = reach[role] ?? [role]
        var rights = Set(group.grants.filter { $0.role.isEmpty || through.contains($0.role) }.map(\.privilege))
        if let owner = group.owner, through.contains(owner) { rights.insert("OWNER") }
        // Columns have it of their table.
        let isRelation = group.owner != nil && PrivilegeRecord.relationKinds.contains(group.kind)
        if through.contains("pg_read_all_data") {
            if isRelation { rights.insert("SELECT") }
            if group.kind == "schema" { rights.insert("USAGE") }
        }
        if through.contains("pg_write_all_data") {
            if isRelation { rights.formUnion(group.kind == "sequence" ? ["UPDATE"] : ["INSERT", "UPDATE", "DELETE"]) }
            if group.kind == "schema" { rights.insert("USAGE") }
        }
        if through.contains("pg_maintain"), isRelation, group.kind != "sequence" { rights.insert("MAINTAIN") }
        return rights
    }
}

extension DatabaseRole {
    /// Of a cloud provider: `azure_pg_admin`, `rdsadmin`; not PostgreSQL's own `pg_…`.
    public static func isProviders(_ name: String) -> Bool { isReserved(name) && !name.hasPrefix("pg_") }
}

// MARK: - The difference of two

extension EffectiveRights {
    /// What one role can do more or less with objects of one kind.
    public struct Difference: Sendable, Hashable, Comparable, CustomStringConvertible {
        /// Empty for PUBLIC.
        public let role: String
        /// Sorted.
        public let privileges: [String]
        /// `table`.
        public let kind: String
        /// Sorted; of the database itself one empty name.
        public internal(set) var names: [String]

        private var sortKey: String { "\(role)\u{0}\(kind)\u{0}\(privileges.joined(separator: ","))" }
        public static func < (left: Difference, right: Difference) -> Bool { left.sortKey < right.sortKey }

        /// `reader: SELECT on 214 tables: public.a, public.b, public.c and 211 more`.
        public var description: String {
            let what = privileges.map { $0 == "OWNER" ? "ownership" : $0 }.joined(separator: ", ")
            let subject = role.isEmpty ? "PUBLIC" : role
            if names == [""] { return "\(subject): \(what) on the \(kind)" }
            if names.count == 1 { return "\(subject): \(what) on \(kind) \(names[0])" }
            let some = names.prefix(3).joined(separator: ", ")
            let more = names.count > 3 ? " and \(names.count - 3) more" : ""
            return "\(subject): \(what) on \(names.count) \(kind)s: \(some)\(more)"
        }
    }

    /// Compares the roles of this side, and PUBLIC, with the same on the other side.
    ///
    /// Objects that are not there are not compared (`PrivilegeRecord.lost` names them), nor is what one of the two servers does not know: MAINTAIN before PostgreSQL 17.
    ///
    /// - Parameters:
    ///   - roles: of this side.
    ///   - isExpected: objects that differ on purpose: `table public.items`.
    /// - Returns: sorted; as many as there are different combinations of role, kind and privileges.
    public func differences(
        in other: EffectiveRights, of roles: Set<String>, except isExpected: (String) -> Bool = { _ in false }
    ) -> (lost: [Difference], gained: [Difference]) {
        var (lost, gained) = (Collection(), Collection())
        let positions = other.privileges.positions
        let mine = privileges.positions
        let subjects = roles.union([""]).filter { !other.superusers.contains($0) }.sorted()
        var known: [[Int]: [(role: String, lost: Set<String>, gained: Set<String>)]] = [:]
        for (index, group) in privileges.groups.enumerated() {
            for name in group.names {
                let object = group.object(name)
                let table = PrivilegeRecord.table(ofColumn: object)
                // A column is as open as its table, whether it has a list of its own there or not.
                guard let position = positions[object] ?? table.flatMap({ positions[$0] }), !isExpected(object) else {
                    continue
                }
                let pairs = [(index, position)] + (table.flatMap { one(mine[$0], positions[$0]) } ?? [])
                let key = pairs.flatMap { [$0.0, $0.1] }
                let found =
                    known[key]
                    ?? subjects.compactMap { role -> (role: String, lost: Set<String>, gained: Set<String>)? in
                        let (less, more) = difference(of: role, in: other, pairs)
                        return less.isEmpty && more.isEmpty ? nil : (role, less, more)
                    }
                known[key] = found
                for (role, less, more) in found {
                    lost.add(role, less, group.kind, name)
                    gained.add(role, more, group.kind, name)
                }
            }
        }
        return (lost.differences, gained.differences)
    }

    private func one(_ here: Int?, _ there: Int?) -> [(Int, Int)]? {
        guard let here, let there else { return nil }
        return [(here, there)]
    }

    /// - Parameter pairs: groups here and there: the object's, and for a column its table's too. What differs with the table is
    ///   told of the table.
    private func difference(
        of role: String, in other: EffectiveRights, _ pairs: [(Int, Int)]
    ) -> (lost: Set<String>, gained: Set<String>) {
        var sides = pairs.map {
            (
                here: rights(of: role, on: privileges.groups[$0.0]),
                there: other.rights(of: role, on: other.privileges.groups[$0.1])
            )
        }
        let unknown: Set = min(major, other.major) < 17 ? ["MAINTAIN"] : []
        guard sides.count > 1, let table = sides.popLast(), let column = sides.popLast() else {
            return sides.first.map { side in
                (
                    side.here.subtracting(side.there).subtracting(unknown),
                    side.there.subtracting(side.here).subtracting(unknown)
                )
            } ?? ([], [])
        }
        let (here, there) = (column.here.union(table.here), column.there.union(table.there))
        return (
            here.subtracting(there).subtracting(table.here.subtracting(table.there)).intersection(Self.ofColumns),
            there.subtracting(here).subtracting(table.there.subtracting(table.here)).intersection(Self.ofColumns)
        )
    }

    private static let ofColumns: Set = ["SELECT", "INSERT", "UPDATE", "REFERENCES"]

    private struct Collection {
        private struct Key: Hashable {
            var role: String
            var privileges: [String]
            var kind: String
        }
        private var names: [Key: [String]] = [:]

        mutating func add(_ role: String, _ privileges: Set<String>, _ kind: String, _ name: String) {
            guard !privileges.isEmpty else { return }
            names[Key(role: role, privileges: privileges.sorted(), kind: kind), default: []].append(name)
        }

        var differences: [Difference] {
            names.map { Difference(role: $0.role, privileges: $0.privileges, kind: $0.kind, names: $1.sorted()) }
                .sorted()
        }
    }

    /// Roles of the other side that this one does not know and that have rights of roles it knows, with those roles; sorted.
    public func newcomers(in other: EffectiveRights, administrator: String) -> [(role: String, through: [String])] {
        let known = roles.subtracting([""])
        return other.roles.subtracting(known).subtracting(members).subtracting(other.superusers).subtracting([
            administrator
        ]).sorted()
            .compactMap { role in
                let through = (other.reach[role] ?? []).union(other.acting[role] ?? []).intersection(known).sorted()
                return through.isEmpty ? nil : (role, through)
            }
    }

    /// Memberships of this side that give less on the other, for people: the rights of the role, or acting as it. Those whose
    /// member is a superuser there lack nothing.
    public func lostMemberships(_ memberships: [RoleMembership], in other: EffectiveRights) -> [String] {
        memberships.filter { !other.superusers.contains($0.member) }.compactMap { membership in
            let (role, member) = (membership.role, membership.member)
            let hadRights = reach[member]?.contains(role) == true
            let acted = acting[member]?.contains(role) == true
            let hasRights = other.reach[member]?.contains(role) == true
            let acts = other.acting[member]?.contains(role) == true
            if (hadRights || acted) && !hasRights && !acts { return "\(member) belongs to \(role)" }
            if hadRights, !hasRights { return "\(member) inherits the rights of \(role)" }
            if acted, !acts { return "\(member) may act as \(role) (SET)" }
            return nil
        }
    }
}
