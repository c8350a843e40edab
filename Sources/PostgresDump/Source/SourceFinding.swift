public import GoFormats

/// Something about a source that whoever backs it up should know.
public struct SourceFinding: Sendable, Hashable {
    public enum Severity: String, Sendable {
        /// A backup would fail, or would be of no use.
        case error
        /// A backup works, but may fail or lacks something.
        case warning
        /// Is in the dump or is known to be left out; a restore elsewhere should look at it.
        case note
    }

    public let severity: Severity
    /// Stable, for scripts: `unreadable-tables`.
    public let code: String
    /// A whole sentence.
    public let message: String
    public let hint: String?

    init(_ severity: Severity, _ code: String, _ message: String, hint: String? = nil) {
        self.severity = severity
        self.code = code
        self.message = message
        self.hint = hint
    }

    public var json: JSONValue {
        [
            "severity": .string(severity.rawValue), "code": .string(code), "message": .string(message),
            "hint": hint.map { .string($0) } ?? .null,
        ]
    }
}

extension SourceFinding {
    /// Tables, views and roles by name: the first few, and how many more.
    static func list(_ names: [String], limit: Int = 8) -> String {
        let more = names.count > limit ? " and \(names.count - limit) more" : ""
        return names.prefix(limit).joined(separator: ", ") + more
    }

    /// What a standby's state means for a dump that takes minutes or hours.
    static func of(_ standby: StandbyState, lagSeconds: Double?) -> [SourceFinding] {
        var findings: [SourceFinding] = []
        if !standby.isReceiving {
            findings.append(
                SourceFinding(
                    .warning, "not-streaming", "the standby is not connected to its primary",
                    hint:
                        "what was committed since is missing from a backup; see pg_stat_wal_receiver and the standby's log"
                ))
        }
        if standby.isPaused {
            findings.append(
                SourceFinding(
                    .warning, "replay-paused", "replay on the standby is paused: its data get older",
                    hint: "SELECT pg_wal_replay_resume()"))
        }
        let delay = standby.isReceiving ? standby.streamingDelay : standby.archiveDelay
        let name = standby.isReceiving ? "max_standby_streaming_delay" : "max_standby_archive_delay"
        if !standby.sendsFeedback, (0..<600_000).contains(delay) {
            findings.append(
                SourceFinding(
                    .warning, "recovery-conflicts",
                    "hot_standby_feedback is off and \(name) is \(delay / 1000) s: a dump that stands in the way of replay for "
                        + "longer is cancelled",
                    hint:
                        "set hot_standby_feedback = on or raise \(name); --retries and --fallback-to-primary are the way out"
                ))
        }
        let conflicts = standby.conflicts.filter { $0.value > 0 }.sorted { $0.key < $1.key }
        if !conflicts.isEmpty {
            let counts = conflicts.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
            findings.append(
                SourceFinding(
                    .note, "conflicts-counted", "queries of this database were cancelled by replay: \(counts)"))
        }
        return findings
    }
}
