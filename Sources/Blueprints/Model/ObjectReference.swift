public import Diagnostics

/// Names a Kubernetes object. Every field is a template in a blueprint's phase and plain text elsewhere; absent fields
/// are empty.
///
/// Source: Kanister `pkg/apis/cr/v1alpha1/types.go` (`ObjectReference`).
public struct ObjectReference: Sendable, Hashable {
    /// The version only (`v1`), not `group/version`.
    public var apiVersion: LocatedText
    public var group: LocatedText
    /// Lower-case plural.
    public var resource: LocatedText
    public var kind: LocatedText
    public var name: LocatedText
    public var namespace: LocatedText
    public var range: SourceRange?

    public init(
        apiVersion: LocatedText = "", group: LocatedText = "", resource: LocatedText = "", kind: LocatedText = "",
        name: LocatedText = "", namespace: LocatedText = "", range: SourceRange? = nil
    ) {
        self.apiVersion = apiVersion
        self.group = group
        self.resource = resource
        self.kind = kind
        self.name = name
        self.namespace = namespace
        self.range = range
    }

    /// The fields under their JSON names, in the order Go writes them.
    public var fields: [(name: String, text: LocatedText)] {
        [
            ("apiVersion", apiVersion), ("group", group), ("resource", resource), ("kind", kind), ("name", name),
            ("namespace", namespace),
        ]
    }
}

/// An object reference under a name.
public struct NamedReference: Sendable, Hashable {
    public var name: LocatedText
    public var reference: ObjectReference

    public init(name: LocatedText, reference: ObjectReference) {
        self.name = name
        self.reference = reference
    }
}

/// A string under a name, both located.
public struct NamedText: Sendable, Hashable {
    public var name: LocatedText
    public var value: LocatedText

    public init(name: LocatedText, value: LocatedText) {
        self.name = name
        self.value = value
    }
}
