public import ActionEngine
public import GoFormats

/// Runs one command in a pod of its own.
///
/// | argument | required | type | default |
/// |---|---|---|---|
/// | `image` | yes | text | |
/// | `command` | yes | list of text; a single text is a list of one | |
/// | `namespace` | | text | the controller's |
/// | `podOverride` | | fragment of a PodSpec | |
/// | `podAnnotations`, `podLabels` | | map of text | |
///
/// Its output is what the command prints as output lines (`PhaseOutputReader`), also empty. The phase fails when the
/// command does; what it printed until then is discarded.
///
/// Source: Kanister `pkg/function/kube_task.go`.
public struct KubeTask: KanisterFunction {
    public let name = "KubeTask"
    public let summary = "runs one command in a pod of its own"
    public let arguments =
        [
            FunctionArgument("image", .text, isRequired: true, "image of the pod"),
            FunctionArgument("command", .listOfText, isRequired: true, "command and its arguments"),
            FunctionArgument("namespace", .text, "namespace of the pod; the controller's when absent or empty"),
        ] + PodMetadata.arguments

    public init() {}

    public func staticProblems(_ arguments: FunctionArguments) -> [String] {
        PodMetadata.staticProblems(arguments)
    }

    public func execute(_ arguments: FunctionArguments, in call: FunctionCall) async throws -> JSONObject {
        let pod = try Self.pod(arguments, in: call)
        guard !pod.command.isEmpty || !call.executor.runsPods else {
            throw FunctionFailure("argument 'command' is empty", hint: "give the command to run, as a list")
        }
        let collector = PhaseOutputCollector(phase: call.phase, log: call.log)
        let ending = try await call.executor.run(pod, streams: collector)
        let (outputs, lastLines) = try collector.finish()
        guard ending.isSuccess else {
            throw FunctionFailure("the command failed: \(ending)", ending: ending, lastLines: lastLines)
        }
        return outputs
    }

    /// The pod as it would be created.
    ///
    /// - Throws: `FunctionFailure` when an argument has the wrong type.
    static func pod(_ arguments: FunctionArguments, in call: FunctionCall) throws(FunctionFailure) -> PodRequest {
        let namespace = try arguments.text("namespace")
        let container: JSONValue = [
            "name": .string(PodRequest.mainContainerName),
            "image": .string(try arguments.text("image")),
            "command": .array(try arguments.listOfText("command").map { .string($0) }),
            "imagePullPolicy": "IfNotPresent",
        ]
        let base = JSONObject(["containers": .array([container]), "restartPolicy": "Never"])
        let labels = PodMetadata.merge(
            actionSet: call.podLabels, blueprint: try arguments.mapOfText("podLabels"))
        return PodRequest(
            action: call.action, phase: call.phase,
            namespace: namespace.isEmpty ? call.controllerNamespace : namespace,
            namePrefix: "kanister-job-",
            labels: ["createdBy": "kanister"].merging(labels) { $1 },
            annotations: PodMetadata.merge(
                actionSet: call.podAnnotations, blueprint: try arguments.mapOfText("podAnnotations")),
            spec: PodMetadata.spec(
                base, blueprint: try arguments.object("podOverride"), actionSet: call.podOverride))
    }
}
