public import GoFormats
public import KopiaManifest

/// Policies in a manifest store.
///
/// Source: kopia `snapshot/policy/policy_manager.go`.
public struct PolicyStore: Sendable {
    private let manifests: any ManifestStore

    public init(manifests: any ManifestStore) { self.manifests = manifests }

    /// All policies, oldest first. Those with labels nobody understands are left out.
    public func list() async throws -> [Policy] {
        try await manifests.find(labels: ["type": "policy"]).compactMap { entry in
            guard let target = PolicyTarget(labels: entry.labels), let json = entry.payload.objectValue else {
                return nil
            }
            return Policy(id: entry.id, target: target, json: json)
        }
    }

    public func effective(for source: SnapshotSource) async throws -> EffectivePolicy {
        EffectivePolicy(of: source, policies: try await list())
    }

    /// Replaces the policy of a target: the old manifests are deleted, a new one is put. Visible after the store's
    /// `flush`, both at once.
    public func set(_ json: JSONObject, for target: PolicyTarget) async throws {
        for old in try await list() where old.target == target { try await manifests.delete(old.id) }
        _ = try await manifests.put(labels: target.labels, payload: .object(json))
    }

    /// Says in the source's own policy that its snapshots are made by hand; the rest of it stays. Does nothing when it
    /// says so already.
    ///
    /// - Returns: whether there is something to flush.
    @discardableResult
    public func markManual(_ source: SnapshotSource) async throws -> Bool {
        // Of duplicates, editing takes the newest, as kopia does.
        var json = try await list().last { $0.target == .path(source) }?.json ?? Policy.nothing
        var scheduling = json["scheduling"]?.objectValue ?? JSONObject()
        guard scheduling["manual"]?.boolValue != true else { return false }
        scheduling["manual"] = true
        json["scheduling"] = .object(scheduling)
        try await set(json, for: .path(source))
        return true
    }
}
