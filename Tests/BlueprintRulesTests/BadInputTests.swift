import BlueprintRules
import Diagnostics
import Testing

/// Whatever the bytes, checking ends, soon, and does not trap.
@Suite struct BadInputTests {
    private static func blueprint(_ script: String) -> SourceFile {
        let quoted =
            "\""
            + script.unicodeScalars.map { scalar -> String in
                switch scalar {
                case "\"": return "\\\""
                case "\\": return "\\\\"
                case "\n": return "\\n"
                default:
                    return scalar.value < 0x20
                        ? "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16) : String(scalar)
                }
            }.joined() + "\""
        return SourceFile(
            name: "bp.yaml",
            text: """
                apiVersion: cr.kanister.io/v1alpha1
                kind: Blueprint
                metadata: {name: bp}
                actions:
                  backup:
                    phases:
                    - func: KubeTask
                      name: a
                      args: {image: x, command: [bash, -c, \(quoted)]}
                """)
    }

    private static let hostile: [String] = [
        String(repeating: "$(", count: 50_000), String(repeating: "(", count: 50_000),
        String(repeating: "`", count: 50_001), String(repeating: "`a ", count: 5_000),
        String(repeating: "'\"", count: 50_001), String(repeating: "<<A\n", count: 20_000),
        String(repeating: "{{", count: 30_000), String(repeating: "{{ .Phases.x }}", count: 500),
        String(repeating: "{{ if .Options.x }}", count: 400), String(repeating: "a | ", count: 30_000),
        String(repeating: "case x in ", count: 20_000), String(repeating: "\\", count: 50_001),
        "{{ " + String(repeating: "(", count: 400) + ".Options.x" + String(repeating: ")", count: 400) + " }}",
        "cat <<", "cat <<'", "$", "{{", "{{\"", "{{/*", "kando output", "kando location push --path", "[[", "`", "$(",
        "###Phase-output###", "###Phase-output###: {\"key\":\"", "x=", "=", "--password=", "case", "esac", ";;", "}}",
    ]

    @Test(arguments: hostile.indices)
    func aHostileScriptIsReadInTime(_ index: Int) {
        let clock = ContinuousClock()
        let time = clock.measure { _ = validate([Self.blueprint(Self.hostile[index])]) }
        #expect(time < .seconds(20))
    }

    @Test func randomScriptsDoNotTrap() {
        var generator = Generator(state: 20_261_125)
        let pieces = [
            "{{ ", " }}", "'", "\"", "`", "$(", ")", "(", "|", "||", "<<E", "\n", "E\n", " ", "\\",
            "{{- if .Options.x }}",
            "{{ end }}", ".Phases.a.Output.b", ".Phases.a.Secrets.s.Data.k", "toJson .Profile", "kando output ", "é",
            "case x in ", ";;", "esac", "[[", "]]", "#", "x=1", "--password=", "$x", "{{ $y := .Time }}", "&", ";",
        ]
        for _ in 0..<600 {
            let script = (0..<Int.random(in: 1...24, using: &generator)).map { _ in
                pieces[Int.random(in: 0..<pieces.count, using: &generator)]
            }.joined()
            _ = validate([Self.blueprint(script)])
        }
    }

    @Test func randomBytesDoNotTrap() {
        var generator = Generator(state: 7)
        for _ in 0..<300 {
            let bytes = (0..<Int.random(in: 0...400, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            let found = validate([SourceFile(name: "x", bytes: bytes)]).diagnostics
            #expect(!found.isEmpty)
        }
    }

    @Test func mutatedBlueprintsDoNotTrap() throws {
        var generator = Generator(state: 99)
        let original = try Fixtures.bytes(Fixtures.folder + "/good/multi-container.yaml")
        for _ in 0..<60 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0...2, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0x20...0x7e, using: &generator)
                case 1: bytes.remove(at: place)
                default: bytes.insert(UInt8.random(in: 0x20...0x7e, using: &generator), at: place)
                }
            }
            for diagnostic in validate([SourceFile(name: "x", bytes: bytes)]).diagnostics {
                #expect(diagnostic.range.map { $0.start <= $0.end } ?? true)
            }
        }
    }

    /// Small, seeded, the same everywhere.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }
}
