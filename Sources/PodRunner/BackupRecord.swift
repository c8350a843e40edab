import GoFormats
import PostgresDump
import RunnerContract

/// `karaffe.json` inside a backup's snapshot: everything a restore on another server needs beside the dump, and when and
/// from what it was made.
///
/// Readers ignore members they do not know; a higher format version means that they must not.
struct BackupRecord: Sendable, Hashable {
    static let fileName = "karaffe.json"
    static let rolesFileName = "roles.sql"
    static let instructionsFileName = "RESTORE.md"
    static let formatVersion: Int64 = 1

    var runID: String
    var startTime: Timestamp
    var endTime: Timestamp
    var host: String
    var port: String
    var serverVersion: Int
    var serverVersionText: String
    var isStandby: Bool
    var lsn: String
    var lagSeconds: Double?
    var databaseBytes: Int64
    var database: DatabaseProperties
    var extensions: [DatabaseExtension]
    var roles: RoleClosure
    /// Owners and grants in the database; nil in records of before.
    var privileges: PrivilegeRecord?
    /// What older servers do not know; empty in records of before.
    var needs: [VersionNeed] = []
    /// What in the dump only a superuser may make; nil in records of before.
    var superuserObjects: [SuperuserObject]?
    /// What else only a superuser may make; empty in records of before.
    var superuserNeeds: [SuperuserNeed] = []
    var dumpFile: String
    var dumpBytes: Int64
    var dumpProgram: String
    var dumpArguments: [String]
    /// Of every table in the dump; nil in records of before, and where they were made in a way this program does not know.
    var tables: TableDigests?
    /// A dump of a part of the database must not take the place of the whole.
    var scope: DumpScope
    /// In order; the last one succeeded.
    var attempts: [BackupAttempt] = []

    var serverMajor: Int { serverVersion / 10_000 }

    var json: JSONValue {
        [
            "formatVersion": .integer(Self.formatVersion),
            "program": ["name": "pod-runner", "version": .string(PodRunner.version)],
            "run": .string(runID), "startTime": .string(startTime.description),
            "endTime": .string(endTime.description),
            "source": [
                "host": .string(host), "port": .string(port), "version": .integer(Int64(serverVersion)),
                "versionText": .string(serverVersionText), "standby": .bool(isStandby), "lsn": .string(lsn),
                "lagSeconds": lagSeconds.map { .double($0) } ?? .null, "databaseBytes": .integer(databaseBytes),
            ],
            "database": database.json, "extensions": .array(extensions.map(\.json)), "roles": roles.json,
            "privileges": privileges?.json ?? .null, "needs": .array(needs.map(\.json)),
            "superuserObjects": superuserObjects.map { .array($0.map(\.json)) } ?? .null,
            "superuserNeeds": .array(superuserNeeds.map(\.json)),
            "dump": [
                "file": .string(dumpFile), "format": "plain", "bytes": .integer(dumpBytes),
                "program": .string(dumpProgram), "arguments": .array(dumpArguments.map { .string($0) }),
            ],
            "scope": scope.isWhole ? .null : scope.json, "attempts": .array(attempts.map(\.json)),
            "tables": tables?.json ?? .null,
        ]
    }

    /// More is not read back.
    static let bytesMax = 64 << 20

    /// The text, without owners and grants where it would be too large with them; then with a warning.
    func text(bytesMax: Int) -> (bytes: [UInt8], warning: String?) {
        let whole = text
        guard whole.count > bytesMax, privileges != nil else { return (whole, nil) }
        var smaller = self
        smaller.privileges = nil
        return (
            smaller.text,
            "\(Self.fileName) would have \(Figures.bytes(Int64(whole.count))), more than a restore reads: owners and grants are left "
                + "out of it, and a restore cannot compare them"
        )
    }

    /// With line breaks, for people.
    var text: [UInt8] {
        GoJSON.encode(json, style: GoJSON.Style(escapesHTML: false, indent: "  ", endsWithNewline: true))
    }

    /// - Throws: `PodRunnerError` with exit code 5 for a record that cannot be used.
    init(parsing bytes: [UInt8]) throws {
        let value: JSONValue
        do {
            value = try JSONParser.parse(bytes)
        } catch {
            throw PodRunnerError(.repository, "\(Self.fileName) of the snapshot is not JSON: \(error)")
        }
        let version = value["formatVersion"]?.integerValue ?? 0
        guard version == Self.formatVersion else {
            throw PodRunnerError(
                .repository, "\(Self.fileName) has format version \(version), this program knows \(Self.formatVersion)",
                hint: "use a newer pod-runner, or restore by hand as RESTORE.md in the snapshot says")
        }
        guard let database = value["database"].flatMap({ DatabaseProperties(json: $0) }) else {
            throw PodRunnerError(.repository, "\(Self.fileName) of the snapshot does not describe the database")
        }
        self.database = database
        func time(_ key: String) -> Timestamp {
            value[key]?.stringValue.flatMap { Timestamp(rfc3339: $0) } ?? Timestamp(seconds: 0)
        }
        (startTime, endTime) = (time("startTime"), time("endTime"))
        runID = value["run"]?.stringValue ?? ""
        let source = value["source"]
        host = source?["host"]?.stringValue ?? ""
        port = source?["port"]?.stringValue ?? ""
        serverVersion = Int(clamping: source?["version"]?.integerValue ?? 0)
        serverVersionText = source?["versionText"]?.stringValue ?? ""
        isStandby = source?["standby"]?.boolValue ?? false
        lsn = source?["lsn"]?.stringValue ?? ""
        switch source?["lagSeconds"] {
        case .integer(let seconds): lagSeconds = Double(seconds)
        case .double(let seconds): lagSeconds = seconds
        default: lagSeconds = nil
        }
        databaseBytes = source?["databaseBytes"]?.integerValue ?? 0
        extensions = (value["extensions"]?.arrayValue ?? []).compactMap { DatabaseExtension(json: $0) }
        roles = RoleClosure(json: value["roles"] ?? .null)
        privileges = value["privileges"].flatMap { PrivilegeRecord(json: $0) }
        needs = (value["needs"]?.arrayValue ?? []).compactMap { VersionNeed(json: $0) }
        superuserObjects = value["superuserObjects"]?.arrayValue?.compactMap { SuperuserObject(json: $0) }
        superuserNeeds = (value["superuserNeeds"]?.arrayValue ?? []).compactMap { SuperuserNeed(json: $0) }
        let dump = value["dump"]
        dumpFile = dump?["file"]?.stringValue ?? ""
        dumpBytes = dump?["bytes"]?.integerValue ?? 0
        dumpProgram = dump?["program"]?.stringValue ?? ""
        dumpArguments = (dump?["arguments"]?.arrayValue ?? []).compactMap(\.stringValue)
        scope = value["scope"].map { DumpScope(json: $0) } ?? DumpScope()
        attempts = (value["attempts"]?.arrayValue ?? []).compactMap { BackupAttempt(json: $0) }
        tables = value["tables"].flatMap { TableDigests(json: $0) }
    }

    init(
        session: DumpSession, settings: PostgresSettings, options: DumpOptions, runID: String, dumpFile: String,
        dumpBytes: Int64, tables: TableDigests, startTime: Timestamp, endTime: Timestamp
    ) {
        self.runID = runID
        self.startTime = startTime
        self.endTime = endTime
        host = settings.host
        port = settings.port
        serverVersion = session.source.serverVersion
        serverVersionText = session.source.serverVersionText
        isStandby = session.source.isStandby
        lsn = session.source.lsn
        lagSeconds = session.source.lagSeconds
        databaseBytes = session.source.sizeBytes
        database = session.database
        extensions = session.extensions
        roles = session.roles
        privileges = session.privileges
        needs = session.needs
        // pg_dump of some tables has neither event triggers nor publications, nor types and functions.
        superuserObjects = options.scope.tables.isEmpty ? session.superuserObjects : []
        superuserNeeds = options.scope.tables.isEmpty ? session.superuserNeeds : []
        self.dumpFile = dumpFile
        self.dumpBytes = dumpBytes
        dumpProgram = "pg_dump \(options.program.version)"
        dumpArguments = options.arguments
        self.tables = tables
        scope = options.scope
    }
}
