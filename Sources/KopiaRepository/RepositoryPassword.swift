/// The password of a repository, used exactly as given: no trimming, no normalisation. Prints as `<redacted>`.
public struct RepositoryPassword: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    let text: String

    public init(_ text: String) { self.text = text }

    public var isEmpty: Bool { text.isEmpty }
    public var description: String { "<redacted>" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
