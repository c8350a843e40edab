import GoFormats

/// Replaces secret values in text by a marker that says which secret was there.
///
/// A value is found in the forms a template or a program commonly gives it: as it is, inside JSON (with and
/// without Go's HTML escaping, once and twice), with `$` doubled for Kubernetes, with `'` quoted for a shell, line by
/// line when it has several lines; up to 4 KiB also as base64 (once, twice, and inside of a longer base64 text, as in
/// `user:password`), base32, hexadecimal, Go's list of bytes (`[112 119]`), escaped for URLs, HTML and JavaScript, and in upper
/// and lower case. Forms shorter than
/// `shortestMasked` bytes are left alone: replacing every "a" would destroy the text without hiding anything.
///
/// Not found: a part of a value (`trunc`, `substr`, `cut`), and what is computed from it (hashes, encryption).
///
/// Concurrency and memory: a plain value; about fifty times the size of the secrets.
public struct SecretMasker: Sendable {
    /// In bytes.
    public static let shortestMasked = 4

    private struct Pattern: Sendable {
        let bytes: [UInt8]
        let marker: String
    }

    /// By first byte, longest first, so that the longest secret at a place wins.
    private var patterns: [UInt8: [Pattern]] = [:]
    private var known: Set<[UInt8]> = []
    /// The longest form, in bytes.
    public private(set) var longest = 0

    public init() {}

    public var isEmpty: Bool { known.isEmpty }

    /// - Parameter label: what the marker says, for example `app1/app1 password`; shown as `<secret app1/app1 password>`.
    public mutating func add(_ value: [UInt8], label: String) {
        let marker = "<secret \(label)>"
        for form in Self.forms(of: value) { insert(form, marker: marker) }
    }

    public mutating func add(_ value: String, label: String) { add(Array(value.utf8), label: label) }

    public func mask(_ text: String) -> String {
        guard !known.isEmpty else { return text }
        return String(decoding: mask(Array(text.utf8)), as: UTF8.self)
    }

    /// - Parameter isCut: whether the text goes on but the rest is not at hand. A secret that begins near the end could
    ///   then not be recognized, so the last `longest` − 1 bytes are left out.
    public func mask(_ text: [UInt8], isCut: Bool = false) -> [UInt8] {
        guard !known.isEmpty else { return text }
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        let end = isCut ? max(0, text.count - longest + 1) : text.count
        var position = 0
        while position < end {
            if let match = match(in: text, at: position) {
                result.append(contentsOf: match.marker.utf8)
                position += match.bytes.count
            } else {
                result.append(text[position])
                position += 1
            }
        }
        return result
    }

    private func match(in text: [UInt8], at position: Int) -> Pattern? {
        guard let candidates = patterns[text[position]] else { return nil }
        return candidates.first { pattern in
            text.count - position >= pattern.bytes.count && text[position...].starts(with: pattern.bytes)
        }
    }

    private mutating func insert(_ bytes: [UInt8], marker: String) {
        guard bytes.count >= Self.shortestMasked, known.insert(bytes).inserted else { return }
        longest = max(longest, bytes.count)
        let first = bytes[0]
        var list = patterns[first, default: []]
        let position = list.firstIndex { $0.bytes.count < bytes.count } ?? list.endIndex
        list.insert(Pattern(bytes: bytes, marker: marker), at: position)
        patterns[first] = list
    }

    private static func forms(of value: [UInt8]) -> [[UInt8]] {
        var pieces = [value]
        let lines = value.split(whereSeparator: { $0 == 0x0a || $0 == 0x0d })
        if lines.count > 1 || lines.first?.count != value.count { pieces += lines.map { Array($0) } }
        var forms: [[UInt8]] = []
        for piece in pieces where piece.count >= shortestMasked {
            forms.append(piece)
            let text = String(decoding: piece, as: UTF8.self)
            for spelling in [text, replacing("$", by: "$$", in: text), replacing("'", by: #"'\''"#, in: text)] {
                forms.append(Array(spelling.utf8))
                for escapesHTML in [true, false] {
                    let once = jsonBody(spelling, escapesHTML: escapesHTML)
                    forms.append(Array(once.utf8))
                    forms.append(Array(jsonBody(once, escapesHTML: escapesHTML).utf8))
                    // `toJson … | replace "$" "$$"`, and JSON inside single quotes of a shell.
                    forms.append(Array(replacing("$", by: "$$", in: once).utf8))
                    forms.append(Array(replacing("'", by: #"'\''"#, in: once).utf8))
                }
            }
        }
        guard value.count >= 2 else { return forms }
        let encoded = Base64.encode(value)
        forms.append(Array(encoded.utf8))
        guard value.count <= SecretEncodings.limit else { return forms }
        let text = String(decoding: value, as: UTF8.self)
        let json = [true, false].map { Array(jsonBody(text, escapesHTML: $0).utf8) }
        return forms + SecretEncodings.forms(of: value, json: json)
    }
}

private func replacing(_ character: Character, by text: String, in whole: String) -> String {
    whole.split(separator: character, omittingEmptySubsequences: false).joined(separator: text)
}

/// The text between the quotes of a JSON string.
private func jsonBody(_ text: String, escapesHTML: Bool) -> String {
    String(GoJSON.text(.string(text), style: .init(escapesHTML: escapesHTML)).dropFirst().dropLast())
}
