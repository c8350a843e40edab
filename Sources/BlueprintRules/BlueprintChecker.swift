import ActionEngine
import Blueprints
import Diagnostics
import GoTemplate

/// Runs every check of one blueprint.
struct BlueprintChecker {
    let blueprint: Blueprint
    let facts: BlueprintFacts
    let options: ValidationOptions

    func check(into findings: inout Findings) {
        let templates = options.templateOptions
        findings.append(
            BlueprintChecks.problems(
                of: blueprint, functions: options.functions, version: options.preferredVersion,
                templateOptions: templates))
        for action in blueprint.actions { check(action, templates, &findings) }
        PathChecks(facts: facts, options: templates).check(into: &findings)
    }

    private func check(_ action: BlueprintAction, _ templates: TemplateOptions, _ findings: inout Findings) {
        ArtifactChecks.checkNames(of: action, facts, &findings)
        for phase in action.phases { check(phase, of: action, title: "phase", &findings) }
        if let last = action.deferPhase { check(last, of: action, title: "deferPhase", &findings) }
        for site in TemplateSites(action, options: templates).sites {
            ReferenceChecks(site: site, facts: facts).check(into: &findings)
            FunctionChecks(site: site, functions: templates.functions).check(into: &findings)
            ValueChecks(site: site, facts: facts, functions: templates.functions).check(into: &findings)
            KastenChecks(site: site).check(into: &findings)
            if let cluster = options.cluster { ObjectChecks.checkKeys(site, in: cluster, &findings) }
        }
    }

    private func check(
        _ phase: BlueprintPhase, of action: BlueprintAction, title: String, _ findings: inout Findings
    ) {
        let context = "in action '\(action.name.text)', \(title) '\(phase.name.text)'"
        ObjectChecks(phase: phase, context: context, cluster: options.cluster).check(into: &findings)
        if let function = try? options.functions.function(
            named: phase.function.text, version: options.preferredVersion)
        {
            ArgumentChecks(phase: phase, function: function, context: context).check(into: &findings)
        }
        if WaitChecks.isWait(phase) {
            WaitChecks(phase: phase, context: context, options: options.templateOptions).check(into: &findings)
        }
        for command in PhaseCommand.all(of: phase) {
            ShellChecks(
                command: command, phase: phase, action: action, context: context, facts: facts,
                options: options.templateOptions
            ).check(into: &findings)
        }
    }
}
