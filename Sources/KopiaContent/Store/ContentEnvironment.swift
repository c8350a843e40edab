public import GoFormats

/// Clocks, sleep and randomness of a content store, so that tests are exact and fast.
public struct ContentEnvironment: Sendable {
    /// The wall clock: timestamps of contents and sessions.
    public var now: @Sendable () -> Timestamp
    /// A clock that never goes back, from any origin: intervals.
    public var uptime: @Sendable () -> Duration
    public var sleep: @Sendable (Duration) async throws -> Void
    /// So many unpredictable bytes.
    public var randomBytes: @Sendable (Int) -> [UInt8]

    public init(
        now: @escaping @Sendable () -> Timestamp, uptime: @escaping @Sendable () -> Duration,
        sleep: @escaping @Sendable (Duration) async throws -> Void, randomBytes: @escaping @Sendable (Int) -> [UInt8]
    ) {
        self.now = now
        self.uptime = uptime
        self.sleep = sleep
        self.randomBytes = randomBytes
    }

    /// The machine's.
    public static let system: ContentEnvironment = {
        let origin = ContinuousClock.now
        return ContentEnvironment(
            now: { .now() }, uptime: { ContinuousClock.now - origin }, sleep: { try await Task.sleep(for: $0) },
            randomBytes: { count in
                // getrandom(2), as the generator's documentation promises for Linux.
                var generator = SystemRandomNumberGenerator()
                var bytes: [UInt8] = []
                bytes.reserveCapacity(count + 8)
                while bytes.count < count { bytes.appendBigEndian(generator.next(), width: 8) }
                return Array(bytes.prefix(count))
            })
    }()
}
