import ActionEngine
import Glibc
import GoFormats
import Synchronization

/// Shows a run and keeps it in the run's folder: what happened on standard output, lines of the phases on standard error.
/// Masked.
///
/// Concurrency and memory: lines may come from several threads; nothing is kept.
final class RunConsole: PhaseLog, ActionObserver {
    private struct State {
        var phaseCount = 0
        var problems: [String] = []
    }

    private let output: Output
    private let folder: RunFolder
    private let state = Mutex(State())

    init(output: Output, folder: RunFolder) {
        self.output = output
        self.folder = folder
    }

    /// What could not be written to the run's folder.
    var problems: [String] { state.withLock { $0.problems } }

    func line(_ line: PhaseLogLine) {
        let masker = output.secrets.current
        let isCut = line.droppedBytes > 0
        var masked = masker.mask(line.text, isCut: isCut)
        if isCut { masked += Array(" … (\(line.droppedBytes) more bytes)".utf8) }
        let mark = line.source == .engine ? "karaffe: " : ""
        let start = Array("[\(line.phase)] \(mark)".utf8)
        let shown = output.reveals && !isCut ? line.text : masked
        let kept = Array("\(Timestamp.now()) \(line.phase) \(line.source.rawValue) ".utf8) + masked + [0x0a]
        state.withLock { state in
            _ = Files.writeAll(start + shown + [0x0a], to: STDERR_FILENO)
            let failure = Files.writeAll(kept, to: folder.logDescriptor)
            if failure != 0, state.problems.isEmpty {
                state.problems.append("cannot write the log: \(String(cString: strerror(failure)))")
            }
        }
    }

    func phaseWillRun(_ phase: RenderedPhase) {
        let masked = phase.mapStrings { output.secrets.mask($0) }
        state.withLock { state in
            state.phaseCount += 1
            do throws(FileError) {
                try folder.write(
                    phase: state.phaseCount, name: phase.name, YAMLWriter.text(RenderedDocument.phase(masked)))
            } catch {
                state.problems.append(error.message)
            }
        }
    }

    func phaseDidEnd(_ phase: PhaseRecord) {
        output.tell("phase \(phase.name): \(phase.state.rawValue)")
        for member in phase.output.members {
            output.tell("  output \(member.key): \(member.value.stringValue ?? GoJSON.text(member.value))")
        }
    }
}
