public import GoFormats

/// The intent of somebody to upgrade the repository, during which nobody else may touch it. Durations in nanoseconds.
///
/// Source: kopia `repo/format/upgrade_lock_intent.go`; `kopia-format` §2.8.
public struct UpgradeLock: Sendable, Hashable {
    public var ownerID: String
    public var creationTime: Timestamp
    public var advanceNoticeNanoseconds: Int64
    public var ioDrainTimeoutNanoseconds: Int64
    public var statusPollIntervalNanoseconds: Int64
    public var message: String
    public var maxPermittedClockDriftNanoseconds: Int64

    /// Whether all I/O must stop at that time.
    public func isLocked(at now: Timestamp) -> Bool { now >= lockedFrom }

    /// When the lock begins: at once without (enough) notice, otherwise early enough for everybody to drain.
    public var lockedFrom: Timestamp {
        let drain = maxPermittedClockDriftNanoseconds &+ 2 &* ioDrainTimeoutNanoseconds
        guard advanceNoticeNanoseconds >= drain else { return creationTime }
        return Timestamp(
            seconds: creationTime.seconds,
            nanoseconds: Int64(creationTime.nanoseconds) &+ (advanceNoticeNanoseconds &- drain))
    }
}
