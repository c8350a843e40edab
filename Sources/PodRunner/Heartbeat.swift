import GoFormats
import Synchronization

/// Says on standard error every few seconds that work goes on: log followers drop streams that are silent for long.
///
/// Concurrency and memory: counting may happen anywhere; the lines come from one task.
final class Heartbeat: Sendable {
    private let bytes = Atomic<Int64>(0)
    private let what: String
    private let context: RunContext

    /// - Parameter what: `dumped`, `restored`.
    init(_ what: String, _ context: RunContext) {
        self.what = what
        self.context = context
    }

    func add(_ count: Int) { bytes.wrappingAdd(Int64(count), ordering: .relaxed) }
    var total: Int64 { bytes.load(ordering: .relaxed) }

    /// Beats while `body` runs.
    ///
    /// - Parameter seconds: 0 for silence.
    func during<Value: Sendable>(every seconds: Int, _ body: () async throws -> Value) async throws -> Value {
        guard seconds > 0 else { return try await body() }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                var before: Int64 = 0
                var time = context.clock()
                while !Task.isCancelled {
                    do { try await Task.sleep(for: .seconds(seconds)) } catch { return }
                    let (now, count) = (context.clock(), total)
                    let elapsed = max(now.secondsSince(time), 0.001)
                    let rate = Int64(Double(count - before) / elapsed)
                    context.note("\(what) \(Figures.bytes(count)), \(Figures.bytes(max(rate, 0)))/s")
                    (before, time) = (count, now)
                }
            }
            defer { group.cancelAll() }
            return try await body()
        }
    }
}
