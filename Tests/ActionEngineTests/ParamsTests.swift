import ActionEngine
import Blueprints
import Diagnostics
import GoFormats
import GoTemplate
import KanisterFunctions
import Testing

extension FunctionRegistry {
    static var known: FunctionRegistry { LocalFunctions.registry }
}

@Suite struct ProfileTests {
    private func profileJSON(_ profile: String, secrets: [String], file: String? = nil) async throws -> String {
        var scenario = try Scenario(
            BlueprintText.backup([("p", #"[ok, "{{ toJson .Profile }}"]"#)]), cluster: secrets)
        let (read, diagnostics) = readProfile(SourceFile(name: "profile.yaml", text: profile))
        #expect(diagnostics.filter { $0.severity == .error } == [])
        scenario.request.profile = .init(try #require(read), file: file)
        let (result, pods) = await scenario.dryRun()
        #expect(result.diagnostics == [])
        return try #require(pods.first?.command.last)
    }

    @Test func keyPair() async throws {
        let json = try await profileJSON(
            """
            apiVersion: cr.kanister.io/v1alpha1
            kind: Profile
            metadata: {name: p, namespace: kasten-io}
            location: {type: azure, bucket: c1}
            credential: {type: keyPair, keyPair: {idField: id, secretField: key, secret: {name: kp, namespace: kasten-io}}}
            """,
            secrets: [
                #"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"kp","namespace":"kasten-io"},"stringData":{"id":"acct","key":"key"}}"#
            ])
        #expect(
            json == #"{"Location":{"type":"azure","bucket":"c1","endpoint":"","prefix":"","region":""},"#
                + #""Credential":{"Type":"keyPair","KeyPair":{"ID":"acct","Secret":"key"},"Secret":null,"#
                + #""KopiaServerSecret":null},"SkipSSLVerify":false}"#)
    }

    @Test func kopia() async throws {
        let json = try await profileJSON(
            """
            apiVersion: cr.kanister.io/v1alpha1
            kind: Profile
            metadata: {name: p, namespace: kasten-io}
            location: {type: kopia, endpoint: "https://data-mover-svc.kasten-io.svc:51515"}
            credential:
              type: kopia
              kopiaServerSecret:
                username: k10-admin
                hostname: host-1
                userPassphrase: {key: pw, secret: {name: ks, namespace: kasten-io}}
                tlsCert: {key: cert, secret: {name: ks, namespace: kasten-io}}
                connectOptions: {dataStoreGeneralMetadataCacheSize: 500}
            """,
            secrets: [
                #"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"ks","namespace":"kasten-io"},"stringData":{"pw":"p<&>'w","cert":"PEM\n"}}"#
            ])
        #expect(
            json
                == #"{"Location":{"type":"kopia","bucket":"","endpoint":"https://data-mover-svc.kasten-io.svc:51515","prefix":"","region":""},"#
                + #""Credential":{"Type":"kopia","KeyPair":null,"Secret":null,"KopiaServerSecret":{"Username":"k10-admin","#
                + #""Hostname":"host-1","Password":"p\u003c\u0026\u003e'w","Cert":"PEM\n","#
                + #""ConnectOptions":{"dataStoreGeneralMetadataCacheSize":500}}},"SkipSSLVerify":false}"#)
    }

    @Test func typedSecret() async throws {
        let json = try await profileJSON(
            """
            apiVersion: cr.kanister.io/v1alpha1
            kind: Profile
            metadata: {name: p, namespace: kasten-io}
            location: {type: s3Compliant, bucket: b, region: r}
            credential: {type: secret, secret: {name: aws, namespace: kasten-io}}
            skipSSLVerify: true
            """,
            secrets: [
                #"{"apiVersion":"v1","kind":"Secret","type":"secrets.kanister.io/aws","metadata":{"name":"aws","namespace":"kasten-io"},"data":{"aws_access_key_id":"QQ==","aws_secret_access_key":"Qg=="}}"#
            ])
        #expect(
            json == #"{"Location":{"type":"s3Compliant","bucket":"b","endpoint":"","prefix":"","region":"r"},"#
                + #""Credential":{"Type":"secret","KeyPair":null,"Secret":{"metadata":{"name":"aws","namespace":"kasten-io","#
                + #""creationTimestamp":null},"data":{"aws_access_key_id":"QQ==","aws_secret_access_key":"Qg=="},"#
                + #""type":"secrets.kanister.io/aws"},"KopiaServerSecret":null},"SkipSSLVerify":true}"#)
    }

    @Test func aCreationTimestampIsATime() throws {
        func root(_ time: String) throws -> GoValue {
            try TemplateParams.root(
                json: try JSONParser.parse(
                    #"{"Secrets":{"s":{"metadata":{"name":"s","creationTimestamp":"\#(time)"}}}}"#))
        }
        let text = "{{ with .Secrets.s }}{{ .CreationTimestamp }} {{ .CreationTimestamp.Year }} {{ toJson . }}{{ end }}"
        #expect(
            try Template(parsing: text, options: TemplateOptions()).render(root("2026-01-02T03:04:05Z"))
                == "2026-01-02 03:04:05 +0000 UTC 2026 "
                + #"{"metadata":{"name":"s","creationTimestamp":"2026-01-02T03:04:05Z"}}"#)
        let error = #expect(throws: GoDecodingError.self) { try root("yesterday") }
        #expect(error?.description == "'.Secrets.s.metadata.creationTimestamp' is not a time in RFC 3339")
    }

    @Test(arguments: [("repository", "/a/b/repository"), ("../r", "/a/r"), ("./x/../y", "/a/b/y"), ("/abs", "/abs")])
    func aFolderIsRelativeToTheProfilesFile(_ bucket: String, _ folder: String) async throws {
        let json = try await profileJSON(
            """
            apiVersion: cr.kanister.io/v1alpha1
            kind: Profile
            metadata: {name: local, namespace: kasten-io}
            location: {type: filesystem, bucket: \(bucket)}
            credential:
              type: kopia
              kopiaServerSecret: {userPassphrase: {key: pw, secret: {name: rp, namespace: kasten-io}}}
            """,
            secrets: [
                #"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"rp","namespace":"kasten-io"},"stringData":{"pw":"secret"}}"#
            ], file: "/a/b/profile.yaml")
        let value = try JSONParser.parse(json)
        #expect(value["Location"]?["bucket"] == .string(folder))
        #expect(value["Credential"]?["KopiaServerSecret"]?["Password"] == "secret")
    }

    @Test func aMissingKeyNamesTheOnesThatAreThere() async throws {
        var scenario = try Scenario(BlueprintText.backup([("p", "[ok]")]))
        scenario.request.profile = .init(
            Profile(
                name: "p", namespace: "kasten-io", location: .init(type: "azure"),
                credential: .init(
                    type: "keyPair",
                    keyPair: .init(
                        idField: "id", secretField: "password",
                        secret: ObjectReference(name: "admin", namespace: "kasten-io")))), file: nil)
        let result = await scenario.run()
        #expect(result.diagnostics.map(\.message) == ["Key 'id' not found in secret 'kasten-io:admin'"])
        #expect(result.diagnostics.first?.hint == "keys there: password, username")
        #expect(scenario.executor.phases == [])
    }
}

@Suite struct ObjectTests {
    static let workloads = [
        #"{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"pg","namespace":"apps"},"spec":{"selector":{"matchLabels":{"app":"pg"}}}}"#,
        #"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"pg-10","namespace":"apps","ownerReferences":[{"kind":"StatefulSet","name":"pg"}]},"spec":{"containers":[{"name":"postgres"}]},"status":{"phase":"Running"}}"#,
        #"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"pg-2","namespace":"apps","ownerReferences":[{"kind":"StatefulSet","name":"pg"}]},"spec":{"volumes":[{"name":"data","persistentVolumeClaim":{"claimName":"data-pg-2"}}],"containers":[{"name":"postgres","volumeMounts":[{"name":"data","mountPath":"/data"}]},{"name":"sidecar"}]},"status":{"phase":"Running"}}"#,
        #"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"pg-3","namespace":"apps","ownerReferences":[{"kind":"StatefulSet","name":"pg"}]},"spec":{"containers":[{"name":"postgres"}]},"status":{"phase":"Pending"}}"#,
        #"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"other","namespace":"apps"},"spec":{"containers":[{"name":"c"}]}}"#,
        #"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"apps"},"spec":{"selector":{"matchLabels":{"app":"web"}}}}"#,
        #"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web-x","namespace":"apps","labels":{"app":"web"}},"spec":{"containers":[{"name":"nginx"}]}}"#,
        #"{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"claim","namespace":"apps"}}"#,
    ]

    private func render(_ template: String, kind: String, namespace: String = "apps", name: String) async throws
        -> String
    {
        var scenario = try Scenario(
            BlueprintText.backup([("p", "[ok, '\(template)']")]), cluster: Self.workloads)
        scenario.request.object = ObjectReference(
            kind: LocatedText(kind), name: LocatedText(name), namespace: LocatedText(namespace))
        let (result, pods) = await scenario.dryRun()
        #expect(result.diagnostics == [])
        return try #require(pods.first?.command.last)
    }

    @Test func podsOfAStatefulSetAreTheRunningOnesInTheOrderOfTheirNames() async throws {
        let text = try await render(
            "{{ .StatefulSet.Pods }} {{ .StatefulSet.Containers }} {{ .StatefulSet.PersistentVolumeClaims }} {{ .Object.kind }}",
            kind: "statefulset", name: "pg")
        #expect(text == "[pg-10 pg-2] [[postgres] [postgres sidecar]] map[pg-2:map[data-pg-2:/data]] StatefulSet")
    }

    @Test func podsOfADeploymentAreFoundByItsSelector() async throws {
        let text = try await render(
            "{{ .Deployment.Name }} {{ index .Deployment.Pods 0 }}", kind: "Deployment", name: "web")
        #expect(text == "web web-x")
    }

    @Test func aClaimIsCalledPVC() async throws {
        let text = try await render("{{ .PVC.Namespace }}/{{ .PVC.Name }}", kind: "pvc", name: "claim")
        #expect(text == "apps/claim")
    }

    @Test func aNamespaceTakesItsNameFromTheNamespaceField() async throws {
        let text = try await render(
            "{{ .Namespace.Name }}|{{ .Object.metadata.name }}", kind: "namespace", namespace: "", name: "apps")
        #expect(text == "|apps")
    }

    @Test func secretDataIsBase64InTheObject() async throws {
        let text = try await render(
            #"{{ index .Object.data "dbname" | toString | b64dec }} {{ .Object.data.dbname }}"#, kind: "Secret",
            namespace: "app1", name: "app1")
        #expect(text == "app1db YXBwMWRi")
    }

    @Test func anUnknownObjectSuggestsTheNearOne() async throws {
        var scenario = try Scenario(BlueprintText.backup([("p", "[ok]")]))
        scenario.request.object = ObjectReference(kind: "Secret", name: "ap1", namespace: "app1")
        let result = await scenario.run()
        #expect(result.diagnostics.map(\.message) == ["secrets \"ap1\" not found in namespace 'app1'"])
        #expect(result.diagnostics.first?.hint == "did you mean 'app1'?")
    }

    @Test func timeIsStampedOnce() async throws {
        let text = try await render("{{ .Time }}", kind: "Secret", namespace: "app1", name: "app1")
        #expect(text == "2024-03-05T07:08:09.123456789Z")
    }
}

@Suite struct SecretMaskerTests {
    static let secret = #"p'a"s\s<w>$o&rd"#

    struct Form: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let text: String
    }

    static let forms = [
        Form(testDescription: "plain", text: secret),
        Form(testDescription: "base64", text: "cCdhInNcczx3PiRvJnJk"),
        Form(testDescription: "JSON with HTML escapes", text: #"p'a\"s\\s\u003cw\u003e$o\u0026rd"#),
        Form(testDescription: "JSON", text: #"p'a\"s\\s<w>$o&rd"#),
        Form(testDescription: "JSON in JSON", text: #"p'a\\\"s\\\\s\\u003cw\\u003e$o\\u0026rd"#),
        Form(testDescription: "dollars doubled", text: #"p'a"s\s<w>$$o&rd"#),
        Form(testDescription: "JSON with dollars doubled", text: #"p'a\"s\\s\u003cw\u003e$$o\u0026rd"#),
        Form(testDescription: "in a shell's quotes", text: #"p'\''a"s\s<w>$o&rd"#),
        Form(testDescription: "base64 of base64", text: "Y0NkaEluTmNjengzUGlSdkpuSms="),
        Form(testDescription: "base32", text: "OATWCITTLRZTY5Z6ERXSM4TE"),
        Form(testDescription: "hexadecimal", text: "70276122735c733c773e246f267264"),
        Form(testDescription: "bytes as Go prints them", text: "112 39 97 34 115 92 115 60 119 62 36 111 38 114 100"),
        Form(testDescription: "in a URL", text: "p%27a%22s%5Cs%3Cw%3E%24o%26rd"),
        Form(testDescription: "in HTML", text: #"p&#39;a&#34;s\s&lt;w&gt;$o&amp;rd"#),
        Form(testDescription: "upper case", text: #"P'A"S\S<W>$O&RD"#),
    ]

    /// `user:password` in base64, whatever is before and after it: no more than a character at each end is left.
    @Test(arguments: ["", "u", "us", "use", "user:"], ["", "@", "@host"])
    func findsASecretInsideALongerBase64Text(_ before: String, _ after: String) {
        var masker = SecretMasker()
        masker.add("sentinel-7f3a", label: "k")
        let masked = masker.mask(Base64.encode(Array("\(before)sentinel-7f3a\(after)".utf8)))
        #expect(masked.contains("<secret k>"))
        let rest = masked.split(separator: "<secret k>", omittingEmptySubsequences: false)
        #expect(rest.count == 2)
        #expect(rest.map(\.utf8.count).reduce(0, +) <= (before.utf8.count + after.utf8.count) * 4 / 3 + 6)
    }

    @Test func anOptionIsASecretWhenItsNameSaysSo() {
        let known = KnownSecrets(publicNames: ["app1"])
        known.add(option: "dbPassword", "sentinel")
        known.add(option: "secretName", "pg-credentials")
        known.add(option: "token", "app1")
        #expect(known.mask("sentinel pg-credentials app1") == "<secret option dbPassword> pg-credentials app1")
    }

    @Test(arguments: forms)
    func findsASecretInEveryForm(_ form: Form) {
        var masker = SecretMasker()
        masker.add(Self.secret, label: "ns/name key")
        #expect(masker.mask("a \(form.text) b") == "a <secret ns/name key> b")
    }

    @Test func findsTheLinesOfASecret() {
        var masker = SecretMasker()
        masker.add("-----BEGIN-----\nabcdef\nx\n", label: "k")
        #expect(masker.mask("line: abcdef, x") == "line: <secret k>, x")
    }

    @Test func theLongestSecretAtAPlaceWins() {
        var masker = SecretMasker()
        masker.add("pass", label: "short")
        masker.add("password", label: "long")
        #expect(masker.mask("passwords pass") == "<secret long>s <secret short>")
    }

    @Test func aSecretThatMayGoOnBehindACutIsNotShown() {
        var masker = SecretMasker()
        masker.add("sentinel", label: "k")
        let shown = masker.mask(Array("see sentin".utf8), isCut: true)
        #expect(!String(decoding: shown, as: UTF8.self).contains("sent"))
    }

    @Test func publicNamesAreOnlyMaskedWhereTheKeySpeaksOfASecret() throws {
        let known = KnownSecrets(publicNames: ["app1"])
        let manifest =
            #"{"kind":"Secret","metadata":{"name":"app1","namespace":"app1"},"stringData":{"username":"app1"}}"#
        known.add(try KubernetesObject(manifest: try #require(try JSONParser.parse(manifest).objectValue)))
        #expect(known.mask("app1") == "app1")
        let other = #"{"kind":"Secret","metadata":{"name":"b","namespace":"n"},"stringData":{"password":"app1"}}"#
        known.add(try KubernetesObject(manifest: try #require(try JSONParser.parse(other).objectValue)))
        #expect(known.mask("app1") == "<secret n/b password>")
    }
}

@Suite struct ManifestClusterTests {
    @Test(arguments: ["secret", "Secret", "secrets", "SECRETS"])
    func kindsAreFoundInEverySpelling(_ kind: String) throws {
        let scenario = try Scenario(BlueprintText.backup([]))
        #expect(scenario.cluster.object(kind: kind, namespace: "app1", name: "app1")?.name == "app1")
    }

    @Test func theSameObjectTwiceIsRefused() throws {
        var scenario = try Scenario(BlueprintText.backup([]))
        #expect(throws: ClusterError("Secret app1/app1 is there twice", hint: "remove one of the two manifests")) {
            try scenario.add(Scenario.appSecret)
        }
    }

    @Test func dataThatIsNoBase64IsRefused() throws {
        let manifest = JSONObject(["kind": "Secret", "metadata": ["name": "s", "namespace": "n"], "data": ["k": "?"]])
        #expect(
            throws: ClusterError(
                "key 'k' under 'data' of Secret n/s is not base64 text",
                hint: "write plain text under 'stringData' instead")
        ) { try KubernetesObject(manifest: manifest) }
    }
}
