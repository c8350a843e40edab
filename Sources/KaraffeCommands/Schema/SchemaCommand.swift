import ActionEngine
import ArgumentParser
import GoFormats

/// `karaffe schema`: what editors complete and check YAML with.
struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Print a JSON Schema (draft 2020-12) of Blueprint, ActionSet, Profile and BlueprintBinding.",
        discussion: """
            With yaml-language-server: karaffe schema > kanister.schema.json, and as the first line of a YAML file \
            '# yaml-language-server: $schema=kanister.schema.json'. Arguments of functions are checked and described. The \
            schema takes what Kanister takes; templates are texts to it, so 'karaffe validate' finds more.
            """)

    func run() throws {
        let text = GoJSON.text(
            ManifestSchema.all, style: .init(escapesHTML: false, indent: "  ", endsWithNewline: true))
        Output(secrets: KnownSecrets(), reveals: true).data(text)
    }
}
