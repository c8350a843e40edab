/// The candidates a misspelt word most likely meant, best first, ties in the order given; at most three. Empty when
/// nothing is close enough to be worth saying.
///
/// Close means: equal without regard to case and `-`, `_`, `.`, or few edits (insert, delete, replace, swap neighbours)
/// measured against the word's length: one up to four letters, two up to eight, a third of the length above.
public func closestMatches(to word: String, among candidates: some Sequence<String>) -> [String] {
    guard !word.isEmpty, word.unicodeScalars.count <= 100 else { return [] }
    let folded = folding(word)
    let letters = Array(folded.unicodeScalars)
    let cutoff = letters.count <= 2 ? 0 : letters.count <= 4 ? 1 : letters.count <= 8 ? 2 : letters.count / 3
    var found: [(distance: Int, order: Int, text: String)] = []
    for (order, candidate) in candidates.enumerated() where candidate != word && candidate.utf8.count <= 400 {
        let other = folding(candidate)
        if other == folded {
            found.append((0, order, candidate))
            continue
        }
        let distance = editDistance(letters, Array(other.unicodeScalars), limit: cutoff)
        if distance <= cutoff, distance < letters.count { found.append((distance, order, candidate)) }
    }
    found.sort { ($0.distance, $0.order) < ($1.distance, $1.order) }
    var result: [String] = []
    for match in found where !result.contains(match.text) && result.count < 3 { result.append(match.text) }
    return result
}

/// `did you mean 'a'?`, `did you mean 'a' or 'b'?`; nil when nothing is close. Only the best matches are named: a
/// farther one would distract.
public func nearMissHint(for word: String, among candidates: some Sequence<String>) -> String? {
    let matches = closestMatches(to: word, among: candidates)
    guard !matches.isEmpty else { return nil }
    return "did you mean " + matches.map { "'\($0)'" }.joined(separator: " or ") + "?"
}

private func folding(_ text: String) -> String {
    String(String.UnicodeScalarView(text.lowercased().unicodeScalars.filter { !["-", "_", "."].contains($0) }))
}

/// Optimal string alignment: Damerau-Levenshtein without editing a swapped pair again. Gives `limit + 1` as soon as the
/// distance must be above the limit.
private func editDistance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar], limit: Int) -> Int {
    if abs(left.count - right.count) > limit { return limit + 1 }
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for row in 0..<left.count {
        var current = [row + 1]
        current.reserveCapacity(right.count + 1)
        for column in 0..<right.count {
            let isSame = left[row] == right[column]
            var best = min(last[column + 1] + 1, current[column] + 1, last[column] + (isSame ? 0 : 1))
            if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                best = min(best, beforeLast[column - 1] + 1)
            }
            current.append(best)
        }
        if (current.min() ?? 0) > limit { return limit + 1 }
        (beforeLast, last) = (last, current)
    }
    return last[right.count]
}
