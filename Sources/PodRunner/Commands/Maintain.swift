import ArgumentParser
import GoFormats
import KopiaRepository
import RunnerContract

extension RepositoryGroup {
    struct Maintain: PodRunnerAction {
        static let configuration = CommandConfiguration(
            abstract: "Show what maintenance is due, and who has to run it; runs none.",
            discussion: """
                Maintenance frees the space of what no snapshot uses and keeps indexes small. Only one client may run it, the owner; \
                kopia guards that with a lock file of its own machine. A second program that also collected garbage would not see that \
                lock, and two at once have destroyed repositories. So this is left to kopia: run `kopia maintenance run --full` as the \
                owner, from one place. Snapshots are expired with `snapshot expire`.

                Exit code 0, whether or not maintenance is due.
                """)

        @OptionGroup var repository: RepositoryOptions
        @Flag(help: "As JSON.") var json = false

        func run(_ context: RunContext) async throws {
            let access = try await repository.resolve(context)
            let report = try await access.open(.readOnly) { try await $0.maintenanceReport() }
            let now = context.clock()
            if json { return try await context.print(GoJSON.text(Self.json(report, now))) }
            let lines = [
                ("Owner", report.owner.map(Listing.safe) ?? "nobody: maintenance does not run"),
                ("Quick", Self.text(report.quick, now)), ("Full", Self.text(report.full, now)),
                (
                    "Contents",
                    "\(report.contentCount), \(report.deletedCount) deleted (\(Figures.bytes(report.deletedBytes)))"
                ),
                ("Unindexed packs", "\(report.unindexedPackCount) (\(Figures.bytes(report.unindexedBytes)))"),
                ("Session markers", "\(report.sessionMarkerCount)"), ("Index blobs", "\(report.indexBlobCount)"),
            ]
            for (name, value) in lines {
                try await context.print(name + ":" + String(repeating: " ", count: 18 - name.count) + value)
            }
            try await show(report.unfinishedFiles, now, context)
            for run in report.lastRuns {
                let result = run.error.map { "failed: \(Listing.safe($0))" } ?? "done"
                try await context.print("  \(Listing.time(run.start)) \(Listing.safe(run.task)): \(result)")
            }
            if report.full.isDue(at: now) || report.quick.isDue(at: now) {
                let kind = report.full.isDue(at: now) ? " --full" : ""
                let owner = report.owner.map { " as \(Listing.safe($0))" } ?? ""
                context.note(
                    "due: run 'kopia maintenance run\(kind)'\(owner), or take over with "
                        + "'kopia maintenance set --owner=me'")
            }
        }

        /// How old a file is that nobody writes to any more: no upload of a pack takes that long.
        private static let oldSeconds = 86_400.0
        private static let shownMax = 20

        private func show(_ files: [UnfinishedFile], _ now: Timestamp, _ context: RunContext) async throws {
            guard !files.isEmpty else { return }
            let bytes = files.reduce(0) { $0 + $1.length }
            try await context.print("Unfinished files: \(files.count) (\(Figures.bytes(bytes)))")
            for file in files.prefix(Self.shownMax) {
                let age = TimeSpan(seconds: Int64(now.secondsSince(file.timestamp)))
                try await context.print(
                    "  \(Listing.safe(file.path)) \(Figures.bytes(file.length)), written \(age) ago")
            }
            if files.count > Self.shownMax { try await context.print("  … and \(files.count - Self.shownMax) more") }
            let old = files.filter { now.secondsSince($0.timestamp) > Self.oldSeconds }
            guard !old.isEmpty else { return }
            context.note(
                "\(Figures.count(old.count, "unfinished file")) older than a day, left by killed writers: nothing needs them and "
                    + "nobody else removes them; delete them while no backup runs")
        }

        private static func text(_ cycle: MaintenanceReport.Cycle, _ now: Timestamp) -> String {
            guard cycle.isEnabled else { return "switched off" }
            let next = cycle.next.map { "next \(Listing.time($0))" } ?? "never ran"
            let seconds = cycle.intervalSeconds
            let interval = seconds % 3600 == 0 ? "\(seconds / 3600) h" : "\(seconds / 60) min"
            return "every \(interval), \(next)\(cycle.isDue(at: now) ? ", due" : "")"
        }

        private static func json(_ cycle: MaintenanceReport.Cycle, _ now: Timestamp) -> JSONValue {
            [
                "enabled": .bool(cycle.isEnabled), "intervalSeconds": .integer(cycle.intervalSeconds),
                "next": cycle.next.map { .string($0.description) } ?? .null, "due": .bool(cycle.isDue(at: now)),
            ]
        }

        private static func json(_ report: MaintenanceReport, _ now: Timestamp) -> JSONValue {
            [
                "owner": report.owner.map { .string($0) } ?? .null, "quick": json(report.quick, now),
                "full": json(report.full, now), "contents": .integer(Int64(report.contentCount)),
                "deletedContents": .integer(Int64(report.deletedCount)), "deletedBytes": .integer(report.deletedBytes),
                "unindexedPacks": .integer(Int64(report.unindexedPackCount)),
                "unindexedBytes": .integer(report.unindexedBytes),
                "sessionMarkers": .integer(Int64(report.sessionMarkerCount)),
                "indexBlobs": .integer(Int64(report.indexBlobCount)),
                "unfinishedFiles": .array(
                    report.unfinishedFiles.map {
                        [
                            "path": .string($0.path), "bytes": .integer($0.length),
                            "time": .string($0.timestamp.description),
                        ]
                    }),
                "lastRuns": .array(
                    report.lastRuns.map { run in
                        [
                            "task": .string(run.task), "start": .string(run.start.description),
                            "error": run.error.map { .string($0) } ?? .null,
                        ]
                    }),
            ]
        }
    }
}
