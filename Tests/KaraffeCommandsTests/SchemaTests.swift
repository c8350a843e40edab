import ActionEngine
import Blueprints
import Diagnostics
import Glibc
import GoFormats
import KanisterFunctions
import ProcessIO
import Testing

@Suite struct SchemaCommandTests {
    private static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        .joined(separator: "/")

    private func schema() async throws -> JSONValue {
        let answer = try await Workspace().karaffe("schema")
        #expect(answer.exit == .exited(0))
        return try JSONParser.parse(answer.output)
    }

    @Test func everyReferenceLeadsSomewhere() async throws {
        let schema = try await schema()
        var references: [String] = []
        func walk(_ value: JSONValue) {
            for item in value.arrayValue ?? [] { walk(item) }
            for member in value.objectValue?.members ?? [] {
                if member.key == "$ref", let text = member.value.stringValue { references.append(text) }
                walk(member.value)
            }
        }
        walk(schema)
        #expect(references.count > 50)
        let names = schema["$defs"]?.objectValue?.keys ?? []
        #expect(references.filter { !$0.hasPrefix("#/$defs/") || !names.contains(String($0.dropFirst(8))) } == [])
    }

    @Test func everyFunctionAndArgumentIsDescribed() async throws {
        let schema = try await schema()
        for function in LocalFunctions.all {
            let arguments = try #require(schema["$defs"]?["\(function.name).args"])
            #expect(arguments["description"] == .string("\(function.name) \(function.summary)."))
            let required = function.arguments.filter(\.isRequired).map(\.name)
            #expect((arguments["required"]?.arrayValue ?? []).compactMap(\.stringValue) == required)
            for argument in function.arguments {
                let text = arguments["properties"]?[argument.name]?["description"]?.stringValue ?? ""
                #expect(
                    text.hasPrefix(argument.summary) && !argument.summary.isEmpty, "\(function.name) \(argument.name)")
            }
        }
    }

    // MARK: Against another program

    /// Python's `jsonschema`; its absence shows as a skipped test.
    static let hasValidator = system("python3 -c 'import jsonschema' 2>/dev/null") == 0

    private static let program = [
        "import json, sys, jsonschema",
        "schema = json.load(open(sys.argv[1]))",
        "kind = jsonschema.Draft202012Validator",
        "kind.check_schema(schema)",
        "validator = kind(schema)",
        "for name in sys.argv[2:]:",
        "    errors = sorted(validator.iter_errors(json.load(open(name))), key=lambda e: e.json_path)",
        "    print(name.rsplit('/', 1)[-1], '; '.join(e.json_path for e in errors) or 'good')",
    ].joined(separator: "\n")

    /// What the validator says of documents, one line each.
    private func validate(_ documents: [(name: String, json: JSONValue)]) async throws -> [String] {
        let workspace = try Workspace()
        try workspace.write("schema.json", GoJSON.text(try await schema()))
        for document in documents { try workspace.write(document.name, GoJSON.text(document.json)) }
        let python = ChildCommand(
            "python3",
            ["-c", Self.program, "\(workspace.folder)/schema.json"]
                + documents.map { "\(workspace.folder)/\($0.name)" },
            environment: ["PATH": getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"])
        let result = try await runChild(python, outputLimit: 1 << 20)
        #expect(result.exit == .exited(0), "\(result.standardErrorText)")
        return String(decoding: result.value, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test(.enabled(if: hasValidator, "Python's jsonschema is not installed")) func ourManifestsAreGood() async throws {
        let known = ["Blueprint", "ActionSet", "Profile", "BlueprintBinding"]
        var documents: [(name: String, json: JSONValue)] = []
        for path in [
            "blueprints/flexible-bp.yaml", "blueprints/flexible-bp-binding.yaml",
            "examples/blueprint-tests/cluster/fixtures.yaml", "examples/flexible-server/cluster/kasten-io.yaml",
        ] {
            let file = try #require(fopen("\(Self.root)/\(path)", "r"))
            defer { fclose(file) }
            var bytes = [UInt8](repeating: 0, count: 1 << 20)
            bytes.removeLast(bytes.count - fread(&bytes, 1, bytes.count, file))
            for node in readYAML(SourceFile(name: path, bytes: bytes)).documents
            where known.contains(node["kind"]?.string ?? "") {
                documents.append(("\(documents.count).json", node.json))
            }
        }
        #expect(documents.count >= 3)
        #expect(try await validate(documents) == documents.map { "\($0.name) good" })
    }

    @Test(.enabled(if: hasValidator, "Python's jsonschema is not installed")) func mistakesAreFound() async throws {
        func blueprint(_ phase: String) -> JSONValue {
            let text = """
                apiVersion: cr.kanister.io/v1alpha1
                kind: Blueprint
                metadata: {name: bp}
                actions: {backup: {phases: [\(phase)]}}
                """
            return readYAML(SourceFile(name: "bp", text: text)).documents.first?.json ?? .null
        }
        let documents: [(name: String, json: JSONValue)] = [
            ("good", blueprint("{func: KubeTask, name: a, args: {image: i, command: ls, '{{ .x }}': 1}}")),
            ("function", blueprint("{func: KubeTsk, name: a, args: {}}")),
            ("argument", blueprint("{func: KubeTask, name: a, args: {image: i, comand: [], command: []}}")),
            ("missing", blueprint("{func: KubeTask, name: a, args: {image: i}}")),
            ("field", blueprint("{func: KubeTask, name: a, arg: {}, args: {image: i, command: []}}")),
            ("shape", blueprint("{func: KubeTask, name: a, args: {image: [i], command: {}}}")),
        ]
        let place = "$.actions.backup.phases[0]"
        #expect(
            try await validate(documents) == [
                "good good", "function \(place).func", "argument \(place).args", "missing \(place).args",
                "field \(place)", "shape \(place).args.command; \(place).args.image",
            ])
    }
}

@Suite struct RenderDiffTests {
    @Test func twoBlueprintsAreCompared() async throws {
        let workspace = try Workspace()
        let same = try await workspace.action("render", "backup", "--diff", "bp.yaml")
        #expect(same.exit == .exited(0))
        #expect(same.output == "")
        let changed = Workspace.blueprint.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.contains("also $OWN") ? "          echo changed" : String($0) }
        try workspace.write("other.yaml", changed.joined(separator: "\n"))
        let answer = try await workspace.action("render", "backup", "--diff", "other.yaml")
        #expect(answer.exit == .exited(1))
        #expect(
            answer.output == """
                --- other.yaml
                +++ bp.yaml
                @@ -28,7 +28,7 @@
                     - -c
                     - |
                       echo "connecting as $PW"
                -      echo changed
                +      echo "also $OWN" >&2
                       echo '###Phase-output###: {"key":"id","value":"snapshot-1"}'
                 outputArtifacts:
                   dump:

                """)
    }

    @Test func aBlueprintThatCannotBeRenderedEndsWithThree() async throws {
        let workspace = try Workspace()
        try workspace.write("other.yaml", "{}")
        #expect(try await workspace.action("render", "backup", "--diff", "other.yaml").exit == .exited(3))
    }

    @Test(arguments: ["bash", "zsh", "fish"]) func thereAreCompletions(_ shell: String) async throws {
        let answer = try await Workspace().karaffe("--generate-completion-script", shell)
        #expect(answer.exit == .exited(0))
        #expect(answer.output.contains("cluster-dir"))
    }
}
