import PostgresDump
import RunnerContract

/// What of owners, grants and rights may differ between backup and restored database:
///
/// | difference | is |
/// |---|---|
/// | an owner, a grant or a default privilege of the dump is not there | a loss |
/// | a membership is not there or gives less (INHERIT, SET) | a loss |
/// | a role can do less with an object than when the backup was made, for whatever reason | a loss |
/// | what only a superuser, or a role of a cloud provider (`azure_pg_admin`, …), gave or has | a warning: it is the server's |
/// | owner and grants of the schema `public` where majors differ or its owner is the server's | a warning |
/// | MAINTAIN before PostgreSQL 17 | a warning |
/// | default privileges that were left out by `--leave-out-superuser-objects` | neither: the report names them |
/// | LOGIN, CREATEDB, CREATEROLE of a role that was there already; SUPERUSER, REPLICATION, BYPASSRLS | a warning: roles that are there stay as they are, and those three are never given |
/// | a role can do more | a warning |
/// | a role that the backup does not know belongs to one that it knows | a warning |
/// | the connected administrator | not compared: it joins roles for the time of the restore |
///
/// A loss ends the restore with exit code 6, unless `--allow-lost-rights` makes warnings of losses. In a drill memberships between
/// roles that were there already are not made, and count as if they were.
extension RestoreRun {
    /// Compares owners, grants and rights of the side database with the record.
    func verifyPrivileges(
        _ recorded: PrivilegeRecord, _ server: TargetServer, in side: PostgresSettings, _ report: inout RestoreReport
    ) async throws {
        let (found, closure) = try await PostgresClient.with(side) { client in
            (try await PrivilegeRecord.read(from: client), try await RoleClosure.read(from: client))
        }
        var lost = lostPrivileges(recorded, found, server, &report)
        var rights: [String] = []
        if let record {
            let here = try await server.roles()
            compareAttributes(record.roles.roles, here, &report)
            let compared = compareRights(record, recorded, found, closure, here, server, &report)
            (lost, rights) = (lost + compared.memberships, compared.rights)
        }
        report.comparedPrivileges = recorded.count
        guard !(lost.isEmpty && rights.isEmpty) else { return }
        if choices.allowsLostRights {
            report.lostRights = lost + rights
            return
        }
        func listed(_ title: String, _ texts: [String]) -> [String] {
            guard !texts.isEmpty else { return [] }
            return ["\(title):"] + texts.prefix(20).map { "  \($0)" }
                + (texts.count > 20 ? ["  and \(texts.count - 20) more"] : [])
        }
        let lines =
            listed(
                "\(lost.count) \(lost.count == 1 ? "owner or privilege of the backup is" : "owners or privileges of the backup are") lost in the restored database",
                lost)
            + listed("roles can do less than when the backup was made", rights)
        throw PodRunnerError(
            .verification, lines.joined(separator: "\n"),
            hint:
                "the live database was not touched; make the roles or memberships by hand (GRANT …, ALTER ROLE … INHERIT), "
                + "then restore again, or accept the loss with --allow-lost-rights")
    }

    private func isServers(_ role: String) -> Bool {
        DatabaseRole.isReserved(role) || record?.roles.roles.contains { $0.name == role && $0.isSuperuser } == true
    }

    /// What is written: owners, grants, default privileges.
    private func lostPrivileges(
        _ recorded: PrivilegeRecord, _ found: PrivilegeRecord, _ server: TargetServer, _ report: inout RestoreReport
    ) -> [String] {
        let isPart = !(record?.scope.tables ?? []).isEmpty
        let (tolerated, other) = recorded.lost(in: found, isPart: isPart).partitioned { entry in
            switch entry.object {
            // Of the schema every new database has, each major has its own idea, and one of the server's own roles may own it.
            case PrivilegeRecord.publicSchema:
                record?.serverMajor != server.major || (entry.kind == "owner" && isServers(entry.role))
            // What a provider's roles have of the database itself is the provider's.
            case PrivilegeRecord.database: DatabaseRole.isReserved(entry.role)
            default: false
            }
        }
        report.warnings += tolerated.map { "\($0.description) in the backup, not in PostgreSQL \(server.major)" }
        let leftOut = record?.superuserObjects?.filter { report.leftOutObjects.contains($0.description) } ?? []
        let (unknown, lost) = other.filter { entry in !leftOut.contains { $0.covers(entry) } }.partitioned { entry in
            // Default privileges that gave nothing but that are none, and the owner has the rest without them.
            guard server.major < 17 else { return false }
            return entry.privilege == "MAINTAIN"
                || (entry.kind == "default" && entry.object == "tables of \(entry.role)")
        }
        if !unknown.isEmpty {
            report.warnings.append(
                "PostgreSQL \(server.major) does not know the privilege MAINTAIN: \(unknown.count) grants of it are left out"
            )
        }
        return lost.map(\.description)
    }

    /// What it comes to: memberships, and what each role can do with each object.
    private func compareRights(
        _ record: BackupRecord, _ recorded: PrivilegeRecord, _ found: PrivilegeRecord, _ closure: RoleClosure,
        _ here: [DatabaseRole], _ server: TargetServer, _ report: inout RestoreReport
    ) -> (memberships: [String], rights: [String]) {
        let source = EffectiveRights(
            privileges: recorded, roles: record.roles, databaseOwner: record.database.owner, major: record.serverMajor,
            administrator: server.user)
        let superusers = Set(here.filter(\.isSuperuser).map(\.name))
        func target(_ closure: RoleClosure) -> EffectiveRights {
            EffectiveRights(
                privileges: found, roles: closure, databaseOwner: found.databaseOwner ?? record.database.owner,
                major: server.major, administrator: server.user, superusers: superusers)
        }
        let wanted = record.roles.memberships.filter {
            $0.member != server.user && $0.role != server.user && $0.isPossible(targetMajor: server.major)
        }
        let (providers, ours) = wanted.partitioned { DatabaseRole.isProviders($0.role) }
        let present = Set(closure.memberships.map { [$0.role, $0.member] })
        report.warnings += providers.filter { !present.contains([$0.role, $0.member]) }.map {
            "\($0.member) belongs to \($0.role) in the backup and not here: what that role gave it is the server's to give"
        }
        var actual = target(closure)
        if report.isDrill {
            let missing = ours.filter { !present.contains([$0.role, $0.member]) }
            report.warnings += missing.map {
                "\($0.member) belongs to \($0.role) in the backup and not here; a restore would make it so"
            }
            var after = closure
            after.memberships += missing
            let known = Set(closure.roles.map(\.name))
            after.roles += here.filter { role in
                !known.contains(role.name) && missing.contains { $0.member == role.name }
            }
            actual = target(after)
        }
        let memberships = source.lostMemberships(ours, in: actual)
        guard recorded.isComplete else { return (memberships, []) }
        let isPublicOthers =
            record.serverMajor != server.major || recorded.ownerOfPublic != found.ownerOfPublic
        let differences = source.differences(in: actual, of: source.roles.subtracting([server.user])) {
            $0 == PrivilegeRecord.publicSchema && isPublicOthers
        }
        report.comparedRoles = source.roles.count
        report.gainedRights =
            differences.gained.map(\.description)
            + source.newcomers(in: actual, administrator: server.user).map {
                "\($0.role), which the backup does not know, belongs to \($0.through.joined(separator: ", "))"
            }
        return (memberships, differences.lost.map(\.description))
    }

    /// What roles may do on the server: those that are there stay as they are.
    private func compareAttributes(_ recorded: [DatabaseRole], _ here: [DatabaseRole], _ report: inout RestoreReport) {
        let present = Dictionary(here.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for role in recorded {
            guard let found = present[role.name], !report.createdRoles.contains(role.name) else { continue }
            let lost = role.attributes.subtracting(found.attributes).sorted()
            let gained = found.attributes.subtracting(role.attributes).sorted()
            if !lost.isEmpty {
                report.warnings.append(
                    "role \(role.name), which was here already, lacks \(lost.joined(separator: ", ")), which it had in the backup"
                )
            }
            if !gained.isEmpty {
                report.warnings.append(
                    "role \(role.name), which was here already, has \(gained.joined(separator: ", ")), which it had not in the backup"
                )
            }
        }
    }
}
