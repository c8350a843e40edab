import GoFormats
import RunnerContract

/// Ends work that takes too long, and says early that it will.
struct BackupDeadline: Sendable {
    /// Nil for no limit.
    let span: TimeSpan?
    let start: Timestamp

    /// - Parameter isPartial: whether snapshots made before it was over stay.
    /// - Throws: `PodRunnerError` with exit code 143 when the time is over; what `body` throws.
    func within<Value: Sendable>(
        isPartial: Bool = false, _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        guard let span else { return try await body() }
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: span.duration)
                return nil
            }
            if let first = try await group.next(), let value = first {
                group.cancelAll()
                return value
            }
            group.cancelAll()
            do {
                // Work that ended while it was being stopped has ended.
                if let last = try await group.next(), let value = last { return value }
            } catch is CancellationError {}
            throw PodRunnerError(
                .terminated,
                "the deadline of \(span) is over: \(isPartial ? "not every database was backed up" : "nothing was published")",
                hint:
                    "raise --deadline and, under Kasten, the Helm value timeout.blueprintBackup (minutes, 45 by default)"
            )
        }
    }

    /// What the last backup says about this one; nil when it says nothing or there is no danger.
    ///
    /// A warning and no refusal: the last backup may have been slow for a reason of its own, and a refusal would make it
    /// the last for ever.
    func warning(_ estimate: DumpEstimate?, at now: Timestamp) -> String? {
        estimate.flatMap { warning("at the last backup's rate this one takes", seconds: $0.seconds, at: now) }
    }

    /// The same of a run of several databases, from how long the last backup of each took.
    ///
    /// - Parameter last: seconds; of the databases that the repository has backups of.
    func warning(lastOfEach last: [Double], of count: Int, at now: Timestamp) -> String? {
        let all = Figures.count(count, "database")
        let known = last.count == count ? all : "\(last.count) of the \(all), without the others,"
        return warning("at the last backups' rate those of \(known) take", seconds: last.reduce(0, +), at: now)
    }

    private func warning(_ work: String, seconds: Double, at now: Timestamp) -> String? {
        guard let span, seconds.isFinite else { return nil }
        let left = max(0, Double(span.seconds) - max(0, now.secondsSince(start)))
        guard seconds > left else { return nil }
        let needed = TimeSpan(seconds: Int64(min(seconds, 1e9).rounded()))
        return
            "warning: \(work) about \(needed), and of the deadline of \(span) there are \(TimeSpan(seconds: Int64(left))) left: "
            + "raise --deadline and, under Kasten, the Helm value timeout.blueprintBackup (minutes, 45 by default)"
    }
}

/// How big a dump will be and how long it will take, from the last one of the same database.
struct DumpEstimate: Sendable, Hashable {
    let bytes: Int64
    let seconds: Double

    /// - Parameter databaseBytes: the database's size now. A dump grows as its database on disk does, more or less.
    /// - Returns: nil when the last record does not tell.
    init?(last: BackupRecord?, databaseBytes: Int64) {
        guard let last, last.dumpBytes > 0, last.databaseBytes > 0, databaseBytes > 0 else { return nil }
        let growth = Double(databaseBytes) / Double(last.databaseBytes)
        let bytes = Double(last.dumpBytes) * growth
        guard bytes.isFinite, bytes < 9e18 else { return nil }
        self.bytes = Int64(bytes)
        seconds = max(last.endTime.secondsSince(last.startTime), 0) * growth
    }
}
