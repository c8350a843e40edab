import ActionEngine
import ArgumentParser
import Blueprints
import Diagnostics
import KanisterFunctions
import RunnerContract

/// `karaffe validate`: every problem of every file in one run.
struct ValidateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Report every problem of blueprints, bindings, ActionSets and Profiles.",
        discussion: """
            Checks the structure of each document, functions and their arguments, the syntax of every template and references \
            to phases. Exit code 0 when there is no error, warnings or not; else 3.
            """)

    @Argument(
        help: ArgumentHelp("Files, or folders of *.yaml, *.yml and *.json files.", valueName: "file-or-dir"))
    var paths: [String]

    @Option(
        name: .customLong("preferred-version"),
        help: ArgumentHelp("Version of the functions to check against, as in an ActionSet.", valueName: "version"))
    var version = ""

    func run() async throws {
        var sources: [SourceFile] = []
        var diagnostics: [Diagnostic] = []
        for file in paths.flatMap({ files(at: $0, &diagnostics) }) {
            do throws(FileError) {
                let source = try Files.source(file)
                sources.append(source)
                diagnostics += problems(of: source)
            } catch {
                diagnostics.append(Diagnostic(rule: "file", error.message))
            }
        }
        let output = Output(secrets: KnownSecrets(), reveals: true)
        output.report(diagnostics, sources: sources)
        if diagnostics.contains(where: { $0.severity == .error }) { throw Exit(.input) }
        output.say("\(sources.count) \(sources.count == 1 ? "file" : "files") without errors")
    }

    private func files(at path: String, _ diagnostics: inout [Diagnostic]) -> [String] {
        guard Files.isFolder(path) else { return [path] }
        do throws(FileError) {
            let files = try Files.manifests(in: path)
            if files.isEmpty {
                diagnostics.append(Diagnostic(rule: "file", "there are no *.yaml, *.yml or *.json files in \(path)"))
            }
            return files
        } catch {
            diagnostics.append(Diagnostic(rule: "file", error.message))
            return []
        }
    }

    private func problems(of source: SourceFile) -> [Diagnostic] {
        var (manifests, diagnostics) = readManifests(source)
        for manifest in manifests {
            switch manifest {
            case .blueprint(let blueprint):
                diagnostics += BlueprintChecks.problems(
                    of: blueprint, functions: LocalFunctions.registry, version: version)
            case .profile, .actionSet, .blueprintBinding, .object: break
            }
        }
        return diagnostics
    }
}
