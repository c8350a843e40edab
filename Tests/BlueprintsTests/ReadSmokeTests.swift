import Blueprints
import Diagnostics
import Testing

struct ReadSmokeTests {
    @Test func readsABlueprint() throws {
        let text = """
            apiVersion: cr.kanister.io/v1alpha1
            kind: Blueprint
            metadata: {name: bp, namespace: kasten-io}
            actions:
              backup:
                outputArtifacts:
                  pg: {kopiaSnapshot: "{{ .Phases.dump.Output.x }}"}
                phases:
                - func: KubeTask
                  name: dump
                  args:
                    image: i
                    command:
                    - |
                      echo {{ .Foo }}
                      done
            """
        let (blueprint, diagnostics) = readBlueprint(SourceFile(name: "bp.yaml", text: text))
        #expect(diagnostics == [])
        let phase = try #require(blueprint?.action("backup")?.phases.first)
        #expect(phase.function.text == "KubeTask")
        let command = try #require(phase.argument("command")?.sequence?.first)
        let range = command.range(ofUTF8: 5..<15)
        #expect(range.start == SourcePosition(line: 15, column: 16))
        #expect(range.end == SourcePosition(line: 15, column: 26))
    }
}
