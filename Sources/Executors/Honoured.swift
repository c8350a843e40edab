import ActionEngine
import GoFormats

/// Which parts of a pod mean something to a local process.
enum Honoured {
    private static let container: Set<String> = ["name", "command", "args", "env", "envFrom", "imagePullPolicy"]
    private static let spec: Set<String> = ["containers", "restartPolicy"]

    /// Parts of the pod that a local run leaves out, in words of the pod spec.
    static func notHonoured(in pod: PodRequest) -> [String] {
        var parts: [String] = []
        for member in pod.mainContainer.members where !container.contains(member.key) && !isEmpty(member.value) {
            if member.key == "image" {
                parts.append("image \(pod.image)")
            } else {
                parts.append("container.\(member.key)")
            }
        }
        let main = pod.mainContainer
        for other in pod.spec["containers"]?.arrayValue ?? [] where other != .object(main) {
            parts.append("container '\(other["name"]?.stringValue ?? "")'")
        }
        for member in pod.spec.members where !spec.contains(member.key) && !isEmpty(member.value) {
            parts.append(member.key)
        }
        return parts
    }

    /// As `notHonoured(in:)` for a pod whose containers share a volume.
    static func notHonoured(inGroup pod: PodRequest, running names: Set<String>) -> [String] {
        var parts: [String] = []
        for list in ["initContainers", "containers"] {
            for entry in pod.spec[list]?.arrayValue?.compactMap(\.objectValue) ?? [] {
                let name = entry["name"]?.stringValue ?? ""
                guard names.contains(name) else {
                    parts.append("container '\(name)'")
                    continue
                }
                for member in entry.members where !container.contains(member.key) && !isEmpty(member.value) {
                    switch member.key {
                    case "image": parts.append("\(name) image \(member.value.stringValue ?? "")")
                    case "volumeMounts":
                        let others = (member.value.arrayValue ?? []).filter { $0["name"] != "shared" }
                        if !others.isEmpty { parts.append("\(name).volumeMounts") }
                    default: parts.append("\(name).\(member.key)")
                    }
                }
            }
        }
        let volumes = (pod.spec["volumes"]?.arrayValue ?? []).filter { $0 != ["name": "shared", "emptyDir": [:]] }
        if !volumes.isEmpty { parts.append("volumes") }
        let known = spec.union(["initContainers", "volumes"])
        parts += pod.spec.members.filter { !known.contains($0.key) && !isEmpty($0.value) }.map(\.key)
        return parts
    }

    private static func isEmpty(_ value: JSONValue) -> Bool {
        value.isNull || value.arrayValue?.isEmpty ?? false || value.objectValue?.isEmpty ?? false
            || value.stringValue?.isEmpty ?? false
    }
}
