public import Diagnostics

/// A string of a manifest together with where it is written, so that a place inside it (a template expression) can be
/// shown in the file.
public struct LocatedText: Sendable, Hashable {
    public var text: String
    /// The scalar it came from; nil for texts a program made.
    public var node: YAMLNode?

    public init(_ text: String, node: YAMLNode? = nil) {
        self.text = text
        self.node = node
    }

    public var isEmpty: Bool { text.isEmpty }
    /// Where the whole text is written.
    public var range: SourceRange? { node?.range }

    /// Where a stretch of `text`, in UTF-8 offsets, is written in the file.
    public func range(ofUTF8 offsets: Range<Int>) -> SourceRange? { node?.range(ofUTF8: offsets) }
}

extension LocatedText: ExpressibleByStringLiteral, CustomStringConvertible {
    public init(stringLiteral value: String) { self.init(value) }
    public var description: String { text }
}
