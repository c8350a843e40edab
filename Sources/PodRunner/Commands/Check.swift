import ArgumentParser
import GoFormats
import PostgresDump
import RunnerContract

/// `check`.
struct Check: PodRunnerAction {
    static let configuration = CommandConfiguration(
        abstract: "Look at a source before it is backed up.",
        discussion: """
            Versions, standby or primary, lag, what happens to long queries on the standby, what this user cannot read, what a \
            dump will lack. Changes nothing and needs no repository. A backup does the same and goes on.

            Exit code 4 when a backup would fail, or when the standby is staler than --max-lag.
            """)

    @OptionGroup(title: "Source database") var connection: ConnectionOptions
    @OptionGroup(title: "Freshness of a standby") var freshness: FreshnessOptions

    enum Form: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Option(name: [.customShort("O"), .long], help: "text or json, on standard output.")
    var output: Form = .text

    func run(_ context: RunContext) async throws {
        let (settings, database) = try connection.resolve(context)
        let barrier = try await freshness.barrier(settings)
        let (check, lagging) = try await PostgresClient.with(settings) { client in
            var lagging: PostgresError?
            do {
                try await barrier.wait(on: client) { context.note($0) }
            } catch let error as PostgresError where error.code == .lagging {
                lagging = error
            }
            let check = try await SourceCheck.run(
                client, binaryFolder: connection.pgBinDir, environment: context.environment)
            return (check, lagging)
        }
        switch output {
        case .text: for line in Self.lines(check, settings) { try await context.print(line) }
        case .json:
            var object = check.json.objectValue ?? JSONObject()
            object["database"] = .string(database)
            try await context.print(GoJSON.text(.object(object)))
        }
        if let lagging { throw lagging }
        guard check.isPossible else {
            throw PodRunnerError(.database, "\(settings) cannot be backed up as it is")
        }
    }

    static func lines(_ check: SourceCheck, _ settings: PostgresSettings) -> [String] {
        let facts = check.facts
        var rows: [(String, String)] = [
            ("source", "\(settings)"),
            ("server", "PostgreSQL \(facts.serverVersionText)"),
            ("pg_dump", check.program.map { "\($0.version) (\($0.path))" } ?? "none that fits"),
            ("role", facts.isStandby ? "standby" : "primary"),
            ("position", facts.lsn),
        ]
        if let standby = check.standby {
            rows.append(("behind", facts.lagSeconds.map(Figures.seconds) ?? "unknown"))
            let delay = standby.streamingDelay < 0 ? "for ever" : "\(standby.streamingDelay / 1000) s"
            rows.append(
                (
                    "conflicts",
                    "feedback \(standby.sendsFeedback ? "on" : "off"), replay waits \(delay), "
                        + "\(standby.conflicts.values.reduce(0, &+)) cancelled so far"
                ))
        }
        rows.append(("size", "\(Figures.bytes(facts.sizeBytes)) on disk, \(Figures.count(check.tables, "table"))"))
        if check.largeObjects > 0 { rows.append(("large objects", "\(check.largeObjects)")) }
        rows.append(("extensions", check.extensions.map { "\($0.name) \($0.version)" }.joined(separator: ", ")))
        var lines = rows.map { name, value in
            name + String(repeating: " ", count: max(1, 15 - name.count)) + value.onOneLine
        }
        for finding in check.findings {
            lines.append("\(finding.severity.rawValue): \(finding.message.onOneLine) [\(finding.code)]")
            if let hint = finding.hint { lines.append("  hint: \(hint)") }
        }
        lines.append(check.isPossible ? "a backup is possible" : "a backup would fail")
        return lines
    }
}
