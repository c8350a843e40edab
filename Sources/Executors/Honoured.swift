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

    private static func isEmpty(_ value: JSONValue) -> Bool {
        value.isNull || value.arrayValue?.isEmpty ?? false || value.objectValue?.isEmpty ?? false
            || value.stringValue?.isEmpty ?? false
    }
}
