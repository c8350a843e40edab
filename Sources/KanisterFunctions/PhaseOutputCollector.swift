import ActionEngine
import GoFormats
import Synchronization

/// Takes both streams of a phase's container: outputs are collected, everything else goes to the log, the last lines are
/// remembered for the error message.
///
/// Concurrency and memory: both streams may arrive concurrently; holds what `PhaseOutputReader` holds and ten lines.
final class PhaseOutputCollector: PodStreams {
    private static let lastLineCount = 10
    /// Bytes of each remembered line.
    private static let lastLineLimit = 2 << 10

    private struct State {
        var reader = PhaseOutputReader()
        var errorLines = LineAssembler()
        /// Of containers other than the main one, by name.
        var otherLines: [String: LineAssembler] = [:]
        var lastLines: [String] = []
    }

    private let state = Mutex(State())
    private let phase: String
    private let log: any PhaseLog

    init(phase: String, log: any PhaseLog) {
        self.phase = phase
        self.log = log
    }

    func standardOutput(_ bytes: [UInt8]) throws {
        try state.withLock { state in
            handle(state.reader.append(bytes), &state)
            try check(state)
        }
    }

    func standardError(_ bytes: [UInt8]) {
        state.withLock { state in
            for line in state.errorLines.append(bytes) {
                emit(.standardError, line.text, line.droppedBytes, &state)
            }
        }
    }

    func log(_ bytes: [UInt8], of container: String) {
        state.withLock { state in
            for line in state.otherLines[container, default: LineAssembler()].append(bytes) {
                emit(.standardError, Self.prefixed(line.text, container), line.droppedBytes, &state)
            }
        }
    }

    private static func prefixed(_ text: [UInt8], _ container: String) -> [UInt8] {
        text.isEmpty ? text : Array("\(container): ".utf8) + text
    }

    /// Both streams have ended.
    ///
    /// - Throws: `FunctionFailure` when the last line is not an output though it looks like one.
    func finish() throws -> (outputs: JSONObject, lastLines: [String]) {
        try state.withLock { state in
            if let line = state.errorLines.finish() {
                emit(.standardError, line.text, line.droppedBytes, &state)
            }
            for container in state.otherLines.keys.sorted() {
                guard let line = state.otherLines[container]?.finish() else { continue }
                emit(.standardError, Self.prefixed(line.text, container), line.droppedBytes, &state)
            }
            handle(state.reader.finish(), &state)
            try check(state)
            return (state.reader.outputs, state.lastLines)
        }
    }

    /// The last lines so far, for a pod that could not be followed to its end.
    var lastLines: [String] { state.withLock { $0.lastLines } }

    private func check(_ state: State) throws(FunctionFailure) {
        guard let failure = state.reader.failure else { return }
        throw FunctionFailure(failure.message, hint: failure.hint, lastLines: state.lastLines)
    }

    private func handle(_ events: [PhaseOutputReader.Event], _ state: inout State) {
        for case .log(let text, let droppedBytes) in events { emit(.standardOutput, text, droppedBytes, &state) }
    }

    private func emit(_ source: PhaseLogLine.Source, _ text: [UInt8], _ droppedBytes: Int, _ state: inout State) {
        guard !text.isEmpty else { return }
        if state.lastLines.count == Self.lastLineCount { state.lastLines.removeFirst() }
        state.lastLines.append(String(decoding: text.prefix(Self.lastLineLimit), as: UTF8.self))
        log.line(PhaseLogLine(phase: phase, source: source, text: text, droppedBytes: droppedBytes))
    }
}
