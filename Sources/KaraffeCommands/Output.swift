import ActionEngine
import Diagnostics
import Glibc
import RunnerContract

/// Where everything a command says goes: data to standard output, words for people to standard error. Known secrets are
/// masked on both unless they are to be revealed.
struct Output: Sendable {
    let secrets: KnownSecrets
    let reveals: Bool

    func mask(_ text: String) -> String { reveals ? text : secrets.mask(text) }

    func data(_ text: String) { _ = Files.writeAll(Array(mask(text).utf8), to: STDOUT_FILENO) }

    /// A line of data.
    func tell(_ text: String) { data(text + "\n") }

    func say(_ text: String) { _ = Files.writeAll(Array((mask(text) + "\n").utf8), to: STDERR_FILENO) }

    /// Diagnostics with their excerpts, and a count when there are several.
    func report(_ diagnostics: [Diagnostic], sources: [SourceFile]) {
        guard !diagnostics.isEmpty else { return }
        var collector = DiagnosticCollector()
        collector.append(contentsOf: diagnostics)
        let isColored = isatty(STDERR_FILENO) == 1 && getenv("NO_COLOR") == nil
        let text = DiagnosticRenderer(sources: sources, isColored: isColored).render(collector.sorted)
        _ = Files.writeAll(Array(mask(text).utf8), to: STDERR_FILENO)
        if collector.diagnostics.count > 1, let summary = DiagnosticRenderer.summary(collector.diagnostics) {
            say(summary)
        }
    }
}

/// Ends a command with an exit code; everything was said already.
struct Exit: Error {
    let code: Int32

    init(_ code: ExitCode) { self.code = code.rawValue }
    init(code: Int32) { self.code = code }
}
