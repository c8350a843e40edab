#if canImport(Glibc)
    import Glibc
#endif

/// sprig's conversions and arithmetic: 64-bit integers that wrap around, as Go's do.
///
/// Source: sprig 2.22.0 `numeric.go`.
enum NumberFunctions {
    static let functions: [TemplateFunction] = conversions + arithmetic + rounding + ranges

    // MARK: - Conversions

    static func integer(_ value: GoValue) -> Int64 {
        if value.type == .string, let text = value.stringValue { return GoNumber.signed(text.text, base: 10) ?? 0 }
        let target = value.kind == .pointer ? dereferenced(value) : value
        switch target.storage {
        case .signed(let number): return number
        case .unsigned(let number): return Int64(clamping: number)
        case .float(let number): return truncated(number)
        case .bool(let flag): return flag ? 1 : 0
        default: return 0
        }
    }

    private static func dereferenced(_ value: GoValue) -> GoValue {
        if case .pointer(let target) = value.storage { target } else { .invalid }
    }

    /// A float cut to an integer; what does not fit becomes the least integer, as on amd64.
    static func truncated(_ number: Double) -> Int64 { Int64(exactly: number.rounded(.towardZero)) ?? .min }

    static func float(_ value: GoValue) -> Double {
        if value.type == .string, let text = value.stringValue { return GoNumber.float(text.text) ?? 0 }
        let target = value.kind == .pointer ? dereferenced(value) : value
        switch target.storage {
        case .signed(let number): return Double(number)
        case .unsigned(let number): return Double(number)
        case .float(let number): return number
        case .bool(let flag): return flag ? 1 : 0
        default: return 0
        }
    }

    private static let conversions: [TemplateFunction] = [
        TemplateFunction("atoi", [.string], result: "int", "A decimal number; 0 when the text is none.") { call in
            .int(Int(GoNumber.clamped(call.text(0))))
        },
        TemplateFunction("int64", [.interface], result: "int64", "The value as an int64; 0 when it is no number.") {
            .int64(integer($0[0]))
        },
        TemplateFunction("int", [.interface], result: "int", "The value as an int; 0 when it is no number.") {
            .int(Int(integer($0[0])))
        },
        TemplateFunction("float64", [.interface], result: "float64", "The value as a float64; 0 when it is no number.")
        {
            .float64(float($0[0]))
        },
        TemplateFunction("toDecimal", [.interface], result: "int64", "An octal number, as of file modes, in decimal.") {
            call in .int64(GoNumber.signed(Formatter.text(call[0]).text, base: 8) ?? 0)
        },
    ]

    // MARK: - Arithmetic

    private static func fold(
        _ name: String, _ summary: String, _ combine: @escaping @Sendable (Int64, Int64) -> Int64
    ) -> TemplateFunction {
        TemplateFunction(name, [.interface], variadic: .interface, result: "int64", summary) { call in
            .int64(call.rest(1).reduce(integer(call[0])) { combine($0, integer($1)) })
        }
    }

    private static let largest = fold("max", "The largest of the arguments.") { max($0, $1) }

    private static let arithmetic: [TemplateFunction] = [
        TemplateFunction("add", [], variadic: .interface, result: "int64", "The sum of the arguments.") { call in
            .int64(call.arguments.reduce(0) { $0 &+ integer($1) })
        },
        TemplateFunction("add1", [.interface], result: "int64", "The argument plus 1.") { .int64(integer($0[0]) &+ 1) },
        TemplateFunction("sub", [.interface, .interface], result: "int64", "The first argument minus the second.") {
            .int64(integer($0[0]) &- integer($0[1]))
        },
        fold("mul", "The product of the arguments.") { $0 &* $1 },
        TemplateFunction("div", [.interface, .interface], result: "int64", "The quotient, cut toward 0.") {
            call throws(FunctionFailure) in
            let (dividend, divisor) = (integer(call[0]), integer(call[1]))
            if divisor == 0 { throw RuntimeError.divisionByZero }
            return .int64(dividend.dividedReportingOverflow(by: divisor).partialValue)
        },
        TemplateFunction(
            "mod", [.interface, .interface], result: "int64", "The remainder, with the sign of the first."
        ) {
            call throws(FunctionFailure) in
            let (dividend, divisor) = (integer(call[0]), integer(call[1]))
            if divisor == 0 { throw RuntimeError.divisionByZero }
            return .int64(dividend.remainderReportingOverflow(dividingBy: divisor).partialValue)
        },
        largest,
        largest.renamed("biggest"),
        fold("min", "The smallest of the arguments.") { min($0, $1) },
    ]

    // MARK: - Rounding

    private static let rounding: [TemplateFunction] = [
        TemplateFunction("floor", [.interface], result: "float64", "The next whole number below.") {
            .float64(float($0[0]).rounded(.down))
        },
        TemplateFunction("ceil", [.interface], result: "float64", "The next whole number above.") {
            .float64(float($0[0]).rounded(.up))
        },
        TemplateFunction(
            "round", [.interface, .int], variadic: .float64, result: "float64",
            "The number rounded to so many places; up from the third argument on, one half unless given."
        ) { call in
            let threshold = call.count > 2 ? call[2].floatValue ?? 0.5 : 0.5
            let power = powerOfTen(call.integer(1))
            let scaled = power * float(call[0])
            let fraction = scaled.isFinite ? scaled - scaled.rounded(.towardZero) : .nan
            let whole = fraction >= threshold ? scaled.rounded(.up) : scaled.rounded(.down)
            return .float64(whole / power)
        },
    ]

    /// Go's `math.Pow(10, exponent)`: repeated squaring, whose last digit may differ from the C library's.
    static func powerOfTen(_ exponent: Int) -> Double {
        if exponent == 0 { return 1 }
        if exponent > 400 { return .infinity }
        if exponent < -400 { return 0 }
        var (result, resultExponent) = (1.0, 0)
        var (factor, factorExponent) = (0.625, 4)
        var rest = exponent.magnitude
        while rest != 0 {
            if rest & 1 == 1 {
                result *= factor
                resultExponent += factorExponent
            }
            factor *= factor
            factorExponent <<= 1
            if factor < 0.5 {
                factor += factor
                factorExponent -= 1
            }
            rest >>= 1
        }
        if exponent < 0 {
            result = 1 / result
            resultExponent = -resultExponent
        }
        return scalbn(result, CInt(clamping: resultExponent))
    }

    // MARK: - Ranges

    private static let ranges: [TemplateFunction] = [
        TemplateFunction("until", [.int], result: "[]int", "The numbers from 0 up to, but not including, a number.") {
            call throws(FunctionFailure) in
            let count = call.integer(0)
            return try numbers(call, from: 0, to: count, by: count < 0 ? -1 : 1)
        },
        TemplateFunction(
            "untilStep", [.int, .int, .int], result: "[]int", "The numbers from a start up to a stop in steps."
        ) { call throws(FunctionFailure) in
            try numbers(call, from: call.integer(0), to: call.integer(1), by: call.integer(2))
        },
    ]

    private static func numbers(
        _ call: FunctionCall, from start: Int, to stop: Int, by step: Int
    ) throws(FunctionFailure) -> GoValue {
        guard stop < start ? step < 0 : step > 0 && start < stop else { return .slice(of: .int, []) }
        let (distance, overflow) = stop.subtractingReportingOverflow(start)
        guard !overflow else { throw FunctionFailure(limit: "the list is too long") }
        let (bytes, tooMany) = (distance.magnitude / step.magnitude).multipliedReportingOverflow(by: 16)
        try call.checkSize(tooMany ? .max : Int(clamping: bytes))
        return .slice(of: .int, stride(from: start, to: stop, by: step).map { .int($0) })
    }
}
