import ArgumentParser
import Glibc
import ProcessIO
import RunnerContract

/// A command of `pod-runner` or `kando`.
protocol PodRunnerAction: ParsableCommand, Sendable {
    func run(_ context: RunContext) async throws
}

/// The whole of `pod-runner` behind its `main`.
public enum PodRunnerMain {
    /// Runs a command line and ends the process with its exit code.
    public static func runAndEnd(arguments: [String], environment: [String: String]) async -> Never {
        endProcess(await run(arguments: arguments, environment: environment))
    }

    /// Runs a command line.
    ///
    /// - Parameter arguments: with the program's own name first; under the name `kando` it behaves as kando does.
    /// - Returns: the exit code, see `RunnerContract.ExitCode`.
    public static func run(arguments: [String], environment: [String: String]) async -> Int32 {
        BrokenPipes.ignore()
        Allocator.tune()
        let context = RunContext(
            isKando: isKando(arguments.first ?? ""), environment: environment,
            input: { try DescriptorStream(STDIN_FILENO, name: "standard input") },
            inputIsTerminal: { isatty(STDIN_FILENO) == 1 }, output: StandardOutput.write,
            errors: StandardOutput.writeErrors, isTerminal: isatty(STDERR_FILENO) == 1)
        return await run(Array(arguments.dropFirst()), context)
    }

    static func isKando(_ name: String) -> Bool { name.split(separator: "/").last == "kando" }

    /// As above, in a world of the caller's.
    static func run(_ arguments: [String], _ context: RunContext) async -> Int32 {
        let command: any ParsableCommand
        do {
            command = context.isKando ? try Kando.parseAsRoot(arguments) : try PodRunner.parseAsRoot(arguments)
        } catch {
            return await finish(parsing: error, context)
        }
        guard let action = command as? any PodRunnerAction else {
            // A group without its subcommand, or help.
            var command = command
            do {
                try command.run()
                return ExitCode.done.rawValue
            } catch {
                return await finish(parsing: error, context)
            }
        }
        do {
            if context.handlesSignals {
                try await withInterruption { try await action.run(context) }
            } else {
                try await action.run(context)
            }
            return ExitCode.done.rawValue
        } catch {
            let failure = PodRunnerError(error)
            context.note("\(context.isKando ? "kando" : "pod-runner"): error: \(failure)")
            let isSignal = failure.exitCode == .interrupted || failure.exitCode == .terminated
            return (context.isKando && !isSignal ? ExitCode.kando : failure.exitCode).rawValue
        }
    }

    /// Help and versions are data and go to standard output; what is wrong with a command line goes to standard error.
    private static func finish(parsing error: any Error, _ context: RunContext) async -> Int32 {
        func text() -> String {
            context.isKando ? Kando.fullMessage(for: error) : PodRunner.fullMessage(for: error)
        }
        let code = context.isKando ? Kando.exitCode(for: error) : PodRunner.exitCode(for: error)
        if code.isSuccess {
            do {
                try await context.print(text())
                return ExitCode.done.rawValue
            } catch {
                return ExitCode.input.rawValue
            }
        }
        context.note(text())
        return (context.isKando ? ExitCode.kando : ExitCode.usage).rawValue
    }
}

private enum StandardOutput {
    static func write(_ bytes: [UInt8]) async throws {
        try await DescriptorStream(STDOUT_FILENO, name: "standard output").write(bytes)
    }

    /// Best effort: there is nobody to tell when it fails.
    static func writeErrors(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { buffer in
            var offset = 0
            while offset < buffer.count, let start = buffer.baseAddress {
                let count = Glibc.write(STDERR_FILENO, start + offset, buffer.count - offset)
                if count > 0 {
                    offset += count
                } else if errno != EINTR {
                    return
                }
            }
        }
    }
}
