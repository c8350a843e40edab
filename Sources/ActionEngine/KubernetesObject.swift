public import GoFormats

/// One Kubernetes object as its manifest has it. A Secret's `stringData` is folded into `data`, so `manifest` is what
/// the API server would return.
///
/// Secrets do not show their data in `description`.
public struct KubernetesObject: Sendable, Hashable, CustomStringConvertible {
    public let manifest: JSONObject
    /// The file the manifest was read from, when it was one; relative paths inside a Profile start from there.
    public let file: String?

    /// - Throws: `ClusterError` when the manifest has no kind or name, or a Secret's data is not base64 text.
    public init(manifest: JSONObject, file: String? = nil) throws(ClusterError) {
        self.file = file
        self.manifest = try Self.normalized(manifest)
        guard !kind.isEmpty else { throw ClusterError("the manifest has no 'kind'") }
        guard !name.isEmpty else { throw ClusterError("the \(kind) has no 'metadata.name'") }
        guard kind == "Secret" else { return }
        for (key, text) in stringMap("data") where Base64.decode(text) == nil {
            throw ClusterError(
                "key '\(key)' under 'data' of \(display) is not base64 text",
                hint: "write plain text under 'stringData' instead")
        }
    }

    public var kind: String { manifest["kind"]?.stringValue ?? "" }
    public var apiVersion: String { manifest["apiVersion"]?.stringValue ?? "" }
    public var metadata: JSONObject { manifest["metadata"]?.objectValue ?? JSONObject() }
    public var name: String { metadata["name"]?.stringValue ?? "" }
    /// Empty for objects without a namespace.
    public var namespace: String { metadata["namespace"]?.stringValue ?? "" }
    public var labels: [(key: String, value: String)] { Self.strings(metadata["labels"]) }
    public var annotations: [(key: String, value: String)] { Self.strings(metadata["annotations"]) }
    /// A Secret's `type`.
    public var type: String { manifest["type"]?.stringValue ?? "" }

    /// `Secret app1/app1`.
    public var display: String { namespace.isEmpty ? "\(kind) \(name)" : "\(kind) \(namespace)/\(name)" }
    public var description: String { display }

    /// A Secret's data, decoded, in the order of the manifest; empty for other kinds.
    public var secretData: [(key: String, value: [UInt8])] {
        guard kind == "Secret" else { return [] }
        return stringMap("data").map { ($0.key, Base64.decode($0.value) ?? []) }
    }

    /// The text members of a map at the top level of the manifest, for example a ConfigMap's `data`.
    public func stringMap(_ field: String) -> [(key: String, value: String)] { Self.strings(manifest[field]) }

    private static func strings(_ value: JSONValue?) -> [(key: String, value: String)] {
        guard let object = value?.objectValue else { return [] }
        return object.members.compactMap { member in
            member.value.stringValue.map { (member.key, $0) }
        }
    }

    private static func normalized(_ manifest: JSONObject) throws(ClusterError) -> JSONObject {
        guard manifest["kind"] == "Secret", let plain = manifest["stringData"]?.objectValue else { return manifest }
        var result = manifest
        var data = manifest["data"]?.objectValue ?? JSONObject()
        for member in plain.members {
            guard let text = member.value.stringValue else {
                throw ClusterError(
                    "key '\(member.key)' under 'stringData' of Secret "
                        + "\(manifest["metadata"]?["name"]?.stringValue ?? "") is not text",
                    hint: "put the value in quotes")
            }
            data[member.key] = .string(Base64.encode(Array(text.utf8)))
        }
        result["stringData"] = nil
        result["data"] = .object(data)
        return result
    }
}

/// Why something could not be read from the cluster.
public struct ClusterError: Error, Sendable, Hashable, CustomStringConvertible {
    public let message: String
    public let hint: String?

    public init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }

    public var description: String { hint.map { "\(message)\nhint: \($0)" } ?? message }
}
