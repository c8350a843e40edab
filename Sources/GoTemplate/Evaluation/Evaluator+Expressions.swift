/// Pipelines, commands, operands. `final` is what the stage before hands over; nil in a first stage.
extension Evaluator {
    mutating func evaluate(_ pipe: Pipeline, dot: GoValue) throws(TemplateError) -> GoValue {
        current = .pipeline(pipe)
        var value: GoValue?
        for command in pipe.commands {
            value = try evaluate(command, dot: dot, final: value).unboxed
        }
        let result = value ?? .invalid
        for declaration in pipe.declarations {
            if pipe.assigns {
                try setVariable(declaration.name, result)
            } else {
                variables.append(Variable(name: declaration.name, value: result))
            }
        }
        return result
    }

    private mutating func evaluate(
        _ command: Command, dot: GoValue, final: GoValue?
    ) throws(TemplateError) -> GoValue {
        let arguments = command.arguments
        guard let first = arguments.first else { return .invalid }
        switch first {
        case .field(_, let names):
            current = .expression(first)
            return try follow(names[...], from: dot, first, arguments: arguments, final: final, dot: dot)
        case .chain: return try chain(first, arguments: arguments, final: final, dot: dot)
        case .variable: return try variable(first, arguments: arguments, final: final, dot: dot)
        case .function(_, let name):
            current = .expression(first)
            return try callFunction(name, .command(command), arguments: arguments, final: final, dot: dot)
        case .pipeline(let pipe):
            try refuseArguments(arguments, final)
            return try evaluate(pipe, dot: dot)
        default: break
        }
        current = .expression(first)
        try refuseArguments(arguments, final)
        switch first {
        case .nil: throw failure("nil is not a command")
        default: return try constant(first, dot: dot)
        }
    }

    private func refuseArguments(_ arguments: [Expression], _ final: GoValue?) throws(TemplateError) {
        guard arguments.count > 1 || final != nil, let first = arguments.first else { return }
        throw failure("can't give argument to non-function \(first.description)")
    }

    /// The value of `.`, a literal or a number without a wanted type.
    private func constant(_ expression: Expression, dot: GoValue) throws(TemplateError) -> GoValue {
        switch expression {
        case .dot: return dot
        case .bool(_, let value): return .bool(value)
        case .string(_, _, let value): return .string(value)
        case .number(_, let number): return try ideal(number)
        default: throw failure("can't evaluate command \(Quoting.quote(expression.description))")
        }
    }

    /// A number in Go's default type: complex128, float64 when it is written like one, else int.
    private func ideal(_ number: NumberLiteral) throws(TemplateError) -> GoValue {
        if let complex = number.complex {
            return GoValue(.basic(.complex128), .complex(complex.real, complex.imaginary))
        }
        let text = number.text
        let isRune = text.hasPrefix("'")
        let isHexadecimal =
            text.utf8.count > 2 && text.lowercased().hasPrefix("0x") && !text.contains { "pP".contains($0) }
        if let float = number.float, !isRune, !isHexadecimal, text.contains(where: { ".eEpP".contains($0) }) {
            return .float64(float)
        }
        if let signed = number.signed { return GoValue(.int, .signed(signed)) }
        throw failure("\(text) overflows int")
    }

    private mutating func chain(
        _ expression: Expression, arguments: [Expression], final: GoValue?, dot: GoValue
    ) throws(TemplateError) -> GoValue {
        current = .expression(expression)
        guard case .chain(_, let base, let names) = expression else { return .invalid }
        if case .nil = base { throw failure("indirection through explicit nil in \(expression.description)") }
        let value = try argument(base, type: nil, dot: dot)
        return try follow(names[...], from: value, expression, arguments: arguments, final: final, dot: dot)
    }

    private mutating func variable(
        _ expression: Expression, arguments: [Expression], final: GoValue?, dot: GoValue
    ) throws(TemplateError) -> GoValue {
        current = .expression(expression)
        guard case .variable(_, let names) = expression, let first = names.first else { return .invalid }
        guard let value = variables.last(where: { $0.name == first.name })?.value else {
            throw failure("undefined variable: \(first.name)")
        }
        if names.count == 1 {
            try refuseArguments(arguments, final)
            return value
        }
        return try follow(names.dropFirst(), from: value, expression, arguments: arguments, final: final, dot: dot)
    }

    /// Follows a chain of names; the last one, if it is a method, gets the arguments.
    private mutating func follow(
        _ names: ArraySlice<ChainName>, from start: GoValue, _ expression: Expression, arguments: [Expression],
        final: GoValue?, dot: GoValue
    ) throws(TemplateError) -> GoValue {
        var value = start
        for (position, name) in names.enumerated() {
            let isLast = position == names.count - 1
            value = try field(
                name, of: value, expression, arguments: isLast ? arguments : [], final: isLast ? final : nil, dot: dot)
        }
        return value
    }

    private mutating func field(
        _ name: ChainName, of given: GoValue, _ expression: Expression, arguments: [Expression], final: GoValue?,
        dot: GoValue
    ) throws(TemplateError) -> GoValue {
        guard given.isValid else {
            guard options.missingKey == .error else { return .invalid }
            throw failure("nil data; no entry for key \(Quoting.quote(name.name))", range: name.range)
        }
        let (receiver, isNil) = given.indirect
        if receiver.isPlaceholder { return receiver.derived("." + name.name) }
        if case .interface = receiver.type, isNil {
            throw failure("nil pointer evaluating \(given.staticType).\(name.name)", range: name.range)
        }
        if let method = Methods.method(name.name, of: receiver) {
            return try invoke(
                method, receiver: receiver, .expression(expression), arguments: Array(arguments.dropFirst()),
                final: final, dot: dot)
        }
        let hasArguments = arguments.count > 1 || final != nil
        switch receiver.type.underlying {
        case .structure(let shape):
            guard let value = receiver.field(name.name) else {
                throw failure(
                    "can't evaluate field \(name.name) in type \(given.staticType)", range: name.range,
                    available: shape.reachableNames)
            }
            if hasArguments {
                throw failure("\(name.name) has arguments but cannot be invoked as function", range: name.range)
            }
            return value
        case .map(let keyType, let element):
            guard case .basic(.string) = keyType else { break }
            if hasArguments { throw failure("\(name.name) is not a method but has arguments", range: name.range) }
            return try entry(name, of: receiver, element)
        case .pointer(let target):
            if case .structure(let shape) = target.underlying, shape.path(to: name.name) == nil {
                throw failure(
                    "can't evaluate field \(name.name) in type \(given.staticType)", range: name.range,
                    available: shape.reachableNames)
            }
            if isNil { throw failure("nil pointer evaluating \(given.staticType).\(name.name)", range: name.range) }
        default: break
        }
        throw failure("can't evaluate field \(name.name) in type \(given.staticType)", range: name.range)
    }

    private func entry(_ name: ChainName, of map: GoValue, _ element: GoType) throws(TemplateError) -> GoValue {
        if let value = map.mapValue?[name.key] { return value.boxed(as: element) }
        switch options.missingKey {
        case .default: return .invalid
        case .zero: return .zero(of: element)
        case .error:
            throw failure(
                "map has no entry for key \(Quoting.quote(name.name))", kind: .missingKey(name.name), range: name.range,
                available: map.mapValue?.sortedKeys.map(\.text) ?? [])
        }
    }
}

// MARK: - Arguments

extension Evaluator {
    /// An argument as a value of `type`; any type when nil.
    mutating func argument(_ expression: Expression, type: GoType?, dot: GoValue) throws(TemplateError) -> GoValue {
        current = .expression(expression)
        switch expression {
        case .dot: return try validate(dot, type)
        case .nil:
            guard let type else { return .invalid }
            guard Self.canBeNil(type) else { throw failure("cannot assign nil to \(type)") }
            return type == .reflectValue ? .invalid : .zero(of: type)
        case .field(_, let names):
            let value = try follow(names[...], from: dot, expression, arguments: [expression], final: nil, dot: dot)
            return try validate(value, type)
        case .variable:
            let value = try variable(expression, arguments: [], final: nil, dot: dot)
            return try validate(value, type)
        case .pipeline(let pipe):
            // Not in one expression: `validate` must see what evaluating made current.
            let value = try evaluate(pipe, dot: dot)
            return try validate(value, type)
        case .function(_, let name):
            let value = try callFunction(
                name, .expression(expression), arguments: [expression], final: nil, dot: dot)
            return try validate(value, type)
        case .chain:
            let value = try chain(expression, arguments: [], final: nil, dot: dot)
            return try validate(value, type)
        case .bool, .number, .string:
            return try literal(expression, type: type ?? .interface, dot: dot)
        }
    }

    /// A literal as the type a function wants.
    private func literal(_ expression: Expression, type: GoType, dot: GoValue) throws(TemplateError) -> GoValue {
        let kind = type.kind
        switch (kind, expression) {
        case (.interface, _): return try constant(expression, dot: dot)
        case (.struct, _) where type == .reflectValue: return try constant(expression, dot: dot)
        case (.bool, .bool(_, let value)): return GoValue(type, .bool(value))
        case (.bool, _): throw failure("expected bool; found \(expression.description)")
        case (.string, .string(_, _, let value)): return GoValue(type, .string(value))
        case (.string, _): throw failure("expected string; found \(expression.description)")
        case (_, .number(_, let number)) where kind.isSigned && number.signed != nil:
            return GoValue(type, .signed(GoNumber.wrap(number.signed ?? 0, to: kind)))
        case (_, _) where kind.isSigned: throw failure("expected integer; found \(expression.description)")
        case (_, .number(_, let number)) where kind.isUnsigned && number.unsigned != nil:
            return GoValue(type, .unsigned(GoNumber.wrap(number.unsigned ?? 0, to: kind)))
        case (_, _) where kind.isUnsigned:
            throw failure("expected unsigned integer; found \(expression.description)")
        case (_, .number(_, let number)) where kind.isFloat && number.float != nil:
            return GoValue(type, .float(number.float ?? 0))
        case (_, _) where kind.isFloat: throw failure("expected float; found \(expression.description)")
        default: throw failure("can't handle \(expression.description) for arg of type \(type)")
        }
    }

    static func canBeNil(_ type: GoType) -> Bool {
        switch type.kind {
        case .func, .interface, .map, .pointer, .slice: true
        default: type == .reflectValue
        }
    }

    /// The value as one of `type`, or an error that says what it is instead.
    func validate(_ value: GoValue, _ type: GoType?) throws(TemplateError) -> GoValue {
        guard let type else { return value }
        guard value.isValid else {
            guard Self.canBeNil(type) else { throw failure("invalid value; expected \(type)") }
            return type == .reflectValue ? .invalid : .zero(of: type)
        }
        if type == .reflectValue || value.isPlaceholder { return value }
        if Self.isAssignable(value.type, to: type) { return Self.convert(value, to: type) }
        if case .pointer(let target) = value.type, Self.isAssignable(target, to: type) {
            guard case .pointer(let pointee) = value.storage else {
                throw failure("dereference of nil pointer of type \(type)")
            }
            return pointee
        }
        throw failure("wrong type for value; expected \(type); got \(value.type)")
    }

    /// Go's assignability: anything to an interface, the same type, and unnamed to named composite types.
    static func isAssignable(_ type: GoType, to wanted: GoType) -> Bool {
        if case .interface = wanted { return true }
        if type == wanted { return true }
        switch (type, wanted) {
        case (.named(_, let inner), .slice), (.named(_, let inner), .map): return inner.underlying == wanted
        case (.slice, .named(_, let inner)), (.map, .named(_, let inner)): return inner.underlying == type
        default: return false
        }
    }

    private static func convert(_ value: GoValue, to wanted: GoType) -> GoValue {
        if case .interface = wanted { return value.isNil && value.kind == .interface ? .nil : value }
        return value.type == wanted ? value : GoValue(wanted, value.storage)
    }
}
