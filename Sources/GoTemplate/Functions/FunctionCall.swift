internal import GoFormats

/// The arguments of one call, already checked against the function's types, and what the function may use.
public struct FunctionCall: Sendable {
    public let arguments: [GoValue]
    let options: TemplateOptions

    public var count: Int { arguments.count }

    /// The argument at `position`; nil of no type when there is none.
    public subscript(_ position: Int) -> GoValue {
        position >= 0 && position < arguments.count ? arguments[position] : .invalid
    }

    /// A string argument.
    public func string(_ position: Int) -> GoString { self[position].stringValue ?? "" }
    func text(_ position: Int) -> String { string(position).text }
    /// An argument of an integer type.
    public func integer(_ position: Int) -> Int { Int(truncatingIfNeeded: self[position].signedValue ?? 0) }
    /// The arguments from `position` on.
    func rest(_ position: Int) -> [GoValue] { Array(arguments.dropFirst(position)) }

    var now: Timestamp { options.now() }

    /// - Throws: when a list of so many elements is over the limit; each counts as 64 bytes.
    func checkList(_ count: Int) throws(FunctionFailure) {
        let (bytes, overflow) = count.multipliedReportingOverflow(by: 64)
        try checkSize(overflow ? .max : bytes)
    }

    /// - Throws: when so many bytes are over the limit.
    func checkSize(_ count: Int) throws(FunctionFailure) {
        guard count <= options.limits.bytes else {
            throw FunctionFailure(limit: "the result is over the limit of \(options.limits.bytes) bytes")
        }
    }
}
