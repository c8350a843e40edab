/// What is wrong with a snapshot, a directory or a policy.
public struct SnapshotError: Error, Sendable, CustomStringConvertible {
    public struct Code: Sendable, Hashable {
        private enum Kind: Sendable, Hashable { case malformed, invalid }
        private let kind: Kind

        /// What is stored does not have kopia's form.
        public static let malformed = Code(kind: .malformed)
        /// What the caller wants to store would not have kopia's form.
        public static let invalid = Code(kind: .invalid)
    }

    public let code: Code
    /// A whole sentence without the hint.
    public let message: String
    public let hint: String?

    public init(_ code: Code, _ message: String, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }

    public var description: String { hint.map { "\(message)\nhint: \($0)" } ?? message }
}
