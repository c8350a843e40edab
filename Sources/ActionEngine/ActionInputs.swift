public import Blueprints
public import GoFormats
public import GoTemplate

/// What an action's templates read from outside: found from the templates alone, so a name that is put together at run
/// time is not among them.
public struct ActionInputs: Sendable {
    /// Whether an action works without it.
    private enum Need: String {
        case required
        case optional
    }

    private var options: [String: Need] = [:]
    private var artifacts: [String: Set<String>] = [:]
    private var objectFields: [String: Need] = [:]
    private var objectKinds: Set<String> = []
    private var secretKeys: [String: [String: Need]] = [:]
    private var usesProfile = false
    private let action: BlueprintAction

    public init(_ action: BlueprintAction, templateOptions: TemplateOptions) {
        self.action = action
        for text in ActionTexts.all(of: action) {
            guard let template = try? Template(parsing: text, options: templateOptions), template.hasActions else {
                continue
            }
            for reference in template.references where reference.base == .root { add(reference) }
        }
        for name in action.inputArtifactNames { artifacts[name.text, default: []].formUnion([]) }
    }

    public init(_ action: BlueprintAction) { self.init(action, templateOptions: TemplateOptions()) }

    private mutating func add(_ reference: TemplateReference) {
        let names = reference.steps.map(\.name)
        let need = reference.steps.last?.isIndexed ?? false ? Need.optional : .required
        switch names[0] {
        case "Options" where names.count > 1: note(&options, names[1], need)
        case "Profile": usesProfile = true
        case "ArtifactsIn" where names.count > 1:
            artifacts[names[1], default: []].formUnion(names.count > 2 ? [Self.artifactPart(names)] : [])
        case "Object" where names.count > 1: note(&objectFields, names.dropFirst().joined(separator: "."), need)
        case "StatefulSet", "Deployment", "DeploymentConfig", "PVC", "Namespace": objectKinds.insert(names[0])
        case "Phases" where names.count > 5 && names[2] == "Secrets" && names[4] == "Data":
            note(&secretKeys["\(names[1])/\(names[3])", default: [:]], names[5], need)
        case "DeferPhase" where names.count > 4 && names[1] == "Secrets" && names[3] == "Data":
            note(&secretKeys["\(action.deferPhase?.name.text ?? "")/\(names[2])", default: [:]], names[4], need)
        default: break
        }
    }

    private static func artifactPart(_ names: [String]) -> String {
        if names[2] == "KopiaSnapshot" { return "kopiaSnapshot" }
        return names.count > 3 ? "keyValue.\(names[3])" : names[2]
    }

    /// One reference that needs it is enough.
    private func note(_ needs: inout [String: Need], _ name: String, _ need: Need) {
        if needs[name] != .required { needs[name] = need }
    }

    /// Options, artifacts, object, profile and Secrets under these names; empty ones are left out.
    public var json: JSONValue {
        var document = JSONObject()
        if !options.isEmpty { document["options"] = Self.needs(options) }
        if !artifacts.isEmpty {
            document["artifacts"] = .object(
                JSONObject(
                    artifacts.sorted { $0.key < $1.key }.map {
                        .init(key: $0.key, value: .array($0.value.sorted().map { .string($0) }))
                    }))
        }
        if !objectKinds.isEmpty { document["objectKinds"] = .array(objectKinds.sorted().map { .string($0) }) }
        if !objectFields.isEmpty { document["object"] = Self.needs(objectFields) }
        document["profile"] = .string(usesProfile ? "required" : "not used")
        let objects = (action.phases + [action.deferPhase].compactMap { $0 }).flatMap { phase in
            phase.objects.map { object($0, of: phase) }
        }
        if !objects.isEmpty { document["phaseObjects"] = .array(objects) }
        return .object(document)
    }

    private func object(_ named: NamedReference, of phase: BlueprintPhase) -> JSONValue {
        var document = JSONObject(["phase": .string(phase.name.text), "name": .string(named.name.text)])
        document["kind"] = .string(named.reference.kind.text)
        document["object"] = .string("\(named.reference.namespace.text)/\(named.reference.name.text)")
        if let keys = secretKeys["\(phase.name.text)/\(named.name.text)"] { document["keys"] = Self.needs(keys) }
        return .object(document)
    }

    private static func needs(_ needs: [String: Need]) -> JSONValue {
        .object(
            JSONObject(needs.sorted { $0.key < $1.key }.map { .init(key: $0.key, value: .string($0.value.rawValue)) }))
    }
}

/// Every text of an action that may be a template.
enum ActionTexts {
    static func all(of action: BlueprintAction) -> [String] {
        var texts: [String] = []
        for phase in action.phases + (action.deferPhase.map { [$0] } ?? []) {
            for argument in phase.arguments {
                texts.append(argument.name.text)
                add(argument.value, to: &texts)
            }
            for object in phase.objects { texts += object.reference.fields.map(\.text.text) }
        }
        for artifact in action.outputArtifacts {
            if let snapshot = artifact.kopiaSnapshot { texts.append(snapshot.text) }
            for pair in artifact.keyValue { texts += [pair.name.text, pair.value.text] }
        }
        return texts
    }

    private static func add(_ node: YAMLNode, to texts: inout [String]) {
        switch node.content {
        case .scalar(let scalar): if case .string(let text) = scalar.value { texts.append(text) }
        case .sequence(let items): for item in items { add(item, to: &texts) }
        case .mapping(let mapping):
            for entry in mapping.entries {
                texts.append(entry.name)
                add(entry.value, to: &texts)
            }
        }
    }
}
