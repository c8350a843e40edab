import GoFormats
import KopiaRepository
import RunnerContract

/// What one run did to several databases.
struct BackupReport: Sendable {
    enum Result: Sendable {
        case done(BackupJob.Finished)
        case failed(PodRunnerError)
    }

    private(set) var databases: [(name: String, result: Result)] = []

    mutating func add(_ name: String, _ result: Result) { databases.append((name, result)) }

    private var failures: [PodRunnerError] {
        databases.compactMap { if case .failed(let error) = $0.result { error } else { nil } }
    }

    var isPartial: Bool { !failures.isEmpty }

    /// Those that were published.
    var snapshots: [(database: String, id: ManifestID)] {
        databases.compactMap { name, result in
            if case .done(let finished) = result { (name, finished.written.snapshot.id) } else { nil }
        }
    }

    /// The artifact's value: an array with a member for each database, in the order they were backed up:
    /// `{"database":"a","kopiaSnapshot":{"id":…}}` or `{"database":"b","error":"…"}`.
    var value: String {
        GoJSON.text(
            .array(
                databases.map { name, result in
                    switch result {
                    case .done(let finished):
                        let written = finished.written
                        return [
                            "database": .string(name),
                            "kopiaSnapshot": [
                                "id": .string(written.snapshot.id.description),
                                "logicalSize": .integer(written.logicalBytes),
                                "physicalSize": .integer(written.uploadedBytes),
                            ],
                        ]
                    case .failed(let error): return ["database": .string(name), "error": .string(error.message)]
                    }
                }))
    }

    /// A line for each database and one for all.
    var text: [String] {
        var lines = databases.map { name, result in
            switch result {
            case .done(let finished):
                return "\(name.onOneLine): \(Self.line(finished))"
            case .failed(let error): return "\(name.onOneLine): failed: \(error.message)"
            }
        }
        lines.append("\(databases.count - failures.count) of \(Figures.count(databases.count, "database")) backed up")
        return lines
    }

    static func line(_ finished: BackupJob.Finished) -> String {
        let written = finished.written
        var line =
            "snapshot \(written.snapshot.id) of \(written.snapshot.source): \(Figures.bytes(written.logicalBytes)), "
            + "\(Figures.count(finished.rows, "row")) in \(Figures.count(finished.tables, "table")), \(Figures.bytes(written.uploadedBytes)) added, "
            + Figures.seconds(finished.seconds)
        if finished.attempts > 1 { line += ", \(finished.attempts) attempts" }
        return line
    }

    /// The first failure's exit code, when there is one.
    func check() throws {
        guard let first = failures.first else { return }
        throw PodRunnerError(
            first.exitCode,
            "\(failures.count) of \(databases.count) databases could not be backed up; the first: \(first.message)",
            hint: first.hint)
    }
}
