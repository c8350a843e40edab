import ActionEngine
import ArgumentParser
import Executors
import GoFormats
import KanisterFunctions
import ProcessIO
import RunnerContract

/// `karaffe run`: runs an action on this machine.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run an action on this machine, without a cluster.",
        discussion: """
            The command of each phase becomes a process with a private working folder and an environment of its own; kando \
            and pod-runner are ours. The run is kept on disk: a later one takes its artifacts with --from.

            Exit code: 0, or the one of the phase's command when it is 3, 4, 5, 6, 130 or 143; any other failure of a command \
            is 1. Wrong input is 3 and nothing runs.
            """)

    @OptionGroup var input: InputOptions

    enum ExecutorKind: String, ExpressibleByArgument, CaseIterable {
        case local
    }

    @Option(help: ArgumentHelp("Where phases run: local.", valueName: "executor"))
    var executor = ExecutorKind.local

    @Option(
        name: .customLong("add-host"),
        help: ArgumentHelp(
            "Host name that leads to another address inside the phases, without a change to this machine. May be repeated.",
            valueName: "name=address"))
    var hosts: [String] = []

    @Option(
        help: ArgumentHelp(
            "The pod-runner executable; else the one beside karaffe, or the one on PATH.", valueName: "file"))
    var runner: String?

    @Option(
        help: ArgumentHelp("End the command of a phase that takes longer, in seconds.", valueName: "seconds"))
    var timeout: Int?

    func validate() throws {
        if let timeout, timeout <= 0 {
            throw ValidationError("--timeout \(timeout) is not a number of seconds above 0.")
        }
        for host in hosts {
            do throws(LocalExecutorError) { _ = try HostOverride(host) } catch {
                throw ValidationError("--add-host: \(error.message); \(error.hint ?? "")")
            }
        }
    }

    func run() async throws {
        let input = try ActionInput.read(self.input)
        let output = input.output(reveals: self.input.reveal)
        output.report(input.diagnostics, sources: input.sources)
        guard !input.hasErrors else { throw Exit(.input) }
        let options = try executorOptions(output)
        let run = try LocalRun(input: input, output: output)
        let templates = self.input.templates.options
        do {
            try await withInterruption {
                let code = await run.execute(options, templates: templates)
                try Task.checkCancellation()
                if code != ExitCode.done.rawValue { throw Exit(code: code) }
            }
        } catch let error as Interrupted {
            run.finish(interruptedBy: error.signal)
            throw error
        }
    }

    private func executorOptions(_ output: Output) throws -> LocalExecutor.Options {
        if let runner, !Files.isProgram(runner) {
            output.say("error: --runner \(runner) is not an executable file\n  hint: give the path of pod-runner")
            throw Exit(.input)
        }
        var options = LocalExecutor.Options.ofThisMachine(runner: runner)
        options.hosts = hosts.compactMap { try? HostOverride($0) }
        options.timeout = timeout.map { .seconds($0) }
        if options.runner == nil {
            output.say("warning: there is no pod-runner beside karaffe or on PATH\n  hint: give it with --runner FILE")
        }
        return options
    }
}
