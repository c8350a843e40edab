import GoFormats
import GoTemplate
import Testing

/// The table of functions, and the functions whose results differ from run to run.
@Suite struct FunctionTableTests {
    private func render(_ text: String, _ options: TemplateOptions = TemplateOptions()) throws -> String {
        try Template(parsing: text, options: options).render(.dictionary([:]))
    }

    @Test func sprigAddsItsOneHundredAndFiftyNames() {
        let builtins = Set(FunctionTable.builtins.names)
        let all = Set(FunctionTable.sprig(allowEnvironment: false).names)
        #expect(builtins.count == 19)
        // `slice` is in both.
        #expect(all.count == 19 + 150 - 1)
    }

    @Test func everyFunctionIsDescribed() {
        for function in FunctionTable.sprig(allowEnvironment: true).all {
            #expect(function.summary.hasSuffix("."), "\(function.name)")
            #expect(!function.summary.contains("\n"))
        }
        #expect(
            FunctionTable.sprig(allowEnvironment: true)["default"]?.signature
                == "default(interface {}, ...interface {}) interface {}")
    }

    @Test func unknownFunctionsAreNamedWithWhatThereIs() {
        let error = #expect(throws: TemplateError.self) { try render("{{ fromJson \"{}\" }}") }
        #expect(error?.message == #"template: config:1: function "fromJson" not defined"#)
        #expect(error?.utf8Range == 3..<11)
        #expect(error?.available.contains("toJson") == true)
    }

    @Test(arguments: ["env", "expandenv", "getHostByName"])
    func theMachineIsNotLookedAt(_ name: String) {
        let error = #expect(throws: TemplateError.self) { try render("{{ \(name) \"HOME\" }}") }
        #expect(error?.message.contains("'\(name)' would read the machine") == true)
    }

    @Test func theEnvironmentCanBeAllowed() throws {
        let options = TemplateOptions(functions: .sprig(allowEnvironment: true))
        #expect(try render(#"{{ expandenv "a$NO_SUCH_VARIABLE_${NOR_THIS}z$" }}"#, options) == "az$")
    }

    @Test func ownFunctionsAreChecked() throws {
        let function = TemplateFunction("twice", [.string], result: "string", "The text twice.") { call in
            .string(call.string(0) + call.string(0))
        }
        let options = TemplateOptions(missingKey: .zero, functions: .builtins.adding(function))
        #expect(try render(#"{{ twice "ab" }}"#, options) == "abab")
        let error = #expect(throws: TemplateError.self) { try render("{{ twice 1 }}", options) }
        #expect(error?.message == #"template: config:1:9: executing "config" at <1>: expected string; found 1"#)
        #expect(throws: TemplateError.self) { try render("{{ upper \"a\" }}", options) }
    }

    @Test func theClockIsTheOptions() throws {
        var options = TemplateOptions(now: { Timestamp(seconds: 1_700_000_000) })
        #expect(try render(#"{{ now | date "2006-01-02 15:04 MST" }}"#, options) == "2023-11-14 22:13 UTC")
        #expect(try render(#"{{ ago (int64 1699996400) }}"#, options) == "1h0m0s")
        #expect(try render(#"{{ "2020" | date "2006" }}"#, options) == "2023")
        options.localZone = try #require(GoZone.named("Europe/Berlin"))
        #expect(try render(#"{{ now | date "15:04 MST" }}"#, options) == "23:13 CET")
    }

    @Test func randomTextHasItsShape() throws {
        let options = TemplateOptions(randomBytes: { Array(repeating: 7, count: $0) })
        #expect(try render("{{ randNumeric 4 }}", options).allSatisfy(\.isNumber))
        #expect(try render("{{ randAlpha 20 }}").utf8.count == 20)
        #expect(try render("{{ uuidv4 }}", options) == "07070707-0707-4707-8707-070707070707")
        #expect(try render("{{ shuffle \"abc\" | len }}") == "3")
    }

    @Test func encryptionCanBeUndone() throws {
        #expect(try render(#"{{ encryptAES "secret" "plain text" | decryptAES "secret" }}"#) == "plain text")
        // Made with sprig 2.22.0.
        #expect(
            try render(#"{{ decryptAES "secretkey" "30tEfhuJSVRhpG97XCuWgz2okj7L8vQ1s6V9zVUPeDQ=" }}"#)
                == "plaintext")
    }

    @Test func keysAreRefusedInKanistersWords() throws {
        #expect(try render(#"{{ genPrivateKey "ecdsa" }}"#).hasPrefix("-----BEGIN EC PRIVATE KEY-----\n"))
        #expect(try render(#"{{ genPrivateKey "ed25519" }}"#) == "Unknown type ed25519")
        let error = #expect(throws: TemplateError.self) { try render(#"{{ genPrivateKey "dsa" }}"#) }
        #expect(
            error?.message.hasSuffix(
                "sprig usage of 'genPrivateKey for dsa' is not allowed by kanister as it is not FIPS compatible")
                == true)
    }

    @Test func certificatesAreSignedByTheirAuthority() throws {
        let text = #"""
            {{ $ca := genCA "root" 1 }}{{ $c := genSignedCert "host" (list "10.0.0.1") (list "a.example") 1 $ca -}}
            {{ contains "BEGIN CERTIFICATE" $c.Cert }} {{ contains "BEGIN RSA PRIVATE KEY" $c.Key }} {{ typeOf $c -}}
            {{ $b := buildCustomCert (b64enc $c.Cert) (b64enc $c.Key) }} {{ eq $b.Cert $c.Cert }}
            """#
        #expect(try render(text) == "true true sprig.certificate true")
    }
}
