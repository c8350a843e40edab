public import GoFormats
public import GoTemplate

/// One condition of `Wait` or `WaitV2`.
///
/// Source: Kanister `pkg/function/wait.go`, `waitv2.go`, `pkg/jsonpath`. Vectors: `jsonpathFind`, `waitConditions` of the
/// conformance cases.
public struct WaitCondition: Sendable, Hashable {
    public enum Form: Sendable, Hashable {
        /// `Wait`: `{ $.path }` is replaced by the value there, then the whole is a template with sprig and no root.
        case paths
        /// `WaitV2`: a template whose root is the object; functions are the builtins, `exists` and `base64decode`.
        case template
    }

    public let text: String
    public let form: Form

    public init(_ text: String, form: Form) {
        self.text = text
        self.form = form
    }

    /// What the condition renders to on an object. It is met when that is exactly `true`, white space around it aside.
    ///
    /// - Throws: `FunctionFailure` for a condition that is wrong, or that asks for what the object does not have (yet).
    public func value(on object: JSONValue) throws(FunctionFailure) -> String {
        switch form {
        case .paths:
            var result = text
            for place in Self.paths(in: text) {
                let value = JSONPath.text(try JSONPath(place.path).find(in: object))
                result = result.split(separator: place.found, omittingEmptySubsequences: false).joined(separator: value)
            }
            return try render(result, on: .nil)
        case .template: return try render(text, on: GoValue(jsonWithFloats: object))
        }
    }

    /// What can be seen without an object: a template or a path that is none. Nil for a good one.
    public var syntaxProblem: FunctionFailure? {
        do throws(FunctionFailure) {
            var result = text
            if form == .paths {
                for place in Self.paths(in: text) {
                    _ = try JSONPath(place.path)
                    result = result.split(separator: place.found, omittingEmptySubsequences: false).joined(
                        separator: "x")
                }
                // A path outside of quotes may stand for a number as well; only what holds for every value is checked.
                if result != text { return nil }
            }
            _ = try parse(result)
            return nil
        } catch {
            return error
        }
    }

    private func parse(_ text: String) throws(FunctionFailure) -> Template {
        let options = form == .paths ? TemplateOptions(missingKey: .zero) : Self.templateOptions
        do throws(TemplateError) {
            return try Template(parsing: text, options: options)
        } catch {
            throw FunctionFailure(error.message, hint: hint(error))
        }
    }

    private func render(_ text: String, on root: GoValue) throws(FunctionFailure) -> String {
        let template = try parse(text)
        do throws(TemplateError) {
            return Self.trimmed(try template.render(root))
        } catch {
            throw FunctionFailure(error.message, hint: hint(error))
        }
    }

    private func hint(_ error: TemplateError) -> String? {
        guard form == .template, error.kind == .parse else { return nil }
        return "conditions of WaitV2 know Go's builtins, exists and base64decode; sprig's functions are not there"
    }

    private static let templateOptions = TemplateOptions(functions: templateFunctions)

    /// What conditions of `WaitV2` can call.
    public static let templateFunctions = FunctionTable.builtins.adding(exists).adding(base64decode)

    private static let exists = TemplateFunction(
        "exists", [.interface], variadic: .string, result: "bool", "whether the object has the nested field"
    ) { call in
        var value: GoValue? = call[0]
        for position in 1..<max(1, call.count) {
            value = value?.mapValue?[call.string(position)]
        }
        return .bool(value != nil)
    }

    private static let base64decode = TemplateFunction(
        "base64decode", [.string], result: "string", "the text behind base64"
    ) { call throws(GoTemplate.FunctionFailure) in
        guard let bytes = Base64.decode(call.string(0).text) else {
            throw GoTemplate.FunctionFailure("illegal base64 data")
        }
        return .string(String(decoding: bytes, as: UTF8.self))
    }

    // MARK: Paths

    /// Every `{ $.path }` in a text, each once.
    public static func paths(in text: String) -> [(found: String, path: String)] {
        var result: [(found: String, path: String)] = []
        let bytes = Array(text.utf8)
        var position = 0
        while position < bytes.count {
            guard bytes[position] == UInt8(ascii: "{") else {
                position += 1
                continue
            }
            var start = position + 1
            while start < bytes.count, bytes[start] == 0x20 { start += 1 }
            guard start + 1 < bytes.count, bytes[start] == UInt8(ascii: "$"), bytes[start + 1] == UInt8(ascii: "."),
                let end = bytes[start...].firstIndex(of: UInt8(ascii: "}"))
            else {
                position += 1
                continue
            }
            let found = String(decoding: bytes[position...end], as: UTF8.self)
            if !result.contains(where: { $0.found == found }) {
                result.append((found, String(decoding: bytes[(start + 1)..<end], as: UTF8.self)))
            }
            position = end + 1
        }
        return result
    }

    private static func trimmed(_ text: String) -> String {
        func isSpace(_ character: Character) -> Bool { character.isWhitespace }
        return String(text.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    }

    /// A Go duration such as `5m`; nil when the text is none.
    public static func duration(_ text: String) -> Duration? { GoDuration.parse(text).map { .nanoseconds($0) } }
}
