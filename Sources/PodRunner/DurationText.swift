/// A span of time as people write it: `30d`, `720h`, `2w`, `90m`, or several of them together, largest first: `1d12h`.
enum DurationText {
    private static let units: [(Character, Int64)] = [
        ("w", 7 * 86_400), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1),
    ]

    /// Seconds; nil for anything else, and for more than 1000 years.
    static func parse(_ text: String) -> Int64? {
        var rest = text[...]
        var total: Int64 = 0
        var units = Self.units[...]
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { ("0"..."9").contains($0) }
            guard (1...11).contains(digits.count), let number = Int64(digits),
                let name = rest.dropFirst(digits.count).first,
                let position = units.firstIndex(where: { $0.0 == name })
            else { return nil }
            total += number * units[position].1
            guard total <= 1000 * 366 * 86_400 else { return nil }
            units = units[(position + 1)...]
            rest = rest.dropFirst(digits.count + 1)
        }
        return total
    }

    /// `29 d 23 h`, `5 h 10 min`, `40 s`: the two largest units.
    static func text(_ seconds: Int64) -> String {
        let parts = [
            (seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s"),
        ]
        let first = parts.firstIndex { $0.0 > 0 } ?? 3
        let shown = parts[first..<min(first + 2, 4)].filter { $0.0 > 0 }
        return shown.isEmpty ? "0 s" : shown.map { "\($0.0) \($0.1)" }.joined(separator: " ")
    }
}
