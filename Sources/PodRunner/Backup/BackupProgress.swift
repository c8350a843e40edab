import GoFormats
import Synchronization

/// How far a dump is.
///
/// Concurrency and memory: counting and showing may happen anywhere.
final class BackupProgress: Sendable {
    struct State: Sendable {
        var bytes: Int64 = 0
        /// Tables whose rows are through.
        var tables = 0
        var current: String?
    }

    private let state = Mutex(State())
    private let tableCount: Int64
    private let estimate: DumpEstimate?
    private let name: String?
    private let context: RunContext

    /// - Parameter name: of the database, where there are several.
    init(tableCount: Int64, estimate: DumpEstimate?, name: String?, _ context: RunContext) {
        self.tableCount = tableCount
        self.estimate = estimate
        self.name = name
        self.context = context
    }

    var bytes: Int64 { state.withLock { $0.bytes } }

    func passed(_ count: Int, tables: Int, current: String?) {
        state.withLock { state in
            state.bytes &+= Int64(count)
            state.tables = tables
            state.current = current
        }
    }

    /// Shows progress while `body` runs.
    ///
    /// - Parameter seconds: between lines; a terminal is written twice a second. 0 for silence.
    func during<Value: Sendable>(every seconds: Int, _ body: () async throws -> Value) async throws -> Value {
        try await context.showing(
            every: seconds, bytes: { [self] in bytes },
            line: { [self] _, rate in
                let state = state.withLock { $0 }
                return Self.line(state, rate: rate, tableCount: tableCount, estimate: estimate, name: name)
            }, while: body)
    }

    /// `dumped 1.2 GB of about 3.4 GB, 85 MB/s, about 26s left, table 12 of 140 (items)`. The name comes last: a terminal may cut
    /// it.
    static func line(
        _ state: State, rate: Double, tableCount: Int64, estimate: DumpEstimate?, name: String?
    ) -> String {
        // What comes beyond the estimate makes it worthless.
        var line = "dumped \(Figures.progress(state.bytes, of: estimate?.bytes, isEstimate: true, rate: rate))"
        if let current = state.current {
            let count = tableCount > 0 ? " of \(max(tableCount, Int64(state.tables) + 1))" : ""
            line += ", table \(state.tables + 1)\(count) (\(current.onOneLine))"
        } else if tableCount > 0, state.tables > 0 {
            line += ", \(state.tables) of \(max(tableCount, Int64(state.tables))) tables"
        }
        return name.map { "\($0.onOneLine): \(line)" } ?? line
    }
}

extension String {
    /// Safe in one line of a log: a table's name may hold line breaks, and what follows one could look like an output line.
    var onOneLine: String {
        var text = String.UnicodeScalarView()
        for scalar in unicodeScalars { text.append(scalar.value < 0x20 || scalar.value == 0x7f ? "?" : scalar) }
        return String(text)
    }
}
