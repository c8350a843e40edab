public import ActionEngine
public import GoFormats

/// Waits until objects are as conditions want them: `Wait` with JSONPath in its conditions, `WaitV2` with templates on the
/// object.
///
/// | argument | required | type |
/// |---|---|---|
/// | `timeout` | yes | a Go duration |
/// | `conditions` | yes | `anyOf` and `allOf`, lists of `condition` and `objectReference` |
///
/// Any of `anyOf`, or all of `allOf`. Better than Kanister: an error in one condition does not hide the others, a
/// condition that is no template fails at once, no conditions fail at once, and the failure tells the last values. In a
/// cluster that does not change by itself the conditions are looked at once.
///
/// Source: Kanister `pkg/function/wait.go`, `waitv2.go`. Vectors: `waitConditions`, `waitLoop` of the conformance cases.
public struct Wait: KanisterFunction {
    public static let onPaths = Wait("Wait", .paths, "waits for conditions written as JSONPath")
    public static let onTemplates = Wait("WaitV2", .template, "waits for conditions written as Go templates")

    public let name: String
    public let summary: String
    public let arguments = ["timeout", "conditions"].map { ArgumentGlossary.argument($0, isRequired: true) }
    public let outputKeys: [String]? = []
    private let form: WaitCondition.Form
    private static let interval = Duration.seconds(1)

    private struct Item {
        let condition: WaitCondition
        let reference: ObjectIdentity
    }

    private init(_ name: String, _ form: WaitCondition.Form, _ summary: String) {
        self.name = name
        self.form = form
        self.summary = summary
    }

    public func execute(_ arguments: FunctionArguments, in call: FunctionCall) async throws -> JSONObject {
        let written = try arguments.text("timeout")
        let text = form == .paths ? try call.render(written) : written
        guard let timeout = WaitCondition.duration(text) else {
            throw FunctionFailure(
                "Failed to parse timeout: time: invalid duration \"\(text)\"",
                hint: form == .paths ? "for example 5m" : "for example 5m; WaitV2 does not render its timeout")
        }
        let conditions = try arguments.object("conditions") ?? JSONObject()
        let anyOf = try items("anyOf", conditions, call)
        let allOf = try items("allOf", conditions, call)
        guard !anyOf.isEmpty || !allOf.isEmpty else {
            throw FunctionFailure(
                "\(name) has no conditions and would wait for ever", hint: "give anyOf or allOf under 'conditions'")
        }
        guard call.executor.runsPods else { return JSONObject() }
        let deadline = ContinuousClock.now + timeout
        while true {
            var last: [String] = []
            if await isMet(anyOf, allOf, call, &last) { return JSONObject() }
            let left = deadline - .now
            guard call.cluster.changesByItself, left > .zero else {
                throw failure(last, waited: call.cluster.changesByItself ? text : nil)
            }
            try await Task.sleep(for: min(left, Self.interval))
        }
    }

    private func failure(_ last: [String], waited: String?) -> FunctionFailure {
        let how =
            waited.map { "waited \($0)" } ?? "the copy of the cluster does not change by itself, so it did not wait"
        return FunctionFailure(
            "Failed to wait for the condition to be met", hint: "\(how); last: \(last.joined(separator: "; "))")
    }

    private func items(
        _ field: String, _ conditions: JSONObject, _ call: FunctionCall
    ) throws(FunctionFailure) -> [Item] {
        var items: [Item] = []
        for entry in conditions[field]?.arrayValue ?? [] {
            let condition = WaitCondition(entry["condition"]?.stringValue ?? "", form: form)
            if let problem = condition.syntaxProblem {
                throw FunctionFailure("\(field)[\(items.count)].condition: \(problem.message)", hint: problem.hint)
            }
            let reference = try ObjectIdentity(
                entry["objectReference"]?.objectValue ?? JSONObject(), render: call.render)
            items.append(Item(condition: condition, reference: reference))
        }
        return items
    }

    private func isMet(_ anyOf: [Item], _ allOf: [Item], _ call: FunctionCall, _ last: inout [String]) async -> Bool {
        for item in anyOf {
            if await holds(item, call, &last) { return true }
        }
        var isMet = !allOf.isEmpty
        for item in allOf {
            if !(await holds(item, call, &last)) { isMet = false }
        }
        return isMet
    }

    private func holds(_ item: Item, _ call: FunctionCall, _ last: inout [String]) async -> Bool {
        let what = item.reference.display
        do {
            guard let object = try await item.reference.object(in: call.cluster) else {
                last.append("\(what) not found")
                return false
            }
            let value = try item.condition.value(on: .object(object.manifest))
            last.append("\(what): '\(value)'")
            return value == "true"
        } catch let failure as FunctionFailure {
            last.append("\(what): \(failure.message)")
        } catch {
            last.append("\(what): \(error)")
        }
        return false
    }
}
