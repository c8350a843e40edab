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
        let cost = values.reduce(Self.costs[function.name, default: 0]) { $0 + Self.cost(of: $1) }
        if cost > 0 { try countStep(cost) }
        do {
            let result = try function.body(FunctionCall(arguments: values, options: options))
            let size = Self.cost(of: result)
            if size > 0 { steps += size }
            return result
        } catch {
            current = site
            throw failure(
                "error calling \(function.name): \(error.message)", kind: error.isLimit ? .limit : .execution)
        }
    }

    /// Steps of functions that compute for a long time whatever they are given: some twenty keys are enough for a template.
    private static let costs = [
        "genPrivateKey": 250_000, "genCA": 250_000, "genSelfSignedCert": 250_000, "genSignedCert": 250_000,
    ]

    /// Steps for reading or writing a value, so that the limit of steps bounds the time also where values are large.
    private static func cost(of value: GoValue) -> Int {
        switch value.storage {
        case .string(let text): text.bytes.count >> 8
        case .bytes(let bytes): bytes.count >> 8
        case .list(let items): items.count >> 4
        default: 0
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
