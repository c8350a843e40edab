internal import Diagnostics

extension ManifestReader {
    mutating func blueprint(_ document: YAMLNode, _ fields: YAMLMapping) -> Blueprint {
        checkFields(
            fields, of: "a Blueprint", known: ["apiVersion", "kind", "metadata", "actions"],
            advice: ["spec": "a Blueprint has no 'spec': 'actions' is at the top level"])
        let names = metadata(document, fields, kind: "Blueprint")
        var blueprint = Blueprint(name: names.name, namespace: names.namespace, actions: [], range: document.range)
        let isAbsent = fields["actions"]?.isNull ?? true
        if let actions = mapping(fields, "actions") {
            for entry in actions.entries {
                let action = within("action '\(entry.name)'") { reader in reader.action(entry) }
                if let action { blueprint.actions.append(action) }
            }
        }
        if isAbsent || fields["actions"]?.mapping?.isEmpty ?? false {
            report(
                "no-actions", "the Blueprint has no actions",
                at: fields.entry("actions")?.key.range ?? firstLine(of: document),
                hint: "add 'actions:' with at least one action, such as 'backup:'")
        }
        checkPhaseNames(blueprint)
        return blueprint
    }

    private static let actionFields = [
        "name", "kind", "configMapNames", "secretNames", "inputArtifactNames", "outputArtifacts", "phases",
        "deferPhase",
    ]

    private mutating func action(_ entry: YAMLMapping.Entry) -> BlueprintAction? {
        checkActionName(entry)
        guard !entry.value.isNull else {
            report(
                "no-phases", "action '\(entry.name)' is empty", at: entry.key.range, severity: .warning,
                hint: "add 'phases:'")
            return BlueprintAction(name: LocatedText(entry.name, node: entry.key), range: entry.key.range)
        }
        guard let fields = mapping(entry.value, "action '\(entry.name)'") else { return nil }
        checkFields(
            fields, of: "an action", known: Self.actionFields,
            advice: [
                "type": "'type' is from early Kanister; remove it, or write 'kind' for readers",
                "args": "arguments belong to a phase", "func": "a function belongs to a phase, under 'phases:'",
                "objects": "objects belong to a phase",
            ])
        var action = BlueprintAction(name: LocatedText(entry.name, node: entry.key), range: entry.value.range)
        _ = text(fields, "name")
        action.kind = text(fields, "kind")
        action.configMapNames = texts(fields, "configMapNames")
        action.secretNames = texts(fields, "secretNames")
        action.inputArtifactNames = texts(fields, "inputArtifactNames")
        action.outputArtifacts = artifacts(fields, "outputArtifacts")
        for (position, node) in list(fields, "phases").enumerated() {
            if let phase = phase(node, title: "phase", position: position + 1) { action.phases.append(phase) }
        }
        if let node = fields["deferPhase"], !node.isNull {
            action.deferPhase = phase(node, title: "deferPhase", position: 0)
        }
        checkAction(action, fields, entry)
        return action
    }

    private mutating func checkAction(_ action: BlueprintAction, _ fields: YAMLMapping, _ entry: YAMLMapping.Entry) {
        let phases = fields["phases"]
        if phases == nil || phases?.isNull ?? true || phases?.sequence?.isEmpty ?? false {
            report(
                "no-phases", "action '\(entry.name)' has no phases",
                at: fields.entry("phases")?.key.range ?? entry.key.range,
                severity: .warning, hint: "Kanister runs it without doing anything")
        }
        for name in ["secretNames", "configMapNames"] where !(fields[name]?.sequence?.isEmpty ?? true) {
            report(
                "unused-names", "'\(name)' is never read, neither by Kanister nor by Kasten",
                at: fields.entry(name)?.key.range,
                severity: .warning, hint: "name the object in a phase's 'objects' instead")
        }
    }

    private mutating func phase(_ node: YAMLNode, title: String, position: Int) -> BlueprintPhase? {
        let name = node["name"]?.string ?? ""
        let shown = name.isEmpty ? (position > 0 ? "\(title) \(position)" : title) : "\(title) '\(name)'"
        return within(shown) { reader in reader.phase(node) }
    }

    private mutating func phase(_ node: YAMLNode) -> BlueprintPhase? {
        guard let fields = mapping(node, "a phase") else { return nil }
        checkFields(
            fields, of: "a phase", known: ["func", "name", "objects", "args"],
            advice: ["function": "did you mean 'func'?", "arguments": "did you mean 'args'?"])
        var phase = BlueprintPhase(
            function: requiredText(
                fields, "func", of: "the phase", at: firstLine(of: node),
                hint: "name a Kanister function: 'func: KubeTask'"),
            name: requiredText(
                fields, "name", of: "the phase", at: firstLine(of: node), rule: "phase-without-name",
                severity: .warning,
                hint: "without a name no template can use its outputs"),
            range: node.range)
        phase.objects = references(fields, "objects")
        for object in phase.objects { checkObject(object) }
        if let arguments = mapping(fields, "args") {
            phase.arguments = arguments.entries.map { entry in
                PhaseArgument(name: LocatedText(entry.name, node: entry.key), value: entry.value)
            }
        }
        return phase
    }

    private mutating func checkObject(_ object: NamedReference) {
        let kind = object.reference.kind
        let isTemplate = kind.text.utf8.contains(UInt8(ascii: "{"))
        if !isTemplate, !["secret", "configmap"].contains(kind.text.lowercased()) {
            let found = kind.isEmpty ? "without a 'kind'" : "of kind '\(kind)'"
            report(
                "object-kind", "Kanister does not fetch object '\(object.name)' \(found)",
                at: kind.range ?? object.name.range, severity: .warning,
                hint: nearMissHint(for: kind.text, among: ["Secret", "ConfigMap"])
                    ?? "only Secret and ConfigMap are fetched")
        } else if object.reference.name.isEmpty {
            report(
                "object-without-name", "object '\(object.name)' has no 'name'",
                at: object.reference.name.range ?? object.name.range, hint: "Kanister cannot fetch it without a name")
        }
    }

    /// Kanister's webhook wants names unique over the whole blueprint, defer phases included.
    private mutating func checkPhaseNames(_ blueprint: Blueprint) {
        var seen: [String: (action: String, range: SourceRange?)] = [:]
        for action in blueprint.actions {
            for phase in action.phases + (action.deferPhase.map { [$0] } ?? []) where !phase.name.isEmpty {
                guard let earlier = seen[phase.name.text] else {
                    seen[phase.name.text] = (action.name.text, phase.name.range)
                    continue
                }
                let line = earlier.range.map { ", line \($0.start.line)" } ?? ""
                within("action '\(action.name)'") { reader in
                    reader.report(
                        "duplicate-phase", "Duplicated phase name is not allowed. Violating phase '\(phase.name)'",
                        at: phase.name.range,
                        hint: "also in action '\(earlier.action)'\(line); names are unique over the whole blueprint")
                }
            }
        }
    }

    // MARK: Action names

    /// What Kasten calls on a bound object.
    static let kastenActions = [
        "backup", "restore", "delete", "backupPrehook", "backupPosthook", "restorePrehook", "restorePosthook",
    ]

    /// Names that circulate and that no edit distance finds.
    private static let mistakenActions = [
        "prebackuphook": "backupPrehook", "postbackuphook": "backupPosthook", "prerestorehook": "restorePrehook",
        "postrestorehook": "restorePosthook", "backuppreshook": "backupPrehook", "prehook": "backupPrehook",
        "posthook": "backupPosthook", "prebackup": "backupPrehook", "postbackup": "backupPosthook",
        "prerestore": "restorePrehook", "postrestore": "restorePosthook", "beforebackup": "backupPrehook",
        "afterbackup": "backupPosthook", "beforerestore": "restorePrehook", "afterrestore": "restorePosthook",
    ]

    private mutating func checkActionName(_ entry: YAMLMapping.Entry) {
        let name = entry.name
        if name == "restorePrehook" {
            report(
                "action-name", "'restorePrehook' is called by Kasten 9.0.10 and later only", at: entry.key.range,
                severity: .note)
        }
        guard !Self.kastenActions.contains(name) else { return }
        let near = Self.mistakenActions[name.lowercased()] ?? closestMatches(to: name, among: Self.kastenActions).first
        report(
            "action-name", "Kasten calls no action '\(name)' on a bound object", at: entry.key.range,
            severity: near == nil ? .note : .warning,
            hint: near.map { "did you mean '\($0)'?" } ?? "it runs only if a policy hook or an ActionSet names it")
    }
}
