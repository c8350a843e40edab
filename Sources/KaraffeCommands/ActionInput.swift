import ActionEngine
import Blueprints
import Diagnostics
import GoFormats
import RunnerContract

/// Everything `render` and `run` were given, read and put together to a request. Problems are collected; with errors
/// among them nothing may run.
struct ActionInput {
    var request: ActionRequest
    let cluster: ManifestCluster
    let secrets: KnownSecrets
    let blueprintFile: String
    let objectText: String?
    let profileText: String?
    let fromRun: String?
    var sources: [SourceFile]
    var diagnostics: [Diagnostic]

    var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }

    func output(reveals: Bool) -> Output { Output(secrets: secrets, reveals: reveals) }

    /// - Throws: `Exit` after reporting, when there is no blueprint or no action to speak of.
    static func read(_ options: InputOptions, knownOutputs: [String] = []) throws -> ActionInput {
        var builder = ActionInputBuilder(options: options)
        return try builder.build(knownOutputs: knownOutputs)
    }
}

private struct ActionInputBuilder {
    let options: InputOptions
    var sources: [SourceFile] = []
    var diagnostics: [Diagnostic] = []

    mutating func build(knownOutputs: [String]) throws -> ActionInput {
        let blueprint = readBlueprintFile()
        let actionSet = options.actionSet.flatMap { readActionSetFile($0) }
        let spec = actionSet.flatMap { self.spec(of: $0) }
        guard let blueprint, let action = options.action ?? spec?.name.text else {
            if blueprint != nil {
                problem("action", "no action was named", hint: "give --action NAME, or --actionset with one action")
            }
            Output(secrets: KnownSecrets(), reveals: true).report(diagnostics, sources: sources)
            throw Exit(.input)
        }
        let folder = options.clusterFolder.map { ClusterFolder(reading: $0) } ?? ClusterFolder()
        sources += folder.sources
        // Notes are for `validate`.
        diagnostics += folder.diagnostics.filter { $0.severity != .note }
        var request = ActionRequest(blueprint: blueprint, actionName: action, time: time())
        request.controllerNamespace = options.namespace
        apply(spec, actionSet, folder, to: &request)
        applyFlags(folder, to: &request)
        request.artifacts = artifacts(spec)
        for text in knownOutputs { apply(knownOutput: text, to: &request) }
        let secrets = KnownSecrets(publicNames: folder.cluster.publicNames)
        for (name, value) in request.options { secrets.add(option: name, value) }
        return ActionInput(
            request: request, cluster: folder.cluster, secrets: secrets,
            blueprintFile: options.blueprint, objectText: options.object ?? objectText(request.object),
            profileText: request.profile.map { "\($0.profile.namespace.text)/\($0.profile.name.text)" },
            fromRun: options.from, sources: sources, diagnostics: diagnostics)
    }

    private mutating func problem(_ rule: String, _ message: String, at range: SourceRange? = nil, hint: String?) {
        diagnostics.append(Diagnostic(rule: rule, message, at: range, hint: hint))
    }

    // MARK: Files

    private mutating func readBlueprintFile() -> Blueprint? {
        do throws(FileError) {
            let source = try Files.source(options.blueprint)
            sources.append(source)
            let (blueprint, problems) = readBlueprint(source)
            diagnostics += problems.filter { $0.severity != .note }
            return blueprint
        } catch {
            problem("file", error.message, hint: "give the file that has the Blueprint")
            return nil
        }
    }

    private mutating func readActionSetFile(_ path: String) -> ActionSet? {
        do throws(FileError) {
            let source = try Files.source(path)
            sources.append(source)
            let (actionSet, problems) = readActionSet(source)
            diagnostics += problems
            return actionSet
        } catch {
            problem("file", error.message, hint: "check --actionset")
            return nil
        }
    }

    private mutating func spec(of actionSet: ActionSet) -> ActionSpec? {
        let names = actionSet.actions.map(\.name.text)
        if let wanted = options.action {
            if let spec = actionSet.actions.first(where: { $0.name.text == wanted }) { return spec }
            problem(
                "action", "the ActionSet has no action '\(wanted)'", at: actionSet.range,
                hint: names.isEmpty ? nil : "its actions: \(names.joined(separator: ", "))")
            return nil
        }
        guard actionSet.actions.count != 1 else { return actionSet.actions[0] }
        problem(
            "action", "the ActionSet has \(names.count) actions", at: actionSet.range,
            hint: "say which one with --action: \(names.joined(separator: ", "))")
        return nil
    }

    // MARK: ActionSet and flags

    private mutating func apply(
        _ spec: ActionSpec?, _ actionSet: ActionSet?, _ folder: ClusterFolder, to request: inout ActionRequest
    ) {
        guard let spec else { return }
        request.object = spec.object
        for pair in spec.options { request.options[pair.name.text] = pair.value.text }
        request.configMaps = spec.configMaps
        request.secrets = spec.secrets
        request.podOverride = spec.podOverride?.json.objectValue
        for pair in spec.podLabels { request.podLabels[pair.name.text] = pair.value.text }
        for pair in spec.podAnnotations { request.podAnnotations[pair.name.text] = pair.value.text }
        request.preferredVersion = spec.preferredVersion.text
        if options.profile == nil, let reference = spec.profile {
            let namespace = reference.namespace.isEmpty ? options.namespace : reference.namespace.text
            apply(profile: "\(namespace)/\(reference.name.text)", folder, at: reference.range, to: &request)
        }
    }

    private mutating func applyFlags(_ folder: ClusterFolder, to request: inout ActionRequest) {
        if let text = options.object { request.object = object(text) ?? request.object }
        if let text = options.profile { apply(profile: text, folder, at: nil, to: &request) }
        for text in options.options {
            guard let (key, value) = Self.pair(text) else {
                // It may be a secret that was written with another sign than '='.
                let name = text.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
                problem(
                    "option", "--option '\(name)\(name.count < text.count ? "…" : "")' is not KEY=VALUE",
                    hint: "for example --option database=app1db")
                continue
            }
            request.options[key] = value
        }
    }

    private mutating func apply(
        profile text: String, _ folder: ClusterFolder, at range: SourceRange?, to request: inout ActionRequest
    ) {
        switch folder.profile(text, defaultNamespace: options.namespace) {
        case .success(let selection): request.profile = selection
        case .failure(let error): problem("profile", error.message, at: range, hint: error.hint)
        }
    }

    private mutating func object(_ text: String) -> ObjectReference? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard (2...3).contains(parts.count), !parts.contains("") else {
            problem(
                "object", "--object '\(text)' is not KIND/NAMESPACE/NAME", hint: "for example secret/app1/app1")
            return nil
        }
        let isNamespace = ["namespace", "ns"].contains(parts[0].lowercased())
        var kind = parts[0]
        if isNamespace { kind = "namespace" }
        let namespace = parts.count == 3 ? parts[1] : isNamespace ? parts[1] : ""
        return ObjectReference(
            kind: LocatedText(kind), name: LocatedText(parts[parts.count - 1]), namespace: LocatedText(namespace))
    }

    private func objectText(_ object: ObjectReference?) -> String? {
        object.map { "\($0.kind.text)/\($0.namespace.text)/\($0.name.text)" }
    }

    private mutating func time() -> Timestamp {
        guard let text = options.time else { return .now() }
        if let time = Timestamp(rfc3339: text) { return time }
        problem("time", "--time '\(text)' is not a time in RFC 3339", hint: "for example 2026-01-02T03:04:05Z")
        return .now()
    }

    private static func pair(_ text: String) -> (String, String)? {
        guard let sign = text.firstIndex(of: "="), sign > text.startIndex else { return nil }
        return (String(text[..<sign]), String(text[text.index(after: sign)...]))
    }

    /// `NAME.KEY=VALUE`, none of the first two empty; a key may have dots.
    private static func keyed(_ text: String) -> (name: String, key: String, value: String)? {
        guard let (path, value) = pair(text), let dot = path.firstIndex(of: "."), dot > path.startIndex else {
            return nil
        }
        let key = String(path[path.index(after: dot)...])
        return key.isEmpty ? nil : (String(path[..<dot]), key, value)
    }

    // MARK: Artifacts and outputs

    /// The ActionSet's, then an earlier run's, then the command line's; later ones win.
    private mutating func artifacts(_ spec: ActionSpec?) -> [RenderedArtifact] {
        var artifacts = (spec?.artifacts ?? []).map { artifact in
            RenderedArtifact(
                name: artifact.name.text,
                keyValue: artifact.keyValue.map { .init(key: $0.name.text, value: $0.value.text) },
                kopiaSnapshot: artifact.kopiaSnapshot?.text)
        }
        if let reference = options.from {
            do throws(RunStoreError) {
                for artifact in try RunStore.standard().artifacts(of: reference) {
                    artifacts.removeAll { $0.name == artifact.name }
                    artifacts.append(artifact)
                }
            } catch {
                problem("run", error.message, hint: error.hint)
            }
        }
        for text in options.artifacts { apply(artifact: text, to: &artifacts) }
        return artifacts
    }

    private mutating func apply(artifact text: String, to artifacts: inout [RenderedArtifact]) {
        guard let (name, key, value) = Self.keyed(text) else {
            problem(
                "artifact", "--artifact '\(text)' is not NAME.kopiaSnapshot=VALUE or NAME.KEY=VALUE",
                hint: "for example --artifact pgBackup.kopiaSnapshot='{\"id\":\"…\"}'")
            return
        }
        let position =
            artifacts.firstIndex { $0.name == name }
            ?? {
                artifacts.append(RenderedArtifact(name: name))
                return artifacts.count - 1
            }()
        if key == "kopiaSnapshot" {
            artifacts[position].kopiaSnapshot = value
        } else {
            artifacts[position].keyValue.removeAll { $0.key == key }
            artifacts[position].keyValue.append(.init(key: key, value: value))
        }
    }

    private mutating func apply(knownOutput text: String, to request: inout ActionRequest) {
        guard let (phase, key, value) = Self.keyed(text) else {
            problem(
                "set-output", "--set-output '\(text)' is not PHASE.KEY=VALUE",
                hint: "for example --set-output backupData.kopiaOutput='{\"id\":\"…\"}'")
            return
        }
        request.knownOutputs[phase, default: [:]][key] = value
    }
}
