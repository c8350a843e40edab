internal import Diagnostics

/// Reads nodes into the model and collects what is wrong. One value reads one file; the parts are in extensions, one
/// for each kind.
///
/// What the API server would drop, because Kanister's schema does not know it, is a warning; what it or Kanister would
/// refuse is an error. `null` counts as absent, as it does there.
struct ManifestReader {
    private(set) var collector = DiagnosticCollector()
    /// Where we are, in the user's words: `action 'backup'`, `phase 'dump'`.
    private var place: [String] = []
    /// True while what is read may be secret: no message may show it.
    var isSensitive = false

    init(_ diagnostics: [Diagnostic] = []) {
        collector.append(contentsOf: diagnostics)
    }

    mutating func report(
        _ rule: String, _ message: String, at range: SourceRange?, severity: Severity = .error, hint: String? = nil
    ) {
        let context = place.isEmpty ? nil : "in " + place.joined(separator: ", ")
        collector.append(
            Diagnostic(
                severity, rule: rule, message, at: range, context: context, hint: hint, isSensitive: isSensitive))
    }

    mutating func within<Result>(_ step: String, _ body: (inout ManifestReader) -> Result) -> Result {
        place.append(step)
        defer { place.removeLast() }
        return body(&self)
    }

    // MARK: Values

    /// The node as a mapping; anything else is an error.
    mutating func mapping(_ node: YAMLNode, _ what: String) -> YAMLMapping? {
        if let mapping = node.mapping { return mapping }
        reportType(node, what, wanted: "a mapping")
        return nil
    }

    /// The value of a field that is a mapping; nil when absent or wrong.
    mutating func mapping(_ fields: YAMLMapping, _ name: String) -> YAMLMapping? {
        guard let node = fields[name], !node.isNull else { return nil }
        return mapping(node, "'\(name)'")
    }

    /// The items of a field that is a list; empty when absent or wrong.
    mutating func list(_ fields: YAMLMapping, _ name: String) -> [YAMLNode] {
        guard let node = fields[name], !node.isNull else { return [] }
        if let items = node.sequence { return items }
        reportType(node, "'\(name)'", wanted: "a list", hint: "put '- ' before each item")
        return []
    }

    /// The text of a field; empty when absent or wrong.
    mutating func text(_ fields: YAMLMapping, _ name: String) -> LocatedText {
        guard let node = fields[name], !node.isNull else { return LocatedText("") }
        return text(node, "'\(name)'")
    }

    mutating func text(_ node: YAMLNode, _ what: String) -> LocatedText {
        if let text = node.string { return LocatedText(text, node: node) }
        let hint: String?
        if let scalar = node.scalar, !node.isNull {
            hint = "put quotes around it" + (isSensitive ? "" : ": \"\(scalar.text.prefix(40))\"")
        } else if isTemplateWithoutQuotes(node) {
            hint = "a value that starts with '{{' needs quotes"
        } else {
            hint = nil
        }
        reportType(node, what, wanted: "a string", hint: hint)
        return LocatedText(node.scalar?.text ?? "", node: node)
    }

    /// A list of strings.
    mutating func texts(_ fields: YAMLMapping, _ name: String) -> [LocatedText] {
        list(fields, name).map { text($0, "an item of '\(name)'") }
    }

    /// A mapping of strings.
    mutating func namedTexts(_ fields: YAMLMapping, _ name: String) -> [NamedText] {
        guard let mapping = mapping(fields, name) else { return [] }
        return mapping.entries.filter { !$0.value.isNull }.map { entry in
            NamedText(
                name: LocatedText(entry.name, node: entry.key), value: text(entry.value, "'\(entry.name)' in '\(name)'")
            )
        }
    }

    mutating func flag(_ fields: YAMLMapping, _ name: String) -> Bool {
        guard let node = fields[name], !node.isNull else { return false }
        if case .bool(let flag)? = node.scalar?.value { return flag }
        reportType(node, "'\(name)'", wanted: "true or false", hint: "write it without quotes")
        return false
    }

    private mutating func reportType(_ node: YAMLNode, _ what: String, wanted: String, hint: String? = nil) {
        report("wrong-type", "\(what) must be \(wanted), not \(node.kindName)", at: node.range, hint: hint)
    }

    private func isTemplateWithoutQuotes(_ node: YAMLNode) -> Bool {
        node.source.bytes[node.offsets].starts(with: "{{".utf8)
    }

    // MARK: Fields

    /// Warns about fields Kanister does not know; it drops them without a word.
    ///
    /// - Parameter advice: what to say about fields that are often mistaken, by name.
    mutating func checkFields(
        _ fields: YAMLMapping, of what: String, known: [String], advice: [String: String] = [:],
        severity: Severity = .warning
    ) {
        for entry in fields.entries where !known.contains(entry.name) {
            let hint =
                advice[entry.name]
                ?? nearMissHint(for: entry.name, among: known.filter { fields[$0] == nil })
                ?? "known here: " + known.joined(separator: ", ")
            let consequence = severity == .error ? "" : ", Kubernetes drops it"
            report(
                "unknown-field", "\(what) has no field '\(entry.name)'\(consequence)", at: entry.key.range,
                severity: severity, hint: hint)
        }
    }

    /// The text of a field that must be there and not empty.
    mutating func requiredText(
        _ fields: YAMLMapping, _ name: String, of what: String, at range: SourceRange?, rule: String = "missing-field",
        severity: Severity = .error, hint: String? = nil
    ) -> LocatedText {
        let found = text(fields, name)
        if found.isEmpty, found.node == nil || found.node?.string != nil {
            let state = found.node == nil ? "has no" : "has an empty"
            report(rule, "\(what) \(state) '\(name)'", at: found.range ?? range, severity: severity, hint: hint)
        }
        return found
    }

    mutating func reference(_ node: YAMLNode, _ what: String) -> ObjectReference {
        guard let fields = mapping(node, what) else { return ObjectReference(range: node.range) }
        checkFields(
            fields, of: what, known: ["apiVersion", "group", "resource", "kind", "name", "namespace"])
        return ObjectReference(
            apiVersion: text(fields, "apiVersion"), group: text(fields, "group"), resource: text(fields, "resource"),
            kind: text(fields, "kind"), name: text(fields, "name"), namespace: text(fields, "namespace"),
            range: node.range)
    }

    /// A mapping of object references.
    mutating func references(_ fields: YAMLMapping, _ name: String) -> [NamedReference] {
        guard let mapping = mapping(fields, name) else { return [] }
        return mapping.entries.filter { !$0.value.isNull }.map { entry in
            NamedReference(
                name: LocatedText(entry.name, node: entry.key),
                reference: reference(entry.value, "'\(entry.name)' in '\(name)'"))
        }
    }

    mutating func artifacts(_ fields: YAMLMapping, _ name: String) -> [Artifact] {
        guard let mapping = mapping(fields, name) else { return [] }
        return mapping.entries.filter { !$0.value.isNull }.map { entry in
            within("artifact '\(entry.name)'") { reader in reader.artifact(entry) }
        }
    }

    private mutating func artifact(_ entry: YAMLMapping.Entry) -> Artifact {
        var artifact = Artifact(name: LocatedText(entry.name, node: entry.key), range: entry.value.range)
        guard let fields = mapping(entry.value, "artifact '\(entry.name)'") else { return artifact }
        checkFields(fields, of: "an artifact", known: ["keyValue", "kopiaSnapshot"])
        artifact.keyValue = namedTexts(fields, "keyValue")
        if let node = fields["kopiaSnapshot"], !node.isNull { artifact.kopiaSnapshot = text(node, "'kopiaSnapshot'") }
        if artifact.keyValue.isEmpty, artifact.kopiaSnapshot == nil {
            report(
                "empty-artifact", "artifact '\(entry.name)' holds nothing", at: entry.key.range, severity: .warning,
                hint: "give it 'keyValue' or 'kopiaSnapshot'")
        }
        return artifact
    }
}
