import BlueprintRules
import Blueprints
import Diagnostics
import GoFormats
import Testing

@Suite struct FaultTests {
    /// Place, rule, severity, message and hint, exactly and nothing else.
    @Test(arguments: Fault.all)
    func aSeededFaultIsFoundAtItsPlace(_ fault: Fault) throws {
        let source = try Fixtures.source("\(Fixtures.folder)/faults/\(fault.id).yaml", name: "\(fault.id).yaml")
        var options = ValidationOptions()
        if fault.id.hasPrefix("cluster-") { options.cluster = try Fixtures.cluster() }
        let found = try JSONParser.parse(Array(Report.json(validate([source], options: options).diagnostics).utf8))
        #expect(found == .array(fault.expected))
    }

    @Test func everyFaultHasAFileAndEveryFileAnExpectation() {
        let files = Fixtures.files(in: Fixtures.folder + "/faults", suffix: ".yaml")
        let names = files.map { String($0.split(separator: "/").last?.dropLast(5) ?? "") }
        #expect(names.sorted() == Fault.all.map(\.id).sorted())
        #expect(names.count >= 80)
    }

    /// Every rule of ours that needs no run is broken by some fixture.
    @Test func everyRuleAboutBlueprintsIsSeeded() {
        let seeded = Set(Fault.all.flatMap(\.expected).compactMap { $0["rule"]?.stringValue })
        let groups = RuleRegistry.groups.filter { ["templates", "phases", "shell scripts"].contains($0.title) }
        #expect(groups.flatMap(\.rules).map(\.id).filter { !seeded.contains($0) } == [])
    }

    @Test(arguments: Fixtures.files(in: Fixtures.folder + "/good", suffix: ".yaml"))
    func aCorrectBlueprintGivesNoFinding(_ path: String) throws {
        var options = ValidationOptions()
        options.isStrict = true
        #expect(validate([try Fixtures.source(path)], options: options).diagnostics == [])
    }

    @Test(arguments: ["blueprints", "examples"])
    func ourOwnFilesGiveNoFinding(_ folder: String) throws {
        let sources = try Fixtures.files(in: "\(Fixtures.repository)/\(folder)", suffix: ".yaml")
            .map { try Fixtures.source($0) }.filter(\.mayHoldBlueprints)
        #expect(!sources.isEmpty)
        var options = ValidationOptions()
        options.isStrict = true
        #expect(validate(sources, options: options).diagnostics == [])
    }

    @Test func valuesOfSecretsAreInNoFinding() throws {
        var options = ValidationOptions()
        options.cluster = try Fixtures.cluster()
        let sources = try Fault.all.map { try Fixtures.source("\(Fixtures.folder)/faults/\($0.id).yaml") }
        let found = validate(sources, options: options).diagnostics
        let texts = [Report.json(found), Report.sarif(found, version: "1"), Report.github(found)]
        #expect(texts.allSatisfy { !$0.contains("sentinel-7f3a") })
    }
}
