public import Blueprints
public import GoFormats

/// One action to run: a blueprint's action and everything an ActionSet would say about it.
public struct ActionRequest: Sendable {
    public var blueprint: Blueprint
    public var actionName: String
    /// What the action works on.
    public var object: ObjectReference?
    public var profile: ProfileSelection?
    public var options: [String: String] = [:]
    /// `.ArtifactsIn`.
    public var artifacts: [RenderedArtifact] = []
    public var configMaps: [NamedReference] = []
    public var secrets: [NamedReference] = []
    public var podOverride: JSONObject?
    public var podLabels: [String: String] = [:]
    public var podAnnotations: [String: String] = [:]
    /// Empty for the default.
    public var preferredVersion = ""
    /// Where the controller runs, and pods whose phase names no namespace.
    public var controllerNamespace = "kasten-io"
    /// `.Time`.
    public var time: Timestamp
    /// Outputs that are known before a dry run, by phase.
    public var knownOutputs: [String: [String: String]] = [:]

    /// A Profile, and the file it was read from.
    public struct ProfileSelection: Sendable {
        public var profile: Profile
        public var file: String?

        public init(_ profile: Profile, file: String?) {
            self.profile = profile
            self.file = file
        }
    }

    public init(blueprint: Blueprint, actionName: String, time: Timestamp) {
        self.blueprint = blueprint
        self.actionName = actionName
        self.time = time
    }
}
