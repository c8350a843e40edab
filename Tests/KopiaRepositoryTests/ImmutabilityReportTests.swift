import GoFormats
import KopiaBlob
import KopiaContent
import KopiaFormat
import KopiaManifest
import Synchronization
import TestSupport
import Testing

@testable import KopiaRepository

/// A store in memory whose blobs are locked by hand, with a clock of its own.
private final class LockingMemoryStorage: LockingBlobStorage {
    let memory: MemoryBlobStorage
    let locks = Mutex<[BlobID: BlobLock]>([:])
    let serviceTime: Timestamp

    init(serviceTime: Timestamp) {
        self.serviceTime = serviceTime
        memory = MemoryBlobStorage(clock: { serviceTime })
    }

    var displayName: String { "memory:" }
    func get(_ id: BlobID, range: Range<Int64>?) async throws -> [UInt8] { try await memory.get(id, range: range) }
    func put(_ id: BlobID, _ bytes: [UInt8], retention: BlobRetention?) async throws {
        try await memory.put(id, bytes, retention: retention)
        guard let retention, let mode = BlobLock.Mode(rawValue: retention.mode.rawValue) else { return }
        let until = serviceTime.adding(seconds: retention.periodSeconds)
        locks.withLock { $0[id] = BlobLock(mode: mode, until: until) }
    }
    func delete(_ id: BlobID) async throws { try await memory.delete(id) }
    func metadata(of id: BlobID) async throws -> BlobMetadata { try await memory.metadata(of: id) }
    func list(prefix: String) async throws -> [BlobMetadata] { try await memory.list(prefix: prefix) }
    func lock(of id: BlobID, version: String?) async throws -> BlobLock? {
        _ = try await memory.metadata(of: id)
        return locks.withLock { $0[id] }
    }
    func extendLock(of id: BlobID, mode: BlobRetention.Mode, until: Timestamp) async throws {
        locks.withLock { $0[id] = BlobLock(mode: BlobLock.Mode(rawValue: mode.rawValue) ?? .locked, until: until) }
    }
    func versions(prefix: String) async throws -> [BlobVersion] { [] }
    func get(_ id: BlobID, version: String, range: Range<Int64>?) async throws -> [UInt8] {
        try await get(id, range: range)
    }
    func lockSupport() async throws -> LockSupport {
        LockSupport(keepsVersions: true, locksVersions: true, time: serviceTime)
    }
}

struct ImmutabilityReportTests {
    private static let now = Timestamp(seconds: 1_800_000_000)
    private static let identity = RepositoryIdentity(userName: "runner", host: "fixture")
    private static let day: Int64 = 86_400

    /// A repository with a retention of 30 days and one snapshot; this machine's clock differs from the storage's.
    private func with<Result>(
        skew: Int64 = 0, mode: BlobRetention.Mode = .compliance,
        _ body: (Repository, LockingMemoryStorage, Snapshot) async throws -> Result
    ) async throws -> Result {
        let storage = LockingMemoryStorage(serviceTime: Self.now)
        var options = RepositoryFormat.Options()
        options.keyDerivation = .pbkdf2
        options.retention = BlobRetention(mode: mode, periodSeconds: 30 * Self.day)
        let format = try await RepositoryFormat.create(storage, password: Password("secret"), options: options)
        let contents = try await LocalContentStore.open(storage, format: format)
        let manifests = ContentManifestStore(contents: contents)
        let repository = Repository(
            contents: contents, manifests: manifests,
            blobs: .init(storage: storage, contents: contents, manifests: manifests, format: format),
            status: RepositoryStatus(
                format, location: .filesystem(path: "/memory"), access: .readWrite, identity: Self.identity),
            identity: Self.identity, access: .readWrite, clock: { Self.now.adding(seconds: skew) })
        let snapshot = try await repository.writeSnapshot(of: Self.identity.source(path: "/db")) { writer in
            try await writer.addFile("sub/dump", bytes: SeededBytes.rnd(1, 10_000))
        }.snapshot
        let result = try await body(repository, storage, snapshot)
        await contents.close()
        return result
    }

    @Test func everyBlobASnapshotNeedsIsLookedAt() async throws {
        try await with { repository, storage, snapshot in
            let report = try await repository.immutability(of: [snapshot])
            #expect(report.holds)
            #expect(report.undeletableUntil == Self.now.adding(seconds: 30 * Self.day))
            #expect(report.isUnconditional)
            #expect(report.clockSkewSeconds == 0)
            // Session markers are the only blobs that are not needed.
            let all = try await storage.list(prefix: "").filter { !$0.id.hasPrefix("s") }
            #expect(report.blobCount == all.count)
        }
    }

    /// The storage decides when a lock ends, so its clock counts.
    @Test(arguments: [-3600, 0, 3600] as [Int64])
    func theClockOfTheStorageCounts(skew: Int64) async throws {
        try await with(skew: skew) { repository, _, snapshot in
            let report = try await repository.immutability(of: [snapshot], required: .seconds(30 * Self.day))
            #expect(report.clockSkewSeconds == Double(skew))
            #expect(report.time == Self.now)
            #expect(report.holds)
            let longer = try await repository.immutability(of: [snapshot], required: .seconds(30 * Self.day + 1))
            #expect(!longer.holds)
        }
    }

    enum Harm: CaseIterable { case unlock, shorten, expire, govern, remove, makeRevocable }

    @Test(arguments: Harm.allCases)
    func oneWeakBlobIsFound(harm: Harm) async throws {
        try await with { repository, storage, snapshot in
            let packs = try await storage.list(prefix: "p")
            let pack = try #require(packs.first).id
            let lock: (BlobLock.Mode, Int64)? =
                switch harm {
                case .unlock: nil
                case .shorten: (.compliance, 3)
                case .expire: (.compliance, -3)
                case .govern: (.governance, 30)
                case .makeRevocable: (.unlocked, 30)
                case .remove: (.compliance, 30)
                }
            storage.locks.withLock { locks in
                locks[pack] = lock.map { BlobLock(mode: $0.0, until: Self.now.adding(seconds: $0.1 * Self.day)) }
            }
            if harm == .remove { try await storage.delete(pack) }
            let report = try await repository.immutability(of: [snapshot])
            let isStillLocked = harm == .shorten || harm == .govern
            #expect(report.holds == isStillLocked)
            #expect((report.undeletableUntil == nil) == !isStillLocked)
            if harm != .govern { #expect(report.weakest?.id == pack.description) }
            if harm == .remove { #expect(report.weakest?.state == .missing) }
            #expect(report.isUnconditional == (harm == .shorten || harm == .expire))
            #expect(report.weak.map(\.id) == (isStillLocked ? [] : [pack.description]))
            let longer = try await repository.immutability(of: [snapshot], required: .seconds(20 * Self.day))
            #expect(longer.holds == (harm == .govern))
        }
    }

    @Test func extendingCountsFromTheStoragesClockAndLeavesWhatIsLongEnough() async throws {
        try await with(skew: -7200) { repository, storage, snapshot in
            let packs = try await storage.list(prefix: "p")
            let pack = try #require(packs.first).id
            let until = Self.now.adding(seconds: 30 * Self.day)
            storage.locks.withLock { locks in
                for id in Array(locks.keys) {
                    locks[id] = BlobLock(mode: .compliance, until: until.adding(seconds: 60))
                }
                locks[pack] = nil
            }
            let result = try await repository.extendLocks(of: [snapshot], minimum: until)
            #expect(result.until == until)
            #expect(result.failures.isEmpty)
            storage.locks.withLock { locks in
                #expect(locks[pack]?.until == until)
                #expect(locks.filter { $0.value.until == until }.count == 1)
            }
        }
    }

    @Test func whatRetentionCannotPromiseIsRefused() async throws {
        try await with { repository, _, _ in
            let time = try await repository.checkImmutabilityIsPossible(forSeconds: 30 * Self.day)
            #expect(time == Self.now)
            let error = await #expect(throws: RepositoryError.self) {
                _ = try await repository.checkImmutabilityIsPossible(forSeconds: 31 * Self.day)
            }
            #expect(error?.code == .notImmutable)
        }
    }
}
