public import GoFormats
import RunnerContract

/// Reads what a container writes on standard output: takes the phase's outputs out of it, hands back the rest as log
/// lines.
///
/// The marker may start in the middle of a line; what follows it up to the line break is the payload. A marker whose
/// beginning ends one line and whose rest begins the next one that is not empty is recognized too: Kanister does this,
/// we match it. Empty lines are skipped.
///
/// The result does not depend on the pieces the bytes arrive in. After a failure the reader takes nothing more; what came
/// before it has been handed back.
///
/// Memory: at most `logLineLimit` + `payloadLimit` bytes, and `outputsLimit` for the outputs.
///
/// Source: Kanister `pkg/output/stream.go`, `pkg/output/output.go`. Vectors: `phaseOutput`, `kubeExecChunks`.
public struct PhaseOutputReader: Sendable {
    /// Bytes of one log line that are kept; the others are counted.
    public static let logLineLimit = 64 << 10
    /// Bytes of one payload. A value of `outputsLimit` bytes fits however it is escaped.
    public static let payloadLimit = 10 << 20
    /// Bytes of all keys and values of a phase: what an ActionSet can store (etcd takes about 1.5 MB for all of it).
    public static let outputsLimit = 1_500_000

    /// What became complete.
    public enum Event: Sendable, Hashable {
        case log(text: [UInt8], droppedBytes: Int)
        /// `payload` is the text that was decoded.
        case output(key: String, value: String, payload: [UInt8])
    }

    private static let marker = Array(PhaseOutput.marker.utf8)
    private static let fallback = failureTable(marker)

    private var line: [UInt8] = []
    /// Bytes of the current line, kept or not.
    private var lineLength = 0
    /// How much of the marker the bytes read last spell.
    private var matched = 0
    private var payload: [UInt8]?
    private var sizes: [String: Int] = [:]
    /// In the order they were set first; the last value of a key wins.
    public private(set) var outputs = JSONObject()
    /// A payload that is not an output, or outputs that are too big: fails the phase.
    public private(set) var failure: PhaseOutputError?

    public init() {}

    /// What `bytes` completes; look at `failure` afterwards.
    public mutating func append(_ bytes: [UInt8]) -> [Event] {
        var events: [Event] = []
        guard failure == nil else { return events }
        do throws(PhaseOutputError) {
            try read(bytes, &events)
        } catch {
            failure = error
        }
        return events
    }

    /// The stream has ended; a last line without line break counts. Look at `failure` afterwards.
    public mutating func finish() -> [Event] {
        var events: [Event] = []
        guard failure == nil else { return events }
        do throws(PhaseOutputError) {
            try endLine(&events)
        } catch {
            failure = error
        }
        return events
    }

    private mutating func read(_ bytes: [UInt8], _ events: inout [Event]) throws(PhaseOutputError) {
        var rest = bytes[...]
        while let byte = rest.first {
            if byte == 0x0a {
                try endLine(&events)
                rest = rest.dropFirst()
            } else if payload != nil {
                let run = rest.prefix { $0 != 0x0a }
                try appendToPayload(run)
                rest = rest[run.endIndex...]
            } else if matched == 0, byte != Self.marker[0] {
                // Nothing of the marker before the next of its first byte.
                let run = rest.prefix { $0 != 0x0a && $0 != Self.marker[0] }
                lineLength += run.count
                line.append(contentsOf: run.prefix(max(0, Self.logLineLimit - line.count)))
                rest = rest[run.endIndex...]
            } else {
                appendToLine(byte, &events)
                rest = rest.dropFirst()
            }
        }
    }

    private mutating func appendToLine(_ byte: UInt8, _ events: inout [Event]) {
        lineLength += 1
        if line.count < Self.logLineLimit { line.append(byte) }
        while matched > 0, Self.marker[matched] != byte { matched = Self.fallback[matched] }
        if Self.marker[matched] == byte { matched += 1 }
        guard matched == Self.marker.count else { return }
        matched = 0
        let textLength = max(0, lineLength - Self.marker.count)
        line.removeLast(max(0, line.count - textLength))
        lineLength = textLength
        closeLine(&events)
        payload = []
    }

    private mutating func appendToPayload(_ bytes: ArraySlice<UInt8>) throws(PhaseOutputError) {
        guard (payload?.count ?? 0) + bytes.count <= Self.payloadLimit else {
            throw PhaseOutputError(
                "an output line is over the limit of \(Self.payloadLimit) bytes",
                hint: "store big results in the repository and hand over where they are")
        }
        payload?.append(contentsOf: bytes)
    }

    private mutating func endLine(_ events: inout [Event]) throws(PhaseOutputError) {
        if let text = payload {
            payload = nil
            if let event = try output(trimmed(text)) { events.append(event) }
            return
        }
        let keepsMatch = matched
        if line.last == 0x0d, lineLength == line.count {
            line.removeLast()
            lineLength -= 1
        }
        closeLine(&events)
        matched = keepsMatch
    }

    private mutating func closeLine(_ events: inout [Event]) {
        if lineLength > 0 { events.append(.log(text: line, droppedBytes: lineLength - line.count)) }
        line = []
        lineLength = 0
    }

    private mutating func output(_ payload: [UInt8]) throws(PhaseOutputError) -> Event? {
        guard !payload.isEmpty else { return nil }
        let (key, value) = try PhaseOutputPayload.decode(payload)
        sizes[key] = key.utf8.count + value.utf8.count
        let total = sizes.values.reduce(0, +)
        guard total <= Self.outputsLimit else {
            throw PhaseOutputError(
                "output '\(key)' of \(value.utf8.count) bytes brings the phase's outputs to \(total) bytes; "
                    + "an ActionSet cannot store more than \(Self.outputsLimit)",
                hint: "store big results in the repository and hand over where they are")
        }
        outputs[key] = .string(value)
        return .output(key: key, value: value, payload: payload)
    }

    private func trimmed(_ bytes: [UInt8]) -> [UInt8] {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
        let start = bytes.firstIndex { !isSpace($0) } ?? bytes.endIndex
        let end = bytes.lastIndex { !isSpace($0) }.map { $0 + 1 } ?? start
        return Array(bytes[start..<end])
    }

    /// Knuth–Morris–Pratt: how much is still matched after a mismatch behind `index` matched bytes.
    private static func failureTable(_ pattern: [UInt8]) -> [Int] {
        var table = [0, 0]
        var length = 0
        for position in 1..<pattern.count {
            while length > 0, pattern[position] != pattern[length] { length = table[length] }
            if pattern[position] == pattern[length] { length += 1 }
            table.append(length)
        }
        return table
    }
}

/// A line that looks like an output and is not one.
public struct PhaseOutputError: Error, Sendable, Hashable, CustomStringConvertible {
    public let message: String
    public let hint: String?

    public init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }

    public var description: String { message }
}
