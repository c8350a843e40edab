/// The templates a text defines: the main one and those of `define` and `block`.
struct ParsedTemplate: Sendable {
    var main = NodeList()
    var named: [GoString: NodeList] = [:]
}

/// Parses a template's text. One parser reads one definition; `define` and `block` start another on the same lexer, as
/// Go does, so that messages name the same line.
///
/// Nesting is bounded by `TemplateLimits.nesting`, so that neither parsing nor releasing the tree can exhaust a stack.
///
/// Source: Go `text/template/parse/parse.go`.
struct Parser {
    let name: String
    let functions: FunctionTable
    let limits: TemplateLimits
    var lexer: Lexer
    var templates = ParsedTemplate()

    // Of the definition being read.
    var lookahead: (Token, Token, Token) = (.none, .none, .none)
    var peekCount = 0
    var variables = ["$"]
    var actionLine = 0
    var rangeDepth = 0
    /// Where the blocks begin that are open: delimiter and keyword.
    var openings: [Range<Int>] = []
    var parenthesisDepth = 0
    var blockDepth = 0

    /// Everything of a definition, for `define` and `block` to set aside.
    struct Saved {
        let lookahead: (Token, Token, Token)
        let peekCount: Int
        let variables: [String]
        let actionLine: Int
        let rangeDepth: Int
        let parenthesisDepth: Int
    }

    /// A list ends with one of these.
    enum Terminator {
        case end(Token)
        case otherwise(Token)

        var description: String {
            switch self {
            case .end: "{{end}}"
            case .otherwise: "{{else}}"
            }
        }
    }

    enum Item {
        case node(Node)
        case terminator(Terminator)
    }

    static func parse(
        _ text: [UInt8], name: String, functions: FunctionTable, limits: TemplateLimits
    ) throws(TemplateError) -> ParsedTemplate {
        guard text.count <= limits.bytes else {
            throw TemplateError(
                message: "template: \(name): \(text.count) bytes are over the limit of \(limits.bytes)", kind: .limit,
                utf8Range: 0..<0)
        }
        var parser = Parser(name: name, functions: functions, limits: limits, lexer: Lexer(text))
        return try parser.parse()
    }

    // MARK: - Tokens

    mutating func next() -> Token {
        if peekCount > 0 {
            peekCount -= 1
        } else {
            lookahead.0 = lexer.next()
        }
        return switch peekCount {
        case 0: lookahead.0
        case 1: lookahead.1
        default: lookahead.2
        }
    }

    mutating func backup() { peekCount += 1 }

    mutating func backup2(_ first: Token) {
        lookahead.1 = first
        peekCount = 2
    }

    mutating func backup3(_ first: Token, _ second: Token) {
        lookahead.1 = second
        lookahead.2 = first
        peekCount = 3
    }

    mutating func peek() -> Token {
        if peekCount == 0 {
            peekCount = 1
            lookahead.0 = lexer.next()
        }
        return switch peekCount {
        case 1: lookahead.0
        case 2: lookahead.1
        default: lookahead.2
        }
    }

    mutating func nextNonSpace() -> Token {
        var token = next()
        while token.kind == .space { token = next() }
        return token
    }

    mutating func peekNonSpace() -> Token {
        let token = nextNonSpace()
        backup()
        return token
    }

    // MARK: - Errors

    func failure(
        _ message: String, at token: Token? = nil, kind: TemplateError.Kind = .parse, available: [String] = []
    ) -> TemplateError {
        TemplateError(
            message: "template: \(name):\(lookahead.0.line): \(message)", kind: kind,
            utf8Range: (token ?? lookahead.0).range, available: available)
    }

    func unexpected(_ token: Token, in context: String) -> TemplateError {
        guard token.kind == .error else {
            return failure("unexpected \(token.description) in \(context)", at: token)
        }
        var extra = ""
        if actionLine != 0 && actionLine != token.line {
            extra = " in action started at \(name):\(actionLine)"
            if token.string.hasSuffix(" action") { extra.removeFirst(" in action".count) }
        }
        return failure(token.description + extra, at: token)
    }

    mutating func expect(_ kind: Token.Kind, _ context: String) throws(TemplateError) -> Token {
        let token = nextNonSpace()
        guard token.kind == kind else { throw unexpected(token, in: context) }
        return token
    }

    // MARK: - Definitions

    private mutating func parse() throws(TemplateError) -> ParsedTemplate {
        var root = NodeList()
        while peek().kind != .endOfText {
            if peek().kind == .leftDelimiter {
                let delimiter = next()
                if nextNonSpace().kind == .define {
                    try definition()
                    continue
                }
                backup2(delimiter)
            }
            switch try textOrAction() {
            case .terminator(let terminator): throw failure("unexpected \(terminator.description)")
            case .node(let node): root.nodes.append(node)
            }
        }
        templates.main = root
        if let other = templates.named[GoString(name)] {
            // The main text counts as the definition of its own name.
            guard other.isEmpty || root.isEmpty else {
                throw failure("template: multiple definition of template \(Quoting.quote(name))")
            }
            if root.isEmpty { templates.main = other }
        }
        templates.named[GoString(name)] = templates.main
        return templates
    }

    private mutating func enterDefinition() throws(TemplateError) -> Saved {
        let saved = Saved(
            lookahead: lookahead, peekCount: peekCount, variables: variables, actionLine: actionLine,
            rangeDepth: rangeDepth, parenthesisDepth: parenthesisDepth)
        try enterBlock()
        lookahead = (.none, .none, .none)
        (peekCount, variables, actionLine, rangeDepth, parenthesisDepth) = (0, ["$"], 0, 0, 0)
        return saved
    }

    private mutating func leaveDefinition(_ saved: Saved) {
        blockDepth -= 1
        lookahead = saved.lookahead
        peekCount = saved.peekCount
        variables = saved.variables
        actionLine = saved.actionLine
        rangeDepth = saved.rangeDepth
        parenthesisDepth = saved.parenthesisDepth
    }

    private mutating func enterBlock() throws(TemplateError) {
        guard blockDepth < limits.nesting else {
            throw failure("blocks are nested over the limit of \(limits.nesting) levels", kind: .limit)
        }
        blockDepth += 1
    }

    private mutating func definition() throws(TemplateError) {
        let saved = try enterDefinition()
        let token = nextNonSpace()
        let title = try templateName(token, "define clause")
        _ = try expect(.rightDelimiter, "define clause")
        try body(of: title, "define clause")
        leaveDefinition(saved)
    }

    private mutating func body(of title: GoString, _ context: String) throws(TemplateError) {
        let (list, terminator) = try itemList()
        if case .otherwise = terminator { throw failure("unexpected \(terminator.description) in \(context)") }
        if let other = templates.named[title], !other.isEmpty {
            guard list.isEmpty else {
                let shown = String(decoding: Quoting.quote(title.bytes), as: UTF8.self)
                throw failure("template: multiple definition of template \(shown)")
            }
            return
        }
        templates.named[title] = list
    }

    private mutating func templateName(_ token: Token, _ context: String) throws(TemplateError) -> GoString {
        guard token.kind == .string || token.kind == .rawString else { throw unexpected(token, in: context) }
        guard let name = Quoting.unquote(token.text) else { throw failure("invalid syntax", at: token) }
        return GoString(bytes: name)
    }

    // MARK: - Lists and actions

    private mutating func itemList() throws(TemplateError) -> (NodeList, Terminator) {
        var list = NodeList()
        while peekNonSpace().kind != .endOfText {
            switch try textOrAction() {
            case .terminator(let terminator): return (list, terminator)
            case .node(let node): list.nodes.append(node)
            }
        }
        var error = failure("unexpected EOF")
        // The end of the text says little: the block that is never closed is what is wrong.
        if let opening = openings.last { error.utf8Range = opening }
        throw error
    }

    private mutating func textOrAction() throws(TemplateError) -> Item {
        let token = nextNonSpace()
        switch token.kind {
        case .text: return .node(.text(token.text))
        case .leftDelimiter:
            actionLine = token.line
            let item = try action(from: token)
            actionLine = 0
            return item
        default: throw unexpected(token, in: "input")
        }
    }

    private mutating func action(from delimiter: Token) throws(TemplateError) -> Item {
        let token = nextNonSpace()
        switch token.kind {
        case .block: return .node(try block())
        case .break:
            try loopControl("{{break}}")
            return .node(.break)
        case .continue:
            try loopControl("{{continue}}")
            return .node(.continue)
        case .else: return .terminator(.otherwise(try elseControl()))
        case .end: return .terminator(.end(try expect(.rightDelimiter, "end")))
        case .if, .with, .range:
            openings.append(delimiter.range.lowerBound..<token.range.upperBound)
            let node = try control(token.kind)
            openings.removeLast()
            return .node(node)
        case .template: return .node(try templateCall())
        default:
            backup()
            let position = peek().range.lowerBound
            let pipeline = try pipeline("command", end: .rightDelimiter)
            let location = Location(
                position: position, range: delimiter.range.lowerBound..<lookahead.0.range.upperBound)
            return .node(.action(location, pipeline))
        }
    }

    private mutating func loopControl(_ text: String) throws(TemplateError) {
        let token = nextNonSpace()
        guard token.kind == .rightDelimiter else { throw unexpected(token, in: text) }
        guard rangeDepth > 0 else { throw failure("\(text) outside {{range}}") }
    }

    private mutating func elseControl() throws(TemplateError) -> Token {
        let token = peekNonSpace()
        if token.kind == .if || token.kind == .with { return token }
        return try expect(.rightDelimiter, "else")
    }

    /// `if`, `with` or `range`, its keyword being past.
    private mutating func control(_ kind: Token.Kind) throws(TemplateError) -> Node {
        try enterBlock()
        let scope = variables.count
        let pipe = try pipeline(kind == .if ? "if" : kind == .with ? "with" : "range", end: .rightDelimiter)
        if kind == .range { rangeDepth += 1 }
        let (list, terminator) = try itemList()
        if kind == .range { rangeDepth -= 1 }
        var otherwise: NodeList?
        if case .otherwise = terminator { otherwise = try elseBranch(of: kind) }
        variables.removeLast(max(0, variables.count - scope))
        blockDepth -= 1
        return switch kind {
        case .if: .if(pipe, list, otherwise: otherwise)
        case .with: .with(pipe, list, otherwise: otherwise)
        default: .range(pipe, list, otherwise: otherwise)
        }
    }

    private mutating func elseBranch(of kind: Token.Kind) throws(TemplateError) -> NodeList {
        if kind != .range, peek().kind == kind {
            _ = next()
            return NodeList(nodes: [try control(kind)])
        }
        let (list, terminator) = try itemList()
        if case .otherwise = terminator { throw failure("expected end; found \(terminator.description)") }
        return list
    }

    private mutating func block() throws(TemplateError) -> Node {
        let token = nextNonSpace()
        let title = try templateName(token, "block clause")
        let pipe = try pipeline("block clause", end: .rightDelimiter)
        let saved = try enterDefinition()
        try body(of: title, "block clause")
        leaveDefinition(saved)
        return .template(Location(position: token.range.lowerBound, range: token.range), name: title, pipe)
    }

    private mutating func templateCall() throws(TemplateError) -> Node {
        let token = nextNonSpace()
        let title = try templateName(token, "template clause")
        var pipe: Pipeline?
        if nextNonSpace().kind != .rightDelimiter {
            backup()
            pipe = try pipeline("template clause", end: .rightDelimiter)
        }
        return .template(Location(position: token.range.lowerBound, range: token.range), name: title, pipe)
    }
}
