/// Where a piece of a template is. `position` is the byte Go's messages count columns from, which for a chain of fields
/// is its second field; `range` is the whole piece.
struct Location: Sendable, Hashable {
    var position: Int
    var range: Range<Int>
}

/// A name in a chain, with its own place.
struct ChainName: Sendable, Hashable {
    let name: String
    let key: GoString
    let range: Range<Int>

    init(_ name: String, _ range: Range<Int>) {
        self.name = name
        self.key = GoString(name)
        self.range = range
    }
}

/// An operand: what stands between spaces in a command.
indirect enum Expression: Sendable {
    case dot(Location)
    case `nil`(Location)
    case bool(Location, Bool)
    case number(Location, NumberLiteral)
    /// The literal as written, and what it stands for.
    case string(Location, quoted: GoString, value: GoString)
    /// `.a.b`
    case field(Location, [ChainName])
    /// `$x.a.b`; the first name has its dollar sign.
    case variable(Location, [ChainName])
    /// `(…).a.b` or `now.Year`
    case chain(Location, Expression, [ChainName])
    /// The name of a function.
    case function(Location, String)
    case pipeline(Pipeline)

    var location: Location {
        switch self {
        case .dot(let location), .nil(let location), .bool(let location, _), .number(let location, _),
            .string(let location, _, _), .field(let location, _), .variable(let location, _),
            .chain(let location, _, _), .function(let location, _):
            location
        case .pipeline(let pipeline): pipeline.location
        }
    }

    /// As Go prints the node in messages.
    var description: String {
        switch self {
        case .dot: return "."
        case .nil: return "nil"
        case .bool(_, let value): return value ? "true" : "false"
        case .number(_, let number): return number.text
        case .string(_, let quoted, _): return quoted.text
        case .field(_, let names): return names.map { "." + $0.name }.joined()
        case .variable(_, let names): return names.map(\.name).joined(separator: ".")
        case .chain(_, let base, let names):
            var text = base.description
            if case .pipeline = base { text = "(\(text))" }
            return text + names.map { "." + $0.name }.joined()
        case .function(_, let name): return name
        case .pipeline(let pipeline): return pipeline.description
        }
    }
}

/// One stage of a pipeline: an operand and its arguments.
struct Command: Sendable {
    var location: Location
    /// Never empty.
    var arguments: [Expression]

    var description: String {
        arguments.map { argument in
            if case .pipeline(let pipeline) = argument { return "(\(pipeline.description))" }
            return argument.description
        }.joined(separator: " ")
    }
}

/// Commands joined by `|`, and the variables that get the result.
struct Pipeline: Sendable {
    struct Declaration: Sendable {
        let name: String
        let range: Range<Int>
    }

    var location: Location
    var assigns = false
    var declarations: [Declaration] = []
    var commands: [Command] = []

    var description: String {
        var text = declarations.map(\.name).joined(separator: ", ")
        if !declarations.isEmpty { text += assigns ? " = " : " := " }
        return text + commands.map(\.description).joined(separator: " | ")
    }
}

/// What a list is made of.
indirect enum Node: Sendable {
    case text([UInt8])
    case action(Location, Pipeline)
    case `break`
    case `continue`
    case `if`(Pipeline, NodeList, otherwise: NodeList?)
    case with(Pipeline, NodeList, otherwise: NodeList?)
    case range(Pipeline, NodeList, otherwise: NodeList?)
    case template(Location, name: GoString, Pipeline?)

    /// True for white space and nothing else.
    var isEmpty: Bool {
        guard case .text(let bytes) = self else { return false }
        var position = 0
        while position < bytes.count {
            let (rune, width) = Runes.decode(bytes, at: position)
            guard Runes.isSpace(rune) else { return false }
            position += width
        }
        return true
    }
}

struct NodeList: Sendable {
    var nodes: [Node] = []

    var isEmpty: Bool { nodes.allSatisfy(\.isEmpty) }
}
