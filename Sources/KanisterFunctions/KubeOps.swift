public import ActionEngine
import Blueprints
import Diagnostics
public import GoFormats

/// Creates, deletes or patches an object of the cluster.
///
/// | argument | required | type | default |
/// |---|---|---|---|
/// | `operation` | yes | `create`, `delete` or `patch` | |
/// | `spec` | for create and patch | YAML text | |
/// | `namespace` | | text | `default` |
/// | `objectReference` | for delete and patch | apiVersion, group, resource, name, namespace | |
///
/// Its output is the reference of the object. Workloads and pods are patched as Kubernetes does it (strategic merge),
/// everything else by merging maps and replacing lists.
///
/// Source: Kanister `pkg/function/kubeops.go`, `pkg/kube/kubectl.go`. Vectors: `kubeOps` of the conformance cases.
public struct KubeOps: KanisterFunction {
    public let name = "KubeOps"
    public let summary = "creates, deletes or patches an object"
    public let arguments =
        [ArgumentGlossary.argument("operation", isRequired: true)]
        + ["spec", "namespace", "objectReference"].map { ArgumentGlossary.argument($0, isRequired: false) }

    public let outputKeys: [String]? = ["apiVersion", "group", "resource", "kind", "name", "namespace"]

    private static let workloads: Set<String> = [
        "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod", "DeploymentConfig",
    ]
    private static let withoutNamespace: Set<String> = [
        "Namespace", "Node", "PersistentVolume", "StorageClass", "ClusterRole", "ClusterRoleBinding",
        "CustomResourceDefinition", "PriorityClass", "VolumeSnapshotClass", "VolumeSnapshotContent",
    ]

    public init() {}

    public func execute(_ arguments: FunctionArguments, in call: FunctionCall) async throws -> JSONObject {
        let operation = try arguments.text("operation")
        let given = try arguments.text("namespace")
        let namespace = given.isEmpty ? "default" : given
        let reference = try ObjectIdentity(try arguments.object("objectReference") ?? JSONObject())
        let spec = try arguments.text("spec")
        switch operation {
        case "create":
            try require(spec, operation)
            guard call.executor.runsPods else { return JSONObject() }
            return try await create(spec, in: namespace, call)
        case "patch":
            try require(spec, operation)
            try require(reference)
            guard call.executor.runsPods else { return JSONObject() }
            return try await patch(reference, with: spec, in: namespace, call)
        case "delete":
            try require(reference)
            guard call.executor.runsPods else { return JSONObject() }
            let object = try await existing(reference, in: namespace, call)
            try await call.cluster.remove(kind: object.kind, namespace: object.namespace, name: object.name)
            note("deleted \(object.display)", call)
            return output(reference, object)
        default:
            throw FunctionFailure(
                "invalid operation '\(operation)'", hint: "operations are create, delete and patch")
        }
    }

    private func require(_ spec: String, _ operation: String) throws(FunctionFailure) {
        guard spec.isEmpty else { return }
        throw FunctionFailure(
            "spec cannot be empty for \(operation) operation", hint: "give the manifest as YAML text under 'spec'")
    }

    private func require(_ reference: ObjectIdentity) throws(FunctionFailure) {
        guard reference.name.isEmpty || reference.apiVersion.isEmpty || reference.resource.isEmpty else { return }
        throw FunctionFailure(
            "missing one or more required fields name/apiVersion/resource in objectReference",
            hint: "for example {apiVersion: v1, resource: services, name: app1, namespace: app1}")
    }

    private func create(_ spec: String, in namespace: String, _ call: FunctionCall) async throws -> JSONObject {
        var last = JSONObject()
        for manifest in try documents(spec) {
            var manifest = manifest
            let kind = manifest["kind"]?.stringValue ?? ""
            var metadata = manifest["metadata"]?.objectValue ?? JSONObject()
            let own = metadata["namespace"]?.stringValue ?? ""
            let isGlobal = Self.withoutNamespace.contains(kind)
            if isGlobal {
                metadata["namespace"] = nil
            } else if own.isEmpty {
                metadata["namespace"] = .string(namespace)
            }
            manifest["metadata"] = .object(metadata)
            let object = try object(manifest)
            let identity = ObjectIdentity(of: object, namespace: object.namespace)
            if try await call.cluster.object(kind: kind, namespace: object.namespace, name: object.name) != nil {
                throw FunctionFailure(
                    "\(identity.resource) \"\(object.name)\" already exists in namespace '\(object.namespace)'",
                    hint: "a retried phase creates its objects again: delete them first, or patch")
            }
            try await call.cluster.put(object)
            note("created \(object.display)", call)
            last = identity.output
        }
        return last
    }

    private func patch(
        _ reference: ObjectIdentity, with spec: String, in namespace: String, _ call: FunctionCall
    ) async throws -> JSONObject {
        let object = try await existing(reference, in: namespace, call)
        guard let patch = try documents(spec).first else {
            throw FunctionFailure("spec cannot be empty for patch operation")
        }
        if object.kind == "Service", patch["spec"]?["ports"] != nil {
            throw FunctionFailure(
                "a local run does not patch the ports of a Service", hint: "it is merged by port in a cluster")
        }
        let merged =
            Self.workloads.contains(object.kind)
            ? StrategicMerge.apply(patch, to: object.manifest) : Self.merge(patch, into: object.manifest)
        let changed = try self.object(merged)
        try await call.cluster.put(changed)
        note("patched \(changed.display)", call)
        return output(reference, changed)
    }

    /// RFC 7386.
    private static func merge(_ patch: JSONObject, into original: JSONObject) -> JSONObject {
        var result = original
        for member in patch.members {
            switch member.value {
            case .null: result[member.key] = nil
            case .object(let inner):
                result[member.key] = .object(merge(inner, into: result[member.key]?.objectValue ?? JSONObject()))
            default: result[member.key] = member.value
            }
        }
        return result
    }

    private func existing(
        _ reference: ObjectIdentity, in namespace: String, _ call: FunctionCall
    ) async throws -> KubernetesObject {
        let wanted = reference.namespace.isEmpty ? namespace : reference.namespace
        let kind = reference.resource
        if let object = try await call.cluster.object(kind: kind, namespace: wanted, name: reference.name) {
            return object
        }
        if let object = try await call.cluster.object(kind: kind, namespace: "", name: reference.name) { return object }
        throw FunctionFailure(
            "\(kind) \"\(reference.name)\" not found in namespace '\(wanted)'",
            hint: "a local run works on a copy of the cluster folder: put the object there")
    }

    private func output(_ reference: ObjectIdentity, _ object: KubernetesObject) -> JSONObject {
        ObjectIdentity(of: object, namespace: object.namespace).output
    }

    private func documents(_ text: String) throws(FunctionFailure) -> [JSONObject] {
        let (documents, problems) = readYAML(SourceFile(name: "spec", text: text))
        if let problem = problems.first(where: { $0.severity == .error }) {
            throw FunctionFailure("spec is not YAML: \(problem.message)", hint: problem.hint)
        }
        return documents.compactMap { $0.json.objectValue }
    }

    private func object(_ manifest: JSONObject) throws(FunctionFailure) -> KubernetesObject {
        do throws(ClusterError) { return try KubernetesObject(manifest: manifest) } catch {
            throw FunctionFailure("spec: \(error.message)", hint: error.hint)
        }
    }

    private func note(_ text: String, _ call: FunctionCall) {
        call.log.line(
            PhaseLogLine(phase: call.phase, source: .engine, text: "\(text) in this run's copy of the cluster"))
    }
}
