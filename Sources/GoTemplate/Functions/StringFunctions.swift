/// sprig's functions on strings: trimming, searching, cutting, quoting.
enum StringFunctions {
    static let functions: [TemplateFunction] = trimming + searching + cutting + joining

    private static func unary(
        _ name: String, _ summary: String, _ change: @escaping @Sendable ([UInt8]) -> [UInt8]
    ) -> TemplateFunction {
        TemplateFunction(name, [.string], result: "string", summary, placeholders: .text) { call in
            .string(GoString(bytes: change(call.string(0).bytes)))
        }
    }

    private static func binary(
        _ name: String, _ summary: String, _ change: @escaping @Sendable ([UInt8], [UInt8]) -> [UInt8]
    ) -> TemplateFunction {
        TemplateFunction(name, [.string, .string], result: "string", summary, placeholders: .text) { call in
            .string(GoString(bytes: change(call.string(0).bytes, call.string(1).bytes)))
        }
    }

    private static func test(
        _ name: String, _ summary: String, _ check: @escaping @Sendable ([UInt8], [UInt8]) -> Bool
    ) -> TemplateFunction {
        TemplateFunction(name, [.string, .string], result: "bool", summary, placeholders: .derive) { call in
            .bool(check(call.string(0).bytes, call.string(1).bytes))
        }
    }

    private static let trimAll = binary("trimAll", "The text without the characters of the first argument at its ends.")
    {
        set, text in
        let runes = Set(Runes.all(set))
        return ByteText.trim(text) { runes.contains($0) }
    }

    private static let trimming: [TemplateFunction] = [
        unary("trim", "The text without white space at its ends.", ByteText.trimSpace),
        trimAll,
        trimAll.renamed("trimall"),
        binary("trimPrefix", "The text without the first argument at its start.") { prefix, text in
            text.starts(with: prefix) ? Array(text.dropFirst(prefix.count)) : text
        },
        binary("trimSuffix", "The text without the first argument at its end.") { suffix, text in
            text.suffix(suffix.count).elementsEqual(suffix) ? Array(text.dropLast(suffix.count)) : text
        },
        unary("nospace", "The text without any white space.", withoutSpace),
    ]

    /// sprig takes each byte for a character: text that has both spaces and characters beyond ASCII is mangled.
    private static func withoutSpace(_ text: [UInt8]) -> [UInt8] {
        let kept = text.filter { !Runes.isSpace(UInt32($0)) }
        return kept.count == text.count ? text : Runes.bytes(kept.map(UInt32.init))
    }

    private static let searching: [TemplateFunction] = [
        test("contains", "Whether the second argument contains the first.") { needle, text in
            ByteText.find(needle, in: text) != nil
        },
        test("hasPrefix", "Whether the second argument starts with the first.") { prefix, text in
            text.starts(with: prefix)
        },
        test("hasSuffix", "Whether the second argument ends with the first.") { suffix, text in
            suffix.count <= text.count && text.suffix(suffix.count).elementsEqual(suffix)
        },
        TemplateFunction(
            "replace", [.string, .string, .string], result: "string",
            "The third argument with every first argument replaced by the second.", placeholders: .text
        ) { call throws(FunctionFailure) in
            let (old, new, text) = (call.string(0).bytes, call.string(1).bytes, call.string(2).bytes)
            if new.count > old.count {
                let most = old.isEmpty ? text.count + 1 : text.count / old.count
                let growth = most.multipliedReportingOverflow(by: new.count - old.count)
                if growth.overflow || text.count + growth.partialValue > call.options.limits.bytes {
                    // Only an upper bound: count what really is there.
                    let parts = ByteText.split(text, by: old).count
                    try call.checkSize(text.count + parts.multipliedReportingOverflow(by: new.count).partialValue)
                }
            }
            return .string(GoString(bytes: ByteText.replaceAll(old, new, in: text)))
        },
    ]

    private static let cutting: [TemplateFunction] = [
        TemplateFunction(
            "trunc", [.int, .string], result: "string", "At most so many bytes of the text.", placeholders: .text
        ) { call throws(FunctionFailure) in
            let (count, text) = (call.integer(0), call.string(1).bytes)
            if text.count <= count { return .string(call.string(1)) }
            guard count >= 0 else { throw RuntimeError.slice(upTo: count, count: text.count) }
            return .string(GoString(bytes: text[..<count]))
        },
        TemplateFunction(
            "substr", [.int, .int, .string], result: "string",
            "The bytes from the first index up to the second; a negative start means the beginning, a negative end the end.",
            placeholders: .text
        ) { call throws(FunctionFailure) in
            let (start, end, text) = (call.integer(0), call.integer(1), call.string(2).bytes)
            if start < 0 {
                guard end >= 0, end <= text.count else { throw RuntimeError.slice(upTo: end, count: text.count) }
                return .string(GoString(bytes: text[..<end]))
            }
            let last = end < 0 || end > text.count ? text.count : end
            guard start <= last else {
                if end < 0 || end > text.count {
                    throw FunctionFailure(
                        "runtime error: slice bounds out of range [\(start):\(text.count)]")
                }
                throw FunctionFailure("runtime error: slice bounds out of range [\(start):\(end)]")
            }
            return .string(GoString(bytes: text[start..<last]))
        },
        TemplateFunction(
            "repeat", [.int, .string], result: "string", "The text so many times.", placeholders: .text
        ) { call throws(FunctionFailure) in
            let (count, text) = (call.integer(0), call.string(1).bytes)
            guard count >= 0 else { throw FunctionFailure("strings: negative Repeat count") }
            let (size, overflow) = text.count.multipliedReportingOverflow(by: count)
            if overflow { throw FunctionFailure("strings: Repeat output length overflow") }
            try call.checkSize(size)
            var out: [UInt8] = []
            out.reserveCapacity(size)
            if !text.isEmpty { for _ in 0..<count { out += text } }
            return .string(GoString(bytes: out))
        },
    ]

    private static let joining: [TemplateFunction] = [
        TemplateFunction(
            "quote", [], variadic: .interface, result: "string",
            "Each argument in double quotes with Go's escapes, separated by spaces; nil is left out.",
            placeholders: .handle
        ) { call throws(FunctionFailure) in
            let parts = call.arguments.filter { !$0.isNilInterface }.map { Quoting.quote(call.text(of: $0).bytes) }
            return .string(try call.join(parts, [0x20]))
        },
        TemplateFunction(
            "squote", [], variadic: .interface, result: "string",
            "Each argument in single quotes, without escapes, separated by spaces; nil is left out.",
            placeholders: .handle
        ) { call throws(FunctionFailure) in
            let parts = call.arguments.filter { !$0.isNilInterface }.map {
                [0x27] + Formatter.text($0, limit: call.options.limits.bytes).bytes + [0x27]
            }
            return .string(try call.join(parts, [0x20]))
        },
        TemplateFunction(
            "cat", [], variadic: .interface, result: "string",
            "The arguments with spaces between them; nil is left out.",
            placeholders: .handle
        ) { call throws(FunctionFailure) in
            let parts = call.arguments.filter { !$0.isNilInterface }.map {
                Formatter.text($0, limit: call.options.limits.bytes).bytes
            }
            return .string(try call.join(parts, [0x20]))
        },
        TemplateFunction(
            "join", [.string, .interface], result: "string", "The elements of a list with a separator between them.",
            placeholders: .handle
        ) { call throws(FunctionFailure) in
            if call[1].isPlaceholder { return call[1].derived(" | join") }
            if call[0].isPlaceholder { return call[0].derived(" | join") }
            return .string(try call.join(call.texts(of: call[1]).map(\.bytes), call.string(0).bytes))
        },
        TemplateFunction(
            "plural", [.string, .string, .int], result: "string",
            "The first argument when the number is 1, else the second.", placeholders: .derive
        ) { call in .string(call.integer(2) == 1 ? call.string(0) : call.string(1)) },
        TemplateFunction(
            "toString", [.interface], result: "string",
            "The value as text: bytes as they are, everything else as Go prints it; nil is `<nil>`.",
            placeholders: .handle
        ) { call in call[0].isPlaceholder ? call[0] : .string(call.text(of: call[0])) },
        TemplateFunction(
            "toStrings", [.interface], result: "[]string", "The elements of a list as text; nil elements are left out."
        ) { call in .slice(of: .string, call.texts(of: call[0]).map { .string($0) }) },
        TemplateFunction("hello", [], result: "string", "The text `Hello!`.") { _ in .string("Hello!") },
        TemplateFunction("fail", [.string], result: "string", "Fails the rendering with a message.") {
            call throws(FunctionFailure) in throw FunctionFailure(call.text(0))
        },
    ]
}

/// Texts of Go's own panics.
enum RuntimeError {
    static let nilDereference = FunctionFailure("runtime error: invalid memory address or nil pointer dereference")
    static let divisionByZero = FunctionFailure("runtime error: integer divide by zero")

    static func slice(upTo end: Int, count: Int) -> FunctionFailure {
        end < 0
            ? FunctionFailure("runtime error: slice bounds out of range [:\(end)]")
            : FunctionFailure("runtime error: slice bounds out of range [:\(end)] with length \(count)")
    }
}

extension GoValue {
    /// `nil` held in no type at all, as against a nil pointer or map.
    var isNilInterface: Bool {
        if isPlaceholder { return false }
        return isNil && kind == .interface || !isValid
    }
}

extension FunctionCall {
    /// sprig's `strval`: strings and bytes as they are, everything else as `%v`.
    func text(of value: GoValue) -> GoString {
        if let text = value.stringValue, value.type == .string { return text }
        if value.type == .bytes { return GoString(bytes: value.bytesValue ?? []) }
        return Formatter.text(value, limit: options.limits.bytes)
    }

    /// sprig's `strslice`: the elements of a list as text, or the text of a single value.
    func texts(of value: GoValue) -> [GoString] {
        if value.isNilInterface { return [] }
        guard !value.isPlaceholder, let elements = value.elements else { return [text(of: value)] }
        return elements.filter { !$0.isNilInterface }.map { text(of: $0) }
    }

    /// - Throws: when the result is over the limit.
    func join(_ parts: [[UInt8]], _ separator: [UInt8]) throws(FunctionFailure) -> GoString {
        try checkSize(parts.reduce(0) { $0 + $1.count } + parts.count * separator.count)
        return GoString(bytes: parts.joined(separator: separator))
    }
}
