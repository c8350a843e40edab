import ArgumentParser
import PostgresDump

/// Which part of the databases.
struct ScopeOptions: ParsableArguments, Sendable {
    @Option(
        name: [.customLong("tables"), .customLong("table")],
        help: ArgumentHelp(
            "Only tables, views and sequences that match; may be repeated.",
            discussion:
                "pg_dump's pattern: items, 'sales.*'. Roles and what the tables depend on are not dumped with them.",
            valueName: "pattern"))
    var tables: [String] = []

    @Option(
        help: ArgumentHelp(
            "Tables that match come back without their rows; may be repeated (none: no table).", valueName: "pattern"))
    var excludeTableData: [String] = []

    @Flag(help: "No rows at all.")
    var schemaOnly = false

    var scope: DumpScope {
        var scope = DumpScope()
        scope.tables = tables
        // What a blueprint's template writes where there is nothing to say.
        scope.excludedTableData = excludeTableData.filter { $0 != "none" }
        scope.schemaOnly = schemaOnly
        return scope
    }
}

/// How fresh the source must be.
struct FreshnessOptions: ParsableArguments, Sendable {
    @Option(
        help: ArgumentHelp(
            "How far a standby may be behind.",
            discussion: "Counted since its last replayed transaction, and 0 when it has replayed all it received.",
            valueName: "time"))
    var maxLag = Maybe<TimeSpan>(nil)

    @Option(
        help: ArgumentHelp(
            "Wait until the standby holds everything that is committed on this primary now.", valueName: "host[:port]"))
    var waitForPrimary = Maybe<ServerAddress>(nil)

    @Option(
        help: ArgumentHelp("How long to wait for either; 0 to fail at once.", valueName: "time"))
    var catchUp = TimeSpan(seconds: 600)

    /// - Parameter settings: user, password and database for the primary, too.
    /// - Throws: `PostgresError`.
    func barrier(_ settings: PostgresSettings) async throws -> ReplayBarrier {
        var barrier = ReplayBarrier(
            lagSecondsMax: maxLag.value.map { Double($0.seconds) }, waitSeconds: Double(catchUp.seconds))
        if let server = waitForPrimary.value { barrier.primary = try await .read(from: settings.at(server)) }
        return barrier
    }
}

/// What to do about failures that may pass.
struct PersistenceOptions: ParsableArguments, Sendable {
    @Option(
        help: ArgumentHelp(
            "How often to start again after a failure that may pass: a conflict with recovery, a lost connection.",
            discussion: "Each time with a new view of the data and a new dump; nothing of the failed one is published.",
            valueName: "count"))
    var retries = 2

    @Option(
        help: ArgumentHelp("How long to wait before the first; doubled each time, 5m at most.", valueName: "time"))
    var retryDelay = TimeSpan(seconds: 5)

    @Option(
        help: ArgumentHelp(
            "Where to read when the standby does not work out; the same user and password.", valueName: "host[:port]"))
    var fallbackToPrimary = Maybe<ServerAddress>(nil)

    @Option(
        help: ArgumentHelp(
            "Stop without a snapshot after this time (exit 143).",
            discussion:
                "Kasten ends a blueprint's backup after 45 minutes (Helm value timeout.blueprintBackup); a little less leaves "
                + "time to end cleanly. When the last backup's rate says that it cannot be done, that is said at the start.",
            valueName: "time"))
    var deadline = Maybe<TimeSpan>(nil)

    mutating func validate() throws {
        guard (0...100).contains(retries) else { throw ValidationError("--retries must be from 0 to 100") }
        if let deadline = deadline.value, deadline.seconds == 0 {
            throw ValidationError("--deadline must be at least 1s")
        }
    }

    /// The delay before a retry, the first being number 1.
    func delay(before retry: Int) -> TimeSpan { Self.delay(before: retry, first: retryDelay) }

    static func delay(before retry: Int, first: TimeSpan) -> TimeSpan {
        var seconds = first.seconds
        for _ in 1..<max(retry, 1) where seconds < 300 { seconds *= 2 }
        return TimeSpan(seconds: min(seconds, max(300, first.seconds)))
    }
}

/// Which databases, where there may be several.
struct DatabaseOptions: ParsableArguments, Sendable {
    @Option(
        help: ArgumentHelp(
            "A database; may be repeated. Each gets a snapshot of its own, in one run.", valueName: "name"))
    var database: [String] = []

    @Flag(
        help: ArgumentHelp(
            "Every database of the server that may be connected to.",
            discussion: "Without postgres, templates and those of cloud providers (azure_sys, azure_maintenance, …)."))
    var allDatabases = false

    @Flag(
        help: ArgumentHelp(
            "Keep the snapshots of a run of several databases that fails for one of them, or is stopped.",
            discussion: """
                Without it they are removed again. With it the output line is printed although the run fails, and nothing deletes \
                them but you: 'snapshot list', 'snapshot delete', 'snapshot expire'.
                """))
    var keepPartial = false

    var areSeveral: Bool { allDatabases || !database.isEmpty }

    mutating func validate() throws {
        if allDatabases, !database.isEmpty {
            throw ValidationError("--all-databases and --database cannot be given together")
        }
        if keepPartial, !areSeveral {
            throw ValidationError("--keep-partial is for several databases: give --database or --all-databases as well")
        }
        if Set(database).count != database.count { throw ValidationError("a --database is given twice") }
    }
}

extension PostgresSettings {
    /// The same user and database on another server.
    func at(_ address: ServerAddress) -> PostgresSettings {
        var other = self
        other["host"] = address.host
        // An address that belongs to the other host's name.
        other["hostaddr"] = nil
        if let port = address.port { other["port"] = port }
        return other
    }
}
