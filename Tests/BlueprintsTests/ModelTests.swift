import Blueprints
import Diagnostics
import GoFormats
import Testing

/// Every field of every kind arrives where it belongs.
struct ModelTests {
    private func manifests(_ fixture: String) -> (manifests: [Manifest], diagnostics: [Diagnostic]) {
        readManifests(SourceFile(name: fixture, bytes: Fixture.bytes(fixture)))
    }

    private func blueprint() throws -> Blueprint {
        let (blueprint, diagnostics) = readBlueprint(
            SourceFile(name: "f", bytes: Fixture.bytes("full-blueprint.yaml")))
        #expect(diagnostics == [])
        return try #require(blueprint)
    }

    private func pairs(_ texts: [NamedText]) -> [String] { texts.map { "\($0.name)=\($0.value)" } }

    @Test func blueprintAndItsActions() throws {
        let blueprint = try blueprint()
        #expect(blueprint.name == LocatedText("everything", node: blueprint.name.node))
        #expect(blueprint.namespace.text == "kasten-io")
        #expect(blueprint.actions.map(\.name.text) == ["backup", "restore"])
        let backup = try #require(blueprint.action("backup"))
        #expect(backup.kind.text == "StatefulSet")
        #expect(backup.inputArtifactNames.map(\.text) == ["previous"])
        let artifact = try #require(backup.outputArtifacts.first)
        #expect(
            pairs(artifact.keyValue) == [
                "path={{ .Phases.dumpAll.Output.path }}", "size={{ .Phases.dumpAll.Output.size }}",
            ])
        #expect(artifact.kopiaSnapshot?.text == "{{ .Phases.dumpAll.Output.kopiaOutput }}")
        #expect(artifact.kopiaSnapshot?.range(ofUTF8: 3..<20)?.start == SourcePosition(line: 23, column: 28))
    }

    @Test func phaseWithObjectsAndArguments() throws {
        let backup = try #require(try blueprint().action("backup"))
        let phase = try #require(backup.phases.first)
        #expect(phase.function.text == "KubeTask")
        #expect(phase.name.text == "dumpAll")
        #expect(phase.objects.map(\.name.text) == ["credentials", "settings"])
        #expect(
            phase.objects[0].reference.fields.map(\.text.text) == [
                "v1", "", "secrets", "Secret", "{{ .Object.metadata.name }}", "{{ .Object.metadata.namespace }}",
            ])
        #expect(
            phase.arguments.map(\.name.text) == [
                "namespace", "image", "retries", "ratio", "verbose", "nothing", "{{ .Options.key }}", "command",
            ])
        #expect(phase.argument("retries")?.json == 3)
        #expect(phase.argument("ratio")?.json == .double(0.5))
        #expect(phase.argument("verbose")?.json == true)
        #expect(phase.argument("nothing")?.json == .null)
    }

    @Test func argumentsOfADeferPhaseAreMerged() throws {
        let phase = try #require(try blueprint().action("backup")?.deferPhase)
        #expect(phase.name.text == "cleanUp")
        #expect(phase.argument("retries")?.json == 3)
        #expect(phase.argument("command")?.json == ["true"])
        #expect(phase.argument("image")?.range.start == SourcePosition(line: 38, column: 16))
    }

    @Test func actionSetWithStatus() throws {
        let (all, diagnostics) = manifests("full-others.yaml")
        #expect(diagnostics == [])
        guard case .actionSet(let actionSet)? = all.first else { throw Missing() }
        let action = try #require(actionSet.actions.first)
        #expect(
            [action.name, action.blueprint, action.object.resource].map(\.text) == ["restore", "everything", "secrets"])
        #expect(action.artifacts.first?.kopiaSnapshot?.text == #"{"id":"k1"}"#)
        #expect(action.configMaps.map(\.reference.name.text) == ["settings"])
        #expect(action.secrets.map(\.reference.namespace.text) == ["kasten-io"])
        #expect(action.profile?.name.text == "local")
        #expect(action.podOverride?.json == ["serviceAccountName": "runner"])
        #expect(pairs(action.options) == ["mode=fast", "count=3"])
        #expect(action.preferredVersion.text == "v0.0.0")
        #expect(pairs(action.podLabels + action.podAnnotations) == ["a=b", "c=d"])
        let status = try #require(actionSet.status)
        #expect(status.state.text == "failed")
        #expect(status.actions.first?.phases.map(\.state.text) == ["complete", "failed", "pending"])
        #expect(status.actions.first?.deferPhase?.name.text == "cleanUp")
    }

    @Test func profiles() throws {
        let found = manifests("full-others.yaml").manifests.compactMap { manifest -> Profile? in
            if case .profile(let profile) = manifest { return profile }
            return nil
        }
        #expect(found.map(\.location.kind) == [.kopia, .s3Compliant])
        let kopia = try #require(found.first)
        #expect(kopia.skipSSLVerify)
        #expect(kopia.location.endpoint.text == "https://repository.example:51515")
        let secret = try #require(kopia.credential.kopiaServerSecret)
        #expect([secret.username, secret.hostname].map(\.text) == ["runner", "app1"])
        #expect(secret.userPassphrase?.key.text == "app1")
        #expect(secret.tlsCert?.secret.name.text == "tls")
        #expect(secret.connectOptions.map(\.value) == [0, 500])
        let pair = try #require(found.last?.credential.keyPair)
        #expect([pair.idField, pair.secretField, pair.secret.name].map(\.text) == ["id", "key", "s3"])
    }

    @Test func blueprintBinding() throws {
        let found = manifests("full-others.yaml").manifests.compactMap { manifest -> BlueprintBinding? in
            if case .blueprintBinding(let binding) = manifest { return binding }
            return nil
        }
        let binding = try #require(found.first)
        #expect(binding.isDisabled)
        #expect([binding.blueprintName, binding.blueprintNamespace].map(\.text) == ["everything", "kasten-io"])
        #expect((binding.matchAll + binding.matchAny).map(\.operator) == [.isIn, .doesNotExist, .notIn, .isIn])
        guard case .type(let types)? = binding.matchAll.first?.subject else { throw Missing() }
        #expect(types.map(\.resource.text) == ["secrets", "statefulsets"])
        guard case .label(let key, let values)? = binding.matchAny.last?.subject else { throw Missing() }
        #expect([key.text] + values.map(\.text) == ["type", "database-credential"])
    }

    @Test func objectsOfAListAndTheDataOfSecrets() throws {
        let found = manifests("full-others.yaml").manifests.compactMap { manifest -> KubernetesManifest? in
            if case .object(let object) = manifest { return object }
            return nil
        }
        #expect(found.map(\.kind.text) == ["Secret", "ConfigMap", "Deployment"])
        let secret = try #require(found.first)
        #expect(secret.json["data"] == ["username": "YXBwMQ==", "password": "bmV3"])
        #expect(secret.json["stringData"] == nil)
        let texts = try #require(secret.decodedData).map { "\($0.key)=\(String(decoding: $0.bytes, as: UTF8.self))" }
        #expect(texts == ["username=app1", "password=new"])
        #expect(try #require(found[1].decodedData).map(\.bytes) == [[0x62], [0, 1]])
        #expect(found[2].decodedData == nil)
        #expect([found[2].group, found[2].version] == ["apps", "v1"])
    }

    @Test func aFileWithAnotherKindIsNoBlueprint() {
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
        let (blueprint, diagnostics) = readBlueprint(SourceFile(name: "f", text: text))
        #expect(blueprint == nil)
        #expect(diagnostics.map(\.message) == ["the file has no Blueprint, only: ConfigMap"])
    }

    private struct Missing: Error {}
}
