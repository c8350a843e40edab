import GoFormats
import Synchronization

/// How far a dump is. On a terminal one line that is written again and again, else a line every few seconds: followers
/// of a pod's log drop streams that are silent for long.
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
        guard seconds > 0 else { return try await body() }
        let pause: Duration = context.isTerminal ? .milliseconds(500) : .seconds(seconds)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                var (before, time) = (Int64(0), context.clock())
                while !Task.isCancelled {
                    do { try await Task.sleep(for: pause) } catch { break }
                    let (now, state) = (context.clock(), state.withLock { $0 })
                    let rate = Double(state.bytes - before) / max(now.secondsSince(time), 0.001)
                    show(Self.line(state, rate: rate, tableCount: tableCount, estimate: estimate, name: name))
                    (before, time) = (state.bytes, now)
                }
                if context.isTerminal { context.errors(Array("\r\u{1b}[K".utf8)) }
            }
            defer { group.cancelAll() }
            return try await body()
        }
    }

    private func show(_ line: String) {
        if context.isTerminal {
            context.errors(Array("\r\u{1b}[K\(line)".utf8))
        } else {
            context.note(line)
        }
    }

    /// `dumped 1.2 GB of about 3.4 GB, 85 MB/s, table 12 of 140 (items), about 26s left`.
    static func line(
        _ state: State, rate: Double, tableCount: Int64, estimate: DumpEstimate?, name: String?
    ) -> String {
        var parts = ["dumped \(Figures.bytes(state.bytes))"]
        // What comes beyond the estimate makes it worthless.
        let goal = estimate.flatMap { $0.bytes > state.bytes ? $0.bytes : nil }
        if let goal { parts[0] += " of about \(Figures.bytes(goal))" }
        let rate = rate.isFinite && rate > 0 ? min(rate, 1e18) : 0
        parts.append("\(Figures.bytes(Int64(rate)))/s")
        if let current = state.current {
            let count = tableCount > 0 ? " of \(max(tableCount, Int64(state.tables) + 1))" : ""
            parts.append("table \(state.tables + 1)\(count) (\(current.onOneLine))")
        } else if tableCount > 0, state.tables > 0 {
            parts.append("\(state.tables) of \(max(tableCount, Int64(state.tables))) tables")
        }
        if let goal, rate >= 1 {
            let left = Double(goal - state.bytes) / rate
            if left < 1e8 { parts.append("about \(TimeSpan(seconds: Int64(left.rounded(.up)))) left") }
        }
        return (name.map { "\($0.onOneLine): " } ?? "") + parts.joined(separator: ", ")
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
