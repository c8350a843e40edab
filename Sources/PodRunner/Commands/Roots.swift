import ArgumentParser
import RunnerContract

/// `pod-runner`.
struct PodRunner: ParsableCommand {
    static let version = ProgramVersion.current

    static let configuration = CommandConfiguration(
        commandName: "pod-runner",
        abstract: "Moves PostgreSQL databases into kopia repositories and back.",
        discussion: """
            What a blueprint's phase runs. Invoked under the name kando it behaves as kando does.

            Exit codes: 0 done, 2 usage, 3 input is wrong, 4 source or target database, 5 repository or storage, \
            6 verification failed, 130 and 143 interrupted.
            """,
        version: version,
        subcommands: [
            Backup.self, Check.self, Restore.self, Verify.self, Delete.self, Location.self, Output.self,
            RepositoryGroup.self,
            SnapshotGroup.self, ImmutabilityGroup.self,
        ])
}

/// `kando`: pod-runner under that name.
struct Kando: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kando",
        abstract: "A set of tools used from Kanister blueprints.",
        version: PodRunner.version,
        subcommands: [Location.self, Output.self])

    @OptionGroup var verbosity: VerbosityOption
}

/// kando's global flag; taken so that command lines with it work, without effect here.
struct VerbosityOption: ParsableArguments, Sendable {
    @Option(
        name: [.customShort("v", allowingJoined: true), .customLong("verbosity")],
        help: .hidden)
    var verbosity: String?
}
