import Glibc
import ProcessIO
import Testing

@Suite struct TestCommandTests {
    static let tests = """
        blueprint: bp.yaml
        cluster: cluster
        object: secret/app1/app1
        tests:
        - name: good
          action: backup
          outputs: {save: {id: snapshot-9}}
          expect:
          - {path: phases.save.args.image, equals: img}
          - {path: "pods.save.containers[name=container].env[name=PW].value", equals: admin-sentinel}
          - {path: "phases.save.args.command[2]", matches: '^echo .connecting'}
          - {path: artifacts.dump.kopiaSnapshot, equals: snapshot-9}
        - name: bad
          action: backup
          expect:
          - {path: phases.save.args.image, equals: other}
          - {path: "pods.save.containers[0].env[name=PW].value", equals: other}
          - {path: phases.sav.args, absent: true}
          - {path: phases.save.args.imag, contains: x}
        - name: expected error
          action: fail
          errors: [{message: '"code" not found', line: 33}]
        - {name: unexpected error, action: fail, expect: [{path: phases.bad.args.image, equals: img}]}
        - {name: missing error, action: backup, errors: [nothing like that]}

        """

    @Test func everyTestIsReported() async throws {
        let workspace = try Workspace()
        try workspace.write("t.test.yaml", Self.tests)
        let answer = try await workspace.karaffe("test", ".")
        #expect(answer.error == "")
        #expect(answer.exit == .exited(1))
        #expect(
            answer.output == """
                ./t.test.yaml
                  ok    good
                  FAIL  bad
                        ./t.test.yaml:16: phases.save.args.image
                            expected equals   other
                            got      img
                        ./t.test.yaml:17: pods.save.containers[0].env[name=PW].value
                            expected equals   other
                            got      <secret kasten-io/admin password>
                        ./t.test.yaml:19: phases.save.args.imag: nothing there; at 'phases.save.args': keys there: image, podOverride, command
                  ok    expected error
                  FAIL  unexpected error
                        ./t.test.yaml:23: error: Failed to render template: "code" not found in '.Options.code' (blueprint line 33)
                  FAIL  missing error
                        ./t.test.yaml:24: expected error 'nothing like that' did not come
                2 passed, 3 failed

                """)
    }

    @Test func snapshotsAreWrittenAndCompared() async throws {
        let workspace = try Workspace()
        let test =
            "{blueprint: bp.yaml, cluster: cluster, object: secret/app1/app1, tests: [{action: backup, snapshot: s/backup.yaml}]}"
        try workspace.write("t.test.yaml", test)
        let before = try await workspace.karaffe("test", "t.test.yaml")
        #expect(before.exit == .exited(1))
        #expect(before.output.contains("t.test.yaml:1: there is no snapshot s/backup.yaml; write it with --update"))
        let update = try await workspace.karaffe("test", "t.test.yaml", "--update")
        #expect(update.output == "t.test.yaml\n  ok    backup (snapshot written)\n1 passed, 0 failed\n")
        #expect(try await workspace.karaffe("test", "t.test.yaml").exit == .exited(0))
        #expect(system("grep -q sentinel '\(workspace.folder)/s/backup.yaml'") != 0)
        let changed = Workspace.blueprint.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.contains("also $OWN") ? "          echo changed" : String($0) }
        try workspace.write("bp.yaml", changed.joined(separator: "\n"))
        let after = try await workspace.karaffe("test", "t.test.yaml")
        #expect(after.exit == .exited(1))
        for line in [
            "-      echo \"also $OWN\" >&2", "+      echo changed", "--- s/backup.yaml", "+++ rendered now",
        ] {
            #expect(after.output.contains("        \(line)\n"), "\(line)")
        }
    }

    @Test(arguments: [
        ("{tests: [{action: backup}]}", "the test names no blueprint"),
        ("{blueprint: bp.yaml, test: []}", "did you mean 'tests'?"),
        ("{blueprint: bp.yaml, tests: [{action: backup, expect: [{path: a}]}]}", "one of equals, contains, matches"),
        ("{blueprint: bp.yaml, tests: [{action: backup, expect: [{path: 'a[', equals: 1}]}]}", "a '[' is not closed"),
        ("{blueprint: bp.yaml, tests: [", "error"),
        ("{blueprint: bp.yaml, tests: [{action: backup, run: yess, expect: []}]}", "'run' is not true or false"),
        ("{blueprint: bp.yaml, tests: [{action: backup, run: true, outputs: {save: {id: x}}}]}", "takes no 'outputs'"),
        ("{blueprint: bp.yaml, timeout: 0, tests: [{action: backup, run: true}]}", "number of seconds from 1 to 86400"),
        ("{blueprint: bp.yaml, hosts: {db: nowhere}, tests: [{action: backup, run: true}]}", "nowhere"),
    ])
    func aFileThatIsWrongEndsWithThree(_ text: String, _ message: String) async throws {
        let workspace = try Workspace()
        try workspace.write("t.test.yaml", text)
        let answer = try await workspace.karaffe("test", "t.test.yaml")
        #expect(answer.exit == .exited(3))
        #expect(answer.error.contains(message), "\(answer.error)")
    }

    @Test func aFolderWithoutTestsEndsWithThree() async throws {
        let answer = try await Workspace().karaffe("test", ".")
        #expect(answer.exit == .exited(3))
    }

    /// The phases run, on a copy of the cluster; nothing of it is kept.
    @Test func aTestThatRunsComparesOutputsAndArtifacts() async throws {
        let workspace = try Workspace()
        try workspace.write(
            "t.test.yaml",
            """
            blueprint: bp.yaml
            cluster: cluster
            object: secret/app1/app1
            run: true
            tests:
            - name: good
              action: backup
              expect:
              - {path: outputs.save.id, equals: snapshot-1}
              - {path: artifacts.dump.kopiaSnapshot, equals: snapshot-1}
              - {path: "pods.save.containers[0].env[name=PW].value", equals: admin-sentinel}
              - {path: state, equals: complete}
            - name: bad
              action: backup
              expect: [{path: outputs.save.id, equals: other}]
            - name: expected failure
              action: fail
              options: {code: 4}
              errors: ["the command failed: exit code 4"]
              expect: [{path: state, equals: failed}]
            - {name: unexpected failure, action: fail, options: {code: 5}, expect: [{path: state, equals: failed}]}
            - {name: missing artifact, action: restore, errors: [needs artifact 'dump']}
            - {name: too slow, action: wait, timeout: 1, errors: [phase 'slow']}

            """)
        let answer = try await workspace.karaffe("test", "t.test.yaml")
        #expect(answer.exit == .exited(1))
        #expect(answer.error == "")
        #expect(
            answer.output == """
                t.test.yaml
                  ok    good
                  FAIL  bad
                        t.test.yaml:15: outputs.save.id
                            expected equals   other
                            got      snapshot-1
                  ok    expected failure
                  FAIL  unexpected failure
                        t.test.yaml:21: error: phase 'bad' (KubeTask): the command failed: exit code 5
                  ok    missing artifact
                  ok    too slow
                4 passed, 2 failed

                """)
        #expect(access("\(workspace.folder)/state", F_OK) != 0)
    }

    /// The blueprints of the project pass their own tests.
    @Test func theExamplesPass() async throws {
        let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        let answer = try await Workspace().karaffe("test", parts.joined(separator: "/") + "/examples/blueprint-tests")
        #expect(answer.exit == .exited(0), "\(answer.output)\(answer.error)")
        #expect(answer.output.hasSuffix("26 passed, 0 failed\n"))
    }
}
