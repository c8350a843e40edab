import ArgumentParser
import RunnerContract

/// `output KEY VALUE`.
struct Output: PodRunnerAction {
    static let configuration = CommandConfiguration(
        abstract: "Hand a value to the phase's outputs: prints one line on standard output.")

    @OptionGroup var verbosity: VerbosityOption
    @Argument(help: "Letters, digits and underscores.") var key: String
    @Argument(help: "Any text.") var value: String

    func run(_ context: RunContext) async throws {
        try await context.print(PhaseOutput(checking: key, value: value).line)
    }
}
