import CloudTestSupport
import GoFormats
import HTTPTransport
import KopiaBlob
import Secrets
import Synchronization
import TestSupport
import Testing

@testable import KopiaCloud

@Suite(.enabled(if: AzureDouble.isWanted, "install python3"))
struct AzureDoubleTests {
    private static let id = BlobID("p0123")

    @Test(arguments: ["", "repo/", "with blank/é+~/"])
    func theStorageContractHolds(_ prefix: String) async throws {
        let double = try AzureDouble.withVersions.get()
        try await verifyStorageContract(
            try double.storage(container: try await double.makeContainer(), prefix: prefix))
    }

    @Test func theStorageContractHoldsWithoutVersions() async throws {
        let double = try AzureDouble.withoutVersions.get()
        try await verifyStorageContract(try double.storage(container: try await double.makeContainer()))
    }

    @Test func listsOfManyPagesAreWhole() async throws {
        let double = try AzureDouble.withVersions.get()
        let storage = try double.storage(container: try await double.makeContainer(), listPageMax: 3)
        let ids = try (0..<10).map { try #require(BlobID("p\($0)")) }
        for id in ids { try await storage.put(id, [1]) }
        #expect(try await storage.list(prefix: "p").map(\.id).sorted() == ids)
    }

    @Test func aWrongKeyIsRefused() async throws {
        let double = try AzureDouble.withVersions.get()
        let storage = try double.storage(container: try await double.makeContainer(), key: "d3Jvbmcta2V5")
        do {
            _ = try await storage.list(prefix: "")
            Issue.record("it should have been refused")
        } catch let error as BlobError {
            #expect(error.code == .accessDenied)
            #expect(
                error.hint == "check the account's key or the shared access signature, and this machine's clock")
            #expect(!"\(error)".contains("d3Jvbmcta2V5"))
        }
    }

    @Test func aWrongClockIsRefused() async throws {
        let double = try AzureDouble.withVersions.get()
        let storage = try double.storage(
            container: try await double.makeContainer(),
            environment: CloudEnvironment(clock: { Timestamp.now().adding(seconds: -3600) }))
        do {
            _ = try await storage.list(prefix: "")
            Issue.record("it should have been refused")
        } catch let error as BlobError {
            #expect(error.code == .accessDenied)
            #expect(error.message.hasSuffix("Request date header too old."))
        }
    }

    @Test func aMissingContainerIsSaid() async throws {
        let double = try AzureDouble.withVersions.get()
        let storage = try double.storage(container: "no-such-container")
        let id = try #require(Self.id)
        for operation in [{ _ = try await storage.list(prefix: "") }, { try await storage.delete(id) }] {
            do {
                try await operation()
                Issue.record("it should have been refused")
            } catch let error as BlobError {
                #expect(error.code == .invalidStorage)
                #expect(
                    error.hint
                        == "create the container 'no-such-container' first, or check its name and the account")
            }
        }
    }

    @Test(arguments: [BlobRetention.Mode.locked, .compliance, .governance])
    func aLockIsSetReadAndExtended(_ mode: BlobRetention.Mode) async throws {
        let double = try AzureDouble.withVersions.get()
        let storage = try double.storage(container: try await double.makeContainer())
        let id = try #require(Self.id)
        let before = Timestamp.now()
        try await storage.put(id, [1], retention: BlobRetention(mode: mode, periodSeconds: 86_400))
        let lock = try #require(try await storage.lock(of: id))
        #expect(lock.mode == .locked)
        #expect(abs(lock.until.secondsSince(before) - 86_400) < 60)

        let later = Timestamp(seconds: lock.until.seconds + 1000)
        try await storage.extendLock(of: id, mode: mode, until: later)
        #expect(try await storage.lock(of: id)?.until == later)
        try await storage.extendLock(of: id, mode: mode, until: lock.until)
        #expect(try await storage.lock(of: id)?.until == later)
    }

    @Test func versionsShowWhatWasThere() async throws {
        let server = try AzureDouble.withVersions.get()
        let storage = try server.storage(container: try await server.makeContainer(), listPageMax: 1)
        let id = try #require(BlobID("p0123"))
        try await storage.put(id, [1, 2, 3], retention: BlobRetention(mode: .locked, periodSeconds: 86_400))
        try await storage.put(id, [4, 5])
        try await storage.delete(id)
        let versions = try await storage.versions(prefix: "p")
        #expect(versions.map(\.length) == [3, 2])
        #expect(!versions.contains { $0.isCurrent || $0.isDeleteMarker })
        let locked = versions[0].version
        #expect(try await storage.lock(of: id, version: locked)?.mode == .locked)
        #expect(try await storage.get(id, version: locked, range: nil) == [1, 2, 3])
        #expect(try await storage.get(id, version: locked, range: 0..<2) == [1, 2])
        await #expect(throws: BlobError.self) { try await storage.get(id) }
    }

    @Test(arguments: [true, false])
    func whetherAContainerCanLockIsSeen(hasVersions: Bool) async throws {
        let server = try hasVersions ? AzureDouble.withVersions.get() : AzureDouble.withoutVersions.get()
        let support = try await server.storage(container: try await server.makeContainer()).lockSupport()
        #expect(support.locksVersions == hasVersions)
        #expect(abs(try #require(support.time).secondsSince(.now())) < 60)
    }

    @Test func aBlobWithoutALockHasNone() async throws {
        let double = try AzureDouble.withVersions.get()
        let storage = try double.storage(container: try await double.makeContainer())
        let id = try #require(Self.id)
        try await storage.put(id, [1])
        #expect(try await storage.lock(of: id) == nil)
        await #expect(throws: BlobError.self) { try await storage.lock(of: try #require(BlobID("missing"))) }
    }

    @Test func retentionWithoutVersionsIsSaid() async throws {
        let double = try AzureDouble.withoutVersions.get()
        let storage = try double.storage(container: try await double.makeContainer())
        let id = try #require(Self.id)
        do {
            try await storage.put(id, [1], retention: BlobRetention(mode: .locked, periodSeconds: 86_400))
            Issue.record("it should have been refused")
        } catch let error as BlobError {
            #expect(error.code == .unsupported)
            #expect(
                error.hint
                    == "retention needs versioning and version-level immutability on the account or the container")
        }
    }

    @Test(arguments: [0, 10, 500_000])
    func readsAndWritesSurviveBrokenConnections(_ bytesBefore: Int) async throws {
        let double = try AzureDouble.withVersions.get()
        let container = try await double.makeContainer()
        let sleeps = Mutex(0)
        let environment = CloudEnvironment(
            retryEnvironment: .init(sleep: { _ in sleeps.withLock { $0 += 1 } }, random: { 0 }))
        let proxy = try FaultProxy(
            to: double.port, script: [.status(503), .cutRequest(afterBytes: bytesBefore), .status(500)])
        let id = try #require(Self.id)
        let pieces = [1, 500_000, 0, 548_575].map { SeededBytes.rnd(UInt64($0), $0) }
        let bytes = Array(pieces.joined())
        try await double.storage(container: container, environment: environment, port: proxy.port)
            .put(id, pieces: pieces, retention: nil)
        #expect(sleeps.withLock { $0 } == 3)
        proxy.setScript([.reset, .cutResponse(afterBytes: bytesBefore)])
        let reader = try double.storage(container: container, environment: environment, port: proxy.port)
        #expect(try await reader.get(id) == bytes)
        #expect(sleeps.withLock { $0 } == 5)
    }
}

/// Microsoft's own client beside ours, on the same double.
@Suite(.enabled(if: PythonTools.isWanted(package: "azure/storage/blob"), "run .ci/install-python-tools"))
struct AzureOfficialClientTests {
    @Test func theDoubleIsWhatTheOfficialClientExpects() async throws {
        let double = try AzureDouble.withVersions.get()
        #expect(try double.officialClient("official-\(UInt32.random(in: 0 ... .max))", "check") == "done\n")
    }

    @Test func eachReadsWhatTheOtherWrote() async throws {
        let double = try AzureDouble.withVersions.get()
        let container = try await double.makeContainer()
        let storage = try double.storage(container: container, prefix: "r/")
        let ours = try #require(BlobID("p1"))
        let bytes = SeededBytes.rnd(1, 100_000)
        try await storage.put(ours, bytes, retention: BlobRetention(mode: .locked, periodSeconds: 86_400))
        let until = try #require(try await storage.lock(of: ours)).until
        #expect(
            try double.officialClient(container, "read")
                == "r/p1 100000 \(SHA256.hex(bytes)) locked \(until.seconds)\n")

        _ = try double.officialClient(container, "write", "r/p2", "5000")
        let theirs = try #require(BlobID("p2"))
        #expect(try await storage.get(theirs) == [UInt8](repeating: UInt8(ascii: "x"), count: 5000))
        #expect(try await storage.list(prefix: "").map(\.id).sorted() == [ours, theirs])
    }

    @Test func aDeleteOfALockedBlobHidesItAndKeepsTheVersion() async throws {
        let double = try AzureDouble.withVersions.get()
        let container = try await double.makeContainer()
        let storage = try double.storage(container: container, prefix: "")
        let id = try #require(BlobID("p1"))
        try await storage.put(id, [1, 2, 3], retention: BlobRetention(mode: .locked, periodSeconds: 86_400))
        try await storage.delete(id)
        #expect(try await storage.list(prefix: "").isEmpty)
        do {
            _ = try await storage.get(id)
            Issue.record("it should be gone")
        } catch let error as BlobError {
            #expect(error.code == .notFound)
        }
        let versions = try double.officialClient(container, "versions").split(separator: "\n").map(String.init)
        #expect(versions.contains("p1 3 locked"))
        #expect(versions.filter { $0.hasSuffix(" locked") }.count == 1)
        // Written anew, it is there again.
        try await storage.put(id, [4])
        #expect(try await storage.get(id) == [4])
    }
}

struct AzureRequestTests {
    /// Source: Microsoft, "Authorize with Shared Key", the example for Get Container Metadata.
    @Test func theStringToSignOfMicrosoftsExample() throws {
        let request = HTTPRequest(
            .get,
            try HTTPURL(
                "http://myaccount.blob.core.windows.net/mycontainer?restype=container&comp=metadata&timeout=20"),
            headers: ["x-ms-version": "2015-02-21", "x-ms-date": "Fri, 26 Jun 2015 23:39:12 GMT"])
        #expect(
            SharedKey.stringToSign(request, account: "myaccount", contentLength: 0)
                == "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n/myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20"
        )
    }

    @Test func aSharedAccessSignatureGoesIntoTheQueryAndIntoNoMessage() async throws {
        let target = Mutex("")
        let server = try LoopbackServer { connection, _ in
            while let request = try connection.readHead() {
                target.withLock { $0 = request.target }
                try connection.respond(403, fields: ["x-ms-error-code: AuthenticationFailed"])
            }
        }
        var connection = CloudConnection()
        connection.proxy = .none
        let storage = try AzureBlobStorage(
            try AzureConfiguration(
                account: "acct", container: "cont", endpoint: "http://127.0.0.1:\(server.port)", connection: connection),
            credentials: .sharedAccessSignature(Secret("?sv=2021&sig=s3cr3t%2B")))
        do {
            _ = try await storage.lock(of: try #require(BlobID("p1")))
            Issue.record("it should have been refused")
        } catch let error as BlobError {
            #expect(error.code == .accessDenied)
            #expect(
                error.message
                    == "could not read the retention of blob 'p1' in azblob://cont/?account=acct: AuthenticationFailed (status 403)"
            )
        }
        #expect(target.withLock { $0 } == "/cont/p1?sv=2021&sig=s3cr3t%2B")
    }

    @Test func secretsAreNotPrinted() throws {
        let credentials = [
            try AzureCredentials.sharedKey(Secret("c2VjcmV0")), .sharedAccessSignature(Secret("sig=s3cr3t")),
        ]
        for credential in credentials {
            var dumped = ""
            dump(credential, to: &dumped)
            for text in ["\(credential)", String(reflecting: credential), dumped] {
                #expect(!text.contains("s3cr3t") && !text.contains("115") && !text.contains("c2Vj"))
            }
        }
    }
}

struct CloudLocationTests {
    private func s3(_ url: String, _ environment: [String: String] = [:]) throws -> S3Configuration {
        guard case .s3(let configuration) = try CloudLocation(url: url, environment: environment) else {
            throw TestSupportError("not S3")
        }
        return configuration
    }

    private func azure(_ url: String, _ environment: [String: String] = [:]) throws -> AzureConfiguration {
        guard case .azure(let configuration) = try CloudLocation(url: url, environment: environment) else {
            throw TestSupportError("not Azure")
        }
        return configuration
    }

    @Test func addressesOfS3() throws {
        #expect(
            try s3("s3://bkt/team/db?endpoint=http%3A%2F%2F127.0.0.1:9000").url(key: "k").wireText
                == "http://127.0.0.1:9000/bkt/k")
        #expect(try s3("s3://bkt/team/db").prefix == "team/db/")
        #expect(try s3("s3://bkt/team/db/").prefix == "team/db/")
        #expect(try s3("s3://bkt").prefix == "")
        #expect(try s3("s3://bkt?prefix=literal-").prefix == "literal-")
        #expect(try s3("s3://bkt?region=eu-west-1").url().authority == "bkt.s3.eu-west-1.amazonaws.com")
        #expect(try s3("s3://bkt", ["AWS_DEFAULT_REGION": "eu-west-2"]).region == "eu-west-2")
        #expect(try s3("s3://bkt?style=path").url().wireText == "https://s3.us-east-1.amazonaws.com/bkt")
        #expect(try s3("s3://bkt?tls=skip-verify").connection.trust == .anything)
    }

    @Test func addressesOfAzure() throws {
        #expect(
            try azure("azblob://cont/a%20b?account=acct").url(name: "k").wireText
                == "https://acct.blob.core.windows.net/cont/k")
        #expect(try azure("azblob://cont/a%20b?account=acct").prefix == "a b/")
        #expect(try azure("azblob://cont", ["AZURE_STORAGE_ACCOUNT": "acct"]).account == "acct")
        #expect(
            try azure("azblob://cont?account=acct&endpoint=http://127.0.0.1:1/acct").url(name: "k").wireText
                == "http://127.0.0.1:1/acct/cont/k")
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let url: String
        let message: String
        var testDescription: String { url }
    }

    @Test(arguments: [
        Case(
            url: "s3:/bkt", message: "'s3:/bkt' is not an address of storage: it does not start with s3:// or azblob://"
        ),
        Case(url: "s3:///x", message: "'s3:///x' is not an address of storage: it names no bucket or container"),
        Case(url: "gs://bkt", message: "'gs://bkt' is not an address of storage: its scheme is neither s3 nor azblob"),
        Case(
            url: "s3://bkt?secret=x",
            message: "'s3://bkt' is not an address of storage: the parameter 'secret' is unknown"),
        Case(
            url: "s3://bkt?region=a&region=b",
            message: "'s3://bkt' is not an address of storage: the parameter 'region' is there twice or wrongly encoded"
        ),
        Case(
            url: "s3://bkt/x?prefix=y",
            message:
                "'s3://bkt/x' is not an address of storage: it has a path and a parameter 'prefix'; one of them is enough"
        ),
        Case(
            url: "s3://bkt?style=other",
            message: "'s3://bkt' is not an address of storage: style 'other' is neither 'path' nor 'virtual'"),
        Case(
            url: "azblob://cont", message: "'azblob://cont' is not an address of storage: it names no storage account"),
        Case(
            url: "s3://bkt?ca=/no/such/file",
            message:
                "'s3://bkt' is not an address of storage: the CA file '/no/such/file' cannot be opened: No such file or directory"
        ),
    ])
    func whatIsWrongIsSaid(_ test: Case) throws {
        do {
            _ = try CloudLocation(url: test.url, environment: [:])
            Issue.record("it should have been refused")
        } catch {
            #expect(error.code == .invalidStorage)
            #expect(error.message == test.message)
        }
    }

    @Test func missingCredentialsAreSaid() throws {
        let variables = ["AWS_ACCESS_KEY_ID": "id"]
        do {
            _ = try CloudLocation(url: "s3://bkt", environment: variables).open(environment: variables)
            Issue.record("it should have been refused")
        } catch {
            #expect(
                error.description
                    == "there are no credentials for S3\nhint: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN for temporary ones"
            )
        }
        #expect(throws: BlobError.self) {
            try CloudLocation(url: "azblob://cont?account=a", environment: [:]).open(environment: [:])
        }
    }
}
