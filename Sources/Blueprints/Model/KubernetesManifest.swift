public import Diagnostics
public import GoFormats

/// Any object as `kubectl apply` would send it.
public struct KubernetesManifest: Sendable, Hashable {
    /// `group/version`, or the version alone for the core group.
    public var apiVersion: LocatedText
    public var kind: LocatedText
    /// `metadata.name`; empty when absent.
    public var name: LocatedText
    /// `metadata.namespace`; empty when absent.
    public var namespace: LocatedText
    public var node: YAMLNode

    public var range: SourceRange { node.range }

    /// The part of `apiVersion` before `/`; empty for the core group.
    public var group: String {
        guard let slash = apiVersion.text.lastIndex(of: "/") else { return "" }
        return String(apiVersion.text[..<slash])
    }

    /// The part of `apiVersion` after `/`.
    public var version: String {
        String(apiVersion.text.split(separator: "/", omittingEmptySubsequences: false).last ?? "")
    }

    /// The object in JSON. A Secret's `stringData` is folded into `data` as the API server does: in base64, and winning
    /// over a key of the same name.
    public var json: JSONValue {
        guard apiVersion.text == "v1", kind.text == "Secret", case .object(var object) = node.json,
            let texts = object["stringData"]?.objectValue
        else { return node.json }
        var data = object["data"]?.objectValue ?? JSONObject()
        for member in texts.members {
            if let text = member.value.stringValue { data[member.key] = .string(Base64.encode(Array(text.utf8))) }
        }
        object["data"] = .object(data)
        object["stringData"] = nil
        return .object(object)
    }

    /// The decoded `data` of a Secret, `stringData` included, or the `data` of a ConfigMap as UTF-8 with its decoded
    /// `binaryData`, in the order of the file. Nil for other kinds. Values that are no base64 are left out;
    /// `readManifests` reports them.
    ///
    /// A Secret's values are secrets: never print them.
    public var decodedData: [(key: String, bytes: [UInt8])]? {
        guard apiVersion.text == "v1", kind.text == "Secret" || kind.text == "ConfigMap" else { return nil }
        let object = json
        func decoded(_ field: String) -> [(key: String, bytes: [UInt8])] {
            (object[field]?.objectValue?.members ?? []).compactMap { member in
                member.value.stringValue.flatMap(Base64.decode).map { (member.key, $0) }
            }
        }
        if kind.text == "Secret" { return decoded("data") }
        let texts = (object["data"]?.objectValue?.members ?? []).compactMap { member in
            member.value.stringValue.map { (key: member.key, bytes: Array($0.utf8)) }
        }
        return texts + decoded("binaryData")
    }
}
