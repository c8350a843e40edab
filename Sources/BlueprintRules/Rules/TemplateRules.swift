import Diagnostics

/// Templates: syntax, functions and what they refer to.
extension Rule {
    static let templateSyntax = Rule(
        "template-syntax", .error, "A text is no valid Go template.",
        """
        Every string under a phase's 'args' and 'objects' and under 'outputArtifacts' is a Go template with the functions of
        sprig 2.22.0. One that does not parse fails the phase when it is rendered, after the phases before it have run;
        Kanister looks at no template before that. Sprig 3 functions such as fromJson, dig or mustToJson do not exist.
        """,
        bad: #"image: "{{ .Options.my-image }}""#,
        good: #"image: '{{ index .Options "my-image" }}'"#)
    static let phaseReference = Rule(
        "phase-reference", .error, "A template uses a phase that has not run at this point, or does not exist.",
        """
        '.Phases' holds the phases of the same action that have run already, and of the running one only its Secrets and
        ConfigMaps. Objects of all phases are rendered before the first phase runs, so they can use no phase at all. The
        deferPhase is under '.DeferPhase'. Kanister fails with: Failed to render template: "name" not found.
        """,
        bad: "phases:\n- name: dump\n  args:\n    image: '{{ .Phases.prepare.Output.image }}'\n- name: prepare",
        good: "phases:\n- name: prepare\n- name: dump\n  args:\n    image: '{{ .Phases.prepare.Output.image }}'")
    static let templateField = Rule(
        "template-field", .error, "A template uses a field that the root object or a typed object does not have.",
        """
        Outside '.Object' everything has Go names: '.Secrets.x.Data', not 'data'; '.Profile.Location.Bucket', not 'bucket'.
        toJson shows some of these fields under other names, which templates cannot use. Rendering stops with "can't
        evaluate field".
        """,
        bad: "'{{ .Profile.Location.bucket }}'", good: "'{{ .Profile.Location.Bucket }}'")
    static let objectField = Rule(
        "object-field", .error, "'.Object' is used with names its JSON does not have.",
        """
        '.Object' is the bound object as JSON: its name is '.Object.metadata.name', its data '.Object.data'. The Go names of
        typed objects ('.Name', '.Data') do not exist there, and a missing key is an error.
        """,
        bad: "'{{ .Object.Name }}'", good: "'{{ .Object.metadata.name }}'")
    static let deferPhaseReference = Rule(
        "defer-phase-reference", .error, "'.DeferPhase' is used where it is nil.",
        """
        The deferPhase runs last. '.DeferPhase' exists while its own arguments are rendered (without Output) and in
        'outputArtifacts'; in any other phase it is nil and rendering fails.
        """,
        bad: "phases:\n- name: dump\n  args:\n    image: '{{ .DeferPhase.Output.image }}'",
        good: "outputArtifacts:\n  log:\n    keyValue:\n      path: '{{ .DeferPhase.Output.path }}'")
    static let unknownObject = Rule(
        "unknown-object", .error, "A template reads a Secret or ConfigMap that the phase does not fetch.",
        """
        '.Phases.x.Secrets' and '.Phases.x.ConfigMaps' hold what is named under 'objects' of phase x, under the names given
        there, Secrets and ConfigMaps apart. Anything else is "not found" when the template is rendered.
        """,
        bad:
            "objects:\n  pg: {kind: Secret, …}\nargs:\n  image: '{{ .Phases.dump.Secrets.postgres.Data.image | toString }}'",
        good: "objects:\n  pg: {kind: Secret, …}\nargs:\n  image: '{{ .Phases.dump.Secrets.pg.Data.image | toString }}'"
    )
    static let unknownOutput = Rule(
        "unknown-output", .error, "A template reads an output that the phase does not give.",
        """
        Outputs are what the phase's command prints: kando output KEY VALUE, kando location push --output-name KEY (kandoOutput
        by default), pod-runner backup --output-name KEY. Other functions give fixed outputs. A missing key fails the action
        when the template is rendered: for 'outputArtifacts' after all the work was done, and the backup is lost. It is an
        error for functions with fixed outputs and a warning for scripts, which may call a program that prints more.
        """,
        bad: "kando output backupPath \"$path\"   # and later .Phases.dump.Output.backupLocation",
        good: "kando output backupLocation \"$path\"")
    static let outputKey = Rule(
        "output-key", .error, "The key of an output has characters that are not allowed.",
        """
        kando output refuses keys with anything but letters, digits and underscores, and a template could not reach them with
        a dot either.
        """,
        bad: "kando output backup-location \"$path\"", good: "kando output backupLocation \"$path\"")
    static let unknownArtifact = Rule(
        "unknown-artifact", .warning, "An action reads an artifact that no action of the blueprint makes.",
        """
        '.ArtifactsIn' holds what an earlier action of the same blueprint left behind under 'outputArtifacts'. A name that is
        made nowhere is a missing key when the restore runs, often long after the backup. An ActionSet written by hand may
        bring any artifact; then silence this.
        """,
        bad: "outputArtifacts:\n  pgBackup: …\n# in restore:\n'{{ .ArtifactsIn.pgBackups.KopiaSnapshot }}'",
        good: "'{{ .ArtifactsIn.pgBackup.KopiaSnapshot }}'")
    static let unknownArtifactKey = Rule(
        "unknown-artifact-key", .warning, "An action reads a part of an artifact that is never written.",
        """
        An artifact has the keys its 'keyValue' is written with and a KopiaSnapshot when it has one. A missing key fails the
        restore; a missing KopiaSnapshot is an empty text, and kando then looks for a plain object.
        """,
        bad:
            "outputArtifacts:\n  pg:\n    keyValue: {path: …}\n# in restore:\n'{{ .ArtifactsIn.pg.KeyValue.location }}'",
        good: "'{{ .ArtifactsIn.pg.KeyValue.path }}'")
    static let functionArguments = Rule(
        "function-arguments", .error, "A template function gets the wrong number or types of arguments.",
        """
        Go checks functions when the template runs, so this fails the phase. Sprig's functions are strict about types: b64dec
        and replace want text, not bytes and not numbers.
        """,
        bad: #"'{{ default "5432" }}'"#, good: #"'{{ index .Options "port" | default "5432" }}'"#)
    static let refusedFunction = Rule(
        "refused-function", .error, "Kanister refuses this function.",
        """
        Kanister replaces functions that are not FIPS compatible by ones that always fail: derivePassword, and genPrivateKey
        for anything but rsa and ecdsa.
        """,
        bad: #"'{{ derivePassword 1 "long" "m" "u" "s" }}'"#)
    static let controllerEnvironment = Rule(
        "controller-environment", .warning, "A template looks at the environment of Kanister's controller.",
        """
        Templates are rendered in the controller: env, expandenv and getHostByName see its environment and network, not the
        pod's. What they give depends on the installation. karaffe refuses them unless --allow-env is given.
        """,
        bad: #"'{{ env "PGHOST" }}'"#, good: "script: echo $PGHOST")
    static let secretBytes = Rule(
        "secret-bytes", .warning, "A value of a Secret is used as text although it is bytes.",
        """
        '.Data' of a Secret holds decoded bytes. Written as they are they become a list of numbers ([112 119]), and functions
        that want text refuse them. 'toString' makes text of them.
        """,
        bad: "'{{ .Phases.dump.Secrets.pg.Data.password }}'",
        good: "'{{ .Phases.dump.Secrets.pg.Data.password | toString }}'")
    static let secretDecodedTwice = Rule(
        "secret-decoded-twice", .warning, "A value of a Secret is decoded once too often.",
        """
        '.Data' of a Secret fetched through 'objects' is decoded already. b64dec on it gives an error text or other bytes, and
        no error. Only '.Object.data' of a bound Secret is still in base64.
        """,
        bad: "'{{ .Phases.dump.Secrets.pg.Data.password | toString | b64dec }}'",
        good: "'{{ .Phases.dump.Secrets.pg.Data.password | toString }}'")
    static let objectDataEncoding = Rule(
        "object-data-encoding", .warning, "Data of the bound object is decoded wrongly.",
        """
        '.Object' is plain JSON. The data of a Secret are base64 texts there and need b64dec; those of a ConfigMap are plain.
        Checked when the action's kind, or a BlueprintBinding among the files, says what the object is.
        """,
        bad: "'{{ .Object.data.password }}'", good: "'{{ .Object.data.password | toString | b64dec }}'")
    static let timeAsText = Rule(
        "time-as-text", .warning, "'.Time' goes into a date function without being parsed.",
        """
        '.Time' is text. date formats anything that is no time as the current time, without an error, so that phases of one
        action get different times.
        """,
        bad: #"'{{ .Time | date "2006-01-02" }}'"#,
        good: #"'{{ toDate "2006-01-02T15:04:05.999999999Z07:00" .Time | date "2006-01-02" }}'"#)

    static let templates = [
        templateSyntax, phaseReference, templateField, objectField, deferPhaseReference, unknownObject, unknownOutput,
        outputKey, unknownArtifact, unknownArtifactKey, functionArguments, refusedFunction, controllerEnvironment,
        secretBytes, secretDecodedTwice, objectDataEncoding, timeAsText,
    ]
}
