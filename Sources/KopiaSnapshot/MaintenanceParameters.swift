public import GoFormats

/// The manifest that says who maintains the repository and how often; durations in nanoseconds.
///
/// Source: kopia `repo/maintenance/maintenance_params.go`.
public enum MaintenanceParameters {
    /// What kopia writes for a new repository.
    ///
    /// - Parameter owner: `user@host`; only this identity runs maintenance.
    public static func standard(owner: String) -> JSONValue {
        [
            "owner": .string(owner), "quick": ["enabled": true, "interval": 3_600_000_000_000],
            "full": ["enabled": true, "interval": 86_400_000_000_000],
            "logRetention": [
                "maxTotalSize": 1_073_741_824, "maxCount": 10_000, "maxAge": 2_592_000_000_000_000,
            ],
            "extendObjectLocks": false, "listParallelism": 0,
        ]
    }
}
