/// One statement of a plain dump.
struct DumpStatement: Sendable, Hashable {
    /// With its semicolon, without the comments and blanks before it.
    var text: [UInt8]
    /// Where it starts, counted from 1.
    var line: Int
    /// Rows follow up to a line `\.`.
    var isCopyFromInput: Bool
    /// What pg_dump's comment before it says it belongs to.
    var entry: DumpEntry?
}

/// The comment pg_dump writes before the statements of one object:
/// `-- Name: items; Type: TABLE; Schema: public; Owner: app`, `-- Data for Name: …`.
///
/// Source: PostgreSQL `src/bin/pg_dump/pg_backup_archiver.c`, `_printTocEntry`. Line breaks in names are blanks there.
struct DumpEntry: Sendable, Hashable {
    var name: String
    var type: String
    /// Nil for `-`.
    var schema: String?

    init?(comment: some StringProtocol) {
        var text = comment.drop { $0 == " " || $0 == "-" }
        if text.hasPrefix("Data for ") { text = text.dropFirst("Data for ".count) }
        guard text.hasPrefix("Name: ") else { return nil }
        // A name may contain "; Type: " itself, so the last ones count.
        let whole = String(text.dropFirst("Name: ".count))
        guard let owner = whole.lastRange(of: "; Owner: "),
            let schema = whole[..<owner.lowerBound].lastRange(of: "; Schema: "),
            let type = whole[..<schema.lowerBound].lastRange(of: "; Type: ")
        else { return nil }
        name = String(whole[..<type.lowerBound])
        self.type = String(whole[type.upperBound..<schema.lowerBound])
        let schemaName = String(whole[schema.upperBound..<owner.lowerBound])
        self.schema = schemaName == "-" ? nil : schemaName
    }
}

extension StringProtocol {
    /// Without Foundation and regular expressions.
    func lastRange(of text: String) -> Range<Index>? {
        var start = endIndex
        while true {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            guard start > startIndex else { return nil }
            start = index(before: start)
        }
    }
}
