import ArgumentParser
import GoTemplate

/// What an action works with: the same flags for `render` and `run`.
struct InputOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("File with the Blueprint.", valueName: "blueprint"))
    var blueprint: String

    @Option(
        help: ArgumentHelp(
            "Name of the action, for example backup. Not needed when --actionset has exactly one.", valueName: "name"))
    var action: String?

    @Option(
        name: .customLong("cluster-dir"),
        help: ArgumentHelp(
            """
            Folder of plain Kubernetes manifests that stands in for the cluster: Secrets, ConfigMaps, Profiles, workloads. \
            stringData is folded into data.
            """, valueName: "dir"))
    var clusterFolder: String?

    @Option(
        help: ArgumentHelp(
            "Object the action works on: KIND/NAMESPACE/NAME, or KIND/NAME without a namespace.", valueName: "object"))
    var object: String?

    @Option(help: ArgumentHelp("Profile from the cluster folder: NAMESPACE/NAME.", valueName: "profile"))
    var profile: String?

    @Option(
        name: .customLong("option"),
        help: ArgumentHelp("Option of the action, read as .Options.KEY. May be repeated.", valueName: "key=value"))
    var options: [String] = []

    @Option(
        name: .customLong("artifact"),
        help: ArgumentHelp(
            """
            Input artifact: NAME.kopiaSnapshot=VALUE sets its kopiaSnapshot, NAME.KEY=VALUE an entry of its keyValue. May be \
            repeated.
            """, valueName: "name.key=value"))
    var artifacts: [String] = []

    @Option(
        help: ArgumentHelp(
            """
            Earlier run whose artifacts are the input: its ID, a unique beginning of it, or 'last' for the last one that left \
            artifacts.
            """, valueName: "run"))
    var from: String?

    @Option(
        name: .customLong("actionset"),
        help: ArgumentHelp(
            "File with an ActionSet: object, profile, options, artifacts and the rest are taken from it.",
            valueName: "file"))
    var actionSet: String?

    @Option(help: ArgumentHelp("The action's .Time, in RFC 3339; now when absent.", valueName: "time"))
    var time: String?

    @Option(
        help: ArgumentHelp(
            "Namespace of the controller (Kasten): where pods go that name no namespace of their own.",
            valueName: "namespace"))
    var namespace = "kasten-io"

    @Flag(help: "Show secrets in the clear instead of masking them.")
    var reveal = false

    @OptionGroup var templates: TemplateFlags
}

/// What templates may do: the same flag for every command that renders.
struct TemplateFlags: ParsableArguments {
    @Flag(help: "Let templates call env, expandenv and getHostByName, which look at this machine.")
    var allowEnv = false

    var options: TemplateOptions { TemplateOptions(functions: .sprig(allowEnvironment: allowEnv)) }
}
