import GoFormats
import Synchronization

/// How far a restore, its comparison or a reading is.
///
/// Concurrency and memory: counting may happen anywhere; the lines come from one task.
final class Heartbeat: Sendable {
    private struct Built: Sendable {
        var done = 0
        var all = 0
    }

    private let bytes = Atomic<Int64>(0)
    private let built = Mutex(Built())
    private let what: String
    private let goal: Int64?
    private let context: RunContext

    /// - Parameters:
    ///   - what: `restored`, `verified`.
    ///   - goal: how many bytes it will be; nil when nobody knows.
    init(_ what: String, of goal: Int64?, _ context: RunContext) {
        self.what = what
        self.goal = goal
        self.context = context
    }

    func add(_ count: Int) { bytes.wrappingAdd(Int64(count), ordering: .relaxed) }

    /// So many more indexes and constraints are built from now on.
    func willBuild(_ count: Int) { built.withLock { $0.all += count } }
    func hasBuilt() { built.withLock { $0.done += 1 } }

    /// Shows progress while `body` runs.
    ///
    /// - Parameter seconds: 0 for silence.
    func during<Value: Sendable>(every seconds: Int, _ body: () async throws -> Value) async throws -> Value {
        try await context.showing(
            every: seconds, bytes: { [self] in bytes.load(ordering: .relaxed) }, line: { [self] in line($0, rate: $1) },
            while: body)
    }

    /// `restored 1.2 GB of 3.4 GB, 85 MB/s, about 26s left`, and once the rows are there, when indexes take as long as they take,
    /// `restored 3.4 GB, 5 of 12 indexes and constraints built`.
    func line(_ bytes: Int64, rate: Double) -> String {
        let (done, all) = built.withLock { ($0.done, $0.all) }
        let built = all > 0 ? ", \(done) of \(all) indexes and constraints built" : ""
        if bytes == goal { return "\(what) \(Figures.bytes(bytes))\(built)" }
        return "\(what) \(Figures.progress(bytes, of: goal, isEstimate: false, rate: rate))\(built)"
    }
}
