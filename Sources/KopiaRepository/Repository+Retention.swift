import KopiaManifest
public import KopiaSnapshot

extension Repository {
    /// Why retention would keep each snapshot: `latest-1`, `daily-1`, …; empty for one that it would delete.
    ///
    /// kopia counts the snapshots of a source. Here snapshots with the tag `database` are counted by database as well: where
    /// several databases were dumped into one source, the newer ones of one would else push out the last of another.
    /// This never deletes what kopia would keep for a source with one database, and keeps more where there are several.
    ///
    /// - Parameter snapshots: all of each source they are of, incomplete ones too, or the counts are wrong.
    /// - Returns: by position in `snapshots`.
    public func retentionReasons(for snapshots: [Snapshot]) async throws -> [[String]] {
        try await translatingErrors {
            var reasons = Array(repeating: [String](), count: snapshots.count)
            let policies = try await PolicyStore(manifests: self.manifests).list()
            let groups = Dictionary(grouping: snapshots.indices) { RetentionGroup(snapshots[$0]) }
            for (group, positions) in groups {
                let policy = EffectivePolicy(of: group.source, policies: policies).retention
                for (position, found) in zip(positions, policy.reasons(for: positions.map { snapshots[$0] })) {
                    reasons[position] = found.sorted { Self.rank($0) < Self.rank($1) }
                }
            }
            return reasons
        }
    }

    /// Snapshots that retention does not keep and nobody pinned, by source, then start time. Deletes nothing.
    ///
    /// - Parameter sources: nil for all.
    /// - Throws: `RepositoryError.Code.damaged` when a snapshot manifest cannot be read: then the counts would be wrong.
    public func expiredSnapshots(of sources: [SnapshotSource]? = nil) async throws -> [Snapshot] {
        let all = try await snapshots(includeIncomplete: true).filter { sources?.contains($0.source) ?? true }
        let reasons = try await retentionReasons(for: all)
        return zip(all, reasons).filter { $0.pins.isEmpty && $1.isEmpty }.map(\.0)
    }

    private struct RetentionGroup: Hashable {
        let source: SnapshotSource
        let database: String?

        init(_ snapshot: Snapshot) {
            source = snapshot.source
            database = snapshot.tags["tag:database"]
        }
    }

    /// kopia lists reasons from the shortest period to the longest.
    private static func rank(_ reason: String) -> Int {
        let name = reason.prefix { $0 != "-" }
        return ["latest", "hourly", "daily", "weekly", "monthly", "annual"].firstIndex(of: String(name)) ?? 6
    }
}
