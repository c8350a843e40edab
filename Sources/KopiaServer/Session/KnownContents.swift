internal import KopiaContent

/// Contents the server is known to have, so that it is not asked twice: those it said it has, and those that were
/// flushed. A plain value.
///
/// What is known grows old: maintenance elsewhere may mark a content as deleted. It is forgotten after one to two
/// `lifetime`s, long before kopia's maintenance (which waits hours between marking and removing) can do harm.
///
/// A content is remembered by eight bytes of its hash, which is keyed: two that look alike will not be met.
///
/// Memory: 24 bytes a content, at most `countMax` of them.
struct KnownContents {
    static let lifetime: Duration = .seconds(1800)
    static let countMax = 1 << 20

    private var young: [UInt64: UInt32] = [:]
    private var old: [UInt64: UInt32] = [:]
    private var youngSince: ContinuousClock.Instant?

    mutating func insert(_ id: ContentID, length: Int, now: ContinuousClock.Instant) {
        turn(now)
        if young.count >= Self.countMax / 2 { (old, young, youngSince) = (young, [:], now) }
        young[Self.key(id)] = UInt32(clamping: length)
    }

    /// Bytes of its plaintext; nil when nothing is known.
    mutating func length(of id: ContentID, now: ContinuousClock.Instant) -> Int? {
        turn(now)
        let key = Self.key(id)
        return (young[key] ?? old[key]).map { Int($0) }
    }

    private mutating func turn(_ now: ContinuousClock.Instant) {
        let since = youngSince ?? now
        if youngSince == nil { youngSince = now }
        let age = since.duration(to: now)
        guard age >= Self.lifetime else { return }
        (old, young, youngSince) = (age >= Self.lifetime * 2 ? [:] : young, [:], now)
    }

    private static func key(_ id: ContentID) -> UInt64 {
        id.hash.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } &+ UInt64(id.prefix)
    }
}
