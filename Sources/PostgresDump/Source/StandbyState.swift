public import GoFormats

/// How a standby follows its primary, and what it does to queries that stand in the way.
public struct StandbyState: Sendable, Hashable {
    /// Connected to the primary and receiving; else it replays archived files, or nothing.
    public var isReceiving: Bool
    public var isPaused: Bool
    /// `hot_standby_feedback`: the primary keeps rows that queries here may need.
    public var sendsFeedback: Bool
    /// `max_standby_streaming_delay` in milliseconds: for how long replay waits for a query before it cancels it; -1 for
    /// ever.
    public var streamingDelay: Int64
    /// `max_standby_archive_delay`, likewise.
    public var archiveDelay: Int64
    /// Queries of this database that were cancelled since the counters were reset, by reason: `snapshot`, `lock`, …
    public var conflicts: [String: Int64]

    /// - Throws: `PostgresError`.
    static func read(from client: PostgresClient) async throws -> StandbyState {
        let row = try await client.query(
            """
            SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_wal_receiver) AS is_receiving,
                   pg_catalog.pg_is_wal_replay_paused() AS is_paused,
                   pg_catalog.current_setting('hot_standby_feedback')::bool AS feedback,
                   (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'max_standby_streaming_delay') AS streaming,
                   (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'max_standby_archive_delay') AS archive,
                   (SELECT pg_catalog.to_json(c) FROM pg_catalog.pg_stat_database_conflicts c
                    WHERE c.datname = pg_catalog.current_database()) AS conflicts
            """
        ).single()
        var conflicts: [String: Int64] = [:]
        if row.text("conflicts") != nil {
            for member in try row.json("conflicts").objectValue?.members ?? [] where member.key.hasPrefix("confl_") {
                conflicts[String(member.key.dropFirst("confl_".count))] = member.value.integerValue
            }
        }
        return StandbyState(
            isReceiving: try row.bool("is_receiving"), isPaused: try row.bool("is_paused"),
            sendsFeedback: try row.bool("feedback"), streamingDelay: try row.integer("streaming"),
            archiveDelay: try row.integer("archive"), conflicts: conflicts)
    }

    public var json: JSONValue {
        [
            "receiving": .bool(isReceiving), "paused": .bool(isPaused), "hotStandbyFeedback": .bool(sendsFeedback),
            "maxStandbyStreamingDelayMilliseconds": .integer(streamingDelay),
            "maxStandbyArchiveDelayMilliseconds": .integer(archiveDelay),
            "conflicts": .object(
                JSONObject(conflicts.sorted { $0.key < $1.key }.map { .init(key: $0.key, value: .integer($0.value)) })),
        ]
    }
}
