import Blueprints
import Diagnostics
import GoFormats
import GoTemplate

/// One phase: objects, arguments, checks, execution.
extension ActionRun {
    /// - Throws: `RefusedPhase` for wrong input, else what the function throws.
    mutating func perform(_ phase: PreparedPhase) async throws -> JSONObject {
        let known = try await fetchObjects(of: phase)
        set(known, of: phase)
        let arguments = try render(phase)
        let rendered = RenderedPhase(
            name: phase.name, function: phase.function.name, isDeferPhase: phase.isDeferPhase, objects: phase.objects,
            arguments: arguments)
        result.phases.append(rendered)
        try check(arguments, phase)
        runner.observer.phaseWillRun(rendered)
        let call = FunctionCall(
            action: action.name.text, phase: phase.name, controllerNamespace: request.controllerNamespace,
            podOverride: request.podOverride, podLabels: request.podLabels, podAnnotations: request.podAnnotations,
            executor: runner.executor, log: runner.log, cluster: runner.cluster, object: object,
            render: { [renderer = renderer(phase.name)] text throws(FunctionFailure) in
                var renderer = renderer
                if let result = renderer.text(LocatedText(text), place: "") { return result }
                let problem = renderer.diagnostics.first
                throw FunctionFailure(problem?.message ?? "the text could not be rendered", hint: problem?.hint)
            })
        return try await phase.function.execute(FunctionArguments(arguments), in: call)
    }

    private var object: RenderedObject? {
        request.object.map { object in
            RenderedObject(
                alias: "", kind: object.kind.text, apiVersion: object.apiVersion.text, group: object.group.text,
                resource: object.resource.text, name: object.name.text, namespace: object.namespace.text)
        }
    }

    /// In a dry run what is not there is noted, and rendering goes on with placeholders for it.
    ///
    /// - Throws: `RefusedPhase` in a real run.
    private mutating func fetchObjects(of phase: PreparedPhase) async throws -> TemplateParams.Phase {
        var known = TemplateParams.Phase()
        var diagnostics: [Diagnostic] = []
        if isDryRun {
            let rendered = Set(phase.objects.map(\.alias))
            known.missing = Set(phase.phase.objects.map(\.name.text)).subtracting(rendered)
        }
        for object in phase.objects where object.isFetched {
            // Its name comes from an object that was reported as missing.
            if isDryRun, (object.name + object.namespace).contains(TemplateParams.missingMark) {
                known.missing.insert(object.alias)
                continue
            }
            let isSecret = object.kind.lowercased() == "secret"
            let kind = isSecret ? "Secret" : "ConfigMap"
            let found = try await runner.cluster.object(kind: kind, namespace: object.namespace, name: object.name)
            guard let found else {
                let others = (try? await runner.cluster.objects(kind: kind, namespace: nil)) ?? []
                let error = ObjectLookup.notFound(
                    kind: kind, namespace: object.namespace, name: object.name, others: others)
                let named = phase.phase.objects.first { $0.name.text == object.alias }
                let part = isSecret ? "Secrets" : "ConfigMaps"
                let path =
                    phase.isDeferPhase
                    ? ["DeferPhase", part, object.alias] : ["Phases", phase.name, part, object.alias]
                known.missing.insert(object.alias)
                diagnostics.append(
                    Diagnostic(
                        rule: "missing-object", error.message,
                        at: named?.reference.name.range ?? named?.reference.range,
                        context: "in action '\(action.name.text)', phase '\(phase.name)', object '\(object.alias)'"
                            + references.note(of: path),
                        hint: error.hint))
                continue
            }
            if isSecret { known.secrets[object.alias] = found } else { known.configMaps[object.alias] = found }
        }
        if isDryRun {
            result.diagnostics += diagnostics
        } else if !diagnostics.isEmpty {
            throw RefusedPhase(diagnostics: diagnostics)
        }
        return known
    }

    private mutating func set(_ known: TemplateParams.Phase, of phase: PreparedPhase) {
        if phase.isDeferPhase { params.deferPhase = known } else { params.phases[phase.name] = known }
    }

    mutating func setOutput(_ output: JSONObject, of phase: PreparedPhase) {
        var values: [String: GoValue] = [:]
        if isDryRun {
            let wanted = references.outputs[phase.isDeferPhase ? ActionReferences.deferPhase : phase.name] ?? []
            for key in wanted { values[key] = .placeholder("phase \(phase.name): \(key)") }
            for (key, value) in request.knownOutputs[phase.name] ?? [:] { values[key] = .string(value) }
        }
        for member in output.members { values[member.key] = GoValue(json: member.value) }
        if phase.isDeferPhase {
            params.deferPhase = params.deferPhase ?? TemplateParams.Phase()
            params.deferPhase?.output = values
        } else {
            params.phases[phase.name, default: TemplateParams.Phase()].output = values
        }
    }

    private mutating func render(_ phase: PreparedPhase) throws -> JSONObject {
        var renderer = renderer(phase.name)
        switch phase.function.name.lowercased() {
        case "wait":
            // Wait renders everything once only to see whether it can, then evaluates the conditions as written.
            _ = renderer.arguments(phase.phase.arguments)
            if renderer.diagnostics.isEmpty { return unrendered(phase) }
        case "waitv2": return unrendered(phase)
        default: if let arguments = renderer.arguments(phase.phase.arguments) { return arguments }
        }
        throw RefusedPhase(diagnostics: renderer.diagnostics)
    }

    private func unrendered(_ phase: PreparedPhase) -> JSONObject {
        JSONObject(phase.phase.arguments.map { .init(key: $0.name.text, value: $0.value.json) })
    }

    /// Names that were templates are only known now.
    private func check(_ arguments: JSONObject, _ phase: PreparedPhase) throws {
        let names = arguments.keys
        let context = "in action '\(action.name.text)', phase '\(phase.name)', function \(phase.function.name)"
        let missing = FunctionRegistry.missing(names, for: phase.function).map { name in
            Diagnostic(
                rule: "missing-argument",
                "Required args missing for function \(phase.function.name): "
                    + "Required arg missing: \(name)", at: phase.phase.function.range, context: context)
        }
        let unsupported = FunctionRegistry.unsupported(names, by: phase.function).map { name in
            Diagnostic(
                rule: "unsupported-argument",
                "Checking supported args for function \(phase.function.name).: "
                    + "argument \(name) is not supported", at: phase.phase.function.range, context: context)
        }
        guard missing.isEmpty, unsupported.isEmpty else { throw RefusedPhase(diagnostics: missing + unsupported) }
    }
}
