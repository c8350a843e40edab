import Glibc
import GoFormats
import ProcessIO
import Testing

/// A secret from a Secret, from a Profile's credential and from an option, through every command and every form of output:
/// it is nowhere, and in the folder of the runs neither.
@Suite struct SentinelTests {
    /// With every character that some form escapes.
    static let passwords = (
        secret: #"Sentinel-'1"\<&>$ x"#, profile: "sentinel-profile-2/+", option: "sentinel-option-3"
    )

    static let manifests = """
        apiVersion: v1
        kind: Secret
        metadata: {name: app1, namespace: app1}
        stringData: {username: app1, password: \(GoJSON.text(.string(passwords.secret)))}
        ---
        apiVersion: v1
        kind: Secret
        metadata: {name: storage, namespace: kasten-io}
        stringData: {id: account-7, key: \(passwords.profile)}
        ---
        apiVersion: cr.kanister.io/v1alpha1
        kind: Profile
        metadata: {name: store, namespace: kasten-io}
        location: {type: s3Compliant, bucket: b, region: r}
        credential:
          type: keyPair
          keyPair: {idField: id, secretField: key, secret: {name: storage, namespace: kasten-io}}

        """

    /// What templates commonly make of a value.
    static let expressions = [
        "{{ $p }}", "{{ $p | b64enc }}", "{{ $p | b64enc | b64enc }}", "{{ $p | quote }}", "{{ $p | squote }}",
        "{{ toJson $p }}", "{{ toJson (dict \"a\" $p) | quote }}", "{{ printf \"user:%s@host\" $p | b64enc }}",
        "{{ $p | replace \"$\" \"$$\" }}", "{{ $p | upper }}", "{{ $p | lower }}", "{{ $p | b32enc }}",
        "{{ $p | urlquery }}", "{{ $p | html }}", "{{ $p | indent 4 }}", "{{ printf \"%x\" $p }}",
        "{{ printf \"%q\" $p }}",
        "{{ cat \"a\" $p }}", "{{ list $p | join \",\" }}", "{{ index .Phases.leak.Secrets.app.Data \"password\" }}",
        "{{ .Object.data.password }}", "{{ toJson .Object }}", "{{ toJson .Profile }}",
        "{{ toJson .Profile | b64enc }}", "{{ toJson .Phases.leak.Secrets.app }}",
        "{{ toJson .Phases.leak.Secrets.app | b64enc }}", "{{ toJson (dict \"password\" $p) | b64enc }}",
    ]

    static func blueprint(_ value: String) -> String {
        let lines = expressions.map { String(repeating: " ", count: 18) + "{{ $p := \(value) }}" + $0 }.joined(
            separator: "\n")
        return """
            apiVersion: cr.kanister.io/v1alpha1
            kind: Blueprint
            metadata: {name: leak}
            actions:
              backup:
                outputArtifacts:
                  out: {keyValue: {path: "{{ .Phases.leak.Output.path }}"}}
                phases:
                - func: KubeTask
                  name: leak
                  objects: {app: {kind: Secret, name: app1, namespace: app1}}
                  args:
                    image: i
                    podLabels: {a: '{{ .Options.appPassword }}'}
                    podOverride:
                      containers:
                      - name: container
                        env:
                        - name: TEXT
                          value: |
            \(lines)
                    command:
                    - sh
                    - -c
                    - |
                      printf '%s\\n' "$TEXT"
                      printf '%s\\n' "$TEXT" >&2
                      printf %s "$TEXT" | head -c 60 | tail -c 40 > /dev/null
                      echo '###Phase-output###: {"key":"path","value":"done"}'
                      exit {{ .Options.code }}

            """
    }

    /// Everything a reader could find the value by; parts of fewer than eight characters say nothing.
    static func traces(in text: String) -> [String] {
        let values = [passwords.secret, passwords.profile, passwords.option]
        let forms = values.flatMap { value -> [String] in
            let bytes = Array(value.utf8)
            let inner = (0..<3).map { offset in
                let encoded = Base64.encode([UInt8](repeating: 0, count: offset) + bytes)
                return String(encoded.dropFirst(offset == 0 ? 0 : 4).prefix(12))
            }
            return [Hex.encode(bytes), bytes.map { "\($0)" }.joined(separator: " ")] + inner
        }
        return (["sentinel-"] + forms).filter { text.lowercased().contains($0.lowercased()) }
    }

    static let sources = [
        "index .Phases.leak.Secrets.app.Data \"password\" | toString", ".Profile.Credential.KeyPair.Secret",
        ".Options.appPassword",
    ]

    private func workspace(_ source: String) throws -> Workspace {
        let workspace = try Workspace()
        try workspace.write("cluster/secrets.yaml", Self.manifests)
        try workspace.write("bp.yaml", Self.blueprint(source))
        try workspace.write("other.yaml", Self.blueprint(source + " | trim"))
        try workspace.write(
            "t.test.yaml",
            """
            {blueprint: bp.yaml, cluster: cluster, object: secret/app1/app1, profile: kasten-io/store,
             options: {appPassword: \(Self.passwords.option), code: 0},
             tests: [{action: backup, snapshot: s.yaml}, {action: backup, run: true, expect: [{path: state, equals: no}]},
                     {action: backup, expect: [{path: phases.leak.args, equals: no}]}]}
            """)
        return workspace
    }

    @Test(arguments: sources)
    func noCommandShowsASecret(_ source: String) async throws {
        let workspace = try workspace(source)
        let more = [
            "--profile", "kasten-io/store", "--option", "appPassword=\(Self.passwords.option)", "--option", "code=0",
        ]
        let action = ["bp.yaml", "--action", "backup"] + Workspace.inputs + more
        var commands = [
            ["validate", "--cluster-dir", "cluster", "bp.yaml", "cluster"], ["inputs", "bp.yaml"],
            ["inputs", "bp.yaml", "-o", "json"], ["render"] + action + ["--diff", "other.yaml"], ["run"] + action,
            ["run"] + action + ["--option", "code=6"], ["render"] + action + ["--set-output", "leak"],
            ["test", "t.test.yaml"], ["test", "t.test.yaml", "--update"], ["runs"], ["runs", "--json"],
            ["runs", "last"], ["runs", "last", "--log"],
        ]
        commands += ["json", "sarif", "github"].map { ["validate", "--format", $0, "bp.yaml", "cluster"] }
        commands += ["text", "yaml", "json", "script", "pod"].map { ["render"] + action + ["-o", $0] }
        for command in commands {
            let result = try await runChild(workspace.command(command), outputLimit: 8 << 20)
            let text = String(decoding: result.value, as: UTF8.self) + result.standardErrorText
            #expect(Self.traces(in: text) == [], "\(command)")
            // Wrong input would show nothing at all.
            let fails = command.contains("leak") || command[0] == "validate"
            #expect(fails || [0, 1, 6].contains { result.exit == .exited($0) }, "\(command): \(text)")
        }
        let files = try await runChild(
            ChildCommand(
                "grep", ["-raioE", ".{0,60}sentinel-.{0,20}", "state", "s.yaml"],
                environment: ["PATH": "/usr/bin:/bin"],
                workingDirectory: workspace.folder), outputLimit: 1 << 20)
        #expect(files.exit == .exited(1), "\(String(decoding: files.value, as: UTF8.self))")
    }

    /// The sweep would find it: revealed, every form is there.
    @Test func whatIsRevealedIsFound() async throws {
        let workspace = try workspace(Self.sources[0])
        let action = ["bp.yaml", "--action", "backup"] + Workspace.inputs
        let result = try await runChild(
            workspace.command(
                ["render"] + action
                    + ["--profile", "kasten-io/store", "--option", "appPassword=x", "--option", "code=0", "--reveal"]),
            outputLimit: 8 << 20)
        #expect(Self.traces(in: String(decoding: result.value, as: UTF8.self)).count >= 5)
    }

    /// Manifests of Secrets that cannot be read are not quoted in what is said about them.
    @Test(arguments: [
        "{password: sentinel-one, password: sentinel-two}", "{password: \"sentinel-open}",
        "{password: {a: sentinel-a}}",
        "{password: {{ sentinel-b }}}", "{password: \"sentinel-\\q\"}", "[sentinel-list]", "{password: *sentinel-c }",
    ])
    func aSecretThatCannotBeReadIsNotQuoted(_ data: String) async throws {
        let workspace = try Workspace()
        try workspace.write(
            "cluster/secrets.yaml",
            "apiVersion: v1\nkind: Secret\nmetadata: {name: app1, namespace: app1}\nstringData: \(data)\n")
        for command in [
            ["validate", "--cluster-dir", "cluster", "bp.yaml", "cluster/secrets.yaml"],
            ["render", "bp.yaml", "--action", "backup", "--cluster-dir", "cluster"],
        ] {
            let result = try await runChild(workspace.command(command), outputLimit: 1 << 20)
            let text = String(decoding: result.value, as: UTF8.self) + result.standardErrorText
            #expect(!text.contains("sentinel"), "\(text)")
            #expect(text.contains("cluster/secrets.yaml:"), "\(text)")
        }
    }

    @Test func anOptionThatIsNoneIsNotEchoed() async throws {
        let workspace = try Workspace()
        let answer = try await workspace.action("render", "backup", "--option", "password:sentinel-4")
        #expect(answer.exit == .exited(3))
        #expect(answer.error.contains("--option 'password…' is not KEY=VALUE"))
        #expect(!answer.error.contains("sentinel"))
    }
}
