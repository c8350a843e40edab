import ActionEngine
import ArgumentParser
import Diagnostics
import GoFormats
import KanisterFunctions
import RunnerContract

/// `karaffe render`: what an action would do, without doing it.
struct RenderCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "render", abstract: "Show what an action would do: every phase, object and artifact.",
        discussion: """
            Nothing runs. A value that is only known at run time shows as a placeholder, for example \
            <phase backupData: kopiaOutput>. Secrets are masked.

            With --diff OTHER another blueprint is rendered with the same inputs, and what changes from OTHER to this one is \
            shown as a unified diff of the YAML form: exit code 0 without differences, 1 with.
            """)

    enum Form: String, ExpressibleByArgument, CaseIterable {
        case text, yaml, json, script, pod
    }

    @OptionGroup var input: InputOptions

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("Form of the result: text, yaml, json, script or pod.", valueName: "form"))
    var form = Form.text

    @Option(
        name: .customLong("set-output"),
        help: ArgumentHelp(
            "Output a phase is taken to have: PHASE.KEY=VALUE. May be repeated.", valueName: "phase.key=value"))
    var outputs: [String] = []

    @Option(
        help: ArgumentHelp(
            "Show the differences to another blueprint, rendered with the same inputs.", valueName: "other"))
    var diff: String?

    func run() async throws {
        if let diff { return try await compare(with: diff) }
        let (document, output) = try await render(self.input)
        switch form {
        case .text: output.data(document.text)
        case .yaml: output.data(YAMLWriter.text(document.json))
        case .json:
            output.data(
                GoJSON.text(
                    document.json, style: .init(escapesHTML: false, indent: "  ", endsWithNewline: true)))
        case .script: output.data(document.script)
        case .pod: output.data(document.podManifests)
        }
    }

    /// One diagnostic for each cause: a missing option that ten templates read is one problem.
    private static func collapsed(_ diagnostics: [Diagnostic]) -> [Diagnostic] {
        struct Cause: Hashable {
            let message: String
            let hint: String?
        }
        func cause(_ diagnostic: Diagnostic) -> Cause? {
            diagnostic.rule == "template-rendering" ? Cause(message: diagnostic.message, hint: diagnostic.hint) : nil
        }
        let counts = Dictionary(grouping: diagnostics.compactMap(cause)) { $0 }.mapValues(\.count)
        var seen: Set<Cause> = []
        return diagnostics.compactMap { diagnostic in
            guard let cause = cause(diagnostic), let count = counts[cause], count > 1 else { return diagnostic }
            guard seen.insert(cause).inserted else { return nil }
            let more = "\(count - 1) more place\(count == 2 ? "" : "s")"
            return Diagnostic(
                diagnostic.severity, rule: diagnostic.rule, diagnostic.message, at: diagnostic.range,
                context: [diagnostic.context, "and in \(more)"].compactMap { $0 }.joined(separator: ", "),
                hint: diagnostic.hint)
        }
    }

    private func compare(with other: String) async throws {
        var options = input
        options.blueprint = other
        // Without a time both would say when they were rendered.
        if options.time == nil { options.time = Timestamp.now().description }
        var own = input
        own.time = options.time
        let (old, _) = try await render(options)
        let (new, output) = try await render(own)
        let diff = TextDiff.unified(
            YAMLWriter.text(old.json), YAMLWriter.text(new.json), from: other, to: input.blueprint)
        guard let diff else { return }
        output.data(diff)
        throw Exit(.failed)
    }

    private func render(_ options: InputOptions) async throws -> (RenderedDocument, Output) {
        var input = try ActionInput.read(options, knownOutputs: outputs)
        let output = input.output(reveals: self.input.reveal)
        let executor = DryRunExecutor()
        let runner = ActionRunner(
            functions: LocalFunctions.registry,
            cluster: SecretRecordingCluster(input.cluster, secrets: input.secrets), executor: executor,
            templateOptions: self.input.templates.options)
        let result = await runner.run(input.request)
        input.diagnostics += result.diagnostics
        output.report(Self.collapsed(input.diagnostics), sources: input.sources)
        for failure in result.failures {
            output.say("error: phase '\(failure.phase)' (\(failure.function)): \(failure.failure)")
        }
        guard !input.hasErrors, result.failures.isEmpty else { throw Exit(.input) }
        return (RenderedDocument(input: input, result: result, pods: executor.pods, output: output), output)
    }
}
