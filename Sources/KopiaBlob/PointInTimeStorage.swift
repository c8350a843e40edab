public import GoFormats

/// A storage with versions as it was at a time: what was overwritten, deleted or hidden since is there. Read-only.
///
/// S3 dates its delete markers. Azure does not say when a version stopped being the current one: what was deleted before the
/// time is there as well, unless by kopia, which leaves an empty version.
///
/// Concurrency and memory: all calls may run concurrently. Holds about 200 bytes a blob; while it is opened, a version.
///
/// Source: kopia `repo/blob/s3/s3_pit.go`, `repo/blob/azure/azure_pit.go`.
public struct PointInTimeStorage: BlobStorage {
    private let storage: any LockingBlobStorage
    private let time: Timestamp
    private let versions: [BlobID: BlobVersion]

    /// - Throws: what listing versions throws.
    public static func open(_ storage: any LockingBlobStorage, at time: Timestamp) async throws -> PointInTimeStorage {
        var newest: [BlobID: BlobVersion] = [:]
        for version in try await storage.versions(prefix: "") where version.time <= time {
            if let known = newest[version.id],
                (known.time, known.isCurrent ? 1 : 0) > (version.time, version.isCurrent ? 1 : 0)
            {
                continue
            }
            newest[version.id] = version
        }
        // No blob of kopia's is empty.
        let versions = newest.filter { !$0.value.isDeleteMarker && $0.value.length > 0 }
        return PointInTimeStorage(storage: storage, time: time, versions: versions)
    }

    public var displayName: String { "\(storage.displayName) at \(time)" }

    private func version(of id: BlobID) throws -> BlobVersion {
        guard let version = versions[id] else {
            throw BlobError(.notFound, blob: id, "blob '\(id)' was not in \(displayName)")
        }
        return version
    }

    public func get(_ id: BlobID, range: Range<Int64>?) async throws -> [UInt8] {
        try await storage.get(id, version: try version(of: id).version, range: range)
    }

    public func metadata(of id: BlobID) async throws -> BlobMetadata {
        let version = try version(of: id)
        return BlobMetadata(id: id, length: version.length, timestamp: version.time)
    }

    public func list(prefix: String) async throws -> [BlobMetadata] {
        versions.values.filter { $0.id.hasPrefix(prefix) }
            .map { BlobMetadata(id: $0.id, length: $0.length, timestamp: $0.time) }
    }

    public func put(_ id: BlobID, _ bytes: [UInt8], retention: BlobRetention?) async throws { throw readOnly(id) }
    public func delete(_ id: BlobID) async throws { throw readOnly(id) }

    private func readOnly(_ id: BlobID) -> BlobError {
        BlobError(.unsupported, blob: id, "blob '\(id)' cannot be changed in the past, in \(displayName)")
    }
}
