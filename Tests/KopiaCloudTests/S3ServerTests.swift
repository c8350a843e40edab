import CloudTestSupport
import GoFormats
import HTTPTransport
import KopiaBlob
import Secrets
import Synchronization
import TestSupport
import Testing

@testable import KopiaCloud

/// Against `rclone serve s3`, which checks every signature as AWS would.
@Suite(.enabled(if: PythonTools.isWanted("rclone"), "run .ci/install-python-tools"))
struct S3RcloneTests {
    @Test(arguments: ["", "repo/", "deep/er/", "with blank/é+~/"])
    func theStorageContractHolds(_ prefix: String) async throws {
        let server = try S3Server.rclone.get()
        // rclone 1.75.2 may go on listing a name, or stop answering for it, after several wrote it at once; any client
        // sees that. moto is asked for it.
        try await verifyStorageContract(
            try server.storage(bucket: try await server.makeBucket(), prefix: prefix), overwritesConcurrently: false)
    }

    @Test func aWrongSecretIsRefused() async throws {
        let server = try S3Server.rclone.get()
        let storage = try S3BlobStorage(
            try server.configuration(bucket: "bucket"),
            source: .fixed(
                S3Credentials(
                    accessKeyID: S3Server.credentials.accessKeyID, secretAccessKey: Secret("another-secret-key"))))
        do {
            _ = try await storage.list(prefix: "")
            Issue.record("it should have been refused")
        } catch let error as BlobError {
            #expect(error.code == .accessDenied)
            #expect(error.hint == "check the access key, the secret key and the session token")
            #expect(!"\(error)".contains("another-secret-key"))
        }
    }

    @Test func aLargeBlobComesBackWholeAndInParts() async throws {
        let server = try S3Server.rclone.get()
        let storage = try server.storage(bucket: try await server.makeBucket())
        let id = try #require(BlobID("p0123"))
        let bytes = SeededBytes.rnd(1, 40 << 20)
        try await storage.put(id, bytes)
        #expect(try await storage.get(id) == bytes)
        #expect(try await storage.get(id, range: 20_000_000..<20_000_100) == Array(bytes[20_000_000..<20_000_100]))
    }
}

/// Against moto, which has versions and object lock.
@Suite(.enabled(if: PythonTools.isWanted("moto_server"), "run .ci/install-python-tools"))
struct S3MotoTests {
    private static let id = BlobID("p0123")

    @Test(arguments: [false, true])
    func theStorageContractHolds(_ hasObjectLock: Bool) async throws {
        let server = try S3Server.moto.get()
        try await verifyStorageContract(
            try server.storage(bucket: try await server.makeBucket(hasObjectLock: hasObjectLock)))
    }

    @Test func aMissingBucketIsSaid() async throws {
        let server = try S3Server.moto.get()
        let storage = try S3BlobStorage(
            try server.configuration(bucket: "no-such-bucket"), source: .fixed(S3Server.credentials))
        do {
            _ = try await storage.list(prefix: "")
            Issue.record("it should have been refused")
        } catch let error as BlobError {
            #expect(error.code == .invalidStorage)
            #expect(
                error.hint
                    == "create the bucket 'no-such-bucket' first, or check its name, the endpoint and the region")
        }
    }

    @Test func listsOfManyPagesAreWhole() async throws {
        let server = try S3Server.moto.get()
        let storage = try server.storage(bucket: try await server.makeBucket(), listPageMax: 3)
        let ids = try (0..<10).map { try #require(BlobID("p\($0)")) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for id in ids { group.addTask { try await storage.put(id, [1]) } }
            try await group.waitForAll()
        }
        let found = try await storage.list(prefix: "p")
        #expect(Set(found.map(\.id)) == Set(ids))
        #expect(found.count == ids.count)
    }

    @Test(arguments: [BlobRetention.Mode.governance, .compliance])
    func aLockIsSetReadAndExtended(_ mode: BlobRetention.Mode) async throws {
        let server = try S3Server.moto.get()
        let storage = try server.storage(bucket: try await server.makeBucket(hasObjectLock: true))
        let id = try #require(Self.id)
        let before = Timestamp.now()
        try await storage.put(id, [1], retention: BlobRetention(mode: mode, periodSeconds: 86_400))
        let lock = try #require(try await storage.lock(of: id))
        #expect(lock.mode.rawValue == mode.rawValue)
        #expect(lock.mode.isUnconditional == (mode == .compliance))
        #expect(abs(lock.until.secondsSince(before) - 86_400) < 60)

        let later = Timestamp(seconds: lock.until.seconds + 1000)
        try await storage.extendLock(of: id, mode: mode, until: later)
        #expect(try await storage.lock(of: id)?.until == later)
        try await storage.extendLock(of: id, mode: mode, until: lock.until)
        #expect(try await storage.lock(of: id)?.until == later)
    }

    @Test func aDeleteOfALockedBlobHidesItAndKeepsTheVersion() async throws {
        let server = try S3Server.moto.get()
        let storage = try server.storage(bucket: try await server.makeBucket(hasObjectLock: true))
        let id = try #require(Self.id)
        try await storage.put(id, [1], retention: BlobRetention(mode: .compliance, periodSeconds: 86_400))
        try await storage.delete(id)
        #expect(try await storage.list(prefix: "").isEmpty)
    }

    /// What an attacker can do to a locked blob: put something over it, and hide it.
    @Test(arguments: [1, 1000])
    func versionsShowWhatWasThere(listPageMax: Int) async throws {
        let server = try S3Server.moto.get()
        let storage = try server.storage(
            bucket: try await server.makeBucket(hasObjectLock: true), listPageMax: listPageMax)
        let id = try #require(Self.id)
        let other = try #require(BlobID("p01234"))
        try await storage.put(id, [1, 2, 3], retention: BlobRetention(mode: .compliance, periodSeconds: 86_400))
        try await storage.put(id, [4, 5])
        try await storage.put(other, [6])
        #expect(try await storage.lock(of: id) == nil)
        try await storage.delete(id)
        let versions = try await storage.versions(prefix: "p0123")
        #expect(versions.count == 4)
        #expect(versions.filter(\.isCurrent).map(\.id).sorted() == [id, other])
        let marker = try #require(versions.first { $0.isDeleteMarker })
        #expect(marker.id == id && marker.isCurrent && marker.length == 0)
        let locked = try #require(versions.first { $0.length == 3 })
        #expect(abs(locked.time.secondsSince(.now())) < 60)
        #expect(try await storage.lock(of: id, version: locked.version)?.mode == .compliance)
        #expect(try await storage.get(id, version: locked.version, range: nil) == [1, 2, 3])
        #expect(try await storage.get(id, version: locked.version, range: 1..<3) == [2, 3])
        await #expect(throws: BlobError.self) { try await storage.get(id) }
        await #expect(throws: BlobError.self) { try await storage.lock(of: id) }
    }

    @Test(arguments: [true, false])
    func whetherABucketCanLockIsSeen(hasObjectLock: Bool) async throws {
        let server = try S3Server.moto.get()
        let storage = try server.storage(bucket: try await server.makeBucket(hasObjectLock: hasObjectLock))
        let support = try await storage.lockSupport()
        #expect(support.keepsVersions == hasObjectLock)
        #expect(support.locksVersions == hasObjectLock)
        #expect(abs(try #require(support.time).secondsSince(.now())) < 60)
    }

    @Test func aBlobWithoutALockHasNone() async throws {
        let server = try S3Server.moto.get()
        let storage = try server.storage(bucket: try await server.makeBucket(hasObjectLock: true))
        let id = try #require(Self.id)
        try await storage.put(id, [1])
        #expect(try await storage.lock(of: id) == nil)
    }

    @Test func retentionInABucketWithoutObjectLockIsSaid() async throws {
        let server = try S3Server.moto.get()
        let storage = try server.storage(bucket: try await server.makeBucket())
        let id = try #require(Self.id)
        do {
            try await storage.put(id, [1], retention: BlobRetention(mode: .compliance, periodSeconds: 86_400))
            Issue.record("it should have been refused")
        } catch let error as BlobError {
            #expect(error.code == .unsupported)
            #expect(error.hint == "if this is about retention: the bucket must have been created with object lock")
        }
    }
}

/// A real server behind a proxy that harms connections.
@Suite(.enabled(if: PythonTools.isWanted("rclone"), "run .ci/install-python-tools"))
struct S3FaultTests {
    private final class Sleeps: Sendable {
        let count = Mutex(0)
        var environment: CloudEnvironment {
            CloudEnvironment(
                retryEnvironment: .init(sleep: { [self] _ in count.withLock { $0 += 1 } }, random: { 0 }))
        }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        let script: [FaultProxy.Fault]
        let retries: Int
        var testDescription: String { id }
    }

    @Test(arguments: [
        Case(id: "503 twice", script: [.status(503), .status(503)], retries: 2),
        Case(id: "reset at once", script: [.reset], retries: 1),
        Case(id: "cut in the middle of the request", script: [.cutRequest(afterBytes: 300_000)], retries: 1),
        Case(id: "nine failures", script: Array(repeating: .status(500), count: 9), retries: 9),
    ])
    func aPutSurvives(_ test: Case) async throws {
        let server = try S3Server.rclone.get()
        let proxy = try FaultProxy(to: server.port, script: test.script)
        let sleeps = Sleeps()
        let bucket = try await server.makeBucket()
        let storage = try server.storage(bucket: bucket, environment: sleeps.environment, port: proxy.port)
        let id = try #require(BlobID("p0123"))
        let pieces = [100_000, 0, 600_000, 348_576].map { SeededBytes.rnd(UInt64($0), $0) }
        try await storage.put(id, pieces: pieces, retention: nil)
        #expect(sleeps.count.withLock { $0 } == test.retries)
        #expect(try await storage.get(id) == Array(pieces.joined()))
    }

    @Test(arguments: [0, 10, 200, 500_000])
    func aGetSurvivesACutAfter(_ bytesBefore: Int) async throws {
        let server = try S3Server.rclone.get()
        let bucket = try await server.makeBucket()
        let id = try #require(BlobID("p0123"))
        let bytes = SeededBytes.rnd(9, 1 << 20)
        try await server.storage(bucket: bucket).put(id, bytes)

        let cut = FaultProxy.Fault.cutResponse(afterBytes: bytesBefore)
        let proxy = try FaultProxy(to: server.port, script: [cut, cut, cut])
        let sleeps = Sleeps()
        let storage = try server.storage(bucket: bucket, environment: sleeps.environment, port: proxy.port)
        #expect(try await storage.get(id) == bytes)
        #expect(sleeps.count.withLock { $0 } == 3)
        #expect(proxy.connections == 4)
    }

    @Test func aListAndADeleteSurviveAServerThatComesBack() async throws {
        let server = try S3Server.rclone.get()
        let bucket = try await server.makeBucket()
        let id = try #require(BlobID("p0123"))
        try await server.storage(bucket: bucket).put(id, [1])
        let proxy = try FaultProxy(to: server.port, script: [.status(503), .reset])
        let sleeps = Sleeps()
        let storage = try server.storage(bucket: bucket, environment: sleeps.environment, port: proxy.port)
        #expect(try await storage.list(prefix: "").map(\.id) == [id])
        #expect(sleeps.count.withLock { $0 } == 2)
        proxy.setScript([.status(500)])
        let other = try server.storage(bucket: bucket, environment: sleeps.environment, port: proxy.port)
        try await other.delete(id)
        #expect(sleeps.count.withLock { $0 } == 3)
        #expect(try await storage.list(prefix: "").isEmpty)
    }

    @Test func tenFailuresAreTooMany() async throws {
        let server = try S3Server.rclone.get()
        let proxy = try FaultProxy(to: server.port, script: Array(repeating: .status(503), count: 10))
        let sleeps = Sleeps()
        let bucket = try await server.makeBucket()
        let storage = try server.storage(bucket: bucket, environment: sleeps.environment, port: proxy.port)
        let id = try #require(BlobID("p0123"))
        do {
            try await storage.put(id, [1, 2, 3])
            Issue.record("it should have failed")
        } catch let error as BlobError {
            #expect(error.isTransient)
            #expect(error.message.hasSuffix("status 503"))
        }
        #expect(sleeps.count.withLock { $0 } == 9)
        #expect(proxy.connections == 10)
    }
}
