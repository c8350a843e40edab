import ActionEngine
import ArgumentParser
import BlueprintRules
import Diagnostics
import GoTemplate
import KanisterFunctions

/// `karaffe explain`: the page of a rule, a Kanister function, one of its arguments, or a template function.
struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Explain a rule of validate, a Kanister function or a template function.",
        discussion: """
            NAME is a rule (pipefail), a function (KubeTask), one of its arguments (KubeTask.podOverride), or a function of \
            templates (toDate).
            """)

    @Argument(help: ArgumentHelp("What to explain.", valueName: "name"))
    var name: String?

    @Flag(help: "Name everything that can be explained.")
    var list = false

    func validate() throws {
        if name == nil, !list { throw ValidationError("name what to explain, or give --list") }
    }

    func run() throws {
        let output = Output(secrets: KnownSecrets(), reveals: true)
        if list { return output.data(Self.index) }
        guard let name else { return }
        if let page = Self.page(name) { return output.data(page) }
        let names = RuleRegistry.ids + LocalFunctions.registry.names + Self.functions.names
        let near = nearMissHint(for: name, among: names) ?? "'karaffe explain --list' names everything"
        throw ValidationError("there is nothing called '\(name)'; \(near)")
    }

    private static let functions = FunctionTable.sprig(allowEnvironment: true)

    private static func page(_ name: String) -> String? {
        if let rule = RuleRegistry.rule(name) { return rule.page }
        let parts = name.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if let function = try? LocalFunctions.registry.function(named: parts[0]) {
            guard parts.count == 2 else { return page(of: function) }
            let path = parts[1].split(separator: ".").map(String.init)
            let argument = path.first == "args" ? path.dropFirst().first : path.first
            return function.arguments.first { $0.name == argument }.map { page(of: $0, in: function) }
        }
        return functions[name].map { "\($0.signature)\n\n\($0.summary)\n" }
    }

    private static func page(of function: any KanisterFunction) -> String {
        var text = "\(function.name)\n\n\(function.summary)\n\narguments:\n"
        let width = function.arguments.map { $0.name.count }.max() ?? 0
        for argument in function.arguments {
            let padding = String(repeating: " ", count: width - argument.name.count)
            let need = argument.isRequired ? "required" : "        "
            text += "  \(argument.name)\(padding)  \(need)  \(argument.shape.rawValue): \(argument.summary)\n"
        }
        if let keys = function.outputKeys {
            text += "\noutputs: \(keys.isEmpty ? "none" : keys.joined(separator: ", "))\n"
        } else {
            text += "\noutputs: what its command prints (kando output KEY VALUE)\n"
        }
        if let reason = function.notRunnable { text += "\n\(reason)\n" }
        return text
    }

    private static func page(of argument: FunctionArgument, in function: any KanisterFunction) -> String {
        """
        \(function.name).\(argument.name)\(argument.isRequired ? " (required)" : "")

        \(argument.shape.rawValue): \(argument.summary)

        """
    }

    private static var index: String {
        var text = ""
        for group in RuleRegistry.groups {
            text += "rules about \(group.title):\n"
            let width = group.rules.map { $0.id.count }.max() ?? 0
            for rule in group.rules {
                text += "  \(rule.id)\(String(repeating: " ", count: width - rule.id.count))  "
                text += rule.severity.rawValue.padded(to: 7) + "  \(rule.summary)\n"
            }
            text += "\n"
        }
        text += "Kanister functions:\n"
        for name in LocalFunctions.registry.names {
            let summary = (try? LocalFunctions.registry.function(named: name))?.summary ?? ""
            text += "  \(name.padded(to: 27))  \(summary)\n"
        }
        text += "\nfunctions of templates:\n"
        for function in functions.all { text += "  \(function.name.padded(to: 22))  \(function.summary)\n" }
        return text
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
