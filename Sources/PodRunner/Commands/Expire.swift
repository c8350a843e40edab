import ArgumentParser
import GoFormats
import KopiaRepository
import RunnerContract

extension SnapshotGroup {
    struct Expire: PodRunnerAction {
        static let configuration = CommandConfiguration(
            abstract: "Delete the snapshots that the repository's retention policies do not keep.",
            discussion: """
                The policies are kopia's, and so are the reasons for keeping a snapshot. Pinned snapshots stay. Without --delete this \
                only shows what would go, as kopia's command of the same name. The space is freed by maintenance.
                """)

        @OptionGroup var repository: RepositoryOptions
        @Option(help: ArgumentHelp("Only this source; may be repeated.", valueName: "user@host:path"))
        var source: [String] = []
        @Flag(help: "Every source.") var all = false
        @Flag(help: "Really delete them.") var delete = false
        @Flag(help: "Only show them; the default.") var dryRun = false
        @Flag(help: "As JSON.") var json = false

        mutating func validate() throws {
            guard all != !source.isEmpty else { throw ValidationError("give either --source or --all") }
            guard !delete || !dryRun else { throw ValidationError("--delete and --dry-run cannot be given together") }
        }

        func run(_ context: RunContext) async throws {
            let sources = try source.map { text in
                guard let source = SnapshotSource(text) else {
                    throw PodRunnerError(.input, "--source is \"\(text)\", not user@host:path")
                }
                return source
            }
            let access = try await repository.resolve(context)
            let expired = try await access.open(delete ? .readWrite : .readOnly) { repository in
                let expired = try await repository.expiredSnapshots(of: sources.isEmpty ? nil : sources)
                // One after the other: whatever stops this leaves no snapshot half deleted.
                if delete { for snapshot in expired { try await repository.deleteSnapshot(snapshot.id) } }
                return expired
            }
            let verb = delete ? "deleted" : "would delete"
            if json {
                let items = expired.map { $0.json(idText: $0.id.description) }
                return try await context.print(
                    GoJSON.text(["deleted": .bool(delete), "snapshots": .array(items)]))
            }
            for snapshot in expired {
                try await context.print("\(verb) \(snapshot.id) \(Listing.time(snapshot.startTime)) \(snapshot.source)")
            }
            if expired.isEmpty { context.note("retention keeps every snapshot") }
            if !delete, !expired.isEmpty { context.note("nothing was deleted; give --delete to do it") }
        }
    }
}
