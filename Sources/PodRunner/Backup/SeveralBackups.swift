import GoFormats
import KopiaRepository
import PostgresDump
import RunnerContract

/// Several databases, one after the other, a snapshot each.
///
/// A run that does not back up all of them, because one fails or because it is interrupted, has no output line, and a
/// phase that fails records no artifact: nobody would ever delete what it published. So the snapshots it made are removed again,
/// unless they are to stay. Their data stay until maintenance, and make the next run short. A run that is killed, or whose machine
/// goes, removes nothing.
struct SeveralBackups: Sendable {
    let repository: Repository
    /// Whether the snapshots of a run that fails stay.
    let keepsPartial: Bool
    let context: RunContext

    /// - Returns: what was done; with failures only where PostgreSQL was to blame. What is wrong with the repository ends the run.
    /// - Throws: `RepositoryError`, `PodRunnerError`, `CancellationError`.
    func perform(_ jobs: [BackupJob]) async throws -> BackupReport {
        var report = BackupReport()
        try await warnEarly(jobs)
        do {
            for job in jobs {
                let name = job.database
                do {
                    report.add(name, .done(try await job.perform()))
                } catch let error as PostgresError {
                    try Task.checkCancellation()
                    let failure = PodRunnerError(error)
                    context.note("database \"\(name.onOneLine)\" failed: \(failure)")
                    report.add(name, .failed(failure))
                }
            }
        } catch {
            await settle(report.snapshots)
            throw error
        }
        for line in report.text { context.note(line) }
        if report.isPartial { await settle(report.snapshots) }
        return report
    }

    /// Says before the first one that the time will not do for all.
    private func warnEarly(_ jobs: [BackupJob]) async throws {
        guard let deadline = jobs.first?.deadline, deadline.span != nil else { return }
        var seconds: [Double] = []
        for job in jobs {
            guard let last = try await job.lastRecord() else { continue }
            seconds.append(max(0, last.endTime.secondsSince(last.startTime)))
        }
        guard let warning = deadline.warning(lastOfEach: seconds, of: jobs.count, at: context.clock()) else { return }
        context.note(warning)
    }

    /// Removes the snapshots, or names those that stay. In a task of its own, because ours may be the cancelled one. The first
    /// that cannot be removed is the last that is tried: storage that is away, or a server that lets only append, says no to all.
    private func settle(_ snapshots: [(database: String, id: ManifestID)]) async {
        guard !snapshots.isEmpty else { return }
        let names = snapshots.map { "  \($0.database.onOneLine): snapshot \($0.id)" }
        guard !keepsPartial else {
            context.note("kept, as --keep-partial says, though the run as a whole failed:")
            for name in names { context.note(name) }
            return
        }
        let (repository, context) = (repository, context)
        await Task {
            var removed = 0
            do {
                for snapshot in snapshots {
                    try await repository.deleteSnapshot(snapshot.id)
                    removed += 1
                }
            } catch {
                context.note(
                    "warning: \(Figures.count(snapshots.count - removed, "snapshot")) of this run could not be removed: \(error)\n"
                        + "hint: pod-runner snapshot delete \(snapshots.dropFirst(removed).map(\.id.description).joined(separator: " "))"
                )
                for name in names.dropFirst(removed) { context.note(name) }
            }
            guard removed > 0 else { return }
            let locked =
                repository.status.retention == nil
                ? "" : "; their data stay in the storage, locked, until their time is over"
            context.note("removed again, because the run as a whole failed (--keep-partial keeps them)\(locked):")
            for name in names.prefix(removed) { context.note(name) }
        }.value
    }
}
