import BlueprintRules
import Diagnostics
import Testing

@Suite struct SilencingTests {
    private func found(_ script: [String], strict: Bool = false, head: String = "") -> [String] {
        let text =
            head + """
                apiVersion: cr.kanister.io/v1alpha1
                kind: Blueprint
                metadata:
                  name: bp
                actions:
                  backup:
                    phases:
                    - func: KubeTask
                      name: dump
                      args:
                        image: postgres:17
                        command:
                        - bash
                        - -c
                        - |

                """ + script.map { "          \($0)\n" }.joined()
        var options = ValidationOptions()
        options.isStrict = strict
        return validate([SourceFile(name: "bp.yaml", text: text)], options: options).diagnostics.map { diagnostic in
            "\(diagnostic.range?.start.line ?? 0) \(diagnostic.severity.rawValue) \(diagnostic.rule)"
        }
    }

    @Test func aCommentOnTheLineSilences() {
        #expect(found(["a | b"]) == ["16 warning pipefail"])
        #expect(found(["a | b # karaffe:ignore pipefail"]) == [])
    }

    @Test func aCommentAboveSilences() {
        #expect(found(["# karaffe:ignore pipefail it may fail", "a | b"]) == [])
        #expect(found(["# karaffe:ignore pipefail", "# as said", "a | b"]) == [])
        #expect(found(["# karaffe:ignore pipefail", "c", "a | b"]) == ["18 warning pipefail"])
    }

    @Test func aCommentForTheFileSilencesEverywhere() {
        #expect(found(["a | b"], head: "# karaffe:ignore-file pipefail\n") == [])
    }

    @Test func severalRulesAreSeparatedByCommas() {
        #expect(found(["# karaffe:ignore trailing-sleep, pipefail", "a | b; sleep 1"]) == [])
        #expect(found(["# karaffe:ignore trailing-sleep,pipefail why", "a | b; sleep 1"]) == [])
    }

    @Test func aCommentOfAnotherRuleDoesNot() {
        #expect(found(["a | b # karaffe:ignore trailing-sleep"]) == ["16 warning pipefail"])
    }

    @Test func anUnknownRuleIsReported() {
        #expect(found(["a # karaffe:ignore pipfail"]) == ["16 warning unknown-ignored-rule"])
        #expect(found(["a # karaffe:ignore"]) == ["16 warning unknown-ignored-rule"])
    }

    @Test func aCommentThatSilencesNothingIsANoteWhenStrict() {
        #expect(found(["a # karaffe:ignore pipefail"]) == [])
        #expect(found(["a # karaffe:ignore pipefail"], strict: true) == ["16 note unused-ignore"])
    }

    @Test func otherTextsAreNoComments() {
        #expect(found(["echo x#karaffe:ignore pipefail | b"]) == ["16 warning pipefail"])
        #expect(found(["echo karaffe:ignore pipefail | b"]) == ["16 warning pipefail"])
        #expect(found(["a | b # karaffe:ignored pipefail"]) == ["16 warning pipefail"])
    }

    @Test func rulesCanBeChosen() {
        let source = SourceFile(name: "x.yaml", text: "kind: Blueprint\n")
        var options = ValidationOptions()
        options.only = ["no-actions"]
        #expect(validate([source], options: options).diagnostics.allSatisfy { $0.rule == "no-actions" })
        options.only = nil
        options.except = Set(RuleRegistry.ids)
        #expect(validate([source], options: options).diagnostics == [])
    }
}
