import Blueprints

/// A command among the arguments of a phase, and the shell script in it.
struct PhaseCommand: Sendable {
    /// `command`, `backgroundCommand`, …
    let argument: String
    let items: [YAMLNode]
    /// The name of the shell, when there is one: `bash`, `sh`, …
    let shellName: String?
    /// Options before `-c`.
    let shellOptions: [String]
    /// The text after `-c`.
    let script: YAMLNode?
    let shell: ShellScript

    private static let arguments = ["command", "backgroundCommand", "outputCommand", "initCommand"]
    private static let shells: Set<String> = ["bash", "sh", "ash", "dash", "ksh", "zsh"]

    static func all(of phase: BlueprintPhase) -> [PhaseCommand] {
        arguments.compactMap { name in phase.argument(name).flatMap { PhaseCommand(name, $0) } }
    }

    private init?(_ argument: String, _ node: YAMLNode) {
        let items = node.sequence ?? [node]
        let texts = items.map { $0.scalar?.text ?? "" }
        self.argument = argument
        self.items = items
        let program = String(texts.first?.split(separator: "/").last ?? "")
        guard Self.shells.contains(program) else {
            (shellName, shellOptions, script) = (nil, [], nil)
            shell = ShellScript(list: texts)
            return
        }
        shellName = program
        var position = 1
        var options: [String] = []
        while position < texts.count, texts[position].hasPrefix("-") || texts[position].hasPrefix("+") {
            let option = texts[position]
            options.append(option)
            if !option.hasPrefix("--"), option.hasSuffix("o"), position + 1 < texts.count {
                position += 1
                options.append(texts[position])
            }
            position += 1
        }
        shellOptions = options
        let takesScript = options.contains {
            $0.hasPrefix("-") && !$0.hasPrefix("--") && $0.contains("c") && $0 != "-o"
        }
        script = takesScript && position < items.count && items[position].string != nil ? items[position] : nil
        shell = ShellScript(script?.string ?? "")
    }

    /// Only the output container of a MultiContainerRun gives outputs.
    var givesOutputs: Bool { argument == "command" || argument == "outputCommand" }
}
