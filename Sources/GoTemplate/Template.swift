/// A parsed Go template.
///
/// Concurrency and memory: a value that can be rendered from several tasks at once; rendering is bounded by
/// `TemplateOptions.limits` and uses no more stack for deep templates than for flat ones.
///
/// Source: Go 1.26 `text/template`.
public struct Template: Sendable {
    /// The name in messages: `config` for everything Kanister renders.
    public let name: String
    let text: [UInt8]
    let options: TemplateOptions
    /// Nil for text without actions, which renders to itself.
    let parsed: ParsedTemplate?

    /// - Throws: `TemplateError` of kind `parse` with Go's text, or `limit`.
    public init(
        parsing text: String, name: String = "config", options: TemplateOptions = TemplateOptions()
    ) throws(TemplateError) {
        try self.init(parsing: Array(text.utf8), name: name, options: options)
    }

    /// - Throws: as for a `String`.
    public init(
        parsing text: [UInt8], name: String = "config", options: TemplateOptions = TemplateOptions()
    ) throws(TemplateError) {
        self.name = name
        self.text = text
        self.options = options
        parsed =
            Self.hasActions(text) || text.count > options.limits.bytes
            ? try Parser.parse(text, name: name, functions: options.functions, limits: options.limits) : nil
    }

    /// False for text that renders to itself.
    public var hasActions: Bool { parsed != nil }

    private static func hasActions(_ text: [UInt8]) -> Bool {
        var previous: UInt8 = 0
        for byte in text {
            if byte == 0x7b && previous == 0x7b { return true }
            previous = byte
        }
        return false
    }

    /// Renders with `root` as `.` and `$`.
    ///
    /// - Throws: `TemplateError` of kind `missingKey`, `execution` or `limit`.
    public func render(_ root: GoValue) throws(TemplateError) -> String {
        String(decoding: try renderBytes(root), as: UTF8.self)
    }

    /// As `render`, with the exact bytes: a template can make text that is not UTF-8.
    ///
    /// - Throws: as `render`.
    public func renderBytes(_ root: GoValue) throws(TemplateError) -> [UInt8] {
        guard let parsed else { return text }
        var evaluator = Evaluator(template: self, parsed: parsed, root: root)
        return try evaluator.run()
    }
}
