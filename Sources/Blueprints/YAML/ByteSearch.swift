/// Plain searches over bytes: enough for marks in ASCII, and without the cost of Unicode's idea of characters.
extension String {
    func contains(bytesOf part: String) -> Bool {
        let bytes = Array(utf8)
        let wanted = Array(part.utf8)
        guard !wanted.isEmpty, wanted.count <= bytes.count else { return false }
        return (0...bytes.count - wanted.count).contains { bytes[$0...].starts(with: wanted) }
    }

    /// Scalars before the first occurrence of `part`; 0 when there is none.
    func prefixLength(before part: String) -> Int {
        let wanted = Array(part.unicodeScalars)
        let scalars = Array(unicodeScalars)
        return scalars.indices.first { scalars[$0...].starts(with: wanted) } ?? 0
    }
}
