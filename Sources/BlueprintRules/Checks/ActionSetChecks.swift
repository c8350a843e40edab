import Blueprints
import Diagnostics
import GoTemplate

/// ActionSets against the blueprints that are checked with them: the action, and what its templates read from the
/// ActionSet.
///
/// A template may be inside an `if` that is not taken, so what is missing is a warning; an action that does not exist is an
/// error.
///
/// Source: Kanister `pkg/controller/controller.go` `initActionSetStatus`, `pkg/param/param.go` `New`.
struct ActionSetChecks {
    let spec: ActionSpec
    let action: BlueprintAction
    let blueprint: Blueprint
    let context: String

    static func check(
        _ actionSets: [ActionSet], _ blueprints: [Blueprint], options: TemplateOptions, _ findings: inout Findings
    ) {
        guard !blueprints.isEmpty else { return }
        for actionSet in actionSets {
            for spec in actionSet.actions where !spec.blueprint.isEmpty && !spec.name.isEmpty {
                check(spec, of: actionSet, blueprints, options, &findings)
            }
        }
    }

    private static func check(
        _ spec: ActionSpec, of actionSet: ActionSet, _ blueprints: [Blueprint], _ options: TemplateOptions,
        _ findings: inout Findings
    ) {
        let title = actionSet.name.isEmpty ? "" : " '\(actionSet.name)'"
        let context = "in ActionSet\(title), action '\(spec.name)'"
        let name = spec.blueprint.text
        // Of several with one name it is not plain which is meant; one that fits will do.
        let found = blueprints.filter { $0.name.text == name }
        guard let first = found.first else {
            return findings.report(
                .actionSetBlueprint, "none of the files has a Blueprint '\(name)'", at: spec.blueprint.range,
                context: context,
                hint: nearMissHint(for: name, among: blueprints.map(\.name.text))
                    ?? "the files have \(Set(blueprints.map(\.name.text)).sorted().joined(separator: ", "))")
        }
        guard let blueprint = found.first(where: { $0.action(spec.name.text) != nil }),
            let action = blueprint.action(spec.name.text)
        else {
            let names = first.actions.map(\.name.text)
            return findings.report(
                .actionSetAction,
                "Action \(spec.name) for object kind \(spec.object.kind) not found in blueprint \(name)",
                at: spec.name.range, context: context,
                hint: nearMissHint(for: spec.name.text, among: names)
                    ?? "its actions: \(names.joined(separator: ", "))")
        }
        guard found.count == 1 else { return }
        ActionSetChecks(spec: spec, action: action, blueprint: blueprint, context: context)
            .check(TemplateSites(action, options: options), &findings)
    }

    private static let workloads: Set<String> = ["StatefulSet", "Deployment", "DeploymentConfig", "PVC", "Namespace"]

    private func check(_ sites: TemplateSites, _ findings: inout Findings) {
        var reported: Set<String> = []
        for name in action.inputArtifactNames {
            guard let need = missing("artifact", name.text, spec.artifacts.map(\.name)),
                reported.insert(need.subject).inserted
            else { continue }
            report("\(need.subject) is an input of action '\(action.name)'", need.hint, &findings)
        }
        for site in sites.sites {
            for reference in site.references where reference.base == .root {
                guard let need = need(reference), reported.insert(need.subject).inserted else { continue }
                report("\(need.subject) is read in action '\(action.name)'\(place(site))", need.hint, &findings)
            }
        }
    }

    /// Where a template is, in the blueprint's file.
    private func place(_ site: TemplateSite) -> String {
        site.range(0..<1).map { ", \($0.file):\($0.start.line)" } ?? ""
    }

    private func report(_ message: String, _ hint: String, _ findings: inout Findings) {
        findings.report(
            .actionSetNeeds, "\(message), and the ActionSet has none", at: spec.name.range, context: context, hint: hint
        )
    }

    private func hint(_ name: String, _ given: [LocatedText]) -> String {
        let names = given.map(\.text)
        if nearMissHint(for: name, among: names) != nil, names.count == 1 {
            return "write '\(name)' in place of '\(names[0])'"
        }
        return names.isEmpty ? "add '\(name)'" : "add '\(name)'; there is \(names.sorted().joined(separator: ", "))"
    }

    /// What a chain of fields needs of the ActionSet and does not get; nil when it is there, or may be absent.
    private func need(_ reference: TemplateReference) -> (subject: String, hint: String)? {
        let steps = reference.steps
        guard steps.count > 1 || steps[0].name == "Profile" else { return nil }
        let isOptional = steps.count > 1 && steps[1].isIndexed
        switch steps[0].name {
        case "Options" where !isOptional:
            return missing("option", steps[1].name, spec.options.map(\.name))
        case "ArtifactsIn" where !isOptional: return artifactNeed(steps)
        case "Secrets" where !isOptional: return missing("Secret", steps[1].name, spec.secrets.map(\.name))
        case "ConfigMaps" where !isOptional: return missing("ConfigMap", steps[1].name, spec.configMaps.map(\.name))
        case "Profile" where steps.count > 1 && spec.profile == nil:
            return ("a profile", "add profile: {name: …, namespace: …} to the ActionSet's action")
        case let name where Self.workloads.contains(name) && spec.object.kind.text.lowercased() != name.lowercased():
            let kind = spec.object.kind.isEmpty ? spec.object.resource.text : spec.object.kind.text
            return ("a \(name)", "the ActionSet's object is a \(kind): .\(name) is nil there")
        default: return nil
        }
    }

    private func missing(_ kind: String, _ name: String, _ given: [LocatedText]) -> (subject: String, hint: String)? {
        given.contains { $0.text == name } ? nil : ("\(kind) '\(name)'", hint(name, given))
    }

    private func artifactNeed(_ steps: [TemplateReference.Step]) -> (subject: String, hint: String)? {
        let name = steps[1].name
        guard let artifact = spec.artifacts.first(where: { $0.name.text == name }) else {
            return missing("artifact", name, spec.artifacts.map(\.name))
        }
        guard steps.count > 2 else { return nil }
        if steps[2].name == "KopiaSnapshot", artifact.kopiaSnapshot == nil {
            return ("kopiaSnapshot of artifact '\(name)'", "add kopiaSnapshot to artifact '\(name)'")
        }
        guard steps[2].name == "KeyValue", steps.count > 3, !steps[3].isIndexed else { return nil }
        let key = steps[3].name
        guard !artifact.keyValue.contains(where: { $0.name.text == key }) else { return nil }
        return ("key '\(key)' of artifact '\(name)'", hint(key, artifact.keyValue.map(\.name)))
    }
}
