import ArgumentParser
import GoFormats
import KopiaRepository
import PostgresDump
import RunnerContract
import Secrets

/// Where the repository is.
struct RepositoryOptions: ParsableArguments, Sendable {
    @Option(
        name: [.customShort("p", allowingJoined: true), .customLong("profile")],
        help: ArgumentHelp(
            "Kanister's location profile.",
            discussion:
                "JSON as {{ toJson .Profile }} renders it, or @FILE, or env:NAME (keeps secrets off the command line).",
            valueName: "json"))
    var profile: String?

    @Option(
        help: ArgumentHelp(
            "The repository, instead of a profile: file:///its/folder, s3://bucket/prefix, azblob://container/prefix or kopia+https://host:port.",
            discussion: """
                S3: ?endpoint=HOST&region=NAME, credentials from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and \
                AWS_SESSION_TOKEN. Azure: ?account=NAME, credentials from AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN. \
                Also ca=FILE (PEM) and tls=skip-verify. A kopia repository server: ?fingerprint=SHA256 of its certificate; \
                --identity and the password are those of its user.
                """, valueName: "url"))
    var repository: String?

    @Option(help: ArgumentHelp("File with the repository's password.", valueName: "file"))
    var passwordFile: String?

    @Option(
        help: ArgumentHelp(
            "Environment variable with the repository's password (default: KOPIA_PASSWORD).", valueName: "name"))
    var passwordEnv: String?

    @Option(
        help: ArgumentHelp(
            "Whose snapshots these are (default: the profile's, else pod-runner@karaffe).", valueName: "user@host"))
    var identity: String?

    @Option(
        help: ArgumentHelp(
            "Read the repository as it was then, with what was deleted or overwritten since: S3 and Azure with versions.",
            valueName: "time"))
    var pointInTime: String?

    @Option(
        help: ArgumentHelp(
            "How long storage, or a repository server, may say nothing before a request is tried again (default: 1m, a server 5m).",
            valueName: "time"))
    var storageTimeout: TimeSpan?

    mutating func validate() throws {
        if storageTimeout?.seconds == 0 { throw ValidationError("--storage-timeout is 0: nothing could be waited for") }
    }

    /// Nil when none was given.
    func resolveProfile(_ context: RunContext) async throws -> Profile? {
        guard let profile else { return nil }
        guard repository == nil else {
            throw PodRunnerError(.usage, "--profile and --repository cannot be given together")
        }
        return try Profile(parsing: try await context.resolve(profile, what: "--profile"))
    }

    func resolve(_ context: RunContext) async throws -> RepositoryAccessPoint {
        let access = try await resolvePresent(context).waiting(storageTimeout?.duration, context)
        guard let pointInTime else { return access }
        guard let time = Timestamp(rfc3339: pointInTime) else {
            throw PodRunnerError(
                .input, "--point-in-time is \"\(pointInTime)\", not a time such as 2026-11-25T03:00:00Z")
        }
        return try access.at(time)
    }

    private func resolvePresent(_ context: RunContext) async throws -> RepositoryAccessPoint {
        let identity = try parsedIdentity()
        if let profile = try await resolveProfile(context) {
            return try RepositoryAccessPoint(profile: profile, identity: identity, environment: context.environment)
        }
        guard let repository else {
            if context.isKando { throw PodRunnerError(.kando, "Please provide the --profile flag") }
            throw PodRunnerError(
                .usage, "no repository was named", hint: "give --profile, or --repository with a password")
        }
        let location = try RepositoryLocation(url: repository, environment: context.environment)
        let given = try await context.readSecret(
            file: passwordFile, variable: passwordEnv, what: passwordFile == nil ? "--password-env" : "--password-file")
        guard let password = given ?? context.environment["KOPIA_PASSWORD"].map({ Secret($0) }) else {
            throw PodRunnerError(
                .input, "the repository's password is missing",
                hint: "set KOPIA_PASSWORD, or give --password-file or --password-env")
        }
        guard !password.revealed.isEmpty else {
            throw PodRunnerError(
                .input, "the repository's password is empty",
                hint: "look at what \(passwordFile ?? passwordEnv ?? "KOPIA_PASSWORD") holds")
        }
        return RepositoryAccessPoint(location: location, password: password, identity: identity)
    }

    private func parsedIdentity() throws -> RepositoryIdentity? {
        guard let identity else { return nil }
        let parts = identity.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw PodRunnerError(.input, "--identity is \"\(identity)\", not user@host")
        }
        return RepositoryIdentity(userName: String(parts[0]), host: String(parts[1]))
    }
}

/// How to reach PostgreSQL. The password comes from PGPASSWORD or a password file only.
struct ConnectionOptions: ParsableArguments, Sendable {
    @Option(help: ArgumentHelp("Server (default: PGHOST).", valueName: "name"))
    var host: String?

    @Option(help: ArgumentHelp("Port (default: PGPORT, else 5432).", valueName: "number"))
    var port: String?

    @Option(
        name: [.customLong("username")], help: ArgumentHelp("Role to connect as (default: PGUSER).", valueName: "name"))
    var username: String?

    @Option(name: [.customLong("dbname")], help: ArgumentHelp("Database (default: PGDATABASE).", valueName: "name"))
    var dbname: String?

    @Option(
        help: ArgumentHelp(
            "TLS: as libpq spells it (default: PGSSLMODE, else verify-full where PGSSLROOTCERT names a file, which checks the server).",
            valueName: "mode"))
    var sslmode: String?

    @Option(help: ArgumentHelp("Folder of pg_dump and psql (default: PATH, then the usual folders).", valueName: "dir"))
    var pgBinDir: String?

    /// - Throws: `PodRunnerError` with exit code 3 when no database is named and one is needed.
    func settings(_ context: RunContext, needsDatabase: Bool) throws -> PostgresSettings {
        needsDatabase ? try resolve(context).settings : try resolve(context, database: dbname)
    }

    /// - Throws: `PodRunnerError` with exit code 3 when no database is named.
    func resolve(_ context: RunContext) throws -> (settings: PostgresSettings, database: String) {
        let settings = try resolve(context, database: dbname)
        guard let database = settings.database, !database.isEmpty else {
            throw PodRunnerError(
                .input, "no database was named", hint: "set PGDATABASE, or give --dbname")
        }
        try Self.checkEnd(of: database, what: "the name of the database")
        return (settings, database)
    }

    /// Nobody names anything so; Secrets have it by accident. A restore would make a database that no application finds.
    static func checkEnd(of name: String, what: String) throws {
        guard let last = name.last, last.isNewline else { return }
        throw PodRunnerError(
            .input, "\(what) ends with a line break",
            hint:
                "a Secret made with `echo` or from a file has one: make it with `printf %s`, or kubectl's --from-literal"
        )
    }

    /// - Parameter database: nil for PGDATABASE.
    func resolve(_ context: RunContext, database: String?) throws -> PostgresSettings {
        try PostgresSettings(
            environment: context.environment,
            overrides: ["host": host, "port": port, "user": username, "dbname": database, "sslmode": sslmode])
    }
}

extension Splitter {
    /// - Parameter text: of the flag `--splitter`; nil when it was not given.
    static func validate(_ text: String?) throws {
        guard let text, Splitter(nameOrSize: text) == nil else { return }
        throw ValidationError(
            "--splitter is \"\(text)\", neither a splitter such as DYNAMIC-4M-BUZHASH nor a size from 4K to 8M")
    }
}

/// Which snapshot, as the artifact has it.
struct SnapshotArgument: ParsableArguments, Sendable {
    @Option(
        name: [.customShort("k", allowingJoined: true), .customLong("kopia-snapshot")],
        help: ArgumentHelp(
            "The snapshot: the artifact's JSON, @FILE, env:NAME, or an ID.", valueName: "json"))
    var kopiaSnapshot: String?

    /// The manifest ID.
    ///
    /// - Parameter database: whose snapshot to take from the artifact of several databases.
    /// - Throws: `KopiaSnapshotReferenceError`, `PodRunnerError`.
    func resolve(_ context: RunContext, of database: String? = nil) async throws -> ManifestID {
        let text = try await text(context)
        if !context.isKando, let several = try DatabaseSnapshots(parsing: text) {
            return try Self.choose(database, from: several)
        }
        return try Self.one(text, context)
    }

    /// The manifest IDs of an artifact of one database or of several, with the names of these.
    ///
    /// - Parameter names: only theirs; all when empty.
    /// - Throws: as `resolve`.
    func resolveAll(_ context: RunContext, named names: [String]) async throws -> [(database: String?, id: ManifestID)]
    {
        let text = try await text(context)
        guard let several = try DatabaseSnapshots(parsing: text) else {
            guard names.isEmpty else {
                throw PodRunnerError(
                    .input, "--database chooses from the artifact of several databases; this one is of one snapshot")
            }
            return [(nil, try Self.one(text, context))]
        }
        if let unknown = names.first(where: { name in !several.members.contains { $0.database == name } }) {
            throw PodRunnerError(
                .input, "the artifact has no snapshot of database \"\(unknown)\"", hint: Self.hint(several))
        }
        return try several.members(named: names).compactMap { member in
            try member.snapshot.map { (member.database, try Self.id($0)) }
        }
    }

    private func text(_ context: RunContext) async throws -> String {
        try await context.resolve(kopiaSnapshot ?? "", what: "--kopia-snapshot").trimmingSpace
    }

    private static func choose(_ database: String?, from several: DatabaseSnapshots) throws -> ManifestID {
        let found = several.members.filter { $0.snapshot != nil && (database == nil || $0.database == database) }
        if found.count == 1, let snapshot = found[0].snapshot { return try id(snapshot) }
        throw PodRunnerError(
            .input,
            database.map { "the artifact has no snapshot of database \"\($0)\"" }
                ?? "the artifact is of \(several.members.count) databases, and nothing says whose snapshot is meant",
            hint: "give one snapshot's ID; \(hint(several))")
    }

    private static func hint(_ several: DatabaseSnapshots) -> String {
        let names = several.members.map { $0.database + ($0.snapshot.map { " (\($0.id))" } ?? " (failed)") }
        return "it has \(names.prefix(20).joined(separator: ", "))\(names.count > 20 ? ", …" : "")"
    }

    private static func one(_ text: String, _ context: RunContext) throws -> ManifestID {
        // kando takes JSON only, and says so in words that tests and people know.
        if !context.isKando, !text.hasPrefix("{"), let id = ManifestID(text) { return id }
        return try id(KopiaSnapshotReference(parsing: text))
    }

    private static func id(_ reference: KopiaSnapshotReference) throws -> ManifestID {
        guard let id = ManifestID(reference.id) else {
            throw PodRunnerError(.input, "\"\(reference.id)\" cannot be the ID of a snapshot")
        }
        return id
    }
}

extension String {
    var trimmingSpace: String {
        var text = self[...]
        while let last = text.last, last.isWhitespace { text.removeLast() }
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        return String(text)
    }
}

/// Of restores by administrators of managed servers.
struct SuperuserObjectsOption: ParsableArguments, Sendable {
    @Flag(
        help: ArgumentHelp(
            "Leave out what only a superuser may make and this role may not, and name it.",
            discussion: """
                Event triggers, publications FOR ALL TABLES or FOR TABLES IN SCHEMA, default privileges of superusers, and security \
                labels whose provider the server has not loaded, as the backup recorded them. Without it they are in the way of the \
                restore, before anything is touched (exit 4).
                """))
    var leaveOutSuperuserObjects = false
}

/// How many connections a restore opens beside its own.
struct JobsOption: ParsableArguments, Sendable {
    @Option(
        help: ArgumentHelp(
            "Connections that load rows, build indexes and constraints, analyze and compare, 1 to 32.",
            discussion: """
                Rows of tables with 4 MiB of them or more, each table over one connection; with 1 the dump is read from its \
                beginning to its end. Each may take maintenance_work_mem on the server. As many as the server has processors \
                to spare; it does not say how many those are.
                """, valueName: "count"))
    var jobs: Int = 2

    mutating func validate() throws {
        guard (1...32).contains(jobs) else { throw ValidationError("--jobs must be from 1 to 32") }
    }
}
