import GoFormats
import PostgresDump

/// What a restore did, for people and as JSON.
struct RestoreReport: Sendable {
    /// The replaced database.
    struct Kept: Sendable, Hashable {
        var name: String
        var bytes: Int64?
        var until: Timestamp?
    }

    var run: String
    var database: String
    var snapshot: String
    var host: String
    var port: String
    var startTime: Timestamp
    var endTime: Timestamp
    var dumpBytes: Int64
    var statements = 0
    /// Seconds clients could not connect, at most.
    var swapSeconds: Double?
    var kept: Kept?
    /// Of those made, who may log in once it has a password.
    var withLogin: Set<String> = []
    var createdRoles: [String] = []
    /// The application's role, when it really logged in.
    var loginRole: String?
    /// Tables and rows that were compared with the record; nil when there is nothing to compare with.
    var verified: (tables: Int, rows: Int64)?
    /// Owners and grants that were compared with the record.
    var comparedPrivileges: Int?
    /// Roles whose rights were compared with the record; nil when it does not have them.
    var comparedRoles: Int?
    /// Owners, privileges, memberships and rights that were lost, where that is allowed.
    var lostRights: [String] = []
    /// What the connected role may not make, where leaving it out is allowed.
    var leftOutObjects: [String] = []
    /// What roles can do and could not when the backup was made.
    var gainedRights: [String] = []
    var wasPlacedBefore = false
    /// Nothing was put in place.
    var isDrill = false
    /// Why a drill failed.
    var failure: (exitCode: Int32, message: String)?
    var warnings: [String] = []

    init(journal: RestoreJournal, server: PostgresSettings, dumpBytes: Int64) {
        (run, database, snapshot) = (journal.run, journal.database, journal.snapshot)
        (host, port, self.dumpBytes) = (server.host, server.port, dumpBytes)
        (startTime, endTime) = (journal.startTime, journal.startTime)
    }

    var json: JSONValue {
        func optional(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
        return [
            "run": .string(run), "database": .string(database), "snapshot": .string(snapshot),
            "server": ["host": .string(host), "port": .string(port)], "startTime": .string(startTime.description),
            "endTime": .string(endTime.description), "dumpBytes": .integer(dumpBytes),
            "statements": .integer(Int64(statements)), "swapSeconds": swapSeconds.map { .double($0) } ?? .null,
            "kept": kept.map { kept in
                [
                    "name": .string(kept.name), "bytes": kept.bytes.map { .integer($0) } ?? .null,
                    "until": optional(kept.until?.description),
                ]
            } ?? .null,
            "roles": [
                "created": .array(createdRoles.map { .string($0) }), "login": optional(loginRole),
            ],
            "verified": verified.map { ["tables": .integer(Int64($0.tables)), "rows": .integer($0.rows)] } ?? .null,
            "privileges": comparedPrivileges.map { .integer(Int64($0)) } ?? .null,
            "rights": comparedRoles.map {
                [
                    "roles": .integer(Int64($0)), "lost": .array(lostRights.map { .string($0) }),
                    "gained": .array(gainedRights.map { .string($0) }),
                ]
            } ?? .null,
            "leftOut": .array(leftOutObjects.map { .string($0) }), "drill": .bool(isDrill),
            "failure": failure.map { ["exitCode": .integer(Int64($0.exitCode)), "message": .string($0.message)] }
                ?? .null,
            "alreadyInPlace": .bool(wasPlacedBefore),
            "warnings": .array(warnings.map { .string($0) }),
        ]
    }

    /// For standard error.
    var lines: [String] {
        var lines = warnings.map { "warning: \($0)" }
        let without = createdRoles.filter { $0 != loginRole }
        if !without.isEmpty, !isDrill {
            let (logins, others) = (without.filter(withLogin.contains), without.filter { !withLogin.contains($0) })
            if !others.isEmpty { lines.append("roles made: \(others.joined(separator: ", "))") }
            if !logins.isEmpty {
                lines.append(
                    "roles made without a password, which ALTER ROLE … PASSWORD gives them: \(logins.joined(separator: ", "))"
                )
            }
        }
        if let verified {
            lines.append(
                "verified: \(Figures.count(verified.tables, "table")), \(Figures.count(verified.rows, "row")), equal to the backup by hash"
            )
        } else if !wasPlacedBefore {
            lines.append("not verified: the snapshot has no hashes to compare with")
        }
        if let comparedPrivileges { lines.append("\(comparedPrivileges) owners and grants as in the backup") }
        func listed(_ title: String, _ texts: [String]) {
            guard !texts.isEmpty else { return }
            lines.append("warning: \(title):")
            lines += texts.prefix(20).map { "  \($0)" }
            if texts.count > 20 { lines.append("  and \(texts.count - 20) more") }
        }
        listed("left out, as --leave-out-superuser-objects allows", leftOutObjects)
        listed("lost, as --allow-lost-rights allows", lostRights)
        listed("more than when the backup was made", gainedRights)
        if let comparedRoles, lostRights.isEmpty {
            lines.append(
                "\(Figures.count(comparedRoles, "role")) can do everything they could when the backup was made")
        }
        if let loginRole { lines.append("role \(loginRole) logs in with its password") }
        if let kept {
            let until = kept.until.map { " until \($0)" } ?? ""
            lines.append(
                "the replaced database is kept as \(kept.name)\(until), closed to connections; `restore --undo` puts it back, "
                    + "`restore --cleanup` drops it afterwards")
        }
        if isDrill {
            lines.append(
                "the drill restored \(Figures.bytes(dumpBytes)) of dump in \(Figures.seconds(endTime.secondsSince(startTime))) on "
                    + "\(host):\(port); what it made there is removed")
            return lines
        }
        let duration = swapSeconds.map { ", clients were away for \(Figures.seconds($0))" } ?? ""
        lines.append(
            "database \"\(database)\" is in place on \(host):\(port): \(Figures.bytes(dumpBytes)) of dump in "
                + "\(Figures.seconds(endTime.secondsSince(startTime)))\(duration)")
        return lines
    }
}
