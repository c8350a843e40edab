import CloudTestSupport
import GoFormats
import HTTPTransport
import KopiaBlob
import Secrets
import Synchronization
import TestSupport
import Testing

@testable import KopiaCloud

/// Credentials that are fetched and expire.
struct RefreshingTests {
    private final class World: Sendable {
        struct Gone: Error {}
        let now = Mutex(Timestamp(seconds: 1000))
        let fetches = Mutex(0)
        let fails = Mutex(false)

        func credential(life: Int64) -> Refreshing<Int> {
            Refreshing(clock: { self.now.withLock { $0 } }) {
                if self.fails.withLock({ $0 }) { throw Gone() }
                let number = self.fetches.withLock {
                    $0 += 1
                    return $0
                }
                return Expiring(value: number, until: self.now.withLock { $0 }.adding(seconds: life))
            }
        }
        func pass(_ seconds: Int64) { now.withLock { $0 = $0.adding(seconds: seconds) } }
    }

    @Test func isFetchedOnceAndAgainFiveMinutesBeforeItsEnd() async throws {
        let world = World()
        let credential = world.credential(life: 3600)
        #expect(try await credential.value() == 1)
        world.pass(3299)
        #expect(try await credential.value() == 1)
        world.pass(1)
        #expect(try await credential.value() == 2)
    }

    @Test func aShortLifeIsRenewedInItsLastQuarter() async throws {
        let world = World()
        let credential = world.credential(life: 100)
        #expect(try await credential.value() == 1)
        world.pass(74)
        #expect(try await credential.value() == 1)
        world.pass(1)
        #expect(try await credential.value() == 2)
    }

    @Test func aFailedRenewalIsNoErrorWhileTheOldOneHolds() async throws {
        let world = World()
        let credential = world.credential(life: 3600)
        #expect(try await credential.value() == 1)
        world.fails.withLock { $0 = true }
        world.pass(3400)
        #expect(try await credential.value() == 1)
        world.pass(200)
        await #expect(throws: World.Gone.self) { try await credential.value() }
        world.fails.withLock { $0 = false }
        #expect(try await credential.value() == 2)
    }

    @Test func manyWhoAskAtOnceFetchOnce() async throws {
        let world = World()
        let credential = world.credential(life: 3600)
        let values = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<50 { group.addTask { try await credential.value() } }
            return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
        }
        #expect(values == [1])
    }
}

/// A service that hands out tokens, and remembers what it was asked.
private final class TokenDouble: Sendable {
    private let server: Mutex<LoopbackServer?> = Mutex(nil)
    let port: Int

    init(token: String, status: Int = 200) throws {
        let bodies = Box()
        let server = try LoopbackServer { connection, _ in
            guard let request = try connection.readHead() else { return }
            let body = try connection.readBody(request)
            bodies.add(String(decoding: body, as: UTF8.self))
            let answer =
                status == 200
                ? "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"\(token)\"}"
                : "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS700213: No matching federated identity.\\r\\nTrace\"}"
            try connection.respond(
                status, fields: ["Content-Type: application/json", "Connection: close"], body: Array(answer.utf8))
        }
        port = server.port
        self.box = bodies
        self.server.withLock { $0 = server }
    }

    private let box: Box
    var requests: [String] { box.values.withLock { $0 } }

    private final class Box: Sendable {
        let values = Mutex<[String]>([])
        func add(_ text: String) { values.withLock { $0.append(text) } }
    }
}

@Suite(.enabled(if: AzureDouble.isWanted, "install python3"))
struct TokenTests {
    private static func roundTrip(_ store: any ObjectStore) async throws {
        var rest: [UInt8]? = [1, 2, 3]
        _ = try await store.upload("x", length: nil) {
            defer { rest = nil }
            return rest
        }
        var back: [UInt8] = []
        try await store.download("x") { back += $0 }
        #expect(back == [1, 2, 3])
    }

    @Test func workloadIdentityOpensAzure() async throws {
        let folder = try TemporaryDirectory()
        try Files.write(Array("signed-by-the-cluster\n".utf8), "\(folder.path)/token")
        let tokens = try TokenDouble(token: AzureDouble.token)
        let double = try AzureDouble.withVersions.get()
        let environment = [
            "AZURE_FEDERATED_TOKEN_FILE": "\(folder.path)/token", "AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "app",
            "AZURE_AUTHORITY_HOST": "http://127.0.0.1:\(tokens.port)/",
        ]
        let container = try await double.makeContainer()
        let credentials = try AzureCredentials.from(environment: environment)
        try await Self.roundTrip(try AzureObjectTests.store(double, container, credentials))
        #expect(
            tokens.requests == [
                "client_id=app&scope=https%3A%2F%2Fstorage.azure.com%2F.default&grant_type=client_credentials"
                    + "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
                    + "&client_assertion=signed-by-the-cluster"
            ])
    }

    @Test func whatEntraRefusesIsSaidWithoutSecrets() async throws {
        let tokens = try TokenDouble(token: "", status: 401)
        let double = try AzureDouble.withVersions.get()
        let credentials = try AzureCredentials.from(environment: [
            "AZURE_CLIENT_SECRET": "hidden-word", "AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_ID": "app",
            "AZURE_AUTHORITY_HOST": "http://127.0.0.1:\(tokens.port)",
        ])
        let error = await #expect(throws: BlobError.self) {
            try await AzureObjectTests.store(double, "container", credentials).delete("x")
        }
        #expect(
            error?.message
                == "could not get a token for the application app: AADSTS700213: No matching federated identity. (status 401)"
        )
        #expect(error?.code == .accessDenied)
        #expect(error?.hint?.hasPrefix("check tenant, client") == true)
        #expect(tokens.requests.first?.contains("client_secret=hidden-word") == true)
    }

    @Test(.enabled(if: PythonTools.isWanted(package: "azure/storage/blob"), "run .ci/install-python-tools"))
    func aSharedAccessSignatureOfTheOfficialClientOpensAzure() async throws {
        let run = try Program.run(
            try PythonTools.require("python"),
            [Fixture.path("account_sas.py"), AzureDouble.account, AzureDouble.key])
        try #require(run.exitCode == 0, "\(run.output)")
        let double = try AzureDouble.withVersions.get()
        let container = try await double.makeContainer()
        let folder = try TemporaryDirectory()
        try Files.write(Array("?\(run.output)".utf8), "\(folder.path)/sas")
        let fromFile = try AzureCredentials.from(environment: ["AZURE_SAS_TOKEN_FILE": "\(folder.path)/sas"])
        try await Self.roundTrip(try AzureObjectTests.store(double, container, fromFile))
        let token = String(run.output.split(separator: "\n").first ?? "")
        try await Self.roundTrip(
            try AzureObjectTests.store(double, container, .sharedAccessSignature(Secret(token))))
        let error = await #expect(throws: BlobError.self) {
            try await Self.roundTrip(
                try AzureObjectTests.store(double, container, .sharedAccessSignature(Secret(token + "x"))))
        }
        #expect(error?.code == .accessDenied)
        #expect(error?.message.contains("sig=") == false)
    }

    @Test(.enabled(if: PythonTools.isWanted("moto_server"), "run .ci/install-python-tools"))
    func rolesAreAssumedThroughSTS() async throws {
        let server = try S3Server.moto.get()
        let folder = try TemporaryDirectory()
        try Files.write(Array("web-identity-token".utf8), "\(folder.path)/token")
        let endpoint = "http://127.0.0.1:\(server.port)/"
        let role = "arn:aws:iam::123456789012:role/backup"
        let sources = [
            try S3CredentialSource.from(
                environment: [
                    "AWS_WEB_IDENTITY_TOKEN_FILE": "\(folder.path)/token", "AWS_ROLE_ARN": role,
                    "AWS_ENDPOINT_URL_STS": endpoint,
                ], region: "us-east-1"),
            .assuming(role: role, with: S3Server.credentials, region: "us-east-1", endpoint: endpoint),
        ]
        for source in sources {
            guard case .keys(let keys) = try source.authorization(.system) else {
                Issue.record("no keys")
                continue
            }
            let credentials = try await keys.value()
            #expect(credentials.accessKeyID.hasPrefix("ASIA"))
            #expect(credentials.sessionToken != nil)
            let store = try S3ObjectStore(
                try server.configuration(bucket: try await server.makeBucket()), source: source)
            try await Self.roundTrip(store)
        }
    }

    @Test(.enabled(if: PythonTools.isWanted("moto_server"), "run .ci/install-python-tools"))
    func aServiceAccountGetsATokenForASignedRequest() async throws {
        let folder = try TemporaryDirectory()
        func openssl(_ arguments: String...) throws {
            let program = try #require(Program.find("openssl"))
            let run = try Program.run(program, arguments)
            try #require(run.exitCode == 0, "\(run.output)")
        }
        try openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "\(folder.path)/key")
        try openssl("pkey", "-in", "\(folder.path)/key", "-pubout", "-out", "\(folder.path)/public")
        let tokens = try TokenDouble(token: "google-token")
        let account: JSONValue = [
            "type": "service_account", "private_key_id": "k1", "client_email": "runner@project.iam",
            "private_key": .string(String(decoding: try Files.read("\(folder.path)/key"), as: UTF8.self)),
            "token_uri": .string("http://127.0.0.1:\(tokens.port)/token"),
        ]
        let server = try S3Server.moto.get()
        let source = try S3CredentialSource.googleServiceAccount(key: Secret(GoJSON.text(account)))
        let store = try S3ObjectStore(try server.configuration(bucket: try await server.makeBucket()), source: source)
        try await Self.roundTrip(store)

        let request = try #require(tokens.requests.first)
        #expect(tokens.requests.count == 1)
        #expect(request.hasPrefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="))
        let parts = request.split(separator: "=").last.map { $0.split(separator: ".").map(String.init) } ?? []
        try #require(parts.count == 3)
        func decoded(_ text: String) throws -> [UInt8] {
            let plain = String(text.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
            return try #require(Base64.decode(plain + String(repeating: "=", count: (4 - plain.count % 4) % 4)))
        }
        let claims = try JSONParser.parse(try decoded(parts[1]))
        #expect(claims["iss"] == "runner@project.iam")
        #expect(claims["scope"] == "https://www.googleapis.com/auth/devstorage.read_write")
        #expect((claims["exp"]?.integerValue ?? 0) - (claims["iat"]?.integerValue ?? 0) == 3600)
        #expect(try JSONParser.parse(try decoded(parts[0])) == ["alg": "RS256", "typ": "JWT", "kid": "k1"])
        try Files.write(Array("\(parts[0]).\(parts[1])".utf8), "\(folder.path)/signed")
        try Files.write(try decoded(parts[2]), "\(folder.path)/signature")
        try openssl(
            "dgst", "-sha256", "-verify", "\(folder.path)/public", "-signature", "\(folder.path)/signature",
            "\(folder.path)/signed")
    }

    @Test(arguments: ["{}", "", "not json", "{\"client_email\":\"a\",\"private_key\":\"hidden-word\"}"])
    func whatIsNoKeyFileIsRefusedWithoutShowingIt(_ text: String) async throws {
        do {
            let source = try S3CredentialSource.googleServiceAccount(key: Secret(text))
            let store = try S3ObjectStore(
                try S3Configuration(bucket: "bucket", endpoint: "http://127.0.0.1:1"), source: source)
            try await store.delete("x")
            Issue.record("it should have been refused")
        } catch let error as BlobError {
            #expect(error.code == .accessDenied)
            #expect(!"\(error)".contains("hidden"))
        }
    }
}

struct SharedCredentialsTests {
    private static let text = """
        # comment
        [default]
        aws_access_key_id = one
        aws_secret_access_key=hidden-word

        [ other ]
        AWS_ACCESS_KEY_ID = two
        aws_secret_access_key = a=b/c+d=
        aws_session_token = token
        [half]
        aws_access_key_id = three
        """

    @Test(arguments: [(nil, "one", "hidden-word"), ("", "one", "hidden-word"), ("other", "two", "a=b/c+d=")])
    func aSectionIsRead(_ profile: String?, _ id: String, _ key: String) throws {
        let folder = try TemporaryDirectory()
        try Files.write(Array(Self.text.utf8), "\(folder.path)/file")
        let credentials = try SharedCredentials.read("\(folder.path)/file", profile: profile)
        #expect(credentials.accessKeyID == id)
        #expect(credentials.secretAccessKey == Secret(key))
        #expect((credentials.sessionToken != nil) == (profile == "other"))
    }

    @Test(arguments: ["half", "missing"]) func whatIsNotThereIsSaid(_ profile: String) throws {
        let folder = try TemporaryDirectory()
        try Files.write(Array(Self.text.utf8), "\(folder.path)/file")
        let error = #expect(throws: BlobError.self) {
            try SharedCredentials.read("\(folder.path)/file", profile: profile)
        }
        #expect(
            error?.message
                == "the file '\(folder.path)/file' has no credentials for S3 in its section [\(profile)]")
        let none = #expect(throws: BlobError.self) { try SharedCredentials.read("/nowhere/file", profile: nil) }
        #expect(
            none?.message
                == "the file of credentials for S3 '/nowhere/file' cannot be opened: No such file or directory")
    }
}
