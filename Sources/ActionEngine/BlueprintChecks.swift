public import Blueprints
public import Diagnostics
public import GoTemplate

/// Checks of a whole blueprint that need no inputs: functions, argument names, labels, the syntax of every
/// template, and references to phases that cannot have run. Duplicate
/// phases and the structure are found when the blueprint is read.
///
/// Source: Kanister `pkg/blueprint/validate/validate.go`; template syntax and references are ours.
public enum BlueprintChecks {
    /// Every problem, in the order of the file's actions.
    public static func problems(
        of blueprint: Blueprint, functions: FunctionRegistry, version: String = "",
        templateOptions: TemplateOptions = TemplateOptions()
    ) -> [Diagnostic] {
        var diagnostics: [Diagnostic] = []
        for action in blueprint.actions {
            diagnostics += PhaseChecks.problems(of: action, functions: functions, version: version)
            diagnostics += templateProblems(of: action, in: blueprint, options: templateOptions)
        }
        return diagnostics
    }

    // MARK: Templates

    private static func templateProblems(
        of action: BlueprintAction, in blueprint: Blueprint, options: TemplateOptions
    ) -> [Diagnostic] {
        var checker = TemplateChecker(blueprint: blueprint, action: action, options: options)
        for phase in action.phases {
            for object in phase.objects {
                for (field, text) in object.reference.fields {
                    checker.check(
                        text, place: "object '\(object.name.text)', field '\(field)'", phase: phase, isObject: true)
                }
            }
        }
        for phase in action.phases {
            checker.check(phase)
            checker.completed.append(phase.name.text)
        }
        if let last = action.deferPhase {
            checker.isDeferPhase = true
            for object in last.objects {
                for (field, text) in object.reference.fields {
                    checker.check(
                        text, place: "object '\(object.name.text)', field '\(field)'", phase: last, isObject: true)
                }
            }
            checker.check(last)
        }
        for artifact in action.outputArtifacts {
            let place = "output artifact '\(artifact.name.text)'"
            if let text = artifact.kopiaSnapshot { checker.check(text, place: place, phase: nil) }
            for pair in artifact.keyValue {
                checker.check(pair.name, place: "key of \(place)", phase: nil)
                checker.check(pair.value, place: place, phase: nil)
            }
        }
        return checker.diagnostics
    }
}

/// Walks the templates of one action in the order they are rendered.
private struct TemplateChecker {
    let blueprint: Blueprint
    let action: BlueprintAction
    let options: TemplateOptions
    var completed: [String] = []
    var isDeferPhase = false
    private(set) var diagnostics: [Diagnostic] = []

    init(blueprint: Blueprint, action: BlueprintAction, options: TemplateOptions) {
        self.blueprint = blueprint
        self.action = action
        self.options = options
    }

    mutating func check(_ phase: BlueprintPhase) {
        // Kanister compares these names without regard to case.
        let function = phase.function.text.lowercased()
        let isWait = function == "wait" || function == "waitv2"
        for argument in phase.arguments {
            let name = argument.name.text
            switch name {
            case "conditions" where isWait: checkReferences(in: argument.value, phase: phase)
            case "timeout" where function == "waitv2": break
            default:
                check(argument.name, place: "name of argument '\(name)'", phase: phase)
                check(argument.value, path: name, phase: phase)
            }
        }
    }

    /// The conditions of Wait and WaitV2 are templates of another root; the objects they watch are rendered as usual.
    private mutating func checkReferences(in conditions: YAMLNode, phase: BlueprintPhase) {
        for group in ["anyOf", "allOf"] {
            for (index, item) in (conditions[group]?.sequence ?? []).enumerated() {
                guard let reference = item["objectReference"] else { continue }
                check(reference, path: "conditions.\(group)[\(index)].objectReference", phase: phase)
            }
        }
    }

    private mutating func check(_ node: YAMLNode, path: String, phase: BlueprintPhase) {
        switch node.content {
        case .scalar(let scalar):
            guard case .string(let text) = scalar.value else { return }
            check(LocatedText(text, node: node), place: "argument '\(path)'", phase: phase)
        case .sequence(let items):
            for (index, item) in items.enumerated() { check(item, path: "\(path)[\(index)]", phase: phase) }
        case .mapping(let mapping):
            for entry in mapping.entries {
                let path = "\(path).\(entry.name)"
                check(LocatedText(entry.name, node: entry.key), place: "key of argument '\(path)'", phase: phase)
                check(entry.value, path: path, phase: phase)
            }
        }
    }

    /// - Parameter isObject: objects of all phases are rendered before the first phase runs.
    mutating func check(_ text: LocatedText, place: String, phase: BlueprintPhase?, isObject: Bool = false) {
        let own = phase.map { ", phase '\($0.name.text)'" } ?? ""
        let context = "in action '\(action.name.text)'\(own), \(place)"
        let hints = RenderingHints(
            blueprint: blueprint, action: action, completedPhases: isObject ? [] : completed,
            currentPhase: phase?.name.text)
        do throws(TemplateError) {
            let template = try Template(parsing: text.text, options: options)
            guard template.hasActions else { return }
            // Every place reads the text once more: of a huge text only the first references are looked at.
            let limit = max(20, min(2_000, 10_000_000 / max(1, text.text.utf8.count)))
            for reference in template.references.prefix(limit) where reference.base == .root {
                check(reference, text, context: context, hints: hints, phase: phase, isObject: isObject)
            }
        } catch {
            diagnostics.append(
                Diagnostic(
                    rule: "template-syntax", error.message, at: text.range(ofUTF8: error.utf8Range), context: context,
                    hint: hints.hint(for: error, in: nil, text: text.text)))
        }
    }

    private mutating func check(
        _ reference: TemplateReference, _ text: LocatedText, context: String, hints: RenderingHints,
        phase: BlueprintPhase?, isObject: Bool
    ) {
        let names = reference.steps.map(\.name)
        guard names.count >= 2, names[0] == "Phases" else { return }
        let known = isObject ? [] : completed
        if known.contains(names[1]) { return }
        let isOwn = !isObject && !isDeferPhase && names[1] == phase?.name.text
        if isOwn, names.count < 3 || names[2] != "Output" { return }
        let message =
            isOwn
            ? "phase '\(names[1])' has no output before it has run, in '\(reference.path)'"
            : "no phase named '\(names[1])' in '\(reference.path)'"
        let step = reference.steps[isOwn ? 2 : 1]
        diagnostics.append(
            Diagnostic(
                rule: "phase-reference", message, at: text.range(ofUTF8: step.utf8Range), context: context,
                hint: isOwn ? "its Secrets and ConfigMaps are known, its Output is not" : hints.phaseHint(names[1])))
    }
}
