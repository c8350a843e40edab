internal import KopiaContent

/// The contents that are not durable yet: asked for, on their way, or written and waiting for a flush. What a new session
/// needs to go on where a broken one stopped: a server forgets everything that was written and not flushed. A plain value.
///
/// ```
/// admit ─→ checking ──→ (there already: done)
///              └──────→ writing ─→ written ─→ flushed: done
/// ```
///
/// Memory: `Limits.bytesMax` of plaintext, or one content that is larger.
package struct WriteJournal {
    package struct Limits: Sendable, Hashable {
        /// Plaintext whose answer is still out; one content is always let through.
        package var onTheWayBytesMax = 16 << 20
        package var onTheWayCountMax = 256
        /// All plaintext that is kept.
        package var bytesMax = 96 << 20
        /// From here on a flush is wanted.
        package var flushBytes = 64 << 20
    }

    enum Step: Sendable, Hashable {
        case check(ContentID)
        case write(ContentID)
    }

    struct Content: Sendable {
        let plaintext: [UInt8]
        let compression: UInt32
    }

    private enum Stage { case checking, writing, written }

    private struct Entry {
        let content: Content
        let sequence: UInt64
        let isChecked: Bool
        var stage: Stage
    }

    let limits: Limits
    private var entries: [ContentID: Entry] = [:]
    private var nextSequence: UInt64 = 1
    private(set) var bytes = 0
    private(set) var onTheWayBytes = 0
    private(set) var onTheWayCount = 0

    init(_ limits: Limits = Limits()) { self.limits = limits }

    enum Admission: Equatable {
        /// Do this.
        case step(Step)
        /// On its way already, or waiting for a flush.
        case alreadyThere
        /// Not now.
        case full
    }

    var isEmpty: Bool { entries.isEmpty }
    var wantsFlush: Bool { bytes >= limits.flushBytes }

    // MARK: One content

    /// - Parameter checks: asks first whether the server has it.
    mutating func admit(_ id: ContentID, _ content: Content, checks: Bool) -> Admission {
        guard entries[id] == nil else { return .alreadyThere }
        let count = content.plaintext.count
        guard
            onTheWayCount == 0
                || onTheWayCount < limits.onTheWayCountMax
                    && onTheWayBytes + count <= limits.onTheWayBytesMax
        else { return .full }
        guard entries.isEmpty || bytes + count <= limits.bytesMax else { return .full }
        entries[id] = Entry(
            content: content, sequence: nextSequence, isChecked: checks, stage: checks ? .checking : .writing)
        nextSequence += 1
        bytes += count
        onTheWayBytes += count
        onTheWayCount += 1
        return .step(checks ? .check(id) : .write(id))
    }

    func content(_ id: ContentID) -> Content? { entries[id]?.content }

    /// The answer to a check. Gives what is to be done now.
    mutating func checked(_ id: ContentID, isThere: Bool) -> Step? {
        guard entries[id]?.stage == .checking else { return nil }
        guard isThere else {
            entries[id]?.stage = .writing
            return .write(id)
        }
        leave(id)
        forget(id)
        return nil
    }

    /// The answer to a write.
    mutating func written(_ id: ContentID) {
        guard entries[id]?.stage == .writing else { return }
        leave(id)
        entries[id]?.stage = .written
    }

    private mutating func leave(_ id: ContentID) {
        onTheWayBytes -= entries[id]?.content.plaintext.count ?? 0
        onTheWayCount -= 1
    }

    private mutating func forget(_ id: ContentID) {
        bytes -= entries.removeValue(forKey: id)?.content.plaintext.count ?? 0
    }

    // MARK: All of them

    /// Everything admitted so far.
    var lastSequence: UInt64 { nextSequence - 1 }

    /// Whether the server has answered everything up to `sequence`.
    func isAnswered(upTo sequence: UInt64) -> Bool {
        onTheWayCount == 0 || !entries.values.contains { $0.sequence <= sequence && $0.stage != .written }
    }

    /// A flush that was sent when everything up to `sequence` was answered has succeeded.
    ///
    /// - Returns: what became durable, with the lengths.
    mutating func flushed(upTo sequence: UInt64) -> [(id: ContentID, length: Int)] {
        let done = entries.filter { $0.value.sequence <= sequence && $0.value.stage == .written }
        for id in done.keys { forget(id) }
        return done.map { ($0.key, $0.value.content.plaintext.count) }
    }

    /// The session is gone and with it everything that was not flushed. Gives what the next one has to be sent, in the
    /// order of admission.
    mutating func restart() -> [Step] {
        (onTheWayBytes, onTheWayCount) = (0, 0)
        var steps: [Step] = []
        for (id, entry) in entries.sorted(by: { $0.value.sequence < $1.value.sequence }) {
            // What was once known to be missing need not be asked for again.
            let checks = entry.stage == .checking
            entries[id]?.stage = checks ? .checking : .writing
            onTheWayBytes += entry.content.plaintext.count
            onTheWayCount += 1
            steps.append(checks ? .check(id) : .write(id))
        }
        return steps
    }
}
