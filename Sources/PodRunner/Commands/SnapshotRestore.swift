import ArgumentParser
import KopiaRepository
import RunnerContract

extension SnapshotGroup {
    struct Restore: PodRunnerAction {
        static let configuration = CommandConfiguration(
            abstract: "Write a snapshot, or a part of it, to a folder of this machine.",
            discussion: """
                Files, folders and symbolic links with their owners, permissions and times. Owners that this user may not give are left \
                out, and with them set-user-ID and set-group-ID. A file is complete or not there. The target must not exist or be an empty folder, unless --overwrite is given: then files \
                of the same names are replaced and others left alone.
                """)

        @OptionGroup var repository: RepositoryOptions
        @Argument(help: "Its ID, the beginning of it, or the object ID of its root.") var snapshot: String
        @Argument(help: "Where to; a file when the snapshot or the part of it is one.") var target: String
        @Option(help: ArgumentHelp("Only this file or folder of it.", valueName: "path")) var path: String = ""
        @Flag(help: "Replace files that exist.") var overwrite = false
        @Flag(help: "Leave owners as those of who runs this.") var skipOwners = false
        @Flag(help: "Leave permissions as those of new files.") var skipPermissions = false
        @Flag(help: "Leave times as they are.") var skipTimes = false

        func run(_ context: RunContext) async throws {
            let access = try await repository.resolve(context)
            let figures = try await access.open(.readOnly) { repository in
                let found = try await repository.snapshot(named: snapshot)
                let start = try await repository.entry(at: path, in: found)
                var restore = TreeRestore(repository: repository)
                restore.overwrites = overwrite
                restore.attributes = RestoredAttributes(
                    owners: !skipOwners, permissions: !skipPermissions, times: !skipTimes)
                return try await restore.restore(start, to: target)
            }
            context.note(
                "restored \(figures.files) files, \(figures.directories) folders and \(figures.links) links, "
                    + "\(Figures.bytes(figures.bytes)), to \(target)")
        }
    }
}
