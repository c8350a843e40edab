public import ActionEngine
public import GoFormats

/// Sets the number of replicas of a workload.
///
/// | argument | required | type | default |
/// |---|---|---|---|
/// | `replicas` | yes | integer, or text of one | |
/// | `namespace`, `name`, `kind` | | text | the action's object |
/// | `waitForReady` | | boolean | true |
///
/// Output: `originalReplicaCount`, an integer. Better than Kanister: a count below 0 or above 2147483647 is refused.
///
/// Source: Kanister `pkg/function/scale_workload.go`. Vectors: `replicas` of the conformance cases.
public struct ScaleWorkload: KanisterFunction {
    public let name = "ScaleWorkload"
    public let summary = "sets the number of replicas of a workload"
    public let arguments =
        [ArgumentGlossary.argument("replicas", isRequired: true)]
        + ["namespace", "name", "kind", "waitForReady"].map { ArgumentGlossary.argument($0, isRequired: false) }

    public let outputKeys: [String]? = ["originalReplicaCount"]

    private static let kinds = ["statefulset", "deployment", "deploymentconfig"]

    public init() {}

    public func execute(_ arguments: FunctionArguments, in call: FunctionCall) async throws -> JSONObject {
        guard call.executor.runsPods else { return JSONObject() }
        let replicas = try Self.replicas(arguments["replicas"] ?? .null)
        let object = try await workload(arguments, call)
        var manifest = object.manifest
        var spec = manifest["spec"]?.objectValue ?? JSONObject()
        // Kubernetes' default.
        let before = spec["replicas"]?.integerValue ?? 1
        spec["replicas"] = .integer(Int64(replicas))
        manifest["spec"] = .object(spec)
        try await call.cluster.put(try KubernetesObject(manifest: manifest, file: object.file))
        call.log.line(
            PhaseLogLine(
                phase: call.phase, source: .engine,
                text: "scaled \(object.display) from \(before) to \(replicas) in this run's copy of the cluster; "
                    + "nothing makes it ready there, so readiness is not waited for"))
        return JSONObject(["originalReplicaCount": .integer(before)])
    }

    private func workload(_ arguments: FunctionArguments, _ call: FunctionCall) async throws -> KubernetesObject {
        let own = call.object.flatMap { Self.kinds.contains($0.kind.lowercased()) ? $0 : nil }
        func given(_ name: String, or other: String?) throws(FunctionFailure) -> String {
            let text = try arguments.text(name)
            return text.isEmpty ? other ?? "" : text
        }
        let kind = try given("kind", or: own?.kind)
        let namespace = try given("namespace", or: own?.namespace)
        let name = try given("name", or: own?.name)
        guard !kind.isEmpty, !namespace.isEmpty, !name.isEmpty else {
            throw FunctionFailure(
                "Workload information not available via defaults or namespace/name/kind parameters",
                hint: "run the action on a workload, or give namespace, name and kind")
        }
        guard Self.kinds.contains(kind.lowercased()) else {
            throw FunctionFailure(
                "Workload type not supported \(kind)", hint: "kinds are \(Self.kinds.joined(separator: ", "))")
        }
        if let found = try await call.cluster.object(kind: kind, namespace: namespace, name: name) { return found }
        throw FunctionFailure(
            "\(kind.lowercased())s.apps \"\(name)\" not found in namespace '\(namespace)'",
            hint: "a local run works on a copy of the cluster folder: put the workload there")
    }

    /// - Throws: `FunctionFailure` when the value is no integer, or one Kubernetes does not take.
    public static func replicas(_ value: JSONValue) throws(FunctionFailure) -> Int32 {
        let number: Int64
        switch value {
        case .integer(let integer): number = integer
        case .string(let text):
            guard let integer = Int64(text) else {
                throw FunctionFailure("Cannot convert \(text) to int", hint: "give replicas as a whole number")
            }
            number = integer
        case .double: throw FunctionFailure("Invalid arg type float64", hint: "give replicas as a whole number")
        case .bool: throw FunctionFailure("Invalid arg type bool", hint: "give replicas as a whole number")
        default: throw FunctionFailure("Invalid arg type for replicas", hint: "give replicas as a whole number")
        }
        guard let replicas = Int32(exactly: number), replicas >= 0 else {
            throw FunctionFailure("\(number) is not a number of replicas", hint: "give 0 to \(Int32.max)")
        }
        return replicas
    }
}
