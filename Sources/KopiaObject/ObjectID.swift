public import KopiaContent

/// The name of an object: `I` once per level of indirection, `Z` when the content's plaintext is compressed by the
/// object layer, then the content ID. The legacy marker `D` is read and dropped.
///
/// Source: kopia `repo/object/objectid.go`.
public struct ObjectID: Sendable, Hashable, CustomStringConvertible {
    /// 0: the object is the content; otherwise the content (or object) holds a table of pieces.
    public let indirection: Int
    /// Only in repositories with index version 1; never together with indirection.
    public let isCompressed: Bool
    public let content: ContentID

    /// More levels than any object that fits into 64 bits of length; a limit against hostile IDs.
    static let indirectionMax = 16

    public init(content: ContentID) {
        self.init(indirection: 0, isCompressed: false, content: content)
    }

    init(indirection: Int, isCompressed: Bool, content: ContentID) {
        self.indirection = indirection
        self.isCompressed = isCompressed
        self.content = content
    }

    /// Nil unless the text is `"I"* ["Z"] ["D"] contentID`, with at most 16 `I` and not both `I` and `Z`.
    public init?(_ text: some StringProtocol) {
        var rest = Substring(text)
        var levels = 0
        while rest.utf8.first == UInt8(ascii: "I") {
            rest = rest.dropFirst()
            levels += 1
        }
        var compressed = false
        if rest.utf8.first == UInt8(ascii: "Z") {
            rest = rest.dropFirst()
            compressed = true
        }
        if rest.utf8.first == UInt8(ascii: "D") { rest = rest.dropFirst() }
        guard levels <= Self.indirectionMax, !(levels > 0 && compressed), let content = ContentID(rest) else {
            return nil
        }
        self.init(indirection: levels, isCompressed: compressed, content: content)
    }

    public var description: String {
        String(repeating: "I", count: indirection) + (isCompressed ? "Z" : "") + content.description
    }

    /// The object that holds the table of this one; nil when there is no table.
    var table: ObjectID? {
        indirection > 0 ? ObjectID(indirection: indirection - 1, isCompressed: false, content: content) : nil
    }

    /// The object whose table is stored under this ID.
    var asTable: ObjectID {
        ObjectID(indirection: indirection + 1, isCompressed: false, content: content)
    }
}
