import Blueprints
import Diagnostics
import GoFormats
import GoTemplate

/// Fetches everything `TemplateParams` holds before the first phase.
///
/// Source: Kanister `pkg/param/param.go` `New`.
struct ParamsResolver {
    let request: ActionRequest
    let action: BlueprintAction
    let cluster: any Cluster
    let isDryRun: Bool
    let hints: RenderingHints
    let references: ActionReferences
    private(set) var diagnostics: [Diagnostic] = []

    init(
        request: ActionRequest, action: BlueprintAction, cluster: any Cluster, isDryRun: Bool, hints: RenderingHints,
        references: ActionReferences
    ) {
        self.references = references
        self.request = request
        self.action = action
        self.cluster = cluster
        self.isDryRun = isDryRun
        self.hints = hints
    }

    /// Everything that could be resolved; what could not is in `diagnostics`.
    mutating func resolve() async -> TemplateParams {
        var params = TemplateParams(time: request.time.description)
        params.options = request.options
        params.podOverride = request.podOverride
        params.podLabels = request.podLabels
        params.podAnnotations = request.podAnnotations
        params.secrets = await fetch(request.secrets, kind: "Secret", into: &params)
        params.configMaps = await fetch(request.configMaps, kind: "ConfigMap", into: &params)
        if let selection = request.profile {
            do {
                params.profile = try await ResolvedProfile.resolve(
                    selection.profile, file: selection.file, in: cluster)
            } catch {
                report("profile", error, at: selection.profile.range, path: ["Profile"])
                if isDryRun { params.missing.insert("Profile") }
            }
        }
        if let object = request.object { await resolve(object, into: &params) } else { noteMissingObject(in: &params) }
        resolveArtifacts(into: &params)
        return params
    }

    private mutating func fetch(
        _ references: [NamedReference], kind: String, into params: inout TemplateParams
    ) async -> [String: KubernetesObject] {
        var objects: [String: KubernetesObject] = [:]
        for named in references {
            let (namespace, name) = (named.reference.namespace.text, named.reference.name.text)
            do {
                objects[named.name.text] = try await require(kind: kind, namespace: namespace, name: name)
            } catch {
                report(
                    "actionset-reference", error, at: named.reference.range, path: ["\(kind)s", named.name.text])
                if isDryRun { params.missingReferences.insert(named.name.text) }
            }
        }
        return objects
    }

    private func require(kind: String, namespace: String, name: String) async throws -> KubernetesObject {
        if let object = try await cluster.object(kind: kind, namespace: namespace, name: name) { return object }
        throw ObjectLookup.notFound(
            kind: kind, namespace: namespace, name: name,
            others: (try? await cluster.objects(kind: kind, namespace: nil)) ?? [])
    }

    /// - Parameter path: what templates read of it.
    private mutating func report(_ rule: String, _ error: any Error, at range: SourceRange?, path: [String]) {
        let clusterError = error as? ClusterError
        diagnostics.append(
            Diagnostic(
                rule: rule, clusterError?.message ?? "\(error)", at: range,
                context: "in action '\(action.name.text)'\(references.note(of: path))", hint: clusterError?.hint))
    }

    /// Every ActionSet has an object; without one each template that reads it would fail on its own.
    private mutating func noteMissingObject(in params: inout TemplateParams) {
        guard isDryRun, references.count(of: ["Object", nil]) > 0 else { return }
        params.missing.insert("Object")
        report(
            "object",
            ClusterError(
                "action '\(action.name.text)' works on an object, and none was given",
                hint: "give --object KIND/NAMESPACE/NAME, for example --object secret/app1/app1"),
            at: action.name.range, path: ["Object"])
    }

    // MARK: The object

    private mutating func resolve(_ reference: ObjectReference, into params: inout TemplateParams) async {
        let (name, namespace) = (reference.name.text, reference.namespace.text)
        let kind = reference.kind.isEmpty ? reference.resource.text : reference.kind.text
        do {
            if kind.lowercased() == "namespace" {
                params.namespace = (namespace, namespace)
                params.object = try await namespaceObject(name).manifest
                return
            }
            let object = try await require(kind: kind, namespace: namespace, name: name)
            params.object = object.manifest
            if let workload = Workload.Kind(kind: kind) {
                params.workload = try await Workload.resolve(object, kind: workload, in: cluster)
            } else if kind.lowercased() == "pvc" {
                params.pvc = (name, namespace)
            }
        } catch {
            report("object", error, at: reference.range, path: ["Object"])
            guard isDryRun else { return }
            params.missing.insert("Object")
            if let workload = Workload.Kind(kind: kind) { params.missing.insert(workload.rawValue) }
        }
    }

    /// A folder of manifests rarely has Namespace manifests; one that other objects are in exists all the same.
    private func namespaceObject(_ name: String) async throws -> KubernetesObject {
        if let object = try await cluster.object(kind: "Namespace", namespace: "", name: name) { return object }
        return try KubernetesObject(
            manifest: JSONObject([
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": [
                    "labels": ["kubernetes.io/metadata.name": .string(name)], "name": .string(name),
                ],
            ]))
    }

    // MARK: Artifacts

    private mutating func resolveArtifacts(into params: inout TemplateParams) {
        for artifact in request.artifacts { params.artifacts[artifact.name] = TemplateParams.artifact(artifact) }
        let needed = action.inputArtifactNames.filter { params.artifacts[$0.text] == nil }
        guard isDryRun else {
            for name in needed {
                diagnostics.append(
                    Diagnostic(
                        rule: "missing-artifact",
                        "action '\(action.name.text)' needs artifact '\(name.text)' and this run has none of that name",
                        at: name.range, context: "in action '\(action.name.text)', inputArtifactNames",
                        hint: hints.artifactHint(name.text)))
            }
            return
        }
        let declared = request.blueprint.actions.flatMap(\.outputArtifacts)
        for name in needed.map(\.text) + declared.map(\.name.text) where params.artifacts[name] == nil {
            var keys = references.artifactKeys[name] ?? []
            for artifact in declared where artifact.name.text == name {
                keys.formUnion(artifact.keyValue.map(\.name.text))
            }
            params.artifacts[name] = TemplateParams.missingArtifact(name, keys: keys.sorted())
        }
    }
}

/// The words for an object that is not there.
enum ObjectLookup {
    /// The API server's text, and what comes close to it.
    static func notFound(
        kind: String, namespace: String, name: String, others: [KubernetesObject]
    ) -> ClusterError {
        let resource = plural(kind)
        let place = namespace.isEmpty ? "" : " in namespace '\(namespace)'"
        let elsewhere = others.filter { $0.name == name }.map(\.namespace)
        let hint: String
        if let found = elsewhere.first {
            hint = "there is one in namespace '\(found)'"
        } else if let near = nearMissHint(for: name, among: others.map(\.name)) {
            hint = near
        } else {
            hint = "add a manifest of \(kind) \(namespace.isEmpty ? "" : "\(namespace)/")\(name) to the cluster folder"
        }
        return ClusterError("\(resource) \"\(name)\" not found\(place)", hint: hint)
    }

    private static func plural(_ kind: String) -> String {
        let lower = kind.lowercased()
        if lower.hasSuffix("s") { return lower }
        if lower.hasSuffix("y") { return lower.dropLast() + "ies" }
        return lower + "s"
    }
}
