/// Byte-string algorithms of Go's `strings` package.
enum ByteText {
    /// Position of the first occurrence at or after `start`; linear in practice, never worse than the product.
    static func find(_ needle: [UInt8], in text: [UInt8], from start: Int = 0) -> Int? {
        guard let first = needle.first else { return start <= text.count ? start : nil }
        var position = start
        while position + needle.count <= text.count {
            guard let next = text[position...].firstIndex(of: first), next + needle.count <= text.count else {
                return nil
            }
            if text[next..<(next + needle.count)].elementsEqual(needle) { return next }
            position = next + 1
        }
        return nil
    }

    static func replaceAll(_ old: [UInt8], _ new: [UInt8], in text: [UInt8]) -> [UInt8] {
        if old == new { return text }
        var out: [UInt8] = []
        var position = 0
        if old.isEmpty {
            out += new
            while position < text.count {
                let width = Runes.decode(text, at: position).width
                out += text[position..<(position + width)]
                out += new
                position += width
            }
            return out
        }
        while let found = find(old, in: text, from: position) {
            out += text[position..<found]
            out += new
            position = found + old.count
        }
        return out + text[position...]
    }

    /// Parts between separators; at most `limit` when it is not negative, none when it is 0. An empty separator splits
    /// into code points.
    static func split(_ text: [UInt8], by separator: [UInt8], limit: Int = -1) -> [[UInt8]] {
        if limit == 0 { return [] }
        var parts: [[UInt8]] = []
        var position = 0
        if separator.isEmpty {
            while position < text.count, limit < 0 || parts.count < limit - 1 {
                let width = Runes.decode(text, at: position).width
                parts.append(Array(text[position..<(position + width)]))
                position += width
            }
            if position < text.count { parts.append(Array(text[position...])) }
            return parts
        }
        while limit < 0 || parts.count < limit - 1, let found = find(separator, in: text, from: position) {
            parts.append(Array(text[position..<found]))
            position = found + separator.count
        }
        parts.append(Array(text[position...]))
        return parts
    }

    static func trimSpace(_ text: [UInt8]) -> [UInt8] { trim(text, where: Runes.isSpace) }

    static func trim(_ text: [UInt8], where drop: (UInt32) -> Bool) -> [UInt8] {
        var start = 0
        while start < text.count {
            let (rune, width) = Runes.decode(text, at: start)
            guard drop(rune) else { break }
            start += width
        }
        var end = text.count
        while end > start {
            let (rune, width) = lastRune(text, before: end)
            guard drop(rune) else { break }
            end -= width
        }
        return Array(text[start..<max(start, end)])
    }

    /// The code point that ends at `end`.
    static func lastRune(_ text: [UInt8], before end: Int) -> (rune: UInt32, width: Int) {
        for width in 1...4 where end - width >= 0 {
            guard text[end - width] & 0xc0 != 0x80 else { continue }
            let (rune, size) = Runes.decode(text[(end - width)..<end], at: 0)
            return size == width ? (rune, width) : (Runes.replacement, 1)
        }
        return (Runes.replacement, 1)
    }

    /// Every code point through a mapping; what is not UTF-8 becomes U+FFFD.
    static func map(_ text: [UInt8], _ mapping: (UInt32) -> UInt32) -> [UInt8] {
        Runes.bytes(Runes.all(text).map(mapping))
    }
}
