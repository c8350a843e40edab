import ActionEngine
import GoFormats

/// An `objectReference` of a function's arguments.
struct ObjectIdentity: Sendable, Hashable {
    let apiVersion: String
    let group: String
    let resource: String
    let name: String
    let namespace: String

    init(
        _ fields: JSONObject,
        render: @Sendable (String) throws(FunctionFailure) -> String = {
            text throws(FunctionFailure) in text
        }
    ) throws(FunctionFailure) {
        func text(_ field: String) throws(FunctionFailure) -> String {
            try render(fields[field]?.stringValue ?? "")
        }
        apiVersion = try text("apiVersion")
        group = try text("group")
        resource = try text("resource")
        name = try text("name")
        namespace = try text("namespace")
    }

    init(of object: KubernetesObject, namespace: String) {
        let parts = object.apiVersion.split(separator: "/").map(String.init)
        group = parts.count > 1 ? parts[0] : ""
        apiVersion = parts.last ?? ""
        resource = Self.plural(object.kind.lowercased())
        name = object.name
        self.namespace = namespace
    }

    var display: String { namespace.isEmpty ? "\(resource) \(name)" : "\(resource) \(namespace)/\(name)" }

    func object(in cluster: any Cluster) async throws -> KubernetesObject? {
        if let found = try await cluster.object(kind: resource, namespace: namespace, name: name) { return found }
        // Objects without a namespace are found whatever namespace the reference gives.
        return namespace.isEmpty ? nil : try await cluster.object(kind: resource, namespace: "", name: name)
    }

    /// The fields a phase's output has.
    var output: JSONObject {
        JSONObject([
            "apiVersion": .string(apiVersion), "group": .string(group), "resource": .string(resource), "kind": "",
            "name": .string(name), "namespace": .string(namespace),
        ])
    }

    /// As Kubernetes guesses the resource of a kind (`meta.UnsafeGuessKindToResource`).
    private static func plural(_ kind: String) -> String {
        if kind.hasSuffix("endpoints") { return kind }
        if kind.hasSuffix("s") || kind.hasSuffix("x") { return kind + "es" }
        if kind.hasSuffix("y") { return kind.dropLast() + "ies" }
        return kind + "s"
    }
}
