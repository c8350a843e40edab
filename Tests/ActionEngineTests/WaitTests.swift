import ActionEngine
import GoFormats
import KanisterFunctions
import Synchronization
import Testing

@Suite struct WaitTests {
    @Test(arguments: Cases.group("jsonpathFind"))
    func pathsAreFoundInConditions(_ vector: Case) {
        var found: [String: String] = [:]
        for place in WaitCondition.paths(in: vector["text"]?.stringValue ?? "") { found[place.found] = place.path }
        #expect(found == vector.strings("found"))
    }

    static let conditions = (Cases.kanister["waitConditions"]?["cases"]?.arrayValue ?? []).map { Case(json: $0) }

    @Test(arguments: conditions)
    func conditionsAreEvaluatedAsInKanister(_ vector: Case) throws {
        let object = try #require(Cases.kanister["waitConditions"]?["object"])
        let condition = WaitCondition(
            vector["condition"]?.stringValue ?? "", form: vector["func"] == "Wait" ? .paths : .template)
        // wc-09 is refused by validation already.
        #expect((condition.syntaxProblem != nil) == (vector.id == "wc-09"))
        if vector["error"] == true || vector.id == "wc-09" {
            #expect(throws: FunctionFailure.self) { try condition.value(on: object) }
        } else {
            #expect((try condition.value(on: object) == "true") == vector["true"]?.boolValue)
        }
    }

    @Test(arguments: [
        (".status.conditions[0].type", "Available"), (".status.conditions[-1].type", "Progressing"),
        (".status.conditions[*].type", "Available Progressing"), (".status['phase']", "Active"),
        (".status.conditions[0:1].type", "Available"), (".status.conditions[?(@.status != 'True')].type", ""),
        (".spec", #"{"replicas":3}"#), (".status.conditions[?(@.type)].status", "True True"),
    ])
    func pathsLeadWhereKubectlGoes(_ path: String, _ expected: String) throws {
        let object = try #require(Cases.kanister["waitConditions"]?["object"])
        if expected.isEmpty {
            #expect(throws: FunctionFailure("type is not found")) {
                try WaitCondition("{$\(path)}", form: .paths).value(on: object)
            }
        } else {
            #expect(try WaitCondition("{$\(path)}", form: .paths).value(on: object) == expected)
        }
    }

    @Test(arguments: [".a..b", ".a[", ".a['x','y']", ".a[?(b == 1)]"])
    func whatIsNoPathIsRefused(_ path: String) {
        #expect(WaitCondition("{$\(path)}", form: .paths).syntaxProblem != nil)
    }

    static func wait(_ conditions: String, function: String = "WaitV2", timeout: String = "1s") -> String {
        """
        apiVersion: cr.kanister.io/v1alpha1
        kind: Blueprint
        metadata: {name: bp}
        actions:
          backup:
            phases:
            - func: \(function)
              name: ready
              args: {timeout: "\(timeout)", conditions: \(conditions)}

        """
    }

    static func item(_ condition: String) -> String {
        "{condition: '\(condition)', objectReference: {apiVersion: v1, resource: secrets, name: '{{ .Object.metadata.name }}', "
            + "namespace: app1}}"
    }

    @Test(arguments: Cases.group("waitLoop"))
    func conditionsAreCombinedAsInKanister(_ vector: Case) async throws {
        func list(_ name: String) -> String {
            let items = (vector[name]?.arrayValue ?? []).map { value in
                Self.item(value == "error" ? "{{ .no.such.field }}" : "\(value.boolValue == true)")
            }
            return "\(name): [\(items.joined(separator: ", "))]"
        }
        let scenario = try Scenario(Self.wait("{\(list("anyOf")), \(list("allOf"))}"))
        let result = await scenario.run()
        // wl-04 and wl-05 are defects of Kanister: every condition is looked at, and none at all is refused.
        let isMet = vector["result"] == "met" || vector.id == "wl-04"
        #expect(result.record.state == (isMet ? .complete : .failed))
        if vector.id == "wl-03" {
            #expect(result.failures.first?.failure.message == vector["result"]?.stringValue)
        }
        if vector.id == "wl-05" {
            #expect(result.failures.first?.failure.message == "WaitV2 has no conditions and would wait for ever")
        }
    }

    @Test func aTimeoutIsHonouredAndTheLastValuesAreTold() async throws {
        let scenario = try Scenario(
            Self.wait("{allOf: [\(Self.item("{{ .kind }}"))]}", timeout: "120ms"))
        let start = ContinuousClock.now
        let result = await scenario.run()
        #expect(ContinuousClock.now - start >= .milliseconds(120))
        #expect(
            result.failures.map(\.failure) == [
                FunctionFailure(
                    "Failed to wait for the condition to be met",
                    hint: "waited 120ms; last: secrets app1/app1: 'Secret'")
            ])
    }

    @Test func aCopyIsLookedAtOnce() async throws {
        let scenario = try Scenario(Self.wait("{allOf: [\(Self.item("false"))]}", timeout: "10h"))
        let result = await ActionRunner(
            functions: LocalFunctions.registry, cluster: ClusterCopy(of: scenario.cluster), executor: scenario.executor
        ).run(scenario.request)
        #expect(
            result.failures.first?.failure.hint
                == "the copy of the cluster does not change by itself, so it did not wait; last: secrets app1/app1: 'false'"
        )
    }

    @Test func waitRendersItsTimeoutAndWaitV2DoesNot() async throws {
        let timeout = "{{ .Options.t }}"
        for (function, state) in [("Wait", ExecutionState.complete), ("WaitV2", .failed)] {
            var scenario = try Scenario(
                Self.wait("{allOf: [\(Self.item("true"))]}", function: function, timeout: timeout))
            scenario.request.options["t"] = "1s"
            #expect(await scenario.run().record.state == state)
        }
    }

    @Test func base64decodeIsThereInWaitV2() async throws {
        let condition = WaitCondition("{{ base64decode .data.x }}", form: .template)
        #expect(try condition.value(on: ["data": ["x": "dHJ1ZQ=="]]) == "true")
        #expect(throws: FunctionFailure.self) { try condition.value(on: ["data": ["x": "?"]]) }
    }
}
