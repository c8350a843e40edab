import Blueprints
import Diagnostics
import GoTemplate

/// Artifacts that no action of the blueprint makes. An ActionSet may bring any artifact, so this is a warning.
struct ArtifactChecks {
    let site: TemplateSite
    let facts: BlueprintFacts

    /// Names under `inputArtifactNames`.
    static func checkNames(of action: BlueprintAction, _ facts: BlueprintFacts, _ findings: inout Findings) {
        for name in action.inputArtifactNames where !name.text.utf8.contains(UInt8(ascii: "{")) {
            guard facts.artifacts[name.text] == nil else { continue }
            findings.report(
                .unknownArtifact, "no action of the blueprint makes an artifact '\(name.text)'", at: name.range,
                context: "in action '\(action.name.text)', inputArtifactNames", hint: hint(name.text, facts))
        }
    }

    private static func hint(_ name: String, _ facts: BlueprintFacts) -> String {
        let names = facts.artifacts.keys.sorted()
        if names.isEmpty { return "declare it under 'outputArtifacts' of the action that makes it" }
        return nearMissHint(for: name, among: names) ?? "the blueprint makes \(names.joined(separator: ", "))"
    }

    func check(_ reference: TemplateReference, _ findings: inout Findings) {
        let steps = reference.steps
        guard steps.count > 1 else { return }
        let name = steps[1].name
        guard let made = facts.artifacts[name] else {
            if steps[1].isIndexed { return }
            return report(
                .unknownArtifact, "no action of the blueprint makes an artifact '\(name)'", steps[1], &findings,
                hint: Self.hint(name, facts))
        }
        guard steps.count > 2 else { return }
        switch steps[2].name {
        case "KeyValue" where steps.count > 3 && !made.hasDynamicKeys && !made.keys.contains(steps[3].name):
            let keys = made.keys.sorted()
            let hint =
                keys.isEmpty
                ? "it has a kopiaSnapshot: write .ArtifactsIn.\(name).KopiaSnapshot"
                : nearMissHint(for: steps[3].name, among: keys) ?? "it has \(keys.joined(separator: ", "))"
            report(
                .unknownArtifactKey, "artifact '\(name)' is made without a key '\(steps[3].name)'", steps[3], &findings,
                hint: hint)
        case "KopiaSnapshot" where !made.hasSnapshot:
            report(
                .unknownArtifactKey, "artifact '\(name)' is made without a kopiaSnapshot", steps[2], &findings,
                hint: "it has keyValue \(made.keys.sorted().joined(separator: ", "))")
        default: break
        }
    }

    private func report(
        _ rule: Rule, _ message: String, _ step: TemplateReference.Step, _ findings: inout Findings, hint: String?
    ) {
        findings.report(rule, message, at: site.range(step.utf8Range), context: site.context, hint: hint)
    }
}
