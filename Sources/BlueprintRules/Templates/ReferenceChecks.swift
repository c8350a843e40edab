import Blueprints
import Diagnostics
import GoTemplate

/// Chains of fields that can never resolve.
struct ReferenceChecks {
    let site: TemplateSite
    let facts: BlueprintFacts

    func check(into findings: inout Findings) {
        for reference in site.references where reference.base == .root {
            check(reference, &findings)
        }
    }

    private func check(_ reference: TemplateReference, _ findings: inout Findings) {
        guard let first = reference.steps.first else { return }
        if first.name == "RepositoryServer" {
            return report(
                .removedFeature, "'.RepositoryServer' exists in Kanister 0.92.0 to 0.119.0 only", first, &findings,
                hint: "use a Profile and kando")
        }
        if case .missing(let position, let type) = StaticTypes.follow(reference) {
            return reportMissing(reference, at: position, in: type, &findings)
        }
        switch first.name {
        case "Object": checkObject(reference, &findings)
        case "CurrentPhase" where reference.steps.count > 1:
            report(
                .templateField, "'.CurrentPhase' is nil while arguments are rendered, in '\(reference.path)'", first,
                &findings, hint: site.phase.map { "write .Phases.\($0.name.text) for the secrets of this phase" })
        case "Phases": checkPhase(reference, &findings)
        case "DeferPhase": checkDeferPhase(reference, &findings)
        case "ArtifactsIn": ArtifactChecks(site: site, facts: facts).check(reference, &findings)
        default: break
        }
    }

    private func report(
        _ rule: Rule, _ message: String, _ step: TemplateReference.Step, _ findings: inout Findings,
        hint: String? = nil,
        severity: Severity? = nil
    ) {
        findings.report(
            rule, message, at: site.range(step.utf8Range), context: site.context, hint: hint, severity: severity)
    }

    // MARK: Typed fields

    private func reportMissing(
        _ reference: TemplateReference, at position: Int, in type: GoType, _ findings: inout Findings
    ) {
        let step = reference.steps[position]
        let before = reference.steps[..<position].map { "." + $0.name }.joined()
        if position == 0 {
            return report(
                .templateField, "templates have no '.\(step.name)'", step, &findings, hint: rootHint(step.name, type))
        }
        let names = StaticTypes.fields(of: type)
        guard !names.isEmpty else {
            return report(
                .templateField, "'\(before)' is \(Self.describe(type)) and has no '\(step.name)'", step, &findings)
        }
        report(
            .templateField, "'\(before)' has no '\(step.name)'", step, &findings,
            hint: fieldHint(step.name, before, type, names))
    }

    private func fieldHint(_ name: String, _ before: String, _ type: GoType, _ names: [String]) -> String {
        if name == "metadata" { return "typed objects have Go names: \(before).Name, \(before).Labels" }
        if let goName = StaticTypes.goName(ofJSON: name, in: type) { return "did you mean '\(goName)'?" }
        return nearMissHint(for: name, among: names) ?? "it has \(names.joined(separator: ", "))"
    }

    private func rootHint(_ name: String, _ type: GoType) -> String {
        let known: [String: String] = [
            "ArtifactsOut": "outputs go into 'outputArtifacts'; what an earlier action left is under '.ArtifactsIn'",
            "Unstructured": "any object is under '.Object', with the names of its JSON",
            "Secret": "secrets of a phase are under '.Phases.<phase>.Secrets', the bound object under '.Object'",
            "ConfigMap":
                "config maps of a phase are under '.Phases.<phase>.ConfigMaps', the bound object under '.Object'",
            "Values": "this is no Helm template: values come through '.Options'",
            "Release": "this is no Helm template: the bound object is '.Object'",
        ]
        let names = StaticTypes.fields(of: type)
        return known[name] ?? nearMissHint(for: name, among: names)
            ?? "there are \(names.sorted().joined(separator: ", "))"
    }

    private static func describe(_ type: GoType) -> String {
        switch type.kind {
        case .string: return "text"
        case .bool: return "a boolean"
        case .slice: return type == .bytes ? "bytes" : "a list: reach its items with index"
        case .int, .int64, .uint8: return "a number"
        default: return "a \(type)"
        }
    }

    // MARK: The object

    private func checkObject(_ reference: TemplateReference, _ findings: inout Findings) {
        guard reference.steps.count > 1 else { return }
        let step = reference.steps[1]
        guard !step.isIndexed else { return }
        let metadata = ["name", "namespace", "labels", "annotations", "uid"]
        let lower = step.name.prefix(1).lowercased() + step.name.dropFirst()
        if step.name == "ObjectMeta" || step.name == "Metadata" {
            report(
                .objectField, "'.Object' has the names of its JSON: no '\(step.name)'", step, &findings,
                hint: "did you mean 'metadata'?")
        } else if metadata.contains(lower) {
            let isCapital = step.name != lower
            report(
                .objectField, "'.Object' is the whole object: '\(lower)' is not at its top", step, &findings,
                hint: "write .Object.metadata.\(lower)", severity: isCapital ? .error : .warning)
        } else if ["Data", "Spec", "Status", "Kind", "StringData", "Type"].contains(step.name) {
            report(
                .objectField, "'.Object' has the names of its JSON: no '\(step.name)'", step, &findings,
                hint: "did you mean '\(lower)'?")
        }
    }

    // MARK: Phases

    private func checkPhase(_ reference: TemplateReference, _ findings: inout Findings) {
        let steps = reference.steps
        guard steps.count >= 4, let phase = site.action.phases.first(where: { $0.name.text == steps[1].name }) else {
            return
        }
        checkPart(reference, from: 2, of: phase, title: "phase '\(steps[1].name)'", &findings)
    }

    private func checkDeferPhase(_ reference: TemplateReference, _ findings: inout Findings) {
        let steps = reference.steps
        guard let phase = site.action.deferPhase else {
            return report(
                .deferPhaseReference, "action '\(site.action.name.text)' has no deferPhase, in '\(reference.path)'",
                steps[0], &findings, hint: "write .Phases.<name> for an ordinary phase")
        }
        if site.place == .object || site.place != .artifact && !site.isDeferPhase {
            return report(
                .deferPhaseReference, "the deferPhase runs last: '\(reference.path)' is nil here", steps[0], &findings,
                hint: "only the arguments of the deferPhase and outputArtifacts can use .DeferPhase")
        }
        if site.isDeferPhase, steps.count > 2, steps[1].name == "Output" {
            return report(
                .deferPhaseReference, "the deferPhase has no output before it has run, in '\(reference.path)'",
                steps[1],
                &findings, hint: "its Secrets and ConfigMaps are known, its Output is not")
        }
        if steps.count >= 3 { checkPart(reference, from: 1, of: phase, title: "the deferPhase", &findings) }
    }

    /// `Secrets`, `ConfigMaps` or `Output` of a phase, and the name below it.
    private func checkPart(
        _ reference: TemplateReference, from position: Int, of phase: BlueprintPhase, title: String,
        _ findings: inout Findings
    ) {
        let part = reference.steps[position].name
        let step = reference.steps[position + 1]
        if part == "Output" { return checkOutput(step, of: phase, title: title, reference, &findings) }
        let kind = part == "Secrets" ? "secret" : "configmap"
        let names = phase.objects.filter { object in
            let written = object.reference.kind.text
            return written.utf8.contains(UInt8(ascii: "{")) || written.lowercased() == kind
        }.map(\.name.text)
        guard !names.contains(step.name), !names.contains(where: { $0.utf8.contains(UInt8(ascii: "{")) }) else {
            return
        }
        let other = phase.objects.first { $0.name.text == step.name }
        let hint: String
        if let other {
            let place = other.reference.kind.text.lowercased() == "secret" ? "Secrets" : "ConfigMaps"
            hint = "object '\(step.name)' is of kind '\(other.reference.kind.text)': write .\(place).\(step.name)"
        } else {
            hint =
                nearMissHint(for: step.name, among: names)
                ?? (names.isEmpty
                    ? "name it under 'objects' of \(title)" : "\(title) has \(names.joined(separator: ", "))")
        }
        report(
            .unknownObject,
            "\(title) has no \(part == "Secrets" ? "Secret" : "ConfigMap") '\(step.name)' among its objects",
            step, &findings, hint: hint, severity: step.isIndexed ? .warning : .error)
    }

    private func checkOutput(
        _ step: TemplateReference.Step, of phase: BlueprintPhase, title: String, _ reference: TemplateReference,
        _ findings: inout Findings
    ) {
        let outputs = PhaseOutputs(of: phase)
        guard !outputs.keys.contains(step.name), outputs.certainty != .unknown else { return }
        if site.place != .artifact, site.phase?.name.text == phase.name.text { return }
        let isCertain = outputs.certainty == .exact && !step.isIndexed
        let keys = outputs.keys.sorted()
        let message =
            outputs.certainty == .exact
            ? "\(phase.function.text) gives no output '\(step.name)', in '\(reference.path)'"
            : "no command of \(title) prints output '\(step.name)', in '\(reference.path)'"
        let given = keys.isEmpty ? "it gives no output at all" : "it gives \(keys.joined(separator: ", "))"
        report(
            .unknownOutput, message, step, &findings, hint: nearMissHint(for: step.name, among: keys) ?? given,
            severity: isCertain ? .error : .warning)
    }
}
