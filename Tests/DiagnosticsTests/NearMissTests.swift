import Diagnostics
import Testing

struct NearMissTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let word: String
        let candidates: [String]
        let expected: [String]
        var testDescription: String { "'\(word.prefix(20))'" }
    }

    @Test(
        arguments: [
            Case(word: "dumpp", candidates: ["record", "dump"], expected: ["dump"]),
            Case(word: "backupPostHook", candidates: ["backup", "backupPosthook"], expected: ["backupPosthook"]),
            Case(word: "KubeTsak", candidates: ["KubeExec", "KubeTask"], expected: ["KubeTask"]),
            Case(word: "kube-task", candidates: ["KubeTask"], expected: ["KubeTask"]),
            Case(word: "fucn", candidates: ["func", "name"], expected: ["func"]),
            Case(word: "nmae", candidates: ["func", "name"], expected: ["name"]),
            Case(word: "x", candidates: ["y", "z"], expected: []),
            Case(word: "spec", candidates: ["actions", "metadata"], expected: []),
            Case(word: "name", candidates: ["name"], expected: []),
            Case(word: "", candidates: ["a"], expected: []),
            Case(
                word: "phase1x", candidates: ["phase1", "phase2", "phase3", "phase4"],
                expected: ["phase1", "phase2", "phase3"]),
            Case(word: String(repeating: "a", count: 5000), candidates: ["a"], expected: []),
        ]) func findsWhatWasMeant(_ test: Case)
    {
        #expect(closestMatches(to: test.word, among: test.candidates) == test.expected)
    }

    @Test func hintNamesTheCandidates() {
        #expect(nearMissHint(for: "dumpp", among: ["dump", "dumps"]) == "did you mean 'dump' or 'dumps'?")
        #expect(nearMissHint(for: "zebra", among: ["dump"]) == nil)
    }
}
