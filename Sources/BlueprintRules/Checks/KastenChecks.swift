import Blueprints
import Diagnostics
import GoTemplate

/// What Kasten gives an action and what it does not: profile, namespace, subject.
///
/// Source: docs.kasten.io `kanister/reference`; Kanister `pkg/param/param.go`.
struct KastenChecks {
    let site: TemplateSite

    private static let hooks: Set<String> = ["backupPrehook", "backupPosthook", "restorePrehook", "restorePosthook"]
    private static let bound: Set<String> = hooks.union(["backup", "restore"])
    private static let workloads: Set<String> = ["StatefulSet", "Deployment", "DeploymentConfig", "PVC"]

    func check(into findings: inout Findings) {
        let action = site.action.name.text
        var reported: Set<String> = []
        for reference in site.references where reference.base == .root {
            guard let first = reference.steps.first else { continue }
            let isNamespaced = site.action.kind.text.lowercased() == "namespace"
            if first.name == "Profile", Self.hooks.contains(action), reported.insert("Profile").inserted {
                findings.report(
                    .profileInHook, "Kasten gives '\(action)' no profile: '.Profile' is nil there",
                    at: site.range(reference.utf8Range), context: site.context,
                    hint: "move what needs the location into 'backup' or 'restore'")
            } else if first.name == "Namespace", reference.steps.count > 1, Self.bound.contains(action), !isNamespaced {
                findings.report(
                    .namespaceInAction,
                    "'.Namespace' is only set when the object is a namespace, as in Kasten's 'delete', not in '\(action)'",
                    at: site.range(reference.utf8Range), context: site.context, hint: namespaceHint)
            } else if Self.workloads.contains(first.name), action == "delete", reference.steps.count > 1 {
                findings.report(
                    .workloadInDelete,
                    "Kasten runs 'delete' on a namespace, long after the application: '.\(first.name)' is nil there",
                    at: site.range(reference.utf8Range), context: site.context,
                    hint: "hand what 'delete' needs over in an artifact; '.Namespace.Name' is Kasten's namespace")
            }
        }
    }

    private var namespaceHint: String {
        switch site.action.kind.text.lowercased() {
        case "statefulset": return "write .StatefulSet.Namespace"
        case "deployment": return "write .Deployment.Namespace"
        case "deploymentconfig": return "write .DeploymentConfig.Namespace"
        case "pvc": return "write .PVC.Namespace"
        default: return "write .Object.metadata.namespace"
        }
    }
}
