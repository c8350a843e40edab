/// sprig's functions on regular expressions.
///
/// Source: sprig 2.22.0 `regex.go`.
enum RegexFunctions {
    static let functions: [TemplateFunction] = [
        TemplateFunction(
            "regexMatch", [.string, .string], result: "bool",
            "Whether a regular expression matches somewhere; false when it is malformed."
        ) { call throws(FunctionFailure) in
            guard let regex = try? Regex(call.string(0).bytes) else { return .bool(false) }
            var steps = Regex.maximumSteps
            return .bool(try regex.match(call.string(1).bytes, from: 0, steps: &steps) != nil)
        },
        TemplateFunction(
            "regexFind", [.string, .string], result: "string", "The first match; empty when there is none."
        ) {
            call throws(FunctionFailure) in
            let text = call.string(1).bytes
            var steps = Regex.maximumSteps
            let match = try compiled(call).match(text, from: 0, steps: &steps)
            return .string(GoString(bytes: match.map { text[$0[0]..<$0[1]] } ?? []))
        },
        TemplateFunction(
            "regexFindAll", [.string, .string, .int], result: "[]string", "At most so many matches; all when negative."
        ) { call throws(FunctionFailure) in
            let text = call.string(1).bytes
            let matches = try compiled(call).matches(text, limit: call.integer(2))
            if matches.isEmpty { return .zero(of: .strings) }
            return .slice(of: .string, matches.map { .string(GoString(bytes: text[$0[0]..<$0[1]])) })
        },
        TemplateFunction(
            "regexReplaceAll", [.string, .string, .string], result: "string",
            "The second argument with every match replaced by the third, in which `${1}` stands for a group."
        ) { call throws(FunctionFailure) in
            let (text, template) = (call.string(1).bytes, call.string(2).bytes)
            let regex = try compiled(call)
            let result = try regex.replacing(text, limit: call.options.limits.bytes) { match, out in
                expand(template, regex, text, match, to: &out)
            }
            return .string(GoString(bytes: result))
        },
        TemplateFunction(
            "regexReplaceAllLiteral", [.string, .string, .string], result: "string",
            "The second argument with every match replaced by the third as it is."
        ) { call throws(FunctionFailure) in
            let (text, replacement) = (call.string(1).bytes, call.string(2).bytes)
            let result = try compiled(call).replacing(text, limit: call.options.limits.bytes) { _, out in
                out += replacement
            }
            return .string(GoString(bytes: result))
        },
        TemplateFunction(
            "regexSplit", [.string, .string, .int], result: "[]string",
            "The parts between matches, at most so many; all when negative."
        ) { call throws(FunctionFailure) in try split(call) },
    ]

    private static func compiled(_ call: FunctionCall) throws(FunctionFailure) -> Regex {
        let pattern = call.string(0).bytes
        do throws(RegexError) {
            return try Regex(pattern)
        } catch {
            let quoted = Quoting.canBackquote(pattern) ? [0x60] + pattern + [0x60] : Quoting.quote(pattern)
            throw FunctionFailure("regexp: Compile(\(String(decoding: quoted, as: UTF8.self))): \(error.message)")
        }
    }

    private static func split(_ call: FunctionCall) throws(FunctionFailure) -> GoValue {
        let (pattern, text, limit) = (call.string(0).bytes, call.string(1).bytes, call.integer(2))
        let regex = try compiled(call)
        if limit == 0 { return .zero(of: .strings) }
        if !pattern.isEmpty && text.isEmpty { return .slice(of: .string, [.string("")]) }
        var parts: [ArraySlice<UInt8>] = []
        var (begin, end) = (0, 0)
        for match in try regex.matches(text, limit: limit) {
            if limit > 0 && parts.count == limit - 1 { break }
            end = match[0]
            if match[1] != 0 { parts.append(text[begin..<end]) }
            begin = match[1]
        }
        if end != text.count { parts.append(text[begin...]) }
        if parts.isEmpty { return .zero(of: .strings) }
        return .slice(of: .string, parts.map { .string(GoString(bytes: $0)) })
    }

    // MARK: - Replacement templates

    /// `$1`, `${name}`, `$$`; anything else after a dollar sign is text.
    private static func expand(
        _ template: [UInt8], _ regex: Regex, _ text: [UInt8], _ match: Regex.Match, to out: inout [UInt8]
    ) {
        var position = 0
        while position < template.count {
            guard template[position] == UInt8(ascii: "$") else {
                out.append(template[position])
                position += 1
                continue
            }
            if position + 1 < template.count, template[position + 1] == UInt8(ascii: "$") {
                out.append(UInt8(ascii: "$"))
                position += 2
                continue
            }
            guard let (name, length) = groupName(template[(position + 1)...]) else {
                out.append(UInt8(ascii: "$"))
                position += 1
                continue
            }
            position += 1 + length
            if let group = group(named: name, regex, match) { out += text[match[2 * group]..<match[2 * group + 1]] }
        }
    }

    private static func groupName(_ text: ArraySlice<UInt8>) -> (name: [UInt8], length: Int)? {
        let hasBrace = text.first == UInt8(ascii: "{")
        let body = Array(hasBrace ? text.dropFirst() : text)
        var length = 0
        while length < body.count {
            let (rune, width) = Runes.decode(body, at: length)
            guard rune == 0x5f || Runes.isLetter(rune) || Runes.isDigit(rune) else { break }
            length += width
        }
        guard length > 0 else { return nil }
        if hasBrace {
            guard length < body.count, body[length] == UInt8(ascii: "}") else { return nil }
            return (Array(body[..<length]), length + 2)
        }
        return (Array(body[..<length]), length)
    }

    private static func group(named name: [UInt8], _ regex: Regex, _ match: Regex.Match) -> Int? {
        let isNumber =
            name.count < 9 && name.allSatisfy { (0x30...0x39).contains($0) } && (name.count == 1 || name.first != 0x30)
        if isNumber, let number = Int(String(decoding: name, as: UTF8.self)) {
            return 2 * number + 1 < match.count && match[2 * number] >= 0 ? number : nil
        }
        let text = String(decoding: name, as: UTF8.self)
        return regex.captureNames.indices.first { $0 > 0 && regex.captureNames[$0] == text && match[2 * $0] >= 0 }
    }
}
