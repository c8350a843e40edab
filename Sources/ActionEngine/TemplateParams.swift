public import GoFormats
public import GoTemplate

/// The root object of every template of an action, field by field under the names templates use.
///
/// Typed objects (`Secrets`, `ConfigMaps`, `Profile`, workloads) have Go names; `Object` is plain JSON.
///
/// Concurrency and memory: a value; making the root copies references only.
///
/// Source: Kanister `pkg/param/param.go` `TemplateParams`.
public struct TemplateParams: Sendable {
    /// What is known of one phase: `.Phases.x`, or `.DeferPhase`.
    public struct Phase: Sendable {
        public var secrets: [String: KubernetesObject] = [:]
        public var configMaps: [String: KubernetesObject] = [:]
        /// Names under `objects` of a dry run whose object is not there: a placeholder under both kinds.
        var missing: Set<String> = []
        /// Nil until the phase has run.
        public var output: [String: GoValue]?

        public init() {}
    }

    /// `.Time`: RFC 3339 with nanoseconds, UTC.
    public var time: String
    public var object: JSONObject?
    public var workload: Workload?
    public var pvc: (name: String, namespace: String)?
    public var namespace: (name: String, namespace: String)?
    public var profile: ResolvedProfile?
    public var secrets: [String: KubernetesObject] = [:]
    public var configMaps: [String: KubernetesObject] = [:]
    public var options: [String: String] = [:]
    /// Artifacts under their names, as `.ArtifactsIn`.
    public var artifacts: [String: GoValue] = [:]
    public var podOverride: JSONObject?
    public var podAnnotations: [String: String] = [:]
    public var podLabels: [String: String] = [:]
    public var phases: [String: Phase] = [:]
    public var deferPhase: Phase?
    /// Fields of the root whose object is not there, in a dry run: placeholders, so that only the cause is reported.
    var missing: Set<String> = []
    /// Names under the ActionSet's `secrets` and `configMaps`, likewise.
    var missingReferences: Set<String> = []

    public init(time: String) { self.time = time }

    /// The Go type of the root object, for checks that do not render.
    public static var rootType: GoType { .structure(GoTypes.templateParams) }

    /// The value a template starts from.
    public var root: GoValue {
        var values: [String: GoValue] = [
            "Time": .string(time), "Options": .stringMap(options),
            "Secrets": Self.objects(secrets, as: GoTypes.secret, missing: missingReferences),
            "ConfigMaps": Self.objects(configMaps, as: GoTypes.configMap, missing: missingReferences),
            "ArtifactsIn": .map(of: .structure(GoTypes.artifact), artifacts),
            "Phases": .map(of: .pointer(.structure(GoTypes.phase)), phases.mapValues { Self.value($0) }),
            "PodAnnotations": .stringMap(podAnnotations), "PodLabels": .stringMap(podLabels),
        ]
        if let object { values["Object"] = GoValue(json: .object(object)) }
        if let podOverride { values["PodOverride"] = GoValue(json: .object(podOverride)) }
        if let profile { values["Profile"] = .pointer(profile.value) }
        if let deferPhase { values["DeferPhase"] = Self.value(deferPhase) }
        if let workload { values[workload.kind.rawValue] = .pointer(workload.value) }
        if let pvc { values["PVC"] = Self.named(pvc, as: GoTypes.pvc) }
        if let namespace { values["Namespace"] = Self.named(namespace, as: GoTypes.namespace) }
        for name in missing { values[name] = Self.missingObject(name) }
        return .structure(GoTypes.templateParams, values)
    }

    /// Begins every placeholder of an object that is not there.
    static let missingMark = "<missing "

    private static func missingObject(_ name: String) -> GoValue { .placeholder("missing \(name)") }

    /// An artifact as templates see it.
    public static func artifact(_ artifact: RenderedArtifact) -> GoValue {
        var entries: [String: String] = [:]
        for pair in artifact.keyValue { entries[pair.key] = pair.value }
        return .structure(
            GoTypes.artifact,
            ["KeyValue": .stringMap(entries), "KopiaSnapshot": .string(artifact.kopiaSnapshot ?? "")])
    }

    /// An artifact that is not at hand: every part that is asked for shows as a placeholder.
    static func missingArtifact(_ name: String, keys: [String]) -> GoValue {
        var entries: [String: GoValue] = [:]
        for key in keys { entries[key] = .placeholder("artifact \(name): \(key)") }
        return .structure(
            GoTypes.artifact,
            [
                "KeyValue": .map(of: .string, entries),
                "KopiaSnapshot": .placeholder("artifact \(name): kopiaSnapshot"),
            ])
    }

    /// Reads a root object in JSON: Go field names outside, JSON names inside typed objects, bytes in base64.
    ///
    /// - Throws: `GoDecodingError` when a member does not fit.
    public static func root(json: JSONValue) throws(GoDecodingError) -> GoValue {
        try .decoding(json, as: .structure(GoTypes.templateParams))
    }

    private static func objects(
        _ objects: [String: KubernetesObject], as type: GoStructType, missing: Set<String>
    ) -> GoValue {
        var values = objects.mapValues { value(of: $0, as: type) }
        for name in missing where values[name] == nil { values[name] = missingObject(name) }
        return .map(of: .structure(type), values)
    }

    /// Fields that do not fit are left at their zero value, as the API server would never have stored them.
    static func value(of object: KubernetesObject, as type: GoStructType) -> GoValue {
        var typed = object.manifest
        // client-go leaves the type of objects it fetched by type empty.
        typed["kind"] = nil
        typed["apiVersion"] = nil
        if var metadata = typed["metadata"]?.objectValue {
            metadata["managedFields"] = nil
            typed["metadata"] = .object(metadata)
        }
        if let value = try? GoValue.decoding(.object(typed), as: .structure(type)) { return value }
        let essential = JSONObject([
            "metadata": ["name": .string(object.name), "namespace": .string(object.namespace)],
            "data": .object(
                JSONObject(object.stringMap("data").map { .init(key: $0.key, value: .string($0.value)) })),
        ])
        return (try? .decoding(.object(essential), as: .structure(type))) ?? .structure(type, [:])
    }

    private static func value(_ phase: Phase) -> GoValue {
        var values = [
            "Secrets": objects(phase.secrets, as: GoTypes.secret, missing: phase.missing),
            "ConfigMaps": objects(phase.configMaps, as: GoTypes.configMap, missing: phase.missing),
        ]
        if let output = phase.output { values["Output"] = .dictionary(output) }
        return .pointer(.structure(GoTypes.phase, values))
    }

    private static func named(_ pair: (name: String, namespace: String), as type: GoStructType) -> GoValue {
        .pointer(.structure(type, ["Name": .string(pair.name), "Namespace": .string(pair.namespace)]))
    }
}
