/// A position in the log of one cluster: `0/3000148`.
public struct LogPosition: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let value: UInt64

    public init(_ value: UInt64) { self.value = value }

    /// Nil for another text.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let high = UInt32(parts[0], radix: 16), let low = UInt32(parts[1], radix: 16) else {
            return nil
        }
        value = UInt64(high) << 32 | UInt64(low)
    }

    public static func < (left: LogPosition, right: LogPosition) -> Bool { left.value < right.value }

    public var description: String {
        "\(String(value >> 32, radix: 16, uppercase: true))/\(String(value & 0xffff_ffff, radix: 16, uppercase: true))"
    }
}

/// Where a primary is: what its standbys must have replayed to hold everything committed before.
public struct PrimaryPosition: Sendable, Hashable {
    public let lsn: LogPosition
    /// Nil when this user may not ask.
    public let systemIdentifier: String?

    /// - Throws: `PostgresError`; `.settings` when the server is itself a standby.
    public static func read(from settings: PostgresSettings) async throws -> PrimaryPosition {
        try await PostgresClient.with(settings) { client in
            let isStandby = try await client.query("SELECT pg_catalog.pg_is_in_recovery() AS is_standby")
                .single().bool("is_standby")
            guard !isStandby else {
                throw PostgresError(
                    .settings, "\(settings.host):\(settings.port) is a standby, not the primary to wait for",
                    hint: "name the read-write host")
            }
            let text = try await client.query("SELECT pg_catalog.pg_current_wal_lsn()::text AS lsn").single()
                .required("lsn")
            guard let lsn = LogPosition(text) else {
                throw PostgresError(.query, "the server sent \"\(text)\", not a log position")
            }
            return PrimaryPosition(lsn: lsn, systemIdentifier: try await systemIdentifier(of: client))
        }
    }

    static func systemIdentifier(of client: PostgresClient) async throws -> String? {
        do {
            return try await client.query(
                "SELECT system_identifier::text AS identifier FROM pg_catalog.pg_control_system()"
            ).single().text("identifier")
        } catch let error as PostgresError where error.code == .permission {
            return nil
        }
    }
}

/// How fresh a standby must be before its data are dumped.
public struct ReplayBarrier: Sendable {
    /// It has replayed what the primary had written.
    public var primary: PrimaryPosition?
    /// It is at most this far behind; nil for no limit.
    public var lagSecondsMax: Double?
    /// Seconds to wait for both; 0 to fail at once.
    public var waitSeconds: Double

    public init(primary: PrimaryPosition? = nil, lagSecondsMax: Double? = nil, waitSeconds: Double) {
        self.primary = primary
        self.lagSecondsMax = lagSecondsMax
        self.waitSeconds = waitSeconds
    }

    /// Waits until the standby is fresh enough; a primary always is.
    ///
    /// - Parameter progress: called about every second while there is something to wait for, with a sentence.
    /// - Throws: `PostgresError.Code.lagging` when the time is over; `.settings` when the primary is another cluster's.
    public func wait(on client: PostgresClient, progress: (String) -> Void) async throws {
        guard primary != nil || lagSecondsMax != nil else { return }
        try await checkCluster(client)
        let end = ContinuousClock.now + .seconds(waitSeconds)
        var rounds = 0
        while true {
            let facts = try await SourceFacts.read(from: client)
            guard facts.isStandby, let lack = lack(facts) else { return }
            guard .now < end else {
                throw PostgresError(
                    .lagging, "\(client.settings) \(lack)",
                    hint: "wait longer with --catch-up, allow more with --max-lag, or find out why replay is slow",
                    isTransient: true)
            }
            if rounds % 5 == 0 { progress("waiting: the standby \(lack)") }
            rounds += 1
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    /// What is missing, or nil.
    func lack(_ facts: SourceFacts) -> String? {
        if let primary {
            guard let replayed = LogPosition(facts.lsn) else { return "has replayed nothing yet" }
            if replayed < primary.lsn {
                let bytes = primary.lsn.value - replayed.value
                return "has replayed up to \(replayed), \(bytes) bytes short of the primary's \(primary.lsn)"
            }
            // Everything committed when we asked is here: that is fresher than any age.
            return nil
        }
        guard let lagSecondsMax else { return nil }
        guard let lag = facts.lagSeconds else { return "has replayed no transaction yet, so its age is unknown" }
        return lag <= lagSecondsMax
            ? nil : "is \(Int64(clamping: lag)) s behind, \(Int64(clamping: lagSecondsMax)) s are allowed"
    }

    private func checkCluster(_ client: PostgresClient) async throws {
        guard let wanted = primary?.systemIdentifier,
            let found = try await PrimaryPosition.systemIdentifier(of: client), wanted != found
        else { return }
        throw PostgresError(
            .settings, "\(client.settings) belongs to the cluster \(found), the primary to wait for to \(wanted)",
            hint: "name the primary that this standby follows")
    }
}

extension Int64 {
    /// Whole seconds of a duration that may be anything.
    init(clamping value: Double) {
        self = value.isFinite ? Int64(Swift.max(-9e18, Swift.min(9e18, value))) : 0
    }
}
