import Blueprints
import Diagnostics
import Executors
import GoFormats

/// One test of a blueprint: what an action is given, and what it must render to, or do.
struct BlueprintTest: Sendable {
    var name = ""
    let line: Int
    /// For `InputOptions`.
    var arguments: [String] = []
    var outputs: [String] = []
    /// Runs the action on this machine instead of only rendering it.
    var runs = false
    /// Longest time of one command, in seconds.
    var timeout = 60
    /// As `--add-host` takes them.
    var hosts: [HostOverride] = []
    var checks: [Check] = []
    var errors: [ExpectedError] = []
    /// Path of the snapshot file.
    var snapshot: String?

    struct Check: Sendable {
        enum Wanted: Sendable {
            case equals(JSONValue)
            case contains(String)
            case matches(String)
            case absent
        }

        let path: ValuePath
        let wanted: Wanted
        let line: Int
    }

    struct ExpectedError: Sendable {
        let message: String
        let atLine: Int?
        let line: Int
    }
}

/// Reads a file of tests.
///
/// ```yaml
/// blueprint: ../../blueprints/flexible-bp.yaml   # all paths start at this file
/// cluster: cluster
/// object: secret/app1/app1
/// profile: kasten-io/backups
/// tests:
/// - name: backup reads the replica
///   action: backup
///   options: {port: 5433}
///   expect:
///   - {path: phases.backupData.args.image, equals: karaffe/pod-runner:latest}
/// ```
struct BlueprintTestReader {
    static let fields = [
        "blueprint", "cluster", "object", "profile", "action", "options", "artifacts", "outputs", "time", "namespace",
        "actionset", "run", "timeout", "hosts",
    ]
    private static let testFields = fields + ["name", "expect", "errors", "snapshot"]

    let folder: String
    private(set) var diagnostics: [Diagnostic] = []

    /// - Parameter file: path of the file; paths in it start at its folder.
    init(file: String) {
        folder = file.lastIndex(of: "/").map { String(file[...$0]) } ?? ""
    }

    mutating func read(_ source: SourceFile) -> [BlueprintTest] {
        let (documents, problems) = readYAML(source)
        diagnostics += problems
        return documents.flatMap { tests(in: $0) }
    }

    private mutating func tests(in document: YAMLNode) -> [BlueprintTest] {
        checkNames(document, among: Self.fields + ["tests"])
        guard let list = document["tests"]?.sequence else {
            problem(
                "a file of blueprint tests has a list 'tests'", at: document, hint: "for example tests: [{name: …}]")
            return []
        }
        return list.map { test($0, defaults: document) }
    }

    private mutating func test(_ node: YAMLNode, defaults: YAMLNode) -> BlueprintTest {
        checkNames(node, among: Self.testFields)
        var test = BlueprintTest(line: node.range.start.line)
        func given(_ field: String) -> YAMLNode? { node[field] ?? defaults[field] }
        test.name = node["name"]?.string ?? node["action"]?.string ?? "test in line \(test.line)"
        if let blueprint = given("blueprint")?.string {
            test.arguments.append(path(blueprint))
        } else {
            problem("the test names no blueprint", at: node, hint: "add 'blueprint: FILE' to the test or the file")
        }
        for (field, flag) in [
            ("action", "action"), ("object", "object"), ("profile", "profile"), ("namespace", "namespace"),
        ] {
            if let text = given(field).flatMap(text) { test.arguments.append("--\(flag)=\(text)") }
        }
        for (field, flag) in [("cluster", "cluster-dir"), ("actionset", "actionset")] {
            if let text = given(field).flatMap(text) { test.arguments.append("--\(flag)=\(path(text))") }
        }
        // A fixed time, so that a test renders the same every day.
        test.arguments.append("--time=\(given("time")?.string ?? "2026-01-02T03:04:05Z")")
        for entry in given("options")?.mapping?.entries ?? [] {
            test.arguments.append("--option=\(entry.name)=\(text(entry.value) ?? "")")
        }
        for artifact in given("artifacts")?.mapping?.entries ?? [] {
            var pairs = artifact.value.mapping?.entries ?? []
            pairs = pairs.filter { $0.name != "keyValue" } + (artifact.value["keyValue"]?.mapping?.entries ?? [])
            for pair in pairs {
                test.arguments.append("--artifact=\(artifact.name).\(pair.name)=\(text(pair.value) ?? "")")
            }
        }
        for phase in given("outputs")?.mapping?.entries ?? [] {
            for pair in phase.value.mapping?.entries ?? [] {
                test.outputs.append("\(phase.name).\(pair.name)=\(text(pair.value) ?? "")")
            }
        }
        readRun(node, given, into: &test)
        test.checks = (node["expect"]?.sequence ?? []).compactMap { check($0) }
        test.errors = (node["errors"]?.sequence ?? []).compactMap { error($0) }
        test.snapshot = node["snapshot"]?.string.map { path($0) }
        if test.checks.isEmpty, test.errors.isEmpty, test.snapshot == nil {
            problem(
                "test '\(test.name)' expects nothing", at: node, hint: "add 'expect', 'errors' or 'snapshot'")
        }
        return test
    }

    /// What only matters to a test that runs.
    private mutating func readRun(
        _ node: YAMLNode, _ given: (String) -> YAMLNode?, into test: inout BlueprintTest
    ) {
        if let flag = given("run") {
            test.runs = flag.json == true
            if flag.json.boolValue == nil { problem("'run' is not true or false", at: flag, hint: "write run: true") }
        }
        if test.runs, let outputs = node["outputs"] {
            problem(
                "a test that runs takes no 'outputs': its phases print them", at: outputs,
                hint: "compare with them instead: {path: outputs.PHASE.KEY, equals: …}")
        }
        if let limit = given("timeout") {
            if let seconds = limit.json.integerValue.flatMap({ Int(exactly: $0) }), (1...86_400).contains(seconds) {
                test.timeout = seconds
            } else {
                problem("'timeout' is not a number of seconds from 1 to 86400", at: limit, hint: "write timeout: 60")
            }
        }
        for entry in given("hosts")?.mapping?.entries ?? [] {
            do throws(LocalExecutorError) {
                test.hosts.append(try HostOverride("\(entry.name)=\(text(entry.value) ?? "")"))
            } catch {
                problem(error.message, at: entry.value, hint: error.hint ?? "for example {db.example: 127.0.0.1}")
            }
        }
    }

    private mutating func check(_ node: YAMLNode) -> BlueprintTest.Check? {
        checkNames(node, among: ["path", "equals", "contains", "matches", "absent"])
        let wanted: [BlueprintTest.Check.Wanted] = [
            node["equals"].map { .equals($0.json) }, node["contains"].flatMap(text).map { .contains($0) },
            node["matches"].flatMap(text).map { .matches($0) }, node["absent"]?.json == true ? .absent : nil,
        ].compactMap { $0 }
        guard let path = node["path"]?.string, let first = wanted.first, wanted.count == 1 else {
            problem(
                "an expectation has a path and one of equals, contains, matches, absent: true", at: node,
                hint: "for example {path: phases.backup.args.image, equals: postgres:16}")
            return nil
        }
        do throws(ValuePath.Problem) {
            return .init(path: try ValuePath(path), wanted: first, line: node.range.start.line)
        } catch {
            problem("path \(error.message)", at: node, hint: "for example phases.backup.args.env[name=PGHOST].value")
            return nil
        }
    }

    private mutating func error(_ node: YAMLNode) -> BlueprintTest.ExpectedError? {
        if let message = node.string { return .init(message: message, atLine: nil, line: node.range.start.line) }
        checkNames(node, among: ["message", "line"])
        guard let message = node["message"]?.string else {
            problem("an expected error has a message", at: node, hint: "a part of the error's text is enough")
            return nil
        }
        let line = node["line"]?.json.integerValue.flatMap { Int(exactly: $0) }
        return .init(message: message, atLine: line, line: node.range.start.line)
    }

    // MARK: Parts

    /// Text, or what a number or boolean is as text.
    private func text(_ node: YAMLNode) -> String? { node.string ?? node.scalar?.text }

    private func path(_ text: String) -> String { text.hasPrefix("/") ? text : folder + text }

    private mutating func checkNames(_ node: YAMLNode, among names: [String]) {
        for entry in node.mapping?.entries ?? [] where !names.contains(entry.name) {
            problem(
                "there is no field '\(entry.name)' here", at: entry.key,
                hint: nearMissHint(for: entry.name, among: names) ?? "fields: \(names.joined(separator: ", "))")
        }
    }

    private mutating func problem(_ message: String, at node: YAMLNode, hint: String) {
        diagnostics.append(Diagnostic(rule: "blueprint-test", message, at: node.range, hint: hint))
    }
}
