import CloudTestSupport
import GoFormats
import TestSupport
import Testing

@testable import PodRunner

/// `kando location` with profiles of object storage.
@Suite(.enabled(if: AzureDouble.isWanted, "install python3"))
struct ObjectLocationTests {
    /// A profile for each service, on the doubles there are. Google's XML API takes S3's requests; with HMAC keys they are
    /// signed as S3's too.
    private static func profile(_ type: String) async throws -> String {
        switch type {
        case "azure":
            let double = try AzureDouble.withVersions.get()
            return AzureWorld.profile(try await double.makeContainer(), port: double.port)
        default:
            let server = try S3Server.rclone.get()
            return ProfileText.make(
                type: type, bucket: try await server.makeBucket(), endpoint: "http://127.0.0.1:\(server.port)",
                prefix: "k10/", credential: ProfileText.keyPair(S3Server.accessKeyID, S3Server.secretKey))
        }
    }

    @Test(
        .enabled(if: PythonTools.isWanted("rclone"), "run .ci/install-python-tools"),
        arguments: ["s3Compliant", "azure", "gcs"])
    func pushPullDelete(_ type: String) async throws {
        var world = try World()
        world.environment["PROFILE"] = try await Self.profile(type)
        // By environment, by file, and below as an argument.
        let profile = ["--profile", "env:PROFILE"]
        let bytes = SeededBytes.rnd(3, 3_000_000)
        try Files.write(bytes, world.path("in"))
        let pushed = await world.kando(["location", "push", "-s", "a/1", "-"] + profile, input: world.path("in"))
        try #require(pushed.code == 0, "\(pushed.errors)")
        #expect(pushed.output.isEmpty)
        try #require(await world.kando(["location", "push", "-s", "/a//10", world.path("in")] + profile).code == 0)

        // A longer target is cut.
        try Files.write([UInt8](repeating: 9, count: 4_000_000), world.path("out"))
        let pulled = await world.kando(["location", "pull", "-s", "a/1", world.path("out")] + profile)
        #expect(pulled.code == 0, "\(pulled.errors)")
        #expect(try Files.read(world.path("out")) == bytes)

        try Files.write(Array((world.environment["PROFILE"] ?? "").utf8), world.path("profile"))
        for _ in 0..<2 {
            let deleted = await world.kando(["location", "delete", "-s", "a/1", "-p", "@\(world.path("profile"))"])
            #expect(deleted.code == 0, "\(deleted.errors)")
        }
        let gone = await world.kando(["location", "pull", "-s", "a/1", world.path("out")] + profile)
        #expect(gone.code == 69)
        #expect(gone.errors.hasPrefix("kando: error: there is no object 'k10/a/1' in "))
        // What was there is as it was.
        #expect(try Files.read(world.path("out")) == bytes)
        #expect(await world.kando(["location", "pull", "-s", "a/10", "-"] + profile).output == bytes)
    }

    @Test func aDeleteWithoutAPathIsRefused() async throws {
        let azure = try await AzureWorld()
        for path in ["", "/", ".", ".."] {
            let outcome = await azure.kando(["location", "delete", "-s", path])
            #expect(outcome.code == 69)
        }
    }

    struct Refused: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let credential: JSONValue
        let words: String
    }

    @Test(arguments: [
        Refused(
            testDescription: "none", credential: ["Type": "keyPair", "KeyPair": nil],
            words: "the profile of type azure has no credentials"),
        Refused(
            testDescription: "no base64", credential: ProfileText.keyPair(AzureDouble.account, "hidden-word?"),
            words: "the key of the storage account is not base64"),
        Refused(
            testDescription: "wrong key", credential: ProfileText.keyPair(AzureDouble.account, "aGlkZGVuLXdvcmQ="),
            words: "AuthenticationFailed"),
        Refused(
            testDescription: "unknown field",
            credential: ProfileText.secret(
                "secrets.kanister.io/azure", ["azure_storage_account_id": "a", "azure_storage_key": "hidden", "x": "y"]),
            words: "Secret has an unknown field: x"),
        Refused(
            testDescription: "federated without one",
            credential: ProfileText.secret(
                "secrets.kanister.io/azure",
                ["azure_storage_account_id": AzureDouble.account, "azure_federated_identity": "true"]),
            words: "the profile asks for a federated identity, and this pod has none"),
    ])
    func credentialsThatDoNotWorkAreSaidAndNotShown(_ test: Refused) async throws {
        let azure = try await AzureWorld()
        let profile = AzureWorld.profile(azure.container, port: azure.double.port, credential: test.credential)
        let outcome = await azure.world.kando(["location", "push", "-p", profile, "-s", "x", "-"])
        #expect(outcome.code == 69)
        #expect(outcome.errors.contains(test.words), "\(outcome.errors)")
        #expect(outcome.errors.contains("hint: "))
        #expect(!outcome.errors.contains("hidden") && !outcome.errors.contains("aGlk"))
    }

    @Test func aTypedSecretWithAKeyWorks() async throws {
        let azure = try await AzureWorld()
        let profile = AzureWorld.profile(
            azure.container, port: azure.double.port,
            credential: ProfileText.secret(
                "secrets.kanister.io/azure",
                ["azure_storage_account_id": AzureDouble.account, "azure_storage_key": AzureDouble.key]))
        #expect(await azure.world.kando(["location", "push", "-p", profile, "-s", "x", "-"]).code == 0)
    }

    @Test func aFolderIsNoObject() async throws {
        let azure = try await AzureWorld()
        let outcome = await azure.kando(["location", "push", "-s", "x", "/usr"])
        #expect(outcome.code == 69)
        #expect(outcome.errors.hasPrefix("kando: error: /usr is a folder, and the profile keeps single objects\n"))
    }

    @Test func aBackupNeedsARepository() async throws {
        let azure = try await AzureWorld()
        let outcome = await azure.world.run(["snapshot", "list", "--profile", azure.profile])
        #expect(outcome.code == 3)
        #expect(outcome.errors.contains("names plain objects, and this needs a repository"))
    }
}
