/// Where a stream is cut into chunks, by kopia's name for the rule.
///
/// | name | shortest | average | longest |
/// |------|----------|---------|---------|
/// | `FIXED`, `FIXED-128K` … `FIXED-8M` | | size | size |
/// | `DYNAMIC-128K-BUZHASH` … `DYNAMIC-8M-RABINKARP` | average / 2 | average | 2 × average |
///
/// `FIXED` is 4 MiB and `DYNAMIC` is `DYNAMIC-4M-BUZHASH`. Besides kopia's sizes, dynamic splitters take any power of
/// two from 4K to 8M: kopia reads every cut, but must not find such a name in a policy or a format block
/// (`isKnownToKopia`).
///
/// Source: kopia `repo/splitter`, `splitter.go` and `splitter_rolling_hash.go`. Vectors: `splitter-vectors.json`.
public struct Splitter: Sendable, Hashable, CustomStringConvertible {
    public enum Rule: String, Sendable, Hashable, CaseIterable {
        case fixed = "FIXED"
        case buzhash = "BUZHASH"
        case rabinKarp = "RABINKARP"
    }

    /// As it was asked for.
    public let name: String
    public let rule: Rule
    /// Bytes.
    public let averageLength: Int

    public static let averageLengthMin = 4 << 10
    public static let averageLengthMax = 8 << 20
    /// Bytes a rolling hash looks back on.
    static let window = 64

    /// Nil for a name that is neither kopia's nor `DYNAMIC-<power of two>-BUZHASH|RABINKARP` within our limits.
    public init?(name: String) {
        self.name = name
        let parts = name.split(separator: "-", omittingEmptySubsequences: false)
        switch (parts.first, parts.count) {
        case ("FIXED", 1):
            rule = .fixed
            averageLength = 4 << 20
        case ("DYNAMIC", 1):
            rule = .buzhash
            averageLength = 4 << 20
        case ("FIXED", 2):
            guard let size = Self.size(parts[1]) else { return nil }
            rule = .fixed
            averageLength = size
        case ("DYNAMIC", 3):
            guard let size = Self.size(parts[1]), let rule = Rule(rawValue: String(parts[2])), rule != .fixed else {
                return nil
            }
            self.rule = rule
            averageLength = size
        default: return nil
        }
        guard rule != .fixed || isKnownToKopia else { return nil }
    }

    /// Chunks of this average by the buzhash rule.
    ///
    /// - Parameter averageLength: in bytes; rounded down to a power of two and kept within 4 KiB … 8 MiB.
    public static func dynamic(averageLength: Int) -> Splitter {
        let bounded = min(max(averageLength, averageLengthMin), averageLengthMax)
        let power = 1 << (Int.bitWidth - 1 - bounded.leadingZeroBitCount)
        return Splitter(rule: .buzhash, averageLength: power)
    }

    /// Chunks for a stream of which only a little changes from one time to the next, as a daily dump: 16 KiB on average
    /// up to 16 GiB, then as large as needed to stay at about a million chunks.
    ///
    /// - Parameter length: of the stream, in bytes, as far as it can be known before.
    public static func forStream(length: Int64) -> Splitter {
        var average = streamAverageMin
        while average < averageLengthMax, length / Int64(average) > streamChunksMax { average *= 2 }
        return dynamic(averageLength: average)
    }

    private static let streamAverageMin = 16 << 10
    private static let streamChunksMax: Int64 = 1 << 20

    /// A splitter by its name, or by the average size of its chunks (`16K`, `1M`).
    public init?(nameOrSize: String) {
        self.init(
            name: nameOrSize.contains("-") || nameOrSize == "FIXED" || nameOrSize == "DYNAMIC"
                ? nameOrSize : "DYNAMIC-\(nameOrSize)-BUZHASH")
    }

    /// kopia's default for new repositories.
    public static let standard = Splitter(rule: .buzhash, averageLength: 4 << 20)

    private init(rule: Rule, averageLength: Int) {
        self.rule = rule
        self.averageLength = averageLength
        let size = averageLength >= 1 << 20 ? "\(averageLength >> 20)M" : "\(averageLength >> 10)K"
        name = rule == .fixed ? "FIXED-\(size)" : "DYNAMIC-\(size)-\(rule.rawValue)"
    }

    /// Whether stock kopia accepts the name.
    public var isKnownToKopia: Bool { averageLength >= 128 << 10 }

    /// Bytes; only the last chunk of a stream may be shorter.
    public var lengthMin: Int { rule == .fixed ? averageLength : averageLength / 2 }
    /// Bytes.
    public var lengthMax: Int { rule == .fixed ? averageLength : averageLength * 2 }

    public var description: String { name }

    /// `128K` → 131072; nil unless it is a power of two within the limits, written as kopia writes it.
    private static func size(_ text: Substring) -> Int? {
        guard let unit = text.utf8.last, let number = Int(text.dropLast()), number > 0, number < 1024,
            text.utf8.first != UInt8(ascii: "0"), text.utf8.first != UInt8(ascii: "+")
        else { return nil }
        let size: Int
        switch unit {
        case UInt8(ascii: "K"): size = number << 10
        case UInt8(ascii: "M"): size = number << 20
        default: return nil
        }
        guard size & (size - 1) == 0, size >= averageLengthMin, size <= averageLengthMax else { return nil }
        return size
    }
}
