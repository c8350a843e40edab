import ActionEngine
import ArgumentParser
import BlueprintRules
import Blueprints
import Diagnostics
import RunnerContract

/// How `validate` writes what it found.
enum ReportFormat: String, CaseIterable, ExpressibleByArgument {
    case text
    case json
    case sarif
    case github
}

/// `karaffe validate`: every problem of every file in one run.
struct ValidateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Report every problem of blueprints, bindings, ActionSets and Profiles.",
        discussion: """
            Checks the structure of each document, functions and their arguments, every template, what templates refer to, \
            and the hazards of shell scripts. 'karaffe explain RULE' says more about a finding; a comment \
            '# karaffe:ignore RULE' on its line or on the line above silences it.

            Of a folder only files that could hold such documents are looked at. Exit code 0 when there is no error, 1 when \
            there is one, 3 when a file could not be read. The formats json, sarif and github go to standard output.
            """)

    @Argument(
        help: ArgumentHelp("Files, or folders of *.yaml, *.yml and *.json files.", valueName: "file-or-dir"))
    var paths: [String]

    @Option(help: ArgumentHelp("text, json, sarif or github.", valueName: "format"))
    var format = ReportFormat.text

    @Flag(help: "Warnings count as errors, and comments that silence nothing are reported.")
    var strict = false

    @Option(
        name: .customLong("rule"), help: ArgumentHelp("Report only this rule. May be repeated.", valueName: "rule"))
    var only: [String] = []

    @Option(
        name: .customLong("no-rule"), help: ArgumentHelp("Leave this rule out. May be repeated.", valueName: "rule"))
    var except: [String] = []

    @Option(
        name: .customLong("cluster-dir"),
        help: ArgumentHelp(
            "Folder of manifests that stands in for the cluster: objects of phases and their keys are looked up there.",
            valueName: "dir"))
    var clusterFolder: String?

    @Option(
        name: .customLong("preferred-version"),
        help: ArgumentHelp("Version of the functions to check against, as in an ActionSet.", valueName: "version"))
    var version = ""

    func validate() throws {
        for rule in only + except where RuleRegistry.rule(rule) == nil {
            let near = nearMissHint(for: rule, among: RuleRegistry.ids) ?? "'karaffe explain --list' names them all"
            throw ValidationError("there is no rule '\(rule)'; \(near)")
        }
    }

    func run() async throws {
        var sources: [SourceFile] = []
        var unreadable: [Diagnostic] = []
        for path in paths { read(path, into: &sources, &unreadable) }
        var options = ValidationOptions()
        options.preferredVersion = version
        options.only = only.isEmpty ? nil : Set(only)
        options.except = Set(except)
        options.isStrict = strict
        if let clusterFolder {
            let folder = ClusterFolder(reading: clusterFolder)
            unreadable += folder.diagnostics.filter { $0.severity == .error }
            options.cluster = folder.cluster
        }
        let found = BlueprintRules.validate(sources, options: options).diagnostics
        report(unreadable + found, sources)
        if !unreadable.isEmpty { throw Exit(.input) }
        let fails = found.contains { $0.severity == .error || strict && $0.severity == .warning }
        if fails { throw Exit(.failed) }
    }

    private func report(_ diagnostics: [Diagnostic], _ sources: [SourceFile]) {
        // Findings about Secrets never hold their values; nothing else that is read here is secret.
        let output = Output(secrets: KnownSecrets(), reveals: true)
        switch format {
        case .text:
            output.report(diagnostics, sources: sources)
            if !diagnostics.contains(where: { $0.severity == .error }) {
                output.say("\(sources.count) \(sources.count == 1 ? "file" : "files") without errors")
            }
        case .json: output.data(Report.json(diagnostics))
        case .sarif: output.data(Report.sarif(diagnostics, version: ProgramVersion.current))
        case .github: output.data(Report.github(diagnostics))
        }
    }

    private func read(_ path: String, into sources: inout [SourceFile], _ unreadable: inout [Diagnostic]) {
        let isFolder = Files.isFolder(path)
        do throws(FileError) {
            let files = isFolder ? try Files.manifests(in: path) : [path]
            if files.isEmpty {
                unreadable.append(
                    Diagnostic(
                        rule: "file", "there are no *.yaml, *.yml or *.json files in \(path)", hint: Self.fileHint))
            }
            for file in files { read(file, isNamed: !isFolder, into: &sources, &unreadable) }
        } catch {
            unreadable.append(Diagnostic(rule: "file", error.message, hint: Self.fileHint))
        }
    }

    private func read(
        _ file: String, isNamed: Bool, into sources: inout [SourceFile], _ unreadable: inout [Diagnostic]
    ) {
        guard !sources.contains(where: { $0.name == file }) else { return }
        do throws(FileError) {
            let source = try Files.source(file)
            if isNamed || source.mayHoldBlueprints { sources.append(source) }
        } catch {
            unreadable.append(Diagnostic(rule: "file", error.message, hint: isNamed ? Self.fileHint : nil))
        }
    }

    private static let fileHint = "give files with Blueprints, or folders of *.yaml, *.yml and *.json files"
}
