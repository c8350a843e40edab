/// Calls of functions and methods.
extension Evaluator {
    mutating func callFunction(
        _ name: String, _ site: Current, arguments: [Expression], final: GoValue?, dot: GoValue
    ) throws(TemplateError) -> GoValue {
        guard let function = options.functions[name] else {
            throw failure("\(Quoting.quote(name)) is not a defined function", available: options.functions.names)
        }
        return try invoke(
            function, receiver: nil, site, arguments: Array(arguments.dropFirst()), final: final, dot: dot)
    }

    /// - Parameter site: what a failure of the function itself is about.
    mutating func invoke(
        _ function: TemplateFunction, receiver: GoValue?, _ site: Current, arguments: [Expression], final: GoValue?,
        dot: GoValue
    ) throws(TemplateError) -> GoValue {
        try countStep()
        try checkCount(function, arguments: arguments.count, hasFinal: final != nil)
        if function.isBuiltin && (function.name == "and" || function.name == "or") {
            return try shortCircuit(function, arguments: arguments, final: final, dot: dot)
        }
        var values: [GoValue] = []
        values.reserveCapacity(arguments.count + 2)
        if let receiver { values.append(receiver) }
        for (position, expression) in arguments.enumerated() {
            values.append(try argument(expression, type: Self.type(of: position, in: function), dot: dot))
        }
        if let final { values.append(try validate(final, Self.type(of: arguments.count, in: function))) }
        if values.contains(where: \.isPlaceholder) {
            switch function.placeholders {
            case .derive:
                let known = values.first(where: \.isPlaceholder) ?? .invalid
                return known.derived(" | \(function.name)")
            case .text: values = values.map { $0.placeholder.map { .string("<\($0)>") } ?? $0 }
            case .handle: break
            }
        }
        do {
            return try function.body(FunctionCall(arguments: values, options: options))
        } catch {
            current = site
            throw failure(
                "error calling \(function.name): \(error.message)", kind: error.isLimit ? .limit : .execution)
        }
    }

    private static func type(of position: Int, in function: TemplateFunction) -> GoType {
        position < function.parameters.count
            ? function.parameters[position] : function.variadic ?? function.parameters.last ?? .interface
    }

    private func checkCount(_ function: TemplateFunction, arguments: Int, hasFinal: Bool) throws(TemplateError) {
        let given = arguments + (hasFinal ? 1 : 0)
        let wanted = function.parameters.count
        if function.variadic != nil {
            guard given < wanted else { return }
            throw failure("wrong number of args for \(function.name): want at least \(wanted) got \(arguments)")
        }
        if given != wanted {
            throw failure("wrong number of args for \(function.name): want \(wanted) got \(given)")
        }
    }

    /// `and` and `or` evaluate no further than they must, and give the operand that decided.
    private mutating func shortCircuit(
        _ function: TemplateFunction, arguments: [Expression], final: GoValue?, dot: GoValue
    ) throws(TemplateError) -> GoValue {
        var value = GoValue.invalid
        for expression in arguments {
            value = try argument(expression, type: .reflectValue, dot: dot)
            if value.isTrue == (function.name == "or") { return value }
        }
        return final ?? value
    }
}
