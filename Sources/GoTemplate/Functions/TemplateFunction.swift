/// Why a function could not give a value; the evaluator adds where. The text is Go's.
public struct FunctionFailure: Error, Sendable, Hashable {
    public let message: String
    /// True when a bound was reached rather than the function failing.
    let isLimit: Bool

    public init(_ message: String) {
        self.message = message
        isLimit = false
    }

    init(limit message: String) {
        self.message = message
        isLimit = true
    }
}

/// A function that templates can call, with the types Go would check its arguments against.
public struct TemplateFunction: Sendable {
    /// What happens when an argument is a placeholder for a run-time value.
    public enum Placeholders: Sendable, Hashable {
        /// The result is a placeholder again.
        case derive
        /// The function sees the placeholder's text as a string.
        case text
        /// The function gets the placeholder and knows what to do.
        case handle
    }

    public typealias Body = @Sendable (FunctionCall) throws(FunctionFailure) -> GoValue

    public let name: String
    /// Types of the fixed parameters.
    public let parameters: [GoType]
    /// Type of each further argument; nil when there is none.
    public let variadic: GoType?
    /// Go type of the result, as text.
    public let result: String
    /// One line for the function reference.
    public let summary: String
    let placeholders: Placeholders
    let isBuiltin: Bool
    let body: Body

    /// - Parameters:
    ///   - variadic: type of the arguments after the fixed ones, for a function that takes any number.
    ///   - result: the Go type of the result, for the function reference only.
    ///   - body: is called with as many arguments as `parameters` asks for, each of its type.
    public init(
        _ name: String, _ parameters: [GoType], variadic: GoType? = nil, result: String, _ summary: String,
        placeholders: Placeholders = .derive, body: @escaping Body
    ) {
        self.init(
            name, parameters, variadic: variadic, result: result, summary, placeholders: placeholders,
            isBuiltin: false, body: body)
    }

    init(
        _ name: String, _ parameters: [GoType], variadic: GoType?, result: String, _ summary: String,
        placeholders: Placeholders, isBuiltin: Bool, body: @escaping Body
    ) {
        self.name = name
        self.parameters = parameters
        self.variadic = variadic
        self.result = result
        self.summary = summary
        self.placeholders = placeholders
        self.isBuiltin = isBuiltin
        self.body = body
    }

    /// For example `default(interface {}, ...interface {}) interface {}`.
    public var signature: String {
        var types = parameters.map(\.description)
        if let variadic { types.append("...\(variadic)") }
        return "\(name)(\(types.joined(separator: ", "))) \(result)"
    }

    func renamed(_ other: String) -> TemplateFunction {
        TemplateFunction(
            other, parameters, variadic: variadic, result: result, summary, placeholders: placeholders,
            isBuiltin: isBuiltin, body: body)
    }
}

extension GoType {
    /// A parameter that takes whatever there is, even nothing: Go's `reflect.Value`.
    static let reflectValue = GoType.structure(GoStructType(name: "reflect.Value", fields: []))
}
