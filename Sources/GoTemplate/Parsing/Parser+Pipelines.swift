/// Pipelines, commands and operands.
extension Parser {
    mutating func pipeline(_ context: String, end: Token.Kind) throws(TemplateError) -> Pipeline {
        let first = peekNonSpace()
        var pipe = Pipeline(location: Location(position: first.range.lowerBound, range: first.range))
        try declarations(into: &pipe, context)
        while true {
            let token = nextNonSpace()
            switch token.kind {
            case end:
                pipe.location.range = first.range.lowerBound..<max(first.range.lowerBound, token.range.lowerBound)
                try check(pipe, context)
                return pipe
            case .bool, .characterConstant, .complex, .dot, .field, .identifier, .number, .nil, .rawString, .string,
                .variable, .leftParenthesis:
                backup()
                pipe.commands.append(try command())
            default: throw unexpected(token, in: context)
            }
        }
    }

    private mutating func declarations(into pipe: inout Pipeline, _ context: String) throws(TemplateError) {
        while peekNonSpace().kind == .variable {
            let variable = next()
            let after = peek()
            let following = peekNonSpace()
            if following.kind == .assign || following.kind == .declare {
                pipe.assigns = following.kind == .assign
                _ = nextNonSpace()
                declare(variable, in: &pipe)
                return
            }
            if following.kind == .character && following.string == "," {
                _ = nextNonSpace()
                declare(variable, in: &pipe)
                if context == "range" && pipe.declarations.count < 2 {
                    switch peekNonSpace().kind {
                    case .variable, .rightDelimiter, .rightParenthesis: continue
                    default: throw failure("range can only initialize variables")
                    }
                }
                throw failure("too many declarations in \(context)")
            }
            if after.kind == .space {
                backup3(variable, after)
            } else {
                backup2(variable)
            }
            return
        }
    }

    private mutating func declare(_ token: Token, in pipe: inout Pipeline) {
        pipe.declarations.append(Pipeline.Declaration(name: token.string, range: token.range))
        variables.append(token.string)
    }

    private func check(_ pipe: Pipeline, _ context: String) throws(TemplateError) {
        guard !pipe.commands.isEmpty else { throw failure("missing value for \(context)") }
        for (index, command) in pipe.commands.enumerated().dropFirst() {
            switch command.arguments.first {
            case .bool, .dot, .nil, .number, .string:
                throw failure("non executable command in pipeline stage \(index + 1)")
            default: break
            }
        }
    }

    private mutating func command() throws(TemplateError) -> Command {
        let first = peekNonSpace()
        var command = Command(location: Location(position: first.range.lowerBound, range: first.range), arguments: [])
        reading: while true {
            _ = peekNonSpace()
            if let operand = try operand() {
                command.arguments.append(operand)
                command.location.range =
                    first.range
                    .lowerBound..<max(
                        first.range.upperBound, operand.location.range.upperBound)
            }
            let token = next()
            switch token.kind {
            case .space: continue
            case .rightDelimiter, .rightParenthesis:
                backup()
                break reading
            case .pipe: break reading
            default: throw unexpected(token, in: "operand")
            }
        }
        guard !command.arguments.isEmpty else { throw failure("empty command") }
        return command
    }

    /// A term and the fields that follow it; nil when what follows is no operand.
    private mutating func operand() throws(TemplateError) -> Expression? {
        guard let term = try term() else { return nil }
        guard peek().kind == .field else { return term }
        var names: [ChainName] = []
        let position = peek().range.lowerBound
        while peek().kind == .field { names.append(Self.chainName(next())) }
        let end = names.last?.range.upperBound ?? position
        let location = Location(position: position, range: term.location.range.lowerBound..<end)
        switch term {
        case .field(_, let first): return .field(location, first + names)
        case .variable(_, let first): return .variable(location, first + names)
        case .bool, .string, .number, .nil, .dot:
            throw failure("unexpected . after term \(Quoting.quote(term.description))")
        default: return .chain(location, term, names)
        }
    }

    private static func chainName(_ token: Token) -> ChainName {
        let range = (token.range.lowerBound + 1)..<max(token.range.lowerBound + 1, token.range.upperBound)
        return ChainName(String(token.string.dropFirst()), range)
    }

    private mutating func term() throws(TemplateError) -> Expression? {
        let token = nextNonSpace()
        let location = Location(position: token.range.lowerBound, range: token.range)
        switch token.kind {
        case .identifier:
            guard functions[token.string] != nil else {
                throw failure(
                    "function \(Quoting.quote(token.string)) not defined", at: token, available: functions.names)
            }
            return .function(location, token.string)
        case .dot: return .dot(location)
        case .nil: return .nil(location)
        case .variable:
            guard variables.contains(token.string) else {
                throw failure("undefined variable \(Quoting.quote(token.string))", at: token, available: variables)
            }
            return .variable(location, [ChainName(token.string, token.range)])
        case .field: return .field(location, [Self.chainName(token)])
        case .bool: return .bool(location, token.string == "true")
        case .characterConstant, .complex, .number:
            do {
                return .number(location, try NumberLiteral(token))
            } catch {
                throw failure(error.message, at: token)
            }
        case .leftParenthesis: return try parenthesized(token)
        case .string, .rawString:
            guard let value = Quoting.unquote(token.text) else { throw failure("invalid syntax", at: token) }
            return .string(location, quoted: GoString(bytes: token.text), value: GoString(bytes: value))
        default:
            backup()
            return nil
        }
    }

    private mutating func parenthesized(_ token: Token) throws(TemplateError) -> Expression {
        guard parenthesisDepth < limits.nesting else {
            throw failure("max expression depth exceeded", at: token, kind: .limit)
        }
        parenthesisDepth += 1
        var pipe = try pipeline("parenthesized pipeline", end: .rightParenthesis)
        parenthesisDepth -= 1
        pipe.location.range = token.range.lowerBound..<max(token.range.upperBound, pipe.location.range.upperBound + 1)
        return .pipeline(pipe)
    }
}
