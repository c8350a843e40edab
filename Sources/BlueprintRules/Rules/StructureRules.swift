import Diagnostics

/// What `Blueprints` finds when it reads a file. The ids are written there; the pages are here.
extension Rule {
    static let yaml = [
        Rule(
            "yaml-syntax", .error, "The file is no YAML.",
            "The API server refuses the file as it stands. Most often a quote is not closed or the indentation is off.",
            bad: "name: 'backup", good: "name: 'backup'"),
        Rule(
            "yaml-encoding", .error, "The file is not UTF-8 text.",
            "YAML is UTF-8, or UTF-16 with a byte order mark; some control characters are not allowed at all."),
        Rule(
            "yaml-version", .error, "The %YAML directive names a version that is not read.",
            "Kubernetes reads YAML 1.1. Leave the directive out.", bad: "%YAML 2.0"),
        Rule(
            "yaml-escape", .error, "A double-quoted text has an escape YAML does not have.",
            "In double quotes a backslash begins an escape. Use single quotes for text with backslashes.",
            bad: #"pattern: "\d+""#, good: #"pattern: '\d+'"#),
        Rule(
            "yaml-tag", .error, "A value does not fit its tag.",
            "A tag such as !!int is taken at its word. Tags are rarely needed: leave it out.",
            bad: "replicas: !!int two"),
        Rule(
            "yaml-number", .error, "A number cannot be read.",
            "A value that looks like a number is one, unless it is quoted.", bad: "key: 0o9", good: "key: '0o9'"),
        Rule(
            "yaml-key", .error, "A key is no text.", "Keys of JSON are texts: a list or a mapping cannot be one.",
            bad: "? [a, b]\n: c"),
        Rule(
            "yaml-alias", .error, "An alias has no anchor before it, or stands inside its own.",
            "*name repeats what &name marked earlier in the same document.", bad: "a: *image",
            good: "a: &image x\nb: *image"),
        Rule(
            "yaml-merge", .error, "A merge key does not get a mapping.",
            "'<<' merges a mapping, or a list of mappings, into the one it stands in.", bad: "<<: text",
            good: "<<: *defaults"),
        Rule(
            "yaml-duplicate-key", .error, "A key is there twice.",
            "Kubernetes' reader takes the last one without a word, or refuses the file, depending on the version.",
            bad: "backup: …\nbackup: …"),
        Rule(
            "yaml-boolean-key", .warning, "A key is read as true or false.",
            "yes, no, on, off, y and n are booleans in YAML 1.1: as a key, 'on' arrives as \"true\". Quote it.",
            bad: "on: value", good: "'on': value"),
        Rule(
            "yaml-merge-order", .warning, "A merge key stands after keys it changes.",
            "Kubernetes' reader merges where '<<' stands, so that it wins over keys above it. Put it first.",
            bad: "a: 1\n<<: *defaults", good: "<<: *defaults\na: 1"),
        Rule(
            "yaml-unquoted-template", .error, "A template is not quoted.",
            "A value that begins with { is a mapping of YAML. Put quotes around the template.",
            bad: "image: {{ .Options.image }}", good: "image: '{{ .Options.image }}'"),
        Rule(
            "yaml-helm-template", .error, "The file is a Helm template, which is no YAML until Helm has rendered it.",
            "Render it first (helm template) and check the result."),
        Rule(
            "yaml-limit", .error, "The file is too big, too deeply nested or expands too far.",
            "At most 16 MiB, 100 levels, 400,000 nodes and 64 MiB with every alias expanded."),
    ]

    static let documents = [
        Rule("empty-file", .error, "There is nothing in the file.", "The file has no document, or only comments."),
        Rule(
            "not-a-manifest", .error, "A document is no Kubernetes object.", "It needs apiVersion, kind and metadata.",
            good: "apiVersion: cr.kanister.io/v1alpha1\nkind: Blueprint\nmetadata:\n  name: pg"),
        Rule(
            "wrong-kind", .error, "The file does not have the kind of document that is wanted.",
            "Give the file that has it."),
        Rule(
            "wrong-api-version", .error, "The apiVersion does not go with the kind.",
            "The API server knows each kind under its own apiVersion only.", bad: "apiVersion: v1\nkind: Blueprint",
            good: "apiVersion: cr.kanister.io/v1alpha1\nkind: Blueprint"),
        Rule(
            "invalid-name", .error, "A name is not valid in Kubernetes.",
            "Names are lower-case letters, digits, '-' and '.', and begin and end with a letter or a digit.",
            bad: "name: My_Blueprint", good: "name: my-blueprint"),
        Rule(
            "missing-field", .error, "A required field is missing.",
            "Kanister or Kasten cannot use the document without it.", bad: "phases:\n- name: dump",
            good: "phases:\n- name: dump\n  func: KubeTask"),
        Rule(
            "unknown-field", .warning, "A field does not exist; it is dropped without a word.",
            "The API server removes fields its schema does not know. What is written there has no effect.",
            bad: "phases:\n- funk: KubeTask", good: "phases:\n- func: KubeTask"),
        Rule(
            "wrong-type", .error, "A value has the wrong type.", "The API server refuses the document.",
            bad: "phases: {name: dump}", good: "phases:\n- name: dump"),
    ]

    static let blueprints = [
        Rule(
            "no-actions", .error, "The blueprint has no actions.", "There is nothing Kanister or Kasten could run.",
            good: "actions:\n  backup:\n    phases: …"),
        Rule(
            "no-phases", .warning, "An action has no phases.", "Kanister's controller stops over it, or runs nothing.",
            good: "backup:\n  phases:\n  - func: KubeTask\n    …"),
        Rule(
            "phase-without-name", .warning, "A phase has no name.", "No template can use its outputs or its objects.",
            bad: "- func: KubeTask", good: "- func: KubeTask\n  name: dump"),
        Rule(
            "duplicate-phase", .error, "Two phases of the blueprint have the same name.",
            "Kanister's webhook wants names to be unique over all actions, deferPhases included. Without the webhook two phases of one action both run with the arguments of the last.",
            bad: "backup: … name: run\nrestore: … name: run", good: "backup: … name: dump\nrestore: … name: load"),
        Rule(
            "action-name", .warning, "Kasten does not call an action of this name.",
            "On a bound object Kasten calls backup, restore, delete, backupPrehook, backupPosthook, restorePrehook (9.0.10) and restorePosthook. Others are ignored unless a policy hook or an ActionSet names them. Mind the lower-case h.",
            bad: "backupPostHook:", good: "backupPosthook:"),
        Rule(
            "unused-names", .warning, "secretNames and configMapNames are never read.",
            "Kanister's documentation says that they are checked; no code does, and Kasten does not use them. Fetch what a phase needs through its 'objects'.",
            bad: "secretNames: [pg]", good: "objects:\n  pg: {kind: Secret, name: pg, namespace: app}"),
        Rule(
            "empty-artifact", .warning, "An artifact has neither keyValue nor kopiaSnapshot.",
            "It carries nothing to the restore.",
            bad: "outputArtifacts:\n  pg: {}", good: "outputArtifacts:\n  pg:\n    keyValue: {path: …}"),
        Rule(
            "object-kind", .warning, "An object of a phase is of a kind Kanister does not fetch.",
            "Only Secret and ConfigMap are fetched, without regard to case. Others are ignored without a word.",
            bad: "objects:\n  pg: {kind: Deployment, name: pg}", good: "objects:\n  pg: {kind: Secret, name: pg}"),
        Rule(
            "object-without-name", .error, "An object of a phase has no name.", "Kanister cannot fetch it.",
            bad: "objects:\n  pg: {kind: Secret}", good: "objects:\n  pg: {kind: Secret, name: pg, namespace: app}"),
    ]

    static let actionSetBlueprint = Rule(
        "actionset-blueprint", .warning, "An ActionSet names a blueprint that is not among the files.",
        "Only checked when at least one Blueprint is among the files; one that lives elsewhere is a reason to silence this.",
        bad: "blueprint: flexible", good: "blueprint: flexible-bp")
    static let actionSetAction = Rule(
        "actionset-action", .error, "An ActionSet names an action that its blueprint does not have.",
        "Kanister fails the ActionSet before anything runs. Compared with the blueprint of that name among the files.",
        bad: "name: back-up", good: "name: backup")
    static let actionSetNeeds = Rule(
        "actionset-needs", .warning, "An ActionSet does not give what the action's templates read.",
        """
        Options, artifacts and their keys, Secrets, ConfigMaps and the profile come from the ActionSet; workloads and
        '.Namespace' are set when its object is one. A template that reads what is not there fails its phase. A template inside
        an 'if' may never be reached; then silence this. What is read with index may be absent.
        """,
        bad: "name: restore        # reads .ArtifactsIn.pgBackup",
        good: "name: restore\nartifacts:\n  pgBackup: {kopiaSnapshot: …}")
    static let others = [
        actionSetBlueprint, actionSetAction, actionSetNeeds,
        Rule(
            "unknown-object-kind", .error, "An ActionSet names a kind of object without saying where to find it.",
            "Kanister knows StatefulSet, Deployment, DeploymentConfig, PVC and Namespace. Any other object needs apiVersion and resource."
        ),
        Rule(
            "actionset-status", .error, "The status of an ActionSet contradicts itself.",
            "Kanister's controller refuses it: unknown states, or phases that go on after one that is not finished."),
        Rule(
            "location-type", .error, "A Profile has a location type Kanister does not know.",
            "There are s3Compliant, gcs, azure and kopia, in exactly this spelling.", bad: "type: S3",
            good: "type: s3Compliant"),
        Rule(
            "credential-type", .error,
            "A Profile has a credential type that does not exist or does not go with its location.",
            "There are keyPair, secret and kopia.", bad: "type: keypair", good: "type: keyPair"),
        Rule(
            "kopia-endpoint", .error, "A kopia location has no usable endpoint.",
            "The endpoint is the URL of a kopia repository server, with https."),
        Rule(
            "filesystem-location", .note, "Only karaffe knows the location type 'filesystem'.",
            "It is for local runs: the bucket is a folder with a kopia repository. Kanister and Kasten refuse it."),
        Rule(
            "binding-shape", .error, "A BlueprintBinding has a shape Kasten does not know.",
            "Several shapes circulate that were never right: type without an operator, selector.matchLabels, namespace.nameSelector. Each item of matchAll and matchAny has exactly one of type, namespace, annotations and labels, with an operator.",
            bad: "matchAll:\n- type: {resource: secrets}",
            good: "matchAll:\n- type:\n    operator: In\n    values:\n    - resource: secrets"),
        Rule(
            "not-base64", .error, "A value of a Secret or ConfigMap is no base64.",
            "'data' of a Secret and 'binaryData' of a ConfigMap are base64. Plain text goes into 'stringData' or 'data'.",
            bad: "data: {password: secret}", good: "stringData: {password: secret}"),
    ]
}
