public import GoFormats

/// A phase with its templates rendered: what would run. Carries secrets in the clear.
public struct RenderedPhase: Sendable {
    public let name: String
    public let function: String
    public let isDeferPhase: Bool
    public let objects: [RenderedObject]
    /// In the order of the blueprint.
    public let arguments: JSONObject

    public init(
        name: String, function: String, isDeferPhase: Bool, objects: [RenderedObject], arguments: JSONObject
    ) {
        self.name = name
        self.function = function
        self.isDeferPhase = isDeferPhase
        self.objects = objects
        self.arguments = arguments
    }
}

/// A reference under a phase's `objects`, rendered.
public struct RenderedObject: Sendable, Hashable {
    /// The name under `objects`.
    public let alias: String
    public let kind: String
    public let apiVersion: String
    public let group: String
    public let resource: String
    public let name: String
    public let namespace: String

    public init(
        alias: String, kind: String, apiVersion: String, group: String, resource: String, name: String,
        namespace: String
    ) {
        self.alias = alias
        self.kind = kind
        self.apiVersion = apiVersion
        self.group = group
        self.resource = resource
        self.name = name
        self.namespace = namespace
    }

    /// Secrets and ConfigMaps are fetched; other kinds are ignored, as in Kanister.
    public var isFetched: Bool { ["secret", "configmap"].contains(kind.lowercased()) }
}
