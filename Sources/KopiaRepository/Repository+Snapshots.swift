public import KopiaManifest
import KopiaObject
public import KopiaSnapshot

extension Repository {
    var snapshotStore: SnapshotStore { SnapshotStore(manifests: manifests) }

    /// All snapshots, or those of one source, by source, then start time.
    ///
    /// - Parameter includeIncomplete: also checkpoints and cancelled ones.
    /// - Throws: `RepositoryError.Code.damaged` when a snapshot manifest cannot be read: kopia would hide it.
    public func snapshots(
        source: SnapshotSource? = nil, includeIncomplete: Bool = false
    ) async throws -> [Snapshot] {
        try await translatingErrors {
            let listing = try await self.snapshotStore.list(source: source)
            if let (id, error) = listing.unreadable.min(by: { $0.key < $1.key }) {
                throw RepositoryError(
                    .damaged, "snapshot \(id) cannot be read: \(error.message)",
                    hint: "kopia hides such snapshots, and its maintenance removes their data; "
                        + "delete it with 'snapshot delete \(id)' if it is of no use")
            }
            return listing.snapshots.filter { includeIncomplete || $0.incompleteReason == nil }
        }
    }

    /// The snapshot of this name: a manifest ID, the beginning of one (at least 4 characters) that no other shares, or
    /// the object ID of its root. Of several snapshots with the same root the newest is taken.
    ///
    /// - Throws: `RepositoryError.Code.snapshotNotFound`, `.ambiguousSnapshot`.
    public func snapshot(named name: String) async throws -> Snapshot {
        try await translatingErrors {
            if let id = ManifestID(name), let exact = try await self.snapshotStore.get(id) { return exact }
            let all = try await self.snapshotStore.list().snapshots
            if let root = ObjectID(name) {
                let matches = all.filter { $0.root.object == root }
                if let newest = matches.max(by: { $0.startTime < $1.startTime }) { return newest }
            }
            let matches = name.utf8.count >= 4 ? all.filter { $0.id.description.utf8.starts(with: name.utf8) } : []
            guard let match = matches.first else {
                throw RepositoryError(
                    .snapshotNotFound, "there is no snapshot '\(name)' in \(self.status.location)",
                    hint: "it may have been deleted; 'snapshot list' shows what is there")
            }
            guard matches.count == 1 else {
                let names = matches.prefix(5).map { "\($0.id) of \($0.source)" }.joined(separator: ", ")
                throw RepositoryError(
                    .ambiguousSnapshot, "\(matches.count) snapshots start with '\(name)': \(names)",
                    hint: "give more characters of the ID")
            }
            return match
        }
    }

    /// Removes the manifest. The data stays until maintenance finds that nothing else uses it.
    ///
    /// - Returns: false when there was no such snapshot, which is no error: a repeated delete has nothing left to do.
    @discardableResult
    public func deleteSnapshot(_ id: ManifestID) async throws -> Bool {
        try requireWriting("delete snapshot \(id)")
        return try await translatingErrors {
            guard let entry = try await self.manifests.get(id), entry.labels["type"] == "snapshot" else {
                return false
            }
            try await self.manifests.delete(id)
            try await self.manifests.flush()
            return true
        }
    }
}
