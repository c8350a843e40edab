public import GoFormats
import KopiaBlob
import KopiaContent
import KopiaFormat
import KopiaManifest
public import KopiaSnapshot

extension Repository {
    private static let requestsAtOnce = 16

    /// As `immutability(of:required:)`, also of a repository in which not everything can be read: what keeps the snapshots from
    /// being found is in the report, and what blobs are behind that.
    ///
    /// - Parameter names: as `snapshot(named:)` takes them; empty for all.
    /// - Throws: `RepositoryError` when the repository cannot be opened; `.snapshotNotFound` where nothing hides the snapshot.
    public static func immutability(
        at location: RepositoryLocation, password: RepositoryPassword, identity: RepositoryIdentity,
        ofSnapshotsNamed names: [String], required: ImmutabilityRequirement = .now
    ) async throws -> ImmutabilityReport {
        try await with(
            at: location, password: password, access: .readOnly, identity: identity, skipsDamagedIndexes: true
        ) { repository in
            var snapshots: [Snapshot] = []
            var problems = repository.blobs?.contents.damagedIndexes.map(\.message) ?? []
            do {
                if names.isEmpty { snapshots = try await repository.snapshots(includeIncomplete: true) }
                for name in names { snapshots.append(try await repository.snapshot(named: name)) }
            } catch let error as RepositoryError where error.code == .damaged {
                problems.append("the snapshots cannot be looked up: \(error.message)")
            } catch let error as RepositoryError where error.code == .snapshotNotFound {
                guard let hidden = try await repository.hiddenIndexes() else { throw error }
                problems.append("\(error.message); \(hidden)")
            }
            var report = try await repository.immutability(of: snapshots, required: required)
            report.unreadable = problems + report.unreadable
            return report
        }
    }

    /// A sentence about index blobs that were deleted and of which a version is left; nil when there are none.
    private func hiddenIndexes() async throws -> String? {
        guard let storage = blobs?.storage as? any LockingBlobStorage else { return nil }
        return try await translatingErrors {
            var hidden: [BlobID: Timestamp] = [:]
            for prefix in ["n", "xn", "xs", "xr"] {
                let versions = try await storage.versions(prefix: prefix)
                let visible = Set(versions.filter { $0.isCurrent && !$0.isDeleteMarker }.map(\.id))
                for version in versions where !visible.contains(version.id) {
                    hidden[version.id] = max(hidden[version.id] ?? version.time, version.time)
                }
            }
            guard let latest = hidden.max(by: { ($0.value, $0.key) < ($1.value, $1.key) }) else { return nil }
            return
                "but \(hidden.count) index blobs were deleted and are still there as versions, '\(latest.key)' last, at \(latest.value): "
                + "maintenance does that, and so does an attacker"
        }
    }

    /// Until when these snapshots cannot be destroyed: the locks of every blob they need (`NeededBlobs`), one by one.
    ///
    /// Concurrency and memory: 16 blobs at a time; a few dozen bytes for each object and blob.
    ///
    /// - Parameter snapshots: none: only what any snapshot of the repository needs.
    /// - Throws: `RepositoryError.Code.storage`; a blob that is not there is in the report.
    public func immutability(
        of snapshots: [Snapshot], required: ImmutabilityRequirement = .now
    ) async throws -> ImmutabilityReport {
        try await translatingErrors {
            var report = ImmutabilityReport()
            report.snapshots = snapshots.map(\.id)
            report.location = self.status.location
            report.time = self.clock()
            guard let blobs = self.blobs else { throw Self.noBlobs }
            guard !(blobs.storage is PointInTimeStorage) else {
                throw RepositoryError(
                    .invalidArgument, "locks are looked up as they are now, not in \(self.status.location)",
                    hint: "leave the point in time out")
            }
            let needed = try await NeededBlobs(of: snapshots, in: blobs)
            report.unreadable = needed.unreadable
            let storage = blobs.storage as? any LockingBlobStorage
            if let storage {
                let local = self.clock()
                let support = try await storage.lockSupport()
                report.keepsVersions = support.keepsVersions
                report.locksVersions = support.locksVersions
                if let time = support.time {
                    report.time = time
                    report.clockSkewSeconds = local.secondsSince(time)
                }
            } else {
                (report.keepsVersions, report.locksVersions) = (false, false)
            }
            report.requiredUntil = required.time(report.time)
            try await Self.forEach(
                needed.kinds,
                { blob, kind in
                    var blob = ImmutabilityReport.Blob(id: blob, kind: kind)
                    try await storage?.fillIn(&blob)
                    return blob
                }
            ) { report.add($0) }
            report.finish()
            return report
        }
    }

    /// Locks every blob that these snapshots need until `periodSeconds` from now, by the storage's clock. Locks that last longer
    /// stay. What no snapshot needs is left to expire; kopia's own maintenance, where `extendObjectLocks` is on, extends all blobs.
    ///
    /// - Parameters:
    ///   - retention: nil for the repository's own, from `kopia.blobcfg`.
    ///   - minimum: locks that hold out until then stay as they are, which saves requests.
    /// - Throws: `RepositoryError.Code.notImmutable` when the storage has no locks or the repository asks for none.
    ///
    /// Source: kopia `repo/maintenance/blob_retain.go`.
    public func extendLocks(
        of snapshots: [Snapshot], retention: RetentionSetting? = nil, minimum: Timestamp? = nil
    ) async throws -> LockExtension {
        try requireWriting("extend locks")
        return try await translatingErrors {
            guard let blobs = self.blobs else { throw Self.noBlobs }
            let (storage, own) = try self.lockingStorage(needsRetention: retention == nil)
            guard let setting = retention.map({ $0.blobRetention }) ?? own else {
                throw Self.noRetention(self.status.location)
            }
            let support = try await storage.lockSupport()
            let needed = try await NeededBlobs(of: snapshots, in: blobs)
            var result = LockExtension()
            result.until = (support.time ?? self.clock()).adding(seconds: setting.periodSeconds)
            result.mode = setting.mode.rawValue
            result.unreadable = needed.unreadable
            let until = result.until
            try await Self.forEach(
                needed.kinds,
                { blob, _ -> LockExtension.Failure? in
                    do {
                        if let minimum, let lock = try await storage.lock(of: blob), lock.until >= minimum {
                            return nil
                        }
                        try await storage.extendLock(of: blob, mode: setting.mode, until: until)
                        return nil
                    } catch let error as BlobError {
                        return .init(blob: blob.description, message: error.message, hint: error.hint)
                    }
                }
            ) { failure in
                result.blobCount += 1
                if let failure { result.failures.append(failure) }
            }
            result.failures.sort { $0.blob < $1.blob }
            return result
        }
    }

    /// Looks, before anything is written, whether what will be written can be locked for that long.
    ///
    /// - Returns: the storage's time, from which the promise counts.
    /// - Throws: `RepositoryError.Code.notImmutable`.
    public func checkImmutabilityIsPossible(forSeconds seconds: Int64) async throws -> Timestamp {
        try await translatingErrors {
            let (storage, own) = try self.lockingStorage(needsRetention: true)
            guard let own else { throw Self.noRetention(self.status.location) }
            guard own.periodSeconds >= seconds else {
                throw RepositoryError(
                    .notImmutable,
                    "the repository at \(self.status.location) locks blobs for \(own.periodSeconds / 3600) hours, \(seconds / 3600) are required",
                    hint: "raise it with 'kopia repository set-parameters --retention-mode=… --retention-period=…'")
            }
            let support = try await storage.lockSupport()
            guard support.locksVersions != false, support.keepsVersions != false else {
                throw RepositoryError(
                    .notImmutable, "\(self.status.location) cannot lock blobs: \(support.problem)",
                    hint:
                        "S3: make the bucket with object lock; Azure: switch on versioning and version-level immutability"
                )
            }
            return support.time ?? self.clock()
        }
    }

    // MARK: Steps

    private func lockingStorage(
        needsRetention: Bool
    ) throws -> (storage: any LockingBlobStorage, own: BlobRetention?) {
        guard let blobs else { throw Self.noBlobs }
        guard let storage = blobs.storage as? any LockingBlobStorage else {
            throw RepositoryError(
                .notImmutable,
                "\(status.location) is a folder, and folders keep no locks: everything can be deleted now",
                hint: "use a repository on S3 with object lock or on Azure with version-level immutability")
        }
        let own = blobs.format?.retention
        guard own != nil || !needsRetention else { throw Self.noRetention(status.location) }
        return (storage, own)
    }

    private static func noRetention(_ location: String) -> RepositoryError {
        RepositoryError(
            .notImmutable,
            "the repository at \(location) asks for no retention, so that blobs are written without a lock",
            hint:
                "create it with --retention-mode and --retention-period, or set them with 'kopia repository set-parameters'"
        )
    }

    private static var noBlobs: RepositoryError {
        RepositoryError(
            .notImmutable, "a repository server shows no blobs, so that nothing can be said about locks",
            hint: "look at the server's own storage")
    }

    /// Calls `work` for each blob, some at a time, and `done` with what it returned, one at a time.
    private static func forEach<Result: Sendable>(
        _ blobs: [BlobID: ImmutabilityReport.Blob.Kind],
        _ work: @escaping @Sendable (BlobID, ImmutabilityReport.Blob.Kind) async throws -> Result,
        done: (Result) -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Result.self) { group in
            for (number, blob) in blobs.enumerated() {
                if number >= requestsAtOnce, let result = try await group.next() { done(result) }
                group.addTask { try await work(blob.key, blob.value) }
            }
            while let result = try await group.next() { done(result) }
        }
    }
}

/// How long and how firmly blobs are locked when they are written.
public struct RetentionSetting: Sendable, Hashable {
    /// `GOVERNANCE`, `COMPLIANCE` or `Locked`.
    public let mode: String
    public let periodSeconds: Int64

    let blobRetention: BlobRetention

    /// - Throws: `RepositoryError.Code.invalidArgument` for another mode, or a period below 24 hours, which kopia refuses.
    public init(mode: String, periodSeconds: Int64) throws(RepositoryError) {
        let known = [BlobRetention.Mode.governance, .compliance, .locked]
        guard let mode = known.first(where: { $0.rawValue.lowercased() == mode.lowercased() }) else {
            throw RepositoryError(
                .invalidArgument, "'\(mode)' is not a retention mode",
                hint: "known: COMPLIANCE and GOVERNANCE (S3), Locked (Azure)")
        }
        guard (86_400...100 * 366 * 86_400).contains(periodSeconds) else {
            throw RepositoryError(
                .invalidArgument, "a retention period of \(periodSeconds) seconds is not between 24 hours and 100 years"
            )
        }
        self.init(BlobRetention(mode: mode, periodSeconds: periodSeconds))
    }

    init(_ retention: BlobRetention) {
        blobRetention = retention
        mode = retention.mode.rawValue
        periodSeconds = retention.periodSeconds
    }
}

extension LockSupport {
    var problem: String {
        keepsVersions == false ? "it keeps no versions of them" : "locking of versions is not switched on"
    }
}

extension ImmutabilityReport {
    fileprivate mutating func add(_ blob: Blob) {
        counts[blob.kind, default: 0] += 1
        if weakest.map({ blob.isWeaker(than: $0) }) ?? true { weakest = blob }
        if !blob.isUnconditional { isUnconditional = false }
        guard !blob.isProtected(until: max(requiredUntil, time)) else { return }
        weakCount += 1
        weak.append(blob)
        if weak.count >= 2 * Self.weakBlobsMax { trim() }
    }

    private mutating func trim() {
        weak.sort { $0.isWeaker(than: $1) }
        weak.removeLast(max(0, weak.count - Self.weakBlobsMax))
    }

    fileprivate mutating func finish() { trim() }
}

extension LockingBlobStorage {
    /// Looks up the lock of a blob; of one that was deleted, whether a version of it is left.
    fileprivate func fillIn(_ blob: inout ImmutabilityReport.Blob) async throws {
        guard let id = BlobID(blob.id) else { return }
        do {
            blob.set(try await lock(of: id))
        } catch let error as BlobError where error.code == .notFound {
            let versions = try await versions(prefix: blob.id).filter { $0.id == id }
            let marker = versions.first { $0.isCurrent && $0.isDeleteMarker }
            // An empty version is what kopia leaves on Azure when it deletes a locked blob.
            guard let newest = versions.filter({ !$0.isDeleteMarker && $0.length > 0 }).max(by: { $0.time < $1.time })
            else {
                blob.state = .missing
                return
            }
            blob.state = .hidden
            blob.version = newest.version
            blob.marker = marker?.version
            blob.hiddenSince = marker?.time
            blob.set(try await lock(of: id, version: newest.version))
        }
    }
}

extension ImmutabilityReport.Blob {
    fileprivate mutating func set(_ lock: BlobLock?) {
        mode = lock?.mode.rawValue
        until = lock?.until
        isUnconditional = lock?.mode.isUnconditional ?? false
    }
}
