import ActionEngine
import GoFormats

/// The environment a container's `envFrom` and `env` ask for, with references looked up in the pod's namespace.
///
/// Source: Kubernetes `core/v1` EnvVar, EnvFromSource.
struct ContainerEnvironment {
    let container: JSONObject
    let namespace: String
    let podName: String
    let cluster: any Cluster

    private(set) var variables: [String: String] = [:]
    /// Entries that mean nothing outside a cluster.
    private(set) var ignored: [String] = []

    init(container: JSONObject, namespace: String, podName: String, cluster: any Cluster) {
        self.container = container
        self.namespace = namespace
        self.podName = podName
        self.cluster = cluster
    }

    /// - Throws: `FunctionFailure` when a Secret, a ConfigMap or a key that is not optional is missing.
    mutating func resolve() async throws {
        for source in container["envFrom"]?.arrayValue ?? [] { try await addAll(from: source) }
        for entry in container["env"]?.arrayValue ?? [] {
            guard let name = entry["name"]?.stringValue, !name.isEmpty else { continue }
            if let source = entry["valueFrom"], !source.isNull {
                if let value = try await value(of: source, variable: name) { variables[name] = value }
            } else {
                let text = entry["value"]?.stringValue ?? ""
                variables[name] = VariableExpansion.expand(text, variables)
            }
        }
    }

    private mutating func addAll(from source: JSONValue) async throws {
        let prefix = source["prefix"]?.stringValue ?? ""
        for (field, kind) in [("secretRef", "Secret"), ("configMapRef", "ConfigMap")] {
            guard let reference = source[field], !reference.isNull else { continue }
            guard let object = try await object(kind, reference, variable: "envFrom") else { continue }
            for (key, value) in Self.data(of: object) { variables[prefix + key] = value }
        }
    }

    private mutating func value(of source: JSONValue, variable: String) async throws -> String? {
        for (field, kind) in [("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")] {
            guard let reference = source[field], !reference.isNull else { continue }
            guard let object = try await object(kind, reference, variable: variable) else { return nil }
            let key = reference["key"]?.stringValue ?? ""
            if let value = Self.data(of: object).first(where: { $0.key == key })?.value { return value }
            if reference["optional"]?.boolValue == true { return nil }
            throw FunctionFailure(
                "CreateContainerConfigError: couldn't find key \(key) in \(object.display), wanted by environment variable "
                    + variable,
                hint: "keys there: \(Self.data(of: object).map(\.key).sorted().joined(separator: ", "))")
        }
        switch source["fieldRef"]?["fieldPath"]?.stringValue {
        case "metadata.name"?: return podName
        case "metadata.namespace"?: return namespace
        default:
            ignored.append("env.\(variable).valueFrom")
            return nil
        }
    }

    private func object(_ kind: String, _ reference: JSONValue, variable: String) async throws -> KubernetesObject? {
        let name = reference["name"]?.stringValue ?? ""
        if let object = try await cluster.object(kind: kind, namespace: namespace, name: name) { return object }
        if reference["optional"]?.boolValue == true { return nil }
        throw FunctionFailure(
            "CreateContainerConfigError: \(kind.lowercased()) \"\(name)\" not found in namespace '\(namespace)', "
                + "wanted by environment variable \(variable)",
            hint: "a pod can only use the \(kind)s of its own namespace; for one elsewhere, fetch it under the phase's "
                + "'objects' and put its value into 'value'")
    }

    private static func data(of object: KubernetesObject) -> [(key: String, value: String)] {
        guard object.kind == "Secret" else { return object.stringMap("data") }
        return object.secretData.map { ($0.key, String(decoding: $0.value, as: UTF8.self)) }
    }
}
