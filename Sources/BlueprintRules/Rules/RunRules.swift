import Diagnostics

/// What `render`, `run`, `inputs` and `eval` report about the inputs they were given; `validate` reports only the first two.
extension Rule {
    static let runs = [
        Rule("file", .error, "A file cannot be read.", "It does not exist, may not be read, or is over 64 MiB."),
        Rule(
            "cluster-folder", .error, "The folder of --cluster-dir cannot be used.",
            "It is a folder of plain Kubernetes manifests, each object once: Secrets, ConfigMaps, Profiles, workloads."),
        Rule("unknown-action", .error, "The blueprint has no such action.", "--action names a key under 'actions'."),
        Rule(
            "unknown-phase", .error, "The action has no such phase.",
            "Phases are named by 'name', in the action that runs."),
        Rule(
            "object", .error, "The object the action works on cannot be used.",
            "--object is KIND/NAMESPACE/NAME of a manifest in the cluster folder."),
        Rule(
            "profile", .error, "The profile cannot be used.",
            "--profile is NAMESPACE/NAME of a Profile in the cluster folder; the Secrets it names have to be there too."
        ),
        Rule(
            "missing-object", .error, "A phase's Secret or ConfigMap is not there.",
            "Kanister fetches the objects of a phase before its command starts."),
        Rule(
            "missing-artifact", .error, "An artifact the action reads is not there.",
            "--artifact NAME.KEY=VALUE, or --from an earlier run that made it. Kanister notices only when the template is rendered."
        ),
        Rule(
            "template-rendering", .error, "A template fails when it is rendered.",
            "The message is Go's or Kanister's; the place is the part of the template that failed."),
        Rule("template", .error, "A template given to eval fails.", "The message is Go's or Kanister's."),
        Rule(
            "actionset-reference", .error, "An ActionSet refers to something that is not there.",
            "Its secrets and configMaps are looked up in the cluster folder."),
        Rule(
            "action", .error, "It is not clear which action is meant.",
            "Give --action, or an ActionSet with exactly one action."),
        Rule("time", .error, "--time is no time.", "It is RFC 3339, for example 2026-01-02T03:04:05Z."),
        Rule("option", .error, "--option is not KEY=VALUE.", "What follows the first '=' is the value, as it is."),
        Rule(
            "artifact", .error, "--artifact is not NAME.KEY=VALUE.",
            "NAME.kopiaSnapshot=VALUE sets the snapshot, any other key an entry of keyValue."),
        Rule(
            "blueprint-test", .error, "A file of blueprint tests is not written as one.",
            "A field is unknown, a path is none, or a test names no blueprint or expects nothing; "
                + "examples/blueprint-tests shows every field."),
        Rule(
            "set-output", .error, "--set-output is not PHASE.KEY=VALUE.", "It stands in for what a phase would print."),
        Rule(
            "run", .error, "An earlier run cannot be used.",
            "karaffe runs lists them; 'last' is the last one that left artifacts."),
    ]
}
