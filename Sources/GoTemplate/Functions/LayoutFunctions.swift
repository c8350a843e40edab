/// sprig's functions that shorten, wrap and indent text. They count bytes, as sprig does.
///
/// Source: Masterminds/goutils 1.1 `stringutils.go`, `wordutils.go`.
enum LayoutFunctions {
    static let functions: [TemplateFunction] = [
        TemplateFunction(
            "abbrev", [.int, .string], result: "string", "The text shortened to a width, with `...` at the end.",
            placeholders: .handle
        ) { call in
            if let known = call.firstPlaceholder { return known }
            let width = call.integer(0)
            if width < 4 { return .string(call.string(1)) }
            return .string(GoString(bytes: abbreviate(call.string(1).bytes, offset: 0, width: width)))
        },
        TemplateFunction(
            "abbrevboth", [.int, .int, .string], result: "string",
            "The text shortened to a width around an offset, with `...` at both ends.", placeholders: .handle
        ) { call in
            if let known = call.firstPlaceholder { return known }
            let (left, right) = (call.integer(0), call.integer(1))
            if right < 4 || left > 0 && right < 7 { return .string(call.string(2)) }
            return .string(GoString(bytes: abbreviate(call.string(2).bytes, offset: left, width: right)))
        },
        TemplateFunction(
            "wrap", [.int, .string], result: "string", "The text broken into lines at spaces; long words stay whole.",
            placeholders: .text
        ) { call throws(FunctionFailure) in
            try wrap(call, width: call.integer(0), lineBreak: [], breaksWords: false, text: call.string(1).bytes)
        },
        TemplateFunction(
            "wrapWith", [.int, .string, .string], result: "string",
            "The text broken with a separator of your own; long words are broken too.", placeholders: .text
        ) { call throws(FunctionFailure) in
            try wrap(
                call, width: call.integer(0), lineBreak: call.string(1).bytes, breaksWords: true,
                text: call.string(2).bytes)
        },
        TemplateFunction(
            "indent", [.int, .string], result: "string", "Every line with so many spaces before it.",
            placeholders: .text
        ) { call throws(FunctionFailure) in .string(GoString(bytes: try indent(call))) },
        TemplateFunction(
            "nindent", [.int, .string], result: "string", "As `indent`, after a line break.", placeholders: .text
        ) { call throws(FunctionFailure) in .string(GoString(bytes: [0x0a] + (try indent(call)))) },
    ]

    private static func indent(_ call: FunctionCall) throws(FunctionFailure) -> [UInt8] {
        let (spaces, text) = (call.integer(0), call.string(1).bytes)
        guard spaces >= 0 else { throw FunctionFailure("strings: negative Repeat count") }
        let lines = 1 + text.reduce(0) { $1 == 0x0a ? $0 + 1 : $0 }
        let (added, overflow) = lines.multipliedReportingOverflow(by: spaces)
        try call.checkSize(overflow ? .max : added &+ text.count)
        let padding = [UInt8](repeating: 0x20, count: spaces)
        return padding + ByteText.replaceAll([0x0a], [0x0a] + padding, in: text)
    }

    private static func abbreviate(_ text: [UInt8], offset: Int, width: Int) -> [UInt8] {
        let dots = Array("...".utf8)
        guard width >= 4, text.count > width else { return text.isEmpty || width < 4 ? [] : text }
        var start = min(offset, text.count)
        if text.count - start < width - 3 { start = text.count - (width - 3) }
        if start <= 4 { return text[..<(width - 3)] + dots }
        if width < 7 { return [] }
        if start + width - 3 < text.count {
            return dots + abbreviate(Array(text[start...]), offset: 0, width: width - 3)
        }
        return dots + text[(text.count - (width - 3))...]
    }

    private static func wrap(
        _ call: FunctionCall, width: Int, lineBreak given: [UInt8], breaksWords: Bool, text: [UInt8]
    ) throws(FunctionFailure) -> GoValue {
        if text.isEmpty { return .string("") }
        let lineBreak = given.isEmpty ? [0x0a] : given
        let width = max(1, width)
        try call.checkSize(
            text.count + (text.count / width).multipliedReportingOverflow(by: lineBreak.count).partialValue)
        var out: [UInt8] = []
        var offset = 0
        while text.count - offset > width {
            if text[offset] == 0x20 {
                offset += 1
                continue
            }
            let window = text[offset..<(offset + width + 1)]
            if let space = window.lastIndex(of: 0x20) {
                out += text[offset..<space] + lineBreak
                offset = space + 1
            } else if breaksWords {
                out += text[offset..<(offset + width)] + lineBreak
                offset += width
            } else if let space = text[(offset + width)...].firstIndex(of: 0x20) {
                out += text[offset..<space] + lineBreak
                offset = space + 1
            } else {
                out += text[offset...]
                offset = text.count
            }
        }
        return .string(GoString(bytes: out + text[offset...]))
    }
}

extension FunctionCall {
    /// The first argument that is only known at run time.
    var firstPlaceholder: GoValue? { arguments.first(where: \.isPlaceholder) }
}
