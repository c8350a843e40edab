public import GoFormats

/// A look at a source before it is backed up: can it be read, will a long dump survive, what will be missing.
///
/// Changes nothing, opens no transaction, takes no lock beyond those of reading catalogs.
public struct SourceCheck: Sendable, Hashable {
    public let facts: SourceFacts
    /// Nil on a primary.
    public let standby: StandbyState?
    /// Nil when none fits; then there is a finding.
    public let program: PostgresProgram?
    public let extensions: [DatabaseExtension]
    /// With rows of their own.
    public let tables: Int64
    public let largeObjects: Int64
    public let findings: [SourceFinding]

    /// No finding is an error.
    public var isPossible: Bool { !findings.contains { $0.severity == .error } }

    /// - Parameters:
    ///   - client: connected to the database, outside a transaction.
    ///   - binaryFolder: as for `PostgresProgram.find`.
    /// - Throws: `PostgresError` when the source cannot be looked at; `CancellationError`.
    public static func run(
        _ client: PostgresClient, binaryFolder: String?, environment: [String: String]
    ) async throws -> SourceCheck {
        let facts = try await SourceFacts.read(from: client)
        var findings: [SourceFinding] = []
        let standby = facts.isStandby ? try await StandbyState.read(from: client) : nil
        if let standby { findings += SourceFinding.of(standby, lagSeconds: facts.lagSeconds) }
        var program: PostgresProgram?
        do {
            program = try await PostgresProgram.find(
                "pg_dump", serverMajor: facts.serverMajor, binaryFolder: binaryFolder, environment: environment)
        } catch let error as PostgresError where [.version, .missingProgram].contains(error.code) {
            findings.append(SourceFinding(.error, "no-pg-dump", error.message, hint: error.hint))
        }
        let relations = try await CatalogLook.relations(client, isStandby: facts.isStandby)
        let objects = try await CatalogLook.largeObjects(client)
        findings += relations.findings + objects.findings
        findings += try await CatalogLook.leftOut(client)
        return SourceCheck(
            facts: facts, standby: standby, program: program, extensions: try await DatabaseExtension.all(in: client),
            tables: relations.count, largeObjects: objects.count, findings: findings)
    }

    public var json: JSONValue {
        [
            "possible": .bool(isPossible),
            "server": [
                "version": .integer(Int64(facts.serverVersion)), "versionText": .string(facts.serverVersionText),
                "standby": .bool(facts.isStandby), "lsn": .string(facts.lsn),
                "lagSeconds": facts.lagSeconds.map { .double($0) } ?? .null,
                "replication": standby?.json ?? .null,
            ],
            "program": program.map { ["path": .string($0.path), "version": .string($0.version)] } ?? .null,
            "databaseBytes": .integer(facts.sizeBytes), "tables": .integer(tables),
            "largeObjects": .integer(largeObjects), "extensions": .array(extensions.map(\.json)),
            "findings": .array(findings.map(\.json)),
        ]
    }
}
