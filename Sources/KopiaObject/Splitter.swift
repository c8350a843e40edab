/// Where a stream is cut into chunks, by kopia's name for the rule.
///
/// | name | shortest | average | longest |
/// |------|----------|---------|---------|
/// | `FIXED`, `FIXED-128K` … `FIXED-8M` | | size | size |
/// | `DYNAMIC-128K-BUZHASH` … `DYNAMIC-8M-RABINKARP` | average / 2 | 1.3 × average | 2 × average |
/// | `LOWEST-4K-GEAR` … `LOWEST-8M-GEAR` | average / 2 | average | 1.5 × average |
///
/// `FIXED` is 4 MiB and `DYNAMIC` is `DYNAMIC-4M-BUZHASH`. Besides kopia's sizes, dynamic splitters take any power of
/// two from 4K to 8M.
///
/// `LOWEST` is ours, for streams of which little changes from one time to the next: the cut is where the hash is lowest among
/// all allowed positions. With a threshold, as `DYNAMIC` has it, a fifth of the chunks reaches the longest length and is cut
/// there, wherever that is: a row that grows by a byte then moves this cut and the ones after it. The lowest hash is
/// always somewhere, and lengths spread less, so that a changed row sends fewer bytes again.
///
/// kopia reads every cut, but must not find a name in a policy or a format block that it does not know (`isKnownToKopia`).
///
/// Source: kopia `repo/splitter`, `splitter.go` and `splitter_rolling_hash.go`. Vectors: `splitter-vectors.json`.
public struct Splitter: Sendable, Hashable, CustomStringConvertible {
    public enum Rule: String, Sendable, Hashable, CaseIterable {
        case fixed = "FIXED"
        case buzhash = "BUZHASH"
        case rabinKarp = "RABINKARP"
        /// The lowest hash between the shortest and the longest length.
        case gear = "GEAR"
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

    /// Nil for a name that is neither kopia's nor `DYNAMIC-<power of two>-BUZHASH|RABINKARP` or `LOWEST-<size>-GEAR` within our
    /// limits.
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
            guard let size = Self.size(parts[1]), Self.isPowerOfTwo(size) else { return nil }
            rule = .fixed
            averageLength = size
        case ("DYNAMIC", 3):
            guard let size = Self.size(parts[1]), Self.isPowerOfTwo(size),
                let rule = Rule(rawValue: String(parts[2])), rule == .buzhash || rule == .rabinKarp
            else { return nil }
            self.rule = rule
            averageLength = size
        case ("LOWEST", 3):
            guard let size = Self.size(parts[1]), parts[2] == Rule.gear.rawValue else { return nil }
            rule = .gear
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

    /// Chunks for a stream of which only a little changes from one time to the next, as a daily dump: 24 KiB on average
    /// up to 24 GiB, then as large as needed to stay at about a million chunks.
    ///
    /// - Parameter length: of the stream, in bytes, as far as it can be known before.
    public static func forDump(length: Int64) -> Splitter {
        grown(rule: .gear, averageMin: 24 << 10, chunksMax: 1 << 20, length: length)
    }

    /// Chunks for a stream of which nothing is known: kopia's rule with 128 KiB up to 32 GiB, then as large as needed to stay at
    /// about a quarter of a million chunks. Of a dump it stores what 4 MiB chunks store of it, and a quarter of that on the
    /// second day; it needs less memory and time, because chunks are hashed several at once.
    ///
    /// - Parameter length: of the stream, in bytes, as far as it can be known before.
    public static func forStream(length: Int64) -> Splitter {
        grown(rule: .buzhash, averageMin: 128 << 10, chunksMax: 1 << 18, length: length)
    }

    private static func grown(rule: Rule, averageMin: Int, chunksMax: Int64, length: Int64) -> Splitter {
        var average = averageMin
        while average * 2 <= averageLengthMax, length / Int64(average) > chunksMax { average *= 2 }
        return Splitter(rule: rule, averageLength: average)
    }

    /// A splitter by its name, or by the average size of its chunks: kopia's rule where kopia has that size (`1M`), so that
    /// equal bytes are equal chunks whoever stored them, else `LOWEST` (`24K`).
    public init?(nameOrSize: String) {
        if nameOrSize.contains("-") || nameOrSize == "FIXED" || nameOrSize == "DYNAMIC" {
            self.init(name: nameOrSize)
        } else if let kopias = Splitter(name: "DYNAMIC-\(nameOrSize)-BUZHASH"), kopias.isKnownToKopia {
            self = kopias
        } else {
            self.init(name: "LOWEST-\(nameOrSize)-GEAR")
        }
    }

    /// kopia's default for new repositories.
    public static let standard = Splitter(rule: .buzhash, averageLength: 4 << 20)

    private init(rule: Rule, averageLength: Int) {
        self.rule = rule
        self.averageLength = averageLength
        let size = Self.text(ofSize: averageLength)
        switch rule {
        case .fixed: name = "FIXED-\(size)"
        case .buzhash, .rabinKarp: name = "DYNAMIC-\(size)-\(rule.rawValue)"
        case .gear: name = "LOWEST-\(size)-\(rule.rawValue)"
        }
    }

    /// Whether stock kopia accepts the name.
    public var isKnownToKopia: Bool { rule != .gear && averageLength >= 128 << 10 }

    /// Bytes; only the last chunk of a stream may be shorter.
    public var lengthMin: Int { rule == .fixed ? averageLength : averageLength / 2 }
    /// Bytes.
    public var lengthMax: Int {
        switch rule {
        case .fixed: averageLength
        case .buzhash, .rabinKarp: averageLength * 2
        case .gear: averageLength / 2 * 3
        }
    }
    /// Bytes of a chunk that must be there before a cut can be found.
    var lengthToLookAt: Int { rule == .gear ? lengthMax : lengthMin }

    public var description: String { name }

    /// `128K` → 131072; nil unless it is within the limits and written as we write it.
    private static func size(_ text: Substring) -> Int? {
        guard let number = Int(text.dropLast()), number > 0, number <= averageLengthMax >> 10 else { return nil }
        let size: Int
        switch text.utf8.last {
        case UInt8(ascii: "K"): size = number << 10
        case UInt8(ascii: "M"): size = number << 20
        default: return nil
        }
        guard size >= averageLengthMin, size <= averageLengthMax, self.text(ofSize: size) == text else { return nil }
        return size
    }

    private static func text(ofSize size: Int) -> String {
        size & (1 << 20 - 1) == 0 ? "\(size >> 20)M" : "\(size >> 10)K"
    }

    private static func isPowerOfTwo(_ size: Int) -> Bool { size & (size - 1) == 0 }
}
