/// A chain of fields or constant keys in a template, for checks that do not render.
public struct TemplateReference: Sendable, Hashable {
    /// What the chain starts from.
    public enum Base: Sendable, Hashable {
        /// The value the template is rendered with: `$.x`, and `.x` where `.` is still that value.
        case root
        /// `.` inside a `range` or `with` over something that is no plain chain from the root, or in a `define`.
        case dot
        /// A variable, with its dollar sign, that does not plainly stand for a chain from the root.
        case variable(String)
    }

    /// A field, key or index, and how it was reached.
    public struct Step: Sendable, Hashable {
        public let name: String
        /// Through `index X "name"`: a missing key is then no error.
        public let isIndexed: Bool
        /// Its bytes in the template's text.
        public let utf8Range: Range<Int>
    }

    /// A function the value is handed to, as an argument or through a pipe.
    public struct Consumer: Sendable, Hashable {
        public let function: String
        /// Position among the function's arguments, from 0; a pipe hands over the last one.
        public let position: Int
        /// The function's arguments that are string constants.
        public let literals: [Int: String]
    }

    public let base: Base
    /// Never empty.
    public let steps: [Step]
    /// From the chain's first byte to its last.
    public let utf8Range: Range<Int>
    /// The functions the value goes through, in the order they are called: `quote` of a value in `toString X | quote` is
    /// its second.
    public internal(set) var consumers: [Consumer] = []
    /// True when what comes out is written, rather than assigned or asked for its truth.
    public internal(set) var isPrinted = false

    /// For example `.Phases.dump.Output.x`.
    public var path: String { steps.map { "." + $0.name }.joined() }
}

/// A function name in a template.
public struct TemplateFunctionUse: Sendable, Hashable {
    public let name: String
    public let utf8Range: Range<Int>
    /// Arguments that are string constants, by position; the value a pipe hands over is not among them.
    public let literals: [Int: String]
    /// How many arguments it gets, the value a pipe hands over among them.
    public let argumentCount: Int
    /// The kinds of arguments that are constants, by position: `string`, `int` (any whole number), `float64`, `bool`.
    public let constants: [Int: GoKind]
}

extension Template {
    /// Every chain, in the order of the text. `with .a.b` and `range`, and variables that are assigned once, are followed,
    /// so that `.c` inside `with .a.b` is `.a.b.c` from the root.
    public var references: [TemplateReference] { walked.references }
    /// Every function call, in the order of the text.
    public var functionUses: [TemplateFunctionUse] { walked.functions }

    private var walked: ReferenceWalker {
        var walker = ReferenceWalker()
        if let parsed {
            walker.walk(parsed.main, dot: .root)
            for (title, list) in parsed.named.sorted(by: { $0.key < $1.key }) where title.text != name {
                walker.walk(list, dot: .dot)
            }
        }
        walker.references.sort { $0.utf8Range.lowerBound < $1.utf8Range.lowerBound }
        walker.functions.sort { $0.utf8Range.lowerBound < $1.utf8Range.lowerBound }
        return walker
    }
}

/// Collects chains and calls from a parsed template.
struct ReferenceWalker {
    /// A value that is known as a chain.
    struct Chain {
        var base: TemplateReference.Base
        var steps: [TemplateReference.Step] = []

        static let root = Chain(base: .root)
        static let dot = Chain(base: .dot)
    }

    var references: [TemplateReference] = []
    var functions: [TemplateFunctionUse] = []
    private var variables: [(name: String, chain: Chain)] = []

    mutating func walk(_ list: NodeList, dot: Chain) {
        let outer = variables
        variables = [("$", dot)]
        walk(nodes: list, dot: dot)
        variables = outer
    }

    private mutating func walk(nodes list: NodeList, dot: Chain) {
        for node in list.nodes {
            switch node {
            case .text, .break, .continue: break
            case .action(_, let pipe):
                let mark = references.count
                _ = walk(pipe, dot: dot)
                if pipe.declarations.isEmpty {
                    for index in mark..<max(mark, references.count) {
                        references[index].isPrinted = true
                    }
                }
            case .template(_, _, let pipe): if let pipe { _ = walk(pipe, dot: dot) }
            case .if(let pipe, let list, let otherwise):
                scoped(pipe, dot: dot, list, otherwise) { _ in dot }
            case .with(let pipe, let list, let otherwise):
                scoped(pipe, dot: dot, list, otherwise) { $0 ?? .dot }
            case .range(let pipe, let list, let otherwise):
                scoped(pipe, dot: dot, list, otherwise, isRange: true) { _ in .dot }
            }
        }
    }

    private mutating func scoped(
        _ pipe: Pipeline, dot: Chain, _ list: NodeList, _ otherwise: NodeList?, isRange: Bool = false,
        inner: (Chain?) -> Chain
    ) {
        let mark = variables.count
        let value = walk(pipe, dot: dot, isRange: isRange)
        walk(nodes: list, dot: inner(value))
        variables.removeLast(max(0, variables.count - mark))
        if let otherwise { walk(nodes: otherwise, dot: dot) }
        variables.removeLast(max(0, variables.count - mark))
    }

    private mutating func walk(_ pipe: Pipeline, dot: Chain, isRange: Bool = false) -> Chain? {
        var value: Chain?
        let mark = references.count
        for (position, command) in pipe.commands.enumerated() {
            let handedOver = mark..<references.count
            let result = walk(command, dot: dot, isPiped: position > 0)
            value = position == 0 ? result : nil
            guard position > 0, case .function(_, let name)? = command.arguments.first else { continue }
            let consumer = TemplateReference.Consumer(
                function: name, position: command.arguments.count - 1, literals: Self.literals(of: command))
            for index in handedOver { references[index].consumers.append(consumer) }
        }
        for declaration in pipe.declarations {
            let unknown = Chain(base: .variable(declaration.name))
            if pipe.assigns {
                // After an assignment in a branch either value may be meant: no claims.
                for index in variables.indices where variables[index].name == declaration.name {
                    variables[index].chain = unknown
                }
            } else {
                variables.append((declaration.name, isRange ? unknown : value ?? unknown))
            }
        }
        return value
    }

    private static func literals(of command: Command) -> [Int: String] {
        var literals: [Int: String] = [:]
        for (position, argument) in command.arguments.dropFirst().enumerated() {
            if case .string(_, _, let value) = argument { literals[position] = value.text }
        }
        return literals
    }

    private static func constants(of command: Command) -> [Int: GoKind] {
        var kinds: [Int: GoKind] = [:]
        for (position, argument) in command.arguments.dropFirst().enumerated() {
            switch argument {
            case .string: kinds[position] = .string
            case .bool: kinds[position] = .bool
            case .number(_, let number):
                let isWhole = number.text.allSatisfy { $0.isASCII && ($0.isNumber || $0 == "-" || $0 == "+") }
                kinds[position] = isWhole ? .int : .float64
            default: break
            }
        }
        return kinds
    }

    private mutating func walk(_ command: Command, dot: Chain, isPiped: Bool) -> Chain? {
        guard let first = command.arguments.first else { return nil }
        guard case .function(let location, let name) = first else {
            var value: Chain?
            for (position, argument) in command.arguments.enumerated() {
                let result = walk(argument, dot: dot)
                if position == 0 { value = result }
            }
            return value
        }
        let literals = Self.literals(of: command)
        functions.append(
            TemplateFunctionUse(
                name: name, utf8Range: location.range, literals: literals,
                argumentCount: command.arguments.count - 1 + (isPiped ? 1 : 0), constants: Self.constants(of: command)))
        if name == "index", !isPiped, let value = indexed(command, dot: dot) { return value }
        for (position, argument) in command.arguments.dropFirst().enumerated() {
            let mark = references.count
            _ = walk(argument, dot: dot)
            let consumer = TemplateReference.Consumer(function: name, position: position, literals: literals)
            for index in mark..<max(mark, references.count) { references[index].consumers.append(consumer) }
        }
        return nil
    }

    /// `index X "a" 0` as a chain, when its keys are constants.
    private mutating func indexed(_ command: Command, dot: Chain) -> Chain? {
        let keys = command.arguments.dropFirst(2)
        var steps: [TemplateReference.Step] = []
        for key in keys {
            switch key {
            case .string(let location, _, let value):
                steps.append(.init(name: value.text, isIndexed: true, utf8Range: location.range))
            case .number(let location, let number):
                steps.append(.init(name: number.text, isIndexed: true, utf8Range: location.range))
            default: return nil
            }
        }
        guard command.arguments.count > 1, !steps.isEmpty else { return nil }
        let before = references.count
        let functionsBefore = functions.count
        guard var chain = walk(command.arguments[1], dot: dot) else {
            // The arguments are walked again by the caller.
            references.removeLast(references.count - before)
            functions.removeLast(functions.count - functionsBefore)
            return nil
        }
        // The longer chain says everything the shorter one does.
        if references.count > before { references.removeLast() }
        chain.steps += steps
        add(chain, command.location.range)
        return chain
    }

    private mutating func walk(_ expression: Expression, dot: Chain) -> Chain? {
        switch expression {
        case .nil, .bool, .number, .string: return nil
        case .dot: return dot
        case .field(let location, let names): return extend(dot, names, location.range)
        case .variable(let location, let names):
            guard let first = names.first else { return nil }
            let chain =
                variables.last { $0.name == first.name }?.chain ?? Chain(base: .variable(first.name))
            return names.count == 1 ? chain : extend(chain, Array(names.dropFirst()), location.range)
        case .chain(let location, let base, let names):
            let before = references.count
            guard let chain = walk(base, dot: dot) else { return nil }
            // The longer chain says everything the shorter one does.
            if references.count > before { references.removeLast() }
            return extend(chain, names, location.range)
        case .function(let location, let name):
            functions.append(
                TemplateFunctionUse(
                    name: name, utf8Range: location.range, literals: [:], argumentCount: 0, constants: [:]))
            return nil
        case .pipeline(let pipe): return walk(pipe, dot: dot)
        }
    }

    private mutating func extend(_ chain: Chain, _ names: [ChainName], _ range: Range<Int>) -> Chain {
        var chain = chain
        chain.steps += names.map { .init(name: $0.name, isIndexed: false, utf8Range: $0.range) }
        add(chain, range)
        return chain
    }

    private mutating func add(_ chain: Chain, _ range: Range<Int>) {
        references.append(TemplateReference(base: chain.base, steps: chain.steps, utf8Range: range))
    }
}
