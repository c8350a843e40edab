import GoFormats
import ProcessIO

/// Everything about a database that must be known before its dump starts, held together by one exported snapshot.
public struct DumpSession: Sendable {
    public let source: SourceFacts
    public let database: DatabaseProperties
    public let extensions: [DatabaseExtension]
    public let roles: RoleClosure
    public let privileges: PrivilegeRecord
    public let needs: [VersionNeed]
    public let superuserObjects: [SuperuserObject]
    public let superuserNeeds: [SuperuserNeed]
    /// For `pg_dump --snapshot`: the dump sees what the facts describe.
    public let snapshot: String
    /// Tables with rows of their own, for progress; partitioned tables have none.
    public let tableCount: Int64
    /// What the text of the dump's rows depends on.
    public let copySettings: CopyTextSettings
    private let client: PostgresClient

    /// Connects, opens a transaction and reads the facts; the transaction stays open for the time of `body`.
    ///
    /// - Parameter preparing: runs on the connection before the transaction, and thus the view of the data, begins.
    /// - Throws: `PostgresError`; what `preparing` and `body` throw; `CancellationError`.
    public static func with<Value: Sendable>(
        _ settings: PostgresSettings, preparing: (PostgresClient) async throws -> Void = { _ in },
        body: (DumpSession) async throws -> Value
    ) async throws -> Value {
        try await PostgresClient.with(settings) { client in
            try await client.liftTimeLimits()
            try await preparing(client)
            try await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            let snapshot = try await client.query("SELECT pg_catalog.pg_export_snapshot() AS snapshot").single()
            let database = try await DatabaseProperties.read(from: client)
            let money = try await client.query("SELECT pg_catalog.current_setting('lc_monetary') AS locale").single()
            let session = DumpSession(
                source: try await SourceFacts.read(from: client), database: database,
                extensions: try await DatabaseExtension.all(in: client),
                roles: try await RoleClosure.read(from: client),
                privileges: try await PrivilegeRecord.read(from: client),
                needs: try await VersionNeed.all(in: client),
                superuserObjects: try await SuperuserObject.all(in: client),
                superuserNeeds: try await SuperuserNeed.all(in: client),
                snapshot: try snapshot.required("snapshot"),
                tableCount: try await client.query(tableCountSQL).single().integer("count"),
                copySettings: CopyTextSettings(
                    encoding: database.encoding, monetaryLocale: try money.required("locale")),
                client: client)
            return try await body(session)
        }
    }

    private static let tableCountSQL = """
        SELECT count(*) AS count FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                          WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
                            AND d.deptype = 'e')
        """

    /// The digests of a finished dump. Names that are not UTF-8, in a dump of another encoding, are translated by the server.
    ///
    /// - Throws: `PostgresError`.
    public func digests(of digester: CopyDigester, key: RowHashKey) async throws -> TableDigests {
        var tables = try digester.finish()
        for (position, header) in digester.foreignNames where tables.indices.contains(position) {
            tables[position].schema = try await text(header.schema)
            tables[position].table = try await text(header.table)
            tables[position].columns = []
            for column in header.columns { tables[position].columns.append(try await text(column)) }
        }
        return TableDigests(key: key, settings: copySettings, tables: tables)
    }

    private func text(_ bytes: [UInt8]) async throws -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        return try await client.query(
            "SELECT pg_catalog.convert_from($1::bytea, $2) AS text", ["\\x\(Hex.encode(bytes))", database.encoding]
        ).single().required("text")
    }
}

/// How to run pg_dump.
public struct DumpOptions: Sendable {
    public var program: PostgresProgram
    public var settings: PostgresSettings
    /// From `DumpSession`.
    public var snapshot: String?
    /// How long to wait for table locks before giving up, so that we never queue behind DDL and block others.
    public var lockWaitSeconds: Int
    /// The key of the dump's `\restrict` line: letters and digits that the server cannot know. With the same key two dumps
    /// of the same rows are equal. Nil leaves the choice to pg_dump, which takes another one each time.
    public var restrictKey: String?
    /// The child's environment before the connection variables.
    public var environment: [String: String]
    public var scope = DumpScope()

    public init(
        program: PostgresProgram, settings: PostgresSettings, snapshot: String?, lockWaitSeconds: Int = 120,
        environment: [String: String]
    ) {
        self.program = program
        self.settings = settings
        self.snapshot = snapshot
        self.lockWaitSeconds = lockWaitSeconds
        self.environment = environment
    }

    /// Plain SQL: what stock psql restores and what deduplicates. Subscriptions would start replicating on the tenant
    /// that restores them, and tablespaces are folders of one machine: neither is dumped. The password is in the environment.
    public var arguments: [String] {
        var arguments = [
            "--format=plain", "--no-password", "--no-subscriptions", "--no-tablespaces", "--quote-all-identifiers",
            "--lock-wait-timeout=\(lockWaitSeconds)s",
        ]
        arguments += scope.arguments
        if let snapshot { arguments.append("--snapshot=\(snapshot)") }
        return arguments
    }

    /// The restrict key is on the command line because pg_dump takes it nowhere else; it is in the dump as well. Programs
    /// of before `\restrict` write no such line and need none.
    var command: ChildCommand {
        var environment = settings.childEnvironment(base: environment)
        environment["PGAPPNAME"] = settings["application_name"] ?? "pod-runner"
        environment["PGOPTIONS"] = sessionOptions
        var arguments = remoteArguments
        if let restrictKey, program.knowsRestrict { arguments.append("--restrict-key=\(restrictKey)") }
        return ChildCommand(program.path, arguments, environment: environment)
    }

    var remoteArguments: [String] { arguments + ["--dbname=\(PostgresSettings.keepaliveText)"] }

    /// Without the password and without what is a matter of this machine's files.
    var remoteEnvironment: [String: String] {
        var environment = settings.childEnvironment(base: [:])
        environment["PGPASSWORD"] = nil
        environment["PGAPPNAME"] = settings["application_name"] ?? "pod-runner"
        environment["PGOPTIONS"] = sessionOptions
        return environment
    }

    /// The caller's own, then those that rows depend on: of two the last one counts. pg_dump sets the search path itself.
    private var sessionOptions: String {
        let pinned = CopyTextSettings.pinned.filter { !$0.value.isEmpty }.map { "-c \($0.name)=\($0.value)" }
        return ([settings["options"]].compactMap { $0 } + pinned).joined(separator: " ")
    }
}

/// The bytes of a running pg_dump. `read()` returns nil only after pg_dump has exited with 0, so whoever reads to the
/// end has the whole dump.
public struct DumpStream: Sendable {
    let output: ChildOutput

    /// The exit of a pg_dump that failed. What it said may still be on its way: `with` makes the error of it.
    private struct Failure: Error { let exit: ChildExit }

    /// - Throws: what makes `with` throw pg_dump's error; `CancellationError`.
    public func read() async throws -> [UInt8]? {
        if let chunk = try await output.read() { return chunk }
        let exit = try await output.exit()
        guard exit.isSuccess else { throw Failure(exit: exit) }
        return nil
    }

    /// Ends pg_dump's whole process group.
    public func terminate() { output.terminate() }

    public var processIdentifier: Int32 { output.processIdentifier }

    /// Runs pg_dump for the time of `body`.
    ///
    /// - Parameter standardError: pg_dump's messages, as they come.
    /// - Throws: `PostgresError` when pg_dump cannot be run, or with what it said, sorted into codes, when it fails, even when
    ///   the body returned before the end; what the body throws; `CancellationError`.
    public static func with<Value: Sendable>(
        _ options: DumpOptions, standardError: @escaping @Sendable ([UInt8]) -> Void,
        body: (DumpStream) async throws -> Value
    ) async throws -> Value {
        let errors = ErrorText()
        let place = "\(options.settings)"
        let result: ChildResult<Value>
        do {
            result = try await withChild(
                options.command,
                standardError: { chunk in
                    errors.append(chunk)
                    standardError(chunk)
                }
            ) { output in
                try await body(DumpStream(output: output))
            }
        } catch let failure as Failure {
            throw PostgresError(pgDump: failure.exit, place: place, standardError: errors.text)
        } catch let error as ChildError {
            throw PostgresError(.missingProgram, "pg_dump cannot be run: \(error)")
        }
        guard result.exit.isSuccess else {
            throw PostgresError(pgDump: result.exit, place: place, standardError: result.standardErrorText)
        }
        return result.value
    }
}
