import Blueprints

/// What is known of a blueprint as a whole, gathered once.
struct BlueprintFacts: Sendable {
    /// An artifact some action of the blueprint makes.
    struct MadeArtifact: Sendable {
        var actions: [String] = []
        var keys: Set<String> = []
        var hasSnapshot = false
        /// A key is a template.
        var hasDynamicKeys = false
    }

    let blueprint: Blueprint
    let artifacts: [String: MadeArtifact]
    /// Lower-case plural resources a binding among the files binds the blueprint to; empty when there is none.
    let boundResources: Set<String>

    init(_ blueprint: Blueprint, bindings: [BlueprintBinding]) {
        self.blueprint = blueprint
        var artifacts: [String: MadeArtifact] = [:]
        for action in blueprint.actions {
            for artifact in action.outputArtifacts {
                var made = artifacts[artifact.name.text] ?? MadeArtifact()
                made.actions.append(action.name.text)
                made.keys.formUnion(artifact.keyValue.map(\.name.text))
                made.hasDynamicKeys =
                    made.hasDynamicKeys || artifact.keyValue.contains { $0.name.text.utf8.contains(UInt8(ascii: "{")) }
                made.hasSnapshot = made.hasSnapshot || artifact.kopiaSnapshot != nil
                artifacts[artifact.name.text] = made
            }
        }
        self.artifacts = artifacts
        var resources: Set<String> = []
        for binding in bindings where binding.blueprintName.text == blueprint.name.text {
            for requirement in binding.matchAll where requirement.operator == .isIn {
                guard case .type(let types) = requirement.subject else { continue }
                resources.formUnion(types.map { $0.resource.text.lowercased() })
            }
        }
        boundResources = resources
    }

    /// True when the object of the action is surely of this kind.
    func isObject(of action: BlueprintAction, _ kind: String, plural: String) -> Bool {
        if !action.kind.isEmpty { return action.kind.text.lowercased() == kind }
        return boundResources == [plural] && action.name.text != "delete"
    }
}
