import ActionEngine
import ArgumentParser
import Diagnostics
import ProcessIO
import RunnerContract

/// `karaffe test`: unit tests of blueprints.
struct TestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test", abstract: "Run unit tests of blueprints: what actions must render to, or do.",
        discussion: """
            Tests are in files named *.test.yaml: a blueprint, a cluster folder, an object, a profile, options, artifacts and \
            outputs for an action, and what its phases and artifacts must be. Actions are only rendered, unless a test has \
            'run: true': then its phases run on this machine as with karaffe run. Paths start at the test file. Exit code 0 when every test passed, 1 when one failed, 3 when a test file cannot be read.
            """)

    @Argument(help: ArgumentHelp("Folders with test files, or test files.", valueName: "dir"))
    var paths: [String]

    @Flag(help: "Write snapshot files anew instead of comparing with them.")
    var update = false

    private static let endings = [".test.yaml", ".test.yml"]

    func run() async throws {
        // A test may have started processes.
        try await withInterruption { try await runTests() }
    }

    private func runTests() async throws {
        let output = Output(secrets: KnownSecrets(), reveals: true)
        var (passed, failed, updated) = (0, 0, 0)
        for file in try files(output) {
            output.tell(file)
            for test in try tests(in: file, output) {
                try Task.checkCancellation()
                var run = BlueprintTestRun(test, file: file, updates: update)
                await run.run()
                updated += run.hasUpdated ? 1 : 0
                if run.failures.isEmpty {
                    passed += 1
                    output.tell("  ok    \(test.name)" + (run.hasUpdated ? " (snapshot written)" : ""))
                } else {
                    failed += 1
                    output.tell("  FAIL  \(test.name)")
                    for failure in run.failures {
                        for line in failure.split(separator: "\n", omittingEmptySubsequences: false) {
                            output.tell(line.isEmpty ? "" : "        \(line)")
                        }
                    }
                }
            }
        }
        output.tell("\(passed) passed, \(failed) failed")
        if failed > 0 { throw Exit(.failed) }
    }

    private func files(_ output: Output) throws -> [String] {
        var files: [String] = []
        for path in paths {
            guard Files.isFolder(path) else {
                files.append(path)
                continue
            }
            let found: [String]
            do throws(FileError) {
                found = try Files.manifests(in: path).filter { name in Self.endings.contains { name.hasSuffix($0) } }
            } catch {
                output.say("error: \(error.message)\n  hint: give a folder with *.test.yaml files")
                throw Exit(.input)
            }
            guard !found.isEmpty else {
                output.say("error: there are no test files in \(path)\n  hint: their names end with .test.yaml")
                throw Exit(.input)
            }
            files += found
        }
        return files
    }

    private func tests(in file: String, _ output: Output) throws -> [BlueprintTest] {
        do {
            let source = try Files.source(file)
            var reader = BlueprintTestReader(file: file)
            let tests = reader.read(source)
            output.report(reader.diagnostics, sources: [source])
            guard !reader.diagnostics.contains(where: { $0.severity == .error }) else { throw Exit(.input) }
            return tests
        } catch let error as FileError {
            output.say("error: \(error.message)\n  hint: give a *.test.yaml file, or a folder with some")
            throw Exit(.input)
        }
    }
}
