public import KopiaContent

/// What is wrong with a manifest or the content that holds it.
public struct ManifestError: Error, Sendable, CustomStringConvertible {
    public struct Code: Sendable, Hashable {
        private enum Kind: Sendable, Hashable { case malformed, invalid, lost }
        private let kind: Kind

        /// A manifest content is not what kopia writes.
        public static let malformed = Code(kind: .malformed)
        /// What the caller wants to store cannot be a manifest.
        public static let invalid = Code(kind: .invalid)
        /// What was put since the last flush is gone, and with it what was deleted: a server was restarted. Doing all of
        /// it again is safe, nothing of it was published.
        public static let lost = Code(kind: .lost)
    }

    public let code: Code
    public let content: ContentID?
    /// A whole sentence without the hint.
    public let message: String
    public let hint: String?

    public init(_ code: Code, content: ContentID? = nil, _ message: String, hint: String? = nil) {
        self.code = code
        self.content = content
        self.message = message
        self.hint = hint
    }

    public var description: String { hint.map { "\(message)\nhint: \($0)" } ?? message }
}
