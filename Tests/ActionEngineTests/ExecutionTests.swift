import ActionEngine
import Diagnostics
import GoFormats
import KanisterFunctions
import Testing

/// Group `execution` of the conformance cases, each test named after what the case fixes.
@Suite struct ExecutionTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let id: String
        let phases: [String]
        var deferPhase: String?
        let state: ExecutionState
        let phaseStates: [ExecutionState]
        var deferState: ExecutionState?

        var testDescription: String { id }
    }

    static let rows = [
        Row(id: "ex-01", phases: ["[ok]"], state: .complete, phaseStates: [.complete]),
        Row(id: "ex-02", phases: ["[fail]"], state: .failed, phaseStates: [.failed]),
        Row(id: "ex-03", phases: ["[ok]", "[fail]"], state: .failed, phaseStates: [.complete, .failed]),
        Row(id: "ex-04", phases: ["[fail]", "[ok]"], state: .failed, phaseStates: [.failed, .pending]),
        Row(
            id: "ex-08", phases: ["[ok]", "[ok]"], deferPhase: "[ok]", state: .complete,
            phaseStates: [.complete, .complete], deferState: .complete),
        Row(
            id: "ex-09", phases: ["[ok]", "[fail]"], deferPhase: "[ok]", state: .failed,
            phaseStates: [.complete, .failed], deferState: .complete),
        Row(
            id: "ex-10", phases: ["[ok]", "[ok]"], deferPhase: "[fail]", state: .failed,
            phaseStates: [.complete, .complete], deferState: .failed),
        Row(
            id: "ex-22", phases: ["[ok]", #"["{{ .Options.nope }}"]"#], state: .failed,
            phaseStates: [.complete, .failed]),
    ]

    @Test(arguments: rows)
    func statesAreKanisters(_ row: Row) async throws {
        let phases = row.phases.enumerated().map { (name: "p\($0.offset)", command: $0.element) }
        let scenario = try Scenario(BlueprintText.backup(phases, deferPhase: row.deferPhase))
        let result = await scenario.run()
        #expect(result.record.state == row.state)
        #expect(result.record.phases.map(\.state) == row.phaseStates)
        #expect(result.record.deferPhase?.state == row.deferState)
    }

    @Test func bothFailuresAreReported() async throws {
        // ex-11: Kanister shows only the second.
        let scenario = try Scenario(BlueprintText.backup([("p", "[fail, 4]")], deferPhase: "[fail, 5]"))
        let result = await scenario.run()
        #expect(
            result.record.errors == [
                "phase 'p' (KubeTask): the command failed: exit code 4",
                "phase 'last' (KubeTask): the command failed: exit code 5",
            ])
        #expect(result.failures.map(\.failure.ending) == [.exited(4), .exited(5)])
        #expect(result.failures.first?.failure.lastLines == ["going down"])
    }

    @Test func artifactsSeeOutputsOfPhasesAndDeferPhase() async throws {
        // ex-08, ex-12, oa-02, oa-03, oa-05
        let artifacts = """
                outputArtifacts:
                  one: {kopiaSnapshot: "{{ .Phases.p.Output.k }}"}
                  two: {keyValue: {a: "{{ .Phases.p.Output.k }}", b: "{{ .DeferPhase.Output.d }}"}}
            """
        let scenario = try Scenario(
            BlueprintText.backup([("p", "[ok, k=id1]")], deferPhase: "[ok, d=later]", more: artifacts))
        let result = await scenario.run()
        #expect(result.record.state == .complete)
        #expect(
            result.record.artifacts == [
                RenderedArtifact(name: "one", kopiaSnapshot: "id1"),
                RenderedArtifact(
                    name: "two", keyValue: [.init(key: "a", value: "id1"), .init(key: "b", value: "later")]),
            ])
    }

    @Test func anArtifactOfAnOutputThatWasNeverSetFailsTheAction() async throws {
        // ex-13, oa-04
        let artifact = #"    outputArtifacts: {a: {kopiaSnapshot: "{{ .Phases.p.Output.kopiaOutptu }}"}}"#
        let scenario = try Scenario(BlueprintText.backup([("p", "[ok, kopiaOutput=x]")], more: artifact))
        let result = await scenario.run()
        #expect(result.record.state == .failed)
        #expect(result.record.phases.map(\.state) == [.complete])
        #expect(result.record.artifacts == [])
        #expect(
            scenario.shown(result.diagnostics) == """
                bp.yaml:6:63: error: Failed to render template: "kopiaOutptu" not found in '.Phases.p.Output.kopiaOutptu'
                  6 |     outputArtifacts: {a: {kopiaSnapshot: "{{ .Phases.p.Output.kopiaOutptu }}"}}
                    |                                                               ^~~~~~~~~~~
                  in action 'backup', output artifact 'a', kopiaSnapshot
                  hint: did you mean 'kopiaOutput'? outputs of phase 'p': kopiaOutput

                """)
    }

    @Test func artifactsAreNotRenderedAfterAFailure() async throws {
        // ex-09
        let artifact = #"    outputArtifacts: {a: {kopiaSnapshot: "{{ .Phases.p.Output.k }}"}}"#
        let scenario = try Scenario(BlueprintText.backup([("p", "[ok, k=v]"), ("q", "[fail]")], more: artifact))
        let result = await scenario.run()
        #expect(result.record.artifacts == [])
        #expect(result.record.phases[0].output == JSONObject(["k": "v"]))
    }

    @Test func anActionWithoutPhasesIsComplete() async throws {
        // ex-16: an ActionSet without actions, as near as one action comes to it.
        let result = await (try Scenario(BlueprintText.backup([]))).run()
        #expect(result.record.state == .complete)
    }

    @Test func aProfileIsOptional() async throws {
        // ex-15
        let scenario = try Scenario(BlueprintText.backup([("p", #"[ok, "k={{ toJson .Profile }}"]"#)]))
        let result = await scenario.run()
        #expect(result.record.phases[0].output == JSONObject(["k": "null"]))
    }

    @Test func anUnknownActionIsNamedWithKindAndBlueprint() async throws {
        // ex-19
        var scenario = try Scenario(BlueprintText.backup([("p", "[ok]")]))
        scenario.request.actionName = "backpu"
        let result = await scenario.run()
        #expect(result.record.state == .failed)
        #expect(
            result.diagnostics.map(\.message) == ["Action backpu for object kind Secret not found in blueprint bp"])
        #expect(result.diagnostics.first?.hint == "did you mean 'backup'?")
    }

    @Test func theStepsComeInOrder() async throws {
        // ex-20
        let scenario = try Scenario(BlueprintText.backup([("one", "[ok]"), ("two", "[ok]")], deferPhase: "[ok]"))
        _ = await scenario.run()
        #expect(scenario.executor.phases == ["one", "two", "last"])
    }

    @Test func versionsFallBackForAWholeAction() async throws {
        // ex-06
        var scenario = try Scenario(BlueprintText.backup([("p", "[ok]")]))
        scenario.request.preferredVersion = "v1.2.3"
        #expect(await scenario.run().record.state == .complete)
    }

    @Test func afterAnInterruptionOnlyTheDeferPhaseRuns() async throws {
        // ex-05: Kanister's deferPhase would get a cancelled context.
        let scenario = try Scenario(BlueprintText.backup([("p", "[cancel]"), ("q", "[ok]")], deferPhase: "[ok]"))
        let result = await scenario.run()
        #expect(result.wasInterrupted)
        #expect(scenario.executor.phases == ["p", "last"])
        #expect(result.record.state == .failed)
        #expect(result.record.errors == ["phase 'p' was interrupted"])
        #expect(result.record.deferPhase?.state == .complete)
    }

    @Test func aFunctionThatDoesNotRunHereSaysSo() async throws {
        let text = """
            apiVersion: cr.kanister.io/v1alpha1
            kind: Blueprint
            metadata: {name: bp}
            actions:
              backup:
                phases:
                - {func: KubeExec, name: p, args: {namespace: n, pod: p, command: [c]}}
            """
        let result = await (try Scenario(text)).run()
        #expect(
            result.failures.map(\.failure) == [
                FunctionFailure(
                    "KubeExec cannot run locally: it works inside a container that runs in the cluster",
                    hint:
                        "functions that run locally: KubeOps, KubeTask, MultiContainerRun, ScaleWorkload, Wait, WaitV2")
            ])
    }
}

@Suite struct ActionStateMachineTests {
    @Test func runsPhasesThenDeferPhaseThenArtifacts() {
        var machine = ActionStateMachine(phases: ["a", "b"], deferPhase: "d")
        #expect(machine.start() == .phase(0))
        #expect(machine.status.phases.map(\.state) == [.running, .pending])
        #expect(machine.succeeded(output: JSONObject(["k": "v"])) == .phase(1))
        #expect(machine.succeeded() == .deferPhase)
        #expect(machine.status.deferPhase?.state == .running)
        #expect(machine.succeeded() == .artifacts)
        #expect(machine.succeeded(artifacts: [RenderedArtifact(name: "x")]) == .finished(.complete))
        #expect(machine.status.state == .complete)
        #expect(machine.status.artifacts == [RenderedArtifact(name: "x")])
    }

    @Test func aFailedPhaseGoesToTheDeferPhaseAndStaysFailed() {
        var machine = ActionStateMachine(phases: ["a", "b"], deferPhase: "d")
        _ = machine.start()
        #expect(machine.failed("A") == .deferPhase)
        #expect(machine.status.state == .failed)
        #expect(machine.succeeded() == .finished(.failed))
        #expect(machine.status.phases.map(\.state) == [.failed, .pending])
        #expect(machine.status.errors == ["A"])
    }

    @Test func failedArtifactsFailTheAction() {
        var machine = ActionStateMachine(phases: [], deferPhase: nil)
        #expect(machine.start() == .artifacts)
        #expect(machine.failed("no") == .finished(.failed))
        #expect(machine.status.state == .failed)
    }
}
