public import Diagnostics

/// Kasten's rule which objects a blueprint is bound to.
///
/// Source: docs.kasten.io `api/blueprintbindings`.
public struct BlueprintBinding: Sendable, Hashable {
    public static let apiVersion = "config.kio.kasten.io/v1alpha1"
    public static let kind = "BlueprintBinding"

    public var name: LocatedText
    public var namespace: LocatedText
    public var isDisabled: Bool
    public var blueprintName: LocatedText
    public var blueprintNamespace: LocatedText
    /// An object must meet all of these …
    public var matchAll: [Requirement]
    /// … and, unless it is empty, at least one of these.
    public var matchAny: [Requirement]
    public var range: SourceRange?

    public enum Operator: String, Sendable, CaseIterable {
        case isIn = "In"
        case notIn = "NotIn"
        case exists = "Exists"
        case doesNotExist = "DoesNotExist"
    }

    /// One item of `matchAll` or `matchAny`.
    public struct Requirement: Sendable, Hashable {
        public enum Subject: Sendable, Hashable {
            case type([ResourceType])
            case namespace([LocatedText])
            case annotation(key: LocatedText, values: [LocatedText])
            case label(key: LocatedText, values: [LocatedText])
        }

        public var subject: Subject
        public var `operator`: Operator
        public var range: SourceRange?

        public init(_ subject: Subject, _ operator: Operator, range: SourceRange? = nil) {
            self.subject = subject
            self.operator = `operator`
            self.range = range
        }
    }

    /// A kind of object, or one object; empty fields match anything.
    public struct ResourceType: Sendable, Hashable {
        public var group: LocatedText
        public var version: LocatedText
        /// Lower-case plural.
        public var resource: LocatedText
        public var name: LocatedText

        public init(
            group: LocatedText = "", version: LocatedText = "", resource: LocatedText = "", name: LocatedText = ""
        ) {
            self.group = group
            self.version = version
            self.resource = resource
            self.name = name
        }
    }

    public init(
        name: LocatedText, namespace: LocatedText, isDisabled: Bool = false, blueprintName: LocatedText,
        blueprintNamespace: LocatedText, matchAll: [Requirement] = [], matchAny: [Requirement] = [],
        range: SourceRange? = nil
    ) {
        self.name = name
        self.namespace = namespace
        self.isDisabled = isDisabled
        self.blueprintName = blueprintName
        self.blueprintNamespace = blueprintNamespace
        self.matchAll = matchAll
        self.matchAny = matchAny
        self.range = range
    }
}
