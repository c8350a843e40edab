import ActionEngine
import Blueprints
import GoFormats

/// A rendered action as one document: what `render -o yaml` and `-o json` print.
struct RenderedDocument {
    let input: ActionInput
    let result: ActionResult
    let pods: [PodRequest]
    private let options: [String: String]

    /// Masked leaf by leaf, so that a marker is quoted as its place in the document needs it.
    init(input: ActionInput, result: ActionResult, pods: [PodRequest], output: Output) {
        self.input = input
        var masked = result
        masked.phases = result.phases.map { $0.mapStrings(output.mask) }
        masked.record.artifacts = result.record.artifacts.map { $0.mapStrings(output.mask) }
        self.result = masked
        options = input.request.options.mapValues(output.mask)
        self.pods = pods.map { $0.mapStrings(output.mask) }
    }

    var json: JSONValue {
        let request = input.request
        var document = JSONObject([
            "action": .string(request.actionName), "blueprint": .string(request.blueprint.name.text),
        ])
        if let object = request.object {
            document["object"] = .object(
                JSONObject([
                    "kind": .string(object.kind.text), "namespace": .string(object.namespace.text),
                    "name": .string(object.name.text),
                ]))
        }
        document["profile"] = input.profileText.map { .string($0) }
        document["time"] = .string(request.time.description)
        if !options.isEmpty {
            document["options"] = .object(
                JSONObject(
                    options.sorted { $0.key < $1.key }.map { .init(key: $0.key, value: .string($0.value)) }))
        }
        document["phases"] = .array(result.phases.filter { !$0.isDeferPhase }.map { Self.phase($0) })
        if let last = result.phases.first(where: \.isDeferPhase) { document["deferPhase"] = Self.phase(last) }
        if !result.record.artifacts.isEmpty { document["outputArtifacts"] = Self.artifacts(result.record.artifacts) }
        return .object(document)
    }

    /// A phase in the shape a blueprint has it.
    static func phase(_ phase: RenderedPhase) -> JSONValue {
        var document = JSONObject(["name": .string(phase.name), "func": .string(phase.function)])
        if !phase.objects.isEmpty {
            document["objects"] = .object(
                JSONObject(phase.objects.map { .init(key: $0.alias, value: Self.object($0)) }))
        }
        document["args"] = .object(phase.arguments)
        return .object(document)
    }

    private static func object(_ object: RenderedObject) -> JSONValue {
        let fields = [
            ("apiVersion", object.apiVersion), ("group", object.group), ("resource", object.resource),
            ("kind", object.kind), ("name", object.name), ("namespace", object.namespace),
        ]
        return .object(JSONObject(fields.filter { !$0.1.isEmpty }.map { .init(key: $0.0, value: .string($0.1)) }))
    }

    static func artifacts(_ artifacts: [RenderedArtifact]) -> JSONValue {
        .object(
            JSONObject(
                artifacts.map { artifact in
                    var document = JSONObject()
                    if !artifact.keyValue.isEmpty {
                        document["keyValue"] = .object(
                            JSONObject(artifact.keyValue.map { .init(key: $0.key, value: .string($0.value)) }))
                    }
                    document["kopiaSnapshot"] = artifact.kopiaSnapshot.map { .string($0) }
                    return JSONObject.Member(key: artifact.name, value: .object(document))
                }))
    }

    // MARK: Other forms

    /// For people.
    var text: String {
        let request = input.request
        var lines = ["action \(request.actionName) of blueprint \(request.blueprint.name.text)"]
        if let object = input.objectText { lines.append("  object   \(object)") }
        if let profile = input.profileText { lines.append("  profile  \(profile)") }
        lines.append("  time     \(request.time)")
        for (index, phase) in result.phases.enumerated() {
            let title = phase.isDeferPhase ? "deferPhase" : "phase \(index + 1)"
            lines += ["", "\(title): \(phase.name) (\(phase.function))"]
            for object in phase.objects {
                let note = object.isFetched ? "" : "  (not fetched: neither Secret nor ConfigMap)"
                lines.append("  \(object.alias) = \(object.kind) \(object.namespace)/\(object.name)\(note)")
            }
            lines += YAMLWriter.text(.object(phase.arguments)).split(separator: "\n", omittingEmptySubsequences: false)
                .dropLast().map { $0.isEmpty ? "" : "  \($0)" }
        }
        if !result.record.artifacts.isEmpty {
            lines += ["", "output artifacts:"]
            lines += YAMLWriter.text(Self.artifacts(result.record.artifacts))
                .split(separator: "\n", omittingEmptySubsequences: false).dropLast().map { "  \($0)" }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The pods that would be created, one document each.
    var podManifests: String {
        pods.map { YAMLWriter.text(Self.manifest($0)) }.joined(separator: "---\n")
    }

    private static func manifest(_ pod: PodRequest) -> JSONValue {
        func map(_ values: [String: String]) -> JSONValue {
            .object(JSONObject(values.sorted { $0.key < $1.key }.map { .init(key: $0.key, value: .string($0.value)) }))
        }
        var metadata = JSONObject([
            "generateName": .string(pod.namePrefix), "namespace": .string(pod.namespace), "labels": map(pod.labels),
        ])
        if !pod.annotations.isEmpty { metadata["annotations"] = map(pod.annotations) }
        return .object(
            JSONObject([
                "apiVersion": "v1", "kind": "Pod", "metadata": .object(metadata), "spec": .object(pod.spec),
            ]))
    }

    /// A shell script that does what the phases do, to read or to try by hand.
    var script: String {
        var lines = [
            "#!/bin/sh", "# action \(input.request.actionName) of blueprint \(input.request.blueprint.name.text)",
            "set -e",
        ]
        for pod in pods {
            let isShared = pod.backgroundContainer != nil
            lines += ["", "# phase \(pod.phase): image \(pod.image), namespace \(pod.namespace)"]
            if isShared { lines.append("# its containers share a folder in the cluster; here it is the machine's own") }
            for container in (pod.spec["initContainers"]?.arrayValue ?? []).compactMap(\.objectValue) {
                lines += Self.script(container, isNamed: true) + [")"]
            }
            if let background = pod.backgroundContainer {
                lines += Self.script(background, isNamed: true) + [") & background=$!"]
            }
            lines += Self.script(pod.mainContainer, isNamed: isShared) + [")"]
            if isShared { lines.append("wait $background") }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// A container as the beginning of a subshell.
    private static func script(_ container: JSONObject, isNamed: Bool) -> [String] {
        var lines = isNamed ? ["# container \(container["name"]?.stringValue ?? "")", "("] : ["("]
        for entry in container["env"]?.arrayValue ?? [] {
            guard let name = entry["name"]?.stringValue else { continue }
            if let value = entry["value"]?.stringValue {
                lines.append("export \(name)=\(quoted(value))")
            } else if let source = entry["valueFrom"] {
                lines.append("# \(name) comes from \(GoJSON.text(source))")
            }
        }
        let command = ["command", "args"].flatMap { container[$0]?.arrayValue ?? [] }.compactMap(\.stringValue)
        return lines + [command.map { quoted($0) }.joined(separator: " ")]
    }

    private static func quoted(_ text: String) -> String {
        let safe = text.utf8.allSatisfy { byte in
            (0x61...0x7a).contains(byte | 0x20) || (0x30...0x39).contains(byte) || "-_./:=,@%+".utf8.contains(byte)
        }
        if safe, !text.isEmpty { return text }
        return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
    }
}

extension JSONValue {
    /// Every string in it, keys included, replaced.
    func mapStrings(_ change: (String) -> String) -> JSONValue {
        switch self {
        case .string(let text): return .string(change(text))
        case .array(let items): return .array(items.map { $0.mapStrings(change) })
        case .object(let object):
            return .object(
                JSONObject(
                    object.members.map { .init(key: change($0.key), value: $0.value.mapStrings(change)) }))
        default: return self
        }
    }
}

extension RenderedPhase {
    func mapStrings(_ change: (String) -> String) -> RenderedPhase {
        RenderedPhase(
            name: name, function: function, isDeferPhase: isDeferPhase, objects: objects,
            arguments: JSONValue.object(arguments).mapStrings(change).objectValue ?? JSONObject())
    }
}

extension RenderedArtifact {
    func mapStrings(_ change: (String) -> String) -> RenderedArtifact {
        RenderedArtifact(
            name: name, keyValue: keyValue.map { .init(key: $0.key, value: change($0.value)) },
            kopiaSnapshot: kopiaSnapshot.map(change))
    }
}

extension PodRequest {
    func mapStrings(_ change: (String) -> String) -> PodRequest {
        PodRequest(
            action: action, phase: phase, namespace: namespace, namePrefix: namePrefix,
            labels: labels.mapValues(change), annotations: annotations.mapValues(change),
            spec: JSONValue.object(spec).mapStrings(change).objectValue ?? JSONObject())
    }
}
