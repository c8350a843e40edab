import ProcessIO

extension PostgresError {
    /// What a failed pg_dump means. pg_dump prints no SQLSTATE, so its messages, in English by `LC_ALL=C`, are looked
    /// through; the server's may be in another language, then only what pg_dump itself says counts.
    ///
    /// Source: PostgreSQL `src/backend/tcop/postgres.c` `ProcessInterrupts`, `errdetail_recovery_conflict`;
    /// `src/interfaces/libpq/fe-misc.c`; `src/bin/pg_dump/pg_dump.c`.
    init(pgDump exit: ChildExit, place: String, standardError: String) {
        let reason = Self.reason(in: standardError).map { ": \($0)" } ?? ""
        let message = "pg_dump of \(place) \(exit)\(reason)"
        if let meaning = Self.meanings.first(where: { meaning in meaning.texts.contains { standardError.contains($0) } }
        ) {
            self.init(meaning.code, message, hint: meaning.hint, isTransient: meaning.isTransient)
        } else if case .signalled = exit {
            self.init(
                .dump, message, hint: "something ended pg_dump (out of memory?); trying again may help",
                isTransient: true)
        } else {
            self.init(.dump, message)
        }
    }

    private struct Meaning: Sendable {
        let code: Code
        let texts: [String]
        let hint: String
        var isTransient = true
    }

    /// The first that fits counts: a cancelled session also loses its connection.
    private static let meanings: [Meaning] = [
        Meaning(
            code: .conflictWithRecovery, texts: ["conflict with recovery", "deadlock detected"],
            hint: "raise max_standby_streaming_delay or set hot_standby_feedback on the standby, then try again"),
        Meaning(
            code: .lockTimeout,
            // pg_dump limits the time of its LOCK TABLE by statement_timeout, and of nothing else.
            texts: ["canceling statement due to lock timeout", "canceling statement due to statement timeout"],
            hint: "somebody changes tables or waits to; try again when that is over, or raise --lock-wait"),
        Meaning(
            code: .permission, texts: ["permission denied", "must be owner of"],
            hint: "the dumping user must be able to read every object: GRANT pg_read_all_data", isTransient: false),
        Meaning(
            code: .permission, texts: ["affected by row-level security"],
            hint: "dump as the tables' owner or as a role with BYPASSRLS", isTransient: false),
        Meaning(
            code: .connectionLost,
            texts: [
                "server closed the connection", "connection to server", "terminating connection", "EOF detected",
                "could not receive data from server", "SSL error", "SSL SYSCALL error", "the database system is",
            ],
            hint: "the connection to the server failed; trying again may help"),
        // Something was dropped while pg_dump looked at it, or the session that exported the snapshot is gone.
        Meaning(
            code: .dump,
            texts: ["cache lookup failed", "could not open relation with OID", "invalid snapshot identifier"],
            hint: "objects changed during the dump; trying again may help"),
    ]

    /// pg_dump's error and what the server said about it; its whole output has been shown before.
    private static func reason(in standardError: String) -> String? {
        let lines = standardError.split(separator: "\n").map(String.init)
        func first(_ marker: String) -> String? {
            lines.lazy.compactMap { line in
                let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
                guard parts.count == 3, parts[1].contains(marker) else { return nil }
                return String(parts[2].drop { $0 == " " })
            }.first
        }
        guard let error = first("error") ?? lines.last else { return nil }
        return first("detail").map { "\(error) (\($0))" } ?? error
    }
}
