/// Names close enough to a misspelt one to be worth suggesting.
package enum NearMiss {
    /// The candidate with the fewest edits, if it is at most a third of the name's length (at least 1, at most 3) away;
    /// a difference in letter case alone always counts. Ties go to the first in alphabetical order.
    ///
    /// Memory: names over 200 scalars are not compared, so the work is bounded.
    package static func best(for name: String, among candidates: some Sequence<String>) -> String? {
        let wanted = Array(name.unicodeScalars)
        guard !wanted.isEmpty, wanted.count <= 200 else { return nil }
        let limit = min(3, max(1, wanted.count / 3))
        var best: (distance: Int, name: String)?
        for candidate in candidates.sorted() where candidate != name && candidate.unicodeScalars.count <= 200 {
            let distance =
                candidate.lowercased() == name.lowercased()
                ? 0 : editDistance(wanted, Array(candidate.unicodeScalars))
            if distance <= limit, distance < (best?.distance ?? .max) { best = (distance, candidate) }
        }
        return best?.name
    }

    /// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other.
    static func editDistance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for row in 0..<left.count {
            var current = [row + 1]
            for column in 0..<right.count {
                let replace = last[column] + (left[row] == right[column] ? 0 : 1)
                var cost = min(replace, last[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    cost = min(cost, beforeLast[column - 1] + 1)
                }
                current.append(cost)
            }
            beforeLast = last
            last = current
        }
        return last[right.count]
    }
}
