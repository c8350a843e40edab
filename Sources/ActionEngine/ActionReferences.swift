import Blueprints
import GoTemplate

/// What the templates of an action refer to: which outputs and artifact keys have to exist in a dry run, so that rendering
/// goes on with placeholders.
struct ActionReferences {
    /// Output keys by phase; the deferPhase is under the empty name.
    private(set) var outputs: [String: Set<String>] = [:]
    /// Keys of `KeyValue` by artifact.
    private(set) var artifactKeys: [String: Set<String>] = [:]

    static let deferPhase = ""

    init(_ action: BlueprintAction, options: TemplateOptions) {
        for phase in action.phases + (action.deferPhase.map { [$0] } ?? []) {
            for argument in phase.arguments {
                add(argument.name.text, options)
                add(argument.value, options)
            }
            for object in phase.objects { for field in object.reference.fields { add(field.text.text, options) } }
        }
        for artifact in action.outputArtifacts {
            if let snapshot = artifact.kopiaSnapshot { add(snapshot.text, options) }
            for pair in artifact.keyValue {
                add(pair.name.text, options)
                add(pair.value.text, options)
            }
        }
    }

    private mutating func add(_ node: YAMLNode, _ options: TemplateOptions) {
        switch node.content {
        case .scalar(let scalar): if case .string(let text) = scalar.value { add(text, options) }
        case .sequence(let items): for item in items { add(item, options) }
        case .mapping(let mapping):
            for entry in mapping.entries {
                add(entry.name, options)
                add(entry.value, options)
            }
        }
    }

    private mutating func add(_ text: String, _ options: TemplateOptions) {
        // A template that does not parse is reported where it is rendered.
        guard let template = try? Template(parsing: text, options: options), template.hasActions else { return }
        for reference in template.references where reference.base == .root {
            let names = reference.steps.map(\.name)
            switch (names.first, names.count) {
            case ("Phases"?, 4...) where names[2] == "Output": outputs[names[1], default: []].insert(names[3])
            case ("DeferPhase"?, 3...) where names[1] == "Output":
                outputs[Self.deferPhase, default: []].insert(names[2])
            case ("ArtifactsIn"?, 4...) where names[2] == "KeyValue":
                artifactKeys[names[1], default: []].insert(names[3])
            default: break
            }
        }
    }
}
