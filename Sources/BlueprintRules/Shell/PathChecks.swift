import Blueprints
import Diagnostics
import GoTemplate

/// Paths that backup and restore must agree on, and paths built from a time that differs between them.
struct PathChecks {
    let facts: BlueprintFacts
    let options: TemplateOptions

    /// A call of kando or pod-runner that names a path.
    private struct Call {
        let path: ShellScript.Word
        let lastPart: String
        let isWriting: Bool
        let command: PhaseCommand
        let context: String
    }

    func check(into findings: inout Findings) {
        var calls: [Call] = []
        for action in facts.blueprint.actions {
            for phase in action.phases + (action.deferPhase.map { [$0] } ?? []) {
                let context = "in action '\(action.name.text)', phase '\(phase.name.text)'"
                for command in PhaseCommand.all(of: phase) { calls += Self.calls(command, context) }
            }
            checkTimes(action, &findings)
        }
        checkParts(calls, &findings)
    }

    private static func calls(_ command: PhaseCommand, _ context: String) -> [Call] {
        let variables = command.shell.variables
        return command.shell.commands.compactMap { call in
            let words = Array(call.arguments.dropFirst())
            let verbs = words.prefix(2).map(\.text)
            let isWriting: Bool
            switch (call.program, verbs.first, verbs.last) {
            case ("kando", "location"?, "push"?), ("pod-runner", "location"?, "push"?), ("pod-runner", "backup"?, _):
                isWriting = true
            case ("kando", "location"?, "pull"?), ("pod-runner", "location"?, "pull"?), ("pod-runner", "restore"?, _):
                isWriting = false
            default: return nil
            }
            guard let path = Flags(words).value("--path", short: "-s") else { return nil }
            let part = lastPart(resolved(path.text, variables))
            return Call(path: path, lastPart: part, isWriting: isWriting, command: command, context: context)
        }
    }

    /// The value of `$NAME` or `${NAME}` when it is assigned once in the script.
    private static func resolved(_ text: String, _ variables: [String: ShellScript.Word]) -> String {
        var text = text
        for _ in 0..<4 {
            guard text.hasPrefix("$") else { return text }
            let name = String(text.dropFirst().filter { $0 != "{" && $0 != "}" })
            guard let value = variables[name] else { return text }
            text = value.text
        }
        return text
    }

    private static func lastPart(_ path: String) -> String {
        String(path.split(separator: "/").last ?? "")
    }

    private static func isPlain(_ part: String) -> Bool {
        !part.isEmpty && !part.contains("$") && !part.contains("{") && !part.contains("`")
    }

    private func checkParts(_ calls: [Call], _ findings: inout Findings) {
        let written = calls.filter(\.isWriting).map(\.lastPart)
        guard !written.isEmpty, written.allSatisfy(Self.isPlain) else { return }
        for call in calls where !call.isWriting && Self.isPlain(call.lastPart) && !written.contains(call.lastPart) {
            let names = Array(Set(written)).sorted()
            findings.report(
                .pathMismatch,
                "'\(call.lastPart)' is read, but what is written is called \(names.map { "'\($0)'" }.joined(separator: ", "))",
                at: call.command.script?.range(ofUTF8: call.path.range)
                    ?? call.command.items.first { $0.scalar?.text == call.path.text }?.range,
                context: "\(call.context), argument '\(call.command.argument)'",
                hint: nearMissHint(for: call.lastPart, among: names)
                    ?? "the last part of --path is the name of the file in the snapshot")
        }
    }

    // MARK: Times

    private static let readers: Set<String> = [
        "LocationDelete", "RestoreData", "RestoreDataAll", "DeleteData", "DeleteDataAll", "RestoreRDSSnapshot",
    ]

    /// `.Time` in an action that looks for what another one made.
    private func checkTimes(_ action: BlueprintAction, _ findings: inout Findings) {
        let name = action.name.text.lowercased()
        guard name.hasPrefix("restore") || name.hasPrefix("delete") else { return }
        for site in TemplateSites(action, options: options).sites {
            guard let phase = site.phase, case .argument = site.place else { continue }
            let reads = ["location pull", "location delete"].contains { site.text.text.containsText($0) }
            guard reads || Self.readers.contains(phase.function.text) else { continue }
            for reference in site.references where reference.path == ".Time" && reference.base == .root {
                findings.report(
                    .timeRebuilt, "'.Time' is the time of this run, not of the backup",
                    at: site.range(reference.utf8Range),
                    context: site.context,
                    hint: "let backup put the path into an artifact and read it from '.ArtifactsIn'")
            }
        }
    }
}
