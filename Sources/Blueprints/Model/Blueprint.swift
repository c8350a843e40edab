public import Diagnostics

/// A Kanister Blueprint as it was written: every string leaf may be a template, nothing is rendered.
///
/// Source: Kanister `pkg/apis/cr/v1alpha1/types.go` (`Blueprint`).
public struct Blueprint: Sendable, Hashable {
    public static let apiVersion = "cr.kanister.io/v1alpha1"
    public static let kind = "Blueprint"

    /// `metadata.name`; empty when absent.
    public var name: LocatedText
    /// `metadata.namespace`; empty when absent.
    public var namespace: LocatedText
    /// In the order of the file; names are unique.
    public var actions: [BlueprintAction]
    /// Where the document is.
    public var range: SourceRange?

    public init(name: LocatedText, namespace: LocatedText = "", actions: [BlueprintAction], range: SourceRange? = nil) {
        self.name = name
        self.namespace = namespace
        self.actions = actions
        self.range = range
    }

    public func action(_ name: String) -> BlueprintAction? { actions.first { $0.name.text == name } }
}

/// One action of a blueprint.
public struct BlueprintAction: Sendable, Hashable {
    /// The key under `actions`, by which Kasten and ActionSets call it.
    public var name: LocatedText
    /// Only descriptive; Kanister never reads it. Empty when absent.
    public var kind: LocatedText
    public var configMapNames: [LocatedText]
    public var secretNames: [LocatedText]
    public var inputArtifactNames: [LocatedText]
    /// Rendered after all phases.
    public var outputArtifacts: [Artifact]
    /// Run in this order.
    public var phases: [BlueprintPhase]
    /// Run last, whatever happened before.
    public var deferPhase: BlueprintPhase?
    public var range: SourceRange?

    public init(
        name: LocatedText, kind: LocatedText = "", configMapNames: [LocatedText] = [], secretNames: [LocatedText] = [],
        inputArtifactNames: [LocatedText] = [], outputArtifacts: [Artifact] = [], phases: [BlueprintPhase] = [],
        deferPhase: BlueprintPhase? = nil, range: SourceRange? = nil
    ) {
        self.name = name
        self.kind = kind
        self.configMapNames = configMapNames
        self.secretNames = secretNames
        self.inputArtifactNames = inputArtifactNames
        self.outputArtifacts = outputArtifacts
        self.phases = phases
        self.deferPhase = deferPhase
        self.range = range
    }
}

/// One phase: a function with its arguments.
public struct BlueprintPhase: Sendable, Hashable {
    /// `func`: the exact name of a Kanister function.
    public var function: LocatedText
    public var name: LocatedText
    /// `objects`, in the order of the file.
    public var objects: [NamedReference]
    /// `args`, in the order of the file.
    public var arguments: [PhaseArgument]
    public var range: SourceRange?

    public init(
        function: LocatedText, name: LocatedText, objects: [NamedReference] = [], arguments: [PhaseArgument] = [],
        range: SourceRange? = nil
    ) {
        self.function = function
        self.name = name
        self.objects = objects
        self.arguments = arguments
        self.range = range
    }

    public func argument(_ name: String) -> YAMLNode? { arguments.first { $0.name.text == name }?.value }
}

/// One argument of a phase, not yet rendered.
public struct PhaseArgument: Sendable, Hashable {
    public var name: LocatedText
    public var value: YAMLNode

    public init(name: LocatedText, value: YAMLNode) {
        self.name = name
        self.value = value
    }
}

/// What an action leaves behind for later ones: in a blueprint a template, in an ActionSet the rendered value.
public struct Artifact: Sendable, Hashable {
    public var name: LocatedText
    /// In the order of the file; empty when absent.
    public var keyValue: [NamedText]
    public var kopiaSnapshot: LocatedText?
    public var range: SourceRange?

    public init(
        name: LocatedText, keyValue: [NamedText] = [], kopiaSnapshot: LocatedText? = nil, range: SourceRange? = nil
    ) {
        self.name = name
        self.keyValue = keyValue
        self.kopiaSnapshot = kopiaSnapshot
        self.range = range
    }
}
