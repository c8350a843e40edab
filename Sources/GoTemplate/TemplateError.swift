/// Why a template could not be parsed or rendered. `message` is Go's text, byte for byte, so that what a user knows
/// from Kanister's logs is what they read here; the other fields say the rest.
public struct TemplateError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
        /// The text is not a template.
        case parse
        /// A map or nil value has no such key.
        case missingKey(String)
        /// A function or an access failed.
        case execution
        /// A bound of `TemplateLimits` was reached.
        case limit
    }

    /// Go's text, for example `template: config:1:14: executing "config" at <.a>: map has no entry for key "a"`.
    public let message: String
    public let kind: Kind
    /// Bytes of the template's text that are to blame.
    public internal(set) var utf8Range: Range<Int>
    /// The expression being evaluated, as Go prints it.
    public let expression: String?
    /// Keys, fields or functions that were there, sorted, for a "did you mean".
    public let available: [String]

    public init(
        message: String, kind: Kind, utf8Range: Range<Int>, expression: String? = nil, available: [String] = []
    ) {
        self.message = message
        self.kind = kind
        self.utf8Range = utf8Range
        self.expression = expression
        self.available = available
    }

    /// Kanister's words: missing keys are rewritten, everything else is Go's text.
    public var kanisterMessage: String {
        guard case .missingKey(let key) = kind else { return message }
        return "Failed to render template: \"\(key)\" not found"
    }

    public var description: String { message }
}
