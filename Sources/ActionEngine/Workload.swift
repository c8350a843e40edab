import GoFormats
import GoTemplate

/// A workload as templates see it: `.StatefulSet`, `.Deployment` or `.DeploymentConfig`.
public struct Workload: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable {
        case statefulSet = "StatefulSet"
        case deployment = "Deployment"
        case deploymentConfig = "DeploymentConfig"

        public init?(kind: String) {
            switch kind.lowercased() {
            case "statefulset": self = .statefulSet
            case "deployment": self = .deployment
            case "deploymentconfig": self = .deploymentConfig
            default: return nil
            }
        }

        /// Kinds that may stand between the workload and its pods.
        var owners: [String] {
            switch self {
            case .statefulSet: return []
            case .deployment: return ["ReplicaSet"]
            case .deploymentConfig: return ["ReplicationController"]
            }
        }
    }

    public let kind: Kind
    public let name: String
    public let namespace: String
    /// Names of the running pods, in the order of the API server.
    public var pods: [String] = []
    /// Container names, by pod.
    public var containers: [[String]] = []
    /// Pod → claim → mount path of the last container that mounts it; pods without claims are absent.
    public var claims: [String: [String: String]] = [:]

    /// Looks up the running pods that belong to a workload: by owner references, or, for manifests written by hand that
    /// have none, by the workload's selector.
    ///
    /// - Throws: what the cluster throws.
    static func resolve(_ object: KubernetesObject, kind: Kind, in cluster: any Cluster) async throws -> Workload {
        var workload = Workload(kind: kind, name: object.name, namespace: object.namespace)
        var owners: Set<String> = ["\(object.kind)/\(object.name)"]
        for ownerKind in kind.owners {
            for owner in try await cluster.objects(kind: ownerKind, namespace: object.namespace)
            where isOwned(owner, by: owners) && isCurrent(owner, of: object) {
                owners.insert("\(ownerKind)/\(owner.name)")
            }
        }
        for pod in try await cluster.objects(kind: "Pod", namespace: object.namespace)
        where isRunning(pod) && (isOwned(pod, by: owners) || isSelected(pod, by: object)) {
            workload.pods.append(pod.name)
            workload.containers.append(containerNames(of: pod))
            let claims = claims(of: pod)
            if !claims.isEmpty { workload.claims[pod.name] = claims }
        }
        return workload
    }

    var value: GoValue {
        .structure(
            GoTypes.workload(kind.rawValue),
            [
                "Name": .string(name), "Namespace": .string(namespace), "Pods": .strings(pods),
                "Containers": .slice(of: .strings, containers.map { .strings($0) }),
                "PersistentVolumeClaims": .map(of: .stringMap, claims.mapValues { .stringMap($0) }),
            ])
    }

    private static func ownerReferences(_ object: KubernetesObject) -> [String] {
        (object.metadata["ownerReferences"]?.arrayValue ?? []).map { reference in
            "\(reference["kind"]?.stringValue ?? "")/\(reference["name"]?.stringValue ?? "")"
        }
    }

    private static func isOwned(_ object: KubernetesObject, by owners: Set<String>) -> Bool {
        ownerReferences(object).contains { owners.contains($0) }
    }

    /// Only the ReplicaSet of the Deployment's own revision counts; without revisions every one does.
    private static func isCurrent(_ owner: KubernetesObject, of workload: KubernetesObject) -> Bool {
        let key = "deployment.kubernetes.io/revision"
        guard let wanted = workload.annotations.first(where: { $0.key == key })?.value else { return true }
        guard let revision = owner.annotations.first(where: { $0.key == key })?.value else { return true }
        return revision == wanted
    }

    private static func isRunning(_ pod: KubernetesObject) -> Bool {
        guard let phase = pod.manifest["status"]?["phase"]?.stringValue else { return true }
        return phase == "Running"
    }

    private static func isSelected(_ pod: KubernetesObject, by workload: KubernetesObject) -> Bool {
        guard ownerReferences(pod).isEmpty, let selector = workload.manifest["spec"]?["selector"] else { return false }
        let wanted = (selector["matchLabels"] ?? selector).objectValue?.members ?? []
        let labels = pod.labels
        return !wanted.isEmpty
            && wanted.allSatisfy { member in
                labels.contains { $0.key == member.key && .string($0.value) == member.value }
            }
    }

    private static func containerNames(of pod: KubernetesObject) -> [String] {
        func names(_ list: JSONValue?) -> [String] { (list?.arrayValue ?? []).compactMap { $0["name"]?.stringValue } }
        let statuses = names(pod.manifest["status"]?["containerStatuses"])
        return statuses.isEmpty ? names(pod.manifest["spec"]?["containers"]) : statuses
    }

    private static func claims(of pod: KubernetesObject) -> [String: String] {
        var claimOfVolume: [String: String] = [:]
        for volume in pod.manifest["spec"]?["volumes"]?.arrayValue ?? [] {
            guard let name = volume["name"]?.stringValue,
                let claim = volume["persistentVolumeClaim"]?["claimName"]?.stringValue
            else { continue }
            claimOfVolume[name] = claim
        }
        var paths: [String: String] = [:]
        for container in pod.manifest["spec"]?["containers"]?.arrayValue ?? [] {
            for mount in container["volumeMounts"]?.arrayValue ?? [] {
                guard let claim = mount["name"]?.stringValue.flatMap({ claimOfVolume[$0] }),
                    let path = mount["mountPath"]?.stringValue
                else { continue }
                paths[claim] = path
            }
        }
        return paths
    }
}
