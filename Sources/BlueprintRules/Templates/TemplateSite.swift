import Blueprints
import Diagnostics
import GoTemplate

/// One text of a blueprint that is rendered as a template, and where in the life of its action that happens.
struct TemplateSite: Sendable {
    enum Place: Sendable, Hashable {
        /// A field of a phase's object: rendered before any phase runs.
        case object
        /// An argument of a phase, under this name.
        case argument(String)
        /// Rendered after all phases.
        case artifact
    }

    let text: LocatedText
    /// At most as many as `limit` allows, in the order of the text.
    let references: [TemplateReference]
    let functionUses: [TemplateFunctionUse]
    let action: BlueprintAction
    /// Nil for artifacts.
    let phase: BlueprintPhase?
    let isDeferPhase: Bool
    let place: Place
    /// `in action 'backup', phase 'dump', argument 'command[3]'`
    let context: String

    /// How many findings may be placed in a text of so many bytes. Every place reads the text once more, so that long texts
    /// get fewer: the work stays below some 10 million bytes.
    static func limit(bytes: Int) -> Int { max(20, min(2_000, 10_000_000 / max(1, bytes))) }

    /// Where a piece of the template stands in the file.
    func range(_ offsets: Range<Int>) -> SourceRange? { text.range(ofUTF8: offsets) }
}

/// Finds every template of an action, in the order in which Kanister renders them. Texts that are no template, or no valid
/// one, are left out.
struct TemplateSites {
    let action: BlueprintAction
    let options: TemplateOptions
    private(set) var sites: [TemplateSite] = []

    init(_ action: BlueprintAction, options: TemplateOptions) {
        self.action = action
        self.options = options
        for phase in action.phases { addObjects(of: phase, isDeferPhase: false) }
        if let last = action.deferPhase { addObjects(of: last, isDeferPhase: true) }
        for phase in action.phases { addArguments(of: phase, isDeferPhase: false) }
        if let last = action.deferPhase { addArguments(of: last, isDeferPhase: true) }
        for artifact in action.outputArtifacts {
            let place = "output artifact '\(artifact.name.text)'"
            for pair in artifact.keyValue {
                add(pair.name, nil, false, .artifact, "key of \(place)")
                add(pair.value, nil, false, .artifact, "\(place), key '\(pair.name.text)'")
            }
            if let snapshot = artifact.kopiaSnapshot { add(snapshot, nil, false, .artifact, place) }
        }
    }

    private mutating func addObjects(of phase: BlueprintPhase, isDeferPhase: Bool) {
        for object in phase.objects {
            for (field, text) in object.reference.fields {
                add(text, phase, isDeferPhase, .object, "object '\(object.name.text)', field '\(field)'")
            }
        }
    }

    private mutating func addArguments(of phase: BlueprintPhase, isDeferPhase: Bool) {
        let isWait = WaitChecks.isWait(phase)
        for argument in phase.arguments {
            let name = argument.name.text
            if isWait {
                guard name == "conditions" else { continue }
                for reference in WaitChecks.conditions(argument.value).compactMap({ $0.item["objectReference"] }) {
                    add(reference, "conditions", phase, isDeferPhase, name)
                }
                continue
            }
            add(argument.name, phase, isDeferPhase, .argument(name), "name of argument '\(name)'")
            add(argument.value, name, phase, isDeferPhase, name)
        }
    }

    private mutating func add(
        _ node: YAMLNode, _ path: String, _ phase: BlueprintPhase, _ isDeferPhase: Bool, _ argument: String
    ) {
        switch node.content {
        case .scalar:
            guard let text = node.string else { return }
            add(LocatedText(text, node: node), phase, isDeferPhase, .argument(argument), "argument '\(path)'")
        case .sequence(let items):
            for (position, item) in items.enumerated() {
                add(item, "\(path)[\(position)]", phase, isDeferPhase, argument)
            }
        case .mapping(let mapping):
            for entry in mapping.entries {
                let path = "\(path).\(entry.name)"
                let key = LocatedText(entry.name, node: entry.key)
                add(key, phase, isDeferPhase, .argument(argument), "key of argument '\(path)'")
                add(entry.value, path, phase, isDeferPhase, argument)
            }
        }
    }

    private mutating func add(
        _ text: LocatedText, _ phase: BlueprintPhase?, _ isDeferPhase: Bool, _ place: TemplateSite.Place,
        _ title: String
    ) {
        guard let template = try? Template(parsing: text.text, options: options), template.hasActions else { return }
        let limit = TemplateSite.limit(bytes: text.text.utf8.count)
        let own = phase.map { isDeferPhase ? ", deferPhase '\($0.name.text)'" : ", phase '\($0.name.text)'" } ?? ""
        sites.append(
            TemplateSite(
                text: text, references: Array(template.references.prefix(limit)),
                functionUses: Array(template.functionUses.prefix(limit)), action: action, phase: phase,
                isDeferPhase: isDeferPhase, place: place,
                context: "in action '\(action.name.text)'\(own), \(title)"))
    }
}
