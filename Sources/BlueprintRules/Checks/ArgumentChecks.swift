import ActionEngine
import Blueprints
import Diagnostics
import GoFormats

/// Arguments of Kanister's functions: types, and what each function asks for beyond its table.
///
/// Source: Kanister `pkg/function`, one file per function.
struct ArgumentChecks {
    let phase: BlueprintPhase
    let function: any KanisterFunction
    let context: String

    private var place: String { "\(context), function \(function.name)" }

    func check(into findings: inout Findings) {
        if let reason = function.notRunnable, reason.containsText("was removed from Kanister") {
            findings.report(
                .removedFeature, "\(function.name) exists in Kanister 0.92.0 to 0.119.0 only", at: phase.function.range,
                context: context, hint: "use kando, or KubeTask with a program of your own")
        }
        for argument in phase.arguments {
            guard let known = function.arguments.first(where: { $0.name == argument.name.text }) else { continue }
            checkType(argument, known, &findings)
        }
        switch function.name {
        case "KubeOps": checkKubeOps(&findings)
        case "ScaleWorkload": checkScaleWorkload(&findings)
        case "PrepareData": checkPrepareData(&findings)
        case "RestoreData":
            checkExactlyOne(["pod", "volumes"], &findings)
            checkExactlyOne(["backupTag", "backupIdentifier"], &findings)
        case "RestoreDataUsingKopiaServer": checkExactlyOne(["pod", "volumes"], &findings)
        case "DeleteData": checkExactlyOne(["backupID", "backupTag"], &findings)
        default: break
        }
        checkEncryptionKey(&findings)
    }

    private func checkType(_ argument: PhaseArgument, _ known: FunctionArgument, _ findings: inout Findings) {
        let name = known.name
        if argument.value.isNull || argument.value.string == "" {
            if known.isRequired {
                findings.report(
                    .emptyArgument, "argument '\(name)' is empty; Kanister only asks for the key to be there",
                    at: argument.value.offsets.isEmpty ? argument.name.range : argument.value.range, context: place,
                    hint: known.summary)
            }
            return
        }
        // A template without quotes, which YAML takes for a mapping, is reported as that.
        let isUnquoted = argument.value.source.bytes[argument.value.offsets].starts(with: Array("{{".utf8))
        if isUnquoted || argument.value.string?.containsText("{{") ?? false { return }
        let arguments = FunctionArguments(JSONObject([.init(key: name, value: argument.value.json)]))
        do throws(FunctionFailure) {
            switch known.shape {
            case .text: _ = try arguments.text(name)
            case .listOfText: _ = try arguments.listOfText(name)
            case .boolean: _ = try arguments.boolean(name)
            case .mapOfText: _ = try arguments.mapOfText(name)
            case .object: if argument.value.string == nil { _ = try arguments.object(name) }
            case .integer, .any: break
            }
        } catch {
            findings.report(
                .argumentType, error.message, at: argument.value.range, context: place,
                hint: "'\(name)' is \(known.shape.rawValue): \(known.summary)")
        }
        if known.shape == .listOfText, name.lowercased().hasSuffix("command"), let text = argument.value.string,
            text.trimmingSpaces.utf8.contains(0x20)
        {
            findings.report(
                .commandText, "'\(name)' is one text: it is taken for the name of a program, spaces included",
                at: argument.value.range, context: place, hint: "write a list: [bash, -o, errexit, -o, pipefail, -c, …]"
            )
        }
    }

    /// The text of an argument that is no template.
    private func literal(_ name: String) -> (text: String, node: YAMLNode)? {
        guard let node = phase.argument(name), let text = node.scalar?.text, !text.containsText("{{") else {
            return nil
        }
        return (text, node)
    }

    private func checkKubeOps(_ findings: inout Findings) {
        guard let (operation, node) = literal("operation") else { return }
        let known = ["create", "delete", "patch"]
        guard known.contains(operation) else {
            return findings.report(
                .argumentCombination, "invalid operation '\(operation)'", at: node.range, context: place,
                hint: nearMissHint(for: operation, among: known) ?? "there are create, delete and patch")
        }
        let needs = ["create": ["spec"], "delete": ["objectReference"], "patch": ["spec", "objectReference"]]
        for name in needs[operation] ?? [] where phase.argument(name).map({ $0.isNull || $0.string == "" }) ?? true {
            let message =
                name == "spec"
                ? "spec cannot be empty for \(operation) operation" : "\(operation) needs 'objectReference'"
            findings.report(
                .argumentCombination, message, at: node.range, context: place, hint: "add '\(name)' under 'args'")
        }
        if operation != "create", let reference = phase.argument("objectReference")?.mapping {
            for name in ["apiVersion", "resource", "name"] where reference[name] == nil {
                findings.report(
                    .argumentCombination, "\(operation) needs '\(name)' in objectReference",
                    at: phase.argument("objectReference")?.range, context: place, hint: "add '\(name)'")
            }
        }
    }

    private func checkScaleWorkload(_ findings: inout Findings) {
        guard let (text, node) = literal("replicas"), !text.isEmpty else { return }
        if case .integer? = node.scalar?.value { return }
        if node.string != nil, Int32(text) != nil { return }
        findings.report(
            .argumentType, "Failed to decode arg `replicas`: wanted a whole number, got \(text)", at: node.range,
            context: place, hint: "write it without a fraction: replicas: 0")
    }

    private func checkPrepareData(_ findings: inout Findings) {
        guard phase.argument("failOnError") == nil else { return }
        findings.report(
            .prepareDataStatus, "PrepareData succeeds even when its command fails", at: phase.function.range,
            context: place, hint: "add 'failOnError: true' (Kanister 0.115.0), or use KubeTask")
    }

    private func checkExactlyOne(_ names: [String], _ findings: inout Findings) {
        let given = phase.arguments.filter { names.contains($0.name.text) }
        if given.count > 1 {
            findings.report(
                .argumentCombination, "\(function.name) takes only one of \(names.joined(separator: " and "))",
                at: given[1].name.range, context: place,
                hint: "remove '\(given[1].name.text)' or '\(given[0].name.text)'")
        } else if given.isEmpty, !phase.arguments.contains(where: { $0.name.text.containsText("{{") }) {
            findings.report(
                .argumentCombination, "\(function.name) needs one of \(names.joined(separator: " and "))",
                at: phase.function.range, context: place, hint: "add '\(names[0])' or '\(names[1])' under 'args'")
        }
    }

    private func checkEncryptionKey(_ findings: inout Findings) {
        let writes = ["BackupData", "BackupDataAll", "CopyVolumeData"]
        guard writes.contains(function.name), phase.argument("encryptionKey").map(\.isNull) ?? true else { return }
        findings.report(
            .defaultEncryptionKey, "without 'encryptionKey' the restic repository has a password that is public",
            at: phase.function.range, context: place,
            hint: "add 'encryptionKey' from a Secret, here and where the data is restored")
    }
}
