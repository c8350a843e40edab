import GoTemplate
import Testing

/// Values a dry run does not know flow through templates without failing them.
@Suite struct PlaceholderTests {
    private static let root = GoValue.dictionary([
        "out": .placeholder("phase p: k"), "known": .string("x"), "list": .list([.placeholder("phase p: e")]),
    ])

    struct Case: Sendable, CustomTestStringConvertible {
        let template: String
        let text: String
        var testDescription: String { template }
    }

    static let cases: [Case] = [
        Case(template: "{{ .out }}", text: "<phase p: k>"),
        Case(template: "{{ .out.x.y }}", text: "<phase p: k.x.y>"),
        Case(template: #"{{ index .out "a-b" 0 }}"#, text: "<phase p: k.a-b[0]>"),
        Case(template: "{{ if .out }}yes{{ else }}no{{ end }}", text: "yes"),
        Case(template: "{{ with .out }}{{ .x }}{{ end }}", text: "<phase p: k.x>"),
        Case(template: "{{ .out | quote }}", text: #""<phase p: k>""#),
        Case(template: "{{ .out | squote }}", text: "'<phase p: k>'"),
        Case(template: "{{ .out | toString }}", text: "<phase p: k>"),
        Case(template: "{{ .out | toString | b64dec }}", text: "<phase p: k | b64dec>"),
        Case(template: "{{ .out | atoi | add 1 }}", text: "<phase p: k | atoi | add>"),
        Case(template: #"{{ toDate "2006" .out | date "2006" }}"#, text: "<phase p: k | toDate | date>"),
        Case(template: "{{ toJson .out }}", text: #""<phase p: k>""#),
        Case(template: "{{ toJson (dict \"a\" .out) }}", text: #"{"a":"<phase p: k>"}"#),
        Case(template: #"{{ printf "%s-%d" .known .out }}"#, text: "x-<phase p: k>"),
        Case(template: #"{{ cat .known .out }}"#, text: "x <phase p: k>"),
        Case(template: #"{{ default "d" .out }}"#, text: "<phase p: k>"),
        Case(template: #"{{ eq .out "x" }} {{ ne .out "x" }} {{ lt .out 1 }}"#, text: "false false false"),
        Case(template: "{{ range .out }}[{{ . }}]{{ end }}", text: "[<phase p: k[*]>]"),
        Case(template: #"{{ .out | trimSuffix ">" }}"#, text: "<phase p: k"),
        Case(template: #"{{ join "," .list }}"#, text: "<phase p: e>"),
        Case(template: "{{ len .out }}", text: "<phase p: k | len>"),
        Case(template: #"{{ .out | replace "p" "q" }}"#, text: "<qhase q: k>"),
        Case(template: "{{ and .out .known }}{{ or .out .known }}{{ not .out }}", text: "x<phase p: k>false"),
        Case(template: "{{ .out | indent 2 }}", text: "  <phase p: k>"),
    ]

    @Test(arguments: cases)
    func placeholdersFlowThrough(_ test: Case) throws {
        #expect(try Template(parsing: test.template).render(Self.root) == test.text)
    }

    @Test(arguments: FunctionTable.sprig(allowEnvironment: false).names)
    func noFunctionFailsOnAPlaceholder(_ name: String) throws {
        let function = try #require(FunctionTable.sprig(allowEnvironment: false)[name])
        // These fail whatever they are given.
        guard !["fail", "derivePassword", "hello", "now", "uuidv4", "env", "expandenv", "getHostByName"].contains(name)
        else { return }
        let count = function.parameters.count + (function.variadic == nil ? 0 : 1)
        guard count > 0 else { return }
        let arguments = Array(repeating: ".out", count: count).joined(separator: " ")
        #expect(throws: Never.self) { try Template(parsing: "{{ \(name) \(arguments) }}").render(Self.root) }
    }
}
