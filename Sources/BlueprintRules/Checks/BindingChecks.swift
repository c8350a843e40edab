import Blueprints
import Diagnostics

/// Bindings against the blueprints that are checked with them.
enum BindingChecks {
    static func check(_ bindings: [BlueprintBinding], _ blueprints: [Blueprint], _ findings: inout Findings) {
        guard !blueprints.isEmpty else { return }
        for binding in bindings where !binding.blueprintName.isEmpty {
            let name = binding.blueprintName.text
            let context = "in BlueprintBinding '\(binding.name)'"
            let found = blueprints.filter { $0.name.text == name }
            if found.isEmpty {
                findings.report(
                    .bindingBlueprint, "none of the files has a Blueprint '\(name)'", at: binding.blueprintName.range,
                    context: context,
                    hint: nearMissHint(for: name, among: blueprints.map(\.name.text))
                        ?? "the files have \(blueprints.map(\.name.text).sorted().joined(separator: ", "))")
            } else if let other = found.first(where: { blueprint in
                !blueprint.namespace.isEmpty && !binding.blueprintNamespace.isEmpty
            }), !found.contains(where: { $0.namespace.text == binding.blueprintNamespace.text || $0.namespace.isEmpty })
            {
                findings.report(
                    .bindingBlueprint,
                    "Blueprint '\(name)' is in namespace '\(other.namespace)', the binding names '\(binding.blueprintNamespace)'",
                    at: binding.blueprintNamespace.range, context: context, hint: "write namespace: \(other.namespace)")
            }
        }
    }
}
