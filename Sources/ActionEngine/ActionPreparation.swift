public import Blueprints
public import Diagnostics
import GoFormats

/// A phase that is ready to be rendered: its function is known, its objects are rendered.
struct PreparedPhase: Sendable {
    let phase: BlueprintPhase
    let function: any KanisterFunction
    let objects: [RenderedObject]
    let isDeferPhase: Bool

    var name: String { phase.name.text }
}

/// Checks of a blueprint's phases that need no run: functions, names of arguments, labels.
public enum PhaseChecks {
    /// Every problem of every phase of an action, with its place.
    public static func problems(
        of action: BlueprintAction, functions: FunctionRegistry, version: String = ""
    ) -> [Diagnostic] {
        var diagnostics: [Diagnostic] = []
        for phase in [action.deferPhase].compactMap({ $0 }) + action.phases {
            let context = "in action '\(action.name.text)', phase '\(phase.name.text)'"
            do throws(FunctionLookupError) {
                let function = try functions.function(named: phase.function.text, version: version)
                diagnostics += problems(of: phase, function: function, context: context)
            } catch {
                diagnostics.append(
                    Diagnostic(
                        rule: "unknown-function", error.message, at: phase.function.range, context: context,
                        hint: error.hint))
            }
        }
        return diagnostics
    }

    private static func problems(
        of phase: BlueprintPhase, function: any KanisterFunction, context: String
    ) -> [Diagnostic] {
        let names = phase.arguments.map(\.name.text)
        let supported = function.arguments.map(\.name)
        // A name that is a template is only known when it is rendered.
        let isStatic = !names.contains { $0.utf8.contains(UInt8(ascii: "{")) }
        var diagnostics: [Diagnostic] = []
        for argument in phase.arguments where !supported.contains(argument.name.text) {
            guard !argument.name.text.utf8.contains(UInt8(ascii: "{")) else { continue }
            diagnostics.append(
                Diagnostic(
                    rule: "unsupported-argument", "argument \(argument.name.text) is not supported",
                    at: argument.name.range, context: "\(context), function \(function.name)",
                    hint: nearMissHint(for: argument.name.text, among: supported)
                        ?? "arguments of \(function.name): \(supported.joined(separator: ", "))"))
        }
        if isStatic {
            for name in FunctionRegistry.missing(names, for: function) {
                diagnostics.append(
                    Diagnostic(
                        rule: "missing-argument", "Required arg missing: \(name)",
                        at: phase.function.range, context: "\(context), function \(function.name)",
                        hint: "add '\(name)' under 'args'"))
            }
        }
        let arguments = FunctionArguments(
            JSONObject(phase.arguments.map { .init(key: $0.name.text, value: $0.value.json) }))
        for problem in function.staticProblems(arguments) {
            let node = phase.arguments.first {
                $0.name.text.hasPrefix(problem.hasPrefix("label") ? "podLabels" : "podAnn")
            }
            diagnostics.append(
                Diagnostic(rule: "label-syntax", problem, at: node?.value.range ?? phase.range, context: context))
        }
        return diagnostics
    }
}
