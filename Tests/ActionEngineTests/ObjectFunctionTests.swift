import ActionEngine
import GoFormats
import KanisterFunctions
import Testing

/// KubeOps and ScaleWorkload on a copy of a cluster.
@Suite struct ObjectFunctionTests {
    private let cluster: ClusterCopy

    init() throws {
        var manifests = ManifestCluster()
        for text in [
            #"{"apiVersion":"v1","kind":"Service","metadata":{"name":"svc1","namespace":"default"},"spec":{"type":"ClusterIP"}}"#,
            #"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"ns"},"spec":{"replicas":3}}"#,
        ] {
            let manifest = try #require(try JSONParser.parse(text).objectValue)
            try manifests.add(try KubernetesObject(manifest: manifest))
        }
        cluster = ClusterCopy(of: manifests)
    }

    private func call(_ function: any KanisterFunction, _ arguments: JSONObject, object: RenderedObject? = nil)
        async throws
        -> JSONObject
    {
        let call = FunctionCall(
            action: "a", phase: "p", controllerNamespace: "kasten-io", executor: ScriptedExecutor(), log: SilentLog(),
            cluster: cluster, object: object)
        return try await function.execute(FunctionArguments(arguments), in: call)
    }

    static let specs: [String: String] = [
        "Service svc1 with metadata.namespace ns1":
            "{apiVersion: v1, kind: Service, metadata: {name: svc1, namespace: ns1}}",
        "Deployment d1 without namespace": "{apiVersion: apps/v1, kind: Deployment, metadata: {name: d1}}",
        "object without namespace": "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}",
        "custom resource": "{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}}",
        "type NodePort": "spec: {type: NodePort}",
    ]

    @Test(arguments: Cases.group("kubeOps"))
    func objectsAreHandledAsInKanister(_ vector: Case) async throws {
        var arguments = vector["args"]?.objectValue ?? JSONObject()
        arguments["spec"] = arguments["spec"]?.stringValue.map { .string(Self.specs[$0] ?? $0) }
        if arguments["objectReference"] == "services/svc1" {
            arguments["objectReference"] = ["apiVersion": "v1", "resource": "services", "name": "svc1"]
        }
        if let wanted = vector["errorContains"]?.stringValue {
            let failure = await #expect(throws: FunctionFailure.self) { try await call(KubeOps(), arguments) }
            #expect(failure?.message.hasPrefix(wanted) == true, "\(failure?.message ?? "")")
            return
        }
        let output = try await call(KubeOps(), arguments)
        if let wanted = vector["output"] { #expect(.object(output) == wanted) }
        switch vector.id {
        case "ko-01": #expect(cluster.object(kind: "Service", namespace: "ns1", name: "svc1") != nil)
        case "ko-02": #expect(cluster.object(kind: "Deployment", namespace: "ns2", name: "d1") != nil)
        case "ko-03": #expect(cluster.object(kind: "ConfigMap", namespace: "default", name: "c") != nil)
        case "ko-04": #expect(output["resource"] == "widgets")
        case "ko-05":
            let service = cluster.object(kind: "Service", namespace: "default", name: "svc1")
            #expect(service?.manifest["spec"] == ["type": "NodePort"])
        default: #expect(cluster.object(kind: "Service", namespace: "default", name: "svc1") == nil, "\(vector.id)")
        }
    }

    @Test func whatIsThereIsNotCreatedAgain() async throws {
        let arguments = JSONObject([
            "operation": "create", "spec": "{apiVersion: v1, kind: Service, metadata: {name: svc1}}",
        ])
        let failure = await #expect(throws: FunctionFailure.self) { try await call(KubeOps(), arguments) }
        #expect(failure?.message == "services \"svc1\" already exists in namespace 'default'")
    }

    @Test func aWorkloadIsPatchedByNameOfItsContainers() async throws {
        let create = JSONObject([
            "operation": "create",
            "spec":
                "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: s}, spec: {template: {spec: {containers: [{name: a, image: x}, {name: b, image: y}]}}}}",
        ])
        _ = try await call(KubeOps(), create)
        let patch = JSONObject([
            "operation": "patch", "spec": "spec: {template: {spec: {containers: [{name: b, image: z}]}}}",
            "objectReference": ["apiVersion": "v1", "group": "apps", "resource": "statefulsets", "name": "s"],
        ])
        _ = try await call(KubeOps(), patch)
        let object = cluster.object(kind: "StatefulSet", namespace: "default", name: "s")
        let containers = object?.manifest["spec"]?["template"]?["spec"]?["containers"]?.arrayValue ?? []
        #expect(containers.map { $0["image"] } == ["x", "z"])
    }

    @Test(arguments: Cases.group("replicas"))
    func replicasAreRead(_ vector: Case) {
        let given = vector["given"] ?? .null
        if vector.id == "rp-06" {
            #expect(
                throws: FunctionFailure("2147483648 is not a number of replicas", hint: "give 0 to 2147483647")
            ) { try ScaleWorkload.replicas(given) }
        } else if let wanted = vector["errorContains"]?.stringValue {
            #expect(throws: FunctionFailure(wanted, hint: "give replicas as a whole number")) {
                try ScaleWorkload.replicas(given)
            }
        } else {
            #expect((try? ScaleWorkload.replicas(given)).map { .integer(Int64($0)) } == vector["result"])
        }
    }

    @Test func scalingTellsTheNumberBefore() async throws {
        let object = RenderedObject(
            alias: "", kind: "Deployment", apiVersion: "", group: "", resource: "", name: "web", namespace: "ns")
        let output = try await call(ScaleWorkload(), JSONObject(["replicas": 0]), object: object)
        #expect(output == JSONObject(["originalReplicaCount": 3]))
        #expect(
            cluster.object(kind: "deployment", namespace: "ns", name: "web")?.manifest["spec"] == ["replicas": 0])
        let failure = await #expect(throws: FunctionFailure.self) {
            try await call(ScaleWorkload(), JSONObject(["replicas": 1]))
        }
        #expect(
            failure?.message == "Workload information not available via defaults or namespace/name/kind parameters")
    }

    @Test func laterPhasesSeeWhatEarlierOnesChanged() async throws {
        let text = """
            apiVersion: cr.kanister.io/v1alpha1
            kind: Blueprint
            metadata: {name: bp}
            actions:
              backup:
                phases:
                - func: KubeOps
                  name: make
                  args:
                    operation: create
                    namespace: app1
                    spec: "{apiVersion: v1, kind: ConfigMap, metadata: {name: '{{ .Options.n }}'}, data: {k: v}}"
                - func: Wait
                  name: see
                  args:
                    timeout: 1s
                    conditions:
                      allOf:
                      - condition: '{{ eq "{ $.data.k }" "v" }}'
                        objectReference: {apiVersion: v1, resource: configmaps, name: made, namespace: app1}
                - func: KubeTask
                  name: use
                  objects: {c: {kind: ConfigMap, name: made, namespace: app1}}
                  args: {image: i, command: [ok, "x={{ index .Phases.use.ConfigMaps.c.Data \\"k\\" }}"]}

            """
        var scenario = try Scenario(text)
        scenario.request.options["n"] = "made"
        let copy = ClusterCopy(of: scenario.cluster)
        let result = await ActionRunner(
            functions: LocalFunctions.registry, cluster: copy, executor: scenario.executor
        ).run(scenario.request)
        #expect(result.failures.map(\.failure.message) == [])
        #expect(result.record.state == .complete)
        #expect(result.record.phases.last?.output == JSONObject(["x": "v"]))
    }
}
