internal import Diagnostics
import GoFormats

extension ManifestReader {
    private static let ourKinds = [
        Blueprint.kind: Blueprint.apiVersion, ActionSet.kind: ActionSet.apiVersion, Profile.kind: Profile.apiVersion,
        BlueprintBinding.kind: BlueprintBinding.apiVersion,
    ]

    /// What is in one document: one manifest, or those of a `List`.
    mutating func manifests(in document: YAMLNode) -> [Manifest] {
        guard let fields = document.mapping else {
            report(
                "not-a-manifest", "a manifest is a mapping with 'apiVersion' and 'kind', this is \(document.kindName)",
                at: document.range)
            return []
        }
        if fields["apiVersion"] == nil, fields["kind"] == nil {
            report(
                "not-a-manifest", "the document has neither 'apiVersion' nor 'kind'", at: firstLine(of: document),
                hint: "start it with 'apiVersion: …' and 'kind: …'")
            return []
        }
        let apiVersion = typeField(fields, "apiVersion", document)
        let kind = typeField(fields, "kind", document)
        guard !apiVersion.isEmpty, !kind.isEmpty else { return [] }
        if kind.text == "List", apiVersion.text == "v1" {
            return list(fields, "items").flatMap { item in manifests(in: item) }
        }
        let group = String(apiVersion.text.prefix { $0 != "/" })
        guard group == "cr.kanister.io" || kind.text == BlueprintBinding.kind else {
            checkKind(kind, apiVersion: apiVersion, group: group)
            return [.object(object(document, fields, apiVersion: apiVersion, kind: kind))]
        }
        if let known = Self.ourKinds[kind.text], known != apiVersion.text {
            report(
                "wrong-api-version", "there is no \(kind) in apiVersion '\(apiVersion)'", at: apiVersion.range,
                hint: "write 'apiVersion: \(known)'")
        }
        return ours(document, fields, apiVersion: apiVersion, kind: kind)
    }

    private mutating func ours(
        _ document: YAMLNode, _ fields: YAMLMapping, apiVersion: LocatedText, kind: LocatedText
    ) -> [Manifest] {
        switch kind.text {
        case Blueprint.kind: return [.blueprint(blueprint(document, fields))]
        case ActionSet.kind: return [.actionSet(actionSet(document, fields))]
        case Profile.kind: return [.profile(profile(document, fields))]
        case BlueprintBinding.kind: return [.blueprintBinding(binding(document, fields))]
        case "RepositoryServer": return [.object(object(document, fields, apiVersion: apiVersion, kind: kind))]
        default:
            let known = [Blueprint.kind, ActionSet.kind, Profile.kind]
            report(
                "wrong-kind", "Kanister has no kind '\(kind)'", at: kind.range,
                hint: nearMissHint(for: kind.text, among: known) ?? "known kinds: " + known.joined(separator: ", "))
            return []
        }
    }

    private mutating func typeField(_ fields: YAMLMapping, _ name: String, _ document: YAMLNode) -> LocatedText {
        let candidates = fields.names.filter { $0 != "metadata" && $0 != "kind" && $0 != "apiVersion" }
        let near = closestMatches(to: name, among: candidates).first
        let place = near.flatMap { fields.entry($0)?.key.range } ?? firstLine(of: document)
        var hint = "start the document with 'apiVersion: …' and 'kind: …'"
        if let near { hint = "'\(near)' should probably be '\(name)'" }
        return requiredText(fields, name, of: "the document", at: place, rule: "not-a-manifest", hint: hint)
    }

    func firstLine(of node: YAMLNode) -> SourceRange {
        let start = node.range.start
        guard case .mapping(let mapping) = node.content, let first = mapping.entries.first else { return node.range }
        return first.isMerged ? SourceRange(file: node.source.name, start: start, end: start) : first.key.range
    }

    /// A kind of ours spelled nearly right would otherwise pass as an object nobody knows.
    private mutating func checkKind(_ kind: LocatedText, apiVersion: LocatedText, group: String) {
        guard group.hasSuffix("kanister.io") || group.hasSuffix("kasten.io") || Self.ourKinds[kind.text] != nil else {
            return
        }
        guard group != "config.kio.kasten.io" || kind.text != Profile.kind else { return }
        if let wanted = Self.ourKinds[kind.text] {
            report(
                "wrong-api-version", "there is no \(kind) in apiVersion '\(apiVersion)'", at: apiVersion.range,
                hint: "write 'apiVersion: \(wanted)'")
        } else if let hint = nearMissHint(for: kind.text, among: Self.ourKinds.keys.sorted()) {
            report(
                "wrong-kind", "'\(kind)' is a kind Kasten does not know", at: kind.range, severity: .warning, hint: hint
            )
        }
    }

    // MARK: Metadata

    /// `metadata.name` and `metadata.namespace`.
    mutating func metadata(
        _ document: YAMLNode, _ fields: YAMLMapping, kind: String
    ) -> (name: LocatedText, namespace: LocatedText) {
        guard let node = fields["metadata"], !node.isNull else {
            report(
                "missing-field", "the \(kind) has no 'metadata'", at: firstLine(of: document),
                hint: "add 'metadata:' with a 'name:'")
            return ("", "")
        }
        guard let metadata = mapping(node, "'metadata'") else { return ("", "") }
        checkFields(metadata, of: "metadata", known: Self.metadataFields)
        let namespace = text(metadata, "namespace")
        if let generated = metadata["generateName"], !generated.isNull, metadata["name"] == nil {
            return ("", namespace)
        }
        let name = requiredText(metadata, "name", of: "metadata", at: fields.entry("metadata")?.key.range)
        checkName(name, limit: 253, allowsDots: true)
        checkName(namespace, limit: 63, allowsDots: false)
        _ = namedTexts(metadata, "labels")
        _ = namedTexts(metadata, "annotations")
        return (name, namespace)
    }

    private static let metadataFields = [
        "name", "namespace", "labels", "annotations", "generateName", "finalizers", "ownerReferences", "uid",
        "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
        "managedFields", "selfLink",
    ]

    /// RFC 1123: what the API server accepts as a name.
    private mutating func checkName(_ name: LocatedText, limit: Int, allowsDots: Bool) {
        let bytes = Array(name.text.utf8)
        guard !bytes.isEmpty, name.node?.string != nil else { return }
        func isAlphanumeric(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte) }
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let isValid =
            bytes.count <= limit && (allowsDots || parts.count == 1)
            && parts.allSatisfy { part in
                guard let first = part.first, let last = part.last else { return false }
                return isAlphanumeric(first) && isAlphanumeric(last)
                    && part.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
            }
        guard !isValid else { return }
        let characters = allowsDots ? "lower-case letters, digits, '-' and '.'" : "lower-case letters, digits and '-'"
        report(
            "invalid-name", "'\(name.text.prefix(80))' is no name Kubernetes accepts", at: name.range,
            hint: "at most \(limit) \(characters), starting and ending with a letter or digit")
    }

    // MARK: Plain objects

    private mutating func object(
        _ document: YAMLNode, _ fields: YAMLMapping, apiVersion: LocatedText, kind: LocatedText
    ) -> KubernetesManifest {
        let isSecret = apiVersion.text == "v1" && kind.text == "Secret"
        isSensitive = isSecret
        defer { isSensitive = false }
        let names = metadata(document, fields, kind: kind.text)
        if isSecret || (apiVersion.text == "v1" && kind.text == "ConfigMap") {
            within("\(kind) '\(names.name)'") { reader in reader.checkData(fields, isSecret: isSecret) }
        }
        return KubernetesManifest(
            apiVersion: apiVersion, kind: kind, name: names.name, namespace: names.namespace, node: document)
    }

    private mutating func checkData(_ fields: YAMLMapping, isSecret: Bool) {
        if isSecret {
            checkFields(
                fields, of: "a Secret",
                known: ["apiVersion", "kind", "metadata", "type", "data", "stringData", "immutable"])
        }
        let texts = namedTexts(fields, "data")
        if isSecret { _ = namedTexts(fields, "stringData") }
        let binary = isSecret ? texts : namedTexts(fields, "binaryData")
        for entry in binary where entry.value.node?.string != nil && Base64.decode(entry.value.text) == nil {
            report(
                "not-base64", "'\(entry.name)' is not base64", at: entry.name.range,
                hint: isSecret ? "put plain text under 'stringData' instead of 'data'" : "put plain text under 'data'")
        }
    }
}
