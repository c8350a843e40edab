/// A regular expression as instructions for the matcher.
struct RegexProgram: Sendable {
    enum Instruction: Sendable {
        case rune(UInt32)
        case foldedRune(UInt32)
        case any
        case anyButNewline
        case set(Int)
        case assertion(RegexNode.Assertion)
        case save(Int)
        case jump(Int)
        /// The first target is tried before the second.
        case split(Int, Int)
        case match
    }

    /// Larger programs are refused: matching takes a step per instruction and character.
    static let maximumSize = 100_000

    private(set) var instructions: [Instruction] = []
    private(set) var sets: [CharacterSet] = []
    let captureCount: Int

    init(_ node: RegexNode, captureCount: Int, pattern: [UInt8]) throws(RegexError) {
        self.captureCount = captureCount
        guard emit(.save(0)), compile(node), emit(.save(1)), emit(.match) else {
            throw RegexError(code: .tooLarge, expression: pattern[...])
        }
    }

    private mutating func emit(_ instruction: Instruction) -> Bool {
        guard instructions.count < Self.maximumSize else { return false }
        instructions.append(instruction)
        return true
    }

    private mutating func compile(_ node: RegexNode) -> Bool {
        switch node {
        case .empty: return true
        case .literal(let rune, let folds):
            return emit(folds ? .foldedRune(CaseFolding.folded(rune)) : .rune(rune))
        case .any: return emit(.any)
        case .anyButNewline: return emit(.anyButNewline)
        case .set(let set):
            sets.append(set)
            return emit(.set(sets.count - 1))
        case .assertion(let assertion): return emit(.assertion(assertion))
        case .capture(let index, let inner):
            return emit(.save(2 * index)) && compile(inner) && emit(.save(2 * index + 1))
        case .sequence(let nodes): return nodes.allSatisfy { compile($0) }
        case .alternatives(let nodes): return emitAlternatives(nodes)
        case .repetition(let inner, let minimum, let maximum, let greedy):
            return emitRepetition(inner, minimum, maximum, greedy)
        }
    }

    private mutating func emitAlternatives(_ nodes: [RegexNode]) -> Bool {
        var jumps: [Int] = []
        for (position, node) in nodes.enumerated() {
            guard position < nodes.count - 1 else {
                guard compile(node) else { return false }
                break
            }
            let split = instructions.count
            guard emit(.split(split + 1, 0)), compile(node) else { return false }
            jumps.append(instructions.count)
            guard emit(.jump(0)) else { return false }
            instructions[split] = .split(split + 1, instructions.count)
        }
        for jump in jumps { instructions[jump] = .jump(instructions.count) }
        return true
    }

    private mutating func emitRepetition(_ inner: RegexNode, _ minimum: Int, _ maximum: Int?, _ greedy: Bool) -> Bool {
        guard let maximum else {
            for _ in 0..<max(0, minimum - 1) { guard compile(inner) else { return false } }
            if minimum >= 1 { return emitPlus(inner, greedy) }
            // Where the inside can match nothing, (x+)? keeps the order of preference right.
            guard Self.isNullable(inner) else { return emitStar(inner, greedy) }
            let split = instructions.count
            guard emit(.split(0, 0)), emitPlus(inner, greedy) else { return false }
            setSplit(split, greedy)
            return true
        }
        for _ in 0..<minimum { guard compile(inner) else { return false } }
        var splits: [Int] = []
        for _ in minimum..<max(minimum, maximum) {
            splits.append(instructions.count)
            guard emit(.split(0, 0)), compile(inner) else { return false }
        }
        for split in splits { setSplit(split, greedy) }
        return true
    }

    private mutating func setSplit(_ split: Int, _ greedy: Bool) {
        let end = instructions.count
        instructions[split] = greedy ? .split(split + 1, end) : .split(end, split + 1)
    }

    private mutating func emitStar(_ inner: RegexNode, _ greedy: Bool) -> Bool {
        let split = instructions.count
        guard emit(.split(0, 0)), compile(inner), emit(.jump(split)) else { return false }
        setSplit(split, greedy)
        return true
    }

    private mutating func emitPlus(_ inner: RegexNode, _ greedy: Bool) -> Bool {
        let start = instructions.count
        guard compile(inner) else { return false }
        let end = instructions.count + 1
        return emit(greedy ? .split(start, end) : .split(end, start))
    }

    private static func isNullable(_ node: RegexNode) -> Bool {
        switch node {
        case .empty, .assertion: true
        case .literal, .any, .anyButNewline, .set: false
        case .capture(_, let inner): isNullable(inner)
        case .sequence(let nodes): nodes.allSatisfy(isNullable)
        case .alternatives(let nodes): nodes.contains(where: isNullable)
        case .repetition(let inner, let minimum, _, _): minimum == 0 || isNullable(inner)
        }
    }
}
