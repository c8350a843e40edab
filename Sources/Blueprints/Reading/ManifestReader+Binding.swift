internal import Diagnostics

extension ManifestReader {
    mutating func binding(_ document: YAMLNode, _ fields: YAMLMapping) -> BlueprintBinding {
        checkFields(fields, of: "a BlueprintBinding", known: ["apiVersion", "kind", "metadata", "spec", "status"])
        let names = metadata(document, fields, kind: "BlueprintBinding")
        var binding = BlueprintBinding(
            name: names.name, namespace: names.namespace, blueprintName: "", blueprintNamespace: "",
            range: document.range)
        let key = fields.entry("spec")?.key.range ?? firstLine(of: document)
        guard let spec = mapping(fields, "spec") else {
            if fields["spec"]?.isNull ?? true {
                report(
                    "missing-field", "the BlueprintBinding has no 'spec'", at: key,
                    hint: "add 'blueprintRef' and 'resources'")
            }
            return binding
        }
        checkFields(
            spec, of: "a BlueprintBinding's spec", known: ["disabled", "blueprintRef", "resources"],
            advice: [
                "blueprint": "write 'blueprintRef: {name: …, namespace: …}'",
                "selector": "write 'resources: {matchAll: [{labels: {key: …, operator: In, values: […]}}]}'",
                "priority": "bindings have no priority: the earliest created one wins",
            ])
        binding.isDisabled = flag(spec, "disabled")
        blueprintReference(spec, at: key, into: &binding)
        requirements(spec, at: key, into: &binding)
        return binding
    }

    private mutating func blueprintReference(
        _ spec: YAMLMapping, at key: SourceRange, into binding: inout BlueprintBinding
    ) {
        guard let fields = mapping(spec, "blueprintRef") else {
            if spec["blueprintRef"]?.isNull ?? true {
                report(
                    "missing-field", "the spec has no 'blueprintRef'", at: key,
                    hint: "add 'blueprintRef: {name: …, namespace: kasten-io}'")
            }
            return
        }
        checkFields(fields, of: "'blueprintRef'", known: ["name", "namespace"])
        let place = spec.entry("blueprintRef")?.key.range
        binding.blueprintName = requiredText(fields, "name", of: "'blueprintRef'", at: place)
        binding.blueprintNamespace = requiredText(
            fields, "namespace", of: "'blueprintRef'", at: place, hint: "it is Kasten's own, usually kasten-io")
    }

    private mutating func requirements(_ spec: YAMLMapping, at key: SourceRange, into binding: inout BlueprintBinding) {
        guard let fields = mapping(spec, "resources") else {
            if spec["resources"]?.isNull ?? true {
                report(
                    "missing-field", "the spec has no 'resources'", at: key,
                    hint: "add 'resources: {matchAll: [{type: {operator: In, values: [{resource: secrets}]}}]}'")
            }
            return
        }
        checkFields(
            fields, of: "'resources'", known: ["matchAll", "matchAny"],
            advice: ["selector": "write matchAll with items of 'labels', 'type', 'namespace' or 'annotations'"])
        binding.matchAll = list(fields, "matchAll").compactMap { requirement($0) }
        binding.matchAny = list(fields, "matchAny").compactMap { requirement($0) }
        let count = ["matchAll", "matchAny"].reduce(0) { $0 + (fields[$1]?.sequence?.count ?? 0) }
        if count == 0 {
            report(
                "binding-shape", "a binding without any requirement is invalid", at: spec.entry("resources")?.key.range,
                hint: "add at least one item to 'matchAll' or 'matchAny'")
        }
    }

    private static let subjects = ["type", "namespace", "annotations", "labels"]

    private mutating func requirement(_ node: YAMLNode) -> BlueprintBinding.Requirement? {
        guard let fields = mapping(node, "a requirement") else { return nil }
        checkFields(fields, of: "a requirement", known: Self.subjects, severity: .error)
        let found = fields.entries.filter { Self.subjects.contains($0.name) }
        guard found.count == 1, let entry = found.first else {
            if fields.isEmpty || found.count > 1 {
                report(
                    "binding-shape",
                    "a requirement has exactly one of type, namespace, annotations, labels; this has \(found.count)",
                    at: firstLine(of: node), hint: "start a new item with '- ' for each")
            }
            return nil
        }
        return within("requirement '\(entry.name)'") { reader in reader.requirement(entry) }
    }

    private mutating func requirement(_ entry: YAMLMapping.Entry) -> BlueprintBinding.Requirement? {
        guard let fields = mapping(entry.value, "'\(entry.name)'") else { return nil }
        let isKeyed = entry.name == "annotations" || entry.name == "labels"
        guard let operation = operation(fields, entry) else { return nil }
        checkFields(
            fields, of: "'\(entry.name)'", known: (isKeyed ? ["key"] : []) + ["operator", "values"], severity: .error)
        let values = list(fields, "values")
        checkValues(values, operation, fields, entry)
        let range = entry.value.range
        switch entry.name {
        case "type": return .init(.type(values.compactMap { resourceType($0) }), operation, range: range)
        case "namespace": return .init(.namespace(values.map { text($0, "a value") }), operation, range: range)
        default:
            let key = requiredText(
                fields, "key", of: "'\(entry.name)'", at: entry.key.range,
                hint: "write {key: …, operator: In, values: […]}")
            let texts = values.map { text($0, "a value") }
            return .init(
                entry.name == "labels" ? .label(key: key, values: texts) : .annotation(key: key, values: texts),
                operation,
                range: range)
        }
    }

    /// The operator, or one error that shows the right shape: shapes without one circulate in blogs.
    private mutating func operation(_ fields: YAMLMapping, _ entry: YAMLMapping.Entry) -> BlueprintBinding.Operator? {
        let allowed: [BlueprintBinding.Operator] =
            entry.name == "type" ? [.isIn, .notIn] : BlueprintBinding.Operator.allCases
        let names = allowed.map(\.rawValue)
        let written = text(fields, "operator")
        if let operation = BlueprintBinding.Operator(rawValue: written.text), allowed.contains(operation) {
            return operation
        }
        if written.isEmpty {
            report(
                "binding-shape", "'\(entry.name)' has no 'operator'", at: written.range ?? entry.key.range,
                hint: "write " + Self.rightShape(fields, entry.name))
        } else {
            report(
                "binding-shape", "'\(entry.name)' has no operator '\(written)'", at: written.range,
                hint: nearMissHint(for: written.text, among: names) ?? "operators here: "
                    + names.joined(separator: ", "))
        }
        return nil
    }

    /// The requirement as it was probably meant.
    private static func rightShape(_ fields: YAMLMapping, _ name: String) -> String {
        switch name {
        case "type":
            let parts = ["group", "version", "resource", "name"].compactMap { part in
                fields[part]?.string.map { "\(part): \($0.isEmpty ? "\"\"" : $0)" }
            }
            return "type: {operator: In, values: [{\(parts.isEmpty ? "resource: …" : parts.joined(separator: ", "))}]}"
        case "namespace": return "namespace: {operator: In, values: […]}"
        default:
            let first = fields.entries.first { $0.value.string != nil && !["key", "values"].contains($0.name) }
            let key = fields["key"]?.string ?? first?.name ?? "…"
            let value = fields["key"] == nil ? first?.value.string ?? "…" : "…"
            return "\(name): {key: \(key), operator: In, values: [\(value)]}"
        }
    }

    private mutating func checkValues(
        _ values: [YAMLNode], _ operation: BlueprintBinding.Operator, _ fields: YAMLMapping, _ entry: YAMLMapping.Entry
    ) {
        let wantsValues = operation == .isIn || operation == .notIn
        guard wantsValues == values.isEmpty else { return }
        report(
            "binding-shape",
            wantsValues
                ? "operator '\(operation.rawValue)' needs 'values'"
                : "operator '\(operation.rawValue)' takes no 'values'",
            at: fields.entry("values")?.key.range ?? entry.key.range)
    }

    private mutating func resourceType(_ node: YAMLNode) -> BlueprintBinding.ResourceType? {
        guard let fields = mapping(node, "a value of 'type'") else { return nil }
        checkFields(
            fields, of: "a value of 'type'", known: ["group", "version", "resource", "name"],
            advice: ["kind": "write 'resource:' with the lower-case plural, such as 'secrets'"], severity: .error)
        return BlueprintBinding.ResourceType(
            group: text(fields, "group"), version: text(fields, "version"), resource: text(fields, "resource"),
            name: text(fields, "name"))
    }
}
