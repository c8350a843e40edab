/// A compiled regular expression of RE2's kind, matched leftmost-first in time proportional to text × expression:
/// no expression makes it explode.
///
/// Source: Go `regexp`, its Pike machine.
struct Regex: Sendable {
    /// Steps one search may take; what needs more is refused rather than waited for.
    static let maximumSteps = 400_000_000

    let program: RegexProgram
    let captureNames: [String]
    private let isAnchored: Bool

    init(_ pattern: [UInt8]) throws(RegexError) {
        let (node, names) = try RegexParser.parse(pattern)
        captureNames = names
        program = try RegexProgram(node, captureCount: names.count, pattern: pattern)
        isAnchored = Self.startsAtText(node)
    }

    private static func startsAtText(_ node: RegexNode) -> Bool {
        switch node {
        case .assertion(.textStart): true
        case .sequence(let nodes): nodes.first.map(startsAtText) ?? false
        case .capture(_, let inner): startsAtText(inner)
        default: false
        }
    }

    /// Start and end of the whole match and of every group; −1 for a group that took no part.
    typealias Match = [Int]

    /// The first match at or after `start`.
    ///
    /// - Parameter steps: what is left of the steps; the search gives up with `limit` when they run out.
    func match(_ text: [UInt8], from start: Int, steps: inout Int) throws(FunctionFailure) -> Match? {
        if isAnchored && start > 0 { return nil }
        var machine = Machine(program: program, text: text)
        return try machine.run(from: start, isAnchored: isAnchored, steps: &steps)
    }

    /// Matches that do not overlap, at most `limit` unless it is negative. An empty match right after another does not
    /// count.
    func matches(_ text: [UInt8], limit: Int) throws(FunctionFailure) -> [Match] {
        var steps = Self.maximumSteps
        var found: [Match] = []
        var (position, previousEnd) = (0, -1)
        while position <= text.count, limit < 0 || found.count < limit {
            guard let match = try match(text, from: position, steps: &steps) else { break }
            var accepted = true
            if match[1] == position {
                if match[0] == previousEnd { accepted = false }
                position += position < text.count ? Runes.decode(text, at: position).width : 1
            } else {
                position = match[1]
            }
            previousEnd = match[1]
            if accepted { found.append(match) }
        }
        return found
    }

    /// The text with every match replaced.
    func replacing(
        _ text: [UInt8], limit: Int, with replacement: (Match, inout [UInt8]) -> Void
    ) throws(FunctionFailure) -> [UInt8] {
        var steps = Self.maximumSteps
        var out: [UInt8] = []
        var (lastEnd, position) = (0, 0)
        while position <= text.count, let match = try match(text, from: position, steps: &steps) {
            out += text[lastEnd..<match[0]]
            if match[1] > lastEnd || match[0] == 0 { replacement(match, &out) }
            guard out.count <= limit else {
                throw FunctionFailure(limit: "the result is over the limit of \(limit) bytes")
            }
            lastEnd = match[1]
            let width = position < text.count ? Runes.decode(text, at: position).width : 0
            if position + width > match[1] {
                position += width
            } else if position + 1 > match[1] {
                position += 1
            } else {
                position = match[1]
            }
        }
        return out + text[lastEnd...]
    }

    /// Threads in order of preference, advanced together over the text.
    private struct Machine {
        struct Thread {
            let instruction: Int
            let captures: Match
        }

        let program: RegexProgram
        let text: [UInt8]
        /// Instructions that have a thread in the list being built, by the number of that list.
        var seen: [Int]
        var generation = 0

        init(program: RegexProgram, text: [UInt8]) {
            self.program = program
            self.text = text
            seen = [Int](repeating: 0, count: program.instructions.count)
        }

        mutating func run(from start: Int, isAnchored: Bool, steps: inout Int) throws(FunctionFailure) -> Match? {
            let blank = Match(repeating: -1, count: 2 * program.captureCount)
            var current: [Thread] = []
            var found: Match?
            var position = start
            generation += 1
            while true {
                if found == nil && (position == start || !isAnchored) {
                    add(0, position, blank, to: &current)
                }
                if current.isEmpty && (found != nil || isAnchored) { return found }
                steps -= current.count + 1
                if steps < 0 {
                    throw FunctionFailure(limit: "the regular expression takes too many steps on this text")
                }
                let (rune, width) = position < text.count ? Runes.decode(text, at: position) : (0, 0)
                generation += 1
                var next: [Thread] = []
                advance: for thread in current {
                    if case .match = program.instructions[thread.instruction] {
                        found = thread.captures
                        break advance
                    }
                    if width > 0, accepts(thread.instruction, rune) {
                        add(thread.instruction + 1, position + width, thread.captures, to: &next)
                    }
                }
                current = next
                if width == 0 { return found }
                position += width
            }
        }

        private func accepts(_ index: Int, _ rune: UInt32) -> Bool {
            switch program.instructions[index] {
            case .rune(let wanted): rune == wanted
            case .foldedRune(let wanted): CaseFolding.folded(rune) == wanted
            case .any: true
            case .anyButNewline: rune != 0x0a
            case .set(let set): program.sets[set].contains(rune)
            default: false
            }
        }

        /// Follows what takes no text, in order of preference.
        private mutating func add(_ start: Int, _ position: Int, _ captures: Match, to list: inout [Thread]) {
            var pending = [(start, captures)]
            while let (index, captures) = pending.popLast() {
                if seen[index] == generation { continue }
                seen[index] = generation
                switch program.instructions[index] {
                case .jump(let target): pending.append((target, captures))
                case .split(let first, let second):
                    pending.append((second, captures))
                    pending.append((first, captures))
                case .save(let slot):
                    var saved = captures
                    saved[slot] = position
                    pending.append((index + 1, saved))
                case .assertion(let assertion):
                    if holds(assertion, position) { pending.append((index + 1, captures)) }
                default: list.append(Thread(instruction: index, captures: captures))
                }
            }
        }

        private func holds(_ assertion: RegexNode.Assertion, _ position: Int) -> Bool {
            func isWord(_ index: Int) -> Bool {
                guard index >= 0, index < text.count else { return false }
                let byte = text[index]
                return byte == 0x5f || (0x30...0x39).contains(byte)
                    || (0x61...0x7a).contains(byte | 0x20) && byte < 0x80
            }
            switch assertion {
            case .textStart: return position == 0
            case .textEnd: return position == text.count
            case .lineStart: return position == 0 || text[position - 1] == 0x0a
            case .lineEnd: return position == text.count || text[position] == 0x0a
            case .wordBoundary: return isWord(position - 1) != isWord(position)
            case .noWordBoundary: return isWord(position - 1) == isWord(position)
            }
        }
    }
}
