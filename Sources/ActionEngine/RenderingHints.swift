import Blueprints
import Diagnostics
import GoTemplate

/// Says what a failed template could have meant: near misses, and what was there.
struct RenderingHints {
    let blueprint: Blueprint
    let action: BlueprintAction
    /// Phases whose outputs exist already, in order.
    var completedPhases: [String] = []
    /// The phase being rendered; nil for artifacts and objects.
    var currentPhase: String?
    /// Kind of the action's object, as the user gave it.
    var objectKind: String?

    /// Kanister's or Go's text; for a missing key followed by the expression it is missing in.
    func message(for error: TemplateError, in template: Template?) -> String {
        guard case .missingKey(let key) = error.kind else { return error.kanisterMessage }
        let path = reference(to: key, error, in: template)?.reference.path ?? error.expression
        return error.kanisterMessage + (path.map { " in '\($0)'" } ?? "")
    }

    func hint(for error: TemplateError, in template: Template?, text: String) -> String? {
        switch error.kind {
        case .parse: return parseHint(error)
        case .missingKey(let key): return missingKeyHint(key, error, in: template)
        case .execution: return executionHint(error)
        case .limit: return nil
        }
    }

    // MARK: Missing keys

    private func reference(
        to key: String, _ error: TemplateError, in template: Template?
    ) -> (reference: TemplateReference, step: Int)? {
        let candidates = (template?.references ?? []).compactMap { reference in
            reference.steps.firstIndex { $0.name == key }.map { (reference, $0) }
        }
        return candidates.first { $0.0.steps[$0.1].utf8Range.overlaps(error.utf8Range) }
            ?? candidates.first { $0.0.utf8Range.overlaps(error.utf8Range) } ?? candidates.first
    }

    private func missingKeyHint(_ key: String, _ error: TemplateError, in template: Template?) -> String? {
        let found = reference(to: key, error, in: template)
        let before = found.map { $0.reference.steps[..<$0.step].map(\.name) } ?? []
        switch (before.first, before.count) {
        case ("Phases"?, 1): return phaseHint(key)
        case ("ArtifactsIn"?, 1): return artifactHint(key)
        case ("Options"?, 1):
            let optional = "give --option \(key)=VALUE, or write index .Options \"\(key)\" if it may be absent"
            return join(nearMissHint(for: key, among: error.available), optional)
        case ("Phases"?, 3) where before[2] == "Output": return outputHint(key, phase: before[1], error)
        case ("DeferPhase"?, 2) where before[1] == "Output":
            return join(nearMissHint(for: key, among: error.available), available(error, "outputs of the deferPhase"))
        default:
            return join(nearMissHint(for: key, among: error.available), available(error, "available"))
        }
    }

    /// What a phase that is not there could be.
    func phaseHint(_ key: String) -> String? {
        let own = currentPhase.map { [$0] } ?? []
        let near = nearMissHint(for: key, among: completedPhases + own)
        let ran = list("phases that ran before this one", completedPhases)
        if key == action.deferPhase?.name.text {
            return "'\(key)' is the deferPhase: its values are under .DeferPhase"
        }
        if action.phases.contains(where: { $0.name.text == key }) {
            return join("phase '\(key)' has not run yet at this point", ran)
        }
        if let other = blueprint.actions.first(where: { $0.phases.contains { $0.name.text == key } }) {
            return join(
                "phase '\(key)' belongs to action '\(other.name.text)'; hand its outputs over in an artifact", ran)
        }
        return join(near, ran)
    }

    /// What to do about an artifact that is not there.
    func artifactHint(_ name: String) -> String? {
        let makers = blueprint.actions.filter { $0.outputArtifacts.contains { $0.name.text == name } }
        guard let maker = makers.first else {
            let names = blueprint.actions.flatMap { $0.outputArtifacts.map(\.name.text) }
            return join(nearMissHint(for: name, among: names), list("artifacts of this blueprint", names))
        }
        let artifact = maker.outputArtifacts.first { $0.name.text == name }
        let part = artifact?.kopiaSnapshot != nil ? "kopiaSnapshot" : artifact?.keyValue.first?.name.text ?? "KEY"
        return "artifact \(name) is declared by action \(maker.name.text) but this run has none: "
            + "give --from RUN or --artifact \(name).\(part)=VALUE"
    }

    private func outputHint(_ key: String, phase: String, _ error: TemplateError) -> String? {
        if phase == currentPhase { return "phase '\(phase)' has no output before it has run" }
        return join(nearMissHint(for: key, among: error.available), available(error, "outputs of phase '\(phase)'"))
    }

    // MARK: Other failures

    private func parseHint(_ error: TemplateError) -> String? {
        if let name = quoted(after: "function ", in: error.message) {
            return nearMissHint(for: name, among: error.available)
                ?? "Kanister has the functions of Go's text/template and of sprig 2.22.0"
        }
        if error.message.hasSuffix("unexpected EOF") { return "there is no {{ end }} for it" }
        if error.message.contains("bad character U+002D") {
            return "a name with '-' needs index: {{ index .Options \"a-b\" }}"
        }
        return nil
    }

    private func executionHint(_ error: TemplateError) -> String? {
        if let field = word(after: "can't evaluate field ", in: error.message) {
            return join(nearMissHint(for: field, among: error.available), available(error, "available"))
        }
        for kind in ["StatefulSet", "Deployment", "DeploymentConfig", "PVC", "Namespace"]
        where error.message.contains("nil pointer evaluating *param.\(kind)Params.") {
            let object = objectKind.map { "the object of this action is a \($0)" } ?? "this action has no object"
            let advice = kind == "Namespace" ? ". Kasten runs delete on a Namespace: --object namespace/NAME" : ""
            return ".\(kind) is only set when the action's object is one; \(object)\(advice)"
        }
        if error.message.contains("nil pointer evaluating *param.Profile.") {
            return "this action has no profile: give --profile NAMESPACE/NAME"
        }
        return nil
    }

    private func quoted(after prefix: String, in text: String) -> String? {
        guard let rest = tail(after: prefix + "\"", in: text) else { return nil }
        return rest.firstIndex(of: "\"").map { String(rest[..<$0]) }
    }

    private func word(after prefix: String, in text: String) -> String? {
        tail(after: prefix, in: text).map { String($0.prefix { $0 != " " }) }
    }

    private func tail(after prefix: String, in text: String) -> Substring? {
        text.indices.first { text[$0...].hasPrefix(prefix) }.map { text[$0...].dropFirst(prefix.count) }
    }

    private func available(_ error: TemplateError, _ title: String) -> String? { list(title, error.available) }

    private func list(_ title: String, _ names: [String]) -> String? {
        guard !names.isEmpty else { return title == "available" ? nil : "\(title): none" }
        let shown = names.prefix(20).joined(separator: ", ")
        return "\(title): \(shown)" + (names.count > 20 ? ", …" : "")
    }

    private func join(_ parts: String?...) -> String? {
        let given = parts.compactMap { $0 }
        guard let first = given.first else { return nil }
        return given.dropFirst().reduce(first) { text, part in
            text + (text.hasSuffix("?") ? " " : "; ") + part
        }
    }
}

extension String {
    fileprivate func contains(_ part: String) -> Bool { indices.contains { self[$0...].hasPrefix(part) } }
}
