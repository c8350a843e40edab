import CloudTestSupport
import Glibc
import GoFormats
import ProcessIO
import Synchronization
import TestSupport

@testable import PodRunner

/// A world whose profile is a container of the Azure double.
struct AzureWorld: ~Copyable {
    var world: World
    let container: String
    let double: AzureDouble

    init() async throws {
        let double = try AzureDouble.withVersions.get()
        let container = try await double.makeContainer()
        self.init(world: try World(), container: container, double: double)
    }

    private init(world: consuming World, container: String, double: AzureDouble) {
        self.world = world
        self.container = container
        self.double = double
    }

    var profile: String { Self.profile(container, port: double.port) }

    static func profile(
        _ container: String, port: Int, prefix: String = "k10", credential: JSONValue? = nil
    ) -> String {
        ProfileText.make(
            type: "azure", bucket: container, endpoint: "http://127.0.0.1:\(port)/\(AzureDouble.account)",
            prefix: prefix,
            credential: credential ?? ProfileText.keyPair(AzureDouble.account, AzureDouble.key))
    }

    func kando(_ arguments: [String], input: String? = nil) async -> World.Outcome {
        await world.kando(arguments + ["--profile", profile], input: input)
    }

    /// Standard input is a pipe that somebody writes into, as `pg_dump | kando` has it.
    func kandoThroughAPipe(_ arguments: [String], _ bytes: [UInt8]) async throws -> World.Outcome {
        let path = world.path("pipe")
        guard mkfifo(path, 0o600) == 0 else { throw TestSupportError("no pipe") }
        let writer = Task {
            let file = try DescriptorStream(writing: path)
            try await file.write(bytes)
        }
        let outcome = await kando(arguments, input: path)
        try await writer.value
        return outcome
    }
}

/// What `{{ toJson .Profile }}` renders for object storage.
enum ProfileText {
    static func keyPair(_ id: String, _ secret: String) -> JSONValue {
        [
            "Type": "keyPair", "KeyPair": ["ID": .string(id), "Secret": .string(secret)], "Secret": nil,
            "KopiaServerSecret": nil,
        ]
    }

    static func secret(_ type: String, _ fields: [String: String]) -> JSONValue {
        let data = fields.sorted { $0.key < $1.key }.map {
            JSONObject.Member(key: $0.key, value: .string(Base64.encode(Array($0.value.utf8))))
        }
        return [
            "Type": "secret", "KeyPair": nil,
            "Secret": ["metadata": ["name": "s"], "data": .object(JSONObject(data)), "type": .string(type)],
            "KopiaServerSecret": nil,
        ]
    }

    static func make(
        type: String, bucket: String, endpoint: String, prefix: String, credential: JSONValue, skipsTLS: Bool = false
    ) -> String {
        GoJSON.text([
            "Location": [
                "type": .string(type), "bucket": .string(bucket), "endpoint": .string(endpoint),
                "prefix": .string(prefix), "region": "",
            ], "Credential": credential, "SkipSSLVerify": .bool(skipsTLS),
        ])
    }
}
