import ActionEngine
import ArgumentParser
import Blueprints
import Diagnostics
import GoFormats
import GoTemplate
import RunnerContract

/// `karaffe inputs`: what the actions of a blueprint need.
struct InputsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inputs", abstract: "Show what an action needs: options, Secret keys, artifacts, profile, object.")

    enum Form: String, ExpressibleByArgument, CaseIterable {
        case yaml, json
    }

    @Argument(help: ArgumentHelp("File with the Blueprint.", valueName: "blueprint"))
    var blueprint: String

    @Option(help: ArgumentHelp("Only this action.", valueName: "name"))
    var action: String?

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("Form of the result: yaml or json.", valueName: "form"))
    var form = Form.yaml

    func run() async throws {
        let output = Output(secrets: KnownSecrets(), reveals: true)
        let source: SourceFile
        do throws(FileError) { source = try Files.source(blueprint) } catch {
            output.say("error: \(error.message)\n  hint: give the file that has the Blueprint")
            throw Exit(.input)
        }
        let (found, diagnostics) = readBlueprint(source)
        output.report(diagnostics.filter { $0.severity == .error }, sources: [source])
        guard let found, !diagnostics.contains(where: { $0.severity == .error }) else { throw Exit(.input) }
        var actions = found.actions
        if let action {
            actions = actions.filter { $0.name.text == action }
            if actions.isEmpty {
                let names = found.actions.map(\.name.text)
                let hint = nearMissHint(for: action, among: names) ?? "its actions: \(names.joined(separator: ", "))"
                output.say("error: blueprint \(found.name.text) has no action '\(action)'\n  hint: \(hint)")
                throw Exit(.input)
            }
        }
        let document = JSONValue.object(
            JSONObject(actions.map { .init(key: $0.name.text, value: ActionInputs($0).json) }))
        output.data(
            form == .yaml
                ? YAMLWriter.text(document)
                : GoJSON.text(document, style: .init(escapesHTML: false, indent: "  ", endsWithNewline: true)))
    }
}
