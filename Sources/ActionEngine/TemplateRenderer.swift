import Blueprints
import Diagnostics
import GoFormats
import GoTemplate

/// Renders texts and argument trees of a blueprint, and turns failures into diagnostics that point into the template.
///
/// Strings are rendered, keys of maps too; numbers, booleans and null pass untouched. Every string is rendered even when
/// another one failed, so that all problems of a phase are reported at once.
///
/// Source: Kanister `pkg/param/render.go`.
struct TemplateRenderer {
    let options: TemplateOptions
    let root: GoValue
    /// `in action 'restore', phase 'restoreData'`
    let context: String
    let hints: RenderingHints
    private(set) var diagnostics: [Diagnostic] = []

    init(options: TemplateOptions, root: GoValue, context: String, hints: RenderingHints) {
        self.options = options
        self.root = root
        self.context = context
        self.hints = hints
    }

    /// Nil when it failed; the reason is in `diagnostics`.
    mutating func text(_ text: LocatedText, place: String) -> String? {
        var template: Template?
        do throws(TemplateError) {
            let parsed = try Template(parsing: text.text, options: options)
            template = parsed
            return try parsed.render(root)
        } catch {
            diagnostics.append(
                Diagnostic(
                    rule: error.kind == .parse ? "template-syntax" : "template-rendering",
                    hints.message(for: error, in: template), at: text.range(ofUTF8: error.utf8Range),
                    context: place.isEmpty ? context : "\(context), \(place)",
                    hint: hints.hint(for: error, in: template, text: text.text)))
            return nil
        }
    }

    /// Nil when any part of it failed.
    mutating func value(_ node: YAMLNode, path: String) -> JSONValue? {
        switch node.content {
        case .scalar(let scalar):
            guard case .string(let text) = scalar.value else { return scalar.json }
            return self.text(LocatedText(text, node: node), place: "argument '\(path)'").map { .string($0) }
        case .sequence(let items):
            var values: [JSONValue] = []
            for (index, item) in items.enumerated() {
                if let value = value(item, path: "\(path)[\(index)]") { values.append(value) }
            }
            return values.count == items.count ? .array(values) : nil
        case .mapping(let mapping):
            var object = JSONObject()
            var isComplete = true
            for entry in mapping.entries {
                let place = path.isEmpty ? entry.name : "\(path).\(entry.name)"
                let key = self.text(LocatedText(entry.name, node: entry.key), place: "key of argument '\(place)'")
                let value = value(entry.value, path: place)
                if let key, let value { object[key] = value } else { isComplete = false }
            }
            return isComplete ? .object(object) : nil
        }
    }

    /// The arguments of a phase; nil when any of them failed.
    mutating func arguments(_ arguments: [PhaseArgument]) -> JSONObject? {
        var object = JSONObject()
        var isComplete = true
        for argument in arguments {
            let name = text(argument.name, place: "name of argument '\(argument.name.text)'")
            let value = value(argument.value, path: argument.name.text)
            if let name, let value { object[name] = value } else { isComplete = false }
        }
        return isComplete ? object : nil
    }

    /// A reference under `objects`; nil when any field failed.
    mutating func object(_ named: NamedReference) -> RenderedObject? {
        var fields: [String: String] = [:]
        for (field, text) in named.reference.fields {
            guard let value = self.text(text, place: "object '\(named.name.text)', field '\(field)'") else { continue }
            fields[field] = value
        }
        guard fields.count == named.reference.fields.count else { return nil }
        return RenderedObject(
            alias: named.name.text, kind: fields["kind", default: ""], apiVersion: fields["apiVersion", default: ""],
            group: fields["group", default: ""], resource: fields["resource", default: ""],
            name: fields["name", default: ""], namespace: fields["namespace", default: ""])
    }

    /// An output artifact; nil when any of its templates failed.
    mutating func artifact(_ artifact: Artifact) -> RenderedArtifact? {
        var rendered = RenderedArtifact(name: artifact.name.text)
        var isComplete = true
        for pair in artifact.keyValue {
            let place = "output artifact '\(artifact.name.text)', key '\(pair.name.text)'"
            let key = text(pair.name, place: place)
            if let key, let value = text(pair.value, place: place) {
                rendered.keyValue.append(.init(key: key, value: value))
            } else {
                isComplete = false
            }
        }
        if let snapshot = artifact.kopiaSnapshot {
            rendered.kopiaSnapshot = text(
                snapshot, place: "output artifact '\(artifact.name.text)', kopiaSnapshot")
            if rendered.kopiaSnapshot == nil { isComplete = false }
        }
        return isComplete ? rendered : nil
    }
}
