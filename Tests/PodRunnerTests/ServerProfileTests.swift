import GoFormats
import RunnerContract
import TestSupport
import Testing

@testable import PodRunner

/// Profiles of type `kopia`, as Kasten renders them, against the double of a repository server.
@Suite(.enabled(if: KopiaServerDouble.isWanted, "run .ci/install-python-tools"), .serialized, .timeLimit(.minutes(5)))
struct ServerProfileTests {
    private static let double = Result { try KopiaServerDouble() }

    private let double: KopiaServerDouble

    init() throws {
        double = try Self.double.get()
        try double.reset()
    }

    /// In the order Kanister writes it; nil leaves a member out.
    private func profile(
        endpoint: String? = nil, certificate: String? = nil, user: String? = "runner", host: String? = "client",
        password: String? = "client-password"
    ) -> String {
        func text(_ value: String?) -> JSONValue { .string(value ?? "") }
        let json: JSONValue = [
            "Location": [
                "type": "kopia", "bucket": "ignored", "endpoint": text(endpoint ?? double.endpoint),
                "prefix": "ignored",
                "region": "",
            ],
            "Credential": [
                "Type": "kopia", "KeyPair": nil, "Secret": nil,
                "KopiaServerSecret": [
                    "Username": text(user), "Hostname": text(host), "Password": text(password),
                    "Cert": text(certificate ?? double.certificate),
                    "ConnectOptions": [
                        "dataStoreGeneralContentCacheSize": 0, "dataStoreGeneralMetadataCacheSize": 500,
                    ],
                ],
            ],
            "SkipSSLVerify": false,
        ]
        return GoJSON.text(json)
    }

    @Test func kandoPushesPullsAndDeletes() async throws {
        let world = try World()
        let bytes = SeededBytes.rnd(7, 1_000_001)
        try Files.write(bytes, world.path("in"))
        let pushed = await world.kando(
            ["location", "push", "--profile", profile(), "--path", "/pg/app/backup.sql", "--output-name", "out", "-"],
            input: world.path("in"))
        try #require(pushed.code == 0, "\(pushed.errors)")
        #expect(pushed.lines.first == "Snapshotting runner@client:/pg/app ...")
        let reference = try KopiaSnapshotReference(parsing: pushed.artifact)
        #expect(reference.logicalSize == 1_000_001)
        #expect(pushed.lines.last?.hasPrefix(###"###Phase-output###: {"key":"out","value":"{\"id\":\""###) == true)

        let state = try double.state()
        let snapshot = try #require(state.manifests[reference.id])
        #expect(snapshot.type == "snapshot")
        #expect(snapshot.text.contains(#""description":"Kanister Database Backup""#))
        #expect(snapshot.text.contains(#""source":{"host":"client","userName":"runner","path":"/pg/app"}"#))
        let policy = try #require(state.manifests.values.first { $0.type == "policy" })
        #expect(policy.text.contains(#""scheduling":{"manual":true}"#))

        let pulled = await world.kando([
            "location", "pull", "-p", profile(), "-s", "backup.sql", "-k", pushed.artifact, "-",
        ])
        try #require(pulled.code == 0, "\(pulled.errors)")
        #expect(pulled.output == bytes)
        for expected in [
            "deleted snapshot \(reference.id)", "snapshot \(reference.id) is not in kopia+https://127.0.0.1",
        ] {
            let deleted = await world.kando(["location", "delete", "-p", profile(), "-k", pushed.artifact])
            #expect(deleted.code == 0)
            #expect(deleted.errors.hasPrefix(expected), "\(deleted.errors)")
        }
        #expect(try double.state().snapshotCount == 0)
    }

    @Test func theOtherCommandsWorkThroughAServer() async throws {
        let world = try World()
        let pushed = await world.kando(["location", "push", "-p", profile(), "-s", "x.sql", "-"])
        let id = try KopiaSnapshotReference(parsing: pushed.artifact).id
        for arguments in [
            ["repository", "status"], ["repository", "status", "--json"], ["repository", "verify"],
            ["snapshot", "verify", id], ["snapshot", "list", "--json"], ["snapshot", "show", id],
            ["snapshot", "cat", id, "x.sql"], ["snapshot", "restore", id, world.path("out")],
            ["snapshot", "expire", "--all"], ["delete", "-k", id],
        ] {
            let outcome = await world.run(arguments + ["-p", profile()])
            #expect(outcome.code == 0, "\(arguments): \(outcome.errors)")
            #expect(!outcome.errors.contains("client-password"))
        }
        let maintain = await world.run(["repository", "maintain", "-p", profile()])
        #expect(maintain.code == 3)
        #expect(maintain.errors.contains("is a server: its maintenance cannot be seen from here"))
    }

    struct Wrong: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let code: Int32
        let text: String
        let change: @Sendable (ServerProfileTests) -> String
    }

    static let wrong = [
        Wrong(testDescription: "no endpoint", code: 3, text: "has no Location.endpoint") { $0.profile(endpoint: "") },
        Wrong(testDescription: "no user", code: 3, text: "has no Credential.KopiaServerSecret.Username") {
            $0.profile(user: nil)
        },
        Wrong(testDescription: "no host", code: 3, text: "has no Credential.KopiaServerSecret.Hostname") {
            $0.profile(host: nil)
        },
        Wrong(testDescription: "no password", code: 3, text: "has no Credential.KopiaServerSecret.Password") {
            $0.profile(password: nil)
        },
        Wrong(testDescription: "no PEM", code: 3, text: "is no PEM certificate") { $0.profile(certificate: "MIIB") },
        Wrong(testDescription: "plain HTTP", code: 3, text: "has no TLS") {
            $0.profile(endpoint: "http://127.0.0.1:1")
        },
        Wrong(testDescription: "wrong password", code: 5, text: "access denied for runner@client") {
            $0.profile(password: "guess-me")
        },
        Wrong(testDescription: "password beyond ASCII", code: 3, text: "that gRPC cannot carry") {
            $0.profile(password: "guess-mé")
        },
    ]

    @Test(arguments: wrong) func whatIsWrongWithAProfileIsSaid(_ wrong: Wrong) async throws {
        let world = try World()
        let profile = wrong.change(self)
        let outcome = await world.run(["snapshot", "list", "-p", profile])
        #expect(outcome.code == wrong.code, "\(outcome.errors)")
        #expect(outcome.errors.contains(wrong.text), "\(outcome.errors)")
        #expect(!outcome.errors.contains("guess-m"))
        let kando = await world.kando(["location", "delete", "-p", profile, "-k", #"{"id":"1234"}"#])
        #expect(kando.code == 69)
    }
}
