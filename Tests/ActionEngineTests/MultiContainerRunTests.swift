import ActionEngine
import GoFormats
import KanisterFunctions
import Testing

@Suite struct MultiContainerRunTests {
    @Test(arguments: Cases.group("multiContainerOverride"))
    func overridesOfTheOneContainerReachAllOfThem(_ vector: Case) {
        let given = vector["actionSet"]?.objectValue
        let hasInit = vector["phaseHasInitImage"]?.boolValue ?? true
        let expanded = MultiContainerRun.expanded(given, hasInit: hasInit)
        switch vector.id {
        case "mo-09": #expect(expanded?["initContainers"] == nil)
        case "mo-10":
            // Values: the caller's cannot change.
            let override = JSONObject(["containers": [["name": "container", "imagePullPolicy": "Always"]]])
            let copy = override
            _ = MultiContainerRun.expanded(override, hasInit: true)
            #expect(override == copy)
        default:
            let wanted = vector["result"] == "unchanged" ? vector["actionSet"] : vector["result"]
            #expect(expanded.map { .object($0) } ?? .null == wanted)
        }
    }

    static func blueprint(_ arguments: String) -> String {
        """
        apiVersion: cr.kanister.io/v1alpha1
        kind: Blueprint
        metadata: {name: bp}
        actions:
          backup:
            phases:
            - func: MultiContainerRun
              name: dump
              args: {backgroundImage: db, backgroundCommand: [dump], outputImage: tools, outputCommand: [push], \(arguments)}

        """
    }

    @Test func thePodIsKanisters() async throws {
        var scenario = try Scenario(
            Self.blueprint(
                "initImage: i, initCommand: [mkfifo], sharedVolumeMedium: Memory, sharedVolumeDir: /data, "
                    + "podLabels: {createdBy: me, a: b}, podOverride: {containers: [{name: output, env: [{name: A, value: b}]}]}"
            ))
        scenario.request.podOverride = JSONObject(["containers": [["name": "container", "imagePullPolicy": "Always"]]])
        let pod = try #require(await scenario.dryRun().pods.first)
        #expect(pod.labels == ["createdBy": "kanister", "a": "b"])
        #expect(pod.annotations == ["kubectl.kubernetes.io/default-container": "output"])
        let containers = try #require(pod.spec["containers"]?.arrayValue)
        #expect(containers.map { $0["name"] } == ["output", "background"])
        #expect(containers.map { $0["imagePullPolicy"] } == ["Always", "Always"])
        #expect(containers[0]["env"] == [["name": "A", "value": "b"]])
        #expect(pod.spec["initContainers"]?.arrayValue?.map { $0["name"] } == ["init"])
        #expect(pod.spec["volumes"] == [["name": "shared", "emptyDir": ["medium": "Memory"]]])
        #expect(pod.mainContainer["volumeMounts"] == [["name": "shared", "mountPath": "/data"]])
        #expect(pod.command == ["push"])
        #expect(pod.backgroundContainer?["command"] == ["dump"])
    }

    @Test func anOverrideOfAContainerThatIsNotThereIsRefused() async throws {
        let scenario = try Scenario(
            Self.blueprint("podOverride: {containers: [{name: container, env: [{name: A, value: b}]}]}"))
        #expect(
            await scenario.dryRun().result.failures.map(\.failure) == [
                FunctionFailure(
                    "podOverride names container 'container', which has no image",
                    hint: "a MultiContainerRun has the containers background, output and, with initImage, init")
            ])
    }
}
