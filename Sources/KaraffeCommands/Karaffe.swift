public import ArgumentParser
import Glibc
import ProcessIO
import RunnerContract

/// The `karaffe` command.
public struct Karaffe: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "karaffe",
        abstract: "Read Kanister blueprints, show what they would do, and run them without a cluster.",
        discussion: """
            Exit codes: 0 done, 1 a phase's command failed or validate found errors, 2 usage, 3 wrong input, 4 database, \
            5 repository or storage, 6 verification, 130 and 143 interrupted.

            Completions for a shell: karaffe --generate-completion-script bash (or zsh, fish); for bash put the output into \
            ~/.local/share/bash-completion/completions/karaffe.
            """,
        version: ProgramVersion.current,
        subcommands: [
            ValidateCommand.self, ExplainCommand.self, RenderCommand.self, RunCommand.self, EvalCommand.self,
            InputsCommand.self, RunsCommand.self, TestCommand.self, SchemaCommand.self,
        ])

    public init() {}

    /// Parses the arguments, runs the command and ends the process.
    public static func main() async {
        BrokenPipes.ignore()
        endProcess(await run(Array(CommandLine.arguments.dropFirst())))
    }

    /// Runs the command.
    ///
    /// - Returns: the exit code.
    public static func run(_ arguments: [String]) async -> Int32 {
        do {
            var command = try parseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            return ExitCode.done.rawValue
        } catch let error as Exit {
            return error.code
        } catch let error as Interrupted {
            return error.exitCode
        } catch {
            return report(error)
        }
    }

    private static func report(_ error: any Error) -> Int32 {
        let code = exitCode(for: error)
        let text = Array((fullMessage(for: error) + "\n").utf8)
        guard code.isSuccess else {
            _ = Files.writeAll(text, to: STDERR_FILENO)
            return code == .validationFailure ? RunnerContract.ExitCode.usage.rawValue : code.rawValue
        }
        _ = Files.writeAll(text, to: STDOUT_FILENO)
        return RunnerContract.ExitCode.done.rawValue
    }
}
