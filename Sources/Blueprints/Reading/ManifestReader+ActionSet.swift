internal import Diagnostics

extension ManifestReader {
    mutating func actionSet(_ document: YAMLNode, _ fields: YAMLMapping) -> ActionSet {
        checkFields(fields, of: "an ActionSet", known: ["apiVersion", "kind", "metadata", "spec", "status"])
        let names = metadata(document, fields, kind: "ActionSet")
        var actionSet = ActionSet(name: names.name, namespace: names.namespace, actions: [], range: document.range)
        if let spec = mapping(fields, "spec") {
            checkFields(spec, of: "an ActionSet's spec", known: ["actions"])
            actionSet.actions = list(spec, "actions").enumerated().compactMap { position, node in
                actionSpec(node, position: position + 1)
            }
        } else if fields["spec"]?.isNull ?? true {
            report(
                "missing-field", "Spec must be non-nil: the ActionSet has no 'spec'",
                at: fields.entry("spec")?.key.range ?? firstLine(of: document), hint: "add 'spec:' with 'actions:'")
        }
        if let status = mapping(fields, "status") {
            actionSet.status = within("status") { reader in
                let result = reader.status(status)
                reader.checkStatus(result, specCount: actionSet.actions.count, key: fields.entry("status")?.key.range)
                return result
            }
        }
        return actionSet
    }

    private static let actionSpecFields = [
        "name", "blueprint", "object", "artifacts", "configMaps", "secrets", "profile", "repositoryServer",
        "podOverride",
        "options", "preferredVersion", "podLabels", "podAnnotations",
    ]

    private mutating func actionSpec(_ node: YAMLNode, position: Int) -> ActionSpec? {
        let name = node["name"]?.string ?? ""
        return within(name.isEmpty ? "action \(position)" : "action '\(name)'") { reader in reader.actionSpec(node) }
    }

    private mutating func actionSpec(_ node: YAMLNode) -> ActionSpec? {
        guard let fields = mapping(node, "an action") else { return nil }
        checkFields(fields, of: "an action of an ActionSet", known: Self.actionSpecFields)
        let place = firstLine(of: node)
        var spec = ActionSpec(
            name: requiredText(fields, "name", of: "the action", at: place, hint: "name an action of the blueprint"),
            blueprint: requiredText(
                fields, "blueprint", of: "the action", at: place,
                hint: "name a Blueprint in the ActionSet's own namespace"),
            object: ObjectReference(), range: node.range)
        if let object = fields["object"], !object.isNull { spec.object = reference(object, "'object'") }
        checkObject(of: spec, at: fields.entry("object")?.key.range ?? place)
        spec.artifacts = artifacts(fields, "artifacts")
        spec.configMaps = references(fields, "configMaps")
        spec.secrets = references(fields, "secrets")
        if let profile = fields["profile"], !profile.isNull { spec.profile = reference(profile, "'profile'") }
        if let server = fields["repositoryServer"], !server.isNull {
            spec.repositoryServer = reference(server, "'repositoryServer'")
        }
        if let podOverride = fields["podOverride"], !podOverride.isNull, mapping(podOverride, "'podOverride'") != nil {
            spec.podOverride = podOverride
        }
        spec.options = namedTexts(fields, "options")
        spec.preferredVersion = text(fields, "preferredVersion")
        spec.podLabels = namedTexts(fields, "podLabels")
        spec.podAnnotations = namedTexts(fields, "podAnnotations")
        return spec
    }

    /// The wording is Kanister's, `pkg/validate/validate.go`. Unlike Kanister, `unstructured` needs both fields too:
    /// without them looking up the object fails.
    private mutating func checkObject(of spec: ActionSpec, at range: SourceRange?) {
        let object = spec.object
        let known = ["statefulset", "deployment", "deploymentconfig", "pvc", "namespace"]
        guard !known.contains(object.kind.text.lowercased()) else { return }
        guard object.apiVersion.isEmpty || object.resource.isEmpty else { return }
        report(
            "unknown-object-kind",
            "Not a known object Kind \(object.kind). Action \(spec.name) must specify Resource name and API version",
            at: object.kind.range ?? range,
            hint: object.kind.text.lowercased() == "persistentvolumeclaim"
                ? "Kanister knows it as 'pvc' only"
                : nearMissHint(for: object.kind.text, among: known)
                    ?? "for a Secret, for example, add 'apiVersion: v1' and 'resource: secrets'")
    }

    // MARK: Status

    private mutating func status(_ fields: YAMLMapping) -> ActionSetStatus {
        var status = ActionSetStatus(state: text(fields, "state"))
        for node in list(fields, "actions") {
            guard let action = mapping(node, "an item of 'actions'") else { continue }
            var result = ActionStatus(
                name: text(action, "name"), blueprint: text(action, "blueprint"),
                artifacts: artifacts(action, "artifacts"),
                phases: list(action, "phases").compactMap { phaseStatus($0) }, range: node.range)
            if let object = action["object"], !object.isNull { result.object = reference(object, "'object'") }
            if let phase = action["deferPhase"], !phase.isNull { result.deferPhase = phaseStatus(phase) }
            status.actions.append(result)
        }
        return status
    }

    private mutating func phaseStatus(_ node: YAMLNode) -> PhaseStatus? {
        guard let fields = mapping(node, "a phase") else { return nil }
        return PhaseStatus(name: text(fields, "name"), state: text(fields, "state"), range: node.range)
    }

    /// The rules and their wording are Kanister's, `pkg/validate/validate.go`.
    private mutating func checkStatus(_ status: ActionSetStatus, specCount: Int, key: SourceRange?) {
        if status.actions.count != specCount {
            report(
                "actionset-status", "Number of actions in status actions and spec must match", at: key,
                hint: "status has \(status.actions.count), spec has \(specCount)")
        }
        for action in status.actions { checkPhaseOrder(action) }
        let phases = status.actions.flatMap(\.phases)
        for phase in phases where ActionSetStatus.State(rawValue: phase.state.text) == nil {
            report(
                "actionset-status", "Action has unknown state '\(phase.state)'", at: phase.state.range ?? phase.range,
                hint: stateHint(phase.state))
        }
        guard let state = ActionSetStatus.State(rawValue: status.state.text) else {
            return report(
                "actionset-status", "ActionSet has unknown state '\(status.state)'", at: status.state.range ?? key,
                hint: stateHint(status.state))
        }
        let isUnfinished = phases.contains { ["pending", "running"].contains($0.state.text) }
        if state == .complete, isUnfinished {
            report(
                "actionset-status", "ActionSet cannot be complete if any actions are not complete",
                at: status.state.range ?? key)
        }
    }

    private mutating func checkPhaseOrder(_ action: ActionStatus) {
        guard let first = action.phases.firstIndex(where: { $0.state.text != "complete" }) else { return }
        let state = action.phases[first].state
        for phase in action.phases[(first + 1)...] where phase.state.text != "pending" {
            report(
                "actionset-status", "Phases after a \(state) one must be pending", at: phase.state.range ?? phase.range)
        }
    }

    private func stateHint(_ state: LocatedText) -> String {
        let known = ActionSetStatus.State.allCases.map(\.rawValue)
        return nearMissHint(for: state.text, among: known) ?? "known states: " + known.joined(separator: ", ")
    }
}
