import GoFormats
import PostgresDump

/// The go/no-go table of a restore.
struct RestorePreflight: Sendable {
    let settings: PostgresSettings
    let database: String
    let checks: [PreflightCheck]

    var isGo: Bool { !checks.contains { $0.verdict == .noGo } }

    /// Everything that is in the way, as one error; the code is that of the only kind of obstacle people script for.
    var obstacle: PostgresError? {
        let found = checks.filter { $0.verdict == .noGo }
        guard let first = found.first else { return nil }
        let place = "\(settings.host):\(settings.port)"
        let rest = found.dropFirst().map { "\n\($0.name): \($0.finding)\($0.hint.map { " (\($0))" } ?? "")" }.joined()
        return PostgresError(
            first.name == "target" ? .targetInUse : .restore,
            "nothing was changed on \(place): \(first.name): \(first.finding)\(rest)", hint: first.hint)
    }

    var json: JSONValue {
        [
            "go": .bool(isGo), "database": .string(database),
            "server": ["host": .string(settings.host), "port": .string(settings.port)],
            "checks": .array(checks.map(\.json)),
        ]
    }

    /// One line a check, in columns.
    var lines: [String] {
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(0, width - text.count))
        }
        var lines = checks.flatMap { check in
            ["\(padded(check.verdict.rawValue.uppercased(), 8)) \(padded(check.name, 12)) \(check.finding)"]
                + (check.hint.map { ["\(padded("", 21)) hint: \($0)"] } ?? [])
        }
        let obstacles = checks.count { $0.verdict == .noGo }
        lines.append(isGo ? "go" : "no-go: \(obstacles) \(obstacles == 1 ? "obstacle" : "obstacles")")
        return lines
    }
}
