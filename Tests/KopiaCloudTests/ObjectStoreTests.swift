import CloudTestSupport
import GoFormats
import HTTPTransport
import KopiaBlob
import Secrets
import Synchronization
import TestSupport
import Testing

@testable import KopiaCloud

/// How large parts are, counted to the end of the largest object.
struct PartPlanTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let plan: PartPlan
    }
    static let plans = [Case(testDescription: "S3", plan: .s3), Case(testDescription: "Azure", plan: .azure)]

    private static func parts(of total: Int64, _ plan: PartPlan, length: Int64?) -> (count: Int, largest: Int) {
        var position: Int64 = 0
        var count = 0
        var largest = 0
        while position < total {
            let size = plan.partBytes(at: position, length: length)
            largest = max(largest, size)
            position += Int64(size)
            count += 1
        }
        return (count, largest)
    }

    @Test(arguments: plans) func theLongestStreamFitsWithoutItsLengthBeingKnown(_ test: Case) {
        let (count, largest) = Self.parts(of: test.plan.streamBytesMax, test.plan, length: nil)
        #expect(count <= test.plan.partsMax)
        #expect(Int64(largest) <= test.plan.partBytesMax)
    }

    @Test(arguments: plans) func whenTheLengthIsKnownPartsAreEqualAndSmall(_ test: Case) {
        let (count, largest) = Self.parts(of: test.plan.objectBytesMax, test.plan, length: test.plan.objectBytesMax)
        #expect(count <= test.plan.partsMax)
        #expect(Int64(largest) <= test.plan.objectBytesMax / Int64(test.plan.partsMax) + (2 << 20))
    }

    @Test(arguments: [PartPlan.s3, .azure]) func sixtyGibibytesTakePartsOfTheFirstSize(_ plan: PartPlan) {
        let (count, largest) = Self.parts(of: 60 << 30, plan, length: nil)
        #expect(largest == 16 << 20)
        #expect(count == 3840)
    }
}

/// A sink that holds what it was given, counts what is on the way, and fails by script.
final class RecordingSink: PartSink {
    struct State {
        var parts: [Int: [UInt8]] = [:]
        var inFlight = 0
        var inFlightMax = 0
        var events: [String] = []
    }
    let action = "store 'x' nowhere"
    let state = Mutex(State())
    let failingPart: Int?
    let stalled: Gate?

    init(failingPart: Int? = nil, stalled: Gate? = nil) {
        self.failingPart = failingPart
        self.stalled = stalled
    }

    private func note(_ event: String) { state.withLock { $0.events.append(event) } }

    func putWhole(_ bytes: [UInt8]) async throws { note("whole \(bytes.count)") }
    func begin() async throws { note("begin") }
    func putPart(_ number: Int, _ bytes: [UInt8]) async throws -> Int {
        state.withLock {
            $0.inFlight += bytes.count
            $0.inFlightMax = max($0.inFlightMax, $0.inFlight)
        }
        if let stalled { await stalled.wait() }
        if number == failingPart { throw BlobError(.io, "could not \(action): status 500") }
        state.withLock {
            $0.inFlight -= bytes.count
            $0.parts[number] = bytes
        }
        return number
    }
    func complete(_ receipts: [Int], bytes: Int64) async throws { note("complete \(receipts) \(bytes)") }
    func abort() async throws { note("abort") }

    var events: [String] { state.withLock { $0.events } }
    var bytes: [UInt8] {
        state.withLock { state in state.parts.keys.sorted().flatMap { state.parts[$0] ?? [] } }
    }
}

struct StreamUploadTests {
    static let plan = PartPlan(
        firstPartBytes: 100, evenBytes: 100_000, growthParts: 1000, partsMax: 50, partBytesMax: 1 << 30,
        objectBytesMax: 1 << 30)

    private static func source(_ bytes: [UInt8], chunk: Int) -> () async throws -> [UInt8]? {
        var rest = bytes[...]
        return {
            if rest.isEmpty { return nil }
            defer { rest = rest.dropFirst(chunk) }
            return Array(rest.prefix(chunk))
        }
    }

    @Test(arguments: [0, 1, 99, 100], [1, 7, 100, 1000]) func whatFitsIntoOnePartIsStoredWhole(
        _ count: Int, _ chunk: Int
    )
        async throws
    {
        let sink = RecordingSink()
        let stored = try await StreamUpload(plan: Self.plan, sink: sink).run(
            length: nil, next: Self.source(SeededBytes.rnd(1, count), chunk: chunk))
        #expect(stored == Int64(count))
        #expect(sink.events == ["whole \(count)"])
    }

    @Test(arguments: [101, 200, 777, 4999], [1, 99, 100, 101, 5000])
    func partsAreTheStreamInOrder(_ count: Int, _ chunk: Int) async throws {
        let sink = RecordingSink()
        let bytes = SeededBytes.rnd(2, count)
        let stored = try await StreamUpload(plan: Self.plan, sink: sink).run(
            length: nil, next: Self.source(bytes, chunk: chunk))
        #expect(stored == Int64(count))
        #expect(sink.bytes == bytes)
        let parts = (count + 99) / 100
        #expect(sink.events == ["begin", "complete \(Array(1...parts)) \(count)"])
    }

    @Test func aSourceThatFailsLeavesNothing() async throws {
        struct Gone: Error {}
        let sink = RecordingSink()
        var calls = 0
        await #expect(throws: Gone.self) {
            try await StreamUpload(plan: Self.plan, sink: sink).run(length: nil) {
                calls += 1
                if calls > 5 { throw Gone() }
                return [UInt8](repeating: 1, count: 100)
            }
        }
        #expect(sink.events == ["begin", "abort"])
    }

    @Test func aPartThatFailsAbortsTheUpload() async throws {
        let sink = RecordingSink(failingPart: 3)
        await #expect(throws: BlobError.self) {
            try await StreamUpload(plan: Self.plan, sink: sink).run(
                length: nil, next: Self.source(SeededBytes.rnd(3, 3000), chunk: 64))
        }
        #expect(sink.events == ["begin", "abort"])
    }

    @Test func aCancelledUploadIsAbortedToo() async throws {
        let gate = Gate()
        let sink = RecordingSink(stalled: gate)
        let task = Task {
            try await StreamUpload(plan: Self.plan, sink: sink).run(
                length: nil, next: Self.source(SeededBytes.rnd(3, 3000), chunk: 64))
        }
        await gate.reached()
        task.cancel()
        gate.open()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(sink.events == ["begin", "abort"])
    }

    @Test func aStreamThatIsTooLongIsSaidAndAborted() async throws {
        let sink = RecordingSink()
        let error = await #expect(throws: BlobError.self) {
            try await StreamUpload(plan: Self.plan, sink: sink).run(
                length: nil, next: Self.source(SeededBytes.rnd(3, 5001), chunk: 64))
        }
        #expect(error?.message == "could not store 'x' nowhere: it is larger than the service takes as one object")
        #expect(sink.events == ["begin", "abort"])
    }

    /// The bound that `StreamUpload` documents, with a sink that stalls until everything it may hold is there.
    @Test func partsOnTheWayAreBounded() async throws {
        let gate = Gate()
        let sink = RecordingSink(stalled: gate)
        async let stored = StreamUpload(plan: Self.plan, sink: sink, bytesInFlightMax: 450).run(
            length: nil, next: Self.source(SeededBytes.rnd(3, 4000), chunk: 64))
        await gate.reached(by: 4)
        gate.open()
        #expect(try await stored == 4000)
        #expect(sink.state.withLock { $0.inFlightMax } == 400)
    }
}

/// One suite for every service: what is pushed is pulled, deleted, listed.
struct ObjectContract {
    let store: any ObjectStore
    /// rclone keeps objects as files: none can be below another.
    var keepsFiles = false
    /// Small, so that the uploads have many parts.
    static let partBytes: Int64 = 5 << 20

    func verify() async throws {
        for count in [0, 1, 5 << 20, (5 << 20) + 1, 23_000_001] {
            let bytes = SeededBytes.rnd(UInt64(count), count)
            var rest = bytes[...]
            let stored = try await store.upload("folder/some file+é", length: nil) {
                if rest.isEmpty { return nil }
                defer { rest = rest.dropFirst(65_536) }
                return Array(rest.prefix(65_536))
            }
            #expect(stored == Int64(count))
            var back: [UInt8] = []
            try await store.download("folder/some file+é") { back += $0 }
            #expect(back == bytes, "\(count) bytes")
        }
        for name in keepsFiles ? ["a/1", "a/10"] : ["a/1", "a/1/below", "a/1/deep/er", "a/10", "a"] {
            _ = try await store.upload(name, length: 1) { nil }
        }
        try await store.deleteTree("a/1")
        try await store.deleteTree("a/1")
        var names: [String] = []
        try await store.forEachPage(ofNamesWithPrefix: "a") { names += $0 }
        #expect(names.sorted() == (keepsFiles ? ["a/10"] : ["a", "a/10"]))
        let error = await #expect(throws: BlobError.self) { try await store.download("a/1") { _ in } }
        #expect(error?.code == .notFound)
        #expect(error?.message == "there is no object 'a/1' in \(store.displayName)")
        // A producer that fails leaves what was there.
        struct Gone: Error {}
        var left = 3
        await #expect(throws: Gone.self) {
            _ = try await store.upload("a/10", length: nil) {
                left -= 1
                if left < 0 { throw Gone() }
                return [UInt8](repeating: 7, count: 5 << 20)
            }
        }
        var old: [UInt8] = []
        try await store.download("a/10") { old += $0 }
        #expect(old.isEmpty)
    }
}

@Suite(.enabled(if: PythonTools.isWanted("rclone"), "run .ci/install-python-tools"))
struct S3ObjectTests {
    static func store(
        _ server: S3Server, _ bucket: String, port: Int? = nil, environment: CloudEnvironment = .system,
        partBytes: Int64 = ObjectContract.partBytes
    ) throws -> S3ObjectStore {
        try S3ObjectStore(
            try server.configuration(bucket: bucket, port: port), source: .fixed(S3Server.credentials),
            environment: environment, firstPartBytes: partBytes)
    }

    @Test(arguments: ["rclone", "moto"]) func theContractHolds(_ name: String) async throws {
        let server = try (name == "rclone" ? S3Server.rclone : S3Server.moto).get()
        try await ObjectContract(
            store: try Self.store(server, try await server.makeBucket()), keepsFiles: name == "rclone"
        ).verify()
    }

    /// Uploads that were begun and are neither complete nor aborted.
    static func openUploads(_ server: S3Server, _ bucket: String) async throws -> Int {
        let client = try S3Client(
            try server.configuration(bucket: bucket), .fixed(S3Server.credentials), .system)
        return try await client.send(.init(blob: nil, action: "list uploads"), .get, "", query: "uploads=") {
            (response: HTTPResponse) throws(CloudService.Failure) -> Int in
            (try? XMLReader.parse(response.body))?.all("Upload").count ?? -1
        }
    }

    @Test func aFailedUploadLeavesNoParts() async throws {
        struct Gone: Error {}
        let server = try S3Server.moto.get()
        let bucket = try await server.makeBucket()
        let store = try Self.store(server, bucket)
        var left = 4
        var openMeanwhile = 0
        await #expect(throws: Gone.self) {
            _ = try await store.upload("x", length: nil) {
                left -= 1
                guard left < 0 else { return [UInt8](repeating: 7, count: 5 << 20) }
                openMeanwhile = try await Self.openUploads(server, bucket)
                throw Gone()
            }
        }
        #expect(openMeanwhile == 1)
        #expect(try await Self.openUploads(server, bucket) == 0)
    }

    struct Fault: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let script: [FaultProxy.Fault]
    }
    static let faults = [
        Fault(testDescription: "503s", script: [.status(503), .status(503)]),
        Fault(testDescription: "resets", script: [.reset, .reset, .reset]),
        Fault(testDescription: "cut in a part", script: [.none, .cutRequest(afterBytes: 3 << 20)]),
        Fault(testDescription: "answers cut", script: [.cutResponse(afterBytes: 20), .cutResponse(afterBytes: 0)]),
    ]

    @Test(arguments: faults) func anUploadSurvives(_ fault: Fault) async throws {
        let server = try S3Server.rclone.get()
        let bucket = try await server.makeBucket()
        let proxy = try FaultProxy(to: server.port, script: fault.script)
        let environment = CloudEnvironment(retryEnvironment: .init(sleep: { _ in }, random: { 0 }))
        let store = try Self.store(server, bucket, port: proxy.port, environment: environment)
        let bytes = SeededBytes.rnd(5, 12_000_000)
        var rest = bytes[...]
        _ = try await store.upload("x", length: nil) {
            if rest.isEmpty { return nil }
            defer { rest = rest.dropFirst(1 << 20) }
            return Array(rest.prefix(1 << 20))
        }
        var back: [UInt8] = []
        try await Self.store(server, bucket).download("x") { back += $0 }
        #expect(back == bytes)
    }

    @Test(arguments: [0, 100, 1_000_000, 7_000_000])
    func aDownloadGoesOnWhereTheConnectionWasCut(_ bytesBefore: Int) async throws {
        let server = try S3Server.rclone.get()
        let bucket = try await server.makeBucket()
        let bytes = SeededBytes.rnd(5, 12_000_000)
        let direct = try Self.store(server, bucket, partBytes: 64 << 20)
        var rest: [UInt8]? = bytes
        _ = try await direct.upload("x", length: nil) {
            defer { rest = nil }
            return rest
        }
        let cut = FaultProxy.Fault.cutResponse(afterBytes: bytesBefore)
        let proxy = try FaultProxy(to: server.port, script: [cut, .status(503), cut])
        let environment = CloudEnvironment(retryEnvironment: .init(sleep: { _ in }, random: { 0 }))
        var back: [UInt8] = []
        try await Self.store(server, bucket, port: proxy.port, environment: environment).download("x") { back += $0 }
        #expect(back == bytes)
        #expect(proxy.connections >= 3)
    }
}

@Suite(.enabled(if: AzureDouble.isWanted, "install python3"))
struct AzureObjectTests {
    static func store(
        _ double: AzureDouble, _ container: String, _ credentials: AzureCredentials? = nil, port: Int? = nil,
        environment: CloudEnvironment = .system
    ) throws -> AzureObjectStore {
        try AzureObjectStore(
            try AzureDouble.configuration(container: container, port: port ?? double.port),
            credentials: try credentials ?? .sharedKey(Secret(AzureDouble.key)), environment: environment,
            firstPartBytes: ObjectContract.partBytes)
    }

    @Test(arguments: [true, false]) func theContractHolds(_ hasVersions: Bool) async throws {
        let double = try (hasVersions ? AzureDouble.withVersions : AzureDouble.withoutVersions).get()
        try await ObjectContract(store: try Self.store(double, try await double.makeContainer())).verify()
    }

    @Test(arguments: S3ObjectTests.faults) func anUploadSurvives(_ fault: S3ObjectTests.Fault) async throws {
        let double = try AzureDouble.withVersions.get()
        let container = try await double.makeContainer()
        let proxy = try FaultProxy(to: double.port, script: fault.script)
        let environment = CloudEnvironment(retryEnvironment: .init(sleep: { _ in }, random: { 0 }))
        let store = try Self.store(double, container, port: proxy.port, environment: environment)
        let bytes = SeededBytes.rnd(5, 12_000_000)
        var rest = bytes[...]
        _ = try await store.upload("x", length: nil) {
            if rest.isEmpty { return nil }
            defer { rest = rest.dropFirst(1 << 20) }
            return Array(rest.prefix(1 << 20))
        }
        var back: [UInt8] = []
        try await Self.store(double, container).download("x") { back += $0 }
        #expect(back == bytes)
    }
}

/// A sink that counts and forgets, with a ceiling of parts as a service has.
private final class CountingSink: PartSink {
    struct State {
        var bytes: Int64 = 0
        var parts = 0
        var inFlight = 0
        var inFlightMax = 0
    }
    let action = "count"
    let state = Mutex(State())
    func putWhole(_ bytes: [UInt8]) async throws {}
    func begin() async throws {}
    @concurrent func putPart(_ number: Int, _ bytes: [UInt8]) async throws -> Int {
        state.withLock {
            $0.inFlight += bytes.count
            $0.inFlightMax = max($0.inFlightMax, $0.inFlight)
        }
        await Task.yield()
        state.withLock {
            $0.inFlight -= bytes.count
            $0.bytes += Int64(bytes.count)
            $0.parts += 1
        }
        return number
    }
    func complete(_ receipts: [Int], bytes: Int64) async throws {}
    func abort() async throws {}
}

struct LongStreamTests {
    /// S3's plan at a thousandth: what 60 GiB are there are 60 MiB × … here. Twenty times what equal parts of the first
    /// size would hold.
    @Test func aLongStreamMeetsNoCeilingAndHoldsLittle() async throws {
        let plan = PartPlan(
            firstPartBytes: 16 << 10, evenBytes: 6 << 20, growthParts: 133, partsMax: 1000, partBytesMax: 5 << 20,
            objectBytesMax: 5 << 30)
        let sink = CountingSink()
        let chunk = [UInt8](repeating: 7, count: 1 << 20)
        let total: Int64 = 320 << 20
        var left = total
        let stored = try await StreamUpload(plan: plan, sink: sink, bytesInFlightMax: 64 << 10).run(length: nil) {
            if left == 0 { return nil }
            left -= Int64(chunk.count)
            return chunk
        }
        let state = sink.state.withLock { $0 }
        #expect(stored == total && state.bytes == total)
        #expect(total > 16 * Int64(plan.partsMax) << 10)
        #expect(state.parts <= plan.partsMax)
        // One part of the last size; before that, four of the first.
        #expect(state.inFlightMax <= plan.partBytes(at: total))
    }
}
