import GoFormats
import TestSupport
import Testing

@testable import KopiaRepository

struct RepositoryLocationTests {
    @Test(arguments: [
        ("file:///srv/repository", "file:///srv/repository"), ("FILE:///a%20b", "file:///a b"),
        ("file:///a/b/", "file:///a/b/"),
    ])
    func namesAFolder(url: String, description: String) throws {
        #expect(try RepositoryLocation(url: url).description == description)
    }

    static let refused: [(String, RepositoryError.Code, String, String)] = [
        ("/srv/x", .invalidLocation, "the repository '/srv/x' is no URL", "write file:///srv/x"),
        ("", .invalidLocation, "the repository '' is no URL", "a folder is written file:///its/absolute/path"),
        (
            "file://host/x", .invalidLocation, "the repository 'file://host/x' does not name an absolute folder",
            "a folder is written file:///its/absolute/path"
        ),
        (
            "file:///", .invalidLocation, "the repository 'file:///' does not name an absolute folder",
            "a folder is written file:///its/absolute/path"
        ),
        (
            "file:///a%zz", .invalidLocation, "the repository 'file:///a%zz' does not name an absolute folder",
            "a folder is written file:///its/absolute/path"
        ),
        (
            "s3://bucket/prefix", .noCredentials, "there are no credentials for S3",
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN for temporary ones"
        ),
        (
            "s3://bucket?reigon=x", .invalidLocation,
            "'s3://bucket' is not an address of storage: the parameter 'reigon' is unknown",
            "known: ca, credentials, endpoint, prefix, region, style, tls"
        ),
        (
            "azblob://container?account=acct", .noCredentials, "there are no credentials for Azure storage",
            "set AZURE_STORAGE_KEY, or AZURE_STORAGE_SAS_TOKEN, or AZURE_FEDERATED_TOKEN_FILE for workload identity"
        ),
        (
            "azblob://container", .invalidLocation,
            "'azblob://container' is not an address of storage: it names no storage account",
            "add ?account=NAME, or set AZURE_STORAGE_ACCOUNT"
        ),
        (
            "gs://bucket", .unsupportedLocation, "repositories at gs:// are not in this version",
            "Google's storage speaks S3 with HMAC keys: s3://bucket/prefix?endpoint=storage.googleapis.com"
        ),
        (
            "kopia+https://host:51515?fingerprint=12", .invalidLocation,
            "the certificate fingerprint '12' is not a SHA-256",
            "it has 64 hex digits; 'kopia server start' prints it as SERVER CERT SHA256"
        ),
        (
            "kopia+https://host:51515?password=x", .invalidLocation,
            "the repository server's address has the unknown parameter 'password=…'",
            "known: fingerprint=SHA256 of the server's certificate"
        ),
        (
            "kopia+https://", .invalidLocation,
            "the address of the repository server 'https://' is not a host and a port",
            "it is written https://host:51515"
        ),
        ("ftp://host/x", .invalidLocation, "the repository has the unknown scheme 'ftp'", known),
    ]
    private static let known =
        "known: file:///its/absolute/path, s3://bucket/prefix?endpoint=HOST&region=NAME, "
        + "azblob://container/prefix?account=NAME, kopia+https://host:port?fingerprint=SHA256"

    @Test(arguments: [
        ("s3://bucket/team/db?region=eu-central-1", "s3://bucket/team/db/"),
        ("azblob://backups/team/?account=acct", "azblob://backups/team/?account=acct"),
    ])
    func namesAPlaceOnAStorageServiceWithoutItsSecrets(url: String, description: String) throws {
        let location = try RepositoryLocation(
            url: url,
            environment: [
                "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hidden-word", "AZURE_STORAGE_KEY": "aGlkZGVu",
            ])
        #expect(location.description == description)
        var dumped = ""
        dump(location, to: &dumped)
        for text in [dumped, String(reflecting: location)] {
            #expect(!text.contains("hidden-word") && !text.contains("aGlkZGVu"))
        }
    }

    @Test(arguments: refused)
    func saysWhatItCannotDo(url: String, code: RepositoryError.Code, message: String, hint: String) {
        let error = #expect(throws: RepositoryError.self) { try RepositoryLocation(url: url) }
        #expect(error?.code == code)
        #expect(error?.message == message)
        #expect(error?.hint == hint)
        #expect(error?.code.isCallersMistake == true)
    }
}

struct RepositoryCreationTests {
    private static let identity = RepositoryIdentity(userName: "runner", host: "fixture")

    @Test func aNewRepositoryHasKopiasPolicyAndMaintenanceOwner() async throws {
        let folder = try TemporaryDirectory()
        let location = RepositoryLocation.filesystem(path: folder.path + "/new/repository")
        let password = RepositoryPassword("secret")
        try await Repository.create(at: location, password: password, identity: Self.identity)
        try await Repository.with(at: location, password: password, identity: Self.identity) { repository in
            #expect(try await repository.snapshots() == [])
            #expect(repository.status.splitter == "DYNAMIC-4M-BUZHASH")
            let policies = try await repository.manifests.find(labels: ["type": "policy"])
            #expect(policies.map(\.labels) == [["type": "policy", "policyType": "global"]])
            let maintenance = try await repository.manifests.find(labels: ["type": "maintenance"])
            #expect(maintenance.map { $0.payload["owner"] } == ["runner@fixture"])
        }
    }

    @Test func neverTouchesWhatIsThere() async throws {
        let folder = try TemporaryDirectory()
        let location = RepositoryLocation.filesystem(path: folder.path)
        let password = RepositoryPassword("secret")
        try await Repository.create(at: location, password: password, identity: Self.identity)
        let before = Files.names(folder.path)
        let error = await #expect(throws: RepositoryError.self) {
            try await Repository.create(at: location, password: password, identity: Self.identity)
        }
        #expect(error?.code == .alreadyExists)
        #expect(error?.message == "'\(folder.path)' already holds a kopia repository")
        #expect(Files.names(folder.path) == before)
        let other = try TemporaryDirectory()
        try Files.write([1], other.path + "/letter.txt")
        let second = await #expect(throws: RepositoryError.self) {
            try await Repository.create(
                at: .filesystem(path: other.path), password: password, identity: Self.identity)
        }
        #expect(second?.code == .invalidLocation)
        #expect(second?.message == "'\(other.path)' is not empty: it holds 'letter.txt'")
        #expect(Files.names(other.path) == ["letter.txt"])
    }

    static let refused: [(@Sendable (inout Repository.CreateOptions) -> Void, String)] = [
        ({ $0.hash = "MD5" }, "'MD5' is not the name of a hash"),
        ({ $0.encryption = "NONE" }, "'NONE' is not the name of a cipher"),
        ({ $0.keyDerivation = "x" }, "'x' is not the name of a key derivation"),
        (
            { $0.splitter = "DYNAMIC-16K-BUZHASH" },
            "'DYNAMIC-16K-BUZHASH' is not the name of a splitter that kopia knows"
        ),
        ({ $0.formatVersion = 4 }, "format version 4 cannot be created; 1, 2 and 3 can"),
    ]

    @Test(arguments: refused.indices)
    func refusesWhatKopiaWouldNotOpen(position: Int) async throws {
        let folder = try TemporaryDirectory()
        let (change, message) = Self.refused[position]
        var options = Repository.CreateOptions()
        change(&options)
        let error = await #expect(throws: RepositoryError.self) {
            try await Repository.create(
                at: .filesystem(path: folder.path + "/r"), password: RepositoryPassword("secret"), options: options,
                identity: Self.identity)
        }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message == message)
    }

    @Test func passwordsDoNotPrint() {
        let password = RepositoryPassword("geheim")
        #expect("\(password) \(String(reflecting: password))" == "<redacted> <redacted>")
    }
}
