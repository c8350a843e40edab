import ActionEngine
import ArgumentParser
import Diagnostics
import Executors
import GoFormats
import GoTemplate

/// One test, made: the action is rendered, or run on this machine when the test says so.
struct BlueprintTestRun {
    let test: BlueprintTest
    /// As messages name it.
    let file: String
    let updates: Bool
    /// What went wrong, each of one or more lines; empty for a passed test.
    private(set) var failures: [String] = []
    private(set) var hasUpdated = false

    init(_ test: BlueprintTest, file: String, updates: Bool) {
        self.test = test
        self.file = file
        self.updates = updates
    }

    mutating func run() async {
        let input: ActionInput
        do {
            input = try ActionInput.read(try InputOptions.parse(test.arguments), knownOutputs: test.outputs)
        } catch is Exit {
            fail(test.line, "the blueprint or its action could not be read")
            return
        } catch {
            fail(test.line, "\(InputOptions.message(for: error))")
            return
        }
        let execution = await execute(input)
        let (result, pods) = (execution.result, execution.pods)
        let masked = input.output(reveals: false)
        checkErrors(input.diagnostics + result.diagnostics, result.failures, masked)
        if test.errors.isEmpty, !failures.isEmpty { return }
        let clear = Self.document(input, execution)
        for check in test.checks { self.check(check, in: clear, masked) }
        if let snapshot = test.snapshot {
            let document = RenderedDocument(input: input, result: result, pods: pods, output: masked)
            compare(masked.mask(YAMLWriter.text(document.json)), with: snapshot)
        }
    }

    private func execute(_ input: ActionInput) async -> BlueprintTestExecution {
        guard test.runs, !input.hasErrors else { return await .rendering(input) }
        var options = LocalExecutor.Options.ofThisMachine()
        options.timeout = .seconds(test.timeout)
        options.hosts = test.hosts
        return await .running(input, options)
    }

    private mutating func fail(_ line: Int, _ text: String) { failures.append("\(file):\(line): \(text)") }

    /// What paths lead into: phases by name, artifacts, outputs, pods by phase.
    private static func document(_ input: ActionInput, _ execution: BlueprintTestExecution) -> JSONValue {
        let result = execution.result
        var phases = JSONObject()
        for phase in result.phases { phases[phase.name] = RenderedDocument.phase(phase) }
        var specs = JSONObject()
        for pod in execution.pods { specs[pod.phase] = .object(pod.spec) }
        return .object(
            JSONObject([
                "action": .string(input.request.actionName), "phases": .object(phases),
                "artifacts": RenderedDocument.artifacts(result.record.artifacts),
                "outputs": .object(execution.outputs(known: input.request.knownOutputs)), "pods": .object(specs),
                "state": .string(result.record.state.rawValue),
            ]))
    }

    // MARK: Errors

    private mutating func checkErrors(_ diagnostics: [Diagnostic], _ phases: [PhaseFailure], _ output: Output) {
        var found = diagnostics.filter { $0.severity == .error }.map { (text: $0.message, line: $0.range?.start.line) }
        found += phases.map { failure in
            let lines = failure.failure.lastLines.map { "\n    \($0)" }.joined()
            return ("phase '\(failure.phase)' (\(failure.function)): \(failure.failure.message)\(lines)", nil)
        }
        var isExpected = Array(repeating: false, count: found.count)
        for wanted in test.errors {
            let matching = found.indices.filter { found[$0].text.contains(wanted.message) }
            for index in matching { isExpected[index] = true }
            if matching.isEmpty {
                fail(wanted.line, "expected error '\(wanted.message)' did not come")
            } else if let line = wanted.atLine, !matching.contains(where: { found[$0].line == line }) {
                let lines = matching.map { found[$0].line.map { "\($0)" } ?? "none" }.joined(separator: ", ")
                fail(wanted.line, "error '\(wanted.message)' is at line \(lines), not \(line)")
            }
        }
        for (index, error) in found.enumerated() where !isExpected[index] {
            fail(test.line, output.mask("error: \(error.text)" + (error.line.map { " (blueprint line \($0))" } ?? "")))
        }
    }

    // MARK: Values

    private mutating func check(_ check: BlueprintTest.Check, in document: JSONValue, _ output: Output) {
        let found: JSONValue
        switch check.path.find(in: document) {
        case .missing(let after, let there):
            if case .absent = check.wanted { return }
            let place = after.isEmpty ? "the document" : "'\(after)'"
            fail(check.line, output.mask("\(check.path.text): nothing there; at \(place): \(there)"))
            return
        case .value(let value): found = value
        }
        let holds: Bool
        let wanted: String
        switch check.wanted {
        case .equals(let value):
            holds = found == value
            wanted = "equals   \(Self.text(value))"
        case .contains(let part):
            holds = found.stringValue?.contains(part) ?? (found.arrayValue ?? []).contains(.string(part))
            wanted = "contains \(part)"
        case .matches(let pattern):
            holds = Self.matches(pattern, Self.text(found))
            wanted = "matches  \(pattern)"
        case .absent:
            holds = false
            wanted = "absent"
        }
        guard !holds else { return }
        fail(
            check.line,
            // Leaf by leaf: a value is not recognized in JSON of JSON of JSON.
            output.mask(
                "\(check.path.text)\n    expected \(wanted)\n    got      \(Self.text(found.mapStrings(output.mask)))"))
    }

    private static func text(_ value: JSONValue) -> String {
        value.stringValue ?? GoJSON.text(value, style: .init(escapesHTML: false))
    }

    /// Go's regular expressions, as `regexMatch` has them; a wrong one matches nothing.
    private static func matches(_ pattern: String, _ text: String) -> Bool {
        let root = GoValue.stringMap(["pattern": pattern, "text": text])
        let rendered = try? Template(parsing: "{{ regexMatch .pattern .text }}").render(root)
        return rendered == "true"
    }

    // MARK: Snapshots

    private mutating func compare(_ text: String, with path: String) {
        let kept = (try? Files.read(path)).map { String(decoding: $0, as: UTF8.self) }
        if kept == text { return }
        if updates {
            do throws(FileError) {
                if let slash = path.lastIndex(of: "/") { try Files.makeFolder(String(path[..<slash])) }
                try Files.replace(path, with: Array(text.utf8))
                hasUpdated = true
            } catch {
                fail(test.line, error.message)
            }
            return
        }
        guard let kept else {
            fail(test.line, "there is no snapshot \(path); write it with --update")
            return
        }
        let diff = TextDiff.unified(kept, text, from: path, to: "rendered now") ?? ""
        fail(test.line, "the rendering is not as in the snapshot; take it over with --update\n\(diff)")
    }
}
