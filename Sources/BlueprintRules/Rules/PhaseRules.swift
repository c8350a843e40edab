import Diagnostics

/// Functions, their arguments, objects, and what Kasten does with an action.
extension Rule {
    static let unknownFunction = Rule(
        "unknown-function", .error, "A phase calls a function Kanister does not have.",
        """
        'func' is the exact, case-sensitive name of a function. Kanister's webhook and Kasten refuse the blueprint. The
        functions for volume snapshots (CreateVolumeSnapshot and its siblings) were removed in 0.115.0; CSI ones replace them.
        karaffe explain --list names all functions.
        """,
        bad: "func: kubeTask", good: "func: KubeTask")
    static let unsupportedArgument = Rule(
        "unsupported-argument", .error, "A function gets an argument it does not support.",
        """
        Kanister refuses arguments it does not know when the blueprint is saved and when the phase runs. karaffe explain
        FUNCTION lists them.
        """,
        bad: "func: KubeExec\nargs:\n  containers: postgres", good: "func: KubeExec\nargs:\n  container: postgres")
    static let missingArgument = Rule(
        "missing-argument", .error, "A required argument is missing.",
        "Kanister's webhook and Kasten refuse the blueprint. Required means that the key is there; its value may be empty.",
        bad: "func: KubeTask\nargs:\n  image: postgres:17",
        good: "func: KubeTask\nargs:\n  image: postgres:17\n  command: [pg_dump]")
    static let emptyArgument = Rule(
        "empty-argument", .warning, "A required argument is empty.",
        "Kanister only asks for the key to be there, so an empty image or command fails when the pod is made.",
        bad: "image: \"\"", good: "image: postgres:17")
    static let argumentType = Rule(
        "argument-type", .error, "The value of an argument cannot be what the function wants.",
        """
        Arguments are decoded weakly: numbers become text and the other way round, a single value becomes a list of one. A map
        is never text, a list never a map, and the phase fails with: Failed to decode arg.
        """,
        bad: "image: {name: postgres}", good: "image: postgres:17")
    static let argumentCombination = Rule(
        "argument-combination", .error, "Arguments do not go together.",
        """
        Some functions want exactly one of two arguments, or one that depends on the value of another: KubeOps create needs
        spec, delete and patch need objectReference; RestoreData needs pod or volumes and backupTag or backupIdentifier.
        """,
        bad: "func: KubeOps\nargs:\n  operation: create",
        good: "func: KubeOps\nargs:\n  operation: create\n  spec: |-\n    …")
    static let commandText = Rule(
        "command-text", .warning, "A command is one text with spaces.",
        """
        A single text becomes a list of one: the name of a program, spaces included, which no image has. A shell is not
        started unless it is named.
        """,
        bad: "command: pg_dump --clean", good: "command: [pg_dump, --clean]")
    static let labelSyntax = Rule(
        "label-syntax", .error, "A label or annotation of a pod is not valid.",
        "Kanister checks podLabels and podAnnotations with Kubernetes' own rules and refuses the blueprint.",
        bad: "podLabels:\n  \"app name\": pg", good: "podLabels:\n  app: pg")
    static let removedFeature = Rule(
        "removed-feature", .warning, "This exists in some versions of Kanister only.",
        """
        Repository servers and the functions BackupDataUsingKopiaServer, RestoreDataUsingKopiaServer and
        DeleteDataUsingKopiaServer came with 0.92.0 and are gone after 0.119.0.
        """,
        bad: "func: BackupDataUsingKopiaServer", good: "func: KubeTask   # with kando location push")
    static let prepareDataStatus = Rule(
        "prepare-data-status", .warning, "PrepareData does not notice that its command failed.",
        """
        PrepareData reads the log of its pod and ignores how the command ended, unless failOnError is true (Kanister 0.115.0
        and later). A failed preparation is a green phase.
        """,
        bad: "func: PrepareData\nargs:\n  command: […]",
        good: "func: PrepareData\nargs:\n  failOnError: true\n  command: […]")
    static let defaultEncryptionKey = Rule(
        "default-encryption-key", .warning, "The restic repository is encrypted with a public password.",
        """
        Without 'encryptionKey' the restic functions use a hash of a constant in Kanister's source: whoever can read the
        bucket can read the data. The same key is needed wherever the data is restored or deleted.
        """,
        bad: "func: BackupData\nargs:\n  …",
        good: "encryptionKey: '{{ .Phases.b.Secrets.key.Data.password | toString }}'")
    static let waitCondition = Rule(
        "wait-condition", .error, "A condition of Wait or WaitV2 can never be true.",
        """
        Conditions are templates of another root: the object that is watched, which objectReference has to name by apiVersion,
        resource and name. Kanister takes an error in one, even a syntax
        error, for "not yet", waits until the timeout is over and then shows only the last error. WaitV2 knows Go's own
        functions, exists and base64decode, and no sprig; the result has to be exactly 'true'.
        """,
        bad: #"condition: '{{ if eq .status.phase "Running" }}true'"#,
        good: #"condition: '{{ eq .status.phase "Running" }}'"#)
    static let waitWithoutConditions = Rule(
        "wait-without-conditions", .error, "Wait or WaitV2 has no condition to wait for.",
        """
        With neither 'anyOf' nor 'allOf', or with empty lists, nothing can ever be true: Kanister waits until the timeout is
        over and fails the phase.
        """,
        bad: "conditions:\n  allOf: []",
        good: #"conditions:\#n  allOf:\#n  - condition: '{{ eq .status.phase "Running" }}'\#n    objectReference: …"#)
    static let waitTimeout = Rule(
        "wait-timeout", .error, "The timeout of Wait or WaitV2 is no duration.",
        "A timeout is a Go duration: a number with a unit, such as 90s or 1h30m. WaitV2 does not render it.",
        bad: "timeout: 10 minutes", good: "timeout: 10m")
    static let repeatedObject = Rule(
        "repeated-object", .warning, "Two objects of a phase are the same.",
        "The same Secret or ConfigMap is fetched twice under different names; one of the two is probably meant to be another.",
        bad: "objects:\n  admin: {kind: Secret, name: pg}\n  user: {kind: Secret, name: pg}")
    static let clusterObject = Rule(
        "cluster-object", .error, "A Secret or ConfigMap is not in the cluster folder.",
        """
        With --cluster-dir the manifests of a folder stand for the cluster. A phase whose object is not there fails before
        its command starts.
        """,
        bad: "objects:\n  pg: {kind: Secret, name: postgress, namespace: app}")
    static let clusterKey = Rule(
        "cluster-key", .error, "A Secret or ConfigMap of the cluster folder has no such key.",
        """
        A missing key is an error when it is reached with a dot. Reached with index it is empty, without an error: a misspelt
        key then gives an empty password, which is a warning here.
        """,
        bad: #"'{{ index .Phases.dump.Secrets.pg.Data "passwort" | toString }}'"#)
    static let profileInHook = Rule(
        "profile-in-hook", .warning, "A hook uses '.Profile', which it does not get.",
        """
        Kasten hands a profile and artifacts to 'backup', 'restore' and 'delete'. Hooks have none: '.Profile' is nil, toJson
        gives null, and kando has no location.
        """,
        bad: "backupPrehook:\n  … kando location push --profile '{{ toJson .Profile }}'")
    static let namespaceInAction = Rule(
        "namespace-in-action", .warning, "'.Namespace' is used in an action that has no namespace for its object.",
        """
        '.Namespace' is set when the object of the action is a namespace. Kasten runs 'delete' that way. In the other actions of
        a bound resource it is nil, and rendering fails.
        """,
        bad: "backup:\n  … namespace: '{{ .Namespace.Name }}'",
        good: "backup:\n  … namespace: '{{ .Object.metadata.namespace }}'")
    static let workloadInDelete = Rule(
        "workload-in-delete", .warning, "'delete' uses a workload, which Kasten does not give it.",
        """
        Kasten runs 'delete' when a restore point is retired, with its own namespace as the object. The application may be
        gone. Only '.Namespace.Name', '.ArtifactsIn' and '.Profile' can be relied on. An ActionSet made with kanctl still
        has the workload.
        """,
        bad: "delete:\n  … '{{ .StatefulSet.Name }}'", good: "delete:\n  … '{{ .ArtifactsIn.backup.KeyValue.path }}'")
    static let bindingBlueprint = Rule(
        "binding-blueprint", .warning, "A binding names a blueprint that is not among the files.",
        """
        Kasten takes the binding and applies nothing. Only checked when at least one Blueprint is among the files; one that
        lives elsewhere is a reason to silence this.
        """,
        bad: "blueprintRef: {name: flexible, namespace: kasten-io}",
        good: "blueprintRef: {name: flexible-bp, namespace: kasten-io}")
    static let pipefail = Rule(
        "pipefail", .warning, "A pipe hides the failure of its first command.",
        """
        The exit status of a pipe is that of its last command. Without pipefail a pg_dump that dies in the middle leaves a
        truncated file and a green phase, and the restore is the first to notice. errexit alone does not help.
        """,
        bad: "command: [bash, -c, 'pg_dump | kando location push …']",
        good: "command: [bash, -o, errexit, -o, pipefail, -c, 'pg_dump | kando location push …']")
    static let pipefailInSh = Rule(
        "pipefail-in-sh", .warning, "'sh' is asked for pipefail, which it need not have.",
        "sh is dash or BusyBox in many images. An option it does not know ends the script at once.",
        bad: "command: [sh, -o, pipefail, -c, …]", good: "command: [bash, -o, pipefail, -c, …]")
    static let secretQuoting = Rule(
        "secret-quoting", .warning, "A secret is written into a shell script.",
        """
        The template is rendered before the shell reads the script. A ' in a password or in the profile's credentials ends
        single quotes; double quotes let $, `, " and \\ through; without quotes the value is taken apart. At best the script
        breaks, at worst the value runs as a command. Besides, the script is in the pod's spec, so that the secret is in etcd
        and in every process list. Environment variables set through podOverride are quoted by nobody. (kando takes its profile
        on the command line only; pod-runner also takes --profile env:NAME.)
        """,
        bad: "export PGPASSWORD='{{ .Phases.dump.Secrets.pg.Data.password | toString }}'",
        good: """
            podOverride:
              containers:
              - name: container
                env:
                - name: PGPASSWORD
                  value: '{{ .Phases.dump.Secrets.pg.Data.password | toString | replace "$" "$$" }}'
            """)
    static let secretArgument = Rule(
        "secret-argument", .warning, "A secret is an argument of a program.",
        "Arguments can be read by everyone who may list processes or see the pod. Most programs read a variable or a file.",
        bad: "mysqldump --password=\"$PASSWORD\"", good: "MYSQL_PWD from podOverride, or --defaults-extra-file")
    static let trailingSleep = Rule(
        "trailing-sleep", .note, "The script ends with a sleep.",
        """
        Many blueprints sleep at the end so that the last lines of the log are not lost. Kanister reads the log to its end
        when the pod is done; outputs printed last need no sleep.
        """,
        bad: "kando output path \"$path\"\nsleep 10", good: "kando output path \"$path\"")
    static let pathMismatch = Rule(
        "path-mismatch", .warning, "Backup and restore disagree about --path.",
        """
        In a kopia repository the last part of --path is the name of the file in the snapshot. pull with another name finds
        nothing.
        """,
        bad: "kando location push --path backup.sql …\nkando location pull --path dump.sql …",
        good: "kando location push --path backup.sql …\nkando location pull --path backup.sql …")
    static let timeRebuilt = Rule(
        "time-rebuilt", .warning, "A restore or delete builds a path from '.Time'.",
        "'.Time' is when the running action was started. A path built from it in restore is not the one backup wrote to.",
        bad: "restore:\n  … kando location pull --path 'pg/{{ .Time }}'",
        good: "restore:\n  … kando location pull --path '{{ .ArtifactsIn.pg.KeyValue.path }}'")

    static let unknownIgnoredRule = Rule(
        "unknown-ignored-rule", .warning, "A comment silences a rule that does not exist.",
        "# karaffe:ignore and # karaffe:ignore-file name rules by their ids, separated by commas; a reason may follow.",
        bad: "# karaffe:ignore pipfail", good: "# karaffe:ignore pipefail grep may fail here")
    static let unusedIgnore = Rule(
        "unused-ignore", .note, "A comment silences nothing.",
        "Reported with --strict. Comments that outlive what they silenced hide the next problem.",
        bad: "# karaffe:ignore pipefail\n- echo hello")

    static let phases = [
        unknownFunction, unsupportedArgument, missingArgument, emptyArgument, argumentType, argumentCombination,
        commandText,
        labelSyntax, removedFeature, prepareDataStatus, defaultEncryptionKey, waitCondition, waitWithoutConditions,
        waitTimeout, repeatedObject,
        clusterObject, clusterKey, profileInHook, namespaceInAction, workloadInDelete, bindingBlueprint,
    ]
    static let shell = [
        pipefail, pipefailInSh, secretQuoting, secretArgument, trailingSleep, pathMismatch, timeRebuilt,
    ]
    static let comments = [unknownIgnoredRule, unusedIgnore]
}
