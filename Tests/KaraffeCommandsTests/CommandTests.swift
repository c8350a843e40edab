import Glibc
import GoFormats
import ProcessIO
import Synchronization
import Testing

/// A folder with a blueprint and a cluster, and the real executable.
struct Workspace: ~Copyable {
    let folder: String

    struct Answer: Sendable {
        let exit: ChildExit
        let output: String
        let error: String
    }

    init() throws {
        var template = Array("/tmp/karaffe-tests-XXXXXX".utf8CString)
        let made = mkdtemp(&template) != nil
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try #require(made)
        mkdir("\(folder)/cluster", 0o700)
        try write("cluster/secrets.yaml", Self.secrets)
        try write("bp.yaml", Self.blueprint)
    }

    deinit { system("rm -rf '\(folder)'") }

    func write(_ name: String, _ text: String) throws {
        let file = try #require(fopen("\(folder)/\(name)", "w"))
        fputs(text, file)
        fclose(file)
    }

    static let secrets = """
        apiVersion: v1
        kind: Secret
        metadata: {name: admin, namespace: kasten-io}
        stringData: {username: postgres, password: admin-sentinel}
        ---
        apiVersion: v1
        kind: Secret
        metadata: {name: app1, namespace: app1}
        stringData: {username: app1, dbname: app1db, password: 'it''s "the" sentinel\\'}
        """

    static let blueprint = """
        apiVersion: cr.kanister.io/v1alpha1
        kind: Blueprint
        metadata: {name: demo}
        actions:
          backup:
            outputArtifacts:
              dump: {kopiaSnapshot: "{{ .Phases.save.Output.id }}"}
            phases:
            - func: KubeTask
              name: save
              objects: {admin: {kind: Secret, name: admin, namespace: kasten-io}}
              args:
                image: img
                podOverride:
                  containers:
                  - name: container
                    env:
                    - {name: PW, value: "{{ index .Phases.save.Secrets.admin.Data \\"password\\" | toString }}"}
                    - {name: OWN, value: "{{ .Object.data.password | b64dec }}"}
                command:
                - sh
                - -c
                - |
                  echo "connecting as $PW"
                  echo "also $OWN" >&2
                  echo '###Phase-output###: {"key":"id","value":"snapshot-1"}'
          restore:
            inputArtifactNames: [dump]
            phases:
            - {func: KubeTask, name: load, args: {image: img, command: [sh, -c, "echo got {{ .ArtifactsIn.dump.KopiaSnapshot }}"]}}
          fail:
            phases:
            - {func: KubeTask, name: bad, args: {image: img, command: [sh, -c, "echo $PW; exit {{ .Options.code }}"]}}
          wait:
            phases:
            - {func: KubeTask, name: slow, args: {image: img, command: [sh, -c, "echo started; sleep 1000"]}}

        """

    /// `karaffe` lies beside the test executable.
    static let executable: String = {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = max(0, readlink("/proc/self/exe", &buffer, 4095))
        let path = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
            + "/karaffe"
    }()

    func command(_ arguments: [String]) -> ChildCommand {
        ChildCommand(
            Self.executable, arguments,
            environment: [
                "PATH": "/usr/local/bin:/usr/bin:/bin", "KARAFFE_STATE_DIR": "\(folder)/state", "TMPDIR": folder,
            ],
            workingDirectory: folder)
    }

    func karaffe(_ arguments: String...) async throws -> Answer { try await karaffe(arguments) }

    func karaffe(_ arguments: [String]) async throws -> Answer {
        let error = Mutex<[UInt8]>([])
        let result = try await runChild(command(arguments), outputLimit: 1 << 20) { chunk in
            error.withLock { $0 += chunk }
        }
        return Answer(
            exit: result.exit, output: String(decoding: result.value, as: UTF8.self),
            error: error.withLock { String(decoding: $0, as: UTF8.self) })
    }

    static let inputs = ["--cluster-dir", "cluster", "--object", "secret/app1/app1", "--time", "2024-03-05T07:08:09Z"]

    func action(_ command: String, _ action: String, _ more: String...) async throws -> Answer {
        let error = Mutex<[UInt8]>([])
        let arguments = [command, "bp.yaml", "--action", action] + Self.inputs + more
        let result = try await runChild(self.command(arguments), outputLimit: 1 << 20) { chunk in
            error.withLock { $0 += chunk }
        }
        return Answer(
            exit: result.exit, output: String(decoding: result.value, as: UTF8.self),
            error: error.withLock { String(decoding: $0, as: UTF8.self) })
    }
}

@Suite struct RenderCommandTests {
    @Test func showsPhasesAndArtifactsWithSecretsMasked() async throws {
        let workspace = try Workspace()
        let answer = try await workspace.action("render", "backup", "-o", "yaml")
        #expect(answer.error == "")
        #expect(answer.exit == .exited(0))
        #expect(
            answer.output == """
                action: backup
                blueprint: demo
                object:
                  kind: secret
                  namespace: app1
                  name: app1
                time: "2024-03-05T07:08:09Z"
                phases:
                - name: save
                  func: KubeTask
                  objects:
                    admin:
                      kind: Secret
                      name: admin
                      namespace: kasten-io
                  args:
                    image: img
                    podOverride:
                      containers:
                      - name: container
                        env:
                        - name: PW
                          value: <secret kasten-io/admin password>
                        - name: OWN
                          value: <secret app1/app1 password>
                    command:
                    - sh
                    - -c
                    - |
                      echo "connecting as $PW"
                      echo "also $OWN" >&2
                      echo '###Phase-output###: {"key":"id","value":"snapshot-1"}'
                outputArtifacts:
                  dump:
                    kopiaSnapshot: "<phase save: id>"

                """)
    }

    @Test(arguments: ["text", "yaml", "json", "script", "pod"])
    func noFormShowsASecret(_ form: String) async throws {
        let workspace = try Workspace()
        let answer = try await workspace.action("render", "backup", "-o", form)
        #expect(answer.exit == .exited(0))
        #expect(!(answer.output + answer.error).contains("sentinel"))
        let revealed = try await workspace.action("render", "backup", "-o", form, "--reveal")
        #expect(revealed.output.contains("admin-sentinel"))
    }

    @Test func aMisspeltPhaseEndsWithThree() async throws {
        let workspace = try Workspace()
        let text = Workspace.blueprint.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.contains("kopiaSnapshot: \"")
                ? "      dump: {kopiaSnapshot: \"{{ .Phases.svae.Output.id }}\"}" : String(line)
        }
        try workspace.write("bp.yaml", text.joined(separator: "\n"))
        let answer = try await workspace.action("render", "backup")
        #expect(answer.exit == .exited(3))
        #expect(answer.output == "")
        #expect(
            answer.error == """
                bp.yaml:7:41: error: Failed to render template: "svae" not found in '.Phases.svae.Output.id'
                  7 |       dump: {kopiaSnapshot: "{{ .Phases.svae.Output.id }}"}
                    |                                         ^~~~
                  in action 'backup', output artifact 'dump', kopiaSnapshot
                  hint: did you mean 'save'? phases that ran before this one: save

                """)
    }

    @Test func knownOutputsReplacePlaceholders() async throws {
        let workspace = try Workspace()
        let answer = try await workspace.action("render", "backup", "-o", "json", "--set-output", "save.id=abc")
        let document = try JSONParser.parse(answer.output)
        #expect(document["outputArtifacts"] == ["dump": ["kopiaSnapshot": "abc"]])
    }

    @Test(arguments: [
        ["render"], ["render", "bp.yaml", "-o", "xml"], ["nope"], ["run", "bp.yaml", "--add-host", "x"],
    ])
    func wrongUsageEndsWithTwo(_ arguments: [String]) async throws {
        let workspace = try Workspace()
        let result = try await runChild(workspace.command(arguments), outputLimit: 1 << 20)
        #expect(result.exit == .exited(2))
        #expect(result.value == [])
        #expect(result.standardErrorText.hasPrefix("Error: "))
    }

    @Test func helpIsDataAndSucceeds() async throws {
        let workspace = try Workspace()
        let answer = try await workspace.karaffe("--help")
        #expect(answer.exit == .exited(0))
        #expect(answer.error == "")
        for name in ["validate", "render", "run", "eval", "inputs", "runs"] {
            #expect(answer.output.contains("  \(name) "))
        }
    }

    @Test(arguments: [
        (["validate"], "give files with Blueprints, or folders of *.yaml, *.yml and *.json files"),
        (["test"], "give a *.test.yaml file, or a folder with some"),
        (["inputs", "--action", "backup"], "give the file that has the Blueprint"),
        (["render", "--action", "backup"], "give the file that has the Blueprint"),
    ])
    func aPathThatDoesNotExistSaysWhatToGive(_ command: [String], _ hint: String) async throws {
        let workspace = try Workspace()
        let answer = try await workspace.karaffe([command[0], "gone.yaml"] + command.dropFirst())
        #expect(answer.exit == .exited(3))
        #expect(answer.error.contains("error: cannot read gone.yaml: No such file or directory\n  hint: \(hint)\n"))
    }

    @Test(arguments: [
        ("missing.yaml", "error: cannot read missing.yaml: No such file or directory\n"),
        ("cluster/secrets.yaml", "the file has no Blueprint, only: Secret, Secret"),
    ])
    func aFileWithoutABlueprintEndsWithThree(_ file: String, _ message: String) async throws {
        let workspace = try Workspace()
        let answer = try await workspace.karaffe("render", file, "--action", "backup")
        #expect(answer.exit == .exited(3))
        #expect(answer.error.contains(message))
    }
}

@Suite struct RunCommandTests {
    @Test func aRunLeavesArtifactsForTheNextAndNoSecrets() async throws {
        let workspace = try Workspace()
        let backup = try await workspace.action("run", "backup")
        #expect(backup.exit == .exited(0))
        let lines = backup.output.split(separator: "\n").map(String.init)
        #expect(
            lines.dropLast() == [
                "phase save: complete", "  output id: snapshot-1", "artifact dump.kopiaSnapshot: snapshot-1",
            ])
        #expect(lines.last?.hasPrefix("run ") == true && lines.last?.hasSuffix("-backup-") == false)
        #expect(backup.error.contains("[save] connecting as <secret kasten-io/admin password>\n"))
        #expect(backup.error.contains("[save] also <secret app1/app1 password>\n"))

        let restore = try await workspace.action("run", "restore", "--from", "last")
        #expect(restore.exit == .exited(0))
        #expect(restore.error.contains("[load] got snapshot-1\n"))

        let runs = try await workspace.karaffe("runs", "last", "--json")
        let record = try JSONParser.parse(runs.output)
        #expect(record.objectValue?.keys.first == "id")
        #expect(record["action"] == "restore")
        #expect(record["state"] == "complete")
        let list = try await workspace.karaffe("runs")
        #expect(list.output.split(separator: "\n").count == 3)

        #expect(system("grep -rq sentinel '\(workspace.folder)/state'") != 0)
        #expect(system("find '\(workspace.folder)/state' -perm /077 | grep -q .") != 0)
        #expect(!(backup.output + backup.error).contains("sentinel"))
    }

    @Test(
        arguments: [(3, 3), (4, 4), (5, 5), (6, 6), (69, 1), (1, 1), (2, 1), (130, 130), (143, 143)] as [(Int32, Int32)]
    )
    func theCodeOfTheCommandIsPassedOnWhenItIsOneOfOurs(_ code: Int32, _ expected: Int32) async throws {
        let workspace = try Workspace()
        let answer = try await workspace.action("run", "fail", "--option", "code=\(code)")
        #expect(answer.exit == .exited(expected))
        #expect(answer.error.contains("error: phase 'bad' (KubeTask): the command failed: exit code \(code)\n"))
    }

    @Test func wrongInputRunsNothingAndKeepsNothing() async throws {
        let workspace = try Workspace()
        let answer = try await workspace.action("run", "restore")
        #expect(answer.exit == .exited(3))
        #expect(answer.output == "")
        #expect(answer.error.contains("give --from RUN or --artifact dump.kopiaSnapshot=VALUE"))
        let runs = try await workspace.karaffe("runs", "--json")
        #expect(runs.output == "[]\n")
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func aSignalEndsTheRunAndIsRecorded(_ signal: Int32) async throws {
        let workspace = try Workspace()
        let arguments = ["run", "bp.yaml", "--action", "wait"] + Workspace.inputs
        let started = Mutex(false)
        let result = try await withChild(
            workspace.command(arguments),
            standardError: { chunk in
                if String(decoding: chunk, as: UTF8.self).contains("started") { started.withLock { $0 = true } }
            }
        ) { output in
            while !started.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(10)) }
            kill(output.processIdentifier, signal)
            while try await output.read() != nil {}
        }
        #expect(result.exit == .exited(128 + signal))
        let record = try JSONParser.parse(try await workspace.karaffe("runs", "last", "--json").output)
        #expect(record["state"] == "failed")
        #expect(record["exitCode"] == .integer(Int64(128 + signal)))
        #expect(record["errors"] == ["phase 'slow' was interrupted"])
    }

    @Test func aRunThatWasKilledIsShownAsAbandoned() async throws {
        let workspace = try Workspace()
        let arguments = ["run", "bp.yaml", "--action", "wait"] + Workspace.inputs
        let started = Mutex(false)
        _ = try await withChild(
            workspace.command(arguments),
            standardError: { chunk in
                if String(decoding: chunk, as: UTF8.self).contains("started") { started.withLock { $0 = true } }
            }
        ) { output in
            while !started.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(10)) }
            let process = output.processIdentifier
            system("group=$(pgrep -P \(process)); kill -KILL \(process); kill -KILL -$group")
            while try await output.read() != nil {}
        }
        let record = try JSONParser.parse(try await workspace.karaffe("runs", "last", "--json").output)
        #expect(record["state"] == "abandoned")
    }

    @Test func anUnknownRunIsRefused() async throws {
        let workspace = try Workspace()
        let answer = try await workspace.action("run", "restore", "--from", "2020")
        #expect(answer.exit == .exited(3))
        #expect(answer.error.contains("error: there is no run '2020' in "))
    }
}

@Suite struct OtherCommandTests {
    @Test func evalRendersOneTemplate() async throws {
        let workspace = try Workspace()
        try workspace.write(
            "params.json", #"{"Options":{"a":"b"},"Secrets":{"s":{"metadata":{"name":"n"},"data":{"k":"QUs="}}}}"#)
        let answer = try await workspace.karaffe(
            "eval", "--params", "params.json",
            "{{ .Options.a }} {{ .Secrets.s.Name }} {{ .Secrets.s.Data.k | toString }}")
        #expect(answer.output == "b n AK\n")
    }

    @Test func evalRendersABatch() async throws {
        let workspace = try Workspace()
        try workspace.write(
            "batch.jsonl",
            """
            {"id":"1","template":"{{ .Options.a }}","params":{"Options":{"a":"x<y"}}}
            {"id":"2","template":"a\\n {{ .Options.a }}"}
            {"id":"3","template":"{{ nope }}"}
            {"id":"4"}
            nonsense
            {"id":"5","template":"{{ .Options.b }}","paramsFile":"five.json"}

            """)
        try workspace.write("five.json", #"{"Options":{"b":"from a file"}}"#)
        let answer = try await workspace.karaffe("eval", "--batch", "batch.jsonl")
        #expect(
            answer.output == """
                {"id":"1","ok":true,"text":"x<y"}
                {"id":"2","ok":false,"error":"Failed to render template: \\"a\\" not found","kind":"missingKey","line":2,"column":14}
                {"id":"3","ok":false,"error":"template: config:1: function \\"nope\\" not defined","kind":"parse","line":1,"column":4}
                {"id":"4","ok":false,"error":"the line has no member 'template' with a text","kind":"input"}
                {"id":null,"ok":false,"error":"unexpected 'n', expected a value at byte 0","kind":"input"}
                {"id":"5","ok":true,"text":"from a file"}

                """)
        #expect(answer.exit == .exited(3))
    }

    @Test func templatesLookAtTheMachineOnlyWhenAllowed() async throws {
        let workspace = try Workspace()
        let refused = try await workspace.karaffe("eval", #"{{ env "HOME" }}"#)
        #expect(refused.exit == .exited(3))
        #expect(refused.error.contains("--allow-env"))
        let allowed = try await workspace.karaffe("eval", "--allow-env", #"{{ env "HOME" | empty }}"#)
        #expect(allowed.exit == .exited(0))
    }

    @Test func validateReportsEveryProblem() async throws {
        let workspace = try Workspace()
        try workspace.write(
            "bad.yaml",
            """
            apiVersion: cr.kanister.io/v1alpha1
            kind: Blueprint
            metadata: {name: bad}
            actions:
              backup:
                phases:
                - {func: KubeTsk, name: a, args: {}}
                - {func: KubeTask, name: b, args: {image: "{{ .Phases.c.Output.x }}", comand: [x]}}
                - {func: KubeTask, name: c, args: {image: "{{ .Options.x }", command: [x]}}
            """)
        let answer = try await workspace.karaffe("validate", "bp.yaml", "bad.yaml")
        #expect(answer.exit == .exited(1))
        let errors = answer.error.split(separator: "\n").filter { $0.hasPrefix("bad.yaml:") }.map(String.init)
        #expect(
            errors == [
                "bad.yaml:7:14: error: Requested function {KubeTsk} has not been registered",
                "bad.yaml:8:14: error: Required arg missing: command",
                "bad.yaml:8:59: error: no phase named 'c' in '.Phases.c.Output.x'",
                "bad.yaml:8:75: error: argument comand is not supported",
                "bad.yaml:9:62: error: template: config:1: unexpected \"}\" in operand",
            ])
        let good = try await workspace.karaffe("validate", "bp.yaml", "cluster")
        #expect(good.exit == .exited(0))
        #expect(good.error.hasSuffix("1 file without errors\n"))
    }

    @Test func validateWritesForPrograms() async throws {
        let workspace = try Workspace()
        try workspace.write("empty.yaml", "kind: Blueprint\n")
        let answer = try await workspace.karaffe(
            "validate", "empty.yaml", "--format", "json", "--rule", "not-a-manifest")
        #expect(answer.exit == .exited(1))
        #expect(answer.error == "")
        #expect(answer.output.hasPrefix("[\n  {\"file\":\"empty.yaml\",\"line\":1,\"column\":1,"))
        #expect(try await workspace.karaffe("validate", "gone.yaml").exit == .exited(3))
        #expect(try await workspace.karaffe("validate", "empty.yaml", "--rule", "nothing").exit == .exited(2))
    }

    @Test func explainHasRulesFunctionsAndArguments() async throws {
        let workspace = try Workspace()
        let names = ["pipefail", "KubeTask", "KubeTask.podOverride", "toDate"]
        let beginnings = ["pipefail (warning)\n", "KubeTask\n", "KubeTask.podOverride\n", "toDate(string, string)"]
        for (name, beginning) in zip(names, beginnings) {
            let answer = try await workspace.karaffe("explain", name)
            #expect(answer.exit == .exited(0))
            #expect(answer.output.hasPrefix(beginning))
        }
        #expect(try await workspace.karaffe("explain", "--list").output.contains("  secret-quoting"))
        let wrong = try await workspace.karaffe("explain", "kubetask")
        #expect(wrong.exit == .exited(2))
        #expect(wrong.error.contains("did you mean 'KubeTask'?"))
    }

    @Test func inputsListsWhatAnActionReads() async throws {
        let workspace = try Workspace()
        let answer = try await workspace.karaffe("inputs", "bp.yaml", "--action", "backup")
        #expect(
            answer.output == """
                backup:
                  object:
                    data.password: required
                  profile: not used
                  phaseObjects:
                  - phase: save
                    name: admin
                    kind: Secret
                    object: kasten-io/admin
                    keys:
                      password: optional

                """)
    }
}
