/// Finds transfers that crawl: looks at the sum of bytes moved, one window after the other. A plain value.
struct LowSpeedWatch: Sendable {
    private let limit: HTTPClientConfiguration.LowSpeed
    private var windowStart: ContinuousClock.Instant
    private var bytesAtStart: Int64

    init(_ limit: HTTPClientConfiguration.LowSpeed, now: ContinuousClock.Instant) {
        self.limit = limit
        windowStart = now
        bytesAtStart = 0
    }

    /// True when the window just ended was too slow.
    ///
    /// - Parameters:
    ///   - bytes: moved so far, both directions.
    ///   - isHeldBack: we ourselves make the other side wait; the window starts anew.
    mutating func isTooSlow(bytes: Int64, isHeldBack: Bool, now: ContinuousClock.Instant) -> Bool {
        if isHeldBack {
            windowStart = now
            bytesAtStart = bytes
            return false
        }
        let elapsed = windowStart.duration(to: now)
        guard elapsed >= limit.window else { return false }
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        if Double(bytes - bytesAtStart) < Double(limit.bytesPerSecond) * seconds { return true }
        windowStart = now
        bytesAtStart = bytes
        return false
    }
}
