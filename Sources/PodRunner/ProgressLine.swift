import GoFormats

/// How far something is, said again and again while it goes on: on a terminal one line that is written over twice a
/// second, else a line every few seconds, because followers of a pod's log drop streams that are silent for long.
extension RunContext {
    private static let eraseLine = "\r\u{1b}[K"

    /// Shows progress while `body` runs.
    ///
    /// - Parameters:
    ///   - seconds: between lines; a terminal is written twice a second. 0 for silence.
    ///   - bytes: how many there are by now.
    ///   - line: what to show, from the number of bytes and those of a second since the last time.
    func showing<Value: Sendable>(
        every seconds: Int, bytes: @escaping @Sendable () -> Int64,
        line: @escaping @Sendable (_ bytes: Int64, _ rate: Double) -> String,
        while body: () async throws -> Value
    ) async throws -> Value {
        guard seconds > 0 else { return try await body() }
        let pause: Duration = isTerminal ? .milliseconds(500) : .seconds(seconds)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                var (before, time) = (bytes(), clock())
                while !Task.isCancelled {
                    do { try await Task.sleep(for: pause) } catch { break }
                    let (now, count) = (clock(), bytes())
                    let rate = Double(max(0, count - before)) / max(now.secondsSince(time), 0.001)
                    show(line(count, rate))
                    (before, time) = (count, now)
                }
                if isTerminal { errors(Array(Self.eraseLine.utf8)) }
            }
            defer { group.cancelAll() }
            return try await body()
        }
    }

    /// A terminal that is narrower cuts the line at its edge: one that went on in a second row could not be written over.
    private func show(_ line: String) {
        guard isTerminal else { return note(line) }
        errors(Array("\(Self.eraseLine)\u{1b}[?7l\(line)\u{1b}[?7h".utf8))
    }

    /// A line for people; on a terminal in place of the line of progress, which comes again after it.
    func note(_ line: String) { errors(Array("\(isTerminal ? Self.eraseLine : "")\(line)\n".utf8)) }
}

extension Figures {
    /// `1.2 GB of 3.4 GB, 85 MB/s, about 26s left`.
    ///
    /// - Parameters:
    ///   - goal: how many bytes it will be; nil when nobody knows, or fewer than there are already.
    ///   - isEstimate: the goal is a guess.
    ///   - rate: bytes a second.
    static func progress(_ bytes: Int64, of goal: Int64?, isEstimate: Bool, rate: Double) -> String {
        let goal = goal.flatMap { $0 > bytes ? $0 : nil }
        let rate = rate.isFinite && rate > 0 ? min(rate, 1e18) : 0
        var text = Figures.bytes(bytes)
        if let goal { text += " of \(isEstimate ? "about " : "")\(Figures.bytes(goal))" }
        text += ", \(Figures.bytes(Int64(rate)))/s"
        guard let goal, rate >= 1 else { return text }
        let left = Double(goal - bytes) / rate
        return left < 1e8 ? "\(text), about \(TimeSpan(seconds: Int64(left.rounded(.up)))) left" : text
    }
}
