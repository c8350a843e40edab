import Glibc
import GoFormats
import PostgresDump
import ProcessIO
import RunnerContract
import Secrets

/// The world around one command: tests give their own.
struct RunContext: Sendable {
    /// Running under the name `kando`.
    var isKando = false
    var environment: [String: String]
    /// Standard input, opened when a command reads it.
    var input: @Sendable () throws -> DescriptorStream
    var inputIsTerminal: @Sendable () -> Bool = { false }
    /// Standard output: data only.
    var output: @Sendable ([UInt8]) async throws -> Void
    /// Standard error: for people.
    var errors: @Sendable ([UInt8]) -> Void
    /// Standard error is a terminal, where a line can be written again.
    var isTerminal = false
    var clock: @Sendable () -> Timestamp = Timestamp.now
    /// How often `WaitingReport` looks whether something keeps one waiting.
    var waitingInterval: Duration = .seconds(5)
    /// Waits between attempts to reach a storage service.
    var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    /// Whether SIGINT and SIGTERM end the work: they belong to the whole process, so tests leave them alone.
    var handlesSignals = true

    func print(_ line: String) async throws { try await output(Array((line + "\n").utf8)) }

    /// A named point in a restore. The variable ends the process there as a crash would, which is how tests show that the
    /// next run finds its way; without it nothing happens.
    func pass(_ point: String) {
        if environment["POD_RUNNER_CRASH_AT"] == point { kill(getpid(), SIGKILL) }
    }

    /// Text given directly, as `@FILE` or as `env:NAME`, so that secrets stay out of the command line.
    ///
    /// - Parameter what: for messages: `--profile`.
    /// - Throws: `PodRunnerError` with exit code 3.
    func resolve(_ argument: String, what: String) async throws -> String {
        if argument.hasPrefix("@") { return try await readText(String(argument.dropFirst()), what: what) }
        guard argument.hasPrefix("env:") else { return argument }
        let name = String(argument.dropFirst(4))
        guard let value = environment[name] else {
            throw PodRunnerError(.input, "\(what) names the environment variable \(name), which is not set")
        }
        return value
    }

    /// A small file as text.
    func readText(_ path: String, what: String, limit: Int = 1 << 20) async throws -> String {
        var bytes: [UInt8] = []
        do {
            let file = try DescriptorStream(reading: path)
            while let chunk = try await file.read() {
                bytes += chunk
                guard bytes.count <= limit else {
                    throw PodRunnerError(.input, "\(what): \(path) has more than \(limit) bytes")
                }
            }
        } catch let error as DescriptorError {
            throw PodRunnerError(.input, "\(what): \(error.message)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw PodRunnerError(.input, "\(what): \(path) is not UTF-8 text")
        }
        return text
    }

    /// The first line of a file or a variable, as a secret.
    func readSecret(file: String?, variable: String?, what: String) async throws -> Secret? {
        if let file {
            let text = try await readText(file, what: what)
            return Secret(text.hasSuffix("\n") ? String(text.dropLast(text.hasSuffix("\r\n") ? 1 : 1)) : text)
        }
        guard let variable else { return nil }
        guard let value = environment[variable] else {
            throw PodRunnerError(.input, "\(what) names the environment variable \(variable), which is not set")
        }
        return Secret(value)
    }
}
