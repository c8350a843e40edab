public import GoFormats

/// What a restore has done so far, kept as the comment of the databases it concerns.
///
/// A comment and no table, because an administrator often may not create anything in the maintenance database; because
/// it changes in the transaction that renames, so that it cannot disagree with the names; and because it goes away with
/// the database it describes. `\l+` shows it.
///
/// | kind | lies on | means |
/// |---|---|---|
/// | `building` | the side database | a restore works here, or died here: of no use, drop it |
/// | `placed` | the database that was put in place | in use; roles to leave, report and comment are outstanding |
/// | `kept` | the replaced database | closed to connections; undo renames it back |
public struct RestoreJournal: Sendable, Hashable {
    public enum Kind: String, Sendable {
        case building, placed, kept
    }

    public var kind: Kind
    /// 32 hexadecimal digits.
    public var run: String
    /// The database the restore is for.
    public var database: String
    /// Manifest ID.
    public var snapshot: String
    public var step: String
    public var startTime: Timestamp
    public var updateTime: Timestamp
    /// When a kept database may be dropped.
    public var keepUntil: Timestamp?
    /// Roles the administrator joined for the time of the restore.
    public var joined: [JoinedRole]
    /// The comment that belongs here: it comes back when the journal goes.
    public var comment: String?

    public init(
        kind: Kind, run: String, database: String, snapshot: String, step: String, startTime: Timestamp,
        joined: [JoinedRole] = [], comment: String? = nil, keepUntil: Timestamp? = nil
    ) {
        self.kind = kind
        self.run = run
        self.database = database
        self.snapshot = snapshot
        self.step = step
        self.startTime = startTime
        updateTime = startTime
        self.joined = joined
        self.comment = comment
        self.keepUntil = keepUntil
    }

    public var sideName: String { TargetServer.sideName(database, "__restore_\(run.prefix(12))") }
    public var oldName: String { TargetServer.sideName(database, "__old_\(run.prefix(12))") }
    /// A role that exists for the time of the restore; every owner of objects belongs to it.
    public var helperRole: String { "karaffe_restore_\(run.prefix(12))" }

    private static let marker = "karaffe restore journal: "

    /// As the comment's text.
    public var text: String {
        func optional(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
        return Self.marker
            + GoJSON.text([
                "format": 1, "kind": .string(kind.rawValue), "run": .string(run), "database": .string(database),
                "snapshot": .string(snapshot), "step": .string(step), "started": .string(startTime.description),
                "updated": .string(updateTime.description), "keepUntil": optional(keepUntil?.description),
                "joined": .array(joined.map(\.json)), "comment": optional(comment),
            ])
    }

    /// Nil for any other comment.
    public init?(comment text: String) {
        guard text.hasPrefix(Self.marker),
            let json = try? JSONParser.parse(Array(text.dropFirst(Self.marker.count).utf8)),
            json["format"]?.integerValue == 1, let kind = json["kind"]?.stringValue.flatMap({ Kind(rawValue: $0) }),
            let run = json["run"]?.stringValue, run.utf8.count == 32,
            run.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }),
            let database = json["database"]?.stringValue
        else { return nil }
        func time(_ key: String) -> Timestamp? { json[key]?.stringValue.flatMap { Timestamp(rfc3339: $0) } }
        self.init(
            kind: kind, run: run, database: database, snapshot: json["snapshot"]?.stringValue ?? "",
            step: json["step"]?.stringValue ?? "", startTime: time("started") ?? Timestamp(seconds: 0),
            joined: (json["joined"]?.arrayValue ?? []).compactMap { JoinedRole(json: $0) },
            comment: json["comment"]?.stringValue, keepUntil: time("keepUntil"))
        updateTime = time("updated") ?? startTime
    }
}

/// A journal and the database it lies on.
public struct JournaledDatabase: Sendable, Hashable {
    public let name: String
    public let owner: String
    /// Nil when the caller may not know.
    public let bytes: Int64?
    public let journal: RestoreJournal
}

extension TargetServer {
    /// Every journal of the server whose database has the name the journal gives it: whoever owns a database can
    /// comment on it, but not rename it without being allowed to create databases.
    ///
    /// - Throws: `PostgresError`.
    public func journals() async throws -> [JournaledDatabase] {
        try await client.query(
            """
            SELECT d.datname AS name, pg_catalog.pg_get_userbyid(d.datdba) AS owner, s.description AS comment,
                   CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT')
                        THEN pg_catalog.pg_database_size(d.oid) END::text AS size
            FROM pg_catalog.pg_database d JOIN pg_catalog.pg_shdescription s
              ON s.objoid = d.oid AND s.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass
            WHERE s.description LIKE 'karaffe restore journal: %' ORDER BY d.datname
            """
        ).rows.compactMap { row in
            guard let journal = RestoreJournal(comment: try row.required("comment")) else { return nil }
            let name = try row.required("name")
            let expected =
                switch journal.kind {
                case .building: journal.sideName
                case .placed: journal.database
                case .kept: journal.oldName
                }
            guard name == expected else { return nil }
            return JournaledDatabase(
                name: name, owner: try row.required("owner"), bytes: row.text("size").flatMap { Int64($0) },
                journal: journal)
        }
    }

    /// Writes the journal as a database's comment.
    public func write(_ journal: RestoreJournal, on database: String) async throws {
        try await comment(on: database, journal.text)
    }

    public func comment(on database: String, _ text: String?) async throws {
        try await client.query(Self.commentStatement(database, text))
    }

    static func commentStatement(_ database: String, _ text: String?) -> String {
        "COMMENT ON DATABASE \(SQLText.identifier(database)) IS \(text.map(SQLText.literal) ?? "NULL")"
    }
}

// MARK: - One restore at a time

extension TargetServer {
    /// Prepares the connection for hours of work and takes the lock of a database's name. It lasts as long as the connection;
    /// a client that is gone is noticed by the server within a minute.
    ///
    /// - Throws: `PostgresError.Code.targetInUse` naming who holds it.
    public func lock(_ database: String) async throws {
        try await client.liftTimeLimits()
        try await client.query(
            "SET lock_timeout = '30s'; SET tcp_keepalives_idle = 20; SET tcp_keepalives_interval = 10; "
                + "SET tcp_keepalives_count = 4")
        // The session of a restore that was just killed may have a statement to finish.
        for _ in 0..<100 {
            if try await tryLock(database) { return }
            try await Task.sleep(for: .milliseconds(100))
        }
        let holder = try await client.query(
            """
            SELECT a.pid::text AS pid, a.usename AS role, a.client_addr::text AS address, a.backend_start::text AS since
            FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid),
                 (SELECT pg_catalog.hashtextextended('karaffe restore ' || $1, 0) AS key) k
            WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
              AND l.classid::bigint = ((k.key >> 32) & 4294967295) AND l.objid::bigint = (k.key & 4294967295)
            """, [database]
        ).rows.first
        let who = holder.map { row in
            " (process \(row.text("pid") ?? "?") of \(row.text("role") ?? "?") from \(row.text("address") ?? "unknown"), "
                + "since \(row.text("since") ?? "?"))"
        }
        throw PostgresError(
            .targetInUse, "another restore of database \"\(database)\" is running\(who ?? "")",
            hint: "wait for it; if nobody runs one, end that process with pg_terminate_backend", isTransient: true)
    }

    /// Without waiting.
    public func tryLock(_ database: String) async throws -> Bool {
        try await client.query(
            "SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended('karaffe restore ' || $1, 0)) AS locked",
            [database]
        ).single().bool("locked")
    }

    public func unlock(_ database: String) async throws {
        try await client.query(
            "SELECT pg_catalog.pg_advisory_unlock(pg_catalog.hashtextextended('karaffe restore ' || $1, 0))", [database]
        )
    }
}
