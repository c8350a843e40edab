import Blueprints
import Diagnostics
import Testing

/// One fault a case: rule, place, message and hint are compared exactly.
struct BadInputTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        let yaml: String
        /// As rendered, without the excerpt: `line:column: severity: message`, then context, then `hint: …`.
        let expected: [String]
        var testDescription: String { id }
    }

    static func blueprint(_ actions: String) -> String {
        "apiVersion: cr.kanister.io/v1alpha1\nkind: Blueprint\nmetadata: {name: bp}\n" + actions
    }

    static func phase(_ lines: String) -> String {
        blueprint("actions:\n  backup:\n    phases:\n    - func: KubeTask\n      name: dump\n" + lines)
    }

    @Test(arguments: documentCases + yamlCases + blueprintCases + profileCases + bindingCases)
    func saysWhatIsWrongAndWhere(_ test: Case) {
        let source = SourceFile(name: "f", text: test.yaml)
        let isYAMLOnly = Self.yamlCases.contains { $0.id == test.id }
        let diagnostics = isYAMLOnly ? readYAML(source).diagnostics : readManifests(source).diagnostics
        let found = diagnostics.flatMap { diagnostic -> [String] in
            let start = diagnostic.range?.start ?? SourcePosition(line: 0, column: 0)
            var lines = [
                "\(start.line):\(start.column): \(diagnostic.severity.rawValue): [\(diagnostic.rule)] \(diagnostic.message)"
            ]
            if let context = diagnostic.context { lines.append(context) }
            if let hint = diagnostic.hint { lines.append("hint: " + hint) }
            return lines
        }
        #expect(found == test.expected)
    }

    static let documentCases = [
        Case(
            id: "empty", yaml: "",
            expected: [
                "1:1: error: [empty-file] there is nothing in the file"
            ]),
        Case(
            id: "only comments", yaml: "# nothing\n---\n# here\n",
            expected: [
                "1:1: error: [empty-file] there is nothing in the file"
            ]),
        Case(
            id: "text", yaml: "hello\n",
            expected: [
                "1:1: error: [not-a-manifest] a manifest is a mapping with 'apiVersion' and 'kind', this is a string"
            ]),
        Case(
            id: "list", yaml: "- a\n",
            expected: [
                "1:1: error: [not-a-manifest] a manifest is a mapping with 'apiVersion' and 'kind', this is a list"
            ]),
        Case(
            id: "no kind", yaml: "apiVersion: v1\nmetadata: {name: a}\n",
            expected: [
                "1:1: error: [not-a-manifest] the document has no 'kind'",
                "hint: start the document with 'apiVersion: …' and 'kind: …'",
            ]),
        Case(
            id: "nothing of a manifest", yaml: "a: 1\n",
            expected: [
                "1:1: error: [not-a-manifest] the document has neither 'apiVersion' nor 'kind'",
                "hint: start it with 'apiVersion: …' and 'kind: …'",
            ]),
        Case(
            id: "misspelt kind field", yaml: "apiVersion: v1\nKind: Secret\nmetadata: {name: a}\n",
            expected: [
                "2:1: error: [not-a-manifest] the document has no 'kind'",
                "hint: 'Kind' should probably be 'kind'",
            ]),
        Case(
            id: "misspelt kind", yaml: "apiVersion: cr.kanister.io/v1alpha1\nkind: Bluprint\nmetadata: {name: a}\n",
            expected: [
                "2:7: error: [wrong-kind] Kanister has no kind 'Bluprint'",
                "hint: did you mean 'Blueprint'?",
            ]),
        Case(
            id: "wrong version",
            yaml:
                "apiVersion: cr.kanister.io/v1\nkind: Blueprint\nmetadata: {name: a}\nactions: {backup: {phases: [{func: f, name: n}]}}\n",
            expected: [
                "1:13: error: [wrong-api-version] there is no Blueprint in apiVersion 'cr.kanister.io/v1'",
                "hint: write 'apiVersion: cr.kanister.io/v1alpha1'",
                "4:45: error: [wrong-type] 'name' must be a string, not a boolean",
                "in action 'backup', phase 1",
                #"hint: put quotes around it: "n""#,
            ]),
        Case(
            id: "wrong group", yaml: "apiVersion: v1\nkind: Blueprint\nmetadata: {name: a}\n",
            expected: [
                "1:13: error: [wrong-api-version] there is no Blueprint in apiVersion 'v1'",
                "hint: write 'apiVersion: cr.kanister.io/v1alpha1'",
            ]),
        Case(
            id: "bad name", yaml: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: My_Map, namespace: a.b}\n",
            expected: [
                "3:18: error: [invalid-name] 'My_Map' is no name Kubernetes accepts",
                "hint: at most 253 lower-case letters, digits, '-' and '.', starting and ending with a letter or digit",
                "3:37: error: [invalid-name] 'a.b' is no name Kubernetes accepts",
                "hint: at most 63 lower-case letters, digits and '-', starting and ending with a letter or digit",
            ]),
        Case(
            id: "no name", yaml: "apiVersion: v1\nkind: ConfigMap\nmetadata: {labels: {a: 1}}\n",
            expected: [
                "3:1: error: [missing-field] metadata has no 'name'",
                "3:24: error: [wrong-type] 'a' in 'labels' must be a string, not a number",
                #"hint: put quotes around it: "1""#,
            ]),
        Case(
            id: "no metadata", yaml: "apiVersion: v1\nkind: ConfigMap\n",
            expected: [
                "1:1: error: [missing-field] the ConfigMap has no 'metadata'",
                "hint: add 'metadata:' with a 'name:'",
            ]),
        Case(
            id: "secret, plain text in data",
            yaml: "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {password: hunter2!}\n",
            expected: [
                "4:8: error: [not-base64] 'password' is not base64",
                "in Secret 's'",
                "hint: put plain text under 'stringData' instead of 'data'",
            ]),
        Case(
            id: "secret, number in stringData",
            yaml: "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {port: 5432}\n",
            expected: [
                "4:20: error: [wrong-type] 'port' in 'stringData' must be a string, not a number",
                "in Secret 's'",
                "hint: put quotes around it",
            ]),
        Case(
            id: "secret, misspelt field",
            yaml: "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringdata: {a: b}\n",
            expected: [
                "4:1: warning: [unknown-field] a Secret has no field 'stringdata', Kubernetes drops it",
                "in Secret 's'",
                "hint: did you mean 'stringData'?",
            ]),
        Case(
            id: "two documents, both wrong", yaml: "kind: a\n---\napiVersion: v1\n",
            expected: [
                "1:1: error: [not-a-manifest] the document has no 'apiVersion'",
                "hint: start the document with 'apiVersion: …' and 'kind: …'",
                "3:1: error: [not-a-manifest] the document has no 'kind'",
                "hint: start the document with 'apiVersion: …' and 'kind: …'",
            ]),
    ]

    static let yamlCases = [
        Case(
            id: "tab", yaml: "a:\n\tb: c\n",
            expected: [
                "2:1: error: [yaml-syntax] this is not valid YAML: found character that cannot start any token while scanning for the next token",
                "hint: YAML does not allow tabs for indentation: use spaces",
            ]),
        Case(
            id: "no colon", yaml: "a: b\nc\nd: e\n",
            expected: [
                "3:1: error: [yaml-syntax] this is not valid YAML: could not find expected ':' while scanning a simple key that starts in line 2",
                "hint: a key needs ':' and a space after it; a text over several lines needs '|' or quotes",
            ]),
        Case(
            id: "colon in a text", yaml: "a: b: c\n",
            expected: [
                "1:5: error: [yaml-syntax] this is not valid YAML: mapping values are not allowed in this context",
                "hint: a text that contains ': ' needs quotes; or this key is indented more than the one above",
            ]),
        Case(
            id: "open quote", yaml: "a: b\nc: \"d\ne: f\n",
            expected: [
                "2:4: error: [yaml-syntax] this is not valid YAML: the quote that opens here is never closed",
                "hint: add the closing quote",
            ]),
        Case(
            id: "open bracket", yaml: "a: [b, c\nd: e\n",
            expected: [
                "2:2: error: [yaml-syntax] this is not valid YAML: did not find expected ',' or ']' while parsing a flow sequence that starts in line 1",
                "hint: a list in '[' needs ',' between items and ']' at its end",
            ]),
        Case(
            id: "quote in quotes", yaml: "a: 'it's'\n",
            expected: [
                "1:8: error: [yaml-syntax] this is not valid YAML: did not find expected key while parsing a block mapping",
                "hint: keys of one mapping start in the same column; a quote inside quotes must be escaped",
            ]),
        Case(
            id: "reserved character", yaml: "a: @b\n",
            expected: [
                "1:4: error: [yaml-syntax] this is not valid YAML: found character that cannot start any token while scanning for the next token",
                "hint: a text that starts with '@' needs quotes",
            ]),
        Case(
            id: "bad escape", yaml: "a: \"\\d\"\n",
            expected: [
                "1:5: error: [yaml-syntax] this is not valid YAML: found unknown escape character while parsing a quoted scalar",
                #"hint: in double quotes '\' starts an escape: write '\\', or use single quotes"#,
            ]),
        Case(
            id: "wrong indentation", yaml: "a:\n  b: 1\n c: 2\n",
            expected: [
                "3:2: error: [yaml-syntax] this is not valid YAML: did not find expected key while parsing a block mapping that starts in line 1",
                "hint: keys of one mapping start in the same column; a quote inside quotes must be escaped",
            ]),
        Case(
            id: "control character", yaml: "a: \u{1}\n",
            expected: [
                "1:4: error: [yaml-encoding] the file has a character YAML does not allow: control characters are not allowed",
                #"hint: write it as an escape in double quotes, such as "\e", or keep binary data in base64"#,
            ]),
        Case(
            id: "unquoted template", yaml: "a: {{ .Options.x }}\n",
            expected: [
                "1:4: error: [yaml-unquoted-template] a value that starts with '{{' needs quotes, or YAML takes the braces for its own",
                "hint: put the whole value in double quotes, or in single quotes if it contains some",
            ]),
        Case(
            id: "unquoted template and text", yaml: "a: {{ .Options.x }}-b\n",
            expected: [
                "1:4: error: [yaml-unquoted-template] a value that starts with '{{' needs quotes, or YAML takes the braces for its own",
                "hint: put the whole value in double quotes, or in single quotes if it contains some",
            ]),
        Case(
            id: "helm template", yaml: "a:\n{{- if .Values.x }}\n  b: c\n{{- end }}\n",
            expected: [
                "2:1: error: [yaml-helm-template] this looks like a Helm template, which is no YAML until Helm has rendered it",
                "hint: render it first: helm template CHART --show-only templates/FILE > blueprint.yaml",
            ]),
        Case(
            id: "helm value", yaml: "a: 1\nname: {{ .Release.Name }}\n",
            expected: [
                "2:7: error: [yaml-helm-template] this looks like a Helm template, which is no YAML until Helm has rendered it",
                "hint: render it first: helm template CHART --show-only templates/FILE > blueprint.yaml",
            ]),
        Case(
            id: "unknown anchor", yaml: "a: &first 1\nb: *frist\n",
            expected: [
                "2:4: error: [yaml-alias] there is no anchor '&frist' for alias '*frist'",
                "hint: did you mean 'first'?",
            ]),
        Case(
            id: "repeated key", yaml: "a: 1\nb: 2\na: 3\n",
            expected: [
                "3:1: error: [yaml-duplicate-key] 'a' is there twice in the same mapping",
                "hint: the first one is in line 1; Kubernetes would silently use only the last one",
            ]),
        Case(
            id: "boolean key", yaml: "on: 1\n",
            expected: [
                "1:1: warning: [yaml-boolean-key] key 'on' is a boolean in YAML and is read as 'true'",
                "hint: put quotes around it",
            ]),
        Case(
            id: "merge of a list", yaml: "a: &a [1]\nb:\n  <<: *a\n",
            expected: [
                "3:7: error: [yaml-merge] '<<' needs a mapping or a list of mappings, not an alias of a list",
                "hint: write '<<: *name' with an anchor '&name' on a mapping",
            ]),
        Case(
            id: "merge below", yaml: "a: &a {k: 1}\nb:\n  k: 2\n  <<: *a\n",
            expected: [
                "3:3: warning: [yaml-merge-order] '<<' below it replaces this value of 'k'",
                "hint: Kubernetes' reader lets the later one win; put '<<' first",
            ]),
        Case(
            id: "yaml 1.2", yaml: "%YAML 1.2\n---\na: b\n",
            expected: [
                "1:1: error: [yaml-version] Kubernetes reads YAML 1.1 only, not 1.2",
                "hint: remove the '%YAML' line",
            ]),
        Case(
            id: "infinity", yaml: "a: .inf\n",
            expected: [
                "1:4: error: [yaml-number] '.inf' is no number JSON has, Kubernetes refuses it",
                "hint: put quotes around it if it is a text",
            ]),
        Case(
            id: "syntax error in a secret", yaml: "kind: Secret\nstringData:\n  p: *hunter2\n  q: \"x\n",
            expected: [
                "3:6: error: [yaml-alias] there is an alias without its anchor",
                "hint: quote a text that starts with '*'",
                "4:6: error: [yaml-syntax] this is not valid YAML: the quote that opens here is never closed",
                "hint: add the closing quote",
            ]),
    ]

    static let blueprintCases = [
        Case(
            id: "no actions", yaml: blueprint(""),
            expected: [
                "1:1: error: [no-actions] the Blueprint has no actions",
                "hint: add 'actions:' with at least one action, such as 'backup:'",
            ]),
        Case(
            id: "empty actions", yaml: blueprint("actions: {}\n"),
            expected: [
                "4:1: error: [no-actions] the Blueprint has no actions",
                "hint: add 'actions:' with at least one action, such as 'backup:'",
            ]),
        Case(
            id: "actions as list", yaml: blueprint("actions:\n- name: backup\n"),
            expected: [
                "5:1: error: [wrong-type] 'actions' must be a mapping, not a list"
            ]),
        Case(
            id: "spec", yaml: blueprint("spec:\n  actions: {}\n"),
            expected: [
                "1:1: error: [no-actions] the Blueprint has no actions",
                "hint: add 'actions:' with at least one action, such as 'backup:'",
                "4:1: warning: [unknown-field] a Blueprint has no field 'spec', Kubernetes drops it",
                "hint: a Blueprint has no 'spec': 'actions' is at the top level",
            ]),
        Case(
            id: "misspelt actions", yaml: blueprint("action:\n  backup: {}\n"),
            expected: [
                "1:1: error: [no-actions] the Blueprint has no actions",
                "hint: add 'actions:' with at least one action, such as 'backup:'",
                "4:1: warning: [unknown-field] a Blueprint has no field 'action', Kubernetes drops it",
                "hint: did you mean 'actions'?",
            ]),
        Case(
            id: "no phases", yaml: blueprint("actions:\n  backup:\n    phases: []\n  restore:\n"),
            expected: [
                "6:5: warning: [no-phases] action 'backup' has no phases",
                "in action 'backup'",
                "hint: Kanister runs it without doing anything",
                "7:3: warning: [no-phases] action 'restore' is empty",
                "in action 'restore'",
                "hint: add 'phases:'",
            ]),
        Case(
            id: "phases as mapping", yaml: blueprint("actions:\n  backup:\n    phases:\n      func: KubeTask\n"),
            expected: [
                "7:7: error: [wrong-type] 'phases' must be a list, not a mapping",
                "in action 'backup'",
                "hint: put '- ' before each item",
            ]),
        Case(
            id: "no func", yaml: blueprint("actions:\n  backup:\n    phases:\n    - name: a\n"),
            expected: [
                "7:7: error: [missing-field] the phase has no 'func'",
                "in action 'backup', phase 'a'",
                "hint: name a Kanister function: 'func: KubeTask'",
            ]),
        Case(
            id: "empty func, no name", yaml: blueprint("actions:\n  backup:\n    phases:\n    - func: ''\n"),
            expected: [
                "7:7: warning: [phase-without-name] the phase has no 'name'",
                "in action 'backup', phase 1",
                "hint: without a name no template can use its outputs",
                "7:13: error: [missing-field] the phase has an empty 'func'",
                "in action 'backup', phase 1",
                "hint: name a Kanister function: 'func: KubeTask'",
            ]),
        Case(
            id: "misspelt field of a phase", yaml: phase("      arg: {}\n"),
            expected: [
                "9:7: warning: [unknown-field] a phase has no field 'arg', Kubernetes drops it",
                "in action 'backup', phase 'dump'",
                "hint: did you mean 'args'?",
            ]),
        Case(
            id: "func is a number",
            yaml: blueprint("actions:\n  backup:\n    phases:\n    - func: 5\n      name: yes\n"),
            expected: [
                "7:13: error: [wrong-type] 'func' must be a string, not a number",
                "in action 'backup', phase 1",
                #"hint: put quotes around it: "5""#,
                "8:13: error: [wrong-type] 'name' must be a string, not a boolean",
                "in action 'backup', phase 1",
                #"hint: put quotes around it: "yes""#,
            ]),
        Case(
            id: "duplicate phase", yaml: phase("    - func: KubeTask\n      name: dump\n"),
            expected: [
                "10:13: error: [duplicate-phase] Duplicated phase name is not allowed. Violating phase 'dump'",
                "in action 'backup'",
                "hint: also in action 'backup', line 8; names are unique over the whole blueprint",
            ]),
        Case(
            id: "duplicate over actions",
            yaml: phase("  restore:\n    deferPhase:\n      func: KubeTask\n      name: dump\n"),
            expected: [
                "9:3: warning: [no-phases] action 'restore' has no phases",
                "in action 'restore'",
                "hint: Kanister runs it without doing anything",
                "12:13: error: [duplicate-phase] Duplicated phase name is not allowed. Violating phase 'dump'",
                "in action 'restore'",
                "hint: also in action 'backup', line 8; names are unique over the whole blueprint",
            ]),
        Case(
            id: "legacy type", yaml: phase("    type: Deployment\n"),
            expected: [
                "9:5: warning: [unknown-field] an action has no field 'type', Kubernetes drops it",
                "in action 'backup'",
                "hint: 'type' is from early Kanister; remove it, or write 'kind' for readers",
            ]),
        Case(
            id: "secretNames", yaml: phase("    secretNames: [a]\n"),
            expected: [
                "9:5: warning: [unused-names] 'secretNames' is never read, neither by Kanister nor by Kasten",
                "in action 'backup'",
                "hint: name the object in a phase's 'objects' instead",
            ]),
        Case(
            id: "action names",
            yaml: blueprint(
                "actions:\n"
                    + ["backupPostHook", "preBackupHook", "quiesce", "restorePrehook"].map {
                        "  \($0): {phases: [{func: F, name: \($0)}]}\n"
                    }.joined()),
            expected: [
                "5:3: warning: [action-name] Kasten calls no action 'backupPostHook' on a bound object",
                "in action 'backupPostHook'",
                "hint: did you mean 'backupPosthook'?",
                "6:3: warning: [action-name] Kasten calls no action 'preBackupHook' on a bound object",
                "in action 'preBackupHook'",
                "hint: did you mean 'backupPrehook'?",
                "7:3: note: [action-name] Kasten calls no action 'quiesce' on a bound object",
                "in action 'quiesce'",
                "hint: it runs only if a policy hook or an ActionSet names it",
                "8:3: note: [action-name] 'restorePrehook' is called by Kasten 9.0.10 and later only",
                "in action 'restorePrehook'",
            ]),
        Case(
            id: "object kind",
            yaml: phase(
                "      objects:\n        a: {kind: Secert, name: s}\n        b: {name: s}\n        c: {kind: configmap}\n        d: {kind: Secret, nme: s}\n"
            ),
            expected: [
                "10:19: warning: [object-kind] Kanister does not fetch object 'a' of kind 'Secert'",
                "in action 'backup', phase 'dump'",
                "hint: did you mean 'Secret'?",
                "11:9: warning: [object-kind] Kanister does not fetch object 'b' without a 'kind'",
                "in action 'backup', phase 'dump'",
                "hint: only Secret and ConfigMap are fetched",
                "12:9: error: [object-without-name] object 'c' has no 'name'",
                "in action 'backup', phase 'dump'",
                "hint: Kanister cannot fetch it without a name",
                "13:9: error: [object-without-name] object 'd' has no 'name'",
                "in action 'backup', phase 'dump'",
                "hint: Kanister cannot fetch it without a name",
                "13:27: warning: [unknown-field] 'd' in 'objects' has no field 'nme', Kubernetes drops it",
                "in action 'backup', phase 'dump'",
                "hint: did you mean 'name'?",
            ]),
        Case(
            id: "artifact",
            yaml: phase("    outputArtifacts:\n      a: {}\n      b: {keyvalue: {}}\n      c: {keyValue: {k: 1}}\n"),
            expected: [
                "10:7: warning: [empty-artifact] artifact 'a' holds nothing",
                "in action 'backup', artifact 'a'",
                "hint: give it 'keyValue' or 'kopiaSnapshot'",
                "11:7: warning: [empty-artifact] artifact 'b' holds nothing",
                "in action 'backup', artifact 'b'",
                "hint: give it 'keyValue' or 'kopiaSnapshot'",
                "11:11: warning: [unknown-field] an artifact has no field 'keyvalue', Kubernetes drops it",
                "in action 'backup', artifact 'b'",
                "hint: did you mean 'keyValue'?",
                "12:25: error: [wrong-type] 'k' in 'keyValue' must be a string, not a number",
                "in action 'backup', artifact 'c'",
                #"hint: put quotes around it: "1""#,
            ]),
        Case(
            id: "args as list", yaml: phase("      args: [a]\n"),
            expected: [
                "9:13: error: [wrong-type] 'args' must be a mapping, not a list",
                "in action 'backup', phase 'dump'",
            ]),
        Case(
            id: "input artifacts as text", yaml: phase("    inputArtifactNames: pg\n"),
            expected: [
                "9:25: error: [wrong-type] 'inputArtifactNames' must be a list, not a string",
                "in action 'backup'",
                "hint: put '- ' before each item",
            ]),
    ]

    static func profile(_ lines: String) -> String {
        "apiVersion: cr.kanister.io/v1alpha1\nkind: Profile\nmetadata: {name: p}\n" + lines
    }

    static func binding(_ resources: String) -> String {
        "apiVersion: config.kio.kasten.io/v1alpha1\nkind: BlueprintBinding\nmetadata: {name: b}\nspec:\n"
            + "  blueprintRef: {name: bp, namespace: kasten-io}\n" + resources
    }

    static let profileCases = [
        Case(
            id: "profile without anything", yaml: profile(""),
            expected: [
                "1:1: error: [missing-field] the Profile has no 'credential'",
                "in credential",
                "hint: add 'credential:' with a 'type:'",
                "1:1: error: [missing-field] the Profile has no 'location'",
                "in location",
                "hint: add 'location:' with a 'type:'",
            ]),
        Case(
            id: "filesystem", yaml: profile("location: {type: filesystem}\ncredential: {type: kopia}\n"),
            expected: [
                "4:1: error: [missing-field] a filesystem location has no 'bucket'",
                "in location",
                "hint: give the folder of the repository: 'bucket: /path/to/repository'",
                "4:18: note: [filesystem-location] location type 'filesystem' is for local runs: Kanister and Kasten do not know it",
                "in location",
                "5:1: error: [missing-field] credential type 'kopia' has no 'kopiaServerSecret.userPassphrase'",
                "in credential",
                "hint: it names the Secret that holds the password",
            ]),
        Case(
            id: "kopia without its secret",
            yaml: profile("location: {type: kopia, endpoint: 'http://h'}\ncredential: {type: kopia}\n"),
            expected: [
                "4:35: error: [kopia-endpoint] the endpoint of a kopia location must start with 'https://'",
                "in location",
                "hint: kopia's server speaks TLS only",
                "5:1: error: [missing-field] credential type 'kopia' has no 'kopiaServerSecret.hostname'",
                "in credential",
                "5:1: error: [missing-field] credential type 'kopia' has no 'kopiaServerSecret.tlsCert'",
                "in credential",
                "5:1: error: [missing-field] credential type 'kopia' has no 'kopiaServerSecret.userPassphrase'",
                "in credential",
                "hint: it names the Secret that holds the password",
                "5:1: error: [missing-field] credential type 'kopia' has no 'kopiaServerSecret.username'",
                "in credential",
            ]),
        Case(
            id: "credential of another location",
            yaml: profile(
                "location: {type: azure}\ncredential: {type: kopia, kopiaServerSecret: {userPassphrase: {secret: {name: s}}}}\n"
            ),
            expected: [
                "5:20: error: [credential-type] location type 'azure' does not go with credential type 'kopia'",
                "in credential",
                "hint: it needs credential type keyPair or secret",
                "5:47: error: [missing-field] 'userPassphrase' has no 'key'",
                "in credential",
                "hint: name the key in the Secret",
                "5:72: error: [missing-field] Secret namespace is empty in 'userPassphrase'",
                "in credential",
                "hint: name the Secret: 'secret: {name: …, namespace: …}'",
            ]),
        Case(
            id: "connect option is a text",
            yaml: profile(
                "location: {type: filesystem, bucket: /r}\ncredential: {type: kopia, kopiaServerSecret: {userPassphrase: {key: k, secret: {name: s, namespace: ns}}, connectOptions: {a: b}}}\n"
            ),
            expected: [
                "4:18: note: [filesystem-location] location type 'filesystem' is for local runs: Kanister and Kasten do not know it",
                "in location",
                "5:127: error: [wrong-type] 'a' must be an integer, not a string",
                "in credential",
                "hint: write a number without quotes",
            ]),
        Case(
            id: "misspelt types",
            yaml: profile("location: {type: Azure}\ncredential: {type: keypair}\nskipSSLVerify: 'no'\n"),
            expected: [
                "4:18: error: [location-type] unknown or unsupported location type 'Azure'",
                "in location",
                "hint: did you mean 'azure'?",
                "5:20: error: [credential-type] Unsupported credential type 'keypair'",
                "in credential",
                "hint: did you mean 'keyPair'?",
                "6:16: error: [wrong-type] 'skipSSLVerify' must be true or false, not a string",
                "hint: write it without quotes",
            ]),
    ]

    static let bindingCases = [
        Case(
            id: "type without operator",
            yaml: binding("  resources: {matchAll: [{type: {group: apps, resource: statefulsets}}]}\n"),
            expected: [
                "6:27: error: [binding-shape] 'type' has no 'operator'",
                "in requirement 'type'",
                "hint: write type: {operator: In, values: [{group: apps, resource: statefulsets}]}",
            ]),
        Case(
            id: "selector", yaml: binding("  selector: {matchLabels: {a: b}}\n"),
            expected: [
                "4:1: error: [missing-field] the spec has no 'resources'",
                "hint: add 'resources: {matchAll: [{type: {operator: In, values: [{resource: secrets}]}}]}'",
                "6:3: warning: [unknown-field] a BlueprintBinding's spec has no field 'selector', Kubernetes drops it",
                "hint: write 'resources: {matchAll: [{labels: {key: …, operator: In, values: […]}}]}'",
            ]),
        Case(
            id: "selector in resources", yaml: binding("  resources: {selector: {matchLabels: {a: b}}}\n"),
            expected: [
                "6:3: error: [binding-shape] a binding without any requirement is invalid",
                "hint: add at least one item to 'matchAll' or 'matchAny'",
                "6:15: warning: [unknown-field] 'resources' has no field 'selector', Kubernetes drops it",
                "hint: write matchAll with items of 'labels', 'type', 'namespace' or 'annotations'",
            ]),
        Case(
            id: "nameSelector", yaml: binding("  resources: {matchAll: [{namespace: {nameSelector: a}}]}\n"),
            expected: [
                "6:27: error: [binding-shape] 'namespace' has no 'operator'",
                "in requirement 'namespace'",
                "hint: write namespace: {operator: In, values: […]}",
            ]),
        Case(
            id: "labels as in a Service", yaml: binding("  resources: {matchAny: [{labels: {type: db}}]}\n"),
            expected: [
                "6:27: error: [binding-shape] 'labels' has no 'operator'",
                "in requirement 'labels'",
                "hint: write labels: {key: type, operator: In, values: [db]}",
            ]),
        Case(
            id: "two kinds in one item",
            yaml: binding("  resources: {matchAll: [{type: {operator: In, values: [{resource: a}]}, labels: {}}]}\n"),
            expected: [
                "6:27: error: [binding-shape] a requirement has exactly one of type, namespace, annotations, labels; this has 2",
                "hint: start a new item with '- ' for each",
            ]),
        Case(
            id: "values with Exists",
            yaml: binding(
                "  resources: {matchAll: [{labels: {key: a, operator: Exists, values: [b]}}, {labels: {key: a, operator: In}}]}\n"
            ),
            expected: [
                "6:62: error: [binding-shape] operator 'Exists' takes no 'values'",
                "in requirement 'labels'",
                "6:78: error: [binding-shape] operator 'In' needs 'values'",
                "in requirement 'labels'",
            ]),
        Case(
            id: "misspelt operator",
            yaml: binding(
                "  resources: {matchAll: [{type: {operator: Exists, values: []}}, {labels: {key: a, operator: in, values: [b]}}]}\n"
            ),
            expected: [
                "6:44: error: [binding-shape] 'type' has no operator 'Exists'",
                "in requirement 'type'",
                "hint: operators here: In, NotIn",
                "6:94: error: [binding-shape] 'labels' has no operator 'in'",
                "in requirement 'labels'",
                "hint: did you mean 'In'?",
            ]),
        Case(
            id: "kind for resource",
            yaml: binding("  resources: {matchAll: [{type: {operator: In, values: [{kind: Secret}]}}]}\n"),
            expected: [
                "6:58: error: [unknown-field] a value of 'type' has no field 'kind'",
                "in requirement 'type'",
                "hint: write 'resource:' with the lower-case plural, such as 'secrets'",
            ]),
        Case(
            id: "no blueprintRef",
            yaml:
                "apiVersion: config.kio.kasten.io/v1alpha1\nkind: BlueprintBinding\nmetadata: {name: b}\nspec:\n  blueprint: bp\n  resources: {}\n",
            expected: [
                "4:1: error: [missing-field] the spec has no 'blueprintRef'",
                "hint: add 'blueprintRef: {name: …, namespace: kasten-io}'",
                "5:3: warning: [unknown-field] a BlueprintBinding's spec has no field 'blueprint', Kubernetes drops it",
                "hint: write 'blueprintRef: {name: …, namespace: …}'",
                "6:3: error: [binding-shape] a binding without any requirement is invalid",
                "hint: add at least one item to 'matchAll' or 'matchAny'",
            ]),
    ]
}
