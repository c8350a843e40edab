import Blueprints
import Diagnostics
import GoTemplate

/// Hazards of the commands of one phase.
struct ShellChecks {
    let command: PhaseCommand
    let phase: BlueprintPhase
    let action: BlueprintAction
    let context: String
    let facts: BlueprintFacts
    let options: TemplateOptions

    private var place: String { "\(context), argument '\(command.argument)'" }

    func check(into findings: inout Findings) {
        checkOutputKeys(&findings)
        guard let script = command.script, let text = script.string else { return checkList(&findings) }
        checkPipes(script, &findings)
        checkSleep(script, &findings)
        checkSecrets(script, text, &findings)
    }

    // MARK: Pipes

    /// `set -o pipefail`, `set -euo pipefail`.
    private var setsPipefail: Bool {
        if command.shellOptions.contains("pipefail") { return true }
        return command.shell.commands.contains { call in
            call.program == "set" && call.words.contains { $0.text == "pipefail" }
        }
    }

    private func checkPipes(_ script: YAMLNode, _ findings: inout Findings) {
        let isPlainShell = ["sh", "ash", "dash"].contains(command.shellName ?? "")
        if setsPipefail {
            guard isPlainShell else { return }
            let word = command.shell.commands.flatMap(\.words).first { $0.text == "pipefail" }
            findings.report(
                .pipefailInSh, "'\(command.shellName ?? "sh")' need not know pipefail: dash before 0.5.13 refuses it",
                at: word.map { script.range(ofUTF8: $0.range) } ?? command.items.first?.range, context: place,
                hint: "use bash, and see that the image has it")
        } else if let pipe = command.shell.pipes.first {
            let before = command.shell.commands.last { $0.words.first.map { $0.range.lowerBound < pipe } ?? false }
            let program = before?.program ?? ""
            let subject = program.isEmpty || program.containsText("{{") ? "the command before it" : "'\(program)'"
            findings.report(
                .pipefail, "without pipefail a failure of \(subject) is not noticed",
                at: script.range(ofUTF8: pipe..<(pipe + 1)), context: place,
                hint: isPlainShell
                    ? "run the script with bash -o errexit -o pipefail -c; sh need not know pipefail"
                    : "add -o pipefail to the arguments of \(command.shellName ?? "bash"), or 'set -o pipefail'")
        }
    }

    private func checkSleep(_ script: YAMLNode, _ findings: inout Findings) {
        guard let last = command.shell.commands.last(where: { !$0.words.isEmpty }), last.program == "sleep",
            last.words.count == 2, let first = last.words.first, let end = last.words.last,
            command.shell.commands.count > 1
        else { return }
        findings.report(
            .trailingSleep, "the script ends with a sleep",
            at: script.range(ofUTF8: first.range.lowerBound..<end.range.upperBound),
            context: place, hint: "print the outputs last instead: Kanister reads the log to its end")
    }

    // MARK: Outputs

    private func checkOutputKeys(_ findings: inout Findings) {
        var room = TemplateSite.limit(bytes: command.script?.string?.utf8.count ?? 0)
        for call in command.shell.commands {
            guard room > 0, let key = OutputCall(call)?.key, key.isLiteral, !key.text.isEmpty,
                !key.text.utf8.allSatisfy(ShellScanner.isName)
            else { continue }
            room -= 1
            findings.report(
                .outputKey, "Key should contain only alphanumeric characters and underscore: '\(key.text)'",
                at: command.script?.range(ofUTF8: key.range)
                    ?? command.items.first { $0.scalar?.text == key.text }?.range,
                context: place, hint: "write '\(Self.cleaned(key.text))'")
        }
    }

    private static func cleaned(_ key: String) -> String {
        String(decoding: key.utf8.map { ShellScanner.isName($0) ? $0 : UInt8(ascii: "_") }, as: UTF8.self)
    }

    // MARK: Secrets

    /// Programs of the shell itself: their arguments are in no process list. `kando` takes its profile this way only.
    private static let unlisted: Set<String> = [
        "export", "echo", "printf", "local", "readonly", "declare", "[", "[[", "test", "read", "set", "kando", ":",
        "case",
        "eval", "",
    ]

    private func checkSecrets(_ script: YAMLNode, _ text: String, _ findings: inout Findings) {
        guard let template = try? Template(parsing: text, options: options) else { return }
        let isSecretObject = facts.isObject(of: action, "secret", plural: "secrets")
        let limit = TemplateSite.limit(bytes: text.utf8.count)
        let secrets = template.references.prefix(limit).filter {
            SecretReference.isSecret($0, objectIsSecret: isSecretObject)
        }
        for insertion in command.shell.insertions.prefix(limit) {
            guard let reference = secrets.first(where: { insertion.range.contains($0.utf8Range.lowerBound) }) else {
                continue
            }
            let expression = Self.slice(text, insertion.range)
            let call = insertion.command.map { command.shell.commands[$0] }
            let position = call.map { $0.words.count - $0.arguments.count } ?? 0
            let program = call?.program ?? ""
            if insertion.command != nil, insertion.word > position, !Self.unlisted.contains(program) {
                findings.report(
                    .secretArgument, "\(expression) is an argument of '\(program)': every process list shows it",
                    at: script.range(ofUTF8: insertion.range), context: place, hint: Self.environmentHint)
            } else if let problem = Self.problem(insertion.quote, reference) {
                findings.report(
                    .secretQuoting, "\(expression) \(problem)", at: script.range(ofUTF8: insertion.range),
                    context: place,
                    hint: Self.environmentHint)
            }
        }
        checkPasswordFlags(script, &findings)
    }

    private static let environmentHint =
        "pass it as an environment variable through podOverride, so that it is neither quoted nor in the pod's command"

    private static func slice(_ text: String, _ range: Range<Int>) -> String {
        let bytes = Array(text.utf8)
        let part = bytes[max(0, range.lowerBound)..<min(bytes.count, range.upperBound)]
        let shown = part.prefix(100)
        return "'" + String(decoding: shown, as: UTF8.self) + (shown.count < part.count ? "…" : "") + "'"
    }

    private static func problem(_ quote: ShellScript.Quote, _ reference: TemplateReference) -> String? {
        let escapes = reference.consumers.contains { $0.function == "replace" && $0.literals[0] == "'" }
        switch quote {
        case .single: return escapes ? nil : "is in single quotes: a ' in the value ends them"
        case .double: return #"is in double quotes: ", $, ` and \ in the value do not survive them"#
        case .none: return "is not quoted: the shell takes the value apart"
        case .document: return nil
        }
    }

    /// `--password=…` and `--password …`, whatever the value is.
    private func checkPasswordFlags(_ script: YAMLNode, _ findings: inout Findings) {
        var room = TemplateSite.limit(bytes: script.string?.utf8.count ?? 0)
        for call in command.shell.commands where !Self.unlisted.contains(call.program) && room > 0 {
            let words = Array(call.arguments.dropFirst())
            for (position, word) in words.enumerated() {
                let next = position + 1 < words.count ? words[position + 1] : nil
                let isPair = word.text == "--password" && next.map { $0.text.hasPrefix("$") } ?? false
                guard isPair || word.text.hasPrefix("--password=") && word.text != "--password=" else { continue }
                let end = isPair ? next?.range.upperBound ?? word.range.upperBound : word.range.upperBound
                let hasSecret = command.shell.insertions.contains { word.range.contains($0.range.lowerBound) }
                guard !hasSecret, room > 0 else { continue }
                room -= 1
                findings.report(
                    .secretArgument, "a password is an argument of '\(call.program)': every process list shows it",
                    at: script.range(ofUTF8: word.range.lowerBound..<end), context: place,
                    hint: "let the program read it from the environment or from a file")
            }
        }
    }

    /// A command without a shell: every item is an argument.
    private func checkList(_ findings: inout Findings) {
        let program = String(command.items.first?.scalar?.text.split(separator: "/").last ?? "")
        guard program != "kando", program != "pod-runner" || command.items.count > 1 else { return }
        let isSecretObject = facts.isObject(of: action, "secret", plural: "secrets")
        for item in command.items.dropFirst() {
            guard let text = item.string, let template = try? Template(parsing: text, options: options) else {
                continue
            }
            for reference in template.references
            where SecretReference.isSecret(reference, objectIsSecret: isSecretObject) {
                findings.report(
                    .secretArgument, "'\(reference.path)' is an argument of '\(program)': every process list shows it",
                    at: item.range(ofUTF8: reference.utf8Range), context: place, hint: Self.environmentHint)
            }
        }
    }
}
