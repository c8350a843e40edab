public import GoFormats

/// A `time.Time`: an instant and the zone it is shown in.
public struct GoTime: Sendable, Hashable {
    /// Seconds since 1970, negative before.
    public let seconds: Int64
    /// 0 … 999,999,999
    public let nanoseconds: Int32
    public let zone: GoZone

    public init(seconds: Int64, nanoseconds: Int32 = 0, zone: GoZone = .utc) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
        self.zone = zone
    }

    public init(_ timestamp: Timestamp, zone: GoZone = .utc) {
        self.init(seconds: timestamp.seconds, nanoseconds: timestamp.nanoseconds, zone: zone)
    }

    /// 0001-01-01 00:00:00 UTC
    public static let zero = GoTime(seconds: -62_135_596_800)
    var isZero: Bool { seconds == GoTime.zero.seconds && nanoseconds == 0 }

    func with(zone: GoZone) -> GoTime { GoTime(seconds: seconds, nanoseconds: nanoseconds, zone: zone) }
    /// Name and offset in seconds east of UTC of the zone at this instant.
    var offset: (name: String, seconds: Int) { zone.offset(at: seconds) }
}
