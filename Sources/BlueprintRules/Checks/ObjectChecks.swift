import ActionEngine
import Blueprints
import Diagnostics
import GoTemplate

/// The objects of a phase: repeated ones, and with a folder of manifests at hand those that are not there.
struct ObjectChecks {
    let phase: BlueprintPhase
    let context: String
    let cluster: ManifestCluster?

    func check(into findings: inout Findings) {
        var seen: [String: String] = [:]
        for object in phase.objects {
            let reference = object.reference
            let fields = [reference.kind.text.lowercased(), reference.namespace.text, reference.name.text]
            let identity = fields.joined(separator: "\n")
            if let first = seen[identity], !reference.name.isEmpty {
                findings.report(
                    .repeatedObject, "objects '\(first)' and '\(object.name)' are the same \(reference.kind)",
                    at: object.name.range, context: context, hint: "keep one of them")
            } else {
                seen[identity] = object.name.text
            }
            if let cluster { checkPresence(object, in: cluster, &findings) }
        }
    }

    static func kind(_ object: NamedReference) -> String? {
        switch object.reference.kind.text.lowercased() {
        case "secret": return "Secret"
        case "configmap": return "ConfigMap"
        default: return nil
        }
    }

    /// The object in the folder; nil for one whose name is only known at run time.
    static func find(_ object: NamedReference, in cluster: ManifestCluster) -> KubernetesObject? {
        guard let kind = kind(object) else { return nil }
        return cluster.object(
            kind: kind, namespace: object.reference.namespace.text, name: object.reference.name.text)
    }

    static func isStatic(_ object: NamedReference) -> Bool {
        object.reference.fields.allSatisfy { !$0.text.text.containsText("{{") }
    }

    private func checkPresence(_ object: NamedReference, in cluster: ManifestCluster, _ findings: inout Findings) {
        guard let kind = Self.kind(object), Self.isStatic(object), !object.reference.name.isEmpty,
            Self.find(object, in: cluster) == nil
        else { return }
        let (name, namespace) = (object.reference.name.text, object.reference.namespace.text)
        let others = cluster.objects(kind: kind, namespace: nil)
        let elsewhere = others.first { $0.name == name }.map { "there is one in namespace '\($0.namespace)'" }
        findings.report(
            .clusterObject, "there is no \(kind) '\(name)' in namespace '\(namespace)' of the cluster folder",
            at: object.reference.name.range ?? object.name.range, context: "\(context), object '\(object.name)'",
            hint: elsewhere ?? nearMissHint(for: name, among: others.map(\.name))
                ?? "add its manifest to the folder, or correct the name")
    }

    /// A key that a Secret or ConfigMap of the folder does not have.
    static func checkKeys(_ site: TemplateSite, in cluster: ManifestCluster, _ findings: inout Findings) {
        for reference in site.references where reference.base == .root && reference.steps.count >= 5 {
            let steps = reference.steps
            let phases = site.action.phases
            guard steps[0].name == "Phases", steps[3].name.isEmpty == false, steps[4].name == "Data", steps.count == 6,
                let phase = phases.first(where: { $0.name.text == steps[1].name }),
                let object = phase.objects.first(where: { $0.name.text == steps[3].name }), isStatic(object),
                let found = find(object, in: cluster)
            else { continue }
            let keys = steps[2].name == "Secrets" ? found.secretData.map(\.key) : found.stringMap("data").map(\.key)
            let step = steps[5]
            guard !keys.contains(step.name) else { continue }
            let effect = step.isIndexed ? ": the value is empty, without an error" : ""
            findings.report(
                .clusterKey, "\(found.display) has no key '\(step.name)'\(effect)", at: site.range(step.utf8Range),
                context: site.context,
                hint: nearMissHint(for: step.name, among: keys)
                    ?? (keys.isEmpty ? "it has no keys" : "it has \(keys.sorted().joined(separator: ", "))"),
                severity: step.isIndexed ? .warning : .error)
        }
    }
}
