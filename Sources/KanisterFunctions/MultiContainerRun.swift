public import ActionEngine
public import GoFormats

/// Runs up to three containers in one pod that share a volume: `init` first, then `background` and `output` together.
///
/// | argument | required | type | default |
/// |---|---|---|---|
/// | `backgroundImage`, `backgroundCommand` | yes | text, list of text | |
/// | `outputImage`, `outputCommand` | yes | text, list of text | |
/// | `initImage`, `initCommand` | | text, list of text | no init container |
/// | `namespace` | | text | the controller's |
/// | `sharedVolumeMedium`, `sharedVolumeSizeLimit` | | text | the node's disk, no limit |
/// | `sharedVolumeDir` | | text | `/tmp/` |
/// | `podOverride`, `podAnnotations`, `podLabels` | | | |
///
/// Only what `output` prints is read for outputs. The phase fails when any of them fails. Better than Kanister: an
/// executor that runs it ends `output` before it can take a dead producer's end of file for the whole.
///
/// Source: Kanister `pkg/function/multi_container_run.go`. Vectors: `multiContainerOverride` of the conformance cases.
public struct MultiContainerRun: KanisterFunction {
    public let name = "MultiContainerRun"
    public let summary = "runs an init, a background and an output container that share a volume"
    public let arguments =
        ["backgroundImage", "backgroundCommand", "outputImage", "outputCommand"]
        .map { ArgumentGlossary.argument($0, isRequired: true) }
        + [
            "initImage", "initCommand", "namespace", "sharedVolumeMedium", "sharedVolumeSizeLimit", "sharedVolumeDir",
        ].map { ArgumentGlossary.argument($0, isRequired: false) } + PodMetadata.arguments

    public init() {}

    public func staticProblems(_ arguments: FunctionArguments) -> [String] {
        PodMetadata.staticProblems(arguments)
    }

    public func execute(_ arguments: FunctionArguments, in call: FunctionCall) async throws -> JSONObject {
        let pod = try Self.pod(arguments, in: call)
        let collector = PhaseOutputCollector(phase: call.phase, log: call.log)
        let ending: CommandEnding
        do {
            ending = try await call.executor.run(pod, streams: collector)
        } catch let failure as FunctionFailure {
            _ = try? collector.finish()
            throw FunctionFailure(
                failure.message, hint: failure.hint, ending: failure.ending,
                lastLines: failure.lastLines.isEmpty ? collector.lastLines : failure.lastLines)
        }
        let (outputs, lastLines) = try collector.finish()
        guard ending.isSuccess else {
            throw FunctionFailure(
                "the command of container 'output' failed: \(ending)", ending: ending, lastLines: lastLines)
        }
        return outputs
    }

    /// The pod as it would be created.
    ///
    /// - Throws: `FunctionFailure` when an argument has the wrong type, or the override names a container that this
    ///   pod does not have.
    static func pod(_ arguments: FunctionArguments, in call: FunctionCall) throws(FunctionFailure) -> PodRequest {
        let namespace = try arguments.text("namespace")
        let initImage = try arguments.text("initImage")
        var base = JSONObject([
            "containers": .array([
                try container(PodRequest.outputContainerName, arguments),
                try container(PodRequest.backgroundContainerName, arguments),
            ]),
            "restartPolicy": "Never", "volumes": .array([try volume(arguments)]),
        ])
        if !initImage.isEmpty {
            base["initContainers"] = .array([try container(PodRequest.initContainerName, arguments)])
        }
        let spec = PodMetadata.spec(
            base, blueprint: try arguments.object("podOverride"),
            actionSet: expanded(call.podOverride, hasInit: !initImage.isEmpty), main: PodRequest.outputContainerName)
        if let stray = strayContainer(spec) {
            throw FunctionFailure(
                "podOverride names container '\(stray)', which has no image",
                hint: "a MultiContainerRun has the containers background, output and, with initImage, init")
        }
        var annotations = PodMetadata.merge(
            actionSet: call.podAnnotations, blueprint: try arguments.mapOfText("podAnnotations"))
        annotations["kubectl.kubernetes.io/default-container"] = PodRequest.outputContainerName
        let labels = PodMetadata.merge(actionSet: call.podLabels, blueprint: try arguments.mapOfText("podLabels"))
        return PodRequest(
            action: call.action, phase: call.phase,
            namespace: namespace.isEmpty ? call.controllerNamespace : namespace, namePrefix: "kanister-job-",
            labels: labels.merging(["createdBy": "kanister"]) { $1 }, annotations: annotations, spec: spec)
    }

    private static func container(_ name: String, _ arguments: FunctionArguments) throws(FunctionFailure) -> JSONValue {
        let folder = try arguments.text("sharedVolumeDir")
        return [
            "name": .string(name), "image": .string(try arguments.text("\(name)Image")),
            "command": .array(try arguments.listOfText("\(name)Command").map { .string($0) }),
            "imagePullPolicy": "IfNotPresent",
            "volumeMounts": [["name": "shared", "mountPath": .string(folder.isEmpty ? "/tmp/" : folder)]],
        ]
    }

    private static func volume(_ arguments: FunctionArguments) throws(FunctionFailure) -> JSONValue {
        var source = JSONObject()
        let medium = try arguments.text("sharedVolumeMedium")
        let limit = try arguments.text("sharedVolumeSizeLimit")
        if !medium.isEmpty { source["medium"] = .string(medium) }
        if !limit.isEmpty { source["sizeLimit"] = .string(limit) }
        return ["name": "shared", "emptyDir": .object(source)]
    }

    /// An override of container `container` meant for each container of this pod: copied to those that have no entry of
    /// their own. Without an init container none is added, and the given override stays as it is.
    public static func expanded(_ override: JSONObject?, hasInit: Bool) -> JSONObject? {
        guard var result = override, var containers = result["containers"]?.arrayValue,
            let position = containers.firstIndex(where: { $0["name"]?.stringValue == PodRequest.mainContainerName }),
            let shared = containers[position].objectValue
        else { return override }
        func copy(_ name: String) -> JSONValue {
            var copy = shared
            copy["name"] = .string(name)
            return .object(copy)
        }
        func has(_ name: String, _ list: [JSONValue]) -> Bool { list.contains { $0["name"]?.stringValue == name } }
        containers.remove(at: position)
        for name in [PodRequest.backgroundContainerName, PodRequest.outputContainerName]
        where !has(name, containers) {
            containers.append(copy(name))
        }
        result["containers"] = .array(containers)
        var first = result["initContainers"]?.arrayValue ?? []
        if hasInit, !has(PodRequest.initContainerName, first) {
            first.append(copy(PodRequest.initContainerName))
            result["initContainers"] = .array(first)
        }
        return result
    }

    private static func strayContainer(_ spec: JSONObject) -> String? {
        let all = ["initContainers", "containers"].flatMap { spec[$0]?.arrayValue ?? [] }
        return all.first { $0["image"] == nil }.map { $0["name"]?.stringValue ?? "" }
    }
}
