import ActionEngine
import Blueprints
import Diagnostics
import GoTemplate

/// Conditions and timeouts of `Wait` and `WaitV2`: templates of another root, which Kanister does not look at until the
/// timeout is over.
///
/// Source: Kanister `pkg/function/wait.go`, `waitv2.go`.
struct WaitChecks {
    let phase: BlueprintPhase
    let context: String
    let options: TemplateOptions

    /// Kanister compares the name without regard to case.
    static func isWait(_ phase: BlueprintPhase) -> Bool {
        ["wait", "waitv2"].contains(phase.function.text.lowercased())
    }

    /// Items of `anyOf` and `allOf` with their paths.
    static func conditions(_ node: YAMLNode) -> [(path: String, item: YAMLNode)] {
        ["anyOf", "allOf"].flatMap { group in
            (node[group]?.sequence ?? []).enumerated().map { ("conditions.\(group)[\($0.offset)]", $0.element) }
        }
    }

    private var isSecondVersion: Bool { phase.function.text.lowercased() == "waitv2" }

    func check(into findings: inout Findings) {
        checkTimeout(&findings)
        // What is no mapping is reported as that.
        guard let conditions = phase.argument("conditions"), conditions.isNull || conditions.mapping != nil else {
            return
        }
        for entry in conditions.mapping?.entries ?? [] where !["anyOf", "allOf"].contains(entry.name) {
            findings.report(
                .waitCondition, "conditions has no '\(entry.name)'", at: entry.key.range,
                context: "\(context), argument 'conditions'",
                hint: nearMissHint(for: entry.name, among: ["anyOf", "allOf"]) ?? "it has 'anyOf' and 'allOf'",
                severity: .warning)
        }
        let items = Self.conditions(conditions)
        if items.isEmpty {
            let name = phase.arguments.first { $0.name.text == "conditions" }?.name
            findings.report(
                .waitWithoutConditions, "there is no condition to wait for: the phase fails when its timeout is over",
                at: conditions.offsets.isEmpty ? name?.range : conditions.range,
                context: "\(context), argument 'conditions'",
                hint: "give a list of conditions under 'anyOf' or 'allOf'")
        }
        for (path, item) in items { check(item, path, &findings) }
    }

    private func checkTimeout(_ findings: inout Findings) {
        guard let node = phase.argument("timeout"), let text = node.scalar?.text else { return }
        let place = "\(context), argument 'timeout'"
        if text.utf8.contains(UInt8(ascii: "{")) {
            guard isSecondVersion else { return }
            return findings.report(
                .waitTimeout, "WaitV2 does not render its timeout: '\(text)' is no duration", at: node.range,
                context: place, hint: "write it out, for example 10m")
        }
        if !Self.isDuration(text) {
            findings.report(
                .waitTimeout, "'\(text)' is no duration", at: node.range, context: place,
                hint: "a number with a unit: 90s, 10m, 1h30m")
        }
    }

    /// What Go's `time.ParseDuration` takes.
    static func isDuration(_ text: String) -> Bool {
        var rest = text.utf8[...]
        if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
        if rest.elementsEqual("0".utf8) { return true }
        guard !rest.isEmpty else { return false }
        while !rest.isEmpty {
            let number = rest.prefix { $0 >= 0x30 && $0 <= 0x39 || $0 == 0x2e }
            guard number.contains(where: { $0 != 0x2e }), number.count(where: { $0 == 0x2e }) <= 1 else { return false }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { !($0 >= 0x30 && $0 <= 0x39 || $0 == 0x2e) }
            guard ["ns", "us", "µs", "μs", "ms", "s", "m", "h"].contains(String(Substring(unit))) else { return false }
            rest = rest.dropFirst(unit.count)
        }
        return true
    }

    private func check(_ item: YAMLNode, _ path: String, _ findings: inout Findings) {
        let known = ["condition", "objectReference"]
        for entry in item.mapping?.entries ?? [] where !known.contains(entry.name) {
            findings.report(
                .waitCondition, "a condition has no '\(entry.name)'", at: entry.key.range,
                context: "\(context), argument '\(path)'",
                hint: nearMissHint(for: entry.name, among: known) ?? "it has 'condition' and 'objectReference'",
                severity: .warning)
        }
        checkReference(item, path, &findings)
        let place = "\(context), argument '\(path)'"
        guard let node = item["condition"], !node.isNull else {
            return findings.report(
                .waitCondition, "the condition is never 'true': there is none", at: item.range, context: place,
                hint: example)
        }
        guard let text = node.string else { return }
        if !isSecondVersion { checkPaths(text, node, place, &findings) }
        var options = options
        if isSecondVersion { options.functions = WaitCondition.templateFunctions }
        do throws(TemplateError) {
            // Wait renders its conditions as they stand before it looks for paths, so those have to be inside texts.
            let template = try Template(parsing: text, options: options)
            if !template.hasActions, text.trimmingSpaces != "true" {
                findings.report(
                    .waitCondition, "the condition is never 'true': it has no template", at: node.range,
                    context: place, hint: example)
            }
        } catch {
            let name = error.message.quoted(after: "function ")
            findings.report(
                .waitCondition, error.message, at: node.range(ofUTF8: error.utf8Range), context: place,
                hint: name.flatMap { nearMissHint(for: $0, among: error.available) }
                    ?? (isSecondVersion && name != nil
                        ? "conditions of WaitV2 have Go's own functions, exists and base64decode, none of sprig"
                        : example))
        }
    }

    /// `{ $.path }` in a condition of Wait.
    private func checkPaths(_ text: String, _ node: YAMLNode, _ place: String, _ findings: inout Findings) {
        let bytes = Array(text.utf8)
        for path in WaitCondition.paths(in: text) {
            guard let problem = WaitCondition(path.found, form: .paths).syntaxProblem else { continue }
            let wanted = Array(path.found.utf8)
            let start = bytes.indices.first { bytes[$0...].starts(with: wanted) } ?? 0
            // Unions and recursion are kubectl's, and not ours.
            findings.report(
                .waitCondition, problem.message, at: node.range(ofUTF8: start..<(start + wanted.count)), context: place,
                hint: problem.hint, severity: problem.message.containsText("not supported") ? .warning : .error)
        }
    }

    /// An object that is asked for without a name or a resource is never there.
    private func checkReference(_ item: YAMLNode, _ path: String, _ findings: inout Findings) {
        let place = "\(context), argument '\(path)'"
        guard let reference = item["objectReference"], let fields = reference.mapping else {
            guard item["objectReference"]?.scalar?.text.isEmpty ?? true else { return }
            return findings.report(
                .waitCondition, "the condition names no object to look at", at: item.range, context: place,
                hint: "add objectReference: {apiVersion: v1, resource: pods, name: …, namespace: …}")
        }
        let missing = ["apiVersion", "resource", "name"].filter { fields[$0] == nil }
        guard let first = missing.first else { return }
        findings.report(
            .waitCondition, "objectReference has no '\(first)', so no object is found", at: reference.range,
            context: place, hint: "add '\(first)'; Kanister needs apiVersion, resource and name")
    }

    private var example: String {
        isSecondVersion
            ? "for example '{{ eq .status.phase \"Running\" }}': the root is the object that is watched"
            : "for example '{{ if eq \"{ $.status.phase }\" \"Running\" }}true{{ else }}false{{ end }}'"
    }
}

extension String {
    /// The word in quotes that follows `prefix`.
    func quoted(after prefix: String) -> String? {
        let needle = Array((prefix + "\"").utf8)
        let bytes = Array(utf8)
        guard bytes.count >= needle.count else { return nil }
        for start in 0...(bytes.count - needle.count) where bytes[start..<(start + needle.count)].elementsEqual(needle)
        {
            return String(decoding: bytes[(start + needle.count)...].prefix { $0 != UInt8(ascii: "\"") }, as: UTF8.self)
        }
        return nil
    }

    var trimmingSpaces: String {
        var scalars = unicodeScalars[...]
        while let first = scalars.first, first.properties.isWhitespace { scalars.removeFirst() }
        while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
        return String(scalars)
    }
}
