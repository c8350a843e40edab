import CloudTestSupport
import HTTPTransport
import KopiaBlob
import KopiaCloud
import KopiaContent
import KopiaFormat
import KopiaManifest
import KopiaServer
import KopiaSnapshot
import Synchronization
import TestSupport
import Testing

@testable import KopiaRepository

/// A kind of place that a repository can be in.
enum Place: String, Sendable, CaseIterable, CustomTestStringConvertible {
    case memory = "memory", folder = "a folder", moto = "S3 (moto)", rclone = "S3 (rclone, checks signatures)"
    case azure = "Azure", azurePlain = "Azure without versions", server = "a repository server"

    var testDescription: String { rawValue }
    /// A repository server shows no blobs.
    var hasBlobs: Bool { self != .server }
}

/// Every place, and what is shown of each: the contract of its blobs, the contract of a repository there, and what becomes
/// of a backup when the way there fails. A folder's own faults — a full disk, killed writers — are in `CrashTests`, and every
/// call that can fail, on storage in memory, in `FaultSweepTests`; a server that breaks the protocol in `ServerFaultTests`.
@Suite(
    .enabled(if: PythonTools.isWanted("moto_server"), "run .ci/install-python-tools"), .serialized,
    .timeLimit(.minutes(5)))
struct EveryPlaceTests {
    @Test(arguments: Place.allCases.filter(\.hasBlobs)) func theStorageContractHolds(_ place: Place) async throws {
        let at = try await PlaceAtWork(place)
        // rclone cannot take several writers of one name: `S3RcloneTests`.
        try await verifyStorageContract(try await at.emptyStorage(), overwritesConcurrently: place != .rclone)
    }

    @Test(arguments: [Place.memory, .folder, .moto, .azure, .server])
    func theContractOfARepositoryHolds(_ place: Place) async throws {
        let at = try await PlaceAtWork(place)
        let first = SeededBytes.rnd(1, 700_000)
        let second = first + SeededBytes.rnd(2, 1000)
        let ids = try await at.open { repository async throws in
            #expect(try await repository.snapshots().isEmpty)
            let written = try await at.write(first, to: repository)
            #expect(written.logicalBytes == 700_000)
            #expect(written.uploadedBytes >= 700_000)
            // What is there is not sent again.
            let more = try await at.write(second, to: repository)
            #expect(more.uploadedBytes < 300_000)
            return [written.snapshot.id, more.snapshot.id]
        }
        try await at.open(.readOnly) { repository async throws in
            #expect(Set(try await repository.snapshots().map(\.id)) == Set(ids))
            #expect(try await at.read(repository, ids[0]) == first)
            #expect(try await at.read(repository, ids[1]) == second)
            #expect(try await repository.verify().problems == [])
            let missing = await #expect(throws: RepositoryError.self) {
                try await repository.snapshot(named: "00112233445566778899aabbccddeeff")
            }
            #expect(missing?.code == .snapshotNotFound)
            let refused = await #expect(throws: RepositoryError.self) { try await at.write([1], to: repository) }
            #expect(refused?.code == .readOnly)
        }
        try await at.open { repository async throws in
            #expect(try await repository.deleteSnapshot(ids[0]))
            #expect(try await !repository.deleteSnapshot(ids[0]))
        }
        // Two at once, each with a session of its own.
        async let left = at.open { try await at.write(SeededBytes.rnd(3, 300_000), to: $0) }
        async let right = at.open { try await at.write(SeededBytes.rnd(4, 300_000), to: $0) }
        _ = try await (left, right)
        try await at.open(.readOnly) { repository async throws in
            #expect(try await repository.snapshots().count == 3)
            #expect(try await at.read(repository, ids[1]) == second)
            #expect(try await repository.verify().problems == [])
        }
    }

    // MARK: Faults of the way there

    enum Fault: String, Sendable, CaseIterable {
        case refused = "503, 429 and 500", reset = "connections reset", cutUpload = "an upload cut in the middle"
        case cutAnswer = "an answer cut in the middle", shortAnswer = "an answer shorter than announced"
        case noAnswer = "no answer", halfAnswer = "half an answer, and then nothing"
        case notTaken = "an upload that nobody takes", slow = "a slow line"

        /// One fault a connection.
        var script: [FaultProxy.Fault] {
            let cut = 200_000
            return switch self {
            case .refused: [.status(503), .status(429), .cutRequest(afterBytes: cut), .status(500)]
            case .reset: [.reset, .reset, .cutRequest(afterBytes: 3000), .reset]
            // Several, because opening makes more than one connection, and any of them may carry the pack.
            case .cutUpload: Array(repeating: .cutRequest(afterBytes: cut), count: 4)
            case .cutAnswer:
                [.cutResponse(afterBytes: 0), .cutResponse(afterBytes: 300), .cutResponse(afterBytes: 1500)]
            case .shortAnswer: [.truncateResponse(afterBytes: 300), .truncateResponse(afterBytes: 1500)]
            case .noAnswer: [.stallResponse(afterBytes: 0)]
            case .halfAnswer: [.stallResponse(afterBytes: 300)]
            case .notTaken: Array(repeating: .stallRequest(afterBytes: cut), count: 4)
            case .slow: Array(repeating: .slow(bytesPerSecond: 4_000_000), count: 100)
            }
        }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let place: Place
        let fault: Fault
        var testDescription: String { "\(place.rawValue): \(fault.rawValue)" }
    }

    static let cases = [Place.moto, .azure, .server].flatMap { place in
        // HTTP's statuses are no matter of a session; what its statuses mend is in `ServerFaultTests`.
        Fault.allCases.filter { place != .server || $0 != .refused }.map { Case(place: place, fault: $0) }
    }

    /// A backup survives, and whoever wants to hears why it takes longer.
    @Test(arguments: cases) func aFaultOfTheWayIsMended(_ test: Case) async throws {
        let at = try await PlaceAtWork(test.place)
        let bytes = SeededBytes.rnd(5, 600_000)
        let heard = Heard()
        try #require(at.proxy).setScript(test.fault.script)
        let written = try await at.open(patience: heard.patience) { try await at.write(bytes, to: $0) }
        at.proxy?.setScript([])
        #expect((at.proxy?.harmed ?? 0 > 0) == (test.fault != .slow))
        // libcurl itself repeats what was cut on a connection it had kept.
        if test.fault != .cutUpload { #expect(heard.isTrouble == (test.fault != .slow), "\(heard.reasons)") }
        #expect(heard.isOver)
        try await at.open(.readOnly) { repository async throws in
            #expect(try await repository.snapshots().map(\.id) == [written.snapshot.id])
            #expect(try await at.read(repository, written.snapshot.id) == bytes)
            #expect(try await repository.verify().problems == [])
        }
        // Reading survives what happens to answers.
        guard [.refused, .reset, .cutAnswer, .shortAnswer, .halfAnswer].contains(test.fault) else { return }
        let reader = Heard()
        at.proxy?.setScript(test.fault.script)
        let read = try await at.open(.readOnly, patience: reader.patience) {
            try await at.read($0, written.snapshot.id)
        }
        #expect(read == bytes)
    }

    /// Storage goes away in the middle of the first pack, for two minutes or for good: the one costs time, the other the backup.
    /// Waiting is counted and costs nothing.
    @Test(arguments: [Place.moto, .azure], [true, false])
    func anOutageIsRiddenOutOrLeavesNothing(_ place: Place, _ comesBack: Bool) async throws {
        let at = try await PlaceAtWork(place)
        let proxy = try #require(at.proxy)
        let bytes = SeededBytes.rnd(6, 600_000)
        let heard = Heard()
        let waited = Mutex(Duration.zero)
        var patience = heard.patience
        patience.sleep = { pause in
            let isOver = waited.withLock { waited in
                waited += pause
                return waited >= .seconds(120)
            }
            if isOver, comesBack { proxy.setScript([]) }
        }
        proxy.setScript([.cutRequest(afterBytes: 200_000)] + Array(repeating: .reset, count: 10_000))
        let outcome: Result<WrittenSnapshot, any Error>
        do {
            outcome = .success(try await at.open(patience: patience) { try await at.write(bytes, to: $0) })
        } catch {
            outcome = .failure(error)
        }
        proxy.setScript([])
        #expect(heard.isTrouble)
        #expect(waited.withLock { $0 } >= .seconds(120))
        try await at.open(.readOnly) { repository async throws in
            let problems = try await repository.verify().problems
            // Of a backup that ended, a pack that was put before the outage may be there, in no index: told, and no damage.
            #expect(problems.allSatisfy { !comesBack && $0.severity == .notice }, "\(problems)")
            let listed = try await repository.snapshots().map(\.id)
            guard comesBack else {
                #expect(throws: (any Error).self) { try outcome.get() }
                #expect(listed == [])
                return
            }
            let written = try outcome.get()
            #expect(listed == [written.snapshot.id])
            #expect(try await at.read(repository, written.snapshot.id) == bytes)
        }
    }

    /// What is told while something is tried again.
    private final class Heard: Sendable {
        private let all = Mutex<[String?]>([])
        var reasons: [String?] { all.withLock { $0 } }
        var isTrouble: Bool { reasons.contains { $0 != nil } }
        var isOver: Bool { reasons.last.map { $0 == nil } ?? true }

        /// Short, so that what stands still is given up soon.
        var patience: RepositoryPatience {
            var patience = RepositoryPatience()
            patience.silenceMax = .seconds(1)
            patience.onTrouble = { [self] reason in all.withLock { $0.append(reason) } }
            return patience
        }
    }
}

/// A repository of its own in such a place.
final class PlaceAtWork: Sendable {
    let place: Place
    /// Before storage services and servers.
    let proxy: FaultProxy?
    private let folder: TemporaryDirectory
    private let memory: (storage: MemoryBlobStorage, format: RepositoryFormat)?
    private let location: RepositoryLocation?
    private let proxiedLocation: RepositoryLocation?
    private let password: RepositoryPassword
    private static let identity = RepositoryIdentity(userName: "runner", host: "client")
    private let emptied: @Sendable () async throws -> any BlobStorage

    init(_ place: Place) async throws {
        self.place = place
        let folder = try TemporaryDirectory()
        let path = folder.path
        var (location, proxied): (RepositoryLocation?, RepositoryLocation?)
        var memory: (MemoryBlobStorage, RepositoryFormat)?
        var proxy: FaultProxy?
        var password = RepositoryPassword("place")
        var emptied: @Sendable () async throws -> any BlobStorage = { MemoryBlobStorage() }
        func reach(_ port: Int, _ make: (Int) throws -> RepositoryLocation) throws {
            let made = try FaultProxy(to: port)
            (location, proxied, proxy) = (try make(port), try make(made.port), made)
        }
        switch place {
        case .memory:
            let storage = MemoryBlobStorage()
            memory = (storage, try await RepositoryFormat.create(storage, password: password))
        case .folder:
            location = .filesystem(path: "\(path)/repository")
            emptied = { try await FilesystemBlobStorage.create(path: "\(path)/blobs") }
        case .moto, .rclone:
            let server = try (place == .moto ? S3Server.moto : S3Server.rclone).get()
            let (bucket, other) = (try await server.makeBucket(), try await server.makeBucket())
            emptied = { try server.storage(bucket: other) }
            let keys = [
                "AWS_ACCESS_KEY_ID": S3Server.accessKeyID, "AWS_SECRET_ACCESS_KEY": S3Server.secretKey,
            ]
            try reach(server.port) {
                try RepositoryLocation(url: "s3://\(bucket)/repo?endpoint=http://127.0.0.1:\($0)", environment: keys)
            }
        case .azure, .azurePlain:
            let double = try (place == .azure ? AzureDouble.withVersions : AzureDouble.withoutVersions).get()
            let (container, other) = (try await double.makeContainer(), try await double.makeContainer())
            emptied = { try double.storage(container: other) }
            try reach(double.port) {
                try RepositoryLocation(
                    url:
                        "azblob://\(container)/repo?account=\(AzureDouble.account)&endpoint=http://127.0.0.1:\($0)/\(AzureDouble.account)",
                    environment: ["AZURE_STORAGE_KEY": AzureDouble.key])
            }
        case .server:
            let double = try Self.double.get()
            try double.reset()
            password = RepositoryPassword("client-password")
            try reach(double.port) {
                try .server(endpoint: "https://127.0.0.1:\($0)", certificate: double.certificate)
            }
        }
        if let location, place != .server {
            try await Repository.create(at: location, password: password, identity: Self.identity)
        }
        (self.location, proxiedLocation, self.memory, self.proxy) = (location, proxied, memory, proxy)
        (self.password, self.emptied) = (password, emptied)
        self.folder = folder
    }

    private static let double = Result { try KopiaServerDouble() }

    func emptyStorage() async throws -> any BlobStorage { try await emptied() }

    /// - Parameter patience: opens it through the proxy; nil directly.
    func open<Result>(
        _ access: RepositoryAccess = .readWrite, patience: RepositoryPatience? = nil,
        _ body: (Repository) async throws -> Result
    ) async throws -> Result {
        if let memory { return try await open(memory.storage, memory.format, access, body) }
        var location = try #require(patience == nil ? location : proxiedLocation)
        if let patience { location.patience = patience }
        return try await Repository.with(
            at: location, password: password, access: access, identity: Self.identity, body)
    }

    private func open<Result>(
        _ storage: any BlobStorage, _ format: RepositoryFormat, _ access: RepositoryAccess,
        _ body: (Repository) async throws -> Result
    ) async throws -> Result {
        let contents = try await LocalContentStore.open(
            storage, format: format, options: .init(isReadOnly: access == .readOnly))
        let manifests = ContentManifestStore(contents: contents)
        let repository = Repository(
            contents: contents, manifests: manifests,
            blobs: .init(storage: storage, contents: contents, manifests: manifests, format: format),
            status: RepositoryStatus(
                format, location: .filesystem(path: "/memory"), access: access, identity: Self.identity),
            identity: Self.identity, access: access, parallelism: 2)
        let result = try await body(repository)
        await contents.close()
        return result
    }

    func write(_ bytes: [UInt8], to repository: Repository) async throws -> WrittenSnapshot {
        var options = SnapshotOptions()
        options.splitter = Splitter(name: "FIXED-128K")
        return try await repository.writeSnapshot(of: Self.identity.source(path: "/dumps"), options: options) {
            try await $0.addFile("dump.sql", bytes: bytes)
        }
    }

    func read(_ repository: Repository, _ id: ManifestID) async throws -> [UInt8] {
        let snapshot = try await repository.snapshot(named: id.description)
        let entry = try await repository.entry(at: "dump.sql", in: snapshot)
        return try await repository.openFile(entry).readAll(limit: 4 << 20)
    }
}
