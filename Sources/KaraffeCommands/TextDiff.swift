/// Differences of two texts, line by line, as `diff -u` shows them.
///
/// Memory: proportional to the lines, and to the square of the number of differences.
enum TextDiff {
    private enum Line {
        case same(String)
        case removed(String)
        case added(String)

        var isChange: Bool { if case .same = self { false } else { true } }
    }

    /// Lines around a change.
    private static let context = 3

    /// Nil when the texts are equal.
    static func unified(_ old: String, _ new: String, from: String, to: String) -> String? {
        guard old != new else { return nil }
        let lines = merged(split(old), split(new))
        var output = ["--- \(from)", "+++ \(to)"]
        var position = 0
        while let first = lines[position...].firstIndex(where: \.isChange) {
            let start = max(position, first - context)
            var end = first
            // Changes with fewer unchanged lines between them than both contexts share a hunk.
            while let next = lines[end...].firstIndex(where: \.isChange), next - end <= 2 * context { end = next + 1 }
            end = min(lines.count, end + context)
            output += hunk(lines, start..<end)
            position = end
        }
        return output.joined(separator: "\n") + "\n"
    }

    private static func hunk(_ lines: [Line], _ range: Range<Int>) -> [String] {
        func count(_ part: some Sequence<Line>, old: Bool) -> Int {
            part.reduce(0) { sum, line in
                switch line {
                case .same: return sum + 1
                case .removed: return sum + (old ? 1 : 0)
                case .added: return sum + (old ? 0 : 1)
                }
            }
        }
        func place(old: Bool) -> String {
            let length = count(lines[range], old: old)
            let before = count(lines[..<range.lowerBound], old: old)
            return "\(length == 0 ? before : before + 1)" + (length == 1 ? "" : ",\(length)")
        }
        return ["@@ -\(place(old: true)) +\(place(old: false)) @@"]
            + lines[range].map { line in
                switch line {
                case .same(let text): return " \(text)"
                case .removed(let text): return "-\(text)"
                case .added(let text): return "+\(text)"
                }
            }
    }

    private static func merged(_ old: [String], _ new: [String]) -> [Line] {
        let difference = new.difference(from: old)
        var removed: Set<Int> = []
        var added: Set<Int> = []
        for change in difference {
            switch change {
            case .remove(let offset, _, _): removed.insert(offset)
            case .insert(let offset, _, _): added.insert(offset)
            }
        }
        var lines: [Line] = []
        var (left, right) = (0, 0)
        while left < old.count || right < new.count {
            if left < old.count, removed.contains(left) {
                lines.append(.removed(old[left]))
                left += 1
            } else if right < new.count, added.contains(right) {
                lines.append(.added(new[right]))
                right += 1
            } else {
                if left < old.count { lines.append(.same(old[left])) }
                left += 1
                right += 1
            }
        }
        return lines
    }

    /// A text that does not end with a line break is marked, as `diff` marks it.
    private static func split(_ text: String) -> [String] {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" {
            lines.removeLast()
        } else {
            lines.append("\\ No newline at end of file")
        }
        return lines
    }
}
